"""What a model answers, as its task has it: for people, and for what is built of it."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from bitformer.model.forecasts.classes import REJECTED, class_names
from bitformer.model.ir import IntegerModel
from bitformer.model.own_data import own_targets, rows_ahead, trained_on

__all__ = ["Answer", "inferences"]

#: What one window comes to and several do, by the task.
_NAMES = {
    "forecast": ("forecast", "forecasts"),
    "classify": ("classified window", "classified windows"),
    "detect": ("judged window", "judged windows"),
}
_UNKNOWN = ("inference", "inferences")


def _names(model: IntegerModel) -> tuple[str, ...]:
    """Return what several targets are called: by their numbers, where nobody knows more."""
    named = own_targets(trained_on(model))
    if isinstance(named, tuple):
        return named
    return tuple(f"target {number + 1}" for number in range(model.config.targets))


def inferences(answer: "Answer | None", count: int) -> str:
    """Return what ``count`` windows come to, in words; ``answer`` is None where nobody knows."""
    one, several = _UNKNOWN if answer is None else _NAMES[answer.task]
    return f"{'one' if count == 1 else count} {one if count == 1 else several}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What comes out of a model for a window; fields of other tasks are None.

    Parameters
    ----------
    task : what the model is for.
    numbers : values of a target that are forecast, classes that have a score, or numbers that are
        judged.
    target : the column that is forecast or judged, or what classes are called; None of an untrained
        model.
    targets : names of several columns that are forecast, in the order in which their values come.
    ahead : rows from a window's last to the first that is forecast or judged.
    classes : names, in the order of their numbers.
    margin : steps of a score by which the largest must lead, lest the window is rejected.
    smoothing, threshold, hold : how a detector judges:
        :class:`bitformer.model.operations.judge.Judge`.
    """

    task: Literal["forecast", "classify", "detect"]
    numbers: int
    target: str | None = None
    targets: tuple[str, ...] | None = None
    ahead: int | None = None
    classes: tuple[str, ...] | None = None
    margin: int | None = None
    smoothing: int | None = None
    threshold: int | None = None
    hold: int | None = None

    @classmethod
    def of(cls, model: IntegerModel) -> "Answer":
        """Return what ``model`` answers."""
        config, judge = model.config, model.detector
        more: dict[str, Any] = {"task": config.task, "target": trained_on(model).get("target")}
        if model.decision is not None:
            more |= {"classes": class_names(model), "margin": model.decision.margin}
        else:
            more["ahead"] = rows_ahead(model)
        if config.targets > 1:
            more["targets"] = _names(model)
        if judge is not None:
            settings = ("smoothing", "threshold", "hold")
            more |= {name: int(getattr(judge, name)) for name in settings}
        return cls(numbers=config.horizon, **more)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What comes out, and what it means: sentences without a full stop."""
        if self.classes is not None:
            return self._of_classes(self.classes)
        if self.task == "detect":
            return self._of_a_flag()
        if self.ahead == 0:
            return (f"Senses {self._called} at a window's last row",)
        return (f"Forecasts {self._rows}",)

    @property
    def _called(self) -> str:
        if self.targets is not None:
            return f"each of {', '.join(self.targets)}, one after the other"
        return "its target" if self.target is None else self.target

    @property
    def _rows(self) -> str:
        """Name the values behind a window."""
        how = f"{self.numbers} steps" if self.numbers > 1 else "one step"
        where = {1: "the next row", 0: "a window's last row"}
        at = where.get(self.ahead or 0, f"{self.ahead} rows after a window's last")
        return f"{how} of {self._called}, {'at' if self.numbers == 1 else 'from'} {at}" + (
            " on" if self.numbers > 1 else ""
        )

    def _of_classes(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        names = ", ".join(f"{number} {name}" for number, name in enumerate(classes))
        said = f"Answers with the number of a window's class: {names}"
        if not self.margin:
            return (said, "No window is rejected")
        return (
            said,
            f"{len(classes)} says {REJECTED}: the largest score leads by less than"
            f" {self.margin} steps",
        )

    def _of_a_flag(self) -> tuple[str, ...]:
        held = f"and for {self.hold} windows after" if self.hold else "and in no window after"
        return (
            f"Judges {self._rows}, against what came, which is sent with the window",
            "Answers with 1 while its flag is up, which says that something is unusual, else with"
            " 0",
            f"The flag is up while the score of smoothed residuals (2^-{self.smoothing}) is above"
            f" {self.threshold}, {held}",
            "Windows are judged in the order in which they come, from a reset on",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known, as plain data."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("classes", "targets"):
            found[name] = None if found[name] is None else list(found[name])
        return {name: value for name, value in found.items() if value is not None}
