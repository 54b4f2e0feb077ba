"""Scores of classifiers on test windows, beside those of baselines that need no network."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bitformer.model.clipping import Clipped
from bitformer.model.data.windows import Dataset
from bitformer.model.task.class_baselines import class_answers
from bitformer.model.task.class_scores import ClassScores
from bitformer.model.trained_baselines import TrainedBaseline
from bitformer.model.verdict import ERROR_RATE, Verdict, compare_errors

__all__ = ["ClassEvaluation"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class ClassEvaluation:
    """Scores on test windows, by the name of who answers.

    None stands where a baseline does not exist for the data. ``verdict`` compares the error rate of
    the last model with that of the best baseline; None where there is nothing to compare.

    Parameters
    ----------
    dataset : whose test windows were answered.
    models, baselines : scores by name.
    verdict : how the last of the models compares with the best baseline.
    clipped : numbers of the windows beyond what words hold; None if not counted.
    entropies : mean cross entropies in nats of models whose scores are known, by name.
    trained : how each baseline that was trained came to be, by its name.
    """

    dataset: Dataset
    models: Mapping[str, ClassScores]
    baselines: Mapping[str, ClassScores | None]
    verdict: Verdict | None = None
    clipped: tuple[Clipped, ...] | None = None
    entropies: Mapping[str, float] = dataclasses.field(default_factory=dict)
    trained: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        models: Mapping[str, np.ndarray],
        *,
        advice: Callable[[float], Sequence[str]] | None = None,
        entropies: Mapping[str, float] | None = None,
        trained: Sequence[TrainedBaseline] = (),
    ) -> "ClassEvaluation":
        """Return the scores of ``models`` beside the baselines of the data set.

        ``models`` : by name, the classes' numbers [N] that they answer for the test windows.
        ``advice`` : returns what to try if the model loses to a baseline, whose rate of errors it
        is given. ``entropies`` as of the class. ``trained`` : more baselines, with answers.
        """
        test = dataset.test
        others = class_answers(dataset) | {one.name: one.forecasts for one in trained}

        def scored(answers: np.ndarray) -> ClassScores:
            return ClassScores.of(
                answers, test, classes=len(dataset.classes), groups=dataset.groups
            )

        def wrong(answers: np.ndarray) -> np.ndarray:
            return (np.asarray(answers).reshape(-1, 1) != test.label[:, None]).astype(float)

        name, answers = list(models.items())[-1]
        verdict = compare_errors(
            model=name,
            ours=wrong(answers),
            theirs={n: wrong(one) for n, one in others.items() if one is not None},
            windows=test,
            advice=advice,
            measure=ERROR_RATE,
        )
        return cls(
            dataset=dataset,
            models={n: scored(one) for n, one in models.items()},
            baselines={n: None if one is None else scored(one) for n, one in others.items()},
            verdict=verdict,
            entropies=entropies or {},
            trained={one.name: one.facts for one in trained},
        )

    @property
    def scores(self) -> ClassScores:
        """Those of the last model, which is the one that is deployed."""
        return list(self.models.values())[-1]

    def __repr__(self) -> str:
        every = {**self.models, **self.baselines}
        said = ", ".join(f"{n} {one.accuracy:.4f}" for n, one in every.items() if one is not None)
        return f"<ClassEvaluation, test accuracy on {self.dataset.name}: {said}>"

    def to_dict(self) -> dict[str, object]:
        """Return scores, baselines and the data's names as plain data."""
        dataset, counted = self.dataset, self.clipped is not None
        return {
            "task": dataset.task,
            "data": {
                "name": dataset.name,
                "target": dataset.target,
                "inputs": list(dataset.inputs),
                "classes": list(dataset.classes),
                "groups": list(dataset.groups),
                "notes": list(dataset.notes),
            },
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
            "test_windows": len(dataset.test),
            "test_cross_entropy": dict(self.entropies),
            "scores": {n: one.to_dict(dataset.classes) for n, one in self.models.items()},
            "baselines": {
                name: None if one is None else one.to_dict(dataset.classes)
                for name, one in self.baselines.items()
            },
            "trained_baselines": {name: dict(facts) for name, facts in self.trained.items()},
            **({"clipped": [one.to_dict() for one in self.clipped or ()]} if counted else {}),
        }
