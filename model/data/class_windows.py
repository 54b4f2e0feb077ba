"""Windows of recordings whose rows have classes: what a classifier is trained and scored on."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bitformer.model.data.class_names import (
    CLASS,
    GROUP,
    class_numbers,
    in_natural_order,
    named_rows,
    numbered,
    require_names,
)
from bitformer.model.data.class_parts import first_rows, parts_of, require_windows
from bitformer.model.data.class_stretches import training_stretches
from bitformer.model.data.clock import clock_of, lost, numbers_known
from bitformer.model.data.csv_source import Series
from bitformer.model.data.extremes import require_scale, warnings
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.name_lists import quoted
from bitformer.model.data.reading import Reading
from bitformer.model.data.scale import require_finite, scale, training_rows, unchanging
from bitformer.model.data.steps import rows_of_day
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.errors import TooFewRowsError, UserError
from bitformer.model.numerics import standardised
from bitformer.model.plain import shown

__all__ = ["CLASS", "GROUP", "all_class_windows", "make_class_dataset"]

#: Recordings that a sentence names.
_SHOWN = 3


def make_class_dataset(
    series: Series,
    *,
    name: str,
    target: str,
    window: int,
    reading: Reading,
    calendar: Sequence[str] = (),
) -> Dataset:
    """Clean, split and scale recordings, and number their classes.

    Parameters
    ----------
    series
        The inputs, with the texts `CLASS`, and `GROUP` where there are groups. Its labels are the
        recordings.
    name
        The data's name in reports.
    target
        What the classes are called.
    window
        Rows of a window.
    reading
        How rows become windows.
    calendar
        Numbers of the calendar that windows are to have, as
        :func:`bitformer.model.data.windows.make_dataset` says.

    Raises
    ------
    UserError
        If the rows are out of order, a part or a class of the training rows has no window, there
        are fewer than two classes, or one that no training row has.
    """
    if window < 1:
        raise UserError(f"Window must be a positive number of rows, not {window}")
    cleaned = clean(series, reading=reading)
    inputs, values = series.columns, cleaned.values
    rows, groups = _named(cleaned, name=name, target=target, reading=reading)
    ranges, split = parts_of(cleaned, groups, reading)
    notes = [split, *cleaned.notes]
    without = lost(cleaned.rows, cleaned.step, calendar)
    notes += [] if without is None else [without]
    usable = ~np.isnan(values).any(axis=1)
    classes, numbers = class_numbers(
        rows, usable, [training_rows(cleaned, part) for part in ranges], name=name, label=target
    )
    unnamed = int(((numbers < 0) & usable).sum())
    if unnamed:
        notes.append(
            f"{unnamed} of {len(numbers)} rows have no class and are left out: no window spans one"
        )
    sizes = {"window": window, "stride": reading.stride}
    found = [first_rows(cleaned, part, numbers, **sizes) for part in ranges]
    require_windows(name, found, numbers, classes, window=window)
    firsts = [first for first, _ in found]
    notes += _counted(cleaned, firsts, numbers, classes, reading, window)
    used = training_rows(cleaned, ranges[0]) & (numbers >= 0)
    for i, column in enumerate(inputs):
        require_scale(name, column, values[used, i], np.flatnonzero(used), cleaned.rows.where)
    notes += warnings(inputs, series.values, np.arange(len(series.values)), series.where)
    mean, std = scale(values[used])
    require_finite(name, inputs, mean, std)
    notes += unchanging(inputs, std)
    std[std == 0] = 1.0
    dataset = _dataset(
        cleaned,
        firsts,
        numbers,
        groups,
        name=name,
        target=target,
        window=window,
        classes=classes,
        scales=(mean, std),
        calendar=calendar,
        notes=notes,
    )
    stretches = training_stretches(series, cleaned, ranges[0], dataset, reading)
    return dataclasses.replace(dataset, stretches=stretches)


def all_class_windows(
    series: Series,
    *,
    name: str,
    target: str,
    window: int,
    reading: Reading,
    classes: Sequence[str],
    mean: np.ndarray,
    std: np.ndarray,
    calendar: Sequence[str] = (),
) -> Dataset:
    """Cut recordings into windows for a model that knows its classes and scales.

    All are ``test`` windows; ``train`` and ``val`` are empty. The parameters are those of
    :func:`make_class_dataset`, and of the model ``classes``, and ``mean`` and ``std``, float64 [m].

    Raises
    ------
    UserError
        If rows have another class, or there is no window.
    """
    cleaned = clean(series, reading=reading)
    rows, groups = _named(cleaned, name=name, target=target, reading=reading)
    numbers = numbered(rows, classes)
    unknown = in_natural_order({str(one) for one in np.unique(rows)} - {"", *classes})
    if unknown:
        s = "" if len(unknown) == 1 else "es"
        raise UserError(
            f"Classes of {name} must be those of the model, {', '.join(classes)}, not"
            f" {', '.join(unknown[:5])}: leave out the rows of {'this' if not s else 'these'}"
            f" class{s}, or say --missing {quoted(unknown)}"
        )
    whole = [(block.start, block.stop) for block in cleaned.blocks]
    first, longest = first_rows(cleaned, whole, numbers, window=window, stride=reading.stride)
    if not len(first):
        raise TooFewRowsError(
            f"{name} must have {window} rows of one class without a gap for a window of this model,"
            f" but its longest such stretch is {longest}: give it more rows, or fill longer gaps"
            " with --max-fill"
        )
    none = first[:0]
    notes = [
        f"All {len(first)} windows of {name} are scored, by the scales of the data that the model"
        " was trained on"
    ]
    return _dataset(
        cleaned,
        (none, none, first),
        numbers,
        groups,
        name=name,
        target=target,
        window=window,
        classes=classes,
        scales=(mean, std),
        calendar=calendar,
        notes=[*cleaned.notes, *notes],
    )


def _dataset(
    cleaned: Clean,
    firsts: Sequence[np.ndarray],
    numbers: np.ndarray,
    groups: np.ndarray | None,
    *,
    name: str,
    target: str,
    window: int,
    classes: Sequence[str],
    scales: tuple[np.ndarray, np.ndarray],
    calendar: Sequence[str],
    notes: Sequence[str],
) -> Dataset:
    """Return the windows of each part, by the first row of each, of rows with classes."""
    mean, std = scales
    known = numbers_known(cleaned.rows, cleaned.step)
    calendar = tuple(one for one in calendar if one in known)
    names = () if groups is None else in_natural_order(np.unique(groups).tolist())
    none = Windows(
        inputs=standardised(cleaned.values, mean, std),
        target=numbers.astype(float),
        first=np.empty(0, int),
        window=window,
        horizon=1,
        ahead=0,
        calendar=calendar,
        times=clock_of(cleaned.rows, cleaned.step, calendar) if calendar else None,
        labels=numbers,
        group=None if groups is None else numbered(groups, names),
    )
    train, val, test = (dataclasses.replace(none, first=first + window - 1) for first in firsts)
    return Dataset(
        name=name,
        inputs=cleaned.rows.columns,
        target=target,
        mean=mean,
        std=std,
        target_mean=0.0,
        target_std=1.0,
        target_channel=None,
        train=train,
        val=val,
        test=test,
        notes=tuple(notes),
        period=rows_of_day(cleaned.step, cleaned.rows.dated),
        step=cleaned.step,
        task="classify",
        classes=tuple(classes),
        groups=names,
    )


def _named(
    cleaned: Clean, *, name: str, target: str, reading: Reading
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the class and the group of each row, str [rows]; no groups where rows have none."""
    texts, where = cleaned.rows.texts, cleaned.rows.where
    rows = named_rows(texts[CLASS], where, column=target, name=name, reading=reading)
    groups = texts.get(GROUP)
    if groups is not None and (groups == "").any():
        raise UserError(
            f"Group column {reading.group!r} of {name} must name a group in each row, but that of"
            f" {where(int(np.argmax(groups == '')))} is empty: fill it in, or leave out --group"
        )
    if groups is not None:
        found, place = np.unique(groups, return_inverse=True)
        of = f"Group column {reading.group!r}" if reading.group else "Names of files"
        require_names(found, place, where, what=f"{of} of {name}")
    return rows, groups


