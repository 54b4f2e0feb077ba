"""Forecasts: the network gives values of a series, and what they are off by is squared."""

from typing import ClassVar

import numpy as np

from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.fidelity import NEGLIGIBLE
from bitformer.model.task.task import Task

__all__ = ["Detect", "Forecasting"]


class Forecasting(Task):
    """The values of a series after a window, or of a quantity at its end."""

    name: ClassVar[str] = "forecast"
    error_name: ClassVar[str] = "MSE"
    negligible: ClassVar[float] = NEGLIGIBLE
    gives_target: ClassVar[bool] = True

    def horizon(self, dataset: Dataset) -> int:
        return dataset.train.horizon

    def targets(self, dataset: Dataset) -> int:
        return len(dataset.by_target)

    def error(self, outputs: np.ndarray, windows: Windows) -> float:
        return float(np.square(outputs - windows.y).mean())

    def rounding_step(self, exponent: int) -> float:
        return 2.0**exponent


class Detect(Forecasting):
    """What is unusual: a forecast whose residual is judged behind the network."""

    name: ClassVar[str] = "detect"

    def horizon(self, dataset: Dataset) -> int:
        # rows of all channels, as detection_windows makes them, are one target
        return dataset.train.horizon if dataset.targets else dataset.train.outputs

    def targets(self, dataset: Dataset) -> int:
        return max(1, len(dataset.targets))
