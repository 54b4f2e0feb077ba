"""Series in which anomalies are labelled: what a detector is trained, set and scored on.

No label is used before a detector is scored: it learns and is set on the first rows of each series,
``clean``, which are not judged, and on a series without a fault where there is one.
"""

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.data.anomaly_marks import marks_of, runs_of
from bitformer.model.data.csv_source import read_csv
from bitformer.model.data.folders import SKAB, find_folder
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.named_data import named_reading
from bitformer.model.data.parts import targets
from bitformer.model.data.reading import Reading
from bitformer.model.data.sources import SOURCES, find
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["DETECTION", "DetectionData", "DetectionSeries", "load_detection", "read_detection"]

#: Windows of labelled anomalies by the name of a file: first and last time of each.
_WINDOWS = Path(__file__).with_name("published") / "nab_windows.json"
_GROUPS = ("valve1", "valve2", "other")
_NAB = tuple(name for name, source in SOURCES.items() if source.clean is not None)
#: What :func:`load_detection` knows by name; of ``skab`` all files, or those of one group.
DETECTION = ("skab", *(f"skab/{group}" for group in _GROUPS), *_NAB)
#: Rows of a file of SKAB in which its threshold is set, and part of other series.
_SKAB_CLEAN, _CLEAN = 400, 0.15


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionSeries:
    """Rows, one step apart but for gaps, of which it is known which are anomalies.

    Parameters
    ----------
    name : such as ``skab/valve1/3``.
    group : such as ``valve1``; empty for a series by itself.
    columns : names of the m channels.
    values : float64 [rows, m]; NaN only outside of the segments.
    times : float64 [rows] or None; seconds since 1970, as the file's clock shows them.
    lines : int64 [rows]; each row's line in the file.
    made : bool [rows]; rows that stand for lost ones. They are not judged.
    anomaly : bool [rows]; the rows of anomalies.
    windows : row ranges (start, stop) of the labelled anomalies, in order.
    clean : the first rows, on which a detector learns and is set, and which are not judged.
    segments : row ranges (start, stop) without a gap.
    step : seconds between rows, or steps of another kind; None without times.
    notes : sentences for people.
    """

    name: str
    group: str = ""
    columns: tuple[str, ...]
    values: np.ndarray
    times: np.ndarray | None
    lines: np.ndarray
    made: np.ndarray
    anomaly: np.ndarray
    windows: tuple[tuple[int, int], ...]
    clean: int
    segments: tuple[tuple[int, int], ...]
    step: float | None
    notes: tuple[str, ...] = ()

    @property
    def judged(self) -> np.ndarray:
        """Whether a row counts when a detector is scored, bool [rows]."""
        return ~self.made & (np.arange(len(self.values)) >= self.clean)

    @property
    def judged_windows(self) -> tuple[tuple[int, int], ...]:
        """The labelled anomalies of which a row is judged."""
        judged = self.judged
        return tuple((start, stop) for start, stop in self.windows if judged[start:stop].any())

    @property
    def days(self) -> float | None:
        """Days that the judged rows last; None without a step in seconds."""
        return None if self.step is None else float(self.judged.sum()) * self.step / 86400

    def first(self, window: int, horizon: int = 1, ahead: int = 1) -> np.ndarray:
        """Return the first target row of each window, int64 [N], in order; none spans a gap."""
        lead = window + ahead - 1
        found = [
            np.arange(start + lead, start + lead + targets(stop - start - lead, horizon))
            for start, stop in self.segments
        ]
        return np.concatenate([np.empty(0, int), *found])


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionData:
    """Series with labelled anomalies, and one without any to train on.

    Parameters
    ----------
    name : of the data.
    train : rows without a fault; None where each series is trained on its own ``clean`` rows.
    series : at least one.
    """

    name: str
    train: DetectionSeries | None
    series: tuple[DetectionSeries, ...]


def load_detection(name: str, **reading: Any) -> DetectionData:
    """Load series with labelled anomalies by name.

    Parameters
    ----------
    name
        One of `DETECTION`.
    **reading
        Fields of :class:`bitformer.model.data.reading.Reading`; ``step="row"`` takes the rows as
        they stand, without any for lost ones.

    Raises
    ------
    UserError
        If there are no such data, or they are not here and cannot be fetched.
    """
    if name not in DETECTION:
        raise UserError(
            f"Data with labelled anomalies must be {', '.join(DETECTION)}, not {shown(name)}"
        )
    how = Reading.of(**reading)
    if name in _NAB:
        return DetectionData(name=name, train=None, series=(_nab(name, how),))
    folder = find_folder(SKAB)
    train = _skab(folder, "anomaly-free/anomaly-free.csv", how)
    groups = _GROUPS if name == "skab" else (name.removeprefix("skab/"),)
    files = [one for group in groups for one in SKAB.checksums if one.startswith(f"{group}/")]
    series = tuple(_skab(folder, file, how) for file in files)
    return DetectionData(name=name, train=train, series=series)


