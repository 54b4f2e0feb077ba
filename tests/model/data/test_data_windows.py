"""Windows, scaling and splits, on series whose every value tells its row."""

import dataclasses

import numpy as np
import pytest

from bitformer.model.data.csv_source import Series
from bitformer.model.data.parts import rows_needed
from bitformer.model.data.reading import Reading
from bitformer.model.data.splits import Split, before, by_ett_months, by_fractions, fractions
from bitformer.model.data.synthetic import synthetic_series
from bitformer.model.data.windows import Dataset, make_dataset
from bitformer.model.errors import UserError


def counting(rows: int, **fields) -> Series:
    values = np.arange(rows, dtype=float)[:, np.newaxis] * [1, 10]
    return dataclasses.replace(
        Series(columns=("row", "ten"), values=values, lines=np.arange(rows) + 2), **fields
    )


def make(series: Series, *, window: int = 5, horizon: int = 3, split=by_fractions) -> Dataset:
    return make_dataset(
        series,
        name="counting",
        inputs=("ten", "row"),
        target="row",
        split=split,
        window=window,
        horizon=horizon,
        reading=Reading(max_fill=3),
    )


def rows_of(data: Dataset, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of a part's inputs, targets and past."""
    windows = getattr(data, part)
    scale, shift = data.target_std, data.target_mean
    x = windows.x * data.std + data.mean
    np.testing.assert_allclose(x[:, :, 0], 10 * x[:, :, 1], atol=1e-9)
    y, past = windows.y * scale + shift, windows.past * scale + shift
    return tuple(np.rint(v).astype(int) for v in (x[:, :, 1], y, past))  # type: ignore[return-value]


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (5, 3), (12, 1), (3, 8)])
def test_every_target_is_used_and_parts_are_in_order(window, horizon):
    data = make(counting(100), window=window, horizon=horizon)
    for part, (start, stop) in zip(("train", "val", "test"), fractions(100).ranges, strict=True):
        x, y, past = rows_of(data, part)
        begin = max(start, window)
        firsts = np.arange(begin, stop - horizon + 1)
        np.testing.assert_array_equal(y, firsts[:, np.newaxis] + np.arange(horizon))
        np.testing.assert_array_equal(x, firsts[:, np.newaxis] + np.arange(-window, 0))
        np.testing.assert_array_equal(past, x)


def test_scaling_knows_the_training_rows_only():
    data = make(counting(100))
    assert data.target_mean == pytest.approx(np.arange(60).mean())
    assert data.target_std == pytest.approx(np.arange(60).std())


def test_absurd_readings():
    series = counting(100)
    series.values[:, 1] *= 1e-4
    series.values[95, 1] = -1e308
    x = make(series).test.x
    # further from the mean than a float can say: the windows that see it keep its end
    assert x[..., 0].min() == -np.finfo(float).max
    assert (x < -1e300).sum() == 2
    assert np.isfinite(x).all()
    series.values[3, 1] = 1e308
    with pytest.raises(
        UserError, match=r"^ten is 1e\+308 in line 5, .* --missing 1e\+308 reads it"
    ):
        make(series)
    series.values[3:20:2, 1] = 1e308
    with pytest.raises(UserError, match=r"^Column 'ten' of counting must hold numbers whose squa"):
        make(series)


def test_shape_type_and_views():
    data = make(counting(100))
    x, y = data.train.x, data.train.y
    assert x.shape == (len(data.train), 5, 2)
    assert y.shape == (len(data.train), 3)
    assert np.shares_memory(x, data.train.inputs)
    assert not x.flags.writeable


def test_gap_windows_equal_the_windows_beside_them():
    series = counting(100)
    series.values[20:25] = np.nan
    data = make(series)
    x, y, _ = rows_of(data, "train")
    np.testing.assert_array_equal(y[:, 0], np.r_[5:18, 30:58])
    np.testing.assert_array_equal(x[:, -1] + 1, y[:, 0])


def test_take():
    data = make(counting(100))
    batch = data.train.take(np.array([7, 0, 7]))
    np.testing.assert_array_equal(batch.x, data.train.x[[7, 0, 7]])
    np.testing.assert_array_equal(batch.y, data.train.y[[7, 0, 7]])
    np.testing.assert_array_equal(data.train.take(slice(3, 9)).y, data.train.y[3:9])
    assert len(data.train.take(slice(0, 0)).x) == 0


@pytest.mark.parametrize("window", [1, 2, 7, 30])
@pytest.mark.parametrize("horizon", [1, 2, 9])
def test_rows_needed_is_the_fewest(window, horizon):
    needed = rows_needed(window, horizon)
    data = make(counting(needed), window=window, horizon=horizon)
    assert min(len(data.train), len(data.val), len(data.test)) >= 1
    with pytest.raises(ValueError, match=f"at least {needed} rows"):
        make(counting(needed - 1), window=window, horizon=horizon)


def test_ett_months():
    split = by_ett_months(counting(17420))
    assert split.ranges == ((0, 8640), (8640, 11520), (11520, 14400))


def test_split_by_date():
    hours = synthetic_series(rows=24 * 100)  # from 2020-01-01
    split = before(2020, 2, 1)(hours)
    assert (split.train, split.val, split.test) == (31 * 24, 31 * 24 + 69 * 12, 2400)
    with pytest.raises(ValueError, match="with times, not one without"):
        before(2020, 2, 1)(counting(10))


@pytest.mark.parametrize(
    ("step", "period"), [(3600, 24), (900, 96), (86400, 1), (7 * 3600, None), (7 * 86400, None)]
)
def test_period_is_a_day(step, period):
    times = np.arange(100) * float(step)
    assert make(counting(100, times=times, dated=True)).period == period
    assert make(counting(100, times=times)).period is None


def test_split_is_data():
    def split(_: Series) -> Split:
        return Split(train=50, val=60, test=70, rule="by hand")

    data = make(counting(100), split=split)
    assert data.notes[0] == "Split: by hand"
    assert data.test.first[-1] == 70 - 3


def test_synthetic_series_is_seeded():
    one, same, other = (synthetic_series(rows=50, seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
