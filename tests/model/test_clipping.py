"""Numbers that words do not hold: counted as a loop counts them, and told with what to do."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.model import clipping
from bitformer.model.clipping import clipped, clipped_sentences, wider_options
from bitformer.model.config import named_config
from bitformer.model.coverage import coverage, described
from bitformer.model.data.targets import SeriesScale
from bitformer.model.initialize import initialize
from bitformer.model.reference import predict, run

UNITS = SimpleNamespace(
    inputs=("Power, kW", "outdoor"),
    target="Power, kW",
    mean=np.array([100.0, -5.0]),
    std=np.array([20.0, 3.0]),
    target_scales=(SeriesScale(name="Power, kW", mean=100.0, std=20.0),),
)
CONFIG = named_config("tiny").replace(
    inputs=2, window=8, patch=4, horizon=3, input_bits=8, output_bits=8
)


@pytest.fixture(scope="module")
def model():
    return initialize(CONFIG, seed=1)


def windows(count, size, seed=0):
    return size * np.random.default_rng(seed).standard_t(3, (count, CONFIG.window, CONFIG.inputs))


def slowly(model, x, forecast=None):
    """Counts by tensor and column: (values, windows, least, most), by a loop over numbers."""
    spec, found = model.input, {}
    kept = model.quantize_input(x)

    def add(tensor, column, window, outside, real):
        entry = found.setdefault((tensor, column), [0, set(), math.inf, -math.inf])
        entry[0] += outside
        if outside:
            entry[1].add(window)
        entry[2], entry[3] = min(entry[2], real), max(entry[3], real)

    for n, window in enumerate(x):
        for step, row in enumerate(window):
            for channel, value in enumerate(row):
                name, std = UNITS.inputs[channel], UNITS.std[channel]
                q = math.floor(value / 2.0**spec.exponent + 0.5)
                real = value * std + UNITS.mean[channel]
                add("input", name, n, not spec.low <= q <= spec.high, real)
                if model.subtraction:
                    u = int(kept[n, step, channel] - kept[n, -1, channel])
                    to, shift = model.steps, model.subtraction.shift
                    narrowed = math.floor(u / 2**shift + 0.5)
                    real = u * 2.0**spec.exponent * std
                    add("delta", name, n, not to.low <= narrowed <= to.high, real)
    for n, row in enumerate([] if forecast is None else forecast):
        for value in row:
            q = round(value / 2.0**model.output.exponent)
            ends = (model.output.low, model.output.high)
            add("output", UNITS.target, n, q in ends, value * 20.0 + 100.0)
    return found


@pytest.mark.parametrize("size", [0.1, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("subtract", [False, True])
def test_counts_are_those_of_a_loop(size, subtract, monkeypatch):
    monkeypatch.setattr(clipping, "_BATCH", 7)
    model = initialize(CONFIG.replace(subtract_last=subtract), seed=1)
    x = windows(20, size)
    forecast = predict(model, x)
    expected = slowly(model, x, forecast)
    found = clipped(model, x, UNITS, forecast=forecast, part="test")
    counted = {(one.tensor, one.column): one for one in found}
    assert counted.keys() == {key for key, entry in expected.items() if entry[0]}
    for key, one in counted.items():
        values, touched, least, most = expected[key]
        assert (one.values, one.windows) == (values, len(touched))
        assert (one.least, one.most) == (pytest.approx(least), pytest.approx(most))
        assert (one.part, one.of_windows) == ("test", 20)
        assert one.of == 20 * (CONFIG.horizon if one.tensor == "output" else CONFIG.window)
    if size > 1:
        assert any(one.tensor == "input" for one in found)


def test_what_the_reference_clips_is_counted(model):
    """Against the hardware's arithmetic: unclipped means that the reference got every number."""
    x = windows(50, 1.5)
    q = model.quantize_input(x)
    exact = np.floor(x / 2.0**model.input.exponent + 0.5)
    lost = (q != exact).sum(axis=(0, 1))
    found = {one.column: one.values for one in clipped(model, x, UNITS) if one.tensor == "input"}
    assert found == {n: v for n, v in zip(UNITS.inputs, lost, strict=True) if v}
    delta = run(model, q)["delta"]
    wide = (q - q[:, -1:]) / 2.0 ** (model.tensors["delta"].exponent - model.input.exponent)
    lost = (np.floor(wide + 0.5) != delta).sum()
    total = sum(one.values for one in clipped(model, x, UNITS) if one.tensor == "delta")
    assert total == lost


def test_half_a_step_beyond_the_end_is_rounded_and_not_clipped(model):
    step = 2.0**model.input.exponent
    x = np.zeros((2, CONFIG.window, CONFIG.inputs))
    x[0, 3, 1] = (model.input.high + 0.49) * step
    x[1, 2, 0] = (model.input.low - 0.5) * step
    assert clipped(model, x, UNITS) == ()
    x[0, 3, 1] = (model.input.high + 0.5) * step
    (one,) = clipped(model, x, UNITS)
    assert (one.tensor, one.column, one.values, one.windows) == ("input", "outdoor", 1, 1)


