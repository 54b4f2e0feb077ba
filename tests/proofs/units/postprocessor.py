"""The post-processor with its multipliers cut out: what they are given, and what becomes of it."""

from collections.abc import Sequence
from unittest.mock import patch

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from postprocessor_harness import LIMITS, make
from proofs.question import Question, Reach, past
from proofs.units.cut import Cut
from proofs.units.designs import design_of

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Addend, Factor, MachineOperation
from bitformer.hw.units import postprocessor
from bitformer.hw.units.assembly import post_processor
from bitformer.hw.units.postprocessor import PostProcessor

__all__ = ["requantizer", "vectors_together"]

#: Cycles from a slot to the operands of its multipliers, and to their products.
_OPERANDS, _PRODUCTS = 3, 4


def _signed_fits(value: Value, bits: int) -> Value:
    """Return whether a value is one of ``bits`` bits."""
    return (value >= -(1 << bits - 1)) & (value < 1 << bits - 1)


class _Slot:
    """A slot of a drain or a vector, and what is there for it, at one time."""

    def __init__(self, m: Module, unit: PostProcessor, ago: int, vector: bool):
        """``ago``: cycles since the slot."""
        self.m, self.unit, self.vector = m, unit, vector
        slot = unit.i_vector if vector else unit.i_drain
        delayed = past(m, slot, ago)
        self.slot = type(slot)(unit.slot, delayed)
        self.parameter = past(m, unit.i_parameter, ago - 1)
        self.p = past(m, unit.i_p, ago).as_signed()
        shift = ago - READ_LATENCY
        # what a LayerNorm's row has before it is normalised comes as much earlier than the rest
        late = shift - (unit.vector_delay if vector else 0)
        self.activation = past(m, unit.i_activation, shift)
        self.position = past(m, unit.i_position, late)
        self.last = past(m, unit.i_last, late).as_signed()
        self.factor = past(m, unit.i_factor, late).as_signed()

    def by_operation(self, values: Sequence[int]) -> Value:
        return Array(Const(v, signed(40)) for v in values)[self.slot.op]

    def is_any(self, flags: Sequence[bool]) -> Value:
        return Array(Const(int(f), 1) for f in flags)[self.slot.op]

    def fields(self, way: int) -> tuple[Value, Value]:
        w = self.unit.widths
        word = self.parameter[way * (w.value_bits + w.scale_bits) :]
        both = word[: w.value_bits], word[w.value_bits : w.value_bits + w.scale_bits]
        return both[0].as_signed(), both[1].as_signed()

    def element(self, word: Value, way: int) -> Value:
        bits = len(word) // self.unit.ways
        return word[way * bits : (way + 1) * bits].as_signed()


def requantizer(name: str) -> Question:
    """All operations that are not wide of a named configuration's design, for any product.

    The multiplicand, the multiplier of each factor but a LayerNorm's, and the result: the product,
    addend and rounding added exactly, shifted, clamped, in the cycle that the latency says.
    """
    return _proved(post_processor(design_of(name)))


def vectors_together() -> Question:
    """Rows that a LayerNorm normalises, and others that are scaled as they are, in turn."""
    affine = {"slots": 3, "factor": Factor.PARAMETER, "addend": Addend.PARAMETER, **LIMITS}
    return _proved(
        make(
            [
                MachineOperation(**affine | {"addend_shift": 2, "shift": 4}),
                MachineOperation(**affine | {"normalize": True, "factor": Factor.NORM, "shift": 9}),
            ],
            2,
            norm_features=4,
            norm_bits=5,
        )
    )


def _proved(unit: PostProcessor) -> Question:
    """Return what is asked of a post-processor."""
    m = Module()
    Cut.found = []
    with patch.object(postprocessor, "Product", Cut):
        inner = unit.elaborate(None)
    unit._MustUse__used = True
    m.submodules.unit = inner
    bad = []
    kinds = [False] + ([True] if any(not o.matrix for o in unit.operations) else [])
    for vector in kinds:
        for way in range(unit.ways):
            bad += _of_way(m, unit, Cut.found[way], way, vector)
    inputs = [
        value.as_value() if hasattr(value, "as_value") else value
        for value in (getattr(unit, n) for n in unit.signature.members if n.startswith("i_"))
    ]
    inputs += [cut.product for cut in Cut.found]
    steps = unit.latency + unit.vector_delay
    return Question(m, Cat(bad).any(), inputs, Reach(steps + 1))


