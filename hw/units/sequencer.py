"""The sequencer: fetches the program and issues each instruction at its time."""

from collections.abc import Iterable, Iterator, Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Program
from bitformer.hw.timing import MIN_ISSUE
from bitformer.hw.units.parameters import Flag, Integer, Parameter
from bitformer.hw.units.pipeline import after, by_operation, registered

__all__ = ["Sequencer"]

#: From an issue, or from reset, to the next: address, word on the port, two registers.
_FETCH = READ_LATENCY + 2


class Sequencer(wiring.Component):
    """Issues the program's instructions, ``delta`` cycles apart; behind the last come its loop's.

    With several phases, an inference's instructions are issued for each of them in turn.

    An instruction whose operation waits (for input, or for room at the output) is held, and so are
    all that follow; operations already issued go on.

    Latency: 1 cycle from the decision to ``o_issue``. Throughput: one instruction in
    ``timing.MIN_ISSUE`` cycles, which its fetch takes.

    Parameters
    ----------
    program : Program
        Instructions, and the constants of their operations.
    inputs : int
        Elements of an input window.
    whole_window : bool
        An operation that waits for input waits for all of the window.
    behind : int
        Elements that come behind a window: all of it is there with them.
    rows : int
        Token rows, each of which has a lane of the window: what a row addresses are elements of
        one lane.

    Members
    -------
    o_addr : Out(range(len(program.instructions))), address of the program store.
    i_word : In(program.word_bits), its word, ``READ_LATENCY`` later.
    i_count : In(range(inputs + behind + 1)), elements of the present input window that are
        there.
    i_output : In(1), the output has room for a whole result.
    o_next : Out(layout of an instruction), fields of the instruction, valid with ``o_issue``.
    o_issue : Out(1), the instruction was issued in the cycle before.
    o_matrix : Out(1), so it was, and it is of a matrix operation.
    o_vector : Out(1), so it was, and it is of a vector operation.
    o_start : Out(1), it is an inference's first, of one inference the program's; valid with
        ``o_issue``.
    o_phase : Out(range(program.phases)), the phase that it is of, until the next is issued; only
        with several.
    """

    program = Parameter(Program, "a Program")
    inputs = Integer(1)
    whole_window = Flag()
    behind = Integer(0)
    rows = Integer(1)

    def __init__(
        self,
        *,
        program: Program,
        inputs: int,
        whole_window: bool,
        behind: int = 0,
        rows: int = 1,
    ):
        self.program, self.inputs, self.whole_window = program, inputs, whole_window
        self.behind, self.rows = behind, rows
        shortest = min(i.delta for i in program.instructions)
        if shortest < MIN_ISSUE:
            raise ValueError(f"Instructions must be {MIN_ISSUE} cycles apart, not {shortest}")
        if program.phases > 1 and program.loop % program.step_instructions:
            raise ValueError(
                f"Instructions of all inferences must be {program.step_instructions}, to be issued"
                " for each phase"
            )
        layout = data.StructLayout({name: program.width(name) for name in program.layout()})
        phase = {"o_phase": Out(range(program.phases))} if program.phases > 1 else {}
        super().__init__(
            {
                **phase,
                "o_addr": Out(range(max(2, len(program.instructions)))),
                "i_word": In(program.word_bits),
                "i_count": In(range(inputs + behind + 1)),
                "i_output": In(1),
                "o_next": Out(layout),
                "o_issue": Out(1),
                "o_matrix": Out(1),
                "o_vector": Out(1),
                "o_start": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, operations = self.program, self.program.operations
        last = len(program.instructions) - 1
        longest = max(i.delta for i in program.instructions)
        timer = Signal(range(longest + 1))
        waiting = Signal(range(_FETCH + 1), init=_FETCH)
        word = Signal.like(self.o_next, reset_less=True)
        needed = Signal.like(self.i_count, reset_less=True)
        arrived, room, issue = Signal(), Signal(), Signal()
        # the timer has run down, seen a cycle ahead: no instruction's time is so short
        due = Signal(init=1)

        # the word is on the port READ_LATENCY after its address, and what it needs one later;
        # constants of its operation are looked up on the way into the register
        coming = data.View(word.shape(), self.i_word)
        m.d.sync += word.eq(coming)

        def constant(name: str, values: Sequence[int]) -> Value:
            return registered(m, by_operation(m, coming.op, values, name=name), name=name)

        wait_input, wait_output, length, matrix, whole = (
            constant(field, [int(getattr(o, field)) for o in operations])
            for field in ("wait_input", "wait_output", "length", "matrix", "whole")
        )
        vector = constant("vector", [int(o.slots > 0) for o in operations])
        # of several inferences in the program, their operations say where one begins
        starts = self.o_addr == 0
        if program.steps > 1 or program.loop:
            starts = constant("starts", [int(o.starts) for o in operations])
        needs = self.inputs + self.behind
        part = (word.act + length) * self.rows if self.rows > 1 else word.act + length
        if not self.whole_window and (self.behind or self.rows > 1):
            needs = Mux(whole, needs, part)
        elif not self.whole_window:
            needs = part
        m.d.sync += needed.eq(needs)
        with m.If(waiting != 0):
            m.d.sync += waiting.eq(waiting - 1)
        with m.If(~due):
            m.d.sync += [timer.eq(timer - 1), due.eq(timer == 1)]
        m.d.comb += [
            arrived.eq((self.i_count >= needed) | ~wait_input),
            room.eq(self.i_output | ~wait_output),
            self.o_next.eq(word),
            issue.eq((waiting == 0) & due & arrived & room),
        ]
        m.d.sync += [
            self.o_issue.eq(issue),
            self.o_matrix.eq(issue & matrix),
            self.o_vector.eq(issue & vector),
            self.o_start.eq(issue & starts),
        ]
        with m.If(issue):
            m.d.sync += [
                timer.eq(word.delta),
                due.eq(0),
                waiting.eq(_FETCH),
                self.o_addr.eq(Mux(self.o_addr == last, program.loop, self.o_addr + 1)),
            ]
        if program.phases > 1:
            self._take_turns(m, issue)
        return m

    def _take_turns(self, m: Module, issue: Value) -> None:
        """Go back to the inference's first instruction until each phase had its turn."""
        count, phases = self.program.step_instructions, self.program.phases
        place, coming = Signal(range(count)), Signal(range(phases))
        with m.If(issue):
            m.d.sync += [self.o_phase.eq(coming), place.eq(after(place, count))]
            with m.If(place == count - 1):
                m.d.sync += coming.eq(after(coming, phases))
                with m.If(coming != phases - 1):
                    m.d.sync += self.o_addr.eq(self.o_addr - (count - 1))

    def model(self, arrived: Iterable[tuple[int, bool]]) -> list[int | None]:
        """Return the number of the instruction that ``o_issue`` shows in each cycle, or None.

        ``arrived`` has ``i_count`` and ``i_output`` of each cycle from reset on.
        """
        instructions = self.program.instructions
        order, ready = self._order(), _FETCH
        number = next(order)
        shown: list[int | None] = [None]
        for cycle, (count, room) in enumerate(arrived):
            instruction = instructions[number]
            operation = self.program.operations[instruction.op]
            needed = (instruction.act + operation.length) * self.rows
            if self.whole_window or ((self.behind or self.rows > 1) and operation.whole):
                needed = self.inputs + self.behind
            waits = operation.wait_input and count < needed
            waits |= operation.wait_output and not room
            issues = cycle >= ready and not waits
            shown.append(number if issues else None)
            if issues:
                ready = cycle + instruction.delta
                number = next(order)
        return shown[:-1]

    def _order(self) -> Iterator[int]:
        """Yield the numbers of instructions as they are issued."""
        program, first = self.program, 0
        size = program.step_instructions if program.phases > 1 else len(program.instructions)
        while True:
            for _ in range(program.phases):
                yield from range(first, first + size)
            first += size
            if first == len(program.instructions):
                first = program.loop
                size = size if program.phases > 1 else len(program.instructions) - first


if MIN_ISSUE < _FETCH + 1:
    raise RuntimeError("MIN_ISSUE must cover the fetch of an instruction")
