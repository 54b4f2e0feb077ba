"""Where training windows may begin instead: in their recording, class and part, and no further."""

import numpy as np
import pytest
from class_harness import READINGS, made
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bitformer.model.data import class_stretches
from bitformer.model.data.class_windows import CLASS, make_class_dataset
from bitformer.model.data.csv_source import Series
from bitformer.model.data.reading import Reading
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.numerics import standardised


def make(series: Series, window: int, reading: Reading) -> Dataset | None:
    try:
        return make_class_dataset(
            series, name="made", target="what", window=window, reading=reading
        )
    except UserError:
        return None  # a class without training rows, a part without a window


def read_rows(series: Series, reading: Reading) -> np.ndarray:
    """The rows of the file that the data are made of, in their order."""
    names = dict.fromkeys(series.labels.tolist())
    return np.concatenate([np.flatnonzero(series.labels == n)[:: reading.every] for n in names])


def limits_of(
    series: Series, place: np.ndarray, data: Dataset, first: int, reading: Reading
) -> tuple[int, int]:
    """The first and the last row of the file where a window may begin instead, row by row."""
    label, recording = series.texts[CLASS], series.labels
    train, every = data.train, reading.every
    own = [place[begin : begin + train.window] for begin in train.begin]
    begin = int(place[first])
    # training rows end where the next part's first row is
    later = [place[one] for part in (data.val, data.test) for one in part.begin]
    same = [row for row in later if recording[row] == recording[begin]]
    end = min(same, default=len(label))
    if not reading.test_groups:
        rows = len(np.flatnonzero(recording == recording[begin])[::every])
        start = int(np.flatnonzero(recording == recording[begin])[0])
        end = start + every * (rows * 3 // 5)
    assert own

    def goes_on(row: int) -> bool:
        return (
            0 <= row < min(end, len(label))
            and recording[row] == recording[begin]
            and label[row] == label[begin]
            and not np.isnan(series.values[row]).any()
        )

    low = high = begin
    while goes_on(low - 1):
        low -= 1
    while goes_on(high + 1):
        high += 1
    last = high - (train.window - 1) * every
    return (low, last) if last >= begin else (begin, begin)


def check(seed: int, window: int, reading: Reading) -> bool:
    """Compare where windows may begin with a slow rule; tell whether there were any."""
    series = made(seed, groups=bool(reading.test_groups))
    data = make(series, window, reading)
    if data is None:
        return False
    place, stretches = read_rows(series, reading), data.stretches
    begin, low, high = stretches.limits(data.train.begin, window)
    assert stretches.every == reading.every
    expected = [limits_of(series, place, data, first, reading) for first in data.train.begin]
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == expected
    assert begin.tolist() == place[data.train.begin].tolist()
    steps = reading.every * np.arange(window)
    assert np.array_equal(stretches.rows[begin[:, None] + steps], data.train.x)
    values = standardised(series.values, data.mean, data.std)
    for where in (low, high):
        moved = where[:, None] + steps
        np.testing.assert_array_equal(stretches.rows[moved], values[moved])
        assert np.isfinite(stretches.rows[moved]).all()
        label = series.texts[CLASS][moved]
        assert (label == label[:, :1]).all()
        assert [data.classes.index(one) for one in label[:, 0]] == data.train.label.tolist()
    return True


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=st.integers(1, 8), reading=READINGS)
def test_windows_may_begin_where_the_slow_rule_says(seed, window, reading):
    assume(check(seed, window, reading))


def test_a_window_may_begin_at_rows_that_are_left_out():
    reading = Reading(max_fill=0, every=3, stride=4)
    data = next(filter(None, (make(made(seed, groups=False), 4, reading) for seed in range(20))))
    begin, low, high = data.stretches.limits(data.train.begin, 4)
    assert ((begin - low) % 3 > 0).any()
    assert (high > begin).any()
    assert len(data.stretches.rows) > 2.5 * len(data.train.inputs)


@pytest.mark.parametrize("mutant", ["any part", "any class"])
def test_another_rule_is_noticed(monkeypatch, mutant):
    own = class_stretches.class_stretches

    def other(cleaned, ranges, numbers):
        if mutant == "any part":
            ranges = [(block.start, block.stop) for block in cleaned.blocks]
        return own(cleaned, ranges, np.zeros_like(numbers) if mutant == "any class" else numbers)

    def all_agree() -> bool:
        return sum(check(seed, 4, Reading(max_fill=0, every=2)) for seed in range(20)) > 10

    assert all_agree()
    monkeypatch.setattr(class_stretches, "class_stretches", other)
    with pytest.raises(AssertionError):
        all_agree()


def test_data_without_classes_have_no_stretches(small_dataset):
    assert small_dataset().stretches is None
