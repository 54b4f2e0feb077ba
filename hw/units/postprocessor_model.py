"""The post-processor in plain integers."""

from bitformer.hw.program import Addend, Factor, MachineOperation
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.widths import signed_value
from bitformer.model import numerics
from bitformer.model.gelu import gelu_steps, gelu_zero

__all__ = ["post_processed", "summed"]


def _value(o: MachineOperation, w: PostProcessorWidths, ways: int, way: int, word: int) -> int:
    """Return the value of one way of a word of parameters; a wide operation's has both fields."""
    value = word >> way * (w.value_bits + w.scale_bits) & ((1 << w.value_bits) - 1)
    if o.wide and ways > 1:
        value |= word >> w.value_bits + w.scale_bits << w.value_bits
        return signed_value(value, 2 * w.value_bits)
    return signed_value(value, w.value_bits)


def summed(
    o: MachineOperation,
    w: PostProcessorWidths,
    ways: int,
    *,
    p: int = 0,
    parameter: int = 0,
    sums: int = 0,
    soft: int = 0,
) -> list[int]:
    """Return the sums of a drained accumulator with what is added to them, by way.

    The numbers are those of :func:`post_processed`.
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
    found = []
    for way in range(1 if o.wide else ways):
        bits = w.narrow_bits if way else w.accumulator_bits
        added = _value(o, w, ways, way, parameter) if o.bias else 0
        if o.resumes:
            added = signed_value(sums >> way * w.accumulator_bits, bits)
        found.append(accumulators[way % len(accumulators)] + added)
    return found


def post_processed(
    o: MachineOperation,
    w: PostProcessorWidths,
    ways: int,
    *,
    p: int = 0,
    parameter: int = 0,
    sums: int = 0,
    activation: int = 0,
    position: int = 0,
    last: int = 0,
    factor: int = 0,
    statistics: tuple[int, int, int] = (0, 0, 0),
    upper: int = 0,
    soft: int = 0,
) -> list[int]:
    """Return the results of a slot, bit for bit; every number must have its width.

    ``p`` is the drained accumulator; ``parameter``, ``sums``, ``activation`` and ``position`` are
    words of the stores; ``last`` and ``factor`` are numbers; ``statistics`` are total, exponent and
    factor of a row; ``upper`` and ``soft`` are the slot's.
    """
    ys = []
    accumulated = summed(o, w, ways, p=p, parameter=parameter, sums=sums, soft=soft)
    for way in range(1 if o.wide else ways):
        scale = parameter >> way * (w.value_bits + w.scale_bits) + w.value_bits
        value, scale = _value(o, w, ways, way, parameter), signed_value(scale, w.scale_bits)
        place = upper if o.wide else way
        stored = signed_value(activation >> place * w.activation_bits, w.activation_bits)
        if o.wide_r:
            stored = signed_value(activation, w.activation_bits * ways)
        total, exponent, mantissa = statistics
        u = stored
        if o.matrix:
            u = accumulated[way]
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
