"""A run that is given more epochs goes on from its best models, wherever it was interrupted."""

import csv
import json

import pytest
import torch

from bitformer.model import trainer
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.export import export_run, load_run
from bitformer.model.precision import Precision
from bitformer.model.run_store import ERRORS, RunStore
from bitformer.model.stages import Budget, stages
from bitformer.model.train import train
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer

TINY = named_config("tiny").replace(linear_path=False)
TERNARY = TINY.replace(default=Precision(weights=2, activations=8))
SHORT = {"lr": 5e-3, "batch": 64, "progress": False, "device": "cpu"}
FEW, MORE = {"epochs": 2, "qat_epochs": 2}, {"epochs": 3, "qat_epochs": 2}
LONGER = {"epochs": 2, "qat_epochs": 4}


def run(folder, dataset, *, config=TINY, **settings):
    return train(config, dataset, run_dir=folder, **SHORT | settings)


def files(folder):
    names = ("run.json", "state.pt", "history.csv")
    return {name: (folder / name).read_bytes() for name in names}


class Killed(BaseException):
    """What stands for a kill: nothing may be tidied up after it."""


def killed_after(monkeypatch, epochs):
    """Kill a run in the epoch after ``epochs``, before its validation."""
    count = iter(range(1000))
    validate = Trainer.validate

    def dying(self, epoch, loss):
        if loss is not None and next(count) == epochs:
            raise Killed
        validate(self, epoch, loss)

    monkeypatch.setattr(Trainer, "validate", dying)


def names(result):
    return list(dict.fromkeys(entry["stage"] for entry in result.history))


def test_more_epochs_of_floats_are_rounded_anew(small_dataset, tmp_path):
    dataset = small_dataset(rows=64)
    before = run(tmp_path, dataset, **FEW)
    after = run(tmp_path, dataset, **MORE)
    assert names(after) == ["float", "qat", "float (2)", "qat (2)"]
    assert after.history[: len(before.history)] == before.history
    told = [(one["stage"], one["epoch"]) for one in after.history[len(before.history) :]]
    assert told == [("float (2)", 1), ("qat (2)", 0), ("qat (2)", 1), ("qat (2)", 2)]
    assert after.continued == (
        {**FEW, "results": {name: getattr(before, name) for name in ERRORS}},
    )
    for stage, best in (("float", after.float_val), ("qat", after.quantized_val)):
        assert best == min(e["val"] for e in after.history if e["stage"].startswith(stage))
    assert load_run(tmp_path)[1]["settings"]["epochs"] == 3


def test_more_epochs_with_rounding_go_on_from_the_rounded_model(small_dataset, tmp_path):
    dataset, learning = small_dataset(rows=64), {"batch": 4, "qat_lr": 0.02}
    before = run(tmp_path, dataset, **FEW, **learning)
    after = run(tmp_path, dataset, **LONGER, **learning)
    assert names(after) == ["float", "qat", "qat (2)"]
    assert [e["epoch"] for e in after.history if e["stage"] == "qat (2)"] == [1, 2]
    assert after.quantized_val <= before.quantized_val
    assert (after.float_val, after.float_test) == (before.float_val, before.float_test)
    # from the best model: the loss is near where it ended, not where rounding began
    first, last = (
        next(e["loss"] for e in after.history if (e["stage"], e["epoch"]) == key)
        for key in (("qat", 1), ("qat (2)", 1))
    )
    assert last < first


def test_a_worse_second_round_changes_no_model(small_dataset, tmp_path, monkeypatch):
    dataset = small_dataset(rows=64)
    before = run(tmp_path, dataset, **FEW)
    model = export_run(tmp_path)
    errors = trainer._error
    monkeypatch.setattr(
        trainer, "_error", lambda m, w: errors(m, w) + (9.0 if w is dataset.val else 0.0)
    )
    after = run(tmp_path, dataset, **MORE)
    assert [getattr(after, name) for name in ERRORS] == [getattr(before, name) for name in ERRORS]
    again = export_run(tmp_path)
    assert all(map(_same, model.operations, again.operations))
    assert model.tensors == again.tensors


def _same(a, b):
    return repr(a) == repr(b)


MOVING = {"config": TERNARY, "ranges": "moving-average"}
KILLS = [
    ({}, MORE, 2),
    ({}, LONGER, 1),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (
            ({}, MORE, 0),
            ({}, MORE, 1),
            ({}, LONGER, 0),
            (MOVING, MORE, 1),
            (MOVING, MORE, 3),
        )
    ),
]


@pytest.mark.parametrize(("settings", "more", "epochs"), KILLS)
def test_killed_it_comes_to_the_same(small_dataset, tmp_path, monkeypatch, settings, more, epochs):
    dataset = small_dataset(rows=64)
    run(tmp_path / "whole", dataset, **settings, **FEW)
    whole = run(tmp_path / "whole", dataset, **settings, **more)
    run(tmp_path / "parts", dataset, **settings, **FEW)
    with monkeypatch.context() as patch:
        killed_after(patch, epochs)
        with pytest.raises(Killed):
            run(tmp_path / "parts", dataset, **settings, **more)
    # what there was is still told
    record = RunStore(tmp_path / "parts").read_record()
    assert record["continued"][0]["results"] == whole.continued[0]["results"]
    parts = run(tmp_path / "parts", dataset, **settings, **more)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert parts.history == whole.history


