"""Test errors of models, beside those of forecasts that need no network."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bitformer.model.baselines import baselines
from bitformer.model.ir import IntegerModel
from bitformer.model.reference import predict
from bitformer.model.windows import Dataset

if TYPE_CHECKING:
    from bitformer.model.train import TrainResult

__all__ = ["Evaluation", "mse", "scored"]


def mse(forecast: np.ndarray, dataset: Dataset) -> float:
    """Return the mean squared error of standardised forecasts of the test windows."""
    return float(((forecast - dataset.test.y) ** 2).mean())


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation:
    """Test MSE, in units of the target's variance over the training rows, by forecast.

    None stands where a baseline does not exist for the data.
    """

    dataset: Dataset
    models: Mapping[str, float]
    baselines: Mapping[str, float | None]

    @classmethod
    def of(cls, dataset: Dataset, models: Mapping[str, float]) -> "Evaluation":
        """Return the errors of ``models`` beside the baselines of the data set."""
        return cls(dataset=dataset, models=models, baselines=baselines(dataset))

    def rmse(self, error: float) -> float:
        """Return the root of an error in the target's own unit."""
        return error**0.5 * self.dataset.target_std

    def __repr__(self) -> str:
        errors = {**self.models, **self.baselines}
        said = ", ".join(f"{n} {e:.4f}" for n, e in errors.items() if e is not None)
        return f"<Evaluation, test MSE of {self.dataset.name}: {said}>"

    def to_dict(self) -> dict[str, object]:
        """Return errors, baselines and the data's names as plain data."""
        return {
            "data": {
                "name": self.dataset.name,
                "target": self.dataset.target,
                "inputs": list(self.dataset.inputs),
                "notes": list(self.dataset.notes),
                "target_std": self.dataset.target_std,
            },
            "test_windows": len(self.dataset.test),
            "test_mse": dict(self.models),
            "test_rmse": {name: self.rmse(error) for name, error in self.models.items()},
            "baseline_mse": dict(self.baselines),
        }


def scored(
    result: "TrainResult", model: IntegerModel | None, dataset: Dataset, *, method: str = "qat"
) -> Evaluation:
    """Return the test errors of the float, rounded and integer models, beside the baselines."""
    errors = {
        "float Transformer": result.float_test,
        f"quantized ({method.upper()})": result.quantized_test,
    }
    if model is not None:
        errors["integer"] = mse(predict(model, dataset.test.x), dataset)
    return Evaluation.of(dataset, errors)
