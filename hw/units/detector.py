"""The flag of a window: forecasts against what came, smoothed over windows, above a threshold."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.judging import HOLD_BITS, judged_depth
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.timing import JUDGE
from bitformer.hw.units.parameters import Flag, Integer, Parameter
from bitformer.hw.units.pipeline import delay

__all__ = ["Detector"]


class Detector(wiring.Component):
    """Compares every ``numbers`` forecasts with what came, and gives a flag.

    With ``r = judged * 2**shift - (forecast - zero) * 2**forecast_shift`` of each number, or its
    magnitude, ``level += (r * 2**smoothing - level + 2**(smoothing - 1)) >> smoothing``. The flag
    is 1 where the sum of ``weight * abs(level)`` is above ``i_threshold``, and for ``i_hold``
    windows after the last such one. Levels are 0 after a reset.

    What is judged comes before the forecasts of its window, three windows of it at most before
    these have been taken. Levels, judged numbers and weights are in stores around the unit, whose
    words come ``READ_LATENCY`` after their address.

    Latency: ``timing.JUDGE`` cycles from the last forecast taken to the flag offered. Throughput: a
    forecast a cycle; those of the next window are taken when the flag has been.

    Parameters
    ----------
    numbers : int
        Forecasts of a window.
    bits, judged_bits : int
        Widths of a forecast, and of what it is compared with.
    shift, forecast_shift : int
        Left shifts that bring both to the finer scale of the two.
    zero : int
        What stands for 0 among forecasts.
    smoothing : int
        Shift of the smoothing.
    absolute : bool
        Whether magnitudes of residuals are smoothed.
    level_bits : int
        Width of a level; it holds every residual, shifted by ``smoothing``.
    weight_bits, score_bits : int
        Widths of a weight, and of the sum over a window.

    Members
    -------
    i : In(stream.Signature(signed(bits))), forecasts.
    i_judged_en : In(1), a judged number comes.
    o_judged_w_addr : Out(range(judged_depth(numbers))), where it is written.
    o_judged_addr : Out(range(judged_depth(numbers))), the judged number that is read.
    i_judged : In(signed(judged_bits)), that number.
    o_level_addr : Out(range(numbers)), the level that is read.
    i_level : In(signed(level_bits)), that level.
    o_level_w_addr : Out(range(numbers)), the level that is written.
    o_level : Out(signed(level_bits)), its new value.
    o_level_en : Out(1), it is written.
    o_weight_addr : Out(range(numbers)), the weight that is read.
    i_weight : In(weight_bits), that weight.
    i_threshold : In(score_bits), largest score that raises no flag.
    i_hold : In(16), windows for which a flag stays up.
    o : Out(stream.Signature(1)), the flag.
    """

    numbers = Integer(1, 256)
    bits = Integer(2, 16)
    judged_bits = Integer(2, 16)
    shift = Integer(0, 23)
    forecast_shift = Integer(0, 23)
    zero = Parameter(int, "an integer")
    smoothing = Integer(0, 15)
    absolute = Flag()
    level_bits = Integer(2, 25)
    weight_bits = Integer(1, 8)
    score_bits = Integer(1, 40)

    def __init__(
        self,
        *,
        numbers: int,
        bits: int,
        judged_bits: int,
        shift: int,
        forecast_shift: int,
        zero: int,
        smoothing: int,
        absolute: bool,
        level_bits: int,
        weight_bits: int,
        score_bits: int,
    ):
        self.numbers, self.bits, self.judged_bits = numbers, bits, judged_bits
        self.shift, self.forecast_shift, self.zero = shift, forecast_shift, zero
        self.smoothing, self.absolute, self.level_bits = smoothing, absolute, level_bits
        self.weight_bits, self.score_bits = weight_bits, score_bits
        number, judged = range(max(2, numbers)), range(judged_depth(numbers))
        super().__init__(
            {
                "i": In(stream.Signature(signed(bits))),
                "i_judged_en": In(1),
                "o_judged_w_addr": Out(judged),
                "o_judged_addr": Out(judged),
                "i_judged": In(signed(judged_bits)),
                "o_level_addr": Out(number),
                "i_level": In(signed(level_bits)),
                "o_level_w_addr": Out(number),
                "o_level": Out(signed(level_bits)),
                "o_level_en": Out(1),
                "o_weight_addr": Out(number),
                "i_weight": In(weight_bits),
                "i_threshold": In(score_bits),
                "i_hold": In(HOLD_BITS),
                "o": Out(stream.Signature(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        number, busy = Signal.like(self.o_level_addr), Signal()
        taken, last = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~busy),
            taken.eq(self.i.valid & self.i.ready),
            last.eq(taken & (number == self.numbers - 1)),
        ]
        with m.If(self.i_judged_en):
            m.d.sync += self.o_judged_w_addr.eq(self.o_judged_w_addr + 1)
        with m.If(taken):
            m.d.sync += [
                number.eq(Mux(last, 0, number + 1)),
                self.o_judged_addr.eq(self.o_judged_addr + 1),
                busy.eq(last),
            ]
        stages = [number]
        for stage in range(1, 8):
            stages.append(delay(m, stages[-1], 1, name=f"number_{stage}"))
        level = self._level(m, stages, taken, last)
        score, complete = self._score(m, stages, level, taken, last)
        self._flag(m, score, complete, busy)
        return m

    def _level(self, m: Module, stages: Sequence[Value], taken: Value, last: Value) -> Value:
        """Move levels towards their residuals; return the magnitude, 7 cycles after a forecast."""

        def step(value: Value, name: str) -> Value:
            return delay(m, value, 1, name=name)

        centred = delay(m, self.i.payload - self.zero, READ_LATENCY, name="centred")
        aim = (self.i_judged << self.shift) - (centred << self.forecast_shift)
        # no wider than a level is, which holds it: what is above are copies of its sign
        aim = step(aim[: self.level_bits - self.smoothing].as_signed(), "residual")
        if self.absolute:
            aim = Mux(aim < 0, -aim, aim)
        aim = step(aim, "aim")
        fresh = Signal(init=1)
        with m.If(delay(m, last, 5, name="last", reset_less=False)):
            m.d.sync += fresh.eq(0)
        before = Mux(fresh, 0, self.i_level)
        # the half to round with stands below the aim: one subtraction makes both
        rounding = Const((1 << self.smoothing) >> 1, self.smoothing)
        moved = (Cat(rounding, aim).as_signed() - before) >> self.smoothing
        level = step(step(before, "before") + step(moved, "move"), "level")
        level = level[: self.level_bits].as_signed()
        m.d.comb += [
            self.o_level_addr.eq(stages[2]),
            self.o_level.eq(level),
            self.o_level_w_addr.eq(stages[6]),
            self.o_level_en.eq(delay(m, taken, 6, name="write", reset_less=False)),
        ]
        return step(Mux(level < 0, -level, level)[: self.level_bits - 1], "magnitude")

    def _score(
        self, m: Module, stages: Sequence[Value], level: Value, taken: Value, last: Value
    ) -> tuple[Value, Value]:
        """Sum weighted magnitudes; return the sum, and that it is complete in this cycle."""
        m.d.comb += self.o_weight_addr.eq(stages[5])
        weight = [*self.i_weight, *[0] * (8 - self.weight_bits)]
        # a tree of one addition a cycle
        rows: list[Value] = [Mux(bit, level, 0) << place for place, bit in enumerate(weight)]
        while len(rows) > 1:
            pairs = zip(rows[0::2], rows[1::2], strict=True)
            rows = [
                delay(m, a + b, 1, name=f"rows_{len(rows)}_{n}") for n, (a, b) in enumerate(pairs)
            ]
        score = Signal(self.score_bits, reset_less=True)
        first = delay(m, stages[7] == 0, 3, name="first")
        with m.If(delay(m, taken, 10, name="summed", reset_less=False)):
            m.d.sync += score.eq(Mux(first, 0, score) + rows[0])
        return score, delay(m, last, 11, name="complete", reset_less=False)

    def _flag(self, m: Module, score: Value, complete: Value, busy: Signal) -> None:
        """Compare a window's score with the threshold, and hold a flag up."""
        over = delay(m, score > self.i_threshold, 1, name="over")
        left, up = Signal(HOLD_BITS), Signal()
        compared = delay(m, complete, 1, name="compared", reset_less=False)
        m.d.comb += up.eq(left != 0)
        with m.If(compared):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.eq(over | up),
                left.eq(Mux(over, self.i_hold, Mux(up, left - 1, 0))),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), busy.eq(0)]

    def model(
        self,
        forecasts: Iterable[int],
        judged: Iterable[int],
        weights: Sequence[int],
        threshold: int,
        hold: int = 0,
    ) -> list[int]:
        """Return the flags of whole windows of forecasts, and of what came, from a reset on."""
        flags, left, levels = [], 0, [0] * self.numbers
        pairs = list(zip(forecasts, judged, strict=True))
        for start in range(0, len(pairs) - self.numbers + 1, self.numbers):
            score = 0
            for number, (x, came) in enumerate(pairs[start : start + self.numbers]):
                aim = (came << self.shift) - ((x - self.zero) << self.forecast_shift)
                aim = (abs(aim) if self.absolute else aim) << self.smoothing
                half = (1 << self.smoothing) >> 1
                levels[number] += (aim - levels[number] + half) >> self.smoothing
                score += weights[number] * abs(levels[number])
            over = score > threshold
            flags.append(int(over or left > 0))
            left = hold if over else max(0, left - 1)
        return flags


if JUDGE != 13:
    raise RuntimeError("JUDGE must be the stages from a forecast to its flag")
