"""Tables of the calendar in the integer model: the row that the time selects is added to a bias."""

from dataclasses import replace

import numpy as np
import pytest
from model_changes import with_name, with_tensor

from bitformer.model import reference
from bitformer.model.calendar import calendar_of
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Linear

BOTH = ("hour", "weekday")


def model_with(calendar, name="tiny"):
    return initialize(named_config(name).replace(calendar=calendar), seed=3)


def plain_at(model, hour, weekday):
    """The model without a calendar whose biases are those of one time."""
    at = {"hour": hour, "weekday": weekday}
    numbers = [at[name] for name in model.config.calendar]

    def fixed(op):
        if not isinstance(op, Linear) or op.clock is None:
            return op
        return replace(op, bias=op.bias[numbers[op.clock]], clock=None)

    return IntegerModel(
        config=model.config.replace(calendar=()),
        tensors=model.tensors,
        operations=tuple(map(fixed, model.operations)),
        constants=model.constants,
    )


@pytest.mark.parametrize("calendar", [("hour",), ("weekday",), BOTH])
def test_each_time_is_a_model_of_its_own(calendar):
    model = model_with(calendar)
    x = model.random_windows(np.random.default_rng(1), 40)
    found = reference.run(model, x)
    samples, clock = x[:, :24], x[:, 24:].reshape(40, -1)
    seen = set()
    for n in range(40):
        at = dict(zip(calendar, clock[n].tolist(), strict=True))
        other = plain_at(model, at.get("hour", 0), at.get("weekday", 0))
        expected = reference.run(other, samples[n : n + 1])
        for name, values in expected.items():
            assert np.array_equal(found[name][n : n + 1], values), name
        seen.add(tuple(at.items()))
    assert len(seen) > 5
    assert "clock" not in found


def test_tables_are_where_they_are_said_to_be():
    model = model_with(BOTH)
    tables = {op.y: (op.clock, len(op.bias)) for op in model.linears if op.clock is not None}
    assert tables == {
        "embedding": (0, 24),
        "output": (0, 24),
        "layers.0.add1": (1, 7),
        "path": (1, 7),
    }


def test_a_file_holds_the_tables(tmp_path):
    model = model_with(BOTH)
    save_model(model, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert model_hash(again) == model_hash(model)
    assert again.config.calendar == BOTH
    assert again.window_shape == (26, 1)


def test_several_channels_share_a_row_of_the_time():
    config = named_config("grid-12-32-4").replace(calendar=BOTH, input_bits=8)
    model = initialize(config)
    assert model.window_shape == (13, 7)
    x = model.random_windows(np.random.default_rng(0), 3)
    assert (x[:, 12, 2:] == 0).all()
    assert model.quantize_input(np.zeros((1, 12, 7)), [[23, 6]])[0, 12].tolist() == [23, 6] + 5 * [
        0
    ]


@pytest.mark.parametrize(
    ("clock", "sentence"),
    [
        (
            None,
            "clock must be given to a model with a calendar of ('hour', 'weekday'): integers of"
            " shape (1, 2), hour (0 to 23), weekday (0 to 6)",
        ),
        ([[24, 0]], "hour must be 0 to 23, not 24"),
        ([[0, -1]], "weekday must be 0 to 6, not -1"),
        ([[0]], "clock must have shape (1, 2), not (1, 1)"),
        ([[0.0, 1.0]], "clock must be integers, not float64"),
        ([[0], [0, 1]], "clock must have shape (1, 2), not rows of several lengths"),
    ],
)
def test_a_wrong_time_is_refused(clock, sentence):
    with pytest.raises(UserError) as refusal:
        model_with(BOTH).quantize_input(np.zeros((1, 24, 1)), clock)
    assert str(refusal.value) == sentence


def test_a_time_for_a_model_without_a_calendar_is_refused():
    with pytest.raises(UserError, match=r"^clock must be left out, as the model has no calendar$"):
        model_with(()).quantize_input(np.zeros((1, 24, 1)), [[0, 1]])


@pytest.mark.parametrize("asked", [3, [3], {"hour": 1}], ids=str)
def test_what_is_no_list_of_names_is_refused(asked):
    with pytest.raises(UserError, match=r"^calendar must be a text, such as hour,weekday, or a li"):
        calendar_of(asked)


def test_wrong_words_of_the_time_are_refused():
    model = model_with(("hour",))
    x = model.random_windows(np.random.default_rng(0), 2)
    x[1, -1] = 24
    with pytest.raises(UserError, match="hour must be 0 to 23, not 24"):
        reference.run(model, x)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"calendar": ("day",)}, "calendar must be of ['hour', 'weekday'], in this order, not"),
        ({"calendar": ("weekday", "hour")}, "in this order, not ('weekday', 'hour')"),
        ({"calendar": ("hour",), "input_bits": 4}, "input_bits must be at least 6 with a calendar"),
    ],
)
def test_wrong_calendars_are_refused(changes, sentence):
    with pytest.raises(UserError) as refusal:
        named_config("tiny").replace(**changes)
    assert sentence in str(refusal.value)


def test_a_table_of_other_rows_is_refused():
    model = model_with(("hour",))
    short = tuple(
        replace(op, bias=op.bias[:7]) if op.y == "output" else op for op in model.operations
    )
    with pytest.raises(UserError, match="bias must be of 24 rows, as hour has, not 7"):
        replace(model, operations=short)


def test_an_input_too_narrow_for_the_hours_is_refused():
    model = model_with(("hour",))
    with pytest.raises(UserError, match=r"bits must be enough for 23, of its calendar, not 5"):
        with_tensor(model, "input", bits=5)
    assert with_tensor(model, "input", bits=6).input.high == 31


def test_a_tensor_may_have_the_name_of_the_time_without_a_calendar():
    model = model_with(())
    named = with_name(model, "embedding", "clock")
    x = model.random_windows(np.random.default_rng(0), 2)
    found = reference.run(named, x)
    assert np.array_equal(found["clock"], reference.run(model, x)["embedding"])
    with pytest.raises(UserError, match="tensors must not be named clock beside a calendar"):
        with_name(model_with(("hour",)), "embedding", "clock")
