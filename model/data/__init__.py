"""Data: from the bytes of a file to windows for training."""