@pytest.mark.parametrize("epochs", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_what_is_unfinished_is_finished_first(small_dataset, tmp_path, monkeypatch, epochs):
    dataset = small_dataset(rows=64)
    run(tmp_path / "whole", dataset, **FEW)
    run(tmp_path / "whole", dataset, **MORE)
    with monkeypatch.context() as patch:
        killed_after(patch, epochs)
        with pytest.raises(Killed):
            run(tmp_path / "parts", dataset, **FEW)
    run(tmp_path / "parts", dataset, **MORE)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_it_is_read_again_and_given_still_more(small_dataset, tmp_path, monkeypatch):
    dataset = small_dataset(rows=64)
    run(tmp_path, dataset, **FEW)
    second = run(tmp_path, dataset, **MORE)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", lambda _self: pytest.fail("trained again"))
        assert run(tmp_path, dataset, **MORE) == second
    third = run(tmp_path, dataset, epochs=3, qat_epochs=3)
    assert names(third)[-1] == "qat (3)"
    assert [(one["epochs"], one["qat_epochs"]) for one in third.continued] == [(2, 2), (3, 2)]
    assert third.quantized_val <= second.quantized_val
    anew = run(tmp_path, dataset, **FEW, resume=False)
    assert anew.continued == ()
    assert names(anew) == ["float", "qat"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 1, "qat_epochs": 2}, r"\(epochs: 2 there, 1 here\)"),
        ({"epochs": 3, "qat_epochs": 1}, r"\(epochs: 2 there, 3 here\)"),
        ({"epochs": 3, "qat_epochs": 2, "lr": 0.1}, r"\(epochs: 2 there, 3 here\)"),
        ({"epochs": 3, "qat_epochs": 2, "seed": 1}, "holds another run"),
    ],
)
def test_only_more_epochs_are_more_of_the_same(small_dataset, tmp_path, change, message):
    dataset = small_dataset(rows=64)
    run(tmp_path, dataset, **FEW)
    before = files(tmp_path)
    with pytest.raises(UserError, match=message + ".*--restart"):
        run(tmp_path, dataset, **change)
    assert files(tmp_path) == before


def test_after_another_runs_float_model_rounding_alone_goes_on(small_dataset, tmp_path):
    dataset = small_dataset(rows=64)
    run(tmp_path / "a", dataset, **FEW)
    settings = {name: one for name, one in SHORT.items() if name != "lr"}
    options = {"run_dir": tmp_path / "b", "float_run": tmp_path / "a", **settings}
    for keep in (False, True):
        first = train(TINY, dataset, qat_epochs=1, keep_scales=keep, resume=False, **options)
        then = train(TINY, dataset, qat_epochs=2, keep_scales=keep, **options)
        assert names(then) == ["float", "qat", "qat (2)"]
        assert then.quantized_val <= first.quantized_val
        assert then.float_val == first.float_val


def test_the_rate_falls_again_from_half_the_peak():
    settings = TrainSettings(epochs=9, qat_epochs=7, lr=0.01, qat_lr=0.002)
    found = stages(TERNARY, settings, [Budget(epochs=4, qat_epochs=7)])
    assert [(s.name, s.epochs, s.lr, s.again) for s in found] == [
        ("float", 4, 0.01, False),
        ("qat at 8 bits", 1, 0.002, False),
        ("qat at 4 bits", 1, 0.002, False),
        ("qat", 7, 0.002, False),
        ("float (2)", 5, 0.005, True),
        ("qat at 8 bits (2)", 1, 0.002, False),
        ("qat at 4 bits (2)", 1, 0.002, False),
        ("qat (2)", 7, 0.002, False),
    ]
    ptq = TrainSettings(epochs=9, qat_epochs=9, method="ptq")
    found = stages(TINY, ptq, [Budget(epochs=9, qat_epochs=7)])
    assert [stage.name for stage in found] == ["float", "ptq"]


def test_history_is_a_table(small_dataset, tmp_path):
    result = run(tmp_path, small_dataset(rows=64), **FEW)
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "stage", "loss", "val", "lr"]
    assert [row["stage"] for row in rows] == ["float"] * 2 + ["qat"] * 3
    for row, entry in zip(rows, result.history, strict=True):
        assert {name: str(one) if one is not None else "" for name, one in entry.items()} == row
    rates = [entry["lr"] for entry in result.history]
    assert rates[2] is None  # calibrated, not trained
    # one step an epoch: warm-up to 2/100 of the peak, and half of the cosine
    assert rates[1] == pytest.approx(5e-3 * 0.5 * 0.02)


def test_a_run_from_before_history_was_kept(small_dataset, tmp_path):
    run(tmp_path, small_dataset(rows=64), **FEW)
    before = files(tmp_path)
    (tmp_path / "history.csv").unlink()
    run(tmp_path, small_dataset(rows=64), **FEW)
    assert files(tmp_path) == before


def test_a_state_from_before_there_were_rounds_goes_on(small_dataset, tmp_path):
    run(tmp_path, small_dataset(rows=64), **FEW)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    for name in ("quantized_best", "quantized_error"):
        del state[name]
    torch.save(state, tmp_path / "state.pt")
    record = json.loads((tmp_path / "run.json").read_text())
    assert "continued" not in record
    assert names(run(tmp_path, small_dataset(rows=64), **LONGER))[-1] == "qat (2)"
