"""What a model is for, each task with all that follows from it in one class."""

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.task.classify import Classify
from bitformer.model.task.forecast import Detect, Forecasting
from bitformer.model.task.task import Task

__all__ = ["TASKS", "Classify", "Detect", "Forecasting", "Task", "require_task", "task_for"]

#: Every task by its name in a configuration.
TASKS: dict[str, Task] = {one.name: one for one in (Forecasting(), Classify(), Detect())}


def task_for(config: TransformerConfig) -> Task:
    """Return what a model of ``config`` is for."""
    return TASKS[config.task]


def require_task(config: TransformerConfig, method: str) -> None:
    """Raise :class:`UserError` unless a model of ``config`` is for what ``method`` asks of it."""
    if config.task != method:
        raise UserError(
            f"task must be {method} to {method}, and model {config.name} is to {config.task}: call"
            f" {config.task}() instead, or type 'bitformer predict MODEL --data FILE'"
        )
