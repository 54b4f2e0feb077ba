"""Scores of a classifier: beside baselines, by class and by group, and what it mistakes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.class_evaluation import ClassEvaluation
    from bitformer.model.task.class_scores import ClassScores

__all__ = ["show_classes"]

#: Classes that a table of mistakes shows; of more, it is in --json.
_MOST = 12


def show_classes(report: "Report", scores: "ClassEvaluation") -> None:
    """Print the verdict and the tables of ``scores``; the model is the last of its models."""
    if scores.verdict is not None:
        report.line(str(scores.verdict))
    dataset, own = scores.dataset, scores.scores
    everyone = {**scores.models, **scores.baselines}
    best = max((one.accuracy for one in everyone.values() if one is not None), default=0.0)
    columns = ["classifier", "accuracy", "balanced", "weighted F1", "macro F1"]
    grouped = bool(own.groups)
    columns += ["mean F1 of groups"] if grouped else []
    rows: list[tuple[object, ...] | None] = []
    for name, one in everyone.items():
        if one is None:
            rows.append((name, *["-"] * (len(columns) - 1)))
            continue
        figures = [one.accuracy, one.balanced_accuracy, one.weighted_f1, one.macro_f1]
        figures += [one.mean_group_f1 or 0.0] if grouped else []
        shown = f"{name} (best)" if one.accuracy == best else name
        rows.append((shown, *(f"{figure:.4f}" for figure in figures)))
    title = f"{dataset.name}, {dataset.target}: {len(dataset.test)} test windows"
    report.table(tuple(columns), rows, title=title)
    name = list(scores.models)[-1]
    _show_each(report, own, dataset.classes, name)
    if grouped:
        report.table(
            ("group", "windows", "weighted F1"),
            [
                (group, int(own.groups[group].sum()), f"{f1:.4f}")
                for group, f1 in own.group_f1.items()
            ],
            title=f"Groups, by {name}",
        )
    if own.rejected:
        report.line(
            f"Rejected: {own.rejected:.2%} of the windows; of the others"
            f" {own.accuracy_of_answered:.2%} are right"
        )


def _show_each(report: "Report", own: "ClassScores", classes: tuple[str, ...], name: str) -> None:
    """Print what is found of each class, and, of few classes, what it is taken for."""
    few = len(classes) <= _MOST
    answers = [*classes, *(["rejected"] if own.rejected else [])] if few else []
    report.table(
        ("class", "windows", "precision", "recall", "F1", *(f"as {one}" for one in answers)),
        [
            (
                one,
                int(own.confusion[n].sum()),
                *(f"{part[n]:.4f}" for part in (own.precision, own.recall, own.f1)),
                *(int(count) for count in own.confusion[n][: len(answers)]),
            )
            for n, one in enumerate(classes)
        ],
        title=f"Classes, by {name}",
    )
