"""Boards: what they are, the shell around the accelerator, and the vendor build plan."""
