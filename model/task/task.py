"""What every task answers: what is learned, how it is judged, and what it is called."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.errors import UserError

__all__ = ["Task"]


class Task(ABC):
    """A task of a model. Arrays are numpy's; its loss is in :mod:`bitformer.model.task.losses`."""

    #: Its name in a configuration.
    name: ClassVar[str]
    #: What its error on windows is called: it selects models, and is what rounding may cost.
    error_name: ClassVar[str]
    #: An error that passes whatever the float model's is: as good as none.
    negligible: ClassVar[float]
    #: Whether the network gives values of the target, so that the target's range is the output's.
    gives_target: ClassVar[bool]

    @abstractmethod
    def horizon(self, dataset: Dataset) -> int:
        """Return the horizon of a network: how many outputs it needs for each target."""

    def targets(self, dataset: Dataset) -> int:
        """Return how many targets a network has, each with outputs of its own."""
        return 1

    def outputs(self, dataset: Dataset) -> int:
        """Return how many outputs a network needs."""
        return self.horizon(dataset) * self.targets(dataset)

    @abstractmethod
    def error(self, outputs: np.ndarray, windows: Windows) -> float:
        """Return the error of a network's real outputs [N, outputs] on windows, in floats."""

    @property
    def error_key(self) -> str:
        """What its error is called in JSON: ``"mse"``."""
        return self.error_name.lower().replace(" ", "_")

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """Return what is answered of a network's real outputs [N, outputs]."""
        return outputs

    def check(self, config: TransformerConfig, dataset: Dataset) -> None:
        """Raise :class:`UserError` unless a model of ``config`` can learn this from the data."""
        if config.task != dataset.task:
            raise UserError(
                f"task must be {dataset.task} as the data {dataset.name} are read, not"
                f" {config.task} as in config {config.name}: say --task {dataset.task}"
            )

    def class_weights(self, dataset: Dataset, weights: str | None) -> np.ndarray | None:
        """Return the weight of each class in the loss; None where all windows weigh the same."""
        return None

    def rounding_step(self, exponent: int) -> float:
        """Return the step of an output whose rounding error is nobody's fault; 0 without one."""
        return 0.0
