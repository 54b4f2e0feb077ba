"""The class of a window: the largest of its scores, unless another is too near."""

from collections.abc import Iterable

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bitformer.hw.units.parameters import Integer

__all__ = ["ClassChoice"]


class ClassChoice(wiring.Component):
    """Gives the number of the largest of every ``classes`` scores, the lowest of equals.

    Where the largest is less than ``i_margin`` above the second largest, it gives ``classes``: the
    window is rejected. A margin of 0 rejects none, and one of 1 those with two largest.

    Latency: 2 cycles from the last score taken to the answer offered (``timing.CHOICE``).
    Throughput: a score a cycle. One answer may wait while the scores of the next are taken, and no
    output depends on an input of the same cycle, but for ``i_margin``.

    Parameters
    ----------
    classes : int
        Scores of an answer.
    bits : int
        Width of a score.

    Members
    -------
    i : In(stream.Signature(signed(bits))), scores, in order of classes.
    i_margin : In(bits), least lead of the largest score over the second; constant while there are
        scores of a window.
    o : Out(stream.Signature(range(classes + 1))), the answer: a class, or ``classes``.
    """

    classes = Integer(2, 256)
    bits = Integer(2, 16)

    def __init__(self, *, classes: int, bits: int):
        self.classes, self.bits = classes, bits
        super().__init__(
            {
                "i": In(stream.Signature(signed(bits))),
                "i_margin": In(bits),
                "o": Out(stream.Signature(range(classes + 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits, score = self.bits, self.i.payload
        number = Signal(range(self.classes))
        largest, second = (Signal(signed(bits), name=n, reset_less=True) for n in ("one", "two"))
        best = Signal(bits_for(self.classes - 1), reset_less=True)
        lead = Signal(bits, reset_less=True)
        chosen = Signal.like(best, reset_less=True)
        complete = Signal()

        m.d.comb += self.i.ready.eq(~(complete & self.o.valid))
        with m.If(~self.o.valid):
            # a lead is from 0 to 2**bits - 1: as many bits as a score has
            m.d.sync += [self.o.valid.eq(complete), lead.eq(largest - second), chosen.eq(best)]
            m.d.sync += complete.eq(0)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            first = number == 0
            m.d.sync += number.eq(number + 1)
            with m.If(first | (score > largest)):
                m.d.sync += [largest.eq(score), best.eq(number)]
                m.d.sync += second.eq(Mux(first, -1 << bits - 1, largest))
            with m.Elif(score > second):
                m.d.sync += second.eq(score)
            with m.If(number == self.classes - 1):
                m.d.sync += [number.eq(0), complete.eq(1)]
        m.d.comb += self.o.payload.eq(Mux(lead < self.i_margin, self.classes, chosen))
        return m

    def model(self, scores: Iterable[int], margin: int) -> list[int]:
        """Return the answer to every ``classes`` scores; what is left of them is dropped."""
        scores = list(scores)
        answers = []
        for start in range(0, len(scores) - self.classes + 1, self.classes):
            own = scores[start : start + self.classes]
            largest, second = sorted(own, reverse=True)[:2]
            answers.append(self.classes if largest - second < margin else own.index(largest))
        return answers