def read_detection(
    path: Path,
    *,
    columns: Sequence[str],
    anomaly: str | None = None,
    clean_part: float = _CLEAN,
    reading: Reading,
) -> DetectionSeries:
    """Read a CSV file whose rows may be marked as anomalies.

    Parameters
    ----------
    path
        The file.
    columns
        Names of the channels.
    anomaly
        The column that marks the rows of anomalies, 1 or true; None where no row is marked.
    clean_part
        Part of the rows, the first ones, on which a detector learns and is set.
    reading
        How it is read.

    Raises
    ------
    UserError
        If the file cannot be read, or a mark is none.
    """
    if not 0 <= clean_part < 1:
        raise UserError(f"The clean part must be 0 to below 1 of the rows, not {clean_part}")
    texts = () if anomaly is None else (anomaly,)
    rows = read_csv(path, columns=columns, reading=reading, texts=texts)
    cleaned = clean(rows, reading=reading)
    if len(cleaned.blocks) > 1:
        raise UserError(f"{path} must be one series for a detector: leave --series out")
    marks = np.zeros(len(cleaned.values), bool)
    if anomaly is not None:
        marks = marks_of(cleaned.rows, anomaly, str(path))
    return _series(path.name, cleaned, marks, runs_of(marks), clean=int(len(marks) * clean_part))


def _skab(folder: Path, file: str, reading: Reading) -> DetectionSeries:
    """Return a file of SKAB."""
    group = file.split("/")[0]
    texts = () if group == "anomaly-free" else ("anomaly",)
    source = SOURCES["skab"]
    rows = read_csv(
        folder / file, columns=source.inputs, reading=reading, time=source.time, texts=texts
    )
    cleaned = clean(rows, reading=reading)
    marks = np.zeros(len(cleaned.values), bool)
    if texts:
        marks = marks_of(cleaned.rows, texts[0], str(folder / file))
    # the first rows of the file, with those put in between
    first = np.flatnonzero(~cleaned.made)[:_SKAB_CLEAN] if texts else np.arange(len(marks))
    name = f"skab/{file.removesuffix('.csv')}"
    found = _series(name, cleaned, marks, runs_of(marks), clean=int(first[-1]) + 1)
    return dataclasses.replace(found, group=group)


def _nab(name: str, reading: Reading) -> DetectionSeries:
    """Return a file of NAB with the windows of its anomalies."""
    source, how = SOURCES[name], named_reading(name, reading)
    rows = read_csv(find(source), columns=source.inputs, reading=how, time=source.time)
    cleaned = clean(rows, reading=how)
    times = cleaned.rows.times
    assert times is not None
    windows = []
    for ends in json.loads(_WINDOWS.read_text())[source.filename.removesuffix(".xz")]:
        low, high = (datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in ends)
        start = int(np.searchsorted(times, low))
        windows.append((start, int(np.searchsorted(times, high, side="right"))))
    marks = np.zeros(len(times), bool)
    for start, stop in windows:
        marks[start:stop] = True
    return _series(name, cleaned, marks, windows, clean=int(len(times) * _CLEAN))


def _series(
    name: str,
    cleaned: Clean,
    marks: np.ndarray,
    windows: Sequence[tuple[int, int]],
    *,
    clean: int,
) -> DetectionSeries:
    """Return cleaned rows with their marks, and say if some of the first ones are anomalies."""
    inside = int((marks & ~cleaned.made)[:clean].sum())
    notes = list(cleaned.notes)
    if inside:
        notes.append(
            f"{inside} of the first {clean} rows of {name}, on which a detector is set, are"
            " labelled as anomalies: that is not used, and they are not judged"
        )
    step = cleaned.step
    return DetectionSeries(
        name=name,
        columns=cleaned.rows.columns,
        values=cleaned.values,
        times=cleaned.rows.times if cleaned.rows.dated else None,
        lines=cleaned.rows.lines,
        made=cleaned.made,
        anomaly=marks,
        windows=tuple(windows),
        clean=clean,
        segments=cleaned.segments,
        step=step.length if step is not None and step.dated else None,
        notes=tuple(notes),
    )
