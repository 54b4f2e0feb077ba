"""The post-processor: bias, multiplier, addend, rounding shift and clamp of every result."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .design import Design
from .fixed import clamp
from .layernorm import Normalizer, statistics_layout
from .pipeline import by_operation, delay
from .program import Addend, Factor, Operation
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
        """The slot whose operands are here, and whether it is a vector's."""
        depth = READ_LATENCY
        drain = delay(m, self.i_drain, depth, name="drain", reset_less=False)
        vector = delay(
            m,
            self.i_vector,
            depth + self._design.geometry.vector_delay,
            name="vector",
            reset_less=False,
        )
        layout = slot_layout(self._design)
        vector_view = data.View(layout, vector)
        is_vector = vector_view.valid.any()
        return data.View(layout, Mux(is_vector, vector, drain)), is_vector

    def _late(self, m: Module, value: Value, is_vector: Value, name: str) -> Value:
        """A word read for a slot: a LayerNorm's slot takes it ``vector_delay`` later."""
        wait = self._design.geometry.vector_delay
        if not wait:
            return value
        return Mux(is_vector, delay(m, value, wait, name=name), value)

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
        slot, is_vector = self._slot(m)
        op = slot.op
        parameter = self._late(m, self.i_parameter, is_vector, "parameter")
        later = delay(m, op, 1, name="op"), delay(m, op, POST - 2 - READ_LATENCY, name="op_shift")
        op_clamp = delay(m, op, POST - 1 - READ_LATENCY, name="op_clamp")

        for way in range(ways):
            value, factor = self._parameter(parameter, way)
            stored = self._element(self.i_activation, ways, way)
            u, normal = self._multiplicand(m, way, op, is_vector, accumulators[way], value, stored)
            multiplier = self._multiplier(m, op, factor, normal)
            u_register = Signal(signed(max(len(u), 2)), name=f"u_{way}", reset_less=True)
            factor_register = Signal.like(multiplier, name=f"factor_{way}", reset_less=True)
            addend = Signal(signed(geometry.value_bits), name=f"addend_{way}", reset_less=True)
            m.d.sync += [u_register.eq(u), factor_register.eq(multiplier)]
            self._addend(
                m,
                addend,
                op,
                operations,
                {
                    Addend.PARAMETER: value,
                    Addend.ACTIVATION: stored,
                    Addend.POSITION: self._element(self.i_position, ways, way),
                    Addend.LAST: self.i_last,
                },
            )
            product = Signal(
                signed(len(u_register) + len(factor_register)),
                name=f"product_{way}",
                reset_less=True,
            )
            offset = Signal(signed(geometry.value_bits), name=f"offset_{way}", reset_less=True)
            total = Signal(signed(geometry.value_bits), name=f"total_{way}", reset_less=True)
            rounding = [((1 << o.shift) >> 1) + (o.zero << o.shift) for o in operations]
            m.d.sync += [
                product.eq(u_register * factor_register),
                offset.eq(addend + by_operation(m, later[0], rounding, name=f"rounding_{way}")),
                total.eq(product + offset),
            ]
            result = Signal(signed(geometry.result_bits), name=f"result_{way}", reset_less=True)
            self._shift(m, result, total, later[1], [o.shift for o in operations])
            low = by_operation(m, op_clamp, self._constants("low"), name=f"low_{way}")
            high = by_operation(m, op_clamp, self._constants("high"), name=f"high_{way}")
            y = Signal(signed(geometry.activation_bits), name=f"y_{way}", reset_less=True)
            m.d.sync += y.eq(clamp(result, low, high))
            m.d.comb += self.o_y[way].eq(y)

        late = POST - READ_LATENCY
        m.d.comb += [
            self.o_slot.eq(
                data.View(
                    slot_layout(self._design),
                    delay(m, Value.cast(slot), late, name="slot", reset_less=False),
                )
            ),
            self.o_vector.eq(delay(m, is_vector, late, name="is_vector", reset_less=False)),
        ]
        return m

    def _multiplicand(self, m, way, op, is_vector, accumulator, value, stored):
        """``u``, and a LayerNorm's multiplier."""
        geometry = self._design.geometry
        bias = by_operation(m, op, self._constants("bias"), name=f"bias_{way}")
        drained = accumulator + Mux(bias, value, 0)
        drained = drained[: geometry.accumulator_bits].as_signed()
        if not any(not o.matrix for o in self._design.program.operations):
            return drained, None
        if not geometry.norm_features:
            return Mux(is_vector, stored, drained), None
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
            by_operation(m, op, self._constants("normalize"), name=f"normalize_{way}"),
            unit.o_u,
            delay(m, stored, NORM_DELAY, name=f"stored_{way}").as_signed(),
        )
        return Mux(is_vector, vector, drained), unit.o_multiplier

    def _multiplier(self, m, op, factor, normal):
        kinds = {
            Factor.IMMEDIATE: by_operation(m, op, self._constants("multiplier"), name="immediate"),
            Factor.PARAMETER: factor,
            Factor.RECIPROCAL: self.i_factor,
        }
        if normal is not None:
            kinds[Factor.NORM] = normal
        used = {Factor(kind) for kind in self._constants("factor")}
        chosen = Signal(signed(self._design.geometry.factor_bits))
        select = by_operation(m, op, self._constants("factor"), name="factor_kind")
        with m.Switch(select):
            for kind in sorted(used):
                with m.Case(kind):
                    m.d.comb += chosen.eq(kinds[kind])
        return chosen

    @staticmethod
    def _addend(m: Module, addend, op, operations: Sequence[Operation], sources) -> None:
        """``r << s``: a multiplexer over the (source, shift) pairs that the program uses."""
        pairs = sorted({(o.addend, o.addend_shift) for o in operations if o.addend})
        numbers = {pair: number for number, pair in enumerate(pairs, start=1)}
        kinds = [numbers.get((o.addend, o.addend_shift), 0) for o in operations]
        m.d.sync += addend.eq(0)
        with m.Switch(by_operation(m, op, kinds, name="addend_kind")):
            for (kind, shift), number in numbers.items():
                with m.Case(number):
                    m.d.sync += addend.eq(sources[kind] << shift)

    @staticmethod
    def _shift(m: Module, result, total, op, shifts: Sequence[int]) -> None:
        """``total >> n`` for the few n of the program."""
        points = sorted(set(shifts))
        kinds = [points.index(shift) for shift in shifts]
        with m.Switch(by_operation(m, op, kinds, name="shift_kind")):
            for number, point in enumerate(points):
                with m.Case(number):
                    m.d.sync += result.eq(total >> point)