def _of_way(m: Module, unit: PostProcessor, cut: Cut, way: int, vector: bool) -> list[Value]:
    """Return what must not be set of one way's drained or vector slots."""
    w, ops = unit.widths, unit.operations
    lag = unit.vector_delay if vector else 0
    bad = []
    for stage in (_OPERANDS, unit.latency):
        here = _Slot(m, unit, stage + lag, vector)
        o = here.slot
        narrow = here.is_any([not op.wide and op.matrix is not vector for op in ops])
        meant = o.valid[way] & narrow & (o.op < len(ops))
        if not vector and len(unit.i_vector.valid):
            # two slots that would meet must not be given
            other = past(m, unit.i_vector.valid, stage + unit.vector_delay)
            meant &= ~other.any()
        value, scale = here.fields(way)
        if stage == _OPERANDS:
            u = _multiplicand(here, way, value)
            if u is not None:
                bits = w.narrow_bits if way or vector else w.accumulator_bits
                fits = _signed_fits(u, min(bits, len(cut.a)))
                if vector:
                    fits = ~here.is_any([op.normalize for op in ops])
                bad.append(meant & fits & (cut.a != u))
            for kind, number in (
                (Factor.IMMEDIATE, here.by_operation([op.multiplier for op in ops])),
                (Factor.PARAMETER, scale),
                (Factor.RECIPROCAL, here.factor),
            ):
                if any(op.factor is kind for op in ops):
                    is_kind = here.is_any([op.factor is kind for op in ops])
                    legal = (number >= 0) | bool(w.factor_signed)
                    bad.append(meant & is_kind & legal & (cut.b != number))
            continue
        bad.append(meant & _wrong_result(here, way, cut, value))
    return bad


def _multiplicand(here: _Slot, way: int, value: Value) -> Value | None:
    """Return ``u``: of a vector that is not normalised the stored element."""
    unit, m = here.unit, here.m
    w, ops, p = unit.widths, unit.operations, here.p
    if here.vector:
        return here.element(here.activation, way)
    k, packed = w.pack_shift, here.is_any([o.packed for o in ops])
    whole = p[: w.product_bits].as_signed()
    if unit.ways == 1 or w.apart:
        if w.apart:
            low = Cat(p[:k], p[w.product_bits :]).as_signed()
            only = p[:k].as_signed() if w.apart == 2 else whole
            parts = [Mux(packed, low, only), Mux(packed, whole >> k, only)]
        else:
            parts = [whole, whole]
    else:
        half, only = p[k - 1], whole
        if w.broad:
            # a column of LUTs that is not packed has its sum where a pair's lower one is
            only = Mux(here.slot.soft, p[:k].as_signed(), whole)
        if "soft" in here.slot.shape().members:
            half = half & ~here.slot.soft
        parts = [Mux(packed, p[:k].as_signed(), only), Mux(packed, (p >> k) + half, only)]
    u = Signal(signed(w.product_bits + w.extension + 2))
    m.d.comb += u.eq(parts[way] + Mux(here.is_any([o.bias for o in ops]), value, 0))
    return u


def _wrong_result(here: _Slot, way: int, cut: Cut, value: Value) -> Value:
    """Return whether a result is not the exact one, where widths hold the sum."""
    unit, m = here.unit, here.m
    w, ops = unit.widths, unit.operations
    product = past(m, cut.product, unit.latency - _PRODUCTS).as_signed()
    # as wide as what the widths do not hold can be
    bits = max(w.low_bits, w.high_bits, len(product), w.result_bits) + 3
    exact, limited = Signal(signed(bits)), Signal(signed(bits))
    inexact = Signal()
    zero = Const(0, signed(2))
    addends = {
        Addend.NONE: zero,
        Addend.PARAMETER: value,
        Addend.ACTIVATION: here.element(here.activation, way),
        Addend.POSITION: here.element(here.position, way),
        Addend.LAST: here.last,
    }
    with m.Switch(here.slot.op):
        for number, o in enumerate(ops):
            with m.Case(number):
                half, low, high = (1 << o.shift) >> 1, o.low, o.high
                total, shifted = Signal(signed(bits)), Signal(signed(bits))
                # a vector's row is normalised first: what is added then is none of its words
                late = here.vector and unit.vector_delay and o.addend > Addend.PARAMETER
                m.d.comb += [
                    total.eq(product + (addends[o.addend] << o.addend_shift) + half),
                    exact.eq(total + (o.zero << o.shift)),
                    shifted.eq(exact >> o.shift),
                    limited.eq(Mux(shifted < low, low, Mux(shifted > high, high, shifted))),
                    inexact.eq(
                        bool(late or o.gelu)
                        | ~_signed_fits(exact, w.high_bits if way else w.low_bits)
                        | ~_signed_fits(exact - product, w.high_bits if way else w.low_bits)
                        | ~_signed_fits(shifted, w.shifted_bits)
                    ),
                ]
    return ~inexact & (unit.o_y[way] != limited)
