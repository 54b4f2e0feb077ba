"""Widths of a DSP48E1, the multiplier of the 7 series."""

__all__ = ["DSP_BITS", "PORT_BITS", "SPLIT"]

#: Width of a DSP48E1's long port.
PORT_BITS = 25

#: Width of a DSP48E1's accumulator.
DSP_BITS = 48

#: Lower bits of a multiplicand: with a sign of their own they fill a multiplier's long port.
SPLIT = PORT_BITS - 1
