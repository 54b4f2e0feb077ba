"""How good flags are beside labelled anomalies: by rows, and by windows and alarms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["EventScores", "PointScores", "event_scores", "point_scores"]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@dataclass(frozen=True, kw_only=True)
class PointScores:
    """Rows: flagged anomalies (``hits``), flagged others (``false``), and anomalies not flagged."""

    hits: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of flagged rows that are anomalies; 0 where nothing is flagged."""
        return _ratio(self.hits, self.hits + self.false)

    @property
    def recall(self) -> float:
        """Share of the rows of anomalies that are flagged."""
        return _ratio(self.hits, self.hits + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _ratio(2 * self.hits, 2 * self.hits + self.false + self.missed)

    def __add__(self, other: "PointScores") -> "PointScores":
        return PointScores(
            hits=self.hits + other.hits,
            false=self.false + other.false,
            missed=self.missed + other.missed,
        )


def point_scores(flags: np.ndarray, anomaly: np.ndarray, judged: np.ndarray) -> PointScores:
    """Return the scores of flags, bool [rows], over the rows that are judged."""
    flags, anomaly = flags & judged, anomaly & judged
    return PointScores(
        hits=int((flags & anomaly).sum()),
        false=int((flags & ~anomaly).sum()),
        missed=int((~flags & anomaly).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class EventScores:
    """Windows of anomalies and alarms. An alarm is a flag that goes up.

    Parameters
    ----------
    found : windows in which an alarm is raised.
    windows : of anomalies, of which a row is judged.
    false : alarms outside of all windows.
    days : that the judged rows last; None if that is not known.
    delays : rows from a found window's first judged row to its first alarm.
    """

    found: int
    windows: int
    false: int
    days: float | None
    delays: tuple[int, ...]

    @property
    def false_a_day(self) -> float | None:
        """False alarms a day; None where days are not known."""
        return None if not self.days else self.false / self.days

    @property
    def precision(self) -> float:
        """Share of found windows among them and the false alarms; 0 without alarms."""
        return _ratio(self.found, self.found + self.false)

    @property
    def recall(self) -> float:
        """Share of windows that are found."""
        return _ratio(self.found, self.windows)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _ratio(2 * self.found, self.found + self.false + self.windows)

    @staticmethod
    def total(scores: Iterable["EventScores"]) -> "EventScores":
        """Return the scores of several series together."""
        several = list(scores)
        days = [one.days for one in several]
        return EventScores(
            found=sum(one.found for one in several),
            windows=sum(one.windows for one in several),
            false=sum(one.false for one in several),
            days=None if None in days else sum(one for one in days if one is not None),
            delays=tuple(delay for one in several for delay in one.delays),
        )


def event_scores(
    flags: np.ndarray,
    windows: Sequence[tuple[int, int]],
    judged: np.ndarray,
    days: float | None = None,
) -> EventScores:
    """Return the scores of flags, bool [rows], by windows (start, stop) and alarms.

    Only rows that are judged count: a flag that is up at the first of them is an alarm there. A
    window that begins while a flag from before is up is found only if another alarm is raised.
    """
    up = flags & judged
    alarms = np.flatnonzero(up & ~np.r_[False, up[:-1]])
    inside = np.zeros(len(alarms), bool)
    delays, count = [], 0
    for start, stop in windows:
        rows = np.flatnonzero(judged[start:stop])
        if not len(rows):
            continue
        count += 1
        own = (alarms >= start) & (alarms < stop)
        inside |= own
        if own.any():
            delays.append(int(alarms[own][0] - start - rows[0]))
    return EventScores(
        found=len(delays),
        windows=count,
        false=int((~inside).sum()),
        days=days,
        delays=tuple(delays),
    )
