"""Data sets by name, and any CSV file by its path.

The files of named sets are those of :mod:`bitformer.model.data.sources`. The synthetic series needs
no file.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.data.all_columns import ALL, number_columns
from bitformer.model.data.class_datasets import load_classes, read_folder, read_labelled
from bitformer.model.data.class_task import check_classified, guess_said, task_of
from bitformer.model.data.class_windows import all_class_windows
from bitformer.model.data.csv_source import Series, read_csv, read_header
from bitformer.model.data.folders import FOLDERS
from bitformer.model.data.labelled_files import files_of
from bitformer.model.data.name_lists import listed, names_among, quoted
from bitformer.model.data.named_data import (
    NAMES,
    SYNTHETIC,
    named_reading,
    own_time,
    path_of,
    require_own_times,
    split_of,
)
from bitformer.model.data.reading import DataSource, Reading
from bitformer.model.data.sensing import check_sensed
from bitformer.model.data.sources import SOURCES
from bitformer.model.data.splits import Splitter, by_fractions
from bitformer.model.data.synthetic import COLUMNS as SYNTHETIC_COLUMNS
from bitformer.model.data.synthetic import synthetic_series
from bitformer.model.data.targets import joined, target_names
from bitformer.model.data.windows import Dataset, make_dataset
from bitformer.model.errors import UserError
from bitformer.model.shape import Shape


def load_dataset(
    name_or_path: str,
    *,
    window: int,
    horizon: int,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    sense: str | None = None,
    ahead: int | None = None,
    calendar: Sequence[str] = (),
    task: str | None = None,
    **reading: Any,
) -> Dataset:
    """Load a data set by its name or path; split and scale it, and cut it into windows.

    Parameters
    ----------
    name_or_path
        One of `NAMES`, or the path of a CSV file, or of a folder of them.
    window, horizon
        Rows of input, and rows of target; a class is of a whole window, whatever the horizon.
    target
        The column to forecast, or several, as a list or as a text ``A,B``, in which a name with a
        comma is quoted; ``"all"`` for every column of numbers but those of times; must be given for
        a CSV file, unless its rows have classes.
    inputs
        The columns a model sees, as a list or as a text ``A,B``, in which a name with a comma is
        quoted; ``"all"`` for every column of numbers but those of times; of a CSV file, by default
        the targets alone.
    sense
        The target, where the other columns are to tell it: by default all of numbers but itself.
    ahead
        Rows from a window's last to its first target; by default 1, and 0 with ``sense``.
    calendar
        Numbers of the calendar that windows are to have: of ``"hour"`` and ``"weekday"`` those that
        a model takes.
    task
        ``"forecast"``, ``"classify"`` or ``"detect"``; by default ``"classify"`` where ``label`` or
        ``files`` says what the classes of rows are, else ``"forecast"``.
    **reading
        Fields of :class:`bitformer.model.data.reading.Reading`; None stands for the default.

    Raises
    ------
    UserError
        If the data are missing, unreadable, or too few, or have no classes for a classifier.
    """
    asked = named_reading(name_or_path, Reading.of(**reading))
    guessed, task = task is None, task_of(asked, task)
    called: str | None = None
    if target is not None:
        target = _asked_targets(name_or_path, asked, target)
        called = joined(target_names(target))
    if task == "classify":
        check_classified(asked, target=called, sense=sense, ahead=ahead)
        more: dict[str, Any] = {"inputs": inputs, "calendar": calendar, "reading": asked}
        dataset = _classified(name_or_path, window=window, **more)
        said = guess_said(asked, task) if guessed else ()
        return dataclasses.replace(dataset, notes=(*said, *dataset.notes))
    require_marks(name_or_path, asked)
    name, notes = name_or_path, tuple[str, ...]()
    split: Splitter = by_fractions
    if sense is not None:
        given = () if inputs is None else names_among(inputs, column_names(name, asked))
        check_sensed(sense, called, given)
        target, inputs = sense, inputs or ALL
    if name == SYNTHETIC:
        target, notes = target or SYNTHETIC_COLUMNS[0], ("Synthetic data: generated, not measured",)
        default: tuple[str, ...] = target_names(target)
    elif name in SOURCES:
        source = SOURCES[name]
        if sense == source.target and sense not in source.inputs and inputs == ALL:
            inputs = None  # the columns that are meant for it
        target, default = target or source.target, source.inputs
        split = split_of(name, task)
        notes = (source.licence,) if source.licence else ()
    else:
        if target is None:
            have = column_names(name, asked)
            raise UserError(
                f"Target must name the column of {name} to {'judge' if task == 'detect' else task},"
                f" one of {', '.join(have)}: say --target {quoted(have[-1:])}"
            )
        name, default = Path(name).name, target_names(target)
    if inputs in (ALL, [ALL], (ALL,)) and ALL not in column_names(name_or_path, asked):
        inputs, said = _all_inputs(name_or_path, asked, without=sense)
        notes = (*notes, *said)
    elif isinstance(inputs, str):
        inputs = names_among(inputs, column_names(name_or_path, asked) if "," in inputs else ())
    inputs = _inputs(inputs, default=default)
    columns = tuple(dict.fromkeys((*inputs, *target_names(target))))
    dataset = make_dataset(
        load_series(name_or_path, columns=columns, reading=asked),
        name=name,
        inputs=inputs,
        target=target,
        split=split,
        window=window,
        horizon=horizon,
        ahead=(1 if sense is None else 0) if ahead is None else ahead,
        reconstructs=task == "detect",
        reading=asked,
        calendar=calendar,
    )
    notes = (*(guess_said(asked, task) if guessed else ()), *notes)
    return dataclasses.replace(dataset, notes=(*notes, *dataset.notes), task=task)


def _asked_targets(
    name_or_path: str, reading: Reading, target: str | Sequence[str]
) -> str | tuple[str, ...]:
    """Return the targets that are asked for: a single one by its name."""
    if target in (ALL, [ALL], (ALL,)) and ALL not in column_names(name_or_path, reading):
        found, _ = _all_inputs(name_or_path, reading, without=None)
    elif isinstance(target, str):
        found = (target,)
        if "," in target:
            found = names_among(target, column_names(name_or_path, reading))
    else:
        found = tuple(target)
    found = target_names(found)
    return found[0] if len(found) == 1 else found


def require_marks(name_or_path: str, reading: Reading) -> None:
    """Raise :class:`UserError` if the column that is to mark anomalies is not there."""
    if reading.anomaly is None:
        return
    have = column_names(name_or_path, reading)
    if reading.anomaly not in have or name_or_path == SYNTHETIC:
        raise UserError(
            f"anomaly must name a column of {name_or_path}, one of {listed(have)}, not"
            f" {reading.anomaly!r}: name it with --anomaly, or leave it out"
        )


def _classified(name_or_path: str, *, reading: Reading, **more: Any) -> Dataset:
    """Return windows with the class of each."""
    path, name = _recorded(name_or_path, reading)
    more["time"] = own_time(name_or_path)
    dataset = load_classes(path, name=name, reading=reading, **more)
    licence = (FOLDERS[name].licence,) if name in FOLDERS else ()
    return dataclasses.replace(dataset, notes=(*licence, *dataset.notes))


def load_all_classes(
    name_or_path: str,
    *,
    window: int,
    inputs: Sequence[str],
    classes: Sequence[str],
    mean: np.ndarray,
    std: np.ndarray,
    calendar: Sequence[str] = (),
    reading: Reading,
) -> Dataset:
    """Load recordings on which a model that is finished is scored: all windows are for test.

    Parameters
    ----------
    name_or_path
        As of :func:`load_dataset`.
    window, inputs, classes, mean, std, calendar
        The model's: rows, names of columns and classes, scales float64 [m] of the columns.
    reading
        Where classes are, and how rows are read.

    Raises
    ------
    UserError
        If the data are missing, unreadable, or too few, or have a class that the model has not.
    """
    reading = named_reading(name_or_path, reading)
    path, name = _recorded(name_or_path, reading)
    rows = read_labelled(
        path, name=name, reading=reading, inputs=inputs, time=own_time(name_or_path)
    )
    return all_class_windows(
        rows.series,
        name=name,
        target=rows.target,
        window=window,
        reading=reading,
        classes=classes,
        mean=mean,
        std=std,
        calendar=calendar,
    )


def _recorded(name_or_path: str, reading: Reading) -> tuple[Path, str]:
    """Return where recordings are, and what they are called."""
    if name_or_path == SYNTHETIC:
        raise UserError(f"{SYNTHETIC} has no classes: name a CSV file or a folder with --data")
    require_own_times(name_or_path, reading)
    path = path_of(name_or_path, folder=reading.files is not None)
    return path, name_or_path if name_or_path in NAMES else Path(os.path.abspath(path)).name


def _all_inputs(
    name_or_path: str, reading: Reading, *, without: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of numbers but those of times, and a sentence on the others."""
    if name_or_path == SYNTHETIC:
        return tuple(name for name in SYNTHETIC_COLUMNS if name != without), ()
    path = path_of(name_or_path)
    times = own_time(name_or_path)
    own = times or names_among(reading.time or (), column_names(name_or_path, reading))
    series = [one for one in (reading.series, reading.anomaly) if one is not None]
    found, others = number_columns(path, reading, without=(*own, *series))
    found = tuple(name for name in found if name != without)
    if not found:
        beside = "" if without is None else f" beside {without}"
        raise UserError(f"Inputs must be columns of numbers, and {name_or_path} has none{beside}")
    said = [f"Inputs: {', '.join(found)}"]
    if others:
        said.append(f"Columns that hold no numbers are no inputs: {', '.join(others)}")
    return found, tuple(said)


