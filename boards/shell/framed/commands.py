"""The phases in which a framed endpoint does what it was asked.

Inferences, self-tests, and new weights, which are taken block by block and tried.
"""

from amaranth.hdl import Signal

from bitformer.boards.protocol import INCOMPLETE, PASSED, REGISTER_BYTES, Command, Reason
from bitformer.boards.shell.framed.exchange import Exchange
from bitformer.boards.shell.framed.memory_map import LOAD_BYTES
from bitformer.boards.shell.numbers import NumberReader, NumberWriter
from bitformer.boards.shell.weight_loader import WeightLoader

__all__ = ["load_region", "load_states", "work_states"]


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


def load_states(x: Exchange, loader: WeightLoader, *, restart) -> None:
    """States LOAD and TRIAL; a trial goes on to FEED.

    ``restart`` makes the accelerator begin anew.
    """
    m, byte = x.m, x.read.data
    block = Signal(16)  # the next
    first, fits = Signal(reset_less=True), Signal(reset_less=True)

    with m.State("LOAD"):
        # block 0 begins anew; any other is taken if it is the next, and ignored if not
        x.advance()
        with m.If(x.index == 0):
            m.d.sync += [first.eq(byte == 0), fits.eq(byte == block[:8])]
        with m.Elif(x.index == 1):
            m.d.sync += [first.eq(first & (byte == 0)), fits.eq(fits & (byte == block[8:]))]
            m.d.comb += loader.i_start.eq(first & (byte == 0))
        with m.Else():
            m.d.comb += loader.i_valid.eq(first | fits)
        with m.If(x.left == 1):
            with m.If(first):
                m.d.sync += block.eq(1)
            with m.Elif(fits):
                m.d.sync += block.eq(block + 1)
            m.next = "LOADED"

    with m.State("LOADED"):
        m.d.sync += [x.verdict.eq(block), x.left.eq(1)]
        m.next = "ANSWER"

    with m.State("TRIAL"):
        m.next = "RESTART"
        with m.If(loader.o_done):
            m.d.sync += x.trial.eq(1)
            m.d.comb += restart.eq(1)
        with m.Else():
            m.d.sync += [x.verdict.eq(INCOMPLETE), x.left.eq(1)]
            m.next = "ANSWER"

    with m.State("RESTART"):  # the accelerator's reset comes a cycle late
        m.next = "FEED"


def load_region(x: Exchange, loader: WeightLoader) -> None:
    """The loader, and its way to the memory: new constants and vectors go to their own region."""
    m = x.m
    m.submodules.loader = loader
    m.d.comb += loader.i_byte.eq(x.read.data)
    pointer = Signal.like(x.index)
    with m.If(loader.i_start):
        m.d.sync += pointer.eq(x.region(other=1))
    with m.If(loader.o_memory_en):
        m.d.sync += pointer.eq(pointer + 1)
        m.d.comb += [
            x.write.addr.eq(pointer),
            x.write.data.eq(loader.o_data[-8:]),
            x.write.en.eq(1),
        ]
