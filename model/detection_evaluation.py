"""What a detector flags of test windows, and what of it was an anomaly, where that is known."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bitformer.model.clipping import Clipped
from bitformer.model.data.anomaly_marks import runs_of
from bitformer.model.data.detection import DETECTION, load_detection
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.task.detection_scores import (
    EventScores,
    PointScores,
    event_scores,
    point_scores,
)

__all__ = ["DetectionEvaluation"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class DetectionEvaluation:
    """Flags of the test windows, which come one after the other from a reset on.

    Parameters
    ----------
    dataset : whose test windows were judged.
    name : of what flagged them.
    flags : int64 [N]; 1 where the flag is up.
    errors : MSE of the network's forecasts, by model.
    events, points : scores beside labelled anomalies; None where none are known.
    clipped : numbers of the windows beyond what words hold; None if not counted.
    """

    dataset: Dataset
    name: str
    flags: np.ndarray
    errors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    events: EventScores | None = None
    points: PointScores | None = None
    clipped: tuple[Clipped, ...] | None = None

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        models: Mapping[str, np.ndarray],
        *,
        errors: Mapping[str, float] | None = None,
    ) -> "DetectionEvaluation":
        """Return what the last of ``models`` flags, by name flags [N, 1] of the test windows."""
        name, answers = list(models.items())[-1]
        flags = np.asarray(answers).reshape(-1).astype(np.int64)
        events, points = _scores(dataset, flags)
        return cls(
            dataset=dataset,
            name=name,
            flags=flags,
            errors=errors or {},
            events=events,
            points=points,
        )

    @property
    def share(self) -> float:
        """Share of windows that are flagged."""
        return float(self.flags.mean()) if len(self.flags) else 0.0

    @property
    def alarm_windows(self) -> np.ndarray:
        """Numbers of the windows, from 0, at which the flag goes up, int64 [alarms]."""
        return np.flatnonzero(np.diff(self.flags, prepend=0) > 0)

    @property
    def alarms(self) -> int:
        """How often the flag goes up."""
        return len(self.alarm_windows)

    @property
    def longest(self) -> int:
        """Windows that the longest alarm lasts."""
        edges = np.flatnonzero(np.diff(self.flags, prepend=0, append=0))
        return int(max(edges[1::2] - edges[::2], default=0))

    @property
    def days(self) -> float | None:
        """Days that the windows last; None where the rows have no times."""
        step = self.dataset.step
        if step is None or not step.dated:
            return None
        return len(self.flags) * step.length / 86400

    def __str__(self) -> str:
        """Say what was flagged."""
        days = "" if not self.days else f", {self.alarms / self.days:.2g} a day"
        of = f"{self.share:.2%} of {len(self.flags)} test windows"
        said = f"Flags: {of}, in {self.alarms} alarm{'' if self.alarms == 1 else 's'}{days}"
        if self.events is None or self.points is None:
            return f"{said}; which rows are anomalies is not known"
        found = self.events
        late = f", {np.mean(found.delays):.0f} rows late" if found.delays else ""
        return (
            f"{said}; {found.found} of {found.windows} labelled windows found{late}, {found.false}"
            f" false alarms; F1 of rows {self.points.f1:.3f}"
        )

    def __repr__(self) -> str:
        return f"<DetectionEvaluation on {self.dataset.name}: {self}>"

    def to_dict(self) -> dict[str, object]:
        """Return what was flagged and found as plain data."""
        found: dict[str, Any] = {
            "task": "detect",
            "data": {
                "name": self.dataset.name,
                "target": self.dataset.target,
                "inputs": list(self.dataset.inputs),
                "notes": list(self.dataset.notes),
            },
            "test_windows": len(self.flags),
            "network_mse": dict(self.errors),
            "flagged": self.share,
            "alarms": self.alarms,
            "alarm_windows": self.alarm_windows.tolist(),
            "days": self.days,
            "events": None,
            "rows": None,
        }
        if self.events is not None and self.points is not None:
            found["events"] = {
                **dataclasses.asdict(self.events),
                "delays": list(self.events.delays),
                "precision": self.events.precision,
                "recall": self.events.recall,
                "f1": self.events.f1,
                "false_a_day": self.events.false_a_day,
            }
            found["rows"] = {
                **dataclasses.asdict(self.points),
                "precision": self.points.precision,
                "recall": self.points.recall,
                "f1": self.points.f1,
            }
        if self.clipped is not None:
            found["clipped"] = [one.to_dict() for one in self.clipped]
        return found


def _scores(dataset: Dataset, flags: np.ndarray) -> tuple[EventScores | None, PointScores | None]:
    """Return the scores beside anomalies that are marked, or known by name; else None."""
    marks, step = dataset.test.anomaly, dataset.step
    if marks is not None:
        up, judged = np.zeros(len(marks), bool), np.zeros(len(marks), bool)
        up[dataset.test.first], judged[dataset.test.first] = flags > 0, True
        dated = step is not None and step.dated
        days = len(flags) * step.length / 86400 if step is not None and dated else None
        windows = [one for one in runs_of(marks) if judged[slice(*one)].any()]
        events = event_scores(up, windows, judged, days)
        return events, point_scores(up, marks, judged)
    if dataset.name not in DETECTION:
        return None, None
    try:
        series = load_detection(dataset.name).series
    except UserError:
        return None, None
    if len(series) != 1 or len(series[0].values) != len(dataset.test.inputs):
        return None, None
    up = np.zeros(len(series[0].values), bool)
    up[dataset.test.first] = flags > 0
    own = series[0]
    return (
        event_scores(up, own.windows, own.judged, own.days),
        point_scores(up, own.anomaly, own.judged),
    )
