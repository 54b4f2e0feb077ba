"""The phases in which a framed endpoint does what it was asked: inferences and self-tests."""

from amaranth.hdl import Signal

from bitformer.boards.endpoint_exchange import Exchange
from bitformer.boards.endpoint_layout import LOAD_BYTES
from bitformer.boards.framing import NumberReader, NumberWriter
from bitformer.boards.protocol import PASSED, REGISTER_BYTES, Command, Reason

__all__ = ["work_states"]


def work_states(x: Exchange, *, reader: NumberReader, writer: NumberWriter, restart=None) -> None:
    """States from DISPATCH on; each request ends in ANSWER, or in REFUSE.

    A number goes to the accelerator in every cycle in which it is ready, and results are kept in
    the memory until the last is there, so that an answer has no gaps. ``restart``, of a design that
    takes new weights, makes the accelerator begin anew; LOAD and TRIAL are its states.
    """
    m = x.m
    sample, answer = x.layout.sample, x.layout.answer
    vectors, loader = len(x.layout.contract.vectors), x.layout.loader
    # lengths are compared while the CRC is waited for
    empty, whole_window, whole_block, wrong = (Signal(reset_less=True) for _ in range(4))
    m.d.sync += [
        whole_block.eq(x.index == LOAD_BYTES),
        empty.eq(x.index == 0),
        whole_window.eq(x.index == sample),
    ]

    def accept(fits, *, place, count, to):
        """The command is served, if its payload has the length that it must."""
        with m.If(fits):
            m.d.comb += [x.registers.i_count.eq(1), x.following.eq(place)]
            m.d.comb += x.registers.i_clear.eq(x.command[1])
            m.d.sync += x.left.eq(count)
            m.next = to
        with m.Else():
            x.refuse(Reason.LENGTH, to="REFUSE")

    with m.State("DISPATCH"):
        m.d.sync += wrong.eq(0)
        with m.Switch(x.command):
            with m.Case(Command.READ):
                accept(empty, place=x.region(), count=REGISTER_BYTES, to="ANSWER")
            with m.Case(Command.INFER):
                accept(whole_window, place=0, count=sample, to="FEED")
            if vectors:
                with m.Case(Command.SELF_TEST):
                    accept(empty, place=x.golden(), count=sample, to="FEED")
            if loader is not None:
                with m.Case(Command.LOAD):
                    accept(whole_block, place=0, count=LOAD_BYTES, to="LOAD")
                with m.Case(Command.COMMIT):
                    accept(empty, place=x.golden(other=1), count=sample, to="TRIAL")
            with m.Default():
                x.refuse(Reason.COMMAND, to="REFUSE")

    with m.State("FEED"):
        m.d.comb += [reader.i.valid.eq(1), reader.i.payload.eq(x.read.data)]
        with m.If(reader.o.valid & reader.o.ready):
            m.d.sync += x.running.eq(1)
            m.d.comb += x.registers.i_run.eq(1)
        with m.If(reader.i.ready):
            x.advance()
            with m.If(x.left == 1):
                m.d.sync += x.left.eq(answer)
                with m.If(~x.testing):
                    m.d.comb += x.following.eq(0)
                m.next = "COLLECT"

    with m.State("COLLECT"):
        m.d.comb += [
            writer.o.ready.eq(1),
            x.write.data.eq(writer.o.payload),
            x.write.en.eq(writer.o.valid & ~x.testing),
        ]
        with m.If(writer.o.valid):
            x.advance()
            with m.If(writer.o.payload != x.read.data):
                m.d.sync += wrong.eq(1)
            with m.If(x.left == 1):
                m.d.sync += x.running.eq(0)
                m.next = "COMPARE"

    with m.State("COMPARE"):
        last_vector = x.verdict == vectors - 1
        m.d.sync += x.left.eq(1)
        m.next = "ANSWER"
        if loader is not None:
            with m.If(x.testing & (wrong | last_vector)):
                m.d.sync += x.trial.eq(0)
                # what was on trial is live now, or void: either way it is not there again
                m.d.comb += [loader.i_start.eq(x.trial), restart.eq(x.trial)]
        with m.If(~x.testing):
            m.d.comb += x.following.eq(0)
            m.d.sync += x.left.eq(answer)
        with m.Elif(~wrong):
            m.d.sync += x.counted.eq(x.counted + 1)
            with m.If(last_vector):
                m.d.sync += [x.verdict.eq(PASSED), x.bank.eq(x.bank ^ x.trial)]
            with m.Else():
                m.d.comb += x.registers.i_clear.eq(1)
                m.d.sync += x.left.eq(sample)
                m.next = "FEED"
