"""The post-processor: bias, multiplier, addend, rounding shift and clamp of every result."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.design import Design
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Addend, Factor
from bitformer.hw.timing import NORM_DELAY, WIDE_DELAY
from bitformer.hw.units.assembly import slots_of
from bitformer.hw.units.fixed import clamp
from bitformer.hw.units.layernorm import Normalizer, statistics_layout
from bitformer.hw.units.pipeline import by_operation, delay

__all__ = ["PostProcessor"]


class PostProcessor(wiring.Component):
    """``clamp(((u * multiplier + (r << s) + 2**(n-1)) >> n) + zero)``, ``ways`` results a cycle.

    ``u`` is a drained accumulator plus its bias, or an element of a stored row (for a LayerNorm
    centred and normalised). The slot comes with its addresses; the stores answer
    ``READ_LATENCY`` later. A result is out ``post`` cycles after a drain's slot, and
    ``post + vector_delay`` after a vector's.

    A wide operation's one result takes both multipliers: that of way 0 makes the product of the
    multiplicand's lower bits and adds the addend, that of way 1 the product of its upper bits, and
    a stage of its own adds the two. Both ways give the result.

    Members
    -------
    i_drain, i_vector : slots; never valid in the same cycle. i_p : the drained accumulator.
    i_parameter, i_activation, i_position, i_last : words read at the slot's addresses.
    i_factor : the softmax reciprocal, when a drained slot reaches its multiplication.
    i_statistics : of the vector's row, ``READ_LATENCY`` after its slot.
    o_y : results, o_slot : their slot. o_vector : it is a vector's.
    """

    def __init__(self, *, design: Design):
        self._design = design
        geometry, stores = design.geometry, design.stores
        statistics = statistics_layout(max(1, geometry.norm_features), max(2, geometry.norm_bits))

        def width(name: str) -> int:
            return stores[name].width if name in stores else 1

        super().__init__(
            {
                "i_drain": In(slots_of(design)),
                "i_vector": In(slots_of(design)),
                "i_p": In(signed(geometry.product_bits)),
                "i_parameter": In(width("parameters")),
                "i_activation": In(width("activations")),
                "i_position": In(width("position")),
                "i_last": In(signed(design.model.input.bits)),
                "i_factor": In(signed(geometry.factor_bits)),
                "i_statistics": In(statistics),
                "o_y": Out(data.ArrayLayout(signed(geometry.activation_bits), geometry.ways)),
                "o_slot": Out(slots_of(design)),
                "o_vector": Out(1),
            }
        )

    def _constants(self, field: str) -> list[int]:
        return self._design.program.values(field)

    def _accumulators(self, m: Module) -> list[Value]:
        """The drained accumulator as one result or two, a cycle later."""
        geometry = self._design.geometry
        whole = delay(m, self.i_p, 1, name="p").as_signed()
        packed = by_operation(
            m,
            delay(m, self.i_drain.op, 1, name="drain_op"),
            self._constants("packed"),
            name="packed",
        )
        if geometry.ways == 1:
            values: list[Value] = [whole]
        else:
            k = geometry.pack_shift
            low, high = whole[:k].as_signed(), (whole >> k) + whole[k - 1]
            values = [Mux(packed, low, whole), Mux(packed, high, whole)]
        results = []
        for way, value in enumerate(values):
            bits = geometry.narrow_bits if way else geometry.accumulator_bits
            result = Signal(signed(bits), name=f"acc_{way}", reset_less=True)
            m.d.sync += result.eq(value)
            results.append(result)
        return results

    def _slot(self, m: Module) -> tuple[data.View, Value]:
        """The slot whose operands will be here in the next cycle, and whether it is a vector's."""
        wait = READ_LATENCY - 1
        drain = delay(m, self.i_drain, wait, name="drain", reset_less=False)
        wait += self._design.geometry.vector_delay
        vector = delay(m, self.i_vector, wait, name="vector", reset_less=False)
        layout = slots_of(self._design)
        is_vector = data.View(layout, vector).valid.any()
        return data.View(layout, Mux(is_vector, vector, drain)), is_vector

    def _parameter(self, word: Value, way: int) -> tuple[Value, Value]:
        """Value and factor of one way in a parameter word."""
        value_bits, factor_bits = self._design.parameter_bits
        word = word[way * (value_bits + factor_bits) :]
        return word[:value_bits].as_signed(), word[
            value_bits : value_bits + factor_bits
        ].as_signed()

    @staticmethod
    def _element(word: Value, ways: int, way: int) -> Value:
        bits = len(word) // ways
        return word[way * bits : (way + 1) * bits].as_signed()

    def elaborate(self, platform):
        m = Module()
        geometry = self._design.geometry
        ways, operations = geometry.ways, self._design.program.operations
        accumulators = self._accumulators(m)
        # one stage ahead of the operands, so that what the operation decides comes from registers
        slot, is_vector = self._slot(m)
        ahead = slot.op
        chosen = _Choices(m, self._design, slot, delay(m, is_vector, 1, name="is_vector_now"))
        if geometry.wide:
            early = delay(m, self.i_vector, READ_LATENCY - 1, name="vector_early")
            view = data.View(slots_of(self._design), early)
            chosen.early = _Wide(m, self._design, view, "early") if geometry.vector_delay else None
        stages = geometry.post - READ_LATENCY
        narrow = stages - 1 - (WIDE_DELAY if geometry.wide else 0)
        ops = [delay(m, ahead, stage, name=f"op_{stage}") for stage in (2, narrow, stages)]
        rounding = [((1 << o.shift) >> 1) + (o.zero << o.shift) for o in operations]
        totals: list[Value] = []
        results: list[Value] = []

        for way in range(ways):
            bits = geometry.high_bits if way else geometry.low_bits
            parameter = self._for_vector(m, self.i_parameter, way)
            value, factor = self._parameter(parameter, way)
            u, normal = self._multiplicand(m, way, chosen, accumulators[way])
            if geometry.wide:
                value = self._over_both(chosen, parameter, value, way)
                if way == 0:
                    u, upper = self._split(chosen, u)
                else:
                    u = Mux(chosen.wide, upper, u)
            u_register = Signal(signed(max(len(u), 2)), name=f"u_{way}", reset_less=True)
            multiplier = Signal(signed(geometry.factor_bits), name=f"factor_{way}", reset_less=True)
            addend = Signal(signed(bits), name=f"addend_{way}", reset_less=True)
            m.d.sync += u_register.eq(u)
            factors = self._factors(chosen, way, factor, normal)
            with m.Switch(chosen.factor):
                for kind, operand in factors.items():
                    with m.Case(kind):
                        m.d.sync += multiplier.eq(operand)
            sources = {
                Addend.PARAMETER: value,
                Addend.ACTIVATION: self._stored(chosen, way),
                Addend.POSITION: self._one_of(chosen, self.i_position, way),
                Addend.LAST: self.i_last,
            }
            m.d.sync += addend.eq(0)
            with m.Switch(chosen.addend_1 if way else chosen.addend):
                for (source, shift), number in chosen.addends.items():
                    if way and number not in chosen.narrow:
                        continue
                    with m.Case(number):
                        m.d.sync += addend.eq(sources[source] << shift)
            product = Signal(
                signed(len(u_register) + len(multiplier)), name=f"product_{way}", reset_less=True
            )
            offset = Signal(signed(bits), name=f"offset_{way}", reset_less=True)
            total = Signal(signed(bits), name=f"total_{way}", reset_less=True)
            added = [0 if way and o.wide else r for o, r in zip(operations, rounding, strict=True)]
            m.d.sync += [
                product.eq(u_register * multiplier),
                offset.eq(addend + by_operation(m, ops[0], added, name=f"rounding_{way}")),
                total.eq(product + offset),
            ]
            totals.append(total)
            result = Signal(signed(geometry.result_bits), name=f"result_{way}", reset_less=True)
            self._shift(m, m.d.sync, result, total, ops[1], [not o.wide for o in operations])
            results.append(result)
            if not geometry.wide:
                self._clamp(m, way, result, ops[2])
        if geometry.wide:
            if ways == 1:
                totals.append(self._upper_product(m, upper, multiplier))
            late = self._wide_results(m, totals, results, delay(m, ops[1], 1, name="op_wide"))
            for way, result in enumerate(late):
                self._clamp(m, way, result, ops[2])

        late = delay(m, Value.cast(slot), stages + 1, name="slot", reset_less=False)
        m.d.comb += [
            self.o_slot.eq(data.View(slots_of(self._design), late)),
            self.o_vector.eq(delay(m, is_vector, stages + 1, name="is_vector", reset_less=False)),
        ]
        return m

    def _for_vector(self, m: Module, word: Value, way: int) -> Value:
        """The parameter word of a vector's slot, which comes ``vector_delay`` early."""
        return delay(m, word, self._design.geometry.vector_delay, name=f"parameter_{way}")

    def _clamp(self, m: Module, way: int, result: Value, op: Value) -> None:
        low = by_operation(m, op, self._constants("low"), name=f"low_{way}")
        high = by_operation(m, op, self._constants("high"), name=f"high_{way}")
        y = Signal(signed(self._design.geometry.activation_bits), name=f"y_{way}", reset_less=True)
        m.d.sync += y.eq(clamp(result, low, high))
        m.d.comb += self.o_y[way].eq(y)

    def _over_both(self, chosen, word: Value, value: Value, way: int) -> Value:
        """A value of way 0, which takes the fields of both ways in a wide operation."""
        if chosen.wide is None or way or self._design.geometry.ways == 1:
            return value
        both = Cat(value, self._parameter(word, 1)[0]).as_signed()
        return Mux(chosen.wide, both, value)

    def _one_of(self, chosen, word: Value, way: int) -> Value:
        """A way's element of a word; in a wide operation way 0 has the one that the slot says."""
        ways = self._design.geometry.ways
        element = self._element(word, ways, way)
        if way or ways == 1 or chosen.wide is None:
            return element
        return Mux(chosen.upper, self._element(word, ways, 1), element)

    def _stored(self, chosen, way: int, *, vector: bool = False) -> Value:
        """A way's element of a stored row; all of the word in a wide row."""
        chosen = (vector and chosen.early) or chosen
        element = self._one_of(chosen, self.i_activation, way)
        if way or not self._design.geometry.wide_rows:
            return element
        return Mux(chosen.whole, self.i_activation.as_signed(), element)

    def _split(self, chosen, u: Value) -> tuple[Value, Value]:
        """Lower and upper bits of a multiplicand; all of a narrow one is in the lower."""
        split = self._design.geometry.multiplier.split
        u = u | Const(0, signed(split + 1))
        return Cat(u[:split], Mux(chosen.wide, 0, u[split])).as_signed(), u[split:].as_signed()

    def _upper_product(self, m: Module, high: Value, multiplier: Value) -> Value:
        """The second product of a design that has one way."""
        u = Signal(high.shape(), name="u_high", reset_less=True)
        bits = signed(self._design.geometry.high_bits)
        product = Signal(bits, name="product_high", reset_less=True)
        m.d.sync += [u.eq(high), product.eq(u * multiplier)]
        return delay(m, product, 1, name="total_high").as_signed()

    def _wide_results(self, m: Module, totals, results, op) -> list[Value]:
        """Results of narrow operations a cycle later, those of wide ones from both sums."""
        geometry, operations = self._design.geometry, self._design.program.operations
        low, high = totals
        split = geometry.multiplier.split
        total = Signal(signed(max(geometry.sum_bits, split + 1)), reset_less=True)
        m.d.sync += total.eq(Cat(low[:split], ((low >> split) + high)).as_signed())
        wide = by_operation(m, op, [o.wide for o in operations], name="wide_result")
        shifted = Signal(signed(geometry.result_bits))
        self._shift(m, m.d.comb, shifted, total, op, [o.wide for o in operations])
        late = []
        for way, result in enumerate(results):
            chosen = Signal.like(result, name=f"late_{way}", reset_less=True)
            m.d.sync += chosen.eq(Mux(wide, shifted, result))
            late.append(chosen)
        return late

    def _multiplicand(self, m, way, chosen, accumulator):
        """``u``, and a LayerNorm's multiplier."""
        geometry = self._design.geometry
        bias = self._parameter(self.i_parameter, way)[0]
        if way == 0:
            bias = self._over_both(chosen, self.i_parameter, bias, way)
        drained = accumulator + Mux(chosen.bias, bias, 0)
        drained = drained[: len(accumulator)].as_signed()
        if not any(not o.matrix for o in self._design.program.operations):
            return drained, None
        stored = self._stored(chosen, way, vector=True)
        if not geometry.norm_features:
            return Mux(chosen.is_vector, stored, drained), None
        gamma = self._parameter(self.i_parameter, way)[1]
        unit = Normalizer(
            features=geometry.norm_features,
            bits=geometry.norm_bits,
            gamma_bits=len(gamma),
            multiplier=geometry.multiplier,
        )
        m.submodules[f"normalizer_{way}"] = unit
        m.d.comb += [
            unit.i_x.eq(stored),
            unit.i_gamma.eq(gamma),
            unit.i_statistics.eq(self.i_statistics),
        ]
        vector = Mux(
            chosen.normalize,
            unit.o_u,
            delay(m, stored, NORM_DELAY, name=f"stored_{way}").as_signed(),
        )
        return Mux(chosen.is_vector, vector, drained), unit.o_multiplier

    def _factors(self, chosen, way, factor, normal) -> dict[Factor, Value]:
        """The multipliers that the program uses."""
        drained = self._parameter(self.i_parameter, way)[1]
        if self._design.geometry.vector_delay:
            factor = Mux(chosen.is_vector, factor, drained)
        factors: dict[Factor, Value] = {
            Factor.IMMEDIATE: chosen.multiplier,
            Factor.PARAMETER: factor,
            Factor.RECIPROCAL: self.i_factor,
        }
        if normal is not None:
            factors[Factor.NORM] = normal
        used = {Factor(kind) for kind in self._constants("factor")}
        return {kind: factors[kind] for kind in sorted(used)}

    def _shift(self, m: Module, domain, result, total, op, of: Sequence[bool]) -> None:
        """``total >> n`` for the few n of the operations ``of``."""
        shifts = [o.shift for o in self._design.program.operations]
        points = sorted({n for n, wanted in zip(shifts, of, strict=True) if wanted})
        kinds = [points.index(n) if wanted else 0 for n, wanted in zip(shifts, of, strict=True)]
        with m.Switch(by_operation(m, op, kinds, name="shift_kind")):
            for number, point in enumerate(points):
                with m.Case(number):
                    domain += result.eq(total >> point)


