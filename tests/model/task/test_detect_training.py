"""A detector from training to its flags: set by clean rows, exported, evaluated."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import bitformer
from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.detection_evaluation import DetectionEvaluation
from bitformer.model.evaluating import evaluated, evaluated_training
from bitformer.model.export import export_run, export_to, load_run
from bitformer.model.operations.judge import DetectorState
from bitformer.model.precision import Precision
from bitformer.model.task.thresholds import Rule, residuals_of, with_facts
from bitformer.model.train import train

torch.set_num_threads(1)  # many workers, tiny tensors

CONFIG = TransformerConfig(
    name="d",
    task="detect",
    window=8,
    inputs=2,
    horizon=2,
    patch=4,
    d_model=8,
    ffn=8,
    default=Precision(weights=8, activations=8),
)
QUICK = {"epochs": 6, "qat_epochs": 2, "progress": False, "device": "cpu", "batch": 32}
#: Rows of the fault in the test part, of the whole series.
FAULT = slice(850, 880)


def make_dataset():
    """Two waves, of which the second stops for a while among the test rows."""
    time, rng = np.arange(1000), np.random.default_rng(0)
    rows = np.stack([np.sin(time / 4), np.cos(time / 4)], axis=1) * 1.4
    rows += rng.normal(size=rows.shape) * 0.05
    rows[FAULT, 1] = 0.0
    first = np.arange(8, 1000)
    parts = (first[:592], first[592:792], first[792:])
    train_part, val, test = (
        Windows(inputs=rows, target=rows, first=one, window=8, horizon=1) for one in parts
    )
    return Dataset(
        name="waves",
        inputs=("a", "b"),
        target="all 2 channels",
        mean=np.zeros(2),
        std=np.ones(2),
        target_mean=0.0,
        target_std=1.0,
        target_channel=None,
        train=train_part,
        val=val,
        test=test,
        notes=(),
        period=None,
        task="detect",
    )


@pytest.fixture(scope="module")
def dataset():
    return make_dataset()


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    return train(CONFIG, dataset, run_dir=tmp_path_factory.mktemp("run"), **QUICK)


def flags_of(model, windows):
    return reference.predict(model, windows.x, windows.clock, windows.y).ravel()


def test_it_finds_the_fault_and_nothing_else(run, dataset):
    model = export_run(run.run_dir)
    flags = flags_of(model, dataset.test)
    up = dataset.test.first[flags > 0]
    assert FAULT.start <= up.min() < FAULT.start + 15
    assert up.max() < FAULT.stop + 4 * 16
    assert len(up) > 15


def test_clean_rows_raise_no_flag(run, dataset):
    model = export_run(run.run_dir)
    clean = replace(dataset.train, first=np.r_[dataset.train.first, dataset.val.first])
    assert not flags_of(model, clean).any()
    # the factor is all that lies between
    left = residuals_of(model, clean)
    scores = model.detector.score(left, DetectorState())[Rule().settled :]
    assert model.detector.threshold == int(Rule().factor * scores.max())
    assert model.detector.smoothing == Rule().smoothing


def test_both_channels_are_forecast(run, dataset):
    """Several targets: outputs are as good as the torch model, and no worse than nothing."""
    model = export_run(run.run_dir)
    quantized = load_run(run.run_dir)[0]
    with torch.no_grad():
        theirs = quantized(torch.from_numpy(np.array(dataset.test.x))).numpy()
    q = model.quantize_input(dataset.test.x, None, dataset.test.y)
    ours = reference.run(model, q)["output"][:, 0] * 2.0**model.results.exponent
    assert np.array_equal(ours, theirs)
    assert np.square(ours - dataset.test.y).mean() == pytest.approx(run.quantized_test)
    assert run.quantized_val < 0.2


def test_the_rule_is_in_the_run_and_in_the_file(run, tmp_path):
    record = json.loads((run.run_dir / "run.json").read_text())
    model = export_to(run.run_dir, tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors").detector
    assert record["judge"]["threshold"] == model.detector.threshold == loaded.threshold
    assert record["judge"]["weight"] == loaded.weight.tolist()


def test_few_clean_rows_are_smoothed_less():
    assert Rule().fitted(10000).smoothing == 4
    assert Rule().fitted(256).smoothing == 4
    assert Rule().fitted(255).smoothing == 3
    assert Rule().fitted(5).smoothing == 0
    assert Rule(smoothing=2).fitted(10000).smoothing == 2


def test_the_evaluation_tells_alarms(run, dataset):
    model = export_run(run.run_dir)
    found = evaluated_training(run, model, dataset)
    assert isinstance(found, DetectionEvaluation)
    flags = flags_of(model, dataset.test)
    assert found.flags.tolist() == flags.tolist()
    assert found.share == pytest.approx(flags.mean())
    assert found.alarms == np.count_nonzero(np.diff(np.r_[0, flags]) > 0) >= 1
    assert found.errors == {"float": run.float_test, "quantized (QAT)": run.quantized_test}
    assert (found.events, found.days) == (None, None)
    s = "" if found.alarms == 1 else "s"
    assert f"in {found.alarms} alarm{s}; which rows are anomalies is not known" in str(found)
    plain = found.to_dict()
    assert plain["task"] == "detect"
    assert plain["alarms"] == found.alarms
    json.dumps(plain)
    again = evaluated(model, dataset, {"m": flags[:, None]})
    assert again.share == found.share


def test_flags_begin_at_a_reset():
    found = DetectionEvaluation.of(make_dataset(), {"m": np.array([[1], [1], [0], [1]])})
    assert found.alarms == 2
    assert found.alarm_windows.tolist() == found.to_dict()["alarm_windows"] == [0, 3]
    assert found.share == 0.75
    assert found.longest == 2
    assert ", in 2 alarms" in str(found)
    once = DetectionEvaluation.of(make_dataset(), {"m": np.array([[0], [1], [1], [1]])})
    assert (once.longest, once.alarms) == (3, 1)
    assert ", in 1 alarm;" in str(once)
    assert DetectionEvaluation.of(make_dataset(), {"m": np.zeros((4, 1))}).longest == 0


def test_from_a_file_to_flags(tmp_path):
    rows = make_dataset().train.inputs[:, 1]
    path = tmp_path / "wave.csv"
    path.write_text("v\n" + "".join(f"{one:.4f}\n" for one in rows))
    training = bitformer.Training.run(
        str(path),
        config=CONFIG.replace(inputs=1, horizon=1),
        to=tmp_path / "run",
        target="v",
        task="detect",
        **QUICK,
    )
    assert training.evaluation.name == "integer"
    model = bitformer.load(tmp_path / "run" / "model.safetensors")
    assert model.config.task == "detect"
    found = model.evaluate()
    assert found.flags.tolist() == training.evaluation.flags.tolist()
    some = model.evaluate(samples=50)
    assert some.flags.tolist() == found.flags[:50].tolist()
    assert len(rows) == 1000
    # the wave stops at rows 850 to 879, in the last fifth
    assert found.flags[:50].sum() == 0
    assert found.flags[50:90].sum() > 5


def test_factor_and_hold_are_set_without_training(run):
    record = json.loads((run.run_dir / "run.json").read_text())
    model = export_run(run.run_dir)
    plain = with_facts(model, {**record["judge"], "threshold": 0, "hold": 0})
    assert plain.detector.threshold == 0
    assert export_run(run.run_dir, factor=2.0, hold=7).detector.hold == 7
    assert export_run(run.run_dir, factor=2.0).detector.threshold == 2 * record["judge"]["largest"]
    assert export_run(run.run_dir, factor=1e12).detector.threshold == (
        model.detector.score_bound(model.tensors)
    )
