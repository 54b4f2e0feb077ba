"""Windows of a detector: scaled by clean rows, parts apart, all channels judged."""

import numpy as np
import pytest
import torch

from bitformer.model.data.detection import DetectionSeries
from bitformer.model.data.detection_windows import Stretches, detection_dataset, series_windows
from bitformer.model.data.windows import Windows
from bitformer.model.errors import UserError
from bitformer.model.window_tensors import WindowTensors, some_windows

RNG = np.random.default_rng(0)


def series(rows=300, segments=None, clean=50):
    values = RNG.normal(size=(rows, 2)) * [1.0, 5.0] + [10.0, -3.0]
    return DetectionSeries(
        name="made",
        columns=("a", "b"),
        values=values,
        times=None,
        lines=np.arange(rows),
        made=np.zeros(rows, bool),
        anomaly=np.zeros(rows, bool),
        windows=(),
        clean=clean,
        segments=segments or ((0, rows),),
        step=None,
    )


def test_a_series_is_scaled_by_its_clean_rows():
    one = series()
    one.values[50:] += 100
    found = series_windows(one, window=8, ahead=0)
    scaled = found.inputs
    assert np.allclose(scaled[:50].mean(axis=0), 0)
    assert np.allclose(scaled[:50].std(axis=0), 1)
    assert scaled[60, 0] > 50
    assert found.first.tolist() == list(range(7, 300))
    assert found.x[0].tolist() == scaled[:8].tolist()
    assert found.y.tolist() == scaled[7:].tolist()  # the last row itself
    ahead = series_windows(one, window=8, ahead=3)
    assert ahead.y[0].tolist() == scaled[10].tolist()
    assert ahead.x[0].tolist() == scaled[:8].tolist()


def test_a_channel_that_does_not_change_is_not_scaled():
    one = series()
    one.values[:50, 1] = 7.0
    assert np.isfinite(series_windows(one, window=8).inputs).all()


def test_parts_share_no_row():
    one = series(rows=1000)
    found = detection_dataset(
        one, window=8, ahead=1, stretches=Stretches(rows=100, apart=40, clean=30)
    )
    assert found.task == "detect"
    assert found.inputs == ("a", "b")
    assert found.train.outputs == 2
    values = np.concatenate([part.y for part in (found.train, found.val, found.test)])
    assert np.abs(values).max() < 12
    # at 0, 40, … 520; from 620 on at 640 and 680; from 780 on at 800, 840 and 880
    assert found.notes == (
        "14 training, 2 validation and 3 test stretches of 100 rows, each scaled by its first 30",
    )
    assert len(found.train) == 14 * (100 - 8)
    scaled = found.train.inputs[:100]
    assert np.allclose(scaled[:30].mean(axis=0), 0)
    # no window reaches into another stretch
    for part in (found.train, found.val, found.test):
        assert (part.begin // 100 == part.first // 100).all()


def test_overlapping_stretches_of_two_parts_are_left_out():
    one = series(rows=1000)
    options = Stretches(rows=100, apart=40, clean=30)
    found = detection_dataset(one, window=8, ahead=0, stretches=options)
    rows = {
        part: {
            tuple(row)
            for at in np.unique(getattr(found, part).first // 100)
            for row in [tuple(found.train.inputs[at * 100].round(6))]
        }
        for part in ("train", "val", "test")
    }
    assert not rows["train"] & rows["val"]
    assert not rows["val"] & rows["test"]


def test_gaps_end_a_stretch():
    one = series(rows=600, segments=((0, 250), (260, 600)))
    found = detection_dataset(
        one, window=8, ahead=0, stretches=Stretches(rows=100, apart=50, clean=30)
    )
    assert "stretches of 100 rows" in found.notes[0]


def test_a_short_series_is_refused():
    with pytest.raises(UserError, match=r"^made must have rows for stretches of 200 in each part"):
        detection_dataset(series(), window=8, stretches=Stretches(rows=200, apart=50, clean=30))


def test_targets_go_one_by_one_then_step_by_step():
    rows = np.arange(24.0).reshape(8, 3)
    windows = Windows(
        inputs=rows, target=rows[:, :2], first=np.array([3, 5]), window=2, horizon=3, ahead=1
    )
    assert windows.outputs == 6
    assert windows.y.tolist() == [[9, 12, 15, 10, 13, 16], [15, 18, 21, 16, 19, 22]]
    tensors = WindowTensors.targets(windows, torch.device("cpu"))
    assert tensors[torch.tensor([0, 1])].tolist() == windows.y.tolist()
    assert tensors[:].tolist() == windows.y.tolist()


def test_windows_with_the_extremes_of_each_target_set_scales():
    rows = RNG.normal(size=(5000, 2))
    rows[1234, 0], rows[4321, 1] = 50.0, -50.0
    windows = Windows(
        inputs=rows, target=rows, first=np.arange(4, 5000), window=4, horizon=1, ahead=1
    )
    some = windows.take(some_windows(windows, most=128).numpy())
    assert some.y.max() == 50.0
    assert some.y.min() == -50.0
