"""A model of several targets: trained, scored and asked, each target in its own units."""

import dataclasses

import numpy as np
import pytest
import torch

from bitformer.model.adc_training import in_asked_words
from bitformer.model.augmentation import Augmentation
from bitformer.model.baselines import LINEAR, LINEAR_FROM_LAST, baseline_forecasts, off_device
from bitformer.model.clipping import clipped, clipped_sentences
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.coverage import coverage, described
from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.evaluation import Evaluation
from bitformer.model.export import export_run
from bitformer.model.forecasts.answer import Answer
from bitformer.model.initialize import initialize
from bitformer.model.line import become_line
from bitformer.model.own_data import suited
from bitformer.model.reference import predict
from bitformer.model.sensor_range import asked_ranges, with_range
from bitformer.model.torch_predict import predict as in_torch
from bitformer.model.train import train
from bitformer.model.transformer import Transformer

ROWS = 400


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(0)
    hours = np.arange(ROWS)
    load = 100 + 30 * np.sin(hours / 24 * 6.283) + rng.normal(0, 3, ROWS)
    temp = 15 + 5 * np.cos(hours / 24 * 6.283) + rng.normal(0, 0.5, ROWS)
    wind = rng.normal(4, 1, ROWS)
    file = tmp_path_factory.mktemp("targets") / "two.csv"
    lines = [
        f"2024-01-{1 + k // 24:02} {k % 24:02}:00,{load[k]:.3f},{temp[k]:.4f},{wind[k]:.3f}"
        for k in hours
    ]
    file.write_text("\n".join(["date,load,temp,wind", *lines]) + "\n")
    return str(file)


def loaded(path, target="temp,load", inputs="wind,load,temp", **options):
    options = {"window": 24, "horizon": 6, "time": "date"} | options
    return load_dataset(path, target=target, inputs=inputs, **options)


@pytest.fixture(scope="module")
def dataset(path):
    return loaded(path)


@pytest.fixture(scope="module")
def config(dataset):
    return suited(named_config("tiny"), dataset)[0]


@pytest.fixture(scope="module")
def run(config, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = {"epochs": 2, "qat_epochs": 2, "progress": False, "device": "cpu"}
    return train(config, dataset, run_dir=folder, **settings)


@pytest.fixture(scope="module")
def model(run):
    return export_run(run.run_dir)


def test_a_configuration_takes_targets_and_their_channels(config, dataset):
    assert (config.targets, config.target_channels, config.horizon) == (2, (2, 1), 6)
    assert config.added_channels == (2, 1)
    assert config.outputs == 12
    plain = named_config("tiny").replace(inputs=3)
    own = plain.head_inputs + 24 * 3
    assert config.macs == plain.macs + own * 6
    _, notes = suited(named_config("tiny"), dataset)
    assert "Config tiny forecasts 2 targets here: temp, load" in notes


def test_one_target_leaves_a_configuration_as_it_was(path):
    alone = loaded(path, "load", inputs="load")
    again = named_config("tiny").replace(inputs=3, targets=2, target_channels=(2, 1))
    assert suited(again, alone)[0] == named_config("tiny")
    assert not {"targets", "target_channels"} & named_config("tiny").to_dict().keys()


def test_of_a_target_that_is_no_input_no_last_value_is_subtracted(path):
    some, notes = suited(named_config("tiny"), loaded(path, inputs="wind,load"))
    assert not some.subtract_last
    assert "Target temp is no input, so no last value is subtracted" in notes


def test_a_configuration_is_read_as_it_is_written(config):
    data = config.to_dict()
    assert (data["targets"], data["target_channels"]) == (2, [2, 1])
    assert TransformerConfig.from_dict(data) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": 0}, r"^targets must be a positive integer, not 0$"),
        ({"targets": 257}, r"^targets must be at most 256, not 257$"),
        ({"targets": 2, "task": "classify"}, r"^targets must be 1 with task classify, not 2: its"),
        ({"targets": 256, "horizon": 300}, r"^horizon times targets must be at most 65535, not"),
        (
            {"target_channels": (0,)},
            r"^target_channels must be empty with 1 target\(s\), not \[0\]$",
        ),
        (
            {"targets": 2, "target_channels": (0,)},
            r"^target_channels must be 2 channels with 2 target\(s\), not \[0\]$",
        ),
        (
            {"targets": 2},
            r"^target_channels must be channels below 1, one for each target, not \[0, 1\]$",
        ),
    ],
)
def test_what_no_targets_of_a_configuration_are(changes, message):
    with pytest.raises(UserError, match=message):
        named_config("tiny").replace(**changes)


