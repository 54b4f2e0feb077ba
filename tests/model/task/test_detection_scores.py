"""Scores of flags beside labelled anomalies: rows, windows, alarms, delays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitformer.model.task.detection_scores import (
    EventScores,
    PointScores,
    event_scores,
    point_scores,
)


def marks(text):
    return np.array([one == "1" for one in text])


ALL = np.ones(20, bool)


def test_rows_that_are_not_judged_do_not_count():
    flags, anomaly = marks("1100110"), marks("0100011")
    judged = marks("0111111")
    found = point_scores(flags, anomaly, judged)
    assert found == PointScores(hits=2, false=1, missed=1)
    assert (found.precision, found.recall) == (2 / 3, 2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    assert point_scores(flags, anomaly, ~marks("0000000")) == PointScores(hits=2, false=2, missed=1)


def test_points_of_several_files_are_added():
    one = PointScores(hits=1, false=2, missed=3)
    assert one + PointScores(hits=10, false=0, missed=5) == PointScores(hits=11, false=2, missed=8)


def test_nothing_flagged_and_nothing_to_find():
    nothing = PointScores(hits=0, false=0, missed=0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
    assert EventScores(found=0, windows=0, false=0, days=None, delays=()).f1 == 0


@pytest.mark.parametrize(
    ("flags", "windows", "found", "false", "delays"),
    [
        # two alarms in a window are one found window
        ("00001100100000000000", [(3, 12)], 1, 0, (1,)),
        # a flag that was up before the window is a false alarm, and does not find it
        ("00111111100000000000", [(4, 8)], 0, 1, ()),
        # unless another is raised in it
        ("00110111100000000000", [(3, 8)], 1, 1, (2,)),
        # an alarm that goes on behind the window is of the window
        ("00000111111111110000", [(3, 8)], 1, 0, (2,)),
        ("00000000110000000110", [(3, 8), (16, 20)], 1, 1, (1,)),
        ("00000000000000000000", [(3, 8)], 0, 0, ()),
        # always up: one false alarm, nothing found
        ("11111111111111111111", [(3, 8), (12, 15)], 0, 1, ()),
        ("00000000100000000000", [(3, 8)], 0, 1, ()),
    ],
)
def test_alarms_and_windows(flags, windows, found, false, delays):
    scores = event_scores(marks(flags), windows, ALL, days=0.5)
    assert (scores.found, scores.false, scores.delays) == (found, false, delays)
    assert scores.windows == len(windows)
    assert scores.false_a_day == 2 * false


def test_windows_and_alarms_among_the_clean_rows_do_not_count():
    judged = ALL.copy()
    judged[:6] = False
    flags = marks("01001111000000000000")
    found = event_scores(flags, [(0, 4), (4, 9)], judged)
    assert (found.found, found.windows, found.false) == (1, 1, 0)
    assert found.delays == (0,)  # from the first row that is judged
    assert found.false_a_day is None


@given(st.lists(st.booleans(), min_size=20, max_size=20), st.integers(0, 15), st.integers(1, 5))
def test_no_alarm_is_counted_twice(flags, start, rows):
    found = event_scores(np.array(flags), [(start, start + rows)], ALL)
    alarms = sum(b and not a for a, b in zip([False, *flags[:-1]], flags, strict=True))
    inside = sum(flags[i] and not (i and flags[i - 1]) for i in range(start, start + rows))
    assert found.false == alarms - inside
    assert found.found == (inside > 0)


def test_several_series_together():
    one = EventScores(found=1, windows=2, false=3, days=2.0, delays=(4,))
    both = EventScores.total([one, one])
    assert both == EventScores(found=2, windows=4, false=6, days=4.0, delays=(4, 4))
    assert (both.precision, both.recall) == (0.25, 0.5)
    assert both.f1 == pytest.approx(1 / 3)
    unknown = EventScores(found=0, windows=0, false=0, days=None, delays=())
    assert EventScores.total([one, unknown]).days is None
