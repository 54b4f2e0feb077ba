"""Walks a matrix operation's addresses: one activation and one weight word a cycle."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.program import Program, Source
from bitformer.hw.units.pipeline import by_operation

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

        def field(name: str, values: list[int]):
            """An operation's constant, and a register that keeps it while the operation runs."""
            start = by_operation(m, self.i_op, values, name=f"start_{name}")
            kept = Signal(start.shape(), name=name, reset_less=True)
            with m.If(self.i_start):
                m.d.sync += kept.eq(start)
            return start, kept

        lengths, pitches = program.values("length"), program.values("pitch")
        groups = program.values("groups")
        start_length, length = field("length", [value - 1 for value in lengths])
        start_single, single = field("single_term", [int(value == 1) for value in lengths])
        start_pitch, pitch = field("pitch", [value - 1 for value in pitches])
        start_short, short = field("single_cycle", [int(value == 1) for value in pitches])
        start_weight, _ = field("weight", program.values("weight_base"))
        _, step = field("step", program.values("weight_step"))
        _, stride = field("stride", program.values("weight_group"))
        # two elements of wide rows are a word apart
        step_x = 1
        if any(program.values("wide_x")):
            _, step_x = field("step_x", [1 + wide for wide in program.values("wide_x")])
        # the product with ones reads no activations
        _, hold = field("hold", [int(s == Source.ONE) for s in program.values("source")])
        start_left, _ = field("groups", [value - 1 for value in groups])
        start_final, _ = field("single_group", [int(value == 1) for value in groups])

        base_act = Signal.like(self.o_act, name="base_act", reset_less=True)
        base_weight = Signal.like(self.o_weight, name="base_weight", reset_less=True)
        terms = Signal(range(max(lengths)), reset_less=True)
        cycles = Signal(range(max(pitches)), reset_less=True)
        left = Signal(range(max(groups)), reset_less=True)
        active, fresh, begin = Signal(), Signal(reset_less=True), Signal(reset_less=True)
        # whether the counters are at 0, known a cycle ahead
        last_term, last_cycle = Signal(reset_less=True), Signal(reset_less=True)
        final = Signal(reset_less=True)

        m.d.comb += [
            self.o_first.eq(fresh),
            self.o_last.eq(self.o_valid & last_term),
            self.o_begin.eq(begin),
            self.o_end.eq(final),
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
            m.d.sync += self.o_act.eq(self.o_act + step_x)
        with m.If(self.o_last):
            m.d.sync += self.o_valid.eq(0)
        with m.If(active & last_cycle):
            with m.If(final):
                m.d.sync += active.eq(0)
            with m.Else():
                m.d.sync += [
                    left.eq(left - 1),
                    final.eq(left == 1),
                    begin.eq(0),
                    terms.eq(length),
                    last_term.eq(single),
                    cycles.eq(pitch),
                    last_cycle.eq(short),
                    fresh.eq(1),
                    self.o_valid.eq(1),
                    self.o_act.eq(base_act),
                    self.o_weight.eq(base_weight + stride),
                    base_weight.eq(base_weight + stride),
                ]
        with m.If(self.i_start):
            m.d.sync += [
                active.eq(1),
                self.o_op.eq(self.i_op),
                begin.eq(1),
                left.eq(start_left),
                final.eq(start_final),
                terms.eq(start_length),
                last_term.eq(start_single),
                cycles.eq(start_pitch),
                last_cycle.eq(start_short),
                fresh.eq(1),
                self.o_valid.eq(1),
                base_act.eq(self.i_act),
                self.o_act.eq(self.i_act),
                base_weight.eq(start_weight),
                self.o_weight.eq(start_weight),
            ]
        return m
