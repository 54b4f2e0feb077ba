"""Recordings with classes: one CSV file with a column of them, or a folder of files."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.alike import alike
from bitformer.model.data.all_columns import ALL, number_columns
from bitformer.model.data.class_windows import CLASS, GROUP, make_class_dataset
from bitformer.model.data.csv_source import Series, read_csv, read_header
from bitformer.model.data.labelled_files import RecordedFile, files_of, read_files
from bitformer.model.data.name_lists import listed, names_among, quoted
from bitformer.model.data.reading import Reading
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError

__all__ = ["LabelledRows", "load_classes", "read_folder", "read_labelled"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """The rows of recordings as they stand in their files.

    Parameters
    ----------
    series : the inputs; its labels are the recordings, its texts `CLASS` and, if there are groups,
        `GROUP`.
    target : what the classes are called.
    notes : sentences for people.
    """

    series: Series
    target: str
    notes: tuple[str, ...]


def load_classes(
    path: Path,
    *,
    name: str,
    window: int,
    reading: Reading,
    inputs: str | Sequence[str] | None = None,
    time: Sequence[str] = (),
    calendar: Sequence[str] = (),
) -> Dataset:
    """Load recordings, split and scale them, and cut them into windows of one class each.

    Parameters
    ----------
    path, reading, inputs, time
        As of :func:`read_labelled`.
    name
        The data's name in reports.
    window
        Rows of a window.
    calendar
        Numbers of the calendar that windows are to have.

    Raises
    ------
    UserError
        If the data cannot be read, or their rows have no classes that can be learned.
    """
    rows = read_labelled(path, name=name, reading=reading, inputs=inputs, time=time)
    own: dict[str, Any] = {"name": name, "target": rows.target, "reading": reading}
    dataset = make_class_dataset(rows.series, window=window, calendar=calendar, **own)
    return dataclasses.replace(dataset, notes=(*rows.notes, *dataset.notes))


def read_labelled(
    path: Path,
    *,
    name: str,
    reading: Reading,
    inputs: str | Sequence[str] | None = None,
    time: Sequence[str] = (),
) -> LabelledRows:
    """Read recordings with their classes and groups.

    Parameters
    ----------
    path
        A CSV file, or the folder that ``reading.files`` is on.
    name
        The data's name in reports.
    reading
        Where classes and groups are, and how the rows are read.
    inputs
        The columns that a model sees; by default all of numbers but those of times, classes, groups
        and names of series.
    time
        Columns that make a time, where ``reading`` names none.

    Raises
    ------
    UserError
        If the data cannot be read, or lack a column.
    """
    files = None if reading.files is None else files_of(path, reading.files)
    first = path if files is None else files[0].path
    have = read_header(first, reading)
    for what, column in (("Label", reading.label), ("Group", reading.group)):
        if column is not None and column not in have:
            likely = _likely(first, column, have, reading)
            raise UserError(
                f"{what} must name a column of {first}, one of {listed(have)}, not {column!r}:"
                f" say --{what.lower()} {quoted([likely])}"
            )
    own = [one for one in (reading.label, reading.group, reading.series) if one is not None]
    times = tuple(time) or names_among(reading.time or (), have)
    columns, notes = _inputs(first, inputs, have, reading, without=(*times, *own))
    columns_of = {CLASS: reading.label, GROUP: reading.group}
    asked = {what: column for what, column in columns_of.items() if column is not None}
    if files is None:
        # rows of two groups are of two series: their times are none of one clock
        how = dataclasses.replace(reading, series=reading.series or reading.group)
        read = tuple(asked.values())
        rows = read_csv(path, columns=columns, reading=how, time=time, texts=read)
        texts = {what: rows.texts[column] for what, column in asked.items()}
        rows = dataclasses.replace(rows, texts=texts)
    else:
        rows = read_files(files, columns=columns, reading=reading, time=time, texts=asked)
    if not len(rows.values):
        raise UserError(f"{name} must have rows, but has none")
    labels = _recordings(rows, reading, several=files is not None)
    return LabelledRows(
        series=dataclasses.replace(rows, labels=labels),
        target=CLASS if reading.label is None else reading.label,
        notes=tuple(notes),
    )


def _likely(path: Path, column: str, have: Sequence[str], reading: Reading) -> str:
    """Return the column that is meant: of a name alike, or the last that holds no numbers."""
    if likely := alike(column, have, close=0.6):
        return likely[0]
    times = names_among(reading.time or (), have)
    texts = number_columns(path, reading, without=times)[1]
    return [*have, *texts][-1]


def _recordings(rows: Series, reading: Reading, *, several: bool) -> np.ndarray | None:
    """Return what recording each row is of, str [rows]; None where all are of one."""
    if reading.group is None or (reading.series is None and not several):
        return rows.labels  # with a group alone, these are its names
    assert rows.labels is not None
    return np.char.add(np.char.add(rows.labels, " of "), rows.texts[GROUP])


def _inputs(
    path: Path,
    inputs: str | Sequence[str] | None,
    have: Sequence[str],
    reading: Reading,
    *,
    without: Sequence[str],
) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns that a model sees, and sentences on them."""
    if inputs is None or (inputs in (ALL, [ALL], (ALL,)) and ALL not in have):
        found, others = number_columns(path, reading, without=without)
        if not found:
            raise UserError(
                f"Inputs must be columns of numbers, and {path} has none beside"
                f" {', '.join(without) or 'others'}: it has {listed(have)}"
            )
        notes = [f"Inputs: {', '.join(found)}"]
        if others:
            notes.append(f"Columns that hold no numbers are no inputs: {', '.join(others)}")
        return found, notes
    asked = names_among(inputs, have)
    if not asked or len(set(asked)) < len(asked):
        raise UserError(
            f"Inputs must be one or more different columns, not {', '.join(asked) or 'none'}"
        )
    if reading.label in asked:
        raise UserError(
            f"Inputs must not hold {reading.label}, the class that is to be told: leave it out of"
            " --inputs"
        )
    return asked, []


def read_folder(
    folder: Path, *, columns: Sequence[str], reading: Reading, time: Sequence[str] = ()
) -> Series:
    """Return columns of all files of a folder that ``reading.files`` fits, by recordings."""
    files: list[RecordedFile] = files_of(folder, str(reading.files))
    return read_files(files, columns=columns, reading=reading, time=time)
