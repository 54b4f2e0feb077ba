# amaranth: UnusedElaboratable=no
"""A post-processor of given operations, what is there for its slots, what it must make of it."""

import random
from dataclasses import fields, replace

from bitformer.hw.families.family import Multiplier
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Addend, Factor, MachineOperation
from bitformer.hw.units.postprocessor import PostProcessor
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.units.result_slots import slot_layout
from bitformer.hw.widths import signed_value
from bitformer.model import numerics

#: A long port of ten bits: most multiplicands of wide operations have an upper part.
MULTIPLIER = Multiplier(name="SMALL", long_bits=10, short_bits=18, accumulator_bits=48)
INPUTS = {
    "pack_shift": 11,
    "accumulator_bits": 17,
    "narrow_bits": 9,
    "value_bits": 8,
    "scale_bits": 6,
    "activation_bits": 5,
    "position_bits": 7,
    "last_bits": 8,
    "norm_features": 0,
    "norm_bits": 0,
}
LIMITS = {"low": -16, "high": 15}


def bound(bits):
    return 1 << (bits - 1)


def widths_of(operations, ways, **changes):
    """Return widths that hold every sum of the operations, and no more."""
    w = INPUTS | changes
    multiplicands, factors, sums = [], [], {"value": [0], "low": [0], "high": [0], "sum": [0]}
    results = [0]
    for o in operations:
        u = bound(w["accumulator_bits"] if o.wide else w["narrow_bits"])
        stored = bound(w["activation_bits"] * (ways if o.wide_r else 1))
        if not o.matrix:
            u = stored
        if o.normalize:
            u = numerics.normalized_bound(w["norm_features"], w["norm_bits"])
        factor = {
            Factor.IMMEDIATE: abs(o.multiplier),
            Factor.PARAMETER: bound(w["scale_bits"]),
            Factor.RECIPROCAL: bound(w.get("reciprocal_bits", 10)),
            Factor.NORM: bound(w["scale_bits"]) * 511,
        }[o.factor]
        added = {
            Addend.NONE: 0,
            Addend.PARAMETER: bound(w["value_bits"] * (ways if o.wide else 1)),
            Addend.ACTIVATION: stored,
            Addend.POSITION: bound(w["position_bits"]),
            Addend.LAST: bound(w["last_bits"]),
        }[o.addend] << o.addend_shift
        offset = added + (1 << o.shift) + (abs(o.zero) << o.shift)
        split = MULTIPLIER.split
        if o.wide:
            sums["low"].append((factor << split) + offset)
            sums["high"].append(((u >> split) + 1) * factor)
            sums["sum"].append(u * factor + offset)
        else:
            sums["value"].append(u * factor + offset)
        results.append((u * factor + offset >> o.shift) + 1)
        multiplicands.append(u)
        factors.append(factor)
    bits = {name: max(found).bit_length() + 1 for name, found in sums.items()}
    known = {field.name for field in fields(PostProcessorWidths)}
    return PostProcessorWidths(
        **{name: value for name, value in w.items() if name in known},
        product_bits=max(w["accumulator_bits"], w["pack_shift"] + w["narrow_bits"] + 1),
        factor_bits=max(factors).bit_length() + 1,
        low_bits=max(bits["low"], bits["value"]),
        high_bits=max(bits["high"], bits["value"]),
        sum_bits=bits["sum"],
        shifted_bits=max(results).bit_length() + 1,
        result_bits=5,
    )


def make(operations, ways, **changes):
    slot = slot_layout(
        ways=ways,
        op_bits=4,
        parameter_bits=3,
        dst_bits=4,
        res_bits=2,
        upper=ways > 1 and any(o.wide for o in operations),
        soft=changes.get("soft", False),
    )
    return PostProcessor(
        operations=operations,
        slot=slot,
        widths=widths_of(operations, ways, **changes),
        multiplier=MULTIPLIER,
    )


def number(chance, bits):
    """Draw a signed number: its extremes as often as what is between."""
    low, high = -bound(bits), bound(bits) - 1
    return chance.choice([low, high, -1, 0, chance.randint(low, high), chance.randint(low, high)])


def packed(numbers, bits):
    return sum((x & ((1 << bits) - 1)) << n * bits for n, x in enumerate(numbers))


def within(chance, bits, biases):
    """Draw an accumulator that stays in its bits with each of the biases."""
    low, high = -bound(bits) - min(0, *biases), bound(bits) - 1 - max(0, *biases)
    return chance.choice([low, high, chance.randint(low, high)])


