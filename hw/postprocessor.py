"""The post-processor: bias, multiplier, addend, rounding shift and clamp of every result."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .design import Design
from .fixed import clamp
from .layernorm import Normalizer, statistics_layout
from .pipeline import by_operation, delay
from .program import Addend, Factor
from .slots import slot_layout
from .store import READ_LATENCY
from .timing import NORM_DELAY, POST

__all__ = ["PostProcessor"]


class PostProcessor(wiring.Component):
    """``clamp(((u * multiplier + (r << s) + 2**(n-1)) >> n) + zero)``, ``ways`` results a cycle.

    ``u`` is a drained accumulator plus its bias, or an element of a stored row (for a LayerNorm
    centred and normalised). The slot comes with its addresses; the stores answer
    ``READ_LATENCY`` later. A result is out ``POST`` cycles after a drain's slot, and
    ``POST + vector_delay`` after a vector's.

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
                "i_drain": In(slot_layout(design)),
                "i_vector": In(slot_layout(design)),
                "i_p": In(signed(geometry.product_bits)),
                "i_parameter": In(width("parameters")),
                "i_activation": In(width("activations")),
                "i_position": In(width("position")),
                "i_last": In(signed(design.model.input.bits)),
                "i_factor": In(signed(geometry.factor_bits)),
                "i_statistics": In(statistics),
                "o_y": Out(data.ArrayLayout(signed(geometry.activation_bits), geometry.ways)),
                "o_slot": Out(slot_layout(design)),
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
            result = Signal(signed(geometry.accumulator_bits), name=f"acc_{way}", reset_less=True)
            m.d.sync += result.eq(value)
            results.append(result)
        return results

    def _slot(self, m: Module) -> tuple[data.View, Value]:
        """The slot whose operands will be here in the next cycle, and whether it is a vector's."""
        wait = READ_LATENCY - 1
        drain = delay(m, self.i_drain, wait, name="drain", reset_less=False)
        wait += self._design.geometry.vector_delay
        vector = delay(m, self.i_vector, wait, name="vector", reset_less=False)
        layout = slot_layout(self._design)
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
        chosen = _Choices(m, self._design, ahead, delay(m, is_vector, 1, name="is_vector_now"))
        stages = POST - READ_LATENCY
        ops = [delay(m, ahead, stage, name=f"op_{stage}") for stage in (2, stages - 1, stages)]
        rounding = [((1 << o.shift) >> 1) + (o.zero << o.shift) for o in operations]

        for way in range(ways):
            bias, _ = self._parameter(self.i_parameter, way)
            value, factor = self._parameter(self._for_vector(m, self.i_parameter, way), way)
            stored = self._element(self.i_activation, ways, way)
            u, normal = self._multiplicand(m, way, chosen, accumulators[way], bias, stored)
            u_register = Signal(signed(max(len(u), 2)), name=f"u_{way}", reset_less=True)
            multiplier = Signal(signed(geometry.factor_bits), name=f"factor_{way}", reset_less=True)
            addend = Signal(signed(geometry.value_bits), name=f"addend_{way}", reset_less=True)
            m.d.sync += u_register.eq(u)
            factors = self._factors(chosen, way, factor, normal)
            with m.Switch(chosen.factor):
                for kind, operand in factors.items():
                    with m.Case(kind):
                        m.d.sync += multiplier.eq(operand)
            sources = {
                Addend.PARAMETER: value,
                Addend.ACTIVATION: stored,
                Addend.POSITION: self._element(self.i_position, ways, way),
                Addend.LAST: self.i_last,
            }
            m.d.sync += addend.eq(0)
            with m.Switch(chosen.addend):
                for (source, shift), number in chosen.addends.items():
                    with m.Case(number):
                        m.d.sync += addend.eq(sources[source] << shift)
            product = Signal(
                signed(len(u_register) + len(multiplier)), name=f"product_{way}", reset_less=True
            )
            offset = Signal(signed(geometry.value_bits), name=f"offset_{way}", reset_less=True)
            total = Signal(signed(geometry.value_bits), name=f"total_{way}", reset_less=True)
            m.d.sync += [
                product.eq(u_register * multiplier),
                offset.eq(addend + by_operation(m, ops[0], rounding, name=f"rounding_{way}")),
                total.eq(product + offset),
            ]
            result = Signal(signed(geometry.result_bits), name=f"result_{way}", reset_less=True)
            self._shift(m, result, total, ops[1], [o.shift for o in operations])
            low = by_operation(m, ops[2], self._constants("low"), name=f"low_{way}")
            high = by_operation(m, ops[2], self._constants("high"), name=f"high_{way}")
            y = Signal(signed(geometry.activation_bits), name=f"y_{way}", reset_less=True)
            m.d.sync += y.eq(clamp(result, low, high))
            m.d.comb += self.o_y[way].eq(y)

        late = delay(m, Value.cast(slot), stages + 1, name="slot", reset_less=False)
        m.d.comb += [
            self.o_slot.eq(data.View(slot_layout(self._design), late)),
            self.o_vector.eq(delay(m, is_vector, stages + 1, name="is_vector", reset_less=False)),
        ]
        return m

    def _for_vector(self, m: Module, word: Value, way: int) -> Value:
        """The parameter word of a vector's slot, which comes ``vector_delay`` early."""
        return delay(m, word, self._design.geometry.vector_delay, name=f"parameter_{way}")

    def _multiplicand(self, m, way, chosen, accumulator, bias, stored):
        """``u``, and a LayerNorm's multiplier."""
        geometry = self._design.geometry
        drained = accumulator + Mux(chosen.bias, bias, 0)
        drained = drained[: geometry.accumulator_bits].as_signed()
        if not any(not o.matrix for o in self._design.program.operations):
            return drained, None
        if not geometry.norm_features:
            return Mux(chosen.is_vector, stored, drained), None
        gamma = self._parameter(self.i_parameter, way)[1]
        unit = Normalizer(
            features=geometry.norm_features, bits=geometry.norm_bits, gamma_bits=len(gamma)
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

    @staticmethod
    def _shift(m: Module, result, total, op, shifts: Sequence[int]) -> None:
        """``total >> n`` for the few n of the program."""
        points = sorted(set(shifts))
        kinds = [points.index(shift) for shift in shifts]
        with m.Switch(by_operation(m, op, kinds, name="shift_kind")):
            for number, point in enumerate(points):
                with m.Case(number):
                    m.d.sync += result.eq(total >> point)


class _Choices:
    """What the operation of a slot decides, in registers when the slot's operands are there."""

    def __init__(self, m: Module, design: Design, op: Value, is_vector: Value):
        operations = design.program.operations

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
