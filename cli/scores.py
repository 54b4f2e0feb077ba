"""Test errors: in one sentence, then as a table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.evaluation import Evaluation

__all__ = ["show_scores", "show_verdict"]


def show_verdict(report: "Report", scores: "Evaluation") -> None:
    """Print whether the model beats the best baseline, and what to try if it does not."""
    if scores.verdict is not None:
        report.line(str(scores.verdict))


def show_scores(report: "Report", scores: "Evaluation", *, title: str | None = None) -> None:
    """Print how the model compares with the best baseline, then ``scores``, the models first."""
    show_verdict(report, scores)
    errors = {**scores.models, **scores.baselines}
    known = {name: error for name, error in errors.items() if error is not None}
    least = min(known.values())
    # the integer model is the last of those that equal it but for rounding
    best = [name for name, error in known.items() if error <= least * (1 + 1e-9)][-1]
    rows: list[tuple[object, ...]] = []
    for name, error in errors.items():
        if name == best:
            name = f"{name} (best)"
        if error is None:
            rows.append((name, "-", "-"))
        else:
            rows.append((name, f"{error:.4f}", f"{scores.rmse(error):.4g}"))
    dataset = scores.dataset
    default = f"{dataset.name}, {dataset.target}: {len(dataset.test)} test windows"
    columns = ("forecast", "MSE (standardised)", f"RMSE of {dataset.target}")
    report.table(columns, rows, title=title or default)
