"""How well classes are told: accuracy, F1 by class and by group, what is mistaken for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitformer.model.data.windows import Windows

__all__ = ["ClassScores"]


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """Counts of answers by what they should be; all scores follow from them.

    A window that is rejected is no right answer: it counts as missed by its class, and for none.

    Parameters
    ----------
    confusion : int64 [classes, classes + 1]; windows by their class and by the answer, of which the
        last is «rejected».
    groups : the same of each group's windows, by its name; of those that have windows.
    """

    confusion: np.ndarray
    groups: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        answers: np.ndarray,
        windows: Windows,
        *,
        classes: int,
        groups: Sequence[str] = (),
    ) -> "ClassScores":
        """Return the scores of answers [N], classes' numbers, for the N windows."""
        label, numbers = windows.label, np.asarray(answers).reshape(-1).astype(int)

        def counted(which: np.ndarray) -> np.ndarray:
            places = label[which] * (classes + 1) + numbers[which]
            size = classes * (classes + 1)
            return np.bincount(places, minlength=size).reshape(classes, classes + 1)

        parts = {name: counted(windows.group_of == n) for n, name in enumerate(groups)}
        return cls(
            confusion=counted(np.ones(len(label), bool)),
            groups={name: one for name, one in parts.items() if one.any()},
        )

    @property
    def windows(self) -> int:
        """How many were answered."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of right answers, of all windows."""
        return _share(np.trace(self.confusion), self.windows)

    @property
    def error(self) -> float:
        """Share of answers that are not right."""
        return 1 - self.accuracy

    @property
    def rejected(self) -> float:
        """Share of windows that are rejected."""
        return _share(self.confusion[:, -1].sum(), self.windows)

    @property
    def accuracy_of_answered(self) -> float:
        """Share of right answers, of the windows that are not rejected."""
        return _share(np.trace(self.confusion), self.confusion[:, :-1].sum())

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes that have windows of the share that is found of each."""
        there = self.confusion.sum(axis=1) > 0
        return float(np.mean(self.recall[there])) if there.any() else 0.0

    @property
    def recall(self) -> np.ndarray:
        """Share of each class's windows that is found, [classes]; 0 of one without windows."""
        return _shares(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> np.ndarray:
        """Share of each answer that is right, [classes]; 0 of one that is never given."""
        return _shares(np.diag(self.confusion), self.confusion[:, :-1].sum(axis=0))

    @property
    def f1(self) -> np.ndarray:
        """F1 of each class, [classes]."""
        return _f1(self.confusion)

    @property
    def weighted_f1(self) -> float:
        """Mean of the classes' F1, each as often as it has windows."""
        return _weighted_f1(self.confusion)

    @property
    def macro_f1(self) -> float:
        """Mean of the classes' F1, of those that have windows or are answered."""
        used = (self.confusion.sum(axis=1) + self.confusion[:, :-1].sum(axis=0)) > 0
        return float(np.mean(self.f1[used])) if used.any() else 0.0

    @property
    def group_f1(self) -> dict[str, float]:
        """Weighted F1 of each group."""
        return {name: _weighted_f1(one) for name, one in self.groups.items()}

    @property
    def mean_group_f1(self) -> float | None:
        """Mean over groups of their weighted F1; None without groups."""
        found = self.group_f1
        return float(np.mean(list(found.values()))) if found else None

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return all scores as plain data; ``classes`` are the names."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "weighted_f1": self.weighted_f1,
            "macro_f1": self.macro_f1,
            "f1": dict(zip(classes, self.f1.tolist(), strict=True)),
            "precision": dict(zip(classes, self.precision.tolist(), strict=True)),
            "recall": dict(zip(classes, self.recall.tolist(), strict=True)),
            "confusion": self.confusion.tolist(),
            "rejected": self.rejected,
            "accuracy_of_answered": self.accuracy_of_answered,
            "group_f1": self.group_f1,
            "mean_group_f1": self.mean_group_f1,
        }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _shares(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    return np.where(wholes > 0, parts / np.maximum(wholes, 1), 0.0)


def _f1(confusion: np.ndarray) -> np.ndarray:
    both = confusion.sum(axis=1) + confusion[:, :-1].sum(axis=0)
    return _shares(2 * np.diag(confusion), both)


def _weighted_f1(confusion: np.ndarray) -> float:
    return _share(float(_f1(confusion) @ confusion.sum(axis=1)), confusion.sum())
