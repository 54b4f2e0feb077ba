"""A finished training on the part: is it exact on every test window, and what does it cost.

What was measured of a model is kept in a file of its own; a change of the model measures again.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_rows import Row

import bitformer
from bitformer.model.data.datasets import load_source
from bitformer.model.data.windows import Dataset
from bitformer.model.evaluation import Evaluation, predict
from bitformer.model.files import write_whole
from bitformer.model.identity import model_hash
from bitformer.model.structure import linear_shapes, norms
from bitformer.study.trials import Outcome

__all__ = ["PART", "Cells"]

PART = "xc7s15"


class Cells:
    """Records of models in ``folder``, one file each, which are computed if they are not there."""

    def __init__(self, folder: Path, note: Callable[[str], None]):
        self._folder, self._note = folder, note
        self._datasets: dict[str, Dataset] = {}

    def dataset(self, row: Row) -> Dataset:
        """The row's data as windows; of all rows of a task, they are read once."""
        config = row.candidates[0].config
        key = f"{row.source!r} {config.window} {config.horizon}"
        if key not in self._datasets:
            self._datasets[key] = load_source(row.source, config)
        return self._datasets[key]

    def scored(self, row: Row, outcome: Outcome) -> dict[str, Any]:
        """The integer model's test MSE, and its verdict against the best baseline."""
        found = self._kept("scored", outcome, lambda model: _scored(model, self.dataset(row)))
        assert found is not None
        return found

    def measured(self, row: Row, outcome: Outcome, *, compute: bool) -> dict[str, Any] | None:
        """The model on the part: exactness over the whole test split, cycles, resources, energy.

        None if that is not known and not to be computed; ``error`` says why the part cannot run it.
        """

        def measure(model: bitformer.Model) -> dict[str, Any]:
            self._note(f"{outcome.trial.config.name}: every test window, natively")
            return _measured(model, self.dataset(row))

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


def parameters(config) -> int:
    """Weights, biases and gains; not a fixed table of positions."""
    count = sum(outputs * (inputs + 1) for outputs, inputs in linear_shapes(config).values())
    count += 2 * config.d_model * len(norms(config))
    if config.position == "learned":
        count += config.d_model * (config.tokens + config.decoder_layers * config.decoder_tokens)
    return count


def _scored(model: bitformer.Model, dataset: Dataset) -> dict[str, Any]:
    forecast = predict(model.integer, dataset.test.x)
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
    ran = design.simulate(dataset.test.x, engine="native")
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
        "parameters": parameters(model.config),
        "macs": model.macs,
    }
