"""Scales of the input, the output and a wide difference: the rule, and what it is for."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.model import calibrate as calibration
from bitformer.model.calibrate import MovingRanges, calibrate
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.export import export
from bitformer.model.interface_scales import (
    FINE_BITS,
    HEADROOM,
    LEAST_HEADROOM,
    STEPS_IN_CHANGE,
    Words,
    delta_exponent,
    input_exponent,
    output_exponent,
)
from bitformer.model.reference import predict
from bitformer.model.sensor_range import AskedRanges
from bitformer.model.transformer import Transformer

STEP = Fraction(2)


def rounded(value, exponent):
    return math.floor(Fraction(value) / STEP**exponent + Fraction(1, 2))


def covering(values, low, high):
    """The smallest exponent that clamps nothing, found by trying."""
    exponent = -19
    while any(not low <= rounded(value, exponent) <= high for value in values):
        exponent += 1
    return exponent


def fitted(values, low, high):
    """The exponent of least squared error, of the covering one and the 8 below it."""

    def error(exponent):
        kept = (min(max(rounded(v, exponent), low), high) * STEP**exponent for v in values)
        return sum((k - Fraction(v)) ** 2 for k, v in zip(kept, values, strict=True))

    largest = covering(values, low, high)
    return min(range(largest, largest - 9, -1), key=error)


def limits(bits):
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def slowly(columns, bits, *, least=-24):
    """The rule in exact arithmetic; ``columns`` : (all values, some row by row) of each."""
    low, high = limits(bits)
    fit = fitted([value for values, _ in columns for value in values], low, high)
    if bits <= 11:
        return fit
    fine, change, lower, upper = [], [], [], []
    for values, series in columns:
        if not any(values):
            continue
        extreme = max(abs(Fraction(value)) for value in values)
        changes = sorted(abs(b - a) for a, b in itertools.pairwise(series) if a != b)
        fine.append(fitted(values, -1024, 1023))
        lower.append(covering([-4 * extreme, 4 * extreme], low, high))
        upper.append(covering([-16 * extreme, 16 * extreme], low, high))
        if changes:
            quarter = Fraction(changes[(len(changes) - 1) // 2]) / 4
            change.append(max(e for e in range(-60, 25) if STEP**e <= quarter))
    if not fine:
        return fit
    wanted = max(*lower, min(max(upper), *change, 24), least)
    return max(fit, min(*fine, 24, wanted))


def windows_of(series, window=3):
    return np.lib.stride_tricks.sliding_window_view(series, window, axis=0)


# differences are exact, so that the rule can be followed to the last bit
SERIES = st.lists(st.integers(-4000, 4000).map(lambda n: n / 512), min_size=5, max_size=12)
BITS = st.sampled_from([4, 8, 10, 11, 12, 13, 16])


@given(series=SERIES, bits=BITS)
@settings(max_examples=150, deadline=None)
def test_one_column_by_the_rule(series, bits):
    x = torch.tensor(windows_of(np.array(series))[:, :, None].copy())
    values = x.reshape(-1).tolist()
    assert input_exponent(Words.of(bits), x) == slowly([(values, series[2:])], bits)


@given(one=SERIES, other=SERIES, bits=BITS, constant=st.booleans())
@settings(max_examples=120, deadline=None)
def test_several_columns_share_what_they_need(one, other, bits, constant):
    rows = min(len(one), len(other))
    table = np.array([one[:rows], [0.0] * rows if constant else other[:rows]]).T
    x = torch.tensor(windows_of(table).transpose(0, 2, 1).copy())
    columns = [(x[..., n].reshape(-1).tolist(), table[2:, n].tolist()) for n in (0, 1)]
    assert input_exponent(Words.of(bits), x) == slowly(columns, bits)


@given(series=SERIES, bits=BITS, covered=st.integers(1, 4000))
@settings(max_examples=120, deadline=None)
def test_the_output_covers_what_is_added(series, bits, covered):
    y = torch.tensor(windows_of(np.array(series), 2).copy())
    added, (low, high) = (-covered / 8, covered / 8), limits(bits)
    least = covering([Fraction(-covered, 8), Fraction(covered, 8)], low, high)
    columns = [(y.reshape(-1).tolist(), series[:-1])]
    assert output_exponent(Words.of(bits), y, added=added) == slowly(columns, bits, least=least)
    assert output_exponent(Words.of(bits), y) == slowly(columns, bits)


@given(series=SERIES, bits=st.sampled_from([12, 14, 16]), exponent=st.integers(-12, -4))
@settings(max_examples=120, deadline=None)
def test_a_difference_is_no_finer_than_the_input_nor_wider(series, bits, exponent):
    x = torch.tensor(windows_of(np.array(series))[:, :, None].copy())
    low, high = limits(16)
    widest = (high - low) * 2.0**exponent
    found = delta_exponent(Words.of(bits), x, exponent, widest)
    deltas = (x - x[:, -1:]).reshape(-1).tolist()
    most = covering([-Fraction(widest), Fraction(widest)], *limits(bits))
    assert found == max(exponent, min(most, slowly([(deltas, series[2:])], bits)))


def noise(amplitude=1.0, rows=400, seed=0):
    return amplitude * np.random.default_rng(seed).uniform(-1, 1, rows)


def as_x(series, window=8):
    return torch.tensor(windows_of(series, window)[:, :, None].copy())


def magnitude(exponent, bits):
    return 2.0**exponent * 2 ** (bits - 1)


def test_sixteen_bits_cover_sixteen_times_the_training_rows():
    series = noise(1.9)
    exponent = input_exponent(Words.of(16), as_x(series))
    assert HEADROOM * 1.9 < magnitude(exponent, 16) < 2 * HEADROOM * 1.9 + 1
    assert (HEADROOM, LEAST_HEADROOM, STEPS_IN_CHANGE, FINE_BITS) == (16, 4, 4, 11)


def test_small_steps_of_a_walk_are_kept_at_the_cost_of_headroom():
    """Prices: the change of a day is a hundredth of the spread of years."""
    walk = np.sin(np.arange(4000) / 600) * 1.7
    x = as_x(walk)
    exponent = input_exponent(Words.of(16), x)
    change = np.median(np.abs(np.diff(walk)))
    assert change / 8 < 2.0**exponent <= change / 4
    assert LEAST_HEADROOM * 1.7 < magnitude(exponent, 16) < HEADROOM * 1.7
    # so small steps that less than four times the training rows were covered are given up
    crawl = as_x(np.sin(np.arange(20000) / 40000) * 4)
    largest = float(crawl.max())
    exponent = input_exponent(Words.of(16), crawl)
    assert LEAST_HEADROOM * largest <= magnitude(exponent, 16) < 2 * LEAST_HEADROOM * largest


@pytest.mark.parametrize("bits", [4, 6, 8, 10, 11])
def test_few_bits_are_fitted_as_ever(bits):
    x = as_x(noise(3.0))
    low, high = limits(bits)
    best = int(calibration.best_exponent(x.reshape(1, -1), low, high))
    assert input_exponent(Words.of(bits), x) == best
    assert output_exponent(Words.of(bits), x[..., 0], added=(-1e3, 1e3)) == best


def test_a_spike_is_covered_and_takes_the_headroom():
    series = noise(0.005)
    series[100] = 20.0
    exponent = input_exponent(Words.of(16), as_x(series))
    assert LEAST_HEADROOM * 20 <= magnitude(exponent, 16) <= 2 * LEAST_HEADROOM * 20


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_a_range_that_is_asked_for_is_covered_and_no_more(bits):
    x, words = as_x(noise(3.0)), Words.of(bits)
    low, high = limits(bits)
    for asked in ((-1.0, 5.5), (-7.0, 0.5), (0.1, 0.2), (-3.0, -2.9)):
        exponent = input_exponent(words, x, [asked])
        assert exponent == covering(asked, low, high)
        assert output_exponent(words, x[..., 0], (asked,), added=(-50.0, 50.0)) == exponent
    with pytest.raises(UserError, match=rf"within {high} standard deviations .* {bits} bits"):
        input_exponent(words, x, [(0.0, 2.0 * high + 2)])
    with pytest.raises(UserError, match="or for more bits"):
        output_exponent(words, x[..., 0], [(0.0, 2.0 * high + 2)])


def test_a_range_for_one_of_several_columns():
    table = torch.cat([as_x(noise(3.0)), as_x(noise(2.0, seed=1))], dim=2)
    words = Words.of(16)
    alone = input_exponent(words, table[..., 1:])
    assert input_exponent(words, table, [(-1.0, 1.0), None]) == alone
    assert input_exponent(words, table, [(-900.0, 1.0), None]) == covering([-900], *limits(16))
    both = input_exponent(words, table, [(-1.0, 1.0), (-1.5, 1.0)])
    assert both == covering([-1.5], *limits(16))


CONFIG = TransformerConfig(
    name="wide",
    window=8,
    horizon=4,
    patch=4,
    d_model=4,
    ffn=4,
    subtract_last=True,
    input_bits=16,
    output_bits=16,
    tensors={"delta": 16},
)


def made(config=CONFIG, **options):
    torch.manual_seed(0)
    model = Transformer(config)
    # cycles with a trend, standardised
    rows = np.sin(np.arange(120) * 0.7) + np.arange(120) / 40 - 1.5
    x = as_x(rows[:-4] / rows.std()).to(torch.float32)
    y = torch.tensor(windows_of(rows[8:] / rows.std(), 4).copy(), dtype=torch.float32)
    calibrate(model, x, y, **options)
    return model, x.numpy().astype(np.float64)


@pytest.fixture
def clipped_first(monkeypatch):
    """The mutant: an input fitted to the training rows, so that it clips before subtraction."""

    def fit(words, x, asked=()):
        return words.fitted(x)

    monkeypatch.setattr(calibration, "input_exponent", fit)


def shifted_like_the_window(config=CONFIG):
    """Whether a window that is moved by whole steps moves its forecast by as much, exactly."""
    model, x = made(config)
    integer = export(model.eval())
    step = 2.0**integer.output.exponent
    for levels in (12.0, -12.0, 24.0):
        moved = predict(integer, x + step * round(levels / step))
        if not np.array_equal(moved, predict(integer, x) + step * round(levels / step)):
            return False
    return True


def test_levels_beyond_the_training_rows_are_forecast_alike():
    assert shifted_like_the_window()


def test_clipping_before_the_subtraction_is_caught(clipped_first):
    assert not shifted_like_the_window()


def test_clipping_the_output_is_caught(monkeypatch):
    monkeypatch.setattr(calibration, "output_exponent", lambda words, y, *_, **__: words.fitted(y))
    assert not shifted_like_the_window()


def test_the_scales_of_the_interface_do_not_learn():
    model, x = made()
    assert model.activations.fixed == {"input", "output", "delta"}
    before = model.activations.exponents()
    batch = torch.tensor(x, dtype=torch.float32)
    model.train()
    with MovingRanges(model):
        model(100 * batch).square().mean().backward()
    gradient = model.activations.log2_scale.grad
    index = model.activations.index
    assert gradient is not None
    for name in ("input", "output", "delta"):
        assert gradient[index[name]] == 0
        assert model.activations.exponents()[name] == before[name]
    assert gradient[index["embedding"]] != 0


def test_a_narrow_difference_learns_as_ever():
    model, _ = made(CONFIG.replace(tensors={"delta": 8}))
    assert model.activations.fixed == {"input", "output"}


@pytest.mark.parametrize("ranges", ["learned", "minmax", "moving-average"])
def test_a_wide_difference_has_headroom_whatever_the_others_follow(ranges):
    model, x = made(ranges=ranges)
    largest = np.abs(x - x[:, -1:]).max()
    exponents = model.activations.exponents()
    assert magnitude(exponents["delta"], 16) >= 0.99 * LEAST_HEADROOM * largest
    assert exponents["delta"] >= exponents["input"]


def test_a_wide_difference_has_no_zero_point():
    model, _ = made(CONFIG.replace(asymmetric=True))
    assert "delta" not in model.activations.movable
    assert export(model.eval()).tensors["delta"].zero == 0


def test_what_is_asked_for_reaches_the_model():
    asked = AskedRanges(inputs=((-100.0, 3.0),), targets=((-50.0, 3.0),))
    model, _ = made(asked=asked)
    exponents = model.activations.exponents()
    assert exponents["input"] == covering([-100], *limits(16))
    assert exponents["output"] == covering([-50], *limits(16))
