"""The address generator of the matrix engine: one activation and one weight word a cycle."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bitformer.hw.program import MachineOperation, Source
from bitformer.hw.units.parameters import Integer, Items
from bitformer.hw.units.pipeline import by_operation

__all__ = ["AddressGenerator"]


class AddressGenerator(wiring.Component):
    """Gives the addresses of a matrix operation's activations and weights.

    An operation has ``groups`` of ``length`` addresses each; a group begins ``pitch`` cycles after
    the one before. Between two groups no address is valid. Within a group the activations are an
    element apart, or those of a column of rows as far as the operation's ``stride`` says. Behind
    the last element of an operation's ring comes its first.

    Latency: 1 cycle from ``i_start`` to the first addresses. Throughput: one pair of addresses a
    cycle.

    Parameters
    ----------
    operations : sequence of MachineOperation
        Constants of each operation, by number.
    act_bits : int
        Width of an activation's address; two elements of a word have an address each.
    weight_bits : int
        Width of a weight's address, which counts the smallest parts of a word.

    Members
    -------
    i_start : In(1), a matrix operation is issued.
    i_op : In(range(len(operations))), its number.
    i_act : In(act_bits), address of its first activation.
    o_op : Out(range(len(operations))), number of the operation whose addresses are out.
    o_valid : Out(1), the addresses are valid.
    o_first : Out(1), they are the first of a dot product; valid with ``o_valid``.
    o_last : Out(1), they are valid and the last of a dot product.
    o_begin : Out(1), they belong to the operation's first group.
    o_end : Out(1), they belong to the operation's last group.
    o_act : Out(act_bits), address of the activation.
    o_weight : Out(weight_bits), address of the weights.
    """

    operations = Items(MachineOperation, "operations")
    act_bits = Integer(1)
    weight_bits = Integer(1)

    def __init__(self, *, operations: Sequence[MachineOperation], act_bits: int, weight_bits: int):
        self.operations, self.act_bits, self.weight_bits = operations, act_bits, weight_bits
        largest = max(
            o.weight_base + (o.groups - 1) * o.weight_group + (o.length - 1) * o.weight_step
            for o in self.operations
        )
        if largest >= 1 << weight_bits:
            raise ValueError(f"Weight bits must hold the address {largest}, not be {weight_bits}")
        op_bits = bits_for(len(self.operations) - 1)
        flags = ("o_valid", "o_first", "o_last", "o_begin", "o_end")
        super().__init__(
            {
                "i_start": In(1),
                "i_op": In(op_bits),
                "i_act": In(act_bits),
                "o_op": Out(op_bits),
                **{name: Out(1) for name in flags},
                "o_act": Out(act_bits),
                "o_weight": Out(weight_bits),
            }
        )

    def model(self, op: int, act: int) -> dict[int, dict[str, int]]:
        """Return the valid outputs of an operation, by cycles after ``i_start``."""
        o = self.operations[op]
        ones = o.source is Source.ONE
        return {
            1 + group * o.pitch + term: {
                "o_op": op,
                "o_first": int(term == 0),
                "o_last": int(term == o.length - 1),
                "o_begin": int(group == 0),
                "o_end": int(group == o.groups - 1),
                "o_act": act if ones else self._element(o, act, term),
                "o_weight": o.weight_base + group * o.weight_group + term * o.weight_step,
            }
            for group in range(o.groups)
            for term in range(o.length)
        }

    @staticmethod
    def _element(o: MachineOperation, act: int, term: int) -> int:
        """Return the address of an activation."""
        found = act + term * o.act_step
        if o.ring_last and found > o.ring_last:
            found += o.ring_first - o.ring_last - o.act_step
        return found

    def elaborate(self, platform):
        m = Module()
        operations = self.operations

        def field(name: str, values: list[int]):
            """Look up a constant; return it, and a register that keeps it for the operation."""
            start = by_operation(m, self.i_op, values, name=f"start_{name}")
            kept = Signal(start.shape(), name=name, reset_less=True)
            with m.If(self.i_start):
                m.d.sync += kept.eq(start)
            return start, kept

        lengths, pitches = ([getattr(o, f) for o in operations] for f in ("length", "pitch"))
        groups = [o.groups for o in operations]
        start_length, length = field("length", [value - 1 for value in lengths])
        start_single, single = field("single_term", [int(value == 1) for value in lengths])
        start_pitch, pitch = field("pitch", [value - 1 for value in pitches])
        start_short, short = field("single_cycle", [int(value == 1) for value in pitches])
        start_weight, _ = field("weight", [o.weight_base for o in operations])
        _, step = field("step", [o.weight_step for o in operations])
        _, stride = field("stride", [o.weight_group for o in operations])
        step_x = 1
        if any(o.act_step > 1 for o in operations):
            _, step_x = field("step_x", [o.act_step for o in operations])
        # the product with ones reads no activations
        _, hold = field("hold", [int(o.source == Source.ONE) for o in operations])
        start_left, _ = field("groups", [value - 1 for value in groups])
        start_final, _ = field("single_group", [int(value == 1) for value in groups])

        base_act = Signal.like(self.o_act, name="base_act", reset_less=True)
        base_weight = Signal.like(self.o_weight, name="base_weight", reset_less=True)
        terms = Signal(range(max(lengths)), reset_less=True)
        cycles = Signal(range(max(pitches)), reset_less=True)
        left = Signal(range(max(groups)), reset_less=True)
        active, fresh, begin = Signal(), Signal(reset_less=True), Signal(reset_less=True)
        # set when the counters are 0, computed a cycle ahead
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
        following = self.o_act + step_x
        if any(o.ring_last for o in operations):
            _, first = field("ring_first", [o.ring_first for o in operations])
            _, end = field("ring_last", [o.ring_last for o in operations])
            _, rings = field("rings", [int(o.ring_last > 0) for o in operations])
            following = Mux(rings & (self.o_act == end), first, following)
        with m.If(~hold):
            m.d.sync += self.o_act.eq(following)
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
