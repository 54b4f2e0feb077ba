"""Two products of short operands in one multiplier, in the mode in which it makes no others."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitformer.hw.families.family import Multiplier
from bitformer.hw.units.multiplier import instance
from bitformer.hw.units.pipeline import delay
from bitformer.hw.widths import GAMMA_BITS

__all__ = ["product_pair", "scaled_gammas"]


def product_pair(
    m: Module,
    platform: object,
    multiplier: Multiplier,
    weights: tuple[Value, Value],
    x: Value,
    *,
    name: str,
) -> tuple[Value, Value]:
    """Return the products of two signed weights and one operand, all of them short.

    Where a conversion is for synthesis they are those of an instance, as in
    :class:`bitformer.hw.units.multiplier.Product`; latency and throughput are the same.
    """
    bits = multiplier.half_bits
    if platform is not None and multiplier.half_cell is not None:
        low, high, twice = (_extended(value, bits) for value in (*weights, x))
        long, short = Cat(low, high).as_signed(), Cat(twice, twice)
        short = short.as_signed() if x.shape().signed else short
        whole = instance(m, multiplier, multiplier.half_cell, long, short, name)
        return whole[: 2 * bits].as_signed(), whole[2 * bits :].as_signed()
    held = Signal(x.shape(), name=f"b_{name}", reset_less=True)
    m.d.sync += held.eq(x)
    products = []
    for place, weight in enumerate(weights):
        operand = Signal(weight.shape(), name=f"a_{name}_{place}", reset_less=True)
        product = Signal(signed(len(weight) + len(x)), name=f"m_{name}_{place}", reset_less=True)
        m.d.sync += [operand.eq(weight), product.eq(operand * held)]
        products.append(product)
    return products[0], products[1]


def scaled_gammas(
    m: Module,
    platform: object,
    multiplier: Multiplier,
    gammas: Sequence[Value],
    factor: Value,
) -> list[Value]:
    """Return a LayerNorm's scales, of one way or two, times the factor of a row.

    Latency: 3 cycles, as in :class:`bitformer.hw.units.layernorm.Normalizer`. Throughput: one a
    cycle. The factor's highest bit, beyond half a multiplier, adds the scale that many bits higher.
    """
    own = [(gamma | Const(0, signed(GAMMA_BITS)))[:GAMMA_BITS].as_signed() for gamma in gammas]
    split = len(factor) - 1
    products = product_pair(
        m, platform, multiplier, (own[0], own[-1]), factor[:split], name="gamma"
    )
    found = []
    for way, gamma in enumerate(own):
        upper = delay(m, Mux(factor[split], gamma, 0), 2, name=f"gamma_{way}").as_signed()
        scaled = Signal(signed(GAMMA_BITS + len(factor)), name=f"scaled_{way}", reset_less=True)
        m.d.sync += scaled.eq(products[way] + (upper << split))
        found.append(scaled)
    return found


def _extended(value: Value, bits: int) -> Value:
    """Return a value in so many bits."""
    above = value[-1] if value.shape().signed else Const(0, 1)
    return Cat(value, [above] * (bits - len(value)))
