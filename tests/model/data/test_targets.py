"""Several targets in the windows of one data set: their order, their scales, their names."""

import numpy as np
import pytest

from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError

ROWS = 60


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Two series of known values, a third, and one of texts."""
    file = tmp_path_factory.mktemp("targets") / "two.csv"
    lines = [f"{k}.5,{1000 + k * k},{(k * 7) % 5},n{k}" for k in range(ROWS)]
    file.write_text("\n".join(["load,temp,wind,name", *lines]) + "\n")
    return file


def load(path, target, **options):
    return load_dataset(str(path), window=4, horizon=3, target=target, **options)


@pytest.mark.parametrize("target", ["load,temp", " load, temp ", ["load", "temp"]])
def test_several_targets_are_named_in_their_order(path, target):
    found = load(path, target)
    assert found.target_names == ("load", "temp") == found.inputs
    assert found.target == "load, temp"
    assert [one.channel for one in found.targets] == [0, 1]
    assert (found.target_mean, found.target_std, found.target_channel) == (0.0, 1.0, None)


def test_all_are_the_columns_of_numbers(path):
    found = load(path, "all")
    assert found.target_names == ("load", "temp", "wind") == found.inputs


def test_a_column_of_the_name_is_meant_first(tmp_path):
    file = tmp_path / "odd.csv"
    rows = [f"{k},{k * k % 7}" for k in range(40)]
    file.write_text("\n".join(['all,"a,b"', *rows]) + "\n")
    assert load(file, "all").target == "all"
    assert load(file, "a,b").target == "a,b"
    assert load(file, '"a,b",all').target_names == ("a,b", "all")


def test_windows_have_the_steps_of_one_target_after_those_of_another(path):
    found = load(path, "temp,load", inputs="wind,load")
    train = found.train
    assert train.outputs == 6
    first = int(train.first[2])
    rows = np.arange(first, first + 3)
    used = np.arange(int(0.6 * ROWS))
    for number, values in enumerate((1000.0 + rows * rows, rows + 0.5)):
        whole = 1000.0 + used * used if number == 0 else used + 0.5
        expected = (values - whole.mean()) / whole.std()
        assert train.y[2, 3 * number : 3 * number + 3] == pytest.approx(expected)
    temp, load_ = found.targets
    assert (temp.channel, load_.channel) == (None, 1)
    assert temp.mean == pytest.approx((1000.0 + used * used).mean())
    assert load_.std == pytest.approx((used + 0.5).std())
    assert any("Target temp is not an input" in note for note in found.notes)
    assert not any("Target load" in note for note in found.notes)


def test_each_target_by_itself_is_as_it_was_alone(path):
    several = load(path, "temp,load", inputs="load,temp")
    for one, name in zip(several.by_target, ("temp", "load"), strict=True):
        alone = load(path, name, inputs="load,temp")
        assert (one.target, one.target_mean, one.target_std, one.target_channel, one.targets) == (
            alone.target,
            alone.target_mean,
            alone.target_std,
            alone.target_channel,
            (),
        )
        for part in ("train", "val", "test"):
            ours, theirs = getattr(one, part), getattr(alone, part)
            assert np.array_equal(ours.y, theirs.y)
            assert np.array_equal(ours.x, theirs.x)
            assert np.array_equal(ours.past, theirs.past)
    alone = load(path, "load")
    assert alone.by_target == (alone,)
    assert [one.name for one in alone.target_scales] == ["load"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("load,load", r"^Target must be one or more different columns, not load, load: name each"),
        ([], r"^Target must be one or more different columns, not none: name each once with"),
        ("load,rain", r"rain"),
    ],
)
def test_what_no_targets_are(path, target, message):
    with pytest.raises(UserError, match=message):
        load(path, target)


def test_a_target_that_never_changes_is_named(tmp_path):
    file = tmp_path / "flat.csv"
    file.write_text("\n".join(["a,b", *(f"{k % 9},7" for k in range(60))]) + "\n")
    with pytest.raises(UserError, match=r"^Target 'b' of flat\.csv must change within the train"):
        load(file, "a,b")


def test_a_target_among_the_inputs_is_not_told_for_the_last_row(path):
    with pytest.raises(UserError, match=r"^Inputs must not hold load where it is told for the"):
        load_dataset(
            str(path), window=4, horizon=1, target="temp,load", inputs="load,wind", ahead=0
        )


def test_targets_that_are_no_inputs_are_told_for_the_last_row(path):
    found = load_dataset(str(path), window=4, horizon=1, target="temp,load", inputs="wind", ahead=0)
    last = found.test.last[0]
    temp, load_ = found.targets
    y = found.test.y[0] * [temp.std, load_.std] + [temp.mean, load_.mean]
    assert y == pytest.approx([1000 + last * last, last + 0.5])
