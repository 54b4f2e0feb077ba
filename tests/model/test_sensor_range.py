"""The range that a sensor may give: which columns, which numbers, in a run and in a model."""

import dataclasses

import numpy as np
import pytest

from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.export import export_run
from bitformer.model.initialize import initialize
from bitformer.model.meta import check_meta
from bitformer.model.sensor_range import asked_ranges, with_range
from bitformer.model.train import train
from bitformer.model.training_run import describe

FAST = {"epochs": 1, "qat_epochs": 1, "batch": 64}
CONFIG = named_config("tiny").replace(input_bits=16, output_bits=16, tensors={"delta": 16})


def test_of_the_target_or_of_columns_by_name(small_dataset):
    data = small_dataset(inputs=2)
    assert with_range(data, None).range == {}
    assert with_range(data, (0, 10)).range == {"x0": (0.0, 10.0)}
    both = with_range(data, {None: (0, 10), "x1": (-4.5, 4)})
    assert both.range == {"x0": (0.0, 10.0), "x1": (-4.5, 4.0)}
    # the mean is 3, the deviation 2
    asked = asked_ranges(both)
    assert asked.inputs == ((-1.5, 3.5), (-3.75, 0.5))
    assert asked.targets == ((-1.5, 3.5),)
    assert asked_ranges(with_range(data, {"x1": (1, 5)})).inputs == (None, (-1.0, 1.0))
    assert asked_ranges(with_range(data, {"x1": (1, 5)})).targets == (None,)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"x7": (0, 1)}, "must name a column of the model, one of x0, x1, not 'x7'"),
        ((1, 1), r"range of x0 must be two numbers, the lower first, such as 0,100, not \(1, 1\)"),
        ((5, 1), "the lower first"),
        ((0, float("inf")), "two numbers"),
        ((0, float("nan")), "two numbers"),
        ((0, 1, 2), "two numbers"),
        ((0,), "two numbers"),
        (("a", "b"), "two numbers"),
        ({"x1": None}, "range of x1 must be two numbers"),
        ({None: (0, 1), "x0": (0, 2)}, "range of x0 must be given once, not twice"),
    ],
)
def test_what_is_no_range(small_dataset, asked, message):
    with pytest.raises(UserError, match=message):
        with_range(small_dataset(inputs=2), asked)


def test_it_is_in_the_run_and_the_model_and_decides_the_words(small_dataset, tmp_path):
    data = with_range(small_dataset(), (-61, 67))
    assert describe(data)["range"] == {"x0": [-61.0, 67.0]}
    assert "range" not in describe(small_dataset())
    train(CONFIG, data, run_dir=tmp_path / "a", **FAST)
    model = export_run(tmp_path / "a")
    assert model.meta["dataset"]["range"] == {"x0": [-61.0, 67.0]}
    # 32 deviations of 2 to either side of 3: from -61 to just below 67, not one step wider
    assert (model.input.exponent, model.output.exponent) == (-9, -9)
    # without a range, a model of its own
    with pytest.raises(UserError, match="holds another run, with a difference in dataset"):
        train(CONFIG, small_dataset(), run_dir=tmp_path / "a", **FAST)
    # a float model knows no words: it serves another range
    other = with_range(small_dataset(), (0, 10))
    rest = {"qat_epochs": 1, "batch": 64}
    train(CONFIG, other, run_dir=tmp_path / "b", float_run=tmp_path / "a", **rest)
    narrow = export_run(tmp_path / "b")
    assert narrow.input.exponent == -13
    with pytest.raises(UserError, match="leave --range out, or train without --keep-scales"):
        train(
            CONFIG,
            other,
            run_dir=tmp_path / "c",
            float_run=tmp_path / "a",
            keep_scales=True,
            **rest,
        )


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"y": [0, 1]}, "range must name columns of the model, not 'y'"),
        ({"a": [1, 0]}, "range of 'a' must be two numbers, the lower first, not \\[1, 0\\]"),
        ({"a": [0, 1, 2]}, "range of 'a' must be two numbers"),
        ({"a": ["0", 1]}, "must be a number"),
        ([0, 1], "must be an object"),
    ],
)
def test_a_model_file_with_an_impossible_range(found, message):
    config = initialize(named_config("tiny")).config
    data = {"inputs": ["a"], "target": "a"}
    check_meta({"dataset": {**data, "range": {"a": [0, 1.5]}}}, config)
    check_meta({"dataset": data}, config)
    with pytest.raises(UserError, match=message):
        check_meta({"dataset": {**data, "range": found}}, config)


def test_a_constant_column_and_a_target_that_is_no_input(small_dataset, tmp_path):
    data = small_dataset(inputs=2)
    columns = data.train.inputs.copy()
    columns[:, 1] = 0.0
    parts = {
        part: dataclasses.replace(getattr(data, part), inputs=columns)
        for part in ("train", "val", "test")
    }
    data = dataclasses.replace(data, **parts, target="y", target_channel=None)
    config = CONFIG.replace(inputs=2, subtract_last=False, tensors={})
    train(config, with_range(data, (0, 6.9)), run_dir=tmp_path, **FAST)
    model = export_run(tmp_path)
    largest = np.abs(columns[:, 0]).max()
    assert 2.0 ** (15 + model.input.exponent) > 4 * largest
    # 1.95 deviations above the mean of 3, 1.5 below
    assert model.output.exponent == -14