def column_names(name_or_path: str, reading: Reading | None = None) -> list[str]:
    """Return the names of the columns of a data set or a CSV file, or of the first of a folder."""
    if name_or_path == SYNTHETIC:
        return list(SYNTHETIC_COLUMNS)
    how = named_reading(name_or_path, reading or Reading())
    path = path_of(name_or_path, folder=how.files is not None)
    if how.files is not None and path.is_dir():
        path = files_of(path, how.files)[0].path
    return read_header(path, how)


def load_series(
    name_or_path: str, *, columns: Sequence[str], reading: Reading, time: Sequence[str] = ()
) -> Series:
    """Return columns of a data set, a CSV file or a folder, with the times of their rows.

    Parameters
    ----------
    name_or_path
        One of `NAMES`, or the path of a CSV file.
    columns
        Names of columns.
    reading
        How they are read.
    time
        The columns that make a time, where ``reading`` names none. A data set has its own.

    Raises
    ------
    UserError
        If the data are not here, or cannot be read, or a column is not in them.
    """
    require_own_times(name_or_path, reading)
    reading = named_reading(name_or_path, reading)
    if name_or_path == SYNTHETIC:
        for column in columns:
            if column not in SYNTHETIC_COLUMNS:
                have = ", ".join(SYNTHETIC_COLUMNS)
                raise UserError(
                    f"Column {column!r} is not in the synthetic series, which has {have}"
                )
        return synthetic_series().only(columns)
    if name_or_path in SOURCES:
        time = SOURCES[name_or_path].time
    elif reading.time is not None:
        time = ()
    path = path_of(name_or_path, folder=reading.files is not None)
    if path.is_dir():
        return read_folder(path, columns=columns, reading=reading, time=time)
    # rows that nobody has marked are judged as well
    marks = [reading.anomaly] if reading.anomaly in read_header(path, reading) else []
    return read_csv(path, columns=columns, reading=reading, time=time, texts=marks)


def load_source(source: DataSource, shape: Shape) -> Dataset:
    """Load what a user named, as windows for a model of ``shape``."""
    options = {one.name: getattr(source, one.name) for one in dataclasses.fields(source)}
    return load_dataset(
        options.pop("data"),
        window=shape.rows_seen,
        horizon=shape.horizon,
        calendar=shape.calendar,
        # data do not say by themselves that a detector is to learn them
        task=shape.task if shape.task == "detect" and source.anomaly is None else None,
        **options,
    )


def _inputs(inputs: Sequence[str] | None, *, default: tuple[str, ...]) -> tuple[str, ...]:
    if inputs is None:
        return default
    if not inputs or len(set(inputs)) < len(inputs):
        raise UserError(
            f"Inputs must be one or more different columns, not {', '.join(inputs) or 'none'}"
        )
    return tuple(inputs)
