"""The state machine that serves commands: registers, inferences, self-tests and trials."""

from amaranth.hdl import Module, Signal, Value
from amaranth.utils import bits_for

from bitformer.boards.protocol import INCOMPLETE, PASSED, REGISTER_BYTES, Command, Reason
from bitformer.boards.shell.counters import ChangingRegisters
from bitformer.boards.shell.framed.exchange import Exchange, Hand, Machine
from bitformer.boards.shell.framed.memory_map import LOAD_BYTES
from bitformer.boards.shell.framed.new_weights import NewWeights
from bitformer.boards.shell.framed.remembered import Remembered
from bitformer.boards.shell.numbers import NumberReader, NumberWriter, at_end

__all__ = ["serve"]


def watch(
    m: Module, registers: ChangingRegisters, number: Value, *, golden: Value, classes: int = 0
) -> None:
    """Count a number that stands at an end of its range, unless it is a golden vector's.

    Of a classifier's results, which are numbers of ``classes``, count what says rejected.
    """
    counts = number == classes if classes else at_end(number)
    m.d.comb += registers.i_end.eq(counts & ~golden)


def serve(
    m: Module,
    x: Exchange,
    *,
    reader: NumberReader,
    writer: NumberWriter,
    weights: NewWeights | None,
    memory: Remembered | None = None,
) -> None:
    """Add the server, which does what a whole frame asks for.

    A number goes to the accelerator in every cycle in which it is ready, and results are kept in
    the memory until the last is there, so that an answer has no gaps.

    Parameters
    ----------
    m : Module
        Where the state machine goes.
    x : Exchange
        What it shares with the others.
    reader, writer : NumberReader, NumberWriter
        Numbers from the memory to the accelerator, and back.
    weights : NewWeights or None
        None for a design that takes none.
    memory : Remembered or None
        None for an accelerator whose results depend on one window alone.
    """
    cursor, registers, command = x.cursor, x.registers, x.header.command
    sample, answer = x.memory_map.sample, x.memory_map.answer
    vectors, classes = len(x.memory_map.contract.vectors), x.memory_map.contract.classes
    hand = Hand(x, Machine.SERVER)
    testing, passed = command[0], x.verdict[: bits_for(vectors)]
    running, wrong = Signal(reset_less=True), Signal(reset_less=True)
    m.d.comb += registers.i_run.eq(running)
    # lengths are compared while the CRC is waited for
    empty, whole_window, whole_block = (Signal(reset_less=True) for _ in range(3))
    m.d.sync += [
        empty.eq(cursor.index == 0),
        whole_window.eq(cursor.index == sample),
        whole_block.eq(cursor.index == LOAD_BYTES),
    ]

    def refuse(why):
        hand.say(why)
        m.d.comb += x.refused.eq(1)
        m.next = "IDLE"

    def accept(fits, *, place, count, to, turn=None, clears=command[1]):
        """Count the command, and end the turn or go on to a state, if the length fits."""
        with m.If(fits):
            m.d.comb += [registers.i_count.eq(1), registers.i_clear.eq(clears)]
            hand.go(place)
            hand.expect(count)
            m.next = to
            if turn is not None:
                m.d.comb += turn.eq(1)
        with m.Else():
            refuse(Reason.LENGTH)

    def answer_with(count):
        hand.expect(count)
        m.d.comb += x.served.eq(1)
        m.next = "IDLE"

    with m.FSM(name="server"):
        with m.State("IDLE"), m.If(x.received):
            m.next = "DISPATCH"

        with m.State("DISPATCH"):
            m.d.sync += wrong.eq(0)
            with m.Switch(command):
                with m.Case(Command.READ):
                    accept(empty, place=x.region(), count=REGISTER_BYTES, to="IDLE", turn=x.served)
                with m.Case(Command.INFER):
                    if memory is None:
                        accept(whole_window, place=0, count=sample, to="FEED")
                    else:
                        with m.If(memory.again):
                            accept(whole_window, place=0, count=answer, to="AGAIN", clears=0)
                        with m.Else():
                            accept(whole_window, place=0, count=sample, to="FEED")
                if vectors:
                    with m.Case(Command.SELF_TEST):
                        first = "FEED" if memory is None else "FORGET"
                        accept(empty, place=x.golden(), count=sample, to=first)
                if weights is not None:
                    with m.Case(Command.LOAD):
                        offer = weights.offered
                        accept(whole_block, place=0, count=LOAD_BYTES, to="IDLE", turn=offer)
                    with m.Case(Command.COMMIT):
                        accept(empty, place=x.golden(other=1), count=sample, to="TRIAL")
                with m.Default():
                    refuse(Reason.COMMAND)

        with m.State("FEED"):
            m.d.comb += [reader.i.valid.eq(cursor.ready), reader.i.payload.eq(cursor.data)]
            with m.If(reader.o.valid & reader.o.ready):
                m.d.sync += running.eq(1)
                m.d.comb += registers.i_run.eq(1)
                watch(m, registers, reader.o.payload, golden=testing)
            with m.If(reader.i.ready & cursor.ready):
                hand.advance()
                with m.If(cursor.last):
                    m.d.comb += registers.i_last.eq(1)
                    hand.expect(answer)
                    with m.If(~testing):
                        hand.go(0)
                    m.next = "COLLECT"

        with m.State("COLLECT"):
            m.d.comb += [writer.o.ready.eq(cursor.ready), registers.i_result.eq(1)]
            given = writer.o.valid & cursor.ready
            with m.If(writer.i.valid & writer.i.ready):
                watch(m, registers, writer.i.payload, golden=testing, classes=classes)
            cursor.store(writer.o.payload, when=given & ~testing)
            with m.If(given):
                hand.advance()
                if memory is not None:
                    with m.If(~testing):
                        memory.keep(writer.o.payload)
                with m.If(writer.o.payload != cursor.data):
                    m.d.sync += wrong.eq(1)
                with m.If(cursor.last):
                    m.d.comb += registers.i_last.eq(1)
                    m.d.sync += running.eq(0)
                    m.next = "COMPARE"

        with m.State("COMPARE"):
            last_vector = x.verdict == vectors - 1
            if weights is not None:
                with m.If(wrong | last_vector):
                    weights.end_trial()
            if memory is not None:
                with m.If(testing & (wrong | last_vector)):
                    memory.begin_anew()
            with m.If(~testing):
                hand.go(0)
                answer_with(answer)
            with m.Elif(wrong):
                answer_with(1)
            with m.Elif(last_vector):
                hand.say(PASSED)
                m.d.sync += x.bank.eq(x.bank ^ x.trial)
                answer_with(1)
            with m.Else():
                hand.say(passed + 1)
                hand.expect(sample)
                m.d.comb += registers.i_clear.eq(1)
                m.next = "FEED"

        if memory is not None:
            with m.State("AGAIN"), m.If(cursor.ready):
                cursor.store(memory.next_byte(), when=1)
                hand.advance()
                with m.If(cursor.last):
                    m.next = "ANSWERED"

            with m.State("ANSWERED"):
                hand.go(0)
                answer_with(answer)

            with m.State("FORGET"):
                memory.begin_anew()
                m.next = "RESTART"

        if weights is not None:
            with m.State("TRIAL"):
                m.next = "RESTART"
                with m.If(weights.complete):
                    weights.begin_trial()
                with m.Else():
                    hand.say(INCOMPLETE)
                    answer_with(1)

        if weights is not None or memory is not None:
            with m.State("RESTART"):  # the accelerator's reset comes a cycle late
                m.next = "FEED"