class _Wide:
    """What a slot decides in a design with wide operations, in registers."""

    def __init__(self, m: Module, design: Design, slot, name: str):
        def registered(field: str) -> Value:
            value = by_operation(m, slot.op, design.program.values(field), name=f"{field}_{name}")
            return delay(m, value, 1, name=f"{field}_{name}")

        self.wide, self.whole = registered("wide"), registered("wide_r")
        self.upper: Value = Const(0, 1)
        if design.geometry.ways > 1:
            wide = by_operation(m, slot.op, design.program.values("wide"), name=f"upper_{name}")
            self.upper = delay(m, wide & slot.upper, 1, name=f"upper_{name}")


class _Choices:
    """What the operation of a slot decides, in registers when the slot's operands are there."""

    def __init__(self, m: Module, design: Design, slot, is_vector: Value):
        operations, op = design.program.operations, slot.op

        def registered(values: Sequence[int], name: str) -> Value:
            return delay(m, by_operation(m, op, values, name=name), 1, name=name)

        pairs = sorted({(o.addend, o.addend_shift) for o in operations if o.addend})
        self.addends = {pair: number for number, pair in enumerate(pairs, start=1)}
        kinds = [self.addends.get((o.addend, o.addend_shift), 0) for o in operations]
        self.is_vector = is_vector
        self.addend = registered(kinds, "addend_kind")
        self.bias = registered([o.bias for o in operations], "bias")
        self.factor = registered([o.factor for o in operations], "factor_kind")
        self.normalize = registered([o.normalize for o in operations], "normalize")
        multiplier = by_operation(m, op, [o.multiplier for o in operations], name="immediate")
        self.multiplier = delay(m, multiplier, 1, name="immediate")
        self.addend_1 = self.addend
        self.wide: Value | None = None
        self.early: _Wide | None = None
        narrow = [0 if o.wide else kind for o, kind in zip(operations, kinds, strict=True)]
        self.narrow = set(narrow)
        if design.geometry.wide:
            self.addend_1 = registered(narrow, "narrow_addend_kind")
            fields = _Wide(m, design, slot, "now")
            self.wide, self.whole, self.upper = fields.wide, fields.whole, fields.upper
