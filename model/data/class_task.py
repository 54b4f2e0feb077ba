"""What a model is to do with data: forecast, or tell the class of a window, as the data say."""

from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

__all__ = ["check_classified", "guess_said", "task_of"]


def task_of(reading: Reading, task: str | None) -> str:
    """Return the task that is asked for, or that the data are for.

    Raises
    ------
    UserError
        If it needs classes and there are none, or the other way round.
    """
    if task is None:
        task = "classify" if reading.labelled else "detect" if reading.anomaly else "forecast"
    if reading.anomaly is not None and task != "detect":
        raise UserError(
            f"anomaly is for a detector, and the task is {task}, but it is {reading.anomaly}: leave"
            " --anomaly out, or say --task detect"
        )
    if task == "classify":
        if not reading.labelled:
            raise UserError(
                "Task classify needs the classes of the rows: name their column with --label, or a"
                " folder of files with --data and --files '{group}_{label}.csv'"
            )
        return task
    for name, given in (
        ("label", reading.label),
        ("files", reading.files),
        ("group", reading.group),
        ("test_groups", ", ".join(reading.test_groups)),
        ("stride", None if reading.stride == 1 else reading.stride),
    ):
        if given:
            option = "--" + name.replace("_", "-")
            raise UserError(
                f"{name} is for a classifier, and the task is {task}, but it is {given}: leave"
                f" {option} out"
                + (
                    ", or name the column of classes with --label"
                    if not reading.labelled
                    else ", or say --task classify"
                )
            )
    return task


def guess_said(reading: Reading, task: str) -> tuple[str, ...]:
    """Return a sentence on why data are for a task that nobody named."""
    if task == "forecast":
        return ()
    if task == "detect":
        return (f"Task: detect, as column {reading.anomaly} marks anomalies",)
    where = "the names of files say" if reading.label is None else f"column {reading.label} says"
    return (f"Task: classify, as {where} what the rows are",)


def check_classified(
    reading: Reading, *, target: str | None, sense: str | None, ahead: int | None
) -> None:
    """Raise :class:`UserError` for what says what to forecast, where windows are classified."""
    called = "label" if reading.label is None else reading.label
    for name, given in (("target", None if target == called else target), ("sense", sense)):
        if given is not None:
            raise UserError(
                f"{name} must be left out where windows are classified, as their classes are told"
                f" by {'the names of files' if reading.label is None else reading.label}, not be"
                f" {given}: leave --{name} out"
            )
    if ahead not in (None, 0, 1):
        raise UserError(
            f"ahead must be left out where windows are classified, not be {ahead}: leave --ahead"
            " out"
        )
