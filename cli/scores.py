"""Test errors as a table: a model's beside the forecasts that need no network."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from bitformer.model.windows import Dataset

    from .report import Report

__all__ = ["Scores", "mse", "show_scores"]


def mse(forecast: "np.ndarray", dataset: "Dataset") -> float:
    """Mean squared error of standardised forecasts of the test windows."""
    return float(((forecast - dataset.test.y) ** 2).mean())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """Test MSE, in units of the target's variance over the training rows, by forecast.

    None stands where a baseline does not exist for the data.
    """

    dataset: "Dataset"
    models: Mapping[str, float]
    baselines: Mapping[str, float | None]

    @classmethod
    def of(cls, dataset: "Dataset", models: Mapping[str, float]) -> "Scores":
        """``models`` with the baselines of the data set."""
        from bitformer.model.baselines import baselines

        return cls(dataset=dataset, models=models, baselines=baselines(dataset))

    def rmse(self, error: float) -> float:
        """An error's root in the target's own unit."""
        return error**0.5 * self.dataset.target_std

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
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


def show_scores(report: "Report", scores: Scores, *, title: str | None = None) -> None:
    """Print ``scores``, the models first."""
    rows: list[tuple[object, ...]] = []
    for name, error in (*scores.models.items(), *scores.baselines.items()):
        if error is None:
            rows.append((name, "-", "-"))
        else:
            rows.append((name, f"{error:.4f}", f"{scores.rmse(error):.4g}"))
    dataset = scores.dataset
    default = f"{dataset.name}, {dataset.target}: {len(dataset.test)} test windows"
    columns = ("forecast", "MSE (standardised)", f"RMSE of {dataset.target}")
    report.table(columns, rows, title=title or default)
