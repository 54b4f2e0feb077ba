"""Runs that start from the model of another: its floats, or its scales."""

import json

import pytest
import torch
from train_harness import (
    SHORT,
    TERNARY,
    TINY,
    comparable,
    from_float,
    interrupt_after,
    same,
    weights,
)

from bitformer.model.errors import UserError
from bitformer.model.export import export_run
from bitformer.model.float_run import float_weights, quantized_state
from bitformer.model.train import train


def test_a_float_model_serves_several_runs(small_dataset, tmp_path):
    dataset, settings = small_dataset(), SHORT | {"dropout": 0.2}
    whole = train(TINY, dataset, run_dir=tmp_path / "whole", **settings)
    train(TERNARY, dataset, run_dir=tmp_path / "ptq", method="ptq", **settings)
    kinds = from_float(settings)
    result = train(TINY, dataset, run_dir=tmp_path / "a", float_run=tmp_path / "ptq", **kinds)
    assert [h["epoch"] for h in result.history if h["stage"] == "float"] == [0]
    assert result.float_test == whole.float_test
    assert result.quantized_test == whole.quantized_test
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert record["settings"]["dropout"] == 0.2
    again = train(TINY, dataset, run_dir=tmp_path / "a", float_run=tmp_path / "ptq", **kinds)
    assert again == result
    with pytest.raises(UserError, match="holds another run, with a difference in float"):
        train(TINY, dataset, run_dir=tmp_path / "a", **settings)


@pytest.mark.parametrize(
    ("config", "data", "settings", "message"),
    [
        (TINY.replace(ffn=24), {}, {}, "ffn must be 16 as in the run in .*, not 24"),
        (TINY, {"seed": 3}, {}, "Data must be those of the run in .*: checksum is"),
        (TINY, {}, {"lr": 0.1}, "lr must not be given: the float model of .* is used"),
    ],
)
def test_a_float_model_that_does_not_fit_is_refused(
    small_dataset, tmp_path, config, data, settings, message
):
    train(TINY, small_dataset(), run_dir=tmp_path / "a", method="ptq", **SHORT)
    settings = from_float(SHORT) | settings
    with pytest.raises(UserError, match=message):
        train(
            config,
            small_dataset(**data),
            run_dir=tmp_path / "b",
            float_run=tmp_path / "a",
            **settings,
        )
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "config", [TINY, TINY.replace(asymmetric=True), TINY.replace(norm="layer")]
)
def test_kept_scales_stay_and_weights_learn(small_dataset, tmp_path, config):
    train(config, small_dataset(), run_dir=tmp_path / "a", **SHORT)
    settings = from_float(SHORT) | {"float_run": tmp_path / "a", "keep_scales": True}
    other = small_dataset(seed=8)  # other rows of the same columns
    result = train(config, other, run_dir=tmp_path / "b", **settings)
    before, after = weights(tmp_path / "a"), weights(tmp_path / "b")
    same_now = {name for name in before if torch.equal(before[name], after[name])}
    kept = {n for n in before if "scale" in n or "offset" in n or "norm" in n}
    assert kept <= same_now
    assert not {n for n in before if n.endswith(".weight") and n not in kept} & same_now
    # what is selected is no worse than where it began, and the same command reads the run again
    begun = next(h for h in result.history if h["stage"] == "qat" and h["epoch"] == 0)
    assert result.quantized_val <= begun["val"]
    assert train(config, other, run_dir=tmp_path / "b", **settings) == result
    first, second = (export_run(tmp_path / name) for name in "ab")
    assert first.tensors == second.tensors
    for a, b in zip(first.operations, second.operations, strict=True):
        assert getattr(a, "shift", None) == getattr(b, "shift", None)


def test_kept_scales_resumed_equal_uninterrupted(small_dataset, tmp_path, monkeypatch):
    train(TINY, small_dataset(), run_dir=tmp_path / "a", **SHORT)
    settings = from_float(SHORT) | {"float_run": tmp_path / "a", "keep_scales": True}
    whole = train(TINY, small_dataset(), run_dir=tmp_path / "b", **settings)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(TINY, small_dataset(), run_dir=tmp_path / "c", **settings)
    parts = train(TINY, small_dataset(), run_dir=tmp_path / "c", **settings)
    assert comparable(parts) == comparable(whole)
    assert same(weights(tmp_path / "b"), weights(tmp_path / "c"))


@pytest.mark.parametrize(
    ("config", "data", "settings", "message"),
    [
        (TERNARY, {}, {}, "default must be .* as in the run in .*, whose scales are kept, not"),
        (TINY, {"inputs": 2}, {}, "inputs must be 1 as in config tiny, not 2"),
        (TINY, {}, {"float_run": None}, "Scales can be kept only of another run to start from"),
        (TINY, {}, {"method": "ptq"}, "method must be qat to train with kept scales, not 'ptq'"),
    ],
)
def test_scales_that_cannot_be_kept(small_dataset, tmp_path, config, data, settings, message):
    train(TINY, small_dataset(), run_dir=tmp_path / "a", method="ptq", **SHORT)
    settings = {"float_run": tmp_path / "a", "keep_scales": True} | from_float(SHORT) | settings
    with pytest.raises(UserError, match=message):
        train(config, small_dataset(**data), run_dir=tmp_path / "b", **settings)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calendar": ("hour", "weekday")}, "none .*, not hour,weekday: use --calendar none"),
        ({"block": "mixer"}, "attention .*, not mixer: use --block attention"),
        ({"ffn": 24}, "16 .*, not 24"),
    ],
)
def test_a_refusal_names_the_option(small_dataset, tmp_path, changes, message):
    train(TINY, small_dataset(), run_dir=tmp_path / "a", method="ptq", **SHORT)
    config, name = TINY.replace(**changes), next(iter(changes))
    with pytest.raises(UserError, match=f"^{name} must be {message}$"):
        quantized_state(tmp_path / "a", config)
    with pytest.raises(UserError, match=f"^{name} must be {message}$"):
        float_weights(tmp_path / "a", config, {})