def test_no_windows_have_nothing_clipped(model):
    assert clipped(model, windows(0, 1.0), UNITS) == ()
    assert clipped_sentences((), UNITS) == []
    assert wider_options((), UNITS) == []


def test_coverage_in_units(model):
    first, second, output = coverage(model, UNITS)
    step = 2.0**model.input.exponent
    assert (first.column, first.tensor, first.bits) == ("Power, kW", "input", 8)
    assert first.low == 100 - 128 * step * 20
    assert first.high == 100 + 127 * step * 20
    assert second.step == 3 * step
    assert second.low == -5 - 128 * step * 3
    assert output.tensor == "output"
    assert output.step == 20 * 2.0**model.output.exponent
    said = described(model, UNITS)
    assert said.startswith(f"Range: Power, kW from {first.low:.6g} to {first.high:.6g} in steps")
    assert f"outdoor from {second.low:.6g}" in said
    assert "(8-bit words; a window takes 128 bits of memory)" in said


def test_wider_words_say_what_they_cost():
    config = CONFIG.replace(input_bits=16, output_bits=12)
    said = described(initialize(config), UNITS)
    assert (
        "(16-bit and 12-bit words; a window takes 256 bits of memory, 128 more than in 8-bit"
        in said
    )


def test_a_sentence_names_how_many_where_how_far_and_the_remedy(model):
    x = np.zeros((4, CONFIG.window, CONFIG.inputs))
    limit = (model.input.high + 0.5) * 2.0**model.input.exponent
    x[1, :, 0] = limit + 1.0  # no difference to its last step
    x[2, -2:, 1] = -3 * limit
    found = clipped(model, x, UNITS, part="test")
    assert [(one.tensor, one.column) for one in found][:2] == [
        ("input", "Power, kW"),
        ("input", "outdoor"),
    ]
    (sentence,) = clipped_sentences([one for one in found if one.tensor == "input"], UNITS)
    beyond = x[1, 0, 0] * 20 + 100 - found[0].high
    assert sentence.startswith(
        f"Test windows: 8 of 32 values of Power, kW (in 1 of 4 windows) are up to {beyond:.3g}"
        " beyond"
    )
    assert "2 of 32 values of outdoor (in 1 of 4 windows)" in sentence
    low, high = found[0].low, found[0].most
    assert "they are clipped: train with --range " in sentence
    option = sentence.split("train with --range ")[1].split(" --range ")[0]
    asked = [float(limit) for limit in option.split(",")]
    assert asked[0] <= low < low + 0.1 * (high - low)
    assert high <= asked[1] <= high + 0.1 * (high - low)
    assert "--range outdoor=" in sentence


def test_a_name_with_a_comma_is_quoted_for_the_shell(model):
    units = SimpleNamespace(**{**vars(UNITS), "target": "outdoor"})
    x = np.full((1, CONFIG.window, CONFIG.inputs), 50.0)
    found = clipped(model, x, units)
    assert any(option.startswith("--range 'Power, kW=") for option in wider_options(found, units))
    assert clipped_sentences(found, units)[0].startswith("8 of 8 values of Power, kW")


def test_forecasts_at_an_end_ask_for_more_than_they_reached(model):
    forecast = np.full((3, 3), model.output.high * 2.0**model.output.exponent)
    found = clipped(model, np.zeros((3, CONFIG.window, CONFIG.inputs)), UNITS, forecast=forecast)
    (one,) = found
    assert (one.tensor, one.values, one.of, one.windows) == ("output", 9, 9, 3)
    (option,) = wider_options(found, UNITS)
    low, high = (float(limit) for limit in option.removeprefix("--range ").split(","))
    assert low == pytest.approx(one.low, abs=0.1 * (one.high - one.low))
    assert high > one.high + 0.4 * (one.high - one.low)
    assert (
        "9 of 9 forecasts of Power, kW (in 3 of 3 windows) reach an end of"
        in (clipped_sentences(found, UNITS)[0])
    )


def test_few_clipped_differences_are_data_and_no_sentence(model):
    few = clipping.Clipped(
        part="",
        tensor="delta",
        column="outdoor",
        bits=8,
        values=1,
        of=100,
        windows=1,
        of_windows=10,
        low=-1.0,
        high=1.0,
        least=-2.0,
        most=0.5,
    )
    assert clipped_sentences([few], UNITS) == []
    many = dataclasses.replace(few, values=2)
    (sentence,) = clipped_sentences([many], UNITS)
    assert "2 of 100 values of outdoor less its last one" in sentence
    assert sentence.endswith(
        "they are clipped: if changes grow, train with --delta 16; if the sensor jumped, leave it"
    )
    (sentence,) = clipped_sentences([dataclasses.replace(many, bits=16)], UNITS)
    assert sentence.endswith("they are clipped")
    assert few.to_dict()["values"] == 1
