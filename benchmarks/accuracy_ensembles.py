"""Distillation from an ensemble: rounded models learn from the mean forecast of float models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accuracy_rows import RECIPE_ROWS, SEEDS, Candidate, Row
from torch import Tensor

from bitformer.model.data.datasets import load_source
from bitformer.model.distillation import teacher_forecasts, teacher_of
from bitformer.model.float_run import float_weights
from bitformer.model.one_thread import one_thread
from bitformer.model.progress import progress_bar
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer
from bitformer.model.training_run import describe
from bitformer.study.trials import Trial, run_trials
from bitformer.study.workers import WorkerPool

__all__ = ["ENSEMBLES", "ensemble_errors", "train_ensembles"]

#: What is tried, and the share of the loss that is distilled.
ENSEMBLES = {
    "half of the loss distilled from three float models": 0.5,
    "all of the loss distilled from three float models": 1.0,
}
_CPU = torch.device("cpu")


class _EnsembleTrainer(Trainer):
    """A training whose stages with rounding learn from ``ensemble`` [N, horizon]."""

    ensemble: Tensor | None = None

    def enter(self, state: Mapping[str, Tensor] | None = None) -> None:
        super().enter(state)
        if self.taught is not None:
            self.taught = self.ensemble


def _trials(row: Row, share: float) -> list[Trial]:
    """The row's first model as it would be distilled, a trial for each float model."""
    candidate = row.candidates[0]
    settings = {**candidate.settings, "distill": share}
    return [
        row.trial(Candidate(config=candidate.config, settings=settings), seed) for seed in SEEDS
    ]


def _validation_error(trials: list[Trial], folder: Path) -> float:
    """Train the first trial, taught by the float models of all; return its validation MSE."""
    first = trials[0]
    config, dataset = first.config, load_source(first.source, first.config)
    facts = describe(dataset)
    weights = [
        float_weights(folder / "runs" / trial.origin.key, config, facts)[0] for trial in trials
    ]
    settings = TrainSettings(**first.settings).fitted(len(dataset.train))
    trainer = _EnsembleTrainer(config, dataset, settings, _CPU, weights[0])
    taught = [
        teacher_forecasts(
            teacher_of(config, {**trainer.best, **one}, _CPU), trainer.x, trainer.clock
        )
        for one in weights
    ]
    trainer.ensemble = torch.stack(taught).mean(dim=0)
    while not trainer.finished:
        if trainer.stage_over:
            trainer.next_stage()
        else:
            trainer.run_epoch()
    return trainer.best_error


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _file(folder: Path) -> Path:
    return folder / "ensembles.json"


def train_ensembles(rows: list[Row], folder: Path, pool: WorkerPool) -> None:
    """Train what is missing, float models first."""
    wanted = [
        (row, trials)
        for row in rows
        if row in RECIPE_ROWS
        for trials in (_trials(row, share) for share in ENSEMBLES.values())
        if trials[0].key not in _read(_file(folder))
    ]
    with progress_bar() as tell:
        run_trials([one.origin for _, trials in wanted for one in trials], folder, pool, tell)
    with progress_bar() as tell, one_thread():
        for done, (row, trials) in enumerate(wanted):
            tell(done, len(wanted), f"{row.key}, taught by {len(trials)} float models")
            known = _read(_file(folder))
            known[trials[0].key] = _validation_error(trials, folder)
            _file(folder).write_text(json.dumps(known, indent=1) + "\n")


def ensemble_errors(folder: Path) -> dict[tuple[str, str], float]:
    """Validation MSE by what was tried and row, of those that were."""
    known = _read(_file(folder))
    found = {
        (name, row.key): known.get(_trials(row, share)[0].key)
        for name, share in ENSEMBLES.items()
        for row in RECIPE_ROWS
    }
    return {key: error for key, error in found.items() if error is not None}
