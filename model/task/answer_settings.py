"""What is set of a model's answer after its training: a margin of classes, a detector's flag."""

from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.task.margins import check_reject
from bitformer.model.task.thresholds import Rule

__all__ = ["check_answer"]

#: What is set, by the task that it is for, and what that makes.
_OF = {
    "reject": ("classify", "a classifier"),
    "smoothing": ("detect", "a detector"),
    "factor": ("detect", "a detector"),
    "hold": ("detect", "a detector"),
}


def check_answer(task: str, *, reject: float | None = None, **judged: Any) -> None:
    """Raise :class:`UserError` for what is no setting of a model of ``task``, or out of its range.

    ``reject`` : of a classifier, the share that may be rejected; 0 is nothing. ``judged`` : of a
    detector, ``smoothing``, ``factor`` and ``hold`` as of
    :class:`bitformer.model.task.thresholds.Rule`; None for what is not given.
    """
    for name, given in {"reject": reject or None, **judged}.items():
        own, what = _OF[name]
        if given is not None and own != task:
            raise UserError(
                f"{name} must be left out to {task}, as it is of {what}, not be {given}: leave"
                f" --{name} out, or say --task {own}"
            )
    check_reject(0.0 if reject is None else reject)
    Rule(**{name: given for name, given in judged.items() if given is not None})
