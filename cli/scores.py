"""Test errors as a table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.evaluation import Evaluation

__all__ = ["show_scores"]


def show_scores(report: "Report", scores: "Evaluation", *, title: str | None = None) -> None:
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
