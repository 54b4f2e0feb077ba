"""Tables of the calendar in training: what they learn, how they round, and without a clock."""

import re

import numpy as np
import pytest
import torch
from dataset_harness import dataset
from train_harness import SHORT, TINY, WITH_PATH

from bitformer.model.baselines import LINEAR, LINEAR_FROM_LAST, baseline_forecasts, calendar_name
from bitformer.model.calendar import ROWS, calendar_of
from bitformer.model.calibrate import calibrate
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.evaluation import Evaluation, with_stopped_clock
from bitformer.model.export import export, export_run, load_run
from bitformer.model.line import become_line
from bitformer.model.optimizer import make_optimizer
from bitformer.model.own_data import suited
from bitformer.model.reference import predict, run
from bitformer.model.ridge import PENALTIES, linear_map, parts_of
from bitformer.model.torch_predict import predict as predict_in_torch
from bitformer.model.train import train
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer
from bitformer.model.transformer import Transformer

BOTH = ("hour", "weekday")
CALENDARS = [("hour",), ("weekday",), BOTH]


def told_by_the_clock(rows=1400, seed=0):
    """Values that follow from the hour and the day alone, by the hour from a Thursday's midnight.

    They do not follow from the values before: the profile is a jumble, in which each value stands
    twice with something else behind it.
    """
    rng = np.random.default_rng(seed)
    at = np.arange(rows)
    profile = rng.permutation(np.repeat(rng.normal(size=12), 2))
    day = rng.permutation(np.repeat(rng.normal(size=4), 2))[:7]
    return (profile[at % 24] + day[(at // 24 + 3) % 7] + 0.1 * rng.normal(size=rows))[:, None]


def data_of(calendar, *, window=2, horizon=1, **kinds):
    return dataset(told_by_the_clock(), window=window, horizon=horizon, calendar=calendar, **kinds)


def config_of(calendar, base=WITH_PATH, **changes):
    sizes = {"window": 2, "horizon": 1, "patch": 1, "d_model": 4, "heads": 1, "ffn": 4}
    return base.replace(calendar=calendar, **(sizes | {"subtract_last": False} | changes))


def rounded_line(data):
    """The line as a model, rounded, as an integer model, and its forecasts in floats."""
    model = Transformer(config_of(data.calendar))
    become_line(model, data)
    exact = predict_in_torch(model, data.test.x, data.test.clock)
    x, y = (torch.tensor(one, dtype=torch.float32) for one in (data.train.x, data.train.y))
    calibrate(model, x, y, clock=torch.from_numpy(data.train.clock))
    return model, export(model), exact


def test_ridge_with_hours_knows_what_the_clock_tells():
    data = data_of(BOTH)
    forecasts = baseline_forecasts(data)
    error = {
        name: np.mean((one - data.test.y) ** 2)
        for name, one in forecasts.items()
        if one is not None
    }
    timed = "linear, with hour and weekday"
    assert calendar_name(LINEAR, BOTH) == timed
    assert error[timed] < 0.05 < 0.5 < error[LINEAR]
    assert error[calendar_name(LINEAR_FROM_LAST, BOTH)] < 0.05
    # those without are as they are for data without a clock
    plain = baseline_forecasts(data.without_clock())
    assert list(plain) == [name for name in forecasts if ", with " not in name]
    assert np.array_equal(plain[LINEAR], forecasts[LINEAR])


def test_ridge_with_hours_is_one_over_their_indicators():
    data = data_of(BOTH)

    def features(part):
        hour, weekday = part.clock.T
        ones = [np.eye(24)[hour], np.eye(7)[weekday], np.ones((len(part), 1))]
        return np.concatenate([part.x.reshape(len(part), -1), *ones], axis=1)

    def fitted(penalty):
        x = features(data.train)
        weight = np.full(x.shape[1], penalty * len(x))
        weight[-1] = 0.0
        return np.linalg.solve(x.T @ x + np.diag(weight), x.T @ data.train.y)

    def error(weights):
        return np.mean((features(data.val) @ weights - data.val.y) ** 2)

    best = min(map(fitted, PENALTIES), key=error)
    found = baseline_forecasts(data)["linear, with hour and weekday"]
    assert found == pytest.approx(features(data.test) @ best, abs=1e-9)


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("subtract_last", [True, False])
def test_a_model_becomes_the_line_with_hours(calendar, subtract_last):
    data = data_of(calendar, window=5, horizon=3)
    config = config_of(calendar, window=5, horizon=3, subtract_last=subtract_last)
    model = Transformer(config).eval()
    become_line(model, data)
    found = predict_in_torch(model, data.test.x, data.test.clock)
    if subtract_last:  # the penalty is another: see shift_map
        near = baseline_forecasts(data)[calendar_name(LINEAR_FROM_LAST, calendar)]
        assert found == pytest.approx(near, abs=0.05)
    else:
        assert found == pytest.approx(
            baseline_forecasts(data)[calendar_name(LINEAR, calendar)], abs=1e-5
        )
    tables = parts_of(linear_map(data, subtract=0 if subtract_last else None), data)[1]
    assert {name: len(table) for name, table in tables.items()} == {n: ROWS[n] for n in calendar}


@pytest.mark.parametrize("calendar", CALENDARS)
def test_a_rounded_line_keeps_its_tables(calendar):
    """Nothing comes from the network, whose weights are 0: the table has a scale all the same."""
    data = data_of(calendar)
    model, integer, exact = rounded_line(data)
    found = predict(integer, data.test.x, data.test.clock)
    assert found == pytest.approx(exact, abs=0.03)
    assert np.array_equal(found, predict_in_torch(model, data.test.x, data.test.clock))


def test_a_bias_and_its_table_are_limited_together():
    """Each alone is within the limit of a bias, and both are not."""
    torch.manual_seed(0)
    config = config_of(("hour",), base=TINY)
    model = Transformer(config)
    x = torch.randn(64, 2, 1)
    clock = torch.arange(64)[:, None] % 24
    calibrate(model, x, torch.randn(64, 1), clock=clock)
    output = model.linears["output"]
    unit = 2.0 ** (model.activations.exponents()[export(model).linears[-1].x])
    limit = (2**23 - 1) * unit * 2.0 ** output.exponents()[0]
    with torch.no_grad():
        output.bias.fill_(0.75 * limit)
        output.calendar[:12].fill_(0.75 * limit)
        output.calendar[12:].fill_(-limit)
    model.eval()
    integer, trace = export(model), {}
    with torch.no_grad():
        model(x.double(), trace, clock=clock)
    values = run(integer, integer.quantize_input(x.numpy(), clock.numpy()))
    for name, tensor in values.items():
        assert np.array_equal(trace[name].numpy(), tensor), name
    bias = integer.linears[-1].bias + integer.tensors[integer.linears[-1].x].zero * (
        integer.linears[-1].weight.sum(axis=1)
    )
    assert abs(bias[:12]).max() >= 2**23 - 1 - 255 * 128
    assert abs(bias[12:]).max() < 2**22


def test_a_run_learns_what_the_clock_tells(tmp_path):
    """The float model, the rounded and the integer one; and the run on data without a clock."""
    data, config = data_of(BOTH), config_of(BOTH, base=TINY)
    settings = SHORT | {"epochs": 5, "qat_epochs": 1, "lr": 3e-2, "dropout": 0.0, "average": 0.9}
    result = train(config, data, run_dir=tmp_path / "with", **settings)
    integer = export_run(tmp_path / "with")
    assert integer.config.calendar == BOTH
    found = predict(integer, data.test.x, data.test.clock)
    assert np.mean((found - data.test.y) ** 2) == pytest.approx(result.quantized_test, rel=1e-12)
    model = load_run(tmp_path / "with")[0]
    assert np.array_equal(found, predict_in_torch(model, data.test.x, data.test.clock))
    scores = Evaluation.of(data, {"integer": found})
    assert result.quantized_test < 0.6 * scores.baselines[LINEAR]
    assert result.float_test < 0.6 * scores.baselines[LINEAR]
    with pytest.raises(UserError, match=re.escape("calendar must be [] as windows of made have")):
        train(config, data.without_clock(), run_dir=tmp_path / "none", **settings)
    assert scores.clock_sentence is None
    scores = with_stopped_clock(scores, integer)
    assert scores.stopped_clock > 1.5 * result.quantized_test
    assert scores.to_dict()["stopped_clock_mse"] == scores.stopped_clock
    assert "It takes the hour and the weekday of each window: without" in scores.clock_sentence


def test_a_stopped_clock_is_every_time_in_turn():
    data = data_of(("hour",))
    integer = rounded_line(data)[1]

    def error(clock):
        return np.mean((predict(integer, data.test.x, clock) - data.test.y) ** 2)

    errors = [error(np.full((len(data.test), 1), hour)) for hour in range(24)]
    scores = Evaluation.of(data, {"m": predict(integer, data.test.x, data.test.clock)})
    found = with_stopped_clock(scores, integer).stopped_clock
    assert found == pytest.approx(np.mean(errors), rel=0.1)


def test_tables_start_at_0_and_do_not_decay():
    config = config_of(BOTH)
    trainer = Trainer(
        config,
        data_of(BOTH),
        TrainSettings(epochs=1, qat_epochs=1).fitted(500),
        torch.device("cpu"),
    )
    tables = {n: p for n, p in trainer.model.named_parameters() if n.endswith(".calendar")}
    assert set(tables) == {
        *("input.calendar", "output.calendar", "path.calendar", "layers.0.o.calendar")
    }
    assert not any(table.any() for table in tables.values())
    optimizer = make_optimizer(trainer.model, trainer.settings, trainer.stage, learns_scales=False)
    plain = next(g for g in optimizer.param_groups if g["weight_decay"] == 0 and g["factor"] == 1)
    held = {id(parameter) for parameter in plain["params"]}
    assert {id(table) for table in tables.values()} <= held


def test_a_model_wants_the_time():
    with pytest.raises(ValueError, match="clock must be given to a model with a calendar"):
        Transformer(config_of(BOTH))(torch.zeros(1, 2, 1))


def test_a_config_follows_what_the_rows_have():
    config = config_of(BOTH)
    assert suited(config, data_of(BOTH))[0].calendar == BOTH
    assert suited(config, data_of(("weekday",)))[0].calendar == ("weekday",)
    assert suited(config, data_of(BOTH, dated=False))[0].calendar == ()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("hour", ("hour",)),
        ("weekday,hour", BOTH),
        ("hour, weekday", BOTH),
        (["weekday"], ("weekday",)),
        ("none", ()),
        ((), ()),
    ],
)
def test_how_a_calendar_is_asked_for(asked, found):
    assert calendar_of(asked) == found


@pytest.mark.parametrize("asked", ["", "day", "hour,hour", "hour;weekday", "hour,none"])
def test_a_calendar_that_is_none(asked):
    with pytest.raises(UserError, match="calendar must be hour, weekday or hour,weekday, or none"):
        calendar_of(asked)


def test_from_a_file(tmp_path):
    """Configurations without a calendar are those of before; JSON has a list."""
    config = config_of(BOTH)
    assert config.to_dict()["calendar"] == ["hour", "weekday"]
    assert TransformerConfig.from_dict(config.to_dict()) == config
    old = {name: value for name, value in WITH_PATH.to_dict().items() if name != "calendar"}
    assert TransformerConfig.from_dict(old) == WITH_PATH
