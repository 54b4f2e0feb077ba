"""The engine's activations: from the store that an operation names, prepared for multiplication."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import MachineOperation, Source
from bitformer.hw.timing import OPERAND
from bitformer.hw.units.fixed import clamp, round_shift
from bitformer.hw.units.parameters import Flag, Integer, Items, Parameter
from bitformer.hw.units.pipeline import decode, delay, registered
from bitformer.hw.units.softmax import Exponential
from bitformer.hw.widths import signed_value
from bitformer.model import numerics

__all__ = ["Operands"]


class Operands(wiring.Component):
    """Selects the activation that an operation's source names.

    It is an element of a stored word (all of the word in a wide row), a sample of the input or its
    difference to the last step, the exponential weight of a score, or 1.

    Latency: ``timing.OPERAND`` cycles from an address to ``o_x``. Throughput: one activation a
    cycle.

    Parameters
    ----------
    operations : sequence of MachineOperation
        Constants of each operation, by number.
    ways : int
        Elements of a word, 1 or 2.
    word_bits : int
        Width of a word of the activation store.
    scores : bool
        There is a store of scores.
    input_bits : int
        Width of a sample.
    operand_bits : int
        Width of an activation as the engine takes it.
    delta_bits : int
        Width of a sample's difference to the last step; 0: the sample itself is taken.
    delta_shift, delta_zero : int
        The difference is ``clamp(round(difference / 2**delta_shift) + delta_zero)``.
    delta_narrow : bool
        Whether the clamp leaves out the lowest number of ``delta_bits`` bits.
    several : bool
        Other token rows have the same flags, and share their registers: no shift registers in LUTs,
        which answer late.
    joined : bool
        A stored element and a sample share a register before the choice between them and others:
        where LUTs hold no memories nor shift registers, that takes fewer cells.

    Members
    -------
    i_op : In(range(len(operations))), number of the operation whose address is out.
    i_first : In(1), the address is the first of a dot product.
    i_valid : In(1), the address is valid.
    i_element : In(1), the element's place in its word.
    i_activation : In(word_bits), word of the activation store, ``READ_LATENCY`` after its address,
        as are all that follow.
    i_score : In(8 * ways), word of the scores.
    i_input : In(signed(input_bits)), sample of the input.
    i_last : In(signed(input_bits)), sample of the last step.
    i_maximum : In(signed(8)), largest score of the row.
    o_x : Out(signed(operand_bits)), the activation.
    o_op : Out(range(len(operations))), ``i_op`` of its address.
    o_first : Out(1), ``i_first`` of its address.
    o_valid : Out(1), ``i_valid`` of its address.
    o_weight : Out(8), exponential weight, a cycle ahead of ``o_x``.
    o_weight_first : Out(1), it is the first of its row.
    o_weight_valid : Out(1), it is a weight of an operation that reads scores.
    """

    operations = Items(MachineOperation, "operations")
    ways = Integer(1, 2)
    word_bits = Integer(1)
    scores = Flag()
    input_bits = Integer(1)
    operand_bits = Integer(1)
    delta_bits = Integer(0)
    delta_shift = Integer(0)
    delta_zero = Parameter(int, "an integer")
    delta_narrow = Flag()
    several = Flag()
    joined = Flag()

    def __init__(
        self,
        *,
        operations: Sequence[MachineOperation],
        ways: int,
        word_bits: int,
        scores: bool,
        input_bits: int,
        operand_bits: int,
        delta_bits: int = 0,
        delta_shift: int = 0,
        delta_zero: int = 0,
        delta_narrow: bool = False,
        several: bool = False,
        joined: bool = False,
    ):
        self.operations, self.ways, self.word_bits = operations, ways, word_bits
        self.scores, self.input_bits, self.operand_bits = scores, input_bits, operand_bits
        self.delta_bits, self.delta_shift, self.delta_zero = delta_bits, delta_shift, delta_zero
        self.delta_narrow, self.several, self.joined = delta_narrow, several, joined
        if word_bits % ways:
            raise ValueError(f"Word bits must be those of {ways} elements, not {word_bits}")
        if not scores and any(o.source is Source.SCORE for o in self.operations):
            raise ValueError("Scores must be there for operations that read them")
        if delta_zero and signed_value(delta_zero, max(1, delta_bits)) != delta_zero:
            raise ValueError(f"Delta zero must fit {delta_bits} bits, not be {delta_zero}")
        op = bits_for(len(self.operations) - 1)
        super().__init__(
            {
                "i_op": In(op),
                "i_first": In(1),
                "i_valid": In(1),
                "i_element": In(1),
                "i_activation": In(word_bits),
                "i_score": In(numerics.SCORE_BITS * ways if scores else 1),
                "i_input": In(signed(input_bits)),
                "i_last": In(signed(input_bits)),
                "i_maximum": In(signed(numerics.SCORE_BITS)),
                "o_x": Out(signed(operand_bits)),
                "o_op": Out(op),
                "o_first": Out(1),
                "o_valid": Out(1),
                "o_weight": Out(8),
                "o_weight_first": Out(1),
                "o_weight_valid": Out(1),
            }
        )

    def _select(self, word: Value, element: Value) -> Value:
        """Return one signed element of a word."""
        if self.ways == 1:
            return word.as_signed()
        bits = len(word) // 2
        return Mux(element, word[bits:], word[:bits]).as_signed()

    @property
    def _delta_limits(self) -> tuple[int, int]:
        half = 1 << self.delta_bits >> 1
        return self.delta_narrow - half, half - 1

    def elaborate(self, platform):
        m = Module()
        ready = READ_LATENCY + 1
        element = delay(m, self.i_element, READ_LATENCY, name="element")
        selected = self._select(self.i_activation, element)
        if any(o.wide_x for o in self.operations):
            op = delay(m, self.i_op, READ_LATENCY - 1, name="activation_op")
            whole = delay(m, decode(m, op, self.operations, "wide_x"), 1, name="whole")
            selected = Mux(whole, self.i_activation.as_signed(), selected)
        activation = Signal(selected.shape(), reset_less=True)
        m.d.sync += activation.eq(selected)
        wait = OPERAND - ready - self.joined
        stored = delay(m, activation, wait - 1, name="activation").as_signed()

        if self.delta_bits:
            shift, zero = self.delta_shift, self.delta_zero
            difference = Signal(signed(self.input_bits + 1), reset_less=True)
            m.d.sync += difference.eq(self.i_input - self.i_last)
            moved = difference + (zero << shift) if zero else difference
            delta = Signal(signed(self.delta_bits), reset_less=True)
            m.d.sync += delta.eq(clamp(round_shift(moved, shift), *self._delta_limits))
            sample = delay(m, delta, wait - 2, name="delta").as_signed()
        else:
            sample = delay(m, self.i_input, wait, name="input")
        sources: dict[Source, Value] = {Source.ACTIVATION: stored, Source.INPUT: sample}
        early = delay(m, self.i_op, OPERAND - 2, name="op")
        if self.joined:
            sources = {}
            fresh = decode(m, early, self.operations, "source", name="early_source")
            both = stored.shape(), sample.shape()
            read = Signal(max(both, key=lambda shape: shape.width), reset_less=True)
            m.d.sync += read.eq(Mux(fresh == Source.INPUT, sample, stored))
            m.d.sync += self.o_x.eq(read)

        if self.scores:
            m.submodules.exponential = exponential = Exponential()
            m.d.comb += [
                exponential.i_score.eq(self._select(self.i_score, element)),
                exponential.i_maximum.eq(self.i_maximum),
            ]

        # all of the sources are a cycle ahead of the activation here
        op = delay(m, early, 1, name="op_now")
        first = delay(m, self.i_first, OPERAND - 1, name="first", reset_less=not self.several)
        valid = delay(m, self.i_valid, OPERAND - 1, name="valid", reset_less=False)
        if self.several:
            # looked up by a number out of a shift register, it would come late to all of them
            looked_up = decode(m, early, self.operations, "source", name="source_early")
            source = registered(m, looked_up, name="source_now")
        else:
            source = decode(m, op, self.operations, "source")
        if self.scores:
            sources[Source.SCORE] = exponential.o_weight
        with m.Switch(source):
            for kind, value in sources.items():
                with m.Case(kind):
                    m.d.sync += self.o_x.eq(value)
            if len(source) > 1:  # not in a model that reads neither scores nor pooled rows
                with m.Case(Source.ONE):
                    m.d.sync += self.o_x.eq(1)
        m.d.comb += [
            self.o_op.eq(delay(m, op, 1, name="op_out")),
            self.o_first.eq(delay(m, first, 1, name="first_out")),
            self.o_valid.eq(delay(m, valid, 1, name="valid_out", reset_less=False)),
        ]
        if self.scores:
            m.d.comb += [
                self.o_weight.eq(exponential.o_weight),
                self.o_weight_first.eq(first),
                self.o_weight_valid.eq(valid & (source == Source.SCORE)),
            ]
        return m

    def model(
        self,
        op: int,
        *,
        element: int = 0,
        activation: int = 0,
        score: int = 0,
        sample: int = 0,
        last: int = 0,
        maximum: int = 0,
    ) -> int:
        """Return ``o_x`` of an address, from the words that the stores give for it."""

        def one_of(word: int, bits: int) -> int:
            return signed_value(word >> element * bits if self.ways > 1 else word, bits)

        operation = self.operations[op]
        if operation.source is Source.ACTIVATION:
            if operation.wide_x:
                return signed_value(activation, self.word_bits)
            return one_of(activation, self.word_bits // self.ways)
        if operation.source is Source.INPUT:
            if not self.delta_bits:
                return sample
            rounded = numerics.round_shift(sample - last, self.delta_shift) + self.delta_zero
            return min(max(rounded, self._delta_limits[0]), self._delta_limits[1])
        if operation.source is Source.SCORE:
            row = np.array([one_of(score, numerics.SCORE_BITS), maximum])
            return int(numerics.exp2_weights(row)[0])
        return 1


if READ_LATENCY + Exponential.latency != OPERAND - 1:
    raise RuntimeError("OPERAND must be the latency of the slowest source")
