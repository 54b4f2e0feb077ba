"""Training: reproducible, resumable, and clear about what is wrong."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from train_harness import (
    SHORT,
    TERNARY,
    TINY,
    WITH_PATH,
    comparable,
    files,
    from_float,
    interrupt_after,
    same,
    weights,
)

from bitformer.model import trainer
from bitformer.model.calibrate import MovingRanges, calibrate
from bitformer.model.export import load_run
from bitformer.model.health import LINE
from bitformer.model.precision import Precision
from bitformer.model.ridge import shift_map
from bitformer.model.run_store import RunStore
from bitformer.model.stages import raised, stages
from bitformer.model.torch_predict import predict
from bitformer.model.train import train
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer
from bitformer.model.transformer import Transformer


def test_it_learns(small_dataset, tmp_path):
    dataset = small_dataset()
    settings = SHORT | {"epochs": 12, "qat_epochs": 6, "patience": 12}
    result = train(TINY, dataset, run_dir=tmp_path, **settings)
    last = np.square(dataset.val.x[:, -1:, 0] - dataset.val.y).mean()
    assert result.float_val < 0.5 * last
    assert result.quantized_val < 0.5 * last
    assert [h["stage"] for h in result.history] == ["float"] * 12 + ["qat"] * 7


def test_a_line_is_what_training_must_be_better_than(small_dataset, tmp_path):
    """Weights that stay useless: what is kept is the regression, and nearly that when rounded."""
    dataset = small_dataset()
    settings = SHORT | {"lr": 1e-12, "qat_lr": 1e-12}
    result = train(WITH_PATH, dataset, run_dir=tmp_path, **settings)
    weights = shift_map(dataset, 0)
    delta = (dataset.val.x - dataset.val.x[:, -1:]).reshape(len(dataset.val), -1)
    forecast = delta @ weights[:-1] + weights[-1] + dataset.val.x[:, -1]
    line = np.square(forecast - dataset.val.y).mean()
    assert result.float_val == pytest.approx(line, rel=1e-5)
    assert line == pytest.approx(result.quantized_val, rel=0.01)
    first = result.history[0]
    assert (first["stage"], first["epoch"], first["val"]) == ("float, careful", 0, result.float_val)
    assert LINE in result.warnings
    assert not any("rows of one value" in one for one in result.warnings)


def test_two_ways_start_alike_and_the_better_is_kept(small_dataset, tmp_path):
    result = train(WITH_PATH, small_dataset(), run_dir=tmp_path, **SHORT)
    stages = [one["stage"] for one in result.history]
    assert stages == ["float, careful"] * 3 + ["float"] * 3 + ["qat"] * 3
    assert result.float_val == min(h["val"] for h in result.history if h["stage"] != "qat")
    for changes in ({"dropout": 0.1}, {"method": "ptq"}):
        found = train(WITH_PATH, small_dataset(), run_dir=tmp_path / "x", **SHORT, **changes)
        ways = {one["stage"] for one in found.history} - {"qat", "ptq"}
        assert ways == ({"float"} if "dropout" in changes else {"float, careful", "float"})
        shutil.rmtree(tmp_path / "x")


@pytest.mark.parametrize(
    ("config", "epochs", "changes"),
    [
        (TINY, 1, {"dropout": 0.0}),
        (TINY, 3, {"dropout": 0.2}),
        (TINY, 4, {"dropout": 0.2}),
        (TINY, 4, {"ranges": "moving-average"}),
        (TINY.replace(asymmetric=True), 4, {"ranges": "minmax"}),
        (TERNARY, 4, {"lowering": (8, 4)}),
        (TERNARY, 5, {"lowering": (8, 4)}),
        (WITH_PATH, 1, {}),  # in the first of two ways without rounding, in the second, after both
        (WITH_PATH, 4, {"ranges": "moving-average"}),
        (WITH_PATH, 6, {"average": 0.5}),
        (TERNARY, 5, {"lowering": (8, 4), "distill": 0.5}),
    ],
)
def test_resumed_equals_uninterrupted(
    small_dataset, tmp_path, monkeypatch, config, epochs, changes
):
    dataset, settings = small_dataset(), SHORT | changes
    whole = train(config, dataset, run_dir=tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        interrupt_after(patch, epochs)
        with pytest.raises(KeyboardInterrupt):
            train(config, dataset, run_dir=tmp_path / "parts", **settings)
    record = RunStore(tmp_path / "parts").read_record()
    assert len([h for h in record["history"] if h["epoch"]]) == epochs
    torch.rand(1)
    parts = train(config, dataset, run_dir=tmp_path / "parts", **settings)
    assert comparable(parts) == comparable(whole)
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_seed_decides_and_nothing_else(small_dataset, tmp_path):
    dataset = small_dataset()
    train(TINY, dataset, run_dir=tmp_path / "a", **SHORT)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    train(TINY, dataset, run_dir=tmp_path / "b", **SHORT)
    assert torch.equal(torch.random.get_rng_state(), before)
    train(TINY, dataset, run_dir=tmp_path / "c", seed=1, **SHORT)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_a_finished_run_is_read_and_not_trained(small_dataset, tmp_path, monkeypatch):
    first = train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    monkeypatch.setattr(Trainer, "run_epoch", lambda _self: pytest.fail("trained again"))
    monkeypatch.setattr(Trainer, "results", lambda _self: pytest.fail("tested again"))
    assert train(TINY, small_dataset(), run_dir=tmp_path, **SHORT) == first


def test_without_resume_it_starts_again(small_dataset, tmp_path):
    train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    result = train(TINY, small_dataset(), run_dir=tmp_path, **SHORT, seed=3, resume=False)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["settings"]["seed"] == 3
    assert record["results"]["quantized_test"] == result.quantized_test


def test_the_best_epochs_are_kept(small_dataset, tmp_path):
    dataset = small_dataset()
    result = train(TINY, dataset, run_dir=tmp_path, **SHORT)
    errors = {
        stage: [h["val"] for h in result.history if h["stage"] == stage]
        for stage in ("float", "qat")
    }
    assert result.float_val == min(errors["float"])
    assert result.quantized_val == min(errors["qat"])
    forecast = predict(load_run(tmp_path)[0], dataset.val.x)
    assert np.square(forecast - dataset.val.y).mean() == result.quantized_val


def test_test_windows_change_nothing_but_the_test_error(small_dataset, tmp_path):
    dataset = small_dataset()
    other = dataclasses.replace(dataset, test=dataset.test.take(slice(0, 5)))
    a = train(TINY, dataset, run_dir=tmp_path / "a", **SHORT)
    b = train(TINY, other, run_dir=tmp_path / "b", **SHORT)
    assert a.history == b.history
    assert a.quantized_test != b.quantized_test


def test_patience_ends_a_stage(small_dataset, tmp_path, monkeypatch):
    errors = iter([5.0, 4.0, 4.5, 4.2, 9.0, 3.0, 3.5, 3.1, 1.0, 1.0])
    monkeypatch.setattr(trainer, "_error", lambda *_: next(errors))
    settings = SHORT | {"epochs": 9, "qat_epochs": 9, "patience": 2}
    result = train(TINY, small_dataset(), run_dir=tmp_path, **settings)
    assert [(h["stage"], h["val"]) for h in result.history] == [
        *(("float", error) for error in (5.0, 4.0, 4.5, 4.2)),
        *(("qat", error) for error in (9.0, 3.0, 3.5, 3.1)),
    ]
    assert (result.float_val, result.quantized_val) == (4.0, 3.0)


def test_patience_is_with_the_network_not_with_the_line(small_dataset, tmp_path, monkeypatch):
    errors = iter(
        [
            *(1.0, 9.0, 8.0, 7.0, 8.0, 9.0),  # the line, then a network that never gets there
            *(6.0, 5.0, 6.0, 7.0),  # the other way of training, from its own start
            *(2.0, 3.0, 4.0, 1.0, 1.0),
        ]
    )
    monkeypatch.setattr(trainer, "_error", lambda *_: next(errors))
    settings = SHORT | {"epochs": 12, "qat_epochs": 9, "patience": 2}
    result = train(WITH_PATH, small_dataset(), run_dir=tmp_path, **settings)
    told = [(h["stage"], h["epoch"]) for h in result.history]
    assert told == [
        *(("float, careful", epoch) for epoch in range(6)),
        *(("float", epoch) for epoch in range(1, 5)),
        *(("qat", epoch) for epoch in range(3)),
    ]
    assert (result.float_val, result.quantized_val) == (1.0, 2.0)


def test_widths_are_lowered_step_by_step(small_dataset, tmp_path):
    result = train(TERNARY, small_dataset(), run_dir=tmp_path, **SHORT)
    stages = list(dict.fromkeys(h["stage"] for h in result.history))
    assert stages == ["float", "qat at 8 bits", "qat at 4 bits", "qat"]
    assert load_run(tmp_path)[0].config == TERNARY
    best = min(h["val"] for h in result.history if h["stage"] == "qat")
    assert result.quantized_val == best


@pytest.mark.parametrize(
    ("weights", "activations", "lowering", "expected"),
    [
        (4, 8, None, []),
        (2, 8, None, [8, 4]),
        (1, 8, None, [8, 4, 2]),
        (8, 3, None, [8, 4]),
        (2, 8, (), []),
        (2, 8, (6,), [6]),
        (4, 8, (8, 6, 4, 3), [8, 6]),
    ],
)
def test_default_widths_lead_to_what_is_below_four_bits(weights, activations, lowering, expected):
    config = TINY.replace(default=Precision(weights=weights, activations=activations))
    found = stages(config, TrainSettings(lowering=lowering).fitted(8521))
    assert [stage.floor for stage in found[1:-1]] == expected


@pytest.mark.parametrize(
    ("weights", "activations", "given", "expected"),
    [(4, 8, None, 5e-4), (2, 8, None, 5e-4), (2, 4, None, 4e-3), (1, 8, None, 5e-4), (2, 4, 1, 1)],
)
def test_coarse_activations_are_learned_in_larger_steps(weights, activations, given, expected):
    config = TINY.replace(default=Precision(weights=weights, activations=activations))
    found = stages(config, TrainSettings(qat_lr=given, lowering=(6,)).fitted(8521))
    assert [stage.lr for stage in found] == [TrainSettings().lr, expected, expected]


def test_raised_widths_are_no_lower_than_the_floor():
    config = TINY.replace(
        default=Precision(weights=2, activations=8),
        precision={"MHA": Precision(weights=8, activations=2)},
        tensors={"layers.0.q": 3, "layers.0.o.weight": 1},
    )
    found = raised(config, 4)
    assert found.default == Precision(weights=4, activations=8)
    assert found.precision["MHA"] == Precision(weights=8, activations=4)
    assert found.tensors == {"layers.0.q": 4, "layers.0.o.weight": 4}


@pytest.mark.parametrize("ranges", ["learned", "minmax", "moving-average"])
def test_post_training_quantization_changes_no_weight(small_dataset, tmp_path, ranges):
    config, dataset = TINY.replace(asymmetric=True), small_dataset()
    result = train(config, dataset, run_dir=tmp_path, method="ptq", ranges=ranges, **SHORT)
    assert [h["stage"] for h in result.history] == ["float"] * 3 + ["ptq"]
    state = RunStore(tmp_path).read_state()
    for name, value in state["float_best"].items():
        if not name.endswith("log2_scale") and not name.startswith("activations."):
            assert torch.equal(state["best"][name], value), name
    forecast = predict(load_run(tmp_path)[0], dataset.test.x)
    assert np.square(forecast - dataset.test.y).mean() == result.quantized_test
    assert result.quantized_test != result.float_test


def test_scales_of_extremes_do_not_learn(small_dataset, tmp_path):
    """Those of tensors stay where calibration put them, those of weights hold the weights."""
    dataset, settings = small_dataset(), SHORT | {"ranges": "minmax", "qat_lr": 0.05}
    train(TINY, dataset, run_dir=tmp_path / "ptq", method="ptq", **settings)
    settings = from_float(settings)
    train(TINY, dataset, run_dir=tmp_path / "qat", float_run=tmp_path / "ptq", **settings)
    before, after = (load_run(tmp_path / name)[0] for name in ("ptq", "qat"))
    assert before.activations.exponents() == after.activations.exponents()
    weight = after.linears["layers.0.ffn1"]
    exponents = weight.exponents()
    assert not torch.equal(before.linears["layers.0.ffn1"].weight, weight.weight)
    weight.calibrate("minmax")
    assert torch.equal(weight.exponents(), exponents)


@pytest.mark.parametrize("asymmetric", [False, True])
def test_moving_averages_follow_the_batches(asymmetric):
    torch.manual_seed(0)
    model = Transformer(TINY.replace(asymmetric=asymmetric, input_bits=16))
    x = torch.randn(64, 24, 1)
    calibrate(model, x, x[:, :6, 0], ranges="moving-average")
    before = model.activations.exponents()
    model(x / 8)
    assert model.activations.exponents() == before
    with MovingRanges(model):
        for _ in range(60):
            model(x / 8)
    after = model.activations.exponents()
    assert after["delta"] == before["delta"] - 3
    assert after["input"] == before["input"]
    assert after["layers.0.scores"] == before["layers.0.scores"]


def test_progress_says_where_training_is(small_dataset, tmp_path, capsys):
    train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | {"progress": True})
    assert "qat: validation error" in capsys.readouterr().err
