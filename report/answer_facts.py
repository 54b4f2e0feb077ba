"""Classes and flags of test windows as a page shows them."""

from typing import Any

import numpy as np

from bitformer.model.class_evaluation import ClassEvaluation
from bitformer.model.detection_evaluation import DetectionEvaluation
from bitformer.model.forecasts.classes import REJECTED
from bitformer.report.row_times import RowTimes

__all__ = ["class_facts", "detection_facts"]

#: Points that a picture of a long series has: its rows are taken together, with their extremes.
_POINTS = 800


def class_facts(scores: ClassEvaluation) -> dict[str, Any]:
    """Return the confusion matrix, scores by class, and the baselines' accuracy."""
    own, names = scores.scores, list(scores.dataset.classes)
    against = {} if scores.verdict is None else scores.verdict.against
    answers = [*names, REJECTED] if own.rejected else names
    return {
        "sentence": None if scores.verdict is None else str(scores.verdict),
        "outcome": None if scores.verdict is None else scores.verdict.outcome,
        "data": scores.dataset.name,
        "windows": own.windows,
        "classes": names,
        "answers": answers,
        "confusion": own.confusion[:, : len(answers)].tolist(),
        "accuracy": own.accuracy,
        "balanced_accuracy": own.balanced_accuracy,
        "weighted_f1": own.weighted_f1,
        "rejected": own.rejected,
        "by_class": [
            {
                "name": name,
                "windows": int(own.confusion[number].sum()),
                "recall": float(own.recall[number]),
                "precision": float(own.precision[number]),
                "f1": float(own.f1[number]),
            }
            for number, name in enumerate(names)
        ],
        "group_f1": own.group_f1,
        "baselines": [
            {
                "name": name,
                "accuracy": one.accuracy,
                "relative": against[name].relative if name in against else None,
                "interval": list(against[name].interval or ()) or None if name in against else None,
                "outcome": against[name].outcome if name in against else None,
            }
            for name, one in scores.baselines.items()
            if one is not None
        ],
    }


def detection_facts(
    scores: DetectionEvaluation, times: RowTimes | None, *, rows: bool = True
) -> dict[str, Any]:
    """Return alarms, scores beside labelled anomalies, and the series with its flags.

    ``times`` : when rows were. ``rows`` : whether the series is shown, which is somebody's data.
    """
    found, test = scores.to_dict(), scores.dataset.test
    begins = scores.alarm_windows
    ends = np.flatnonzero(np.diff(scores.flags, append=0) < 0)
    at = test.first
    return {
        "sentence": str(scores),
        "data": scores.dataset.name,
        "target": scores.dataset.target,
        "windows": len(scores.flags),
        "flagged": scores.share,
        "events": found["events"],
        "rows": found["rows"],
        "network_mse": found["network_mse"],
        "alarms": [
            {
                "from": int(begin),
                "to": int(end),
                "time": None if times is None else times.words(int(at[begin])),
            }
            for begin, end in zip(begins, ends, strict=True)
        ],
        "series": _series(scores) if rows and len(at) else None,
    }


def _series(scores: DetectionEvaluation) -> dict[str, Any]:
    """Return the first target over the test windows, thinned: lowest and highest of each part."""
    dataset = scores.dataset
    scale = dataset.target_scales[0]
    values = dataset.by_target[0].test.y[:, 0] * scale.std + scale.mean
    parts = np.array_split(np.arange(len(values)), min(_POINTS, len(values)))
    marks = dataset.test.anomaly
    marked = None if marks is None else marks[dataset.test.first]
    return {
        "first": [int(part[0]) for part in parts],
        "low": [float(values[part].min()) for part in parts],
        "high": [float(values[part].max()) for part in parts],
        "flag": [int(scores.flags[part].max()) for part in parts],
        "anomaly": None if marked is None else [int(marked[part].max()) for part in parts],
    }
