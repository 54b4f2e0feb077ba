"""Rounding and saturation of signed values: the hardware's one home for both."""

from amaranth.hdl import Const, Mux, Value, signed

from bitformer.hw.widths import signed_bits

__all__ = ["clamp", "round_shift"]


def round_shift(value: Value, shift: int) -> Value:
    """Return ``value / 2**shift`` rounded half up, as ``numerics.round_shift``."""
    if shift == 0:
        return value
    return (value + (1 << (shift - 1))) >> shift


def clamp(value: Value, low, high) -> Value:
    """Return ``value`` limited to ``low``..``high``, integers or values looked up by operation.

    Raises
    ------
    TypeError
        If ``value`` is not signed.
    """
    if not value.shape().signed:
        raise TypeError("Clamp must be given a signed value")
    if isinstance(low, int) and isinstance(high, int):
        shape = signed(signed_bits(low, high))
        low, high = Const(low, shape), Const(high, shape)
    limited = Mux(value < low, low, Mux(value > high, high, value))
    bits = max(len(limit) + (not limit.shape().signed) for limit in (low, high))
    return limited[:bits].as_signed()