def test_the_line_is_that_of_each_target(config, dataset):
    """The linear path begins as the regression of each target on all inputs."""
    model = Transformer(config)
    become_line(model, dataset)
    with torch.no_grad():
        found = in_torch(model, dataset.test.x, dataset.test.clock)
    for number, one in enumerate(dataset.by_target):
        alone = Transformer(
            config.replace(
                targets=1, target_channels=(), target_channel=config.target_channels[number]
            )
        )
        become_line(alone, one)
        own = in_torch(alone, one.test.x, one.test.clock)
        assert found[:, 6 * number : 6 * number + 6] == pytest.approx(own, abs=1e-5)


def test_baselines_are_those_of_each_target(dataset):
    found = baseline_forecasts(dataset)
    for number, one in enumerate(dataset.by_target):
        own = baseline_forecasts(one)
        assert found.keys() == own.keys()
        for name, forecast in own.items():
            if forecast is None:
                assert found[name] is None
            else:
                assert np.array_equal(found[name][:, 6 * number : 6 * number + 6], forecast)
    assert off_device(dataset) == frozenset()


def test_a_baseline_exists_if_it_does_for_all_targets(path):
    some = loaded(path, inputs="wind,load")
    found = baseline_forecasts(some)
    assert found[LINEAR_FROM_LAST] is None
    assert found[LINEAR].shape == (len(some.test), 12)
    assert "repeat last value" in off_device(some)


def test_scores_are_those_of_each_target_in_its_units(run, model, dataset):
    forecast = predict(model, dataset.test.x)
    assert forecast.shape == (len(dataset.test), 12)
    scores = Evaluation.of(dataset, {"integer": forecast})
    assert scores.models["integer"] == pytest.approx(run.quantized_test, rel=1e-6)
    assert [one.dataset.target for one in scores.by_target] == ["temp", "load"]
    for number, (one, own) in enumerate(zip(scores.by_target, dataset.by_target, strict=True)):
        alone = Evaluation.of(own, {"integer": forecast[:, 6 * number : 6 * number + 6]})
        assert one.to_dict() == alone.to_dict()
    errors = [one.models["integer"] for one in scores.by_target]
    assert scores.models["integer"] == pytest.approx(np.mean(errors))
    temp, load = (one.rmse(one.models["integer"]) for one in scores.by_target)
    assert 0.2 < temp < 2 < load < 12
    plain = scores.to_dict()
    assert [one["target"] for one in plain["by_target"]] == ["temp", "load"]
    assert plain["data"]["targets"][1]["name"] == "load"
    assert plain["by_target"][1]["test_rmse"]["integer"] == pytest.approx(load)


def test_swapped_targets_are_found(model, dataset):
    """Scores tell targets apart: those of a forecast with both in the other's place are bad."""
    forecast = predict(model, dataset.test.x)
    swapped = np.roll(forecast, 6, axis=1)
    errors = [
        Evaluation.of(dataset, {"integer": one}).models["integer"] for one in (forecast, swapped)
    ]
    assert errors[1] > 3 * errors[0]


def test_a_model_says_its_targets(model, dataset):
    meta = model.meta["dataset"]
    assert [one["name"] for one in meta["targets"]] == ["temp", "load"]
    assert meta["targets"][0]["std"] == dataset.targets[0].std
    assert meta["targets"][0]["channel"] == 2
    assert (meta["target"], meta["target_std"]) == ("temp, load", 1.0)


def test_intervals_are_in_the_units_of_each_target(model, dataset):
    interval = next(one for one in model.meta["intervals"] if one["percent"] == 80)
    widths = np.array(interval["high"]) - np.array(interval["low"])
    assert len(widths) == 12
    assert (widths[6:] > 2 * widths[:6]).all()  # of load, whose noise is six times as large
    temp, load = dataset.targets
    off = dataset.val.y - predict(model, dataset.val.x)
    off *= np.repeat([temp.std, load.std], 6)
    assert (off >= interval["low"]).all(axis=0).sum() == 0
    assert np.mean((off >= interval["low"]) & (off <= interval["high"])) > 0.75


