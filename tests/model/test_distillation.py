"""With rounding, a model may learn from the float model's forecasts instead of the data."""

import json

import pytest
import torch

from bitformer.model.data.windows import Dataset
from bitformer.model.distillation import distilled_loss
from bitformer.model.errors import UserError
from bitformer.model.train import train
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer
from tests.train_harness import SHORT, TERNARY, TINY, WITH_PATH, comparable

CPU = torch.device("cpu")
SETTINGS = {"epochs": 1, "qat_epochs": 2, "batch": 32}


def trainer(config, dataset: Dataset, **changes) -> Trainer:
    """A run that is about to train with rounding."""
    found = Trainer(config, dataset, TrainSettings(**SETTINGS | changes), CPU)
    while not found.stage.quantized:
        if found.stage_over:
            found.next_stage()
        else:
            found.run_epoch()
    return found


def test_the_loss_is_that_to_the_targets_and_that_to_the_teacher():
    forecast, target, taught = (torch.tensor([[value, 0.0]]) for value in (1.0, 3.0, -2.0))
    losses = [float(distilled_loss(forecast, target, taught, share)) for share in (0.0, 0.25, 1.0)]
    assert losses == [2.0, 0.75 * 2.0 + 0.25 * 4.5, 4.5]
    assert float(distilled_loss(forecast, target, None, 1.0)) == 2.0


@pytest.mark.parametrize("config", [TINY, WITH_PATH, TERNARY])
def test_the_teacher_is_the_best_float_model(small_dataset, config):
    dataset = small_dataset()
    run = trainer(config, dataset, distill=0.5, dropout=0.5)
    assert run.taught is not None
    assert not run.taught.requires_grad
    run.model.load_state_dict(run.float_best)
    run.model.quantized = False
    run.model.eval()
    with torch.no_grad():
        expected = run.model(torch.tensor(dataset.train.x, dtype=torch.float32))
    torch.testing.assert_close(run.taught, expected)


def test_without_it_there_is_no_teacher(small_dataset):
    assert trainer(TINY, small_dataset()).taught is None
    floats = Trainer(TINY, small_dataset(), TrainSettings(**SETTINGS, distill=1.0), CPU)
    assert not floats.stage.quantized
    assert floats.taught is None


def gradient(run: Trainer, loss) -> torch.Tensor:
    """The gradient of the head's weights by ``loss`` of the first windows' forecasts."""
    batch = torch.arange(16)
    run.model.zero_grad()
    loss(run.model(run.x[batch]), batch).backward()
    found = run.model.linears["output"].weight.grad
    assert found is not None
    return found.clone()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_step_follows_both_gradients(small_dataset, monkeypatch, share):
    run = trainer(TINY, small_dataset(), distill=max(share, 1e-9))
    to_data = gradient(run, lambda f, batch: (f - run.y[batch]).square().mean())
    to_teacher = gradient(run, lambda f, batch: (f - run.taught[batch]).square().mean())
    assert not torch.allclose(to_data, to_teacher)
    taken = []

    def clip(parameters, _most):
        taken.append(run.model.linears["output"].weight.grad.clone())
        return torch.zeros(())

    monkeypatch.setattr("bitformer.model.trainer.nn.utils.clip_grad_norm_", clip)
    run.model.train()
    run.step(0, torch.arange(16))
    torch.testing.assert_close(taken[0], (1 - share) * to_data + share * to_teacher)


def test_targets_do_not_matter_to_one_that_only_distils(small_dataset, tmp_path):
    """The validation windows, which select, are the same; the training targets are not."""
    dataset = small_dataset()
    run = trainer(TINY, dataset, distill=1.0)
    other = trainer(TINY, dataset, distill=1.0)
    rows = other.y._rows
    other.y._rows = rows + torch.randn(rows.shape)
    other.taught = run.taught
    for one in (run, other):
        one.run_epoch()
    ours, theirs = (one.model.state_dict() for one in (run, other))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    mixed, noisy = trainer(TINY, dataset, distill=0.5), trainer(TINY, dataset, distill=0.5)
    noisy.y._rows = other.y._rows
    for one in (mixed, noisy):
        one.run_epoch()
    assert not torch.equal(
        mixed.model.linears["output"].weight, noisy.model.linears["output"].weight
    )


def test_more_epochs_learn_from_the_same_teacher(small_dataset, tmp_path):
    """It is read from the run, whose floats are not trained again."""
    dataset, settings = small_dataset(), SHORT | {"distill": 0.5}
    first = train(WITH_PATH, dataset, run_dir=tmp_path / "run", **settings)
    more = settings | {"qat_epochs": 3}
    second = train(WITH_PATH, dataset, run_dir=tmp_path / "run", **more)
    assert second.float_val == first.float_val
    assert second.quantized_val <= first.quantized_val
    train(WITH_PATH, dataset, run_dir=tmp_path / "again", **settings)
    again = train(WITH_PATH, dataset, run_dir=tmp_path / "again", **more)
    assert comparable(again) == comparable(second)


def test_a_run_before_there_was_distillation_goes_on(small_dataset, tmp_path):
    dataset, run = small_dataset(), tmp_path / "run"
    first = train(TINY, dataset, run_dir=run, **SHORT)
    record = json.loads((run / "run.json").read_text())
    assert record["settings"].pop("distill") == 0.0
    (run / "run.json").write_text(json.dumps(record))
    assert comparable(train(TINY, dataset, run_dir=run, **SHORT)) == comparable(first)
    more = train(TINY, dataset, run_dir=run, **SHORT | {"qat_epochs": 3})
    assert more.quantized_val <= first.quantized_val
    with pytest.raises(UserError, match="difference in settings"):
        train(TINY, dataset, run_dir=run, **SHORT | {"qat_epochs": 3, "distill": 0.5})
