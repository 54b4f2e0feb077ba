"""Walks a matrix operation's addresses: one activation and one weight word a cycle."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .pipeline import by_operation
from .program import Program, Source

__all__ = ["Walker"]


class Walker(wiring.Component):
    """Address generator of the matrix engine.

    An operation issued in cycle t has its first addresses in t + 1, the next in t + 2 and so on:
    for each of ``groups``, ``length`` activations, then idle until ``pitch`` cycles have passed.

    Parameters
    ----------
    program : Program
        Fixes the widths and the constants of each operation.

    Members
    -------
    i_start, i_op, i_act : a matrix operation is issued, its number and first activation.
    o_op : the operation whose addresses are out. o_valid : they are real.
    o_first, o_last : first and last activation of a dot product; o_begin, o_end : it is the
    operation's first or last group. o_act, o_weight : addresses.
    """

    def __init__(self, *, program: Program, act_bits: int, weight_bits: int):
        self._program, self._weight_bits = program, weight_bits
        super().__init__(
            {
                "i_start": In(1),
                "i_op": In(program.width("op")),
                "i_act": In(act_bits),
                "o_op": Out(program.width("op")),
                "o_valid": Out(1),
                "o_first": Out(1),
                "o_last": Out(1),
                "o_begin": Out(1),
                "o_end": Out(1),
                "o_act": Out(act_bits),
                "o_weight": Out(unsigned(weight_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program

        def counted(field: str) -> list[int]:
            return [value - 1 for value in program.values(field)]

        lengths, pitches, groups = counted("length"), counted("pitch"), counted("groups")
        start_length = by_operation(m, self.i_op, lengths, name="start_length")
        start_pitch = by_operation(m, self.i_op, pitches, name="start_pitch")
        start_groups = by_operation(m, self.i_op, groups, name="start_groups")
        start_weight = by_operation(
            m, self.i_op, program.values("weight_base"), name="start_weight"
        )
        length = by_operation(m, self.o_op, lengths, name="length")
        pitch = by_operation(m, self.o_op, pitches, name="pitch")
        step = by_operation(m, self.o_op, program.values("weight_step"), name="step")
        stride = by_operation(m, self.o_op, program.values("weight_group"), name="stride")
        no_act = [int(source == Source.ONE) for source in program.values("source")]
        hold = by_operation(m, self.o_op, no_act, name="hold")

        base_act = Signal.like(self.o_act, name="base_act", reset_less=True)
        base_weight = Signal.like(self.o_weight, name="base_weight", reset_less=True)
        terms = Signal(range(max(lengths) + 1), reset_less=True)
        cycles = Signal(range(max(pitches) + 1), reset_less=True)
        left = Signal(range(max(groups) + 1), reset_less=True)
        active, fresh, begin = Signal(), Signal(reset_less=True), Signal(reset_less=True)
        # whether the counters are at 0, known a cycle ahead
        last_term, last_cycle = Signal(reset_less=True), Signal(reset_less=True)

        def begin_group(first_length, first_pitch, act, weight) -> None:
            m.d.sync += [
                terms.eq(first_length),
                last_term.eq(first_length == 0),
                cycles.eq(first_pitch),
                last_cycle.eq(first_pitch == 0),
                fresh.eq(1),
                self.o_valid.eq(1),
                self.o_act.eq(act),
                self.o_weight.eq(weight),
                base_weight.eq(weight),
            ]

        m.d.comb += [
            self.o_first.eq(fresh),
            self.o_last.eq(self.o_valid & last_term),
            self.o_begin.eq(begin),
            self.o_end.eq(left == 0),
        ]
        m.d.sync += [
            cycles.eq(cycles - 1),
            last_cycle.eq(cycles == 1),
            terms.eq(terms - 1),
            last_term.eq(terms == 1),
            fresh.eq(0),
            self.o_weight.eq(self.o_weight + step),
        ]
        with m.If(~hold):
            m.d.sync += self.o_act.eq(self.o_act + 1)
        with m.If(self.o_last):
            m.d.sync += self.o_valid.eq(0)
        with m.If(active & last_cycle):
            with m.If(left == 0):
                m.d.sync += active.eq(0)
            with m.Else():
                m.d.sync += [left.eq(left - 1), begin.eq(0)]
                begin_group(length, pitch, base_act, base_weight + stride)
        with m.If(self.i_start):
            m.d.sync += [
                active.eq(1),
                self.o_op.eq(self.i_op),
                begin.eq(1),
                left.eq(start_groups),
                base_act.eq(self.i_act),
            ]
            begin_group(start_length, start_pitch, self.i_act, start_weight)
        return m
