"""Targets that no input holds: now, some rows ahead, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from bitformer.model.baselines import (
    LINEAR,
    MEAN,
    REPEAT_DAY,
    REPEAT_LAST,
    baseline_forecasts,
    baselines,
    off_device,
)
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.parts import rows_needed
from bitformer.model.data.splits import fractions
from bitformer.model.data.synthetic import COLUMNS
from bitformer.model.errors import UserError

ROWS = 300


def written(path: Path, values: np.ndarray, header: str = "time,x,z,y,place") -> str:
    """A file of three columns by the hour, with one of words."""
    lines = [header]
    for row, (x, z, y) in enumerate(values):
        day, hour = divmod(row, 24)
        time = f"2024-{1 + day // 28:02d}-{1 + day % 28:02d} {hour:02d}:00"
        lines.append(f"{time},{x:.6f},{z:.6f},{y:.6f},here")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def rows() -> np.ndarray:
    """Each row's number, twice it, three times it."""
    return np.arange(ROWS)[:, np.newaxis] * [1.0, 2.0, 3.0]


@pytest.fixture
def counting(tmp_path):
    return written(tmp_path / "counting.csv", rows())


def load(path: str, **options):
    return load_dataset(
        path, **{"window": 5, "horizon": 1, "time": "time", "step": "row"} | options
    )


