"""What is tried where a model loses: it fits what the training looked like."""

from dataclasses import replace

import pytest

from bitformer.model.advice import Advice
from bitformer.model.config import named_config
from bitformer.model.data.steps import Step
from bitformer.model.precision import Precision

TINY = named_config("tiny")


def history(stage, *errors):
    return [{"stage": stage, "val": error} for error in errors]


def advised(dataset, *, config=TINY, baseline=0.1, **known):
    settings = {"epochs": 12, "qat_epochs": 8}
    return Advice(config=config, dataset=dataset, settings=settings, **known)(baseline)


def test_more_epochs_only_while_they_help(small_dataset):
    dataset = small_dataset(rows=200)
    better = history("float", 5, 4, 3, 2)
    assert advised(dataset, history=better)[0] == "--epochs 24"
    done = history("float", 5, 1, 3, 2) + history("qat", 3, 2, 1)
    assert "--epochs 24" not in advised(dataset, history=done)
    assert advised(dataset)[0] == "--epochs 24"


def test_a_longer_window_and_more_columns(small_dataset):
    one, two = small_dataset(rows=200), small_dataset(rows=200, inputs=2)
    assert advised(one)[1:] == (
        "--window 48 and a new -o",
        "--inputs all and a new -o, if there are other columns",
    )
    assert advised(two, config=TINY.replace(inputs=2)) == (
        "--epochs 24",
        "--window 48 and a new -o",
    )
    # no room for 48 + 6 rows in each part
    short = small_dataset(rows=50)
    assert not [one for one in advised(short) if "--window" in one]


def test_a_window_shorter_than_a_day_becomes_a_day(small_dataset):
    dataset = small_dataset(rows=200, window=8)
    config = TINY.replace(window=8)
    assert "--window 24 and a new -o" in advised(dataset, config=config)


@pytest.mark.parametrize(
    ("hours", "found"), [(1, "--calendar hour,weekday"), (24, "--calendar weekday"), (168, None)]
)
def test_the_clock_where_rows_have_one(small_dataset, hours, found):
    data = small_dataset(rows=200)
    dated = replace(data, step=Step(length=3600.0 * hours))
    asked = [one for one in advised(dated) if "--calendar" in one]
    assert asked == ([] if found is None else [f"{found} and a new -o"])
    plain = replace(data, step=Step(length=1.0, dated=False))
    known = TINY.replace(calendar=("weekday",))
    narrow = TINY.replace(input_bits=4)
    for others in (advised(plain), advised(dated, config=known), advised(dated, config=narrow)):
        assert not [one for one in others if "--calendar" in one]


@pytest.mark.parametrize(
    ("weights", "activations", "expected"),
    [
        (4, 8, ["--weights 8 and a new -o", "--activations 16 and a new -o"]),
        (8, 4, ["--activations 8 and a new -o"]),
        (8, 8, ["--activations 16 and a new -o"]),
    ],
)
def test_more_bits_where_the_float_model_wins(small_dataset, weights, activations, expected):
    bits = Precision(weights=weights, activations=activations)
    config = TINY.replace(default=bits)
    found = advised(small_dataset(), config=config, float_error=0.09)
    path = "--path 16 --delta 16 and a new -o"
    assert found == ("--qat-epochs 16", *expected, path)
    # a float model that ties with the baseline has not lost either
    assert advised(small_dataset(), config=config, float_error=0.0999) == found
    alone = config.replace(linear_path=False)
    assert advised(small_dataset(), config=alone, float_error=0.09) == found[:-1]
    lost = advised(small_dataset(), config=config, float_error=0.101)
    assert lost[0] == "--epochs 24"
