"""The state machine that takes new weights, block by block, and the trial of the whole image."""

from amaranth.hdl import Module, Signal

from bitformer.boards.shell.framed.exchange import Exchange, Hand, Machine
from bitformer.boards.shell.weight_loader import WeightLoader

__all__ = ["NewWeights"]


class NewWeights:
    """Blocks of new weights on their way to the stores of the accelerator.

    Constants and golden vectors of the new image go to their own region of the memory.

    Parameters
    ----------
    m : Module
        Where the state machine and the loader go.
    x : Exchange
    loader : WeightLoader
    restart : Signal
        Makes the accelerator begin anew.

    Attributes
    ----------
    offered : 1 bit, set for a cycle when a block is in the memory, and the cursor at its beginning.
    complete : 1 bit, all weights of an image are there.
    """

    def __init__(self, m: Module, x: Exchange, loader: WeightLoader, *, restart: Signal):
        self._m, self._x, self._loader, self._restart = m, x, loader, restart
        self.offered, self.complete = Signal(), loader.o_done
        m.submodules.loader = loader
        m.d.comb += loader.i_byte.eq(x.cursor.data)
        place = Signal.like(x.cursor.index)
        with m.If(loader.i_start):
            m.d.sync += place.eq(x.region(other=1))
        self._take_blocks()
        with m.If(loader.o_memory_en):
            m.d.sync += place.eq(place + 1)
            x.cursor.store_at(place, loader.o_data[-8:])

    def begin_trial(self) -> None:
        """Let the accelerator begin anew, with the new weights."""
        self._m.d.sync += self._x.trial.eq(1)
        self._m.d.comb += self._restart.eq(1)

    def end_trial(self) -> None:
        """End the trial, if there is one: the new weights are live or void, and not there again."""
        trial = self._x.trial
        self._m.d.sync += trial.eq(0)
        self._m.d.comb += [self._loader.i_start.eq(trial), self._restart.eq(trial)]

    def _take_blocks(self) -> None:
        """Add the state machine: block 0 begins anew, and any other is taken if it is the next."""
        m, loader, cursor = self._m, self._loader, self._x.cursor
        byte, hand = cursor.data, Hand(self._x, Machine.WEIGHTS)
        block = Signal(16)  # the next
        first, fits = Signal(reset_less=True), Signal(reset_less=True)

        with m.FSM(name="weights"):
            with m.State("IDLE"), m.If(self.offered):
                m.next = "TAKE"

            with m.State("TAKE"), m.If(cursor.ready):
                hand.advance()
                with m.If(cursor.index == 0):
                    m.d.sync += [first.eq(byte == 0), fits.eq(byte == block[:8])]
                with m.Elif(cursor.index == 1):
                    m.d.sync += [first.eq(first & (byte == 0)), fits.eq(fits & (byte == block[8:]))]
                    m.d.comb += loader.i_start.eq(first & (byte == 0))
                with m.Else():
                    m.d.comb += loader.i_valid.eq(first | fits)
                with m.If(cursor.last):
                    with m.If(first):
                        m.d.sync += block.eq(1)
                    with m.Elif(fits):
                        m.d.sync += block.eq(block + 1)
                    m.next = "ANSWER"

            with m.State("ANSWER"):
                hand.say(block[:8])
                hand.expect(1)
                m.d.comb += self._x.served.eq(1)
                m.next = "IDLE"