def _counted(
    cleaned: Clean,
    firsts: Sequence[np.ndarray],
    numbers: np.ndarray,
    classes: Sequence[str],
    reading: Reading,
    window: int,
) -> list[str]:
    """Return sentences on the windows, of each class, and on recordings that give none."""
    each = "" if reading.stride == 1 else f", one each {reading.stride} rows"
    notes = [
        f"{len(firsts[0])} training, {len(firsts[1])} validation and {len(firsts[2])} test windows"
        f" of {window} rows{each}"
    ]
    counts = [Counter(numbers[first].tolist()) for first in firsts]
    notes.append(
        "Classes, by number, with the training windows of each: "
        + ", ".join(f"{i} {one} {counts[0][i]}" for i, one in enumerate(classes))
    )
    for part, own in zip(("validation", "test"), counts[1:], strict=True):
        without = [one for i, one in enumerate(classes) if not own[i]]
        if without:
            s = "" if len(without) == 1 else "es"
            notes.append(
                f"Class{s} {', '.join(without)} ha{'ve' if s else 's'} no {part} window, so nothing"
                " is measured of it there"
            )
    starts = np.concatenate(firsts)
    short = [
        block.name if block.name.isprintable() else shown(block.name)
        for block in cleaned.blocks
        if not ((starts >= block.start) & (starts < block.stop)).any()
    ]
    if short:
        s = "" if len(short) == 1 else "s"
        more = ", …" if len(short) > _SHOWN else ""
        notes.append(
            f"{len(short)} of {len(cleaned.blocks)} recordings give no window of {window} rows"
            f" ({', '.join(short[:_SHOWN])}{more})"
        )
    return notes