def in_rows(data, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of a part's inputs, of its targets, and of the target's past."""
    windows = getattr(data, part)
    x = windows.x[..., 0] * data.std[0] + data.mean[0]
    y, past = (one * data.target_std + data.target_mean for one in (windows.y, windows.past))
    x, y, past = (np.rint(one).astype(int) for one in (x, y / 3, past / 3))
    return x, y, past


@pytest.mark.parametrize(("ahead", "horizon"), [(0, 1), (1, 1), (1, 4), (2, 3), (24, 2)])
def test_targets_are_so_many_rows_after_the_window(counting, ahead, horizon):
    data = load(counting, target="y", inputs="x,z", ahead=ahead, horizon=horizon)
    for part, (start, stop) in zip(("train", "val", "test"), fractions(ROWS).ranges, strict=True):
        x, y, past = in_rows(data, part)
        windows = getattr(data, part)
        assert (y - x[:, -1:] == ahead + np.arange(horizon)).all()
        np.testing.assert_array_equal(past, x)
        np.testing.assert_array_equal(x[:, 0], windows.begin)
        np.testing.assert_array_equal(x[:, -1], windows.last)
        assert y[-1, -1] == stop - 1, "the part's last target is used"
        assert y[0, 0] == max(start, 5 + ahead - 1), "and so is its first"


def test_no_window_spans_a_gap_before_its_target(tmp_path):
    """The rows between a window and its target count, too."""
    values = rows()
    values[100:110] = np.nan
    path = written(tmp_path / "gap.csv", values)
    for ahead in (0, 1, 7):
        data = load(path, target="y", inputs="x", ahead=ahead)
        x, y, _ = in_rows(data, "train")
        assert (y[:, 0] - x[:, -1] == ahead).all()
        expected = np.r_[4 + ahead : 100, 114 + ahead : 180]
        np.testing.assert_array_equal(y[:, 0], expected)


@pytest.mark.parametrize("ahead", [0, 1, 3, 40])
@pytest.mark.parametrize("window", [2, 7])
def test_rows_needed_is_the_fewest(tmp_path, window, ahead):
    needed = rows_needed(window, 1, ahead)
    sizes = {"window": window, "horizon": 1, "target": "y", "inputs": "x", "ahead": ahead}
    data = load(written(tmp_path / "enough.csv", rows()[:needed]), **sizes)
    assert min(len(data.train), len(data.val), len(data.test)) >= 1
    few = written(tmp_path / "few.csv", rows()[: needed - 1])
    with pytest.raises(UserError, match=f"at least {needed} rows"):
        load(few, **sizes)


def test_all_other_columns_sense_one(counting):
    data = load(counting, sense="y")
    assert (data.inputs, data.target, data.target_channel) == (("x", "z"), "y", None)
    assert data.train.ahead == 0
    assert "Inputs: x, z" in data.notes
    assert "y is sensed from the inputs, for the time of a window's last row" in data.notes
    assert load(counting, sense="x").inputs == ("z", "y")
    assert load(counting, sense="y", inputs="all").inputs == ("x", "z")
    assert load(counting, sense="y", inputs="z").inputs == ("z",)
    later = load(counting, sense="y", ahead=6, horizon=2)
    assert (later.inputs, later.train.ahead) == (("x", "z"), 6)


def test_a_generated_series_is_sensed():
    data = load_dataset("synthetic", window=24, horizon=1, sense=COLUMNS[2])
    assert data.inputs == tuple(name for name in COLUMNS if name != COLUMNS[2])


@pytest.mark.needs("data")
def test_ozone_is_sensed_from_what_is_meant_for_it():
    data = load_dataset("beijing-air", window=24, horizon=1, sense="O3")
    assert data.inputs == ("PM2.5", "PM10", "NO2", "CO", "TEMP", "DEWP", "WSPM")
    assert (data.target, data.train.ahead) == ("O3", 0)
    other = load_dataset("beijing-air", window=24, horizon=1, sense="TEMP")
    assert "TEMP" not in other.inputs
    assert "O3" in other.inputs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target": "y", "inputs": "x,y", "ahead": 0},
            r"^Inputs must not hold y where it is told for the window's last row \(ahead 0\): they"
            r" would give it away\. Leave y out of --inputs, or forecast it with --ahead 1$",
        ),
        ({"target": "y", "ahead": 0}, r"^Inputs must not hold y where"),
        (
            {"sense": "y", "horizon": 3},
            r"^Horizon must be 1 where y is told for the window's last row \(ahead 0\), not 3: say"
            r" --horizon 1, or forecast the rows after it with --ahead 1$",
        ),
        (
            {"sense": "y", "inputs": "x,y"},
            r"^Inputs must not hold y, which is to be sensed from the others: leave it out of"
            r" --inputs, or forecast it with --target y instead of --sense$",
        ),
        (
            {"sense": "y", "target": "x"},
            r"^Target must be left out where y is sensed, not be x: leave --target out$",
        ),
        ({"sense": "y", "ahead": -1}, r"^ahead must be 0 to 65535 rows, not -1: "),
        ({"sense": "nothing"}, r"nothing"),
        ({"sense": "y", "ahead": 290}, r"horizon of 1, 290 ahead, but its training part holds no"),
    ],
)
def test_what_cannot_be_sensed(counting, options, message):
    with pytest.raises(UserError, match=message):
        load(counting, **options)


def test_a_file_of_one_column_senses_nothing(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("y\n" + "".join(f"{i % 7}\n" for i in range(60)))
    with pytest.raises(UserError, match=r"one\.csv has none beside y$"):
        load(str(path), sense="y", time=None)


def test_what_is_a_function_of_now_is_sensed_now_and_not_ahead(tmp_path):
    """Noise without a memory, and a target that is made of it: the next row's cannot be known."""
    x = np.random.default_rng(0).normal(size=(2000, 2))
    values = np.column_stack([x, 2 * x[:, 0] - x[:, 1]])
    path = written(tmp_path / "now.csv", values)
    now, ahead = (baselines(load(path, sense="y", ahead=n)) for n in (0, 1))
    assert now[LINEAR] < 1e-4
    assert ahead[LINEAR] > 0.9
    assert now[MEAN] == pytest.approx(1, abs=0.2)


def test_the_past_of_what_is_sensed_is_no_baseline(tmp_path):
    """Repeating the last value would repeat the truth."""
    values = np.random.default_rng(1).normal(size=(600, 3))
    path = written(tmp_path / "noise.csv", values)
    now = load(path, sense="y", window=30)
    assert off_device(now) == {REPEAT_LAST, REPEAT_DAY}
    found = baseline_forecasts(now)
    assert (found[REPEAT_LAST], found[REPEAT_DAY]) == (None, None)
    assert not np.any(found[MEAN])
    own = load(path, target="y", window=30)
    assert off_device(own) == frozenset()
    assert MEAN not in baselines(own)


@pytest.mark.parametrize(("ahead", "horizon"), [(1, 30), (5, 1), (24, 2), (25, 3), (30, 26)])
def test_a_day_is_repeated_some_rows_ahead(tmp_path, ahead, horizon):
    day = np.random.default_rng(2).normal(size=24)
    y = np.tile(day, 40)
    values = np.column_stack([np.arange(960.0), np.arange(960.0) % 5, y])
    path = written(tmp_path / "days.csv", values)
    sizes = {"window": 26, "horizon": horizon, "ahead": ahead, "step": None}
    data = load(path, target="y", inputs="z", **sizes)
    assert data.period == 24
    assert baselines(data)[REPEAT_DAY] == pytest.approx(0, abs=1e-20)
