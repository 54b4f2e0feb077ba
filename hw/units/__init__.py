"""Gateware: the units of the accelerator, in Amaranth."""
