"""Test errors, or scores of classes: in one sentence, then as a table."""

from typing import TYPE_CHECKING

from bitformer.cli.class_scores import show_classes
from bitformer.cli.detection_scores import show_detection

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.class_evaluation import ClassEvaluation
    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.model.evaluation import Evaluation

__all__ = ["show_scores", "show_verdict"]


def show_verdict(report: "Report", scores: "Evaluation | ClassEvaluation") -> None:
    """Print whether the model beats the best baseline, and what to try if it does not."""
    if scores.verdict is not None:
        report.line(str(scores.verdict))


def show_scores(
    report: "Report",
    scores: "AnyEvaluation",
    *,
    title: str | None = None,
) -> None:
    """Print how the model compares with the best baseline, then ``scores``, the models first."""
    from bitformer.model.class_evaluation import ClassEvaluation
    from bitformer.model.detection_evaluation import DetectionEvaluation

    if isinstance(scores, ClassEvaluation):
        show_classes(report, scores)
    elif isinstance(scores, DetectionEvaluation):
        show_detection(report, scores)
    else:
        _show_errors(report, scores, title)


def _show_errors(report: "Report", scores: "Evaluation", title: str | None, who: str = "") -> None:
    from bitformer.model.intervals import coverage_sentence
    from bitformer.model.verdict import mse_in_words

    if scores.verdict is not None:
        report.line(f"{who}{scores.verdict}")
    errors = {**scores.models, **scores.baselines}
    known = {name: error for name, error in errors.items() if error is not None}
    unlike = scores.off_device
    least = min(error for name, error in known.items() if name not in unlike)
    # the integer model is the last of those that equal it but for rounding
    close = [name for name, error in known.items() if error <= least * (1 + 1e-9)]
    best = [name for name in close if name not in unlike][-1]
    rows: list[tuple[object, ...]] = []
    skills, std = scores.skill, scores.dataset.target_std
    for bare, error in errors.items():
        name = bare
        if name == best:
            name = f"{name} (best)"
        elif bare in unlike and error is not None:
            name = f"{name} (not on the device)"
        skill = skills.get(bare)
        saved = "" if skill is None else f"{skill:.3g}"
        if error is None:
            rows.append((name, "-", "-", "-", "-"))
            continue
        absolute = "-" if bare not in scores.mae else f"{scores.mae[bare] * std:.4g}"
        rows.append((name, mse_in_words(error), f"{scores.rmse(error):.4g}", absolute, saved))
    dataset = scores.dataset
    default = f"{dataset.name}, {dataset.target}: {len(dataset.test)} test windows"
    target = "all, in deviations" if dataset.targets else dataset.target
    columns = ("forecast", "MSE (standardised)", f"RMSE of {target}", f"MAE of {target}", "skill")
    report.table(columns, rows, title=title or default)
    if any(skill is not None for skill in skills.values()):
        name = list(scores.models)[-1]
        report.line(f"Skill: 1 - MSE of {name} / MSE of that baseline")
    if scores.clock_sentence is not None:
        report.line(scores.clock_sentence)
    if scores.coverage:
        report.line(coverage_sentence(scores.coverage))
    for one in scores.by_target:
        own = one.dataset
        _show_errors(
            report,
            one,
            f"{own.name}, {own.target}: {len(own.test)} test windows",
            f"{own.target}: ",
        )
