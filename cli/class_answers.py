"""What ``bitformer predict`` says of a classifier: classes of the newest windows."""

from typing import TYPE_CHECKING, Any

from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.forecasts.classes import Classes

__all__ = ["check_answered", "show_answers"]

#: Windows that a table shows.
_SHOWN = 12


_ANSWERS = {
    "classify": "a classifier, whose answers are classes",
    "detect": "a detector, whose answers are flags",
}


def check_answered(task: str, **options: Any) -> None:
    """Raise :class:`UserError` for an option that says something of forecasts, of another task."""
    for name, given in options.items():
        if given is not None and task in _ANSWERS:
            raise UserError(f"--{name} must be left out with {_ANSWERS[task]}, and is {given}")


def show_answers(report: "Report", found: "Classes") -> None:
    """Print the newest classes, and how many windows are of each."""
    rows = list(found.rows())
    names = list(rows[0])
    report.table(
        names,
        [[str(row[name]) for name in names] for row in rows[-_SHOWN:]],
        title="Class of each window, the newest last",
        words=("series" in names) + (found.times is not None),
    )
    if len(found) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in found.counts().items())
        report.line(f"Of {len(found)} windows: {counts}")
    if len(found) > _SHOWN:
        report.line("All of them are in --csv and --json")
