"""Classes: the network gives a score for each class, and the largest one is the answer."""

from typing import ClassVar

import numpy as np

from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.task.task import Task

__all__ = ["BALANCED", "Classify", "cross_entropies"]

#: Class weights with which each class counts as much as any other.
BALANCED = "balanced"


def cross_entropies(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross entropy [N], in nats, of scores [N, classes] and the classes' numbers."""
    scores = np.asarray(scores, dtype=np.float64)
    top = scores.max(axis=1)
    total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return total - scores[np.arange(len(scores)), labels]


class Classify(Task):
    """The class of a window."""

    name: ClassVar[str] = "classify"
    error_name: ClassVar[str] = "cross entropy"
    negligible: ClassVar[float] = 0.02
    gives_target: ClassVar[bool] = False

    def horizon(self, dataset: Dataset) -> int:
        return len(dataset.classes)

    def error(self, outputs: np.ndarray, windows: Windows) -> float:
        return float(cross_entropies(outputs, windows.label).mean())

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        return outputs.argmax(axis=1)[:, None]

    def class_weights(self, dataset: Dataset, weights: str | None) -> np.ndarray | None:
        if weights != BALANCED:
            return None
        counts = np.bincount(dataset.train.label, minlength=len(dataset.classes))
        return len(dataset.train) / (len(counts) * np.maximum(counts, 1))
