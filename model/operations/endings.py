"""What ends a model that does more than forecast: one operation, by its task."""

from collections.abc import Sequence

from bitformer.model.operations.checks import fail
from bitformer.model.operations.decide import Decide
from bitformer.model.operations.judge import Judge
from bitformer.model.operations.operation import Operation

__all__ = ["check_ending"]

#: The last operation by the task, and what it is called in a sentence.
_ENDINGS: dict[str, tuple[type[Operation], str]] = {
    "classify": (Decide, "a decision"),
    "detect": (Judge, "a flag"),
}


def check_ending(task: str, places: Sequence[str], operations: Sequence[Operation]) -> None:
    """Raise :class:`UserError` unless a model ends as its task needs, and nothing else in it does.

    ``places`` : what each operation is called in the sentence.
    """
    last = operations[-1]
    for where, op in zip(places[:-1], operations[:-1], strict=True):
        if op.at_output:
            kind = type(op).__name__
            fail(where, kind, "the last operation", f"followed by {type(last).__name__}")
    for name, (ending, called) in _ENDINGS.items():
        if isinstance(last, ending) and task != name:
            fail(places[-1], "task", f"{name} with {called}", task)
        if task == name and not isinstance(last, ending):
            must = f"{ending.__name__} for task {name}"
            fail(places[-1], "the last operation", must, type(last).__name__)
