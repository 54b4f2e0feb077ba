"""Fetches the program and issues each row at its time."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Program
from bitformer.hw.timing import MIN_ISSUE
from bitformer.hw.units.pipeline import by_operation

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Issues the program's instructions, ``delta`` cycles apart, for ever.

    An instruction whose operation waits (for input, or for room at the output) is held, and with
    it all that follow; what has been issued goes on. The word for the next instruction is fetched
    while the present one runs: that takes ``MIN_ISSUE`` cycles.

    Members
    -------
    o_addr, i_word : read port of the program store.
    i_output : the output has room for a whole result.
    o_next : fields of the instruction, valid with o_issue.
    o_issue : it was issued in the cycle before. o_start : and it is the program's first.
    i_count : elements of the present input window that have arrived.
    """

    def __init__(self, *, program: Program, inputs: int, whole_window: bool):
        self._program, self._inputs, self._whole_window = program, inputs, whole_window
        layout = data.StructLayout({name: program.width(name) for name in program.layout()})
        self._layout = layout
        super().__init__(
            {
                "o_addr": Out(range(max(2, len(program.instructions)))),
                "i_word": In(program.word_bits),
                "i_count": In(range(inputs + 1)),
                "i_output": In(1),
                "o_next": Out(layout),
                "o_issue": Out(1),
                "o_start": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program
        last = len(program.instructions) - 1
        longest = max(i.delta for i in program.instructions)
        timer = Signal(range(longest + 1))
        waiting = Signal(range(READ_LATENCY + 3), init=READ_LATENCY + 2)
        word = Signal(self._layout, reset_less=True)
        needed = Signal(range(self._inputs + 1), reset_less=True)
        arrived, room, issue = Signal(), Signal(), Signal()

        wait_input = by_operation(m, word.op, program.values("wait_input"), name="wait_input")
        wait_output = by_operation(m, word.op, program.values("wait_output"), name="wait_output")
        length = by_operation(m, word.op, program.values("length"), name="length")

        # the word is on the port READ_LATENCY after its address, and what it needs one later
        m.d.sync += word.as_value().eq(self.i_word)
        m.d.sync += needed.eq(self._inputs if self._whole_window else word.act + length)
        with m.If(waiting != 0):
            m.d.sync += waiting.eq(waiting - 1)
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        m.d.comb += [
            arrived.eq((self.i_count >= needed) | ~wait_input),
            room.eq(self.i_output | ~wait_output),
            self.o_next.eq(word),
            issue.eq((waiting == 0) & (timer == 0) & arrived & room),
        ]
        m.d.sync += [self.o_issue.eq(issue), self.o_start.eq(issue & (self.o_addr == 0))]
        with m.If(issue):
            m.d.sync += [
                timer.eq(word.delta),
                waiting.eq(READ_LATENCY + 2),
                self.o_addr.eq(Mux(self.o_addr == last, 0, self.o_addr + 1)),
            ]
        return m


# issue in t: address in t + 1, word on the port in t + 1 + READ_LATENCY, two registers
if MIN_ISSUE < READ_LATENCY + 3:
    raise RuntimeError("MIN_ISSUE must cover the fetch of an instruction")