def drawn(dut, op, chance):
    """Draw what is there for a slot of an operation, each number at its extremes or between."""
    o, w, ways = dut.operations[op], dut.widths, dut.ways
    values = [number(chance, w.value_bits) for _ in range(ways)]
    scales = [number(chance, w.scale_bits)] * ways
    if not o.wide:
        scales = [number(chance, w.scale_bits) for _ in range(ways)]
    both = w.value_bits + w.scale_bits
    pairs = zip(values, scales, strict=True)
    parameter = packed([packed([v], w.value_bits) | s << w.value_bits for v, s in pairs], both)
    elements = [number(chance, w.activation_bits) for _ in range(ways)]
    statistics = (0, 0, 0)
    if o.normalize:
        row = [number(chance, w.norm_bits) for _ in range(w.norm_features)]
        elements = [chance.choice(row) for _ in range(ways)]
        total = sum(row)
        variance = w.norm_features * sum(x * x for x in row) - total * total
        width = numerics.norm_width(w.norm_features, w.norm_bits)
        statistics = (total, *(int(x) for x in numerics.rsqrt(variance, width)))
    if o.wide:
        biases = [(values[-1] << w.value_bits) + (values[0] & ((1 << w.value_bits) - 1))]
        biases = biases if ways > 1 else values
    else:
        biases = values
    biases = biases if o.bias else [0]
    most = min(w.pack_shift, w.narrow_bits) if o.packed else w.narrow_bits
    most = w.accumulator_bits if o.wide else most
    kept = [number(chance, most - 1) for _ in values]
    biases = kept if o.resumes else biases
    p = within(chance, w.accumulator_bits if o.wide else w.narrow_bits, biases)
    soft = chance.getrandbits(1) if o.packed and "soft" in dut.slot.members else 0
    if o.packed:
        low = within(chance, min(w.pack_shift, w.narrow_bits), biases[:1])
        if w.apart:
            low = within(chance, min(w.pack_shift + w.extension, w.narrow_bits), biases[:1])
        high = within(chance, w.narrow_bits, biases[1:] or [0])
        p = (high << w.pack_shift) + low
        if soft:
            p = (high << w.pack_shift) + (low & ((1 << w.pack_shift) - 1))
        if w.apart:
            middle = w.product_bits - w.pack_shift
            p = low & ((1 << w.pack_shift) - 1)
            p |= (high & ((1 << middle) - 1)) << w.pack_shift
            beyond = low >> w.pack_shift & ((1 << w.extension) - 1)
            p = signed_value(p | beyond << w.product_bits, w.product_bits + w.extension)
    elif w.extension:  # bits that mean nothing
        p = packed([p], w.product_bits) | chance.getrandbits(w.extension) << w.product_bits
        p = signed_value(p, w.product_bits + w.extension)
    return {
        "p": p,
        "parameter": parameter,
        "sums": packed(kept, w.accumulator_bits),
        "activation": packed(elements, w.activation_bits),
        "position": packed([number(chance, w.position_bits) for _ in range(ways)], w.position_bits),
        "last": number(chance, w.last_bits),
        "factor": number(chance, 10) if o.factor is Factor.RECIPROCAL else 0,
        "statistics": statistics,
        "upper": chance.getrandbits(1) if o.wide and ways > 1 else 0,
        "soft": soft,
    }


def processed(play, dut, work, *, gap=0, seed=0):
    """Play work, (operation, what is there) one a cycle; return (found, expected) by cycle.

    Each is the results, the slot and whether it is a vector's. Ports are scrambled where nothing
    is there for them.
    """
    chance = random.Random(seed)
    w, script, expected, vectors, cycle = dut.widths, {}, {}, set(), 0
    for op, there in work:
        o = dut.operations[op]
        while o.matrix and cycle - dut.vector_delay in vectors:
            cycle += 1  # it would meet the vector that is normalised
        slot = {name: chance.getrandbits(1) for name in ("first", "last")}
        slot |= {"op": op, "valid": (1 << dut.ways) - 1, "dst": chance.getrandbits(4)}
        slot |= {name: there[name] for name in ("upper", "soft") if name in dut.slot.members}
        port = "i_drain" if o.matrix else "i_vector"
        late = dut.latency + (0 if o.matrix else dut.vector_delay)
        if not o.matrix:
            vectors.add(cycle)
        bits = dut.slot.const(slot).as_bits()
        script.setdefault(cycle, {}).update({port: bits, "i_p": there["p"]})
        layout = dut.i_statistics.shape()
        row = dict(zip(("total", "exponent", "factor"), there["statistics"], strict=True))
        script.setdefault(cycle + READ_LATENCY - 1, {}).update(
            i_parameter=there["parameter"],
            **({"i_sums": there["sums"]} if dut.resumes else {}),
            i_statistics=layout.const(row).as_bits() if w.norm_features else 0,
        )
        script.setdefault(cycle + READ_LATENCY, {}).update(
            i_activation=there["activation"],
            i_position=there["position"],
            i_last=there["last"],
            i_factor=there["factor"],
        )
        expected[cycle + late] = (dut.model(op, **there), bits, int(not o.matrix))
        cycle += 1 + gap
    scrambled = {
        "i_p": w.product_bits,
        "i_last": w.last_bits,
        "i_factor": w.factor_bits,
    }
    words = {
        "i_parameter": len(dut.i_parameter),
        **({"i_sums": len(dut.i_sums)} if dut.resumes else {}),
        "i_activation": len(dut.i_activation),
        "i_position": len(dut.i_position),
    }
    steps = []
    for at in range(cycle + dut.latency + dut.vector_delay + 2):
        step = {name: number(chance, bits) for name, bits in scrambled.items()}
        step |= {name: chance.getrandbits(bits) for name, bits in words.items()}
        steps.append(step | script.get(at, {}))
    found = {}
    for at, (ys, slot, vector) in enumerate(play(dut, steps, ["o_y", "o_slot", "o_vector"])):
        if slot.valid:
            found[at] = (ys, slot.as_bits(), vector)
    return found, expected


