"""The post-processor in plain integers."""

from bitformer.hw.program import Addend, Factor, MachineOperation
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.widths import signed_value
from bitformer.model import numerics
from bitformer.model.gelu import gelu_steps, gelu_zero

__all__ = ["post_processed"]


def post_processed(
    o: MachineOperation,
    w: PostProcessorWidths,
    ways: int,
    *,
    p: int = 0,
    parameter: int = 0,
    activation: int = 0,
    position: int = 0,
    last: int = 0,
    factor: int = 0,
    statistics: tuple[int, int, int] = (0, 0, 0),
    upper: int = 0,
    soft: int = 0,
) -> list[int]:
    """Return the results of a slot, bit for bit; every number must have its width.

    ``p`` is the drained accumulator; ``parameter``, ``activation`` and ``position`` are words of
    the stores; ``last`` and ``factor`` are numbers; ``statistics`` are total, exponent and factor
    of a row; ``upper`` and ``soft`` are the slot's.
    """
    accumulators = [p]
    if o.packed and ways > 1:
        k = w.pack_shift
        accumulators = [signed_value(p, k), (p >> k) + (0 if soft else p >> (k - 1) & 1)]
        if w.apart:
            low = p & ((1 << k) - 1) | (p >> w.product_bits) << k
            accumulators = [
                signed_value(low, k + w.extension),
                signed_value(p, w.product_bits) >> k,
            ]
    elif w.apart == 2 or (w.broad and soft):
        accumulators = [signed_value(p, w.pack_shift)]
    elif w.extension:
        accumulators = [signed_value(p, w.product_bits)]
    ys = []
    for way in range(1 if o.wide else ways):
        field = parameter >> way * (w.value_bits + w.scale_bits)
        value, scale = field & ((1 << w.value_bits) - 1), field >> w.value_bits
        value_bits = w.value_bits
        if o.wide and ways > 1:
            # the fields of both ways hold the value
            value |= parameter >> w.value_bits + w.scale_bits << w.value_bits
            value_bits *= 2
        value, scale = signed_value(value, value_bits), signed_value(scale, w.scale_bits)
        place = upper if o.wide else way
        stored = signed_value(activation >> place * w.activation_bits, w.activation_bits)
        if o.wide_r:
            stored = signed_value(activation, w.activation_bits * ways)
        total, exponent, mantissa = statistics
        u = stored
        if o.matrix:
            u = accumulators[way % len(accumulators)] + (value if o.bias else 0)
        elif o.normalize:
            u = numerics.deviation(stored, total, exponent, w.norm_features)
        multiplier = {
            Factor.IMMEDIATE: o.multiplier,
            Factor.PARAMETER: scale,
            Factor.RECIPROCAL: factor,
            Factor.NORM: scale * mantissa,
        }[o.factor]
        addend = {
            Addend.NONE: 0,
            Addend.PARAMETER: value,
            Addend.ACTIVATION: stored,
            Addend.POSITION: signed_value(position >> place * w.position_bits, w.position_bits),
            Addend.LAST: last,
        }[o.addend] << o.addend_shift
        y = numerics.requantize(u, multiplier, addend, o.shift, o.zero, o.low, o.high)
        ys.append(int(gelu_steps(y, o.gelu) + gelu_zero(o.gelu) if o.gelu else y))
    return ys * (ways // len(ys))
