"""Windows that are gathered on a device are those that are cut from the series."""

import numpy as np
import pytest
import torch

from bitformer.model.data.windows import Windows
from bitformer.model.window_tensors import WindowTensors, some_windows

CPU = torch.device("cpu")


def windows(count: int = 500, *, gap: int = 0, ahead: int = 1) -> Windows:
    rng = np.random.default_rng(0)
    rows = count + 11 + ahead
    first = np.delete(np.arange(7 + ahead, rows - 3), np.s_[100 : 100 + gap])
    return Windows(
        inputs=rng.normal(size=(rows, 3)),
        target=rng.normal(size=rows),
        first=first,
        window=8,
        horizon=4,
        ahead=ahead,
    )


@pytest.mark.parametrize(("gap", "ahead"), [(0, 1), (40, 1), (0, 0), (40, 5)])
def test_gathered_as_cut(gap, ahead):
    source = windows(gap=gap, ahead=ahead)
    x, y = WindowTensors.inputs(source, CPU), WindowTensors.targets(source, CPU)
    assert len(x) == len(y) == len(source)
    batch = torch.tensor([7, 0, 7, len(source) - 1])
    for which in (batch, slice(0, 9), slice(None)):
        at = which.numpy() if isinstance(which, torch.Tensor) else which
        assert torch.equal(x[which], torch.tensor(source.x[at], dtype=torch.float32))
        assert torch.equal(y[which], torch.tensor(source.y[at], dtype=torch.float32))
        assert x[which].is_contiguous()


def test_scales_are_of_all_windows_if_these_are_few():
    assert torch.equal(some_windows(windows()), torch.arange(len(windows())))


@pytest.mark.parametrize(("gap", "ahead"), [(0, 1), (40, 1), (0, 0), (40, 5)])
def test_of_many_windows_some_are_taken_with_the_extremes(gap, ahead):
    source = windows(3000, gap=gap, ahead=ahead)
    some = some_windows(source, most=640)
    assert 640 <= len(some) <= 640 + 16
    assert torch.equal(some, some.unique())
    assert int(some[0]) == 0
    assert int(some[-1]) == len(source) - 1
    assert (some.diff() == 1).sum() >= 560, "rows that follow one another"
    x, y = source.x, source.y
    chosen = some.numpy()
    for end in (np.min, np.max):
        np.testing.assert_array_equal(end(x[chosen], (0, 1)), end(x, (0, 1)))
        assert end(y[chosen]) == end(y)