M = MachineOperation(matrix=True, shift=4, **LIMITS)
V = MachineOperation(slots=1, shift=3, **LIMITS)
NARROW = (
    replace(M, bias=True, multiplier=5, zero=-3),
    replace(M, bias=True, factor=Factor.PARAMETER, addend=Addend.ACTIVATION, addend_shift=2),
    replace(M, factor=Factor.RECIPROCAL, shift=9),
    replace(M, bias=True, multiplier=-3, addend=Addend.POSITION, addend_shift=1, shift=0),
    replace(M, multiplier=1, addend=Addend.LAST, addend_shift=4, low=0, zero=7),
    replace(M, multiplier=1, addend=Addend.ACTIVATION, shift=1, zero=-16),
)
VECTORS = (
    replace(V, factor=Factor.PARAMETER, addend=Addend.PARAMETER, addend_shift=1),
    replace(V, factor=Factor.PARAMETER, addend=Addend.PARAMETER, shift=7, zero=2),
    replace(V, multiplier=9),
)
NORM = replace(
    V, factor=Factor.NORM, addend=Addend.PARAMETER, addend_shift=5, normalize=True, shift=16
)
PACKED = tuple(replace(o, packed=True) for o in NARROW[:4])
WIDE = (
    replace(M, wide=True, bias=True, factor=Factor.PARAMETER, shift=11),
    replace(M, wide=True, multiplier=-7, shift=10, addend=Addend.ACTIVATION, addend_shift=3),
    replace(M, wide=True, multiplier=3, shift=9, addend=Addend.POSITION, addend_shift=2, zero=5),
    replace(M, wide=True, wide_y=True, wide_r=True, multiplier=6, addend=Addend.ACTIVATION),
    replace(M, wide=True, bias=True, multiplier=2, addend=Addend.LAST, shift=0),
    replace(V, wide=True, wide_y=True, wide_r=True, factor=Factor.PARAMETER, shift=8),
    replace(V, wide=True, factor=Factor.PARAMETER, addend=Addend.PARAMETER, addend_shift=1),
)
#: Those that go on with sums, beside those that do not.
RESUMED = tuple(replace(o, resumes=True, bias=False) for o in (*NARROW[:2], *PACKED[:2]))
WIDE_RESUMED = tuple(replace(o, resumes=True, bias=False) for o in WIDE[:2])
WIDE_NORM = (replace(NORM, wide=True), NORM)
ROWS = {"norm_features": 6, "norm_bits": 5}
#: Operations, ways, and what else there is.
TABLES = {
    "one way": (NARROW, 1, {}),
    "one way, vectors": (NARROW + VECTORS, 1, {}),
    "one way, norm": ((*NARROW, *VECTORS, NORM), 1, ROWS),
    "one way, wide": (NARROW + VECTORS + WIDE[:3] + WIDE[4:5] + WIDE[6:], 1, {}),
    "pairs": (NARROW + PACKED, 2, {}),
    "pairs, vectors": (NARROW + PACKED + VECTORS, 2, {}),
    "pairs, norm": ((*PACKED, *VECTORS, NORM), 2, ROWS),
    "pairs, some of LUTs": (NARROW + PACKED + VECTORS, 2, {"soft": True}),
    "pairs, wide": (PACKED[:2] + NARROW[3:5] + VECTORS[:2] + WIDE, 2, {}),
    "pairs, wide, norm": (PACKED[:2] + VECTORS[:2] + WIDE + WIDE_NORM, 2, ROWS),
    "always wide": (WIDE, 2, {}),
    "one way, resumed": (NARROW[:3] + RESUMED[:2], 1, {}),
    "one way, wide, resumed": (NARROW[:2] + WIDE[:1] + WIDE_RESUMED + RESUMED[:2], 1, {}),
    "pairs, resumed": (NARROW[:2] + PACKED[:2] + RESUMED, 2, {}),
    "pairs, wide, resumed": (PACKED[:2] + RESUMED + WIDE[:2] + WIDE_RESUMED, 2, {}),
}
