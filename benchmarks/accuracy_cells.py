"""A finished training on the part: is it exact on every test window, and what does it cost.

What was measured of a model is kept in a file of its own; a change of the model measures again.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import bitformer
from bitformer.model.data.datasets import load_source
from bitformer.model.data.windows import Dataset
from bitformer.model.evaluation import Evaluation
from bitformer.model.files import write_whole
from bitformer.model.identity import model_hash
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.linear import Linear
from bitformer.model.structure import norms
from bitformer.sim.run import simulate
from bitformer.study.trials import Outcome, Trial

__all__ = ["PART", "Cells"]

PART = "xc7s15"


class Cells:
    """Records of models in ``folder``, one file each, which are computed if they are not there."""

    def __init__(self, folder: Path, note: Callable[[str], None]):
        self._folder, self._note = folder, note
        self._datasets: dict[str, Dataset] = {}

    def dataset(self, trial: Trial) -> Dataset:
        """A trial's data as windows; of all trials of a task, they are read once."""
        config = trial.config
        key = f"{trial.source!r} {config.rows_seen} {config.horizon} {config.calendar}"
        if key not in self._datasets:
            self._datasets[key] = load_source(trial.source, config)
        return self._datasets[key]

    def scored(self, outcome: Outcome) -> dict[str, Any]:
        """The integer model's test MSE, and its verdict against the best baseline."""
        dataset = functools.partial(self.dataset, outcome.trial)
        found = self._kept("scored", outcome, lambda model: _scored(model, dataset()))
        assert found is not None
        return found

    def measured(self, outcome: Outcome, *, compute: bool) -> dict[str, Any] | None:
        """The model on the part: exactness over the whole test split, cycles, resources, energy.

        None if that is not known and not to be computed; ``error`` says why the part cannot run it.
        """

        def measure(model: bitformer.Model) -> dict[str, Any]:
            self._note(f"{outcome.trial.config.name}: every test window, natively")
            return _measured(model, self.dataset(outcome.trial))

        return self._kept("measured", outcome, measure if compute else None)

    def _kept(
        self,
        kind: str,
        outcome: Outcome,
        compute: Callable[[bitformer.Model], dict[str, Any]] | None,
    ) -> dict[str, Any] | None:
        assert outcome.model is not None
        model = bitformer.load(outcome.model)
        digest = model_hash(model.integer).hex()
        path = self._folder / kind / f"{outcome.trial.key}.json"
        if path.is_file():
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["model"] == digest:
                return record
        if compute is None:
            return None
        record = {"model": digest, **compute(model)}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(record, indent=1) + "\n")
        return record


def parameters(model: IntegerModel) -> int:
    """Weights, biases with the calendar's tables, and gains; not a fixed table of positions."""
    config = model.config
    linears = [op for op in model.operations if isinstance(op, Linear)]
    count = sum(op.weight.size + op.bias.size for op in linears)
    count += 2 * config.d_model * len(norms(config))
    if config.position == "learned":
        count += sum(constant.size for constant in model.constants.values())
    return count


def _scored(model: bitformer.Model, dataset: Dataset) -> dict[str, Any]:
    forecast = model.predict(dataset.test.x, dataset.test.clock)
    found = Evaluation.of(dataset, {"integer": forecast})
    verdict = found.verdict
    return {
        "test": float(np.square(forecast - dataset.test.y).mean()),
        "verdict": None if verdict is None else verdict.to_dict(),
        "baselines": dict(found.baselines),
        "target_seen": dataset.target_channel is not None,
    }


def _measured(model: bitformer.Model, dataset: Dataset) -> dict[str, Any]:
    try:
        design = bitformer.lower(model, part=PART)
    except bitformer.UserError as error:
        return {"error": str(error)}
    windows = model.integer.quantize_input(dataset.test.x, dataset.test.clock)
    ran = simulate(design.lowered, windows, engine="native")
    estimate = design.estimate()
    return {
        "windows": len(ran.outputs),
        "exact": ran.bit_exact,
        "as_predicted": ran.cycles_as_predicted,
        "latency": design.latency,
        "interval": design.interval,
        "fits": estimate.fits,
        "luts": {use.resource: use.used for use in estimate.uses},
        "energy_uj": None if estimate.energy_j is None else estimate.energy_j * 1e6,
        "parameters": parameters(model.integer),
        "macs": model.macs,
    }
