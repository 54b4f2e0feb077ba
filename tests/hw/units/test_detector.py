# amaranth: UnusedElaboratable=no
"""A flag of residuals: smoothed, weighted, held, at every rate and from every reset on."""

import inspect
import random

import pytest
from amaranth.hdl import Const, Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.judging import judged_depth
from bitformer.hw.memory import StoreSpec
from bitformer.hw.timing import JUDGE
from bitformer.hw.units import detector
from bitformer.hw.units.detector import Detector
from bitformer.hw.units.store import Store

SMALL = {
    "numbers": 3,
    "bits": 6,
    "judged_bits": 5,
    "shift": 1,
    "forecast_shift": 0,
    "zero": 0,
    "smoothing": 2,
    "absolute": False,
    "weight_bits": 3,
}


def sized(**sizes):
    """Parameters of a unit with levels and a score as wide as they must be."""
    sizes = SMALL | sizes
    judged = 1 << sizes["judged_bits"] - 1 + sizes["shift"]
    forecast = (1 << sizes["bits"] - 1) + abs(sizes["zero"]) << sizes["forecast_shift"]
    level = judged + forecast << sizes["smoothing"]
    largest = level * ((1 << sizes["weight_bits"]) - 1) * sizes["numbers"]
    bits = {"level_bits": level.bit_length() + 1, "score_bits": largest.bit_length()}
    return sizes | bits


