"""Two products of short operands in one multiplier, in the mode in which it makes no others."""

from amaranth.hdl import Cat, Module, Signal, Value, signed

from bitformer.hw.families.family import Multiplier
from bitformer.hw.units.multiplier import instance

__all__ = ["product_pair"]


def product_pair(
    m: Module,
    platform: object,
    multiplier: Multiplier,
    weights: tuple[Value, Value],
    x: Value,
    *,
    name: str,
) -> tuple[Value, Value]:
    """Return the products of two weights and one operand, all of them signed and short.

    Where a conversion is for synthesis they are those of an instance, as in
    :class:`bitformer.hw.units.multiplier.Product`; latency and throughput are the same.
    """
    bits = multiplier.half_bits
    if platform is not None and multiplier.half_cell is not None:
        operands = [_extended(value, bits) for value in (*weights, x)]
        long, short = Cat(operands[0], operands[1]), Cat(operands[2], operands[2])
        whole = instance(
            m, multiplier, multiplier.half_cell, long.as_signed(), short.as_signed(), name
        )
        return whole[: 2 * bits].as_signed(), whole[2 * bits :].as_signed()
    held = Signal(x.shape(), name=f"b_{name}", reset_less=True)
    m.d.sync += held.eq(x)
    products = []
    for place, weight in enumerate(weights):
        operand = Signal(weight.shape(), name=f"a_{name}_{place}", reset_less=True)
        product = Signal(signed(len(weight) + len(x)), name=f"m_{name}_{place}", reset_less=True)
        m.d.sync += [operand.eq(weight), product.eq(operand * held)]
        products.append(product)
    low, high = products
    return low, high


def _extended(value: Value, bits: int) -> Value:
    """Return a signed value in so many bits."""
    return Cat(value, [value[-1]] * (bits - len(value)))