def test_words_cover_each_target_in_its_units(model, dataset):
    outputs = [one for one in coverage(model, dataset) if one.tensor == "output"]
    assert [one.column for one in outputs] == ["temp", "load"]
    for one, scale in zip(outputs, dataset.targets, strict=True):
        low = scale.mean + model.output.low * 2.0**model.output.exponent * scale.std
        assert one.low == pytest.approx(low)
    assert ", forecasts the same (16-bit words" in described(model, dataset)


def test_results_at_an_end_are_counted_by_target(model, dataset):
    x = dataset.test.x[:5]
    forecast = np.zeros((5, 12))
    forecast[:, 8] = model.output.high * 2.0**model.output.exponent
    found = [one for one in clipped(model, x, dataset, forecast=forecast) if one.tensor != "delta"]
    assert [(one.column, one.values, one.of, one.windows) for one in found] == [("load", 5, 30, 5)]
    assert "--range load=" in clipped_sentences(found, dataset)[0]


def test_ranges_are_of_each_target(path, dataset):
    asked = with_range(dataset, {"load": (0.0, 300.0), "temp": (-40.0, 60.0)})
    temp, load = dataset.targets
    found = asked_ranges(asked).targets
    assert found[0] == pytest.approx(((-40 - temp.mean) / temp.std, (60 - temp.mean) / temp.std))
    assert found[1] == pytest.approx((-load.mean / load.std, (300 - load.mean) / load.std))
    with pytest.raises(UserError, match=r"^range must name its column where there are several tar"):
        with_range(dataset, (0.0, 1.0))


def test_windows_are_scaled_where_all_targets_are_inputs(config, dataset, path):
    augmentation = Augmentation(scale=0.1)
    augmentation.check(config, dataset)
    some = loaded(path, inputs="wind,load")
    with pytest.raises(UserError, match=r"^augment must not have scale where temp, load is no inp"):
        augmentation.check(suited(named_config("tiny"), some)[0], some)


def test_an_untrained_model_numbers_its_targets(config):
    answer = Answer.of(initialize(config, samples=8))
    assert answer.targets == ("target 1", "target 2")
    assert Answer.of(initialize(named_config("tiny"), samples=8)).targets is None


def test_words_of_an_adc_are_of_one_target(config, dataset):
    with pytest.raises(UserError, match=r"^raw takes one target, not 2 \(temp, load\): name one"):
        in_asked_words(config, dataset, 12, {}, print)


def test_data_of_other_targets_are_refused(model, path, dataset):
    from bitformer.model.own_data import dataset_of

    with pytest.raises(UserError, match=r"^Data must have 2 target\(s\) for this model, not 1 \(l"):
        dataset_of(model, data=path, target="load", inputs="wind,load,temp", time="date")
    with pytest.raises(UserError, match=r"^Target load must be input column 2 of this model, not"):
        dataset_of(model, data=path, target="load,temp", inputs="wind,load,temp", time="date")


def test_a_run_on_other_targets_is_another(config, path, run):
    other = loaded(path, "temp,wind")
    with pytest.raises(UserError, match=r"target_channels must be the target's place among the"):
        train(config, other, run_dir=run.run_dir, progress=False)
    fewer = loaded(path, "temp")
    with pytest.raises(UserError, match=r"^targets must be 2 as in config"):
        train(config, fewer, run_dir=run.run_dir, progress=False)


def test_scales_that_are_not_there_are_refused(model, tmp_path):
    from bitformer.model.checkpoint import load_model, save_model

    save_model(model, tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").meta == model.meta
    data = model.meta["dataset"]
    first, second = data["targets"]
    for targets, message in (
        ([first], r"^meta: dataset: targets must be 2 different names, one for each target"),
        ([first, first], r"^meta: dataset: targets must be 2 different names"),
        ([], r"^meta: dataset: targets must be those of the model, 2, not 0$"),
        ([first, {**second, "std": 0.0}], r"^meta: dataset: deviations must be positive, not 0"),
        ([first, {**second, "channel": 3}], r"^meta: dataset: channel of 'load' must be below 3"),
    ):
        broken = dataclasses.replace(
            model, meta={**model.meta, "dataset": {**data, "targets": targets}}
        )
        with pytest.raises(UserError, match=message):
            save_model(broken, tmp_path / "broken.safetensors")