class Watched(wiring.Component):
    """The unit with its stores, a reset, and a window's judged numbers before its forecasts."""

    def __init__(self, unit, weights, threshold, hold):
        self.unit, self.weights, self.threshold, self.hold = unit, weights, threshold, hold
        super().__init__(
            {
                "i": In(stream.Signature(unit.i.payload.shape())),
                "o": Out(stream.Signature(1)),
                "i_judged": In(unit.i_judged.shape()),
                "i_en": In(1),
                "i_reset": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        unit = self.unit
        m.submodules.unit = ResetInserter(self.i_reset)(unit)

        def store(name, depth, width, init=None):
            spec = StoreSpec(
                name=name, depth=depth, width=width, placement="distributed", rom=init is not None
            )
            m.submodules[name] = found = Store(spec=spec, init=init or ())
            return found

        judged = store("judged", judged_depth(unit.numbers), unit.judged_bits)
        # levels are not 0 when the simulation begins
        levels = store("levels", unit.numbers, unit.level_bits)
        levels._init = (1,) * unit.numbers
        weights = store("weights", unit.numbers, unit.weight_bits, self.weights)
        wiring.connect(m, wiring.flipped(self.i), unit.i)
        wiring.connect(m, unit.o, wiring.flipped(self.o))
        m.d.comb += [
            unit.i_judged_en.eq(self.i_en),
            judged.w_addr.eq(unit.o_judged_w_addr),
            judged.w_data.eq(self.i_judged),
            judged.w_en.eq(self.i_en),
            judged.addr_0.eq(unit.o_judged_addr),
            unit.i_judged.eq(judged.data_0),
            levels.addr_0.eq(unit.o_level_addr),
            unit.i_level.eq(levels.data_0),
            levels.w_addr.eq(unit.o_level_w_addr),
            levels.w_data.eq(unit.o_level),
            levels.w_en.eq(unit.o_level_en),
            weights.addr_0.eq(unit.o_weight_addr),
            unit.i_weight.eq(weights.data_0),
            unit.i_threshold.eq(Const(self.threshold)),
            unit.i_hold.eq(Const(self.hold)),
        ]
        return m


def flags(streams, case, *, rates=(1.0, 1.0), ahead=0, unit=None, resets=(), seed=0):
    """Flags of a case's windows; judged numbers come ``ahead`` windows before they must."""
    unit = unit or Detector(**case["sizes"])
    n = unit.numbers
    dut = Watched(unit, case["weights"], case["threshold"], case["hold"])
    windows = len(case["forecasts"]) // n
    chance, taken = random.Random(seed), []

    async def bench(ctx):
        given = 0
        for window in range(windows):
            if window in resets:
                ctx.set(dut.i_reset, 1)
                await ctx.tick()
                ctx.set(dut.i_reset, 0)
                given = window
            while given < min(windows, window + 1 + ahead):
                for value in case["judged"][given * n : (given + 1) * n]:
                    ctx.set(dut.i_judged, value)
                    ctx.set(dut.i_en, 1)
                    await ctx.tick()
                ctx.set(dut.i_en, 0)
                given += 1
            left = case["forecasts"][window * n : (window + 1) * n]
            cycles = 0
            while len(taken) == window:
                cycles += 1
                assert cycles < 2000, "a flag must come"
                offers = bool(left) and chance.random() < rates[0]
                ctx.set(dut.i.valid, offers)
                ctx.set(dut.i.payload, left[0] if left else 0)
                takes = chance.random() < rates[1]
                ctx.set(dut.o.ready, takes)
                ready = ctx.get(dut.i.ready)
                _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                if offers and ready:
                    left.pop(0)
                if valid and takes:
                    taken.append(payload)
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.o.ready, 0)

    streams.run(dut, bench)
    return taken


def drawn(sizes, windows, seed, hold=0):
    """Forecasts and what came, at the ends of their ranges and near each other; a threshold."""
    chance = random.Random(seed)
    unit = Detector(**sizes)
    n = unit.numbers
    weights = [chance.randrange(1 << unit.weight_bits) for _ in range(n)]

    def number(bits):
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        return chance.choice([low, high, 0, chance.randint(low, high), chance.randint(low, high)])

    count = windows * n
    case = {
        "sizes": sizes,
        "weights": weights,
        "forecasts": [number(unit.bits) for _ in range(count)],
        "judged": [number(unit.judged_bits) for _ in range(count)],
        "hold": hold,
    }
    return case | {"threshold": middle(case)}


def middle(case):
    """A threshold that some windows are above."""
    low, high = 0, (1 << case["sizes"]["score_bits"]) - 1
    while low < high:
        threshold = (low + high) // 2
        share = sum(expected(case | {"threshold": threshold, "hold": 0}))
        if share * 2 > len(case["forecasts"]) // case["sizes"]["numbers"]:
            low = threshold + 1
        else:
            high = threshold
    return low


def expected(case):
    unit = Detector(**case["sizes"])
    own = ("forecasts", "judged", "weights", "threshold", "hold")
    return unit.model(*(case[name] for name in own))


def test_flags_by_hand():
    """A residual of 8 halves the way each time: 4, 6, 7; back to 0: 3.5 rounded up is 4."""
    unit = Detector(**sized(numbers=1, smoothing=1, shift=0, weight_bits=1))
    # levels in halves: 8, 12, 14, 7, 4 (of 3.5), 2, 1, and 1 for ever, as half of 1 rounds up
    came = [8, 8, 8, 0, 0, 0, 0, 0]
    scores = [8, 12, 14, 7, 4, 2, 1, 1]
    for threshold in range(15):
        found = unit.model([0] * 8, came, [1], threshold)
        assert found == [int(score > threshold) for score in scores]
    assert unit.model([0] * 8, came, [1], 13, 3) == [0, 0, 1, 1, 1, 1, 0, 0]
    assert unit.model([0] * 8, came, [1], 13, 2) == [0, 0, 1, 1, 1, 0, 0, 0]
    assert unit.model([0] * 8, came, [1], 11, 1) == [0, 1, 1, 1, 0, 0, 0, 0]


def test_the_model_is_the_operation_of_the_integer_model():
    import numpy as np

    from bitformer.model.operations.judge import DetectorState, held, smoothed

    sizes = sized(numbers=4, smoothing=3, absolute=True, shift=0)
    case = drawn(sizes, 30, 5, hold=2)
    residuals = np.array(case["judged"]) - np.array(case["forecasts"])
    state = DetectorState()
    magnitudes = smoothed(residuals.reshape(-1, 4), 3, state, absolute=True)
    over = magnitudes @ np.array(case["weights"]) > case["threshold"]
    assert expected(case) == held(over, 2, state).tolist()
    assert 0 < over.sum() < 30


@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.3, 1.0), (1.0, 0.3), (0.5, 0.5)])
@pytest.mark.parametrize(
    "sizes",
    [
        {"numbers": 1},
        {"numbers": 1, "smoothing": 0, "weight_bits": 8},
        {"numbers": 2, "absolute": True, "weight_bits": 1},
        {"numbers": 5, "zero": -7, "forecast_shift": 3, "shift": 0},
        {"numbers": 3, "bits": 16, "judged_bits": 4, "shift": 6, "smoothing": 4, "weight_bits": 8},
    ],
    ids=str,
)
def test_flags_at_every_rate(streams, sizes, rates):
    case = drawn(sized(**sizes), 12, seed=len(str(sizes)), hold=2)
    found = flags(streams, case, rates=rates)
    assert found == expected(case)
    assert {*found} == {0, 1}


@settings(max_examples=12, deadline=None)
@given(
    numbers=st.sampled_from([1, 2, 3, 7, 20]),
    bits=st.integers(2, 16),
    judged_bits=st.integers(2, 12),
    shifts=st.sampled_from([(0, 0), (3, 0), (0, 2)]),
    smoothing=st.integers(0, 5),
    absolute=st.booleans(),
    weight_bits=st.integers(1, 8),
    ahead=st.integers(0, 2),
    hold=st.sampled_from([0, 1, 3, 65535]),
    seed=st.integers(0, 999),
)
def test_any_detector(streams, ahead, hold, seed, shifts, **sizes):
    shift, forecast_shift = shifts
    sizes = sized(shift=shift, forecast_shift=forecast_shift, **sizes)
    case = drawn(sizes, 6, seed, hold=hold)
    assert flags(streams, case, ahead=ahead, rates=(1.0, 0.6), seed=seed) == expected(case)


