"""What a model is for, each task with all that follows from it in one class."""

from bitformer.model.config import TransformerConfig
from bitformer.model.task.classify import Classify
from bitformer.model.task.forecast import Detect, Forecasting
from bitformer.model.task.task import Task

__all__ = ["TASKS", "Classify", "Detect", "Forecasting", "Task", "task_for"]

#: Every task by its name in a configuration.
TASKS: dict[str, Task] = {one.name: one for one in (Forecasting(), Classify(), Detect())}


def task_for(config: TransformerConfig) -> Task:
    """Return what a model of ``config`` is for."""
    return TASKS[config.task]
