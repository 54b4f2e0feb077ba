"""The engine's activations: from the store that an operation names, prepared for multiplication."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.design import Design
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Source
from bitformer.hw.timing import OPERAND
from bitformer.hw.units.fixed import clamp, round_shift
from bitformer.hw.units.pipeline import by_operation, delay
from bitformer.hw.units.softmax import Exponential

__all__ = ["Operands"]


class Operands(wiring.Component):
    """Selects, subtracts the last value, exponentiates: ``OPERAND`` cycles after the address.

    Members
    -------
    i_op, i_first, i_valid, i_element : of the address (i_element: place in the word).
    i_activation, i_score : words of ``ways`` elements, ``READ_LATENCY`` after the address.
    i_input, i_last, i_maximum : one element each, at the same time.
    o_x : the activation. o_op, o_first, o_valid : of the address, delayed alike.
    o_weight, o_weight_first, o_weight_valid : exponential weights, a cycle ahead of ``o_x``.
    """

    def __init__(self, *, design: Design):
        self._design = design
        geometry, stores = design.geometry, design.stores
        score = stores["scores"].width if "scores" in stores else 1
        super().__init__(
            {
                "i_op": In(design.program.width("op")),
                "i_first": In(1),
                "i_valid": In(1),
                "i_element": In(1),
                "i_activation": In(stores["activations"].width),
                "i_score": In(score),
                "i_input": In(signed(design.model.input.bits)),
                "i_last": In(signed(design.model.input.bits)),
                "i_maximum": In(signed(8)),
                "o_x": Out(signed(geometry.operand_bits)),
                "o_op": Out(design.program.width("op")),
                "o_first": Out(1),
                "o_valid": Out(1),
                "o_weight": Out(8),
                "o_weight_first": Out(1),
                "o_weight_valid": Out(1),
            }
        )

    def _select(self, word, element):
        """One signed element of a word."""
        ways = self._design.geometry.ways
        bits = len(word) // ways
        if ways == 1:
            return word.as_signed()
        return Mux(element, word[bits:], word[:bits]).as_signed()

    def elaborate(self, platform):
        m = Module()
        design = self._design
        ready = READ_LATENCY + 1
        element = delay(m, self.i_element, READ_LATENCY, name="element")
        selected = self._select(self.i_activation, element)
        if design.geometry.wide_rows:
            op = delay(m, self.i_op, READ_LATENCY - 1, name="activation_op")
            wide = by_operation(m, op, design.program.values("wide_x"), name="wide_x")
            whole = delay(m, wide, 1, name="whole")
            selected = Mux(whole, self.i_activation.as_signed(), selected)
        activation = Signal(selected.shape(), reset_less=True)
        m.d.sync += activation.eq(selected)
        sources: dict[Source, Signal] = {
            Source.ACTIVATION: delay(m, activation, OPERAND - 1 - ready, name="activation")
        }

        subtract = design.model.subtraction
        if subtract is None:
            sources[Source.INPUT] = delay(m, self.i_input, OPERAND - 1 - ready + 1, name="input")
        else:
            spec = design.model.tensors[subtract.y]
            difference = Signal(signed(design.model.input.bits + 1), reset_less=True)
            m.d.sync += difference.eq(self.i_input - self.i_last)
            moved = difference + (spec.zero << subtract.shift) if spec.zero else difference
            delta = Signal(signed(spec.bits), reset_less=True)
            m.d.sync += delta.eq(clamp(round_shift(moved, subtract.shift), spec.low, spec.high))
            sources[Source.INPUT] = delay(m, delta, OPERAND - 2 - ready, name="delta")

        if "scores" in design.stores:
            m.submodules.exponential = exponential = Exponential()
            m.d.comb += [
                exponential.i_score.eq(self._select(self.i_score, element)),
                exponential.i_maximum.eq(self.i_maximum),
            ]
            sources[Source.SCORE] = exponential.o_weight

        # all of the sources are a cycle ahead of the activation here
        op = delay(m, self.i_op, OPERAND - 1, name="op")
        first = delay(m, self.i_first, OPERAND - 1, name="first")
        valid = delay(m, self.i_valid, OPERAND - 1, name="valid", reset_less=False)
        source = by_operation(m, op, design.program.values("source"), name="source")
        with m.Switch(source):
            for kind, value in sources.items():
                with m.Case(kind):
                    m.d.sync += self.o_x.eq(value)
            with m.Case(Source.ONE):
                m.d.sync += self.o_x.eq(1)
        m.d.comb += self.o_op.eq(delay(m, op, 1, name="op_out"))
        m.d.comb += self.o_first.eq(delay(m, first, 1, name="first_out"))
        m.d.comb += self.o_valid.eq(delay(m, valid, 1, name="valid_out", reset_less=False))
        if Source.SCORE in sources:
            m.d.comb += [
                self.o_weight.eq(sources[Source.SCORE]),
                self.o_weight_first.eq(first),
                self.o_weight_valid.eq(valid & (source == Source.SCORE)),
            ]
        return m


if READ_LATENCY + Exponential.latency != OPERAND - 1:
    raise RuntimeError("OPERAND must be the latency of the slowest source")
