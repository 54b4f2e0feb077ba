"""Recordings with classes: one CSV file with a column of them, or a folder of files."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bitformer.model.data.all_columns import ALL, number_columns
from bitformer.model.data.class_windows import CLASS, GROUP, make_class_dataset
from bitformer.model.data.csv_source import Series, read_csv, read_header
from bitformer.model.data.labelled_files import RecordedFile, files_of, read_files
from bitformer.model.data.name_lists import names_among, quoted
from bitformer.model.data.reading import Reading
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError

__all__ = ["load_classes", "read_folder"]


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
    path
        A CSV file, or the folder that ``reading.files`` is on.
    name
        The data's name in reports.
    window
        Rows of a window.
    reading
        Where classes and groups are, and how the rows are read.
    inputs
        The columns that a model sees; by default all of numbers but those of times, classes, groups
        and names of series.
    time
        Columns that make a time, where ``reading`` names none.
    calendar
        Numbers of the calendar that windows are to have.

    Raises
    ------
    UserError
        If the data cannot be read, or their rows have no classes that can be learned.
    """
    files = None if reading.files is None else files_of(path, reading.files)
    first = path if files is None else files[0].path
    have = read_header(first, reading)
    for what, column in (("Label", reading.label), ("Group", reading.group)):
        if column is not None and column not in have:
            raise UserError(
                f"{what} must name a column of {first}, one of {', '.join(have)}, not {column!r}:"
                f" say --{what.lower()} {quoted(have[-1:])}"
            )
    own = [one for one in (reading.label, reading.group, reading.series) if one is not None]
    times = tuple(time) or names_among(reading.time or (), have)
    columns, notes = _inputs(first, inputs, have, reading, without=(*times, *own))
    texts = {CLASS: reading.label, GROUP: reading.group}
    asked = {what: column for what, column in texts.items() if column is not None}
    columns_read = {"columns": columns, "texts": tuple(asked.values()), "time": time}
    if files is None:
        # rows of two groups are of two series: their times are none of one clock
        series = dataclasses.replace(reading, series=reading.series or reading.group)
        rows = read_csv(path, reading=series, **columns_read)
    else:
        rows = read_files(files, reading=reading, **columns_read)
    rows = dataclasses.replace(
        rows,
        labels=_recordings(rows, reading, several=files is not None),
        texts={
            what: rows.texts[asked.get(what, what)] for what in texts if _told(rows, asked, what)
        },
    )
    if not len(rows.values):
        raise UserError(f"{name} must have rows, but has none")
    target = CLASS if reading.label is None else reading.label
    dataset = make_class_dataset(
        rows, name=name, target=target, window=window, reading=reading, calendar=calendar
    )
    return dataclasses.replace(dataset, notes=(*notes, *dataset.notes))


def _told(rows: Series, asked: dict[str, str], what: str) -> bool:
    """Tell whether rows have the text ``what``, of a column or of the files' names."""
    return what in asked or what in rows.texts


def _recordings(rows: Series, reading: Reading, *, several: bool) -> np.ndarray | None:
    """Return what recording each row is of, str [rows]; None where all are of one."""
    if reading.group is None or (reading.series is None and not several):
        return rows.labels  # with a group alone, these are its names
    assert rows.labels is not None
    return np.char.add(np.char.add(rows.labels, " of "), rows.texts[reading.group])


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
                f" {', '.join(without) or 'others'}: it has {', '.join(have)}"
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