def test_the_largest_sizes(streams):
    """Levels of 24 bits and their sign, weights of 8 bits, 256 numbers: a score of 40 bits."""
    wide = {"numbers": 256, "bits": 16, "judged_bits": 16, "shift": 0, "smoothing": 7}
    sizes = sized(**wide, weight_bits=8) | {"level_bits": 25, "score_bits": 40}
    case = drawn(sizes, 3, seed=3)
    case["weights"] = [255] * 256
    case["forecasts"][:256], case["judged"][:256] = [-(1 << 15)] * 256, [(1 << 15) - 1] * 256
    largest = (((1 << 16) - 1) << 7) + 64 >> 7
    scores = [largest * 255 * 256 - 1, largest * 255 * 256]
    for threshold in scores:
        case["threshold"] = threshold
        found = flags(streams, case)
        assert found == expected(case)
    assert expected(case | {"threshold": scores[0]})[0] == 1
    assert expected(case | {"threshold": scores[1]})[0] == 0


def test_a_reset_forgets_levels_and_the_flag(streams):
    case = drawn(sized(numbers=3, smoothing=4), 9, seed=2, hold=3)
    parts = [
        case | {name: case[name][a * 3 : b * 3] for name in ("forecasts", "judged")}
        for a, b in ((0, 4), (4, 9))
    ]
    whole = [flag for part in parts for flag in expected(part)]
    assert whole != expected(case)
    assert flags(streams, case, resets=(4,)) == whole


def test_latency(streams):
    assert JUDGE == 13
    unit = Detector(**sized(numbers=2))
    dut, seen = Watched(unit, [1, 1], 0, 0), []

    async def bench(ctx):
        for _ in range(2):
            ctx.set(dut.i_en, 1)
            await ctx.tick()
        ctx.set(dut.i_en, 0)
        ctx.set(dut.o.ready, 1)
        for cycle in range(20):
            ctx.set(dut.i.valid, cycle < 2)
            ctx.set(dut.i.payload, 5)
            seen.append((ctx.get(dut.i.ready), ctx.get(dut.o.valid), ctx.get(dut.o.payload)))
            await ctx.tick()

    streams.run(dut, bench)
    assert [cycle for cycle, (_, valid, _) in enumerate(seen) if valid] == [1 + JUDGE]
    assert seen[1 + JUDGE][2] == 1
    # a window's forecasts are taken when the flag of that before has been
    assert [ready for ready, _, _ in seen] == [1, 1, *[0] * JUDGE, *[1] * (18 - JUDGE)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(1 << self.smoothing) >> 1, self.smoothing", "0, self.smoothing"),
        ("Mux(fresh, 0, self.i_level)", "self.i_level"),
        ("fresh.eq(0)", "fresh.eq(1)"),
        ("Mux(aim < 0, -aim, aim)", "aim"),
        ("Mux(level < 0, -level, level)", "level"),
        ("self.i.payload - self.zero", "self.i.payload"),
        ("score > self.i_threshold", "score >= self.i_threshold"),
        ("Mux(first, 0, score)", "score"),
        ("over | up", "over"),
        (
            "Mux(over, self.i_hold, Mux(up, left - 1, 0))",
            "Mux(up, left - 1, Mux(over, self.i_hold, 0))",
        ),
        ("stages[5]", "stages[6]"),
        ("stages[2]", "stages[3]"),
    ],
)
def test_a_fault_is_found(streams, right, wrong):
    source = inspect.getsource(detector)
    assert source.count(right) == 1
    faulty = {"__name__": "faulty"}
    exec(compile(source.replace(right, wrong), "faulty.py", "exec"), faulty)
    differ = False
    for absolute in (False, True):
        case = drawn(sized(numbers=3, zero=3, absolute=absolute), 40, seed=4, hold=2)
        assert 3 < sum(expected(case)) < 38
        exact = expected(case)
        for threshold in (case["threshold"], *scores_of(case)):
            exact = expected(case | {"threshold": threshold})
            unit = faulty["Detector"](**case["sizes"])
            differ |= flags(streams, case | {"threshold": threshold}, unit=unit) != exact
            if differ:
                return
    assert differ


def scores_of(case):
    """Scores that windows have exactly."""
    found, case = [], case | {"hold": 0}
    for window in (3, 11):
        low, high = 0, (1 << case["sizes"]["score_bits"]) - 1
        while low < high:
            threshold = (low + high) // 2
            above = expected(case | {"threshold": threshold})[window]
            low, high = (threshold + 1, high) if above else (low, threshold)
        found.append(low)
    return found
