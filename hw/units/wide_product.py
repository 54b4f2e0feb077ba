"""The product of a multiplicand too long for one multiplier, in two parts."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

__all__ = ["joined", "split_multiplicand"]


def split_multiplicand(u: Value, wide: Value, split: int) -> tuple[Value, Value]:
    """Return the lower ``split`` bits of ``u``, with a sign bit, and its upper bits.

    Where it is not ``wide``, the sign bit is its own, and all of it is in the lower part.
    """
    u = u | Const(0, signed(split + 1))
    return Cat(u[:split], Mux(wide, 0, u[split])).as_signed(), u[split:].as_signed()


def joined(m: Module, low: Value, high: Value, *, split: int, bits: int) -> Value:
    """Return the sum of both parts' products, the upper ``split`` bits higher, a cycle later."""
    total = Signal(signed(max(bits, split + 1)), reset_less=True)
    m.d.sync += total.eq(Cat(low[:split], ((low >> split) + high)).as_signed())
    return total
