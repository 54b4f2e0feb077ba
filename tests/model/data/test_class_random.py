"""Random recordings with classes, gaps and groups: windows are those of a slow rule, row by row."""

import numpy as np
import pytest
from class_harness import READINGS, made, spans
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.model.data import class_parts
from bitformer.model.data.class_windows import CLASS, GROUP, make_class_dataset
from bitformer.model.data.csv_source import Series
from bitformer.model.data.reading import Reading
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError


def expected(series: Series, reading: Reading, window: int) -> list[list[tuple[str, int, int]]]:
    """The recording, the row in it and the class of each window of each part, row by row."""
    assert series.labels is not None
    parts: list[list[tuple[str, int, int]]] = [[], [], []]
    classes = sorted({str(one) for one in series.texts[CLASS]} - {""})
    for name in dict.fromkeys(series.labels.tolist()):
        own = np.flatnonzero(series.labels == name)[:: reading.every]
        rows = len(own)
        if reading.test_groups:
            group = str(series.texts[GROUP][own[0]])
            val = reading.val_groups or ("g2" if reading.test_groups != ("g2",) else "g1",)
            at = 2 if group in reading.test_groups else 1 if group in val else 0
            ranges = [(0, rows) if i == at else (0, 0) for i in range(3)]
        else:
            ranges = [(0, rows * 3 // 5), (rows * 3 // 5, rows * 4 // 5), (rows * 4 // 5, rows)]
        for part, (start, stop) in zip(parts, ranges, strict=True):
            row = start
            while row < stop:
                end = row
                while end < stop and _goes_on(series, own[row], own[end]):
                    end += 1
                label = str(series.texts[CLASS][own[row]])
                for first in range(row, end - window + 1, reading.stride):
                    part.append((name, first, classes.index(label)))
                row = max(end, row + 1)
    return parts


def _goes_on(series: Series, first: int, row: int) -> bool:
    """Whether a stretch that begins with row ``first`` has ``row``, too."""
    labels = series.texts[CLASS]
    return labels[row] == labels[first] != "" and not np.isnan(series.values[row]).any()


def found(data: Dataset, series: Series, every: int) -> list[list[tuple[str, int, int]]]:
    """The same of windows that were cut."""
    assert series.labels is not None
    names = list(dict.fromkeys(series.labels.tolist()))
    sizes = [len(range(0, int((series.labels == name).sum()), every)) for name in names]
    ends = np.cumsum(sizes)
    out = []
    for part in (data.train, data.val, data.test):
        which = np.searchsorted(ends, [start for start, _ in spans(part)], side="right")
        begins = (part.begin - (ends - sizes)[which]).tolist()
        out.append(
            [
                (names[i], row, int(one))
                for i, row, one in zip(which, begins, part.label, strict=True)
            ]
        )
    return out


def check(seed: int, window: int, reading: Reading) -> bool:
    """Compare windows with those of the slow rule; tell whether there were any."""
    series = made(seed, groups=bool(reading.test_groups))
    try:
        data = make_class_dataset(
            series, name="made", target="what", window=window, reading=reading
        )
    except UserError:
        return False  # a class without training rows, a part without a window
    assert data.classes == ("a", "b", "c")[: len(data.classes)]
    assert found(data, series, reading.every) == expected(series, reading, window)
    assert np.isfinite(data.train.x).all()
    return True


def agrees(seed: int, window: int, reading: Reading) -> bool:
    """Whether windows are those of the slow rule."""
    try:
        check(seed, window, reading)
    except AssertionError:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=st.integers(1, 8), reading=READINGS)
def test_windows_are_those_of_the_slow_rule(seed, window, reading):
    check(seed, window, reading)


def test_most_random_recordings_have_windows():
    assert sum(check(seed, 4, Reading(max_fill=0)) for seed in range(40)) > 30


@pytest.mark.parametrize(
    "mutant", ["a window spans two classes", "a stride goes on after a gap", "an earlier part"]
)
def test_another_rule_is_noticed(monkeypatch, mutant):
    first_rows = class_parts.first_rows

    def other(cleaned, ranges, numbers, *, window, stride):
        if mutant == "a window spans two classes":
            some = np.where(numbers >= 0, 0, -1)
            return first_rows(cleaned, ranges, some, window=window, stride=stride)
        if mutant == "an earlier part":
            moved = [
                (max(0, start - 1), stop) if start < stop else (start, stop)
                for start, stop in ranges
            ]
            return first_rows(cleaned, moved, numbers, window=window, stride=stride)
        every, longest = first_rows(cleaned, ranges, numbers, window=window, stride=1)
        return every[::stride], longest

    monkeypatch.setattr("bitformer.model.data.class_windows.first_rows", other)
    same = [agrees(seed, 4, Reading(max_fill=0, stride=3)) for seed in range(20)]
    assert not all(same)
