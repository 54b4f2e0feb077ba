"""Rows that a model is to work on, read as those it was trained on, and scaled by its own scales.

Columns are matched by name, whatever their order and whatever else is in the file.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bitformer.model import numerics
from bitformer.model.data.clock import clock_of, numbers_known, require_calendar
from bitformer.model.data.csv_source import Series
from bitformer.model.data.datasets import column_names, load_series
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.labelling import LABELLING
from bitformer.model.data.name_lists import names_among
from bitformer.model.data.named_data import NAMES, named_reading
from bitformer.model.data.reading import Reading, without_reading
from bitformer.model.data.row_order import in_order
from bitformer.model.data.sources import SOURCES
from bitformer.model.data.steps import require_step
from bitformer.model.errors import UserError
from bitformer.model.forecasts.scaling import Scaling, scaling_of
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known

__all__ = ["NewRows", "model_source", "read_new_rows"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NewRows:
    """Rows of a file, for a model that knows its scales.

    Parameters
    ----------
    name : of the data.
    inputs : names of the columns that stand for the model's inputs.
    targets : name of the column that stands for each of its targets; None where there is none. Of
        a classifier, empty.
    scaling : the model's.
    reading : how it was read.
    series : the columns as they stand in the file.
    cleaned : the inputs, and the targets if they are needed, without short gaps.
    notes : sentences for people.
    """

    name: str
    inputs: tuple[str, ...]
    targets: tuple[str | None, ...]
    scaling: Scaling
    reading: Reading
    series: Series
    cleaned: Clean
    notes: tuple[str, ...]

    @property
    def scales(self) -> Scaling:
        """The model's scales, with the file's own names of columns."""
        names = self.targets or (None,) * len(self.scaling.target_scales)
        scales = zip(self.scaling.target_scales, names, strict=True)
        renamed = [one if n is None else dataclasses.replace(one, name=n) for one, n in scales]
        return dataclasses.replace(self.scaling, inputs=self.inputs, target_scales=tuple(renamed))

    @property
    def values(self) -> np.ndarray:
        """The inputs, standardised by the model's scales: float64 [rows, m]."""
        return self.scaling.standardised(self.cleaned.values[:, : len(self.inputs)])

    @property
    def scaled_targets(self) -> np.ndarray:
        """The target, standardised, of rows that have it: float64 [rows], of several [rows, n]."""
        columns = [self.series.columns.index(name) for name in self.targets if name is not None]
        scales = self.scaling.target_scales
        mean, std = (np.array([getattr(one, n) for one in scales]) for n in ("mean", "std"))
        found = numerics.standardised(self.cleaned.values[:, columns], mean, std)
        return found if len(columns) > 1 else found[:, 0]

    def times(self, calendar: Sequence[str]) -> np.ndarray | None:
        """Return each row's numbers of a model's calendar, int64 [rows, numbers]; None of none.

        Raises
        ------
        UserError
            If the rows do not have them.
        """
        series, step = self.cleaned.rows, self.cleaned.step
        require_calendar(calendar, numbers_known(series, step), step, self.name)
        return clock_of(series, step, calendar) if calendar else None

    @functools.cached_property
    def truths(self) -> tuple[np.ndarray | None, ...]:
        """Each target as it stands in the file: float64 [rows], NaN where it is missing."""
        return tuple(map(self._truth, self.targets))

    def _truth(self, target: str | None) -> np.ndarray | None:
        if target is None:
            return None
        # of several rows of one time, the one that counts
        rows, _, _ = in_order(self.series, self.reading)
        values = rows.values[:, rows.columns.index(target)]
        order = np.argsort(rows.lines)
        places = np.searchsorted(rows.lines, self.cleaned.rows.lines, sorter=order)
        return np.where(self.cleaned.made, np.nan, values[order[places]])


def model_source(model: IntegerModel) -> tuple[str | None, dict[str, Any], tuple[str, ...]]:
    """Return what a model's data are called, how they were read, and their columns of times."""
    source = known(model.meta).get("source")
    if source is None:
        name = known(model.meta).get("dataset", {}).get("name")
        return name, {}, SOURCES[name].time if name in SOURCES else ()
    times = SOURCES[source.data].time if source.data in SOURCES else ()
    return source.data, without_reading(source.to_dict())[0], times


def read_new_rows(
    model: IntegerModel,
    data: str,
    *,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    reading: Mapping[str, Any],
    with_target: bool,
) -> NewRows:
    """Read the rows of a file for a model.

    Parameters
    ----------
    model
        What it is trained on decides what is read, and how.
    data
        A data set's name or a CSV file.
    target, inputs
        Columns that stand for the model's own; by default those of the same names. Of several
        targets a list, or a text ``A,B``.
    reading
        Fields of :class:`bitformer.model.data.reading.Reading`; None or left out: as in training.
    with_target
        Whether the targets must be there, and rows without them are left out.

    Raises
    ------
    UserError
        If the model knows no scales, or the file is not here, or lacks a column.
    """
    scaling = scaling_of(model)
    name, own, times = model_source(model)
    if model.config.task == "classify":
        own = {field: one for field, one in own.items() if field not in LABELLING}
    asked = {name: one for name, one in reading.items() if one is not None}
    # a data set by name is read as the rows of no other file are
    how = named_reading(data, Reading.of(**({} if data in NAMES and data != name else own) | asked))
    how = dataclasses.replace(how, **_unlike_own(how, asked, data, scaling.inputs))
    have = column_names(data, how)
    if "series" not in asked and how.series not in have:
        how = dataclasses.replace(how, series=None)  # rows of one series
    used = names_among(how.time or (), have)
    if "time" not in asked and not set(used) <= set(have):
        raise UserError(
            f"{data} must have the column of times that the model has, {', '.join(used)}, and"
            f" has {', '.join(have)}: name its own with --time"
        )
    chosen = None if inputs is None else names_among(inputs, have)
    columns = _inputs(scaling, data, have, chosen)
    targets: tuple[str | None, ...] = ()  # of a classifier: a class is no number of a column
    if model.config.task != "classify":
        targets = _targets(scaling, data, have, columns, target, needed=with_target)
    series = load_series(
        data,
        columns=tuple(dict.fromkeys((*columns, *(one for one in targets if one is not None)))),
        reading=how,
        time=times if not used and set(times) <= set(have) else (),
    )
    cleaned = clean(series if with_target else series.only(columns), reading=how)
    require_step(known(model.meta).get("dataset", {}), cleaned.step, data)
    renamed = [
        f"{new} for {old}" for new, old in zip(columns, scaling.inputs, strict=True) if new != old
    ]
    notes = [f"Columns stand for the model's own: {', '.join(renamed)}"] if renamed else []
    return NewRows(
        name=data,
        inputs=columns,
        targets=targets,
        scaling=scaling,
        reading=how,
        series=series,
        cleaned=cleaned,
        notes=(*notes, *cleaned.notes),
    )


def _unlike_own(
    how: Reading, asked: Mapping[str, Any], data: str, inputs: tuple[str, ...]
) -> dict[str, Any]:
    """Return fields that are the model's own file's, and no other's whose rows say better."""
    found: dict[str, Any] = {}
    if how.reverse and "reverse" not in asked and how.time and how.repeats is None:
        found["reverse"] = False  # times tell which row is the newest
    bare: dict[str, Any] = {"skip": 0, "header": None}
    if (how.skip or how.header) and not bare.keys() & asked.keys():
        try:
            names = column_names(data, dataclasses.replace(how, **bare))
        except UserError:
            return found
        if set(inputs) <= set(names):  # its first line is its header
            found |= bare
    return found


def _inputs(
    scaling: Scaling, data: str, have: Sequence[str], inputs: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the columns that stand for a model's inputs."""
    own = ", ".join(scaling.inputs)
    if inputs is None:
        lacking = [name for name in scaling.inputs if name not in have]
        if lacking:
            raise UserError(
                f"{data} must have the columns that the model takes, {own}, and lacks"
                f" {', '.join(lacking)}; it has {', '.join(have)}: name those that stand for them,"
                " in that order, with --inputs"
            )
        return scaling.inputs
    if len(inputs) != len(scaling.inputs) or len(set(inputs)) < len(inputs):
        raise UserError(
            f"Data must have {len(scaling.inputs)} input column(s) for this model, not"
            f" {len(inputs)}: name with --inputs what stands for {own}, in that order"
        )
    for place, name in enumerate(inputs):
        if name in scaling.inputs and scaling.inputs.index(name) != place:
            raise UserError(
                f"Inputs must be in the order of the model's, {own}, not {', '.join(inputs)}:"
                " leave --inputs out, or name them in that order"
            )
    return tuple(inputs)


def _targets(
    scaling: Scaling,
    data: str,
    have: Sequence[str],
    inputs: tuple[str, ...],
    target: str | Sequence[str] | None,
    *,
    needed: bool,
) -> tuple[str | None, ...]:
    """Return the column that stands for each of a model's targets; None where there is none."""
    scales = scaling.target_scales
    named: tuple[str | None, ...] = (None,) * len(scales)
    if target is not None:
        named = (target,) if len(scales) == 1 and isinstance(target, str) else ()
        named = named or names_among(target, have)
    if len(named) != len(scales):
        raise UserError(
            f"Data must have {len(scales)} target(s) for this model, not {len(named)}: name with"
            f" --target what stands for {scaling.target}, in that order"
        )
    return tuple(
        _target(scaling, one.name, data, have, inputs, name, needed=needed)
        for one, name in zip(scales, named, strict=True)
    )


def _target(
    scaling: Scaling,
    own_name: str,
    data: str,
    have: Sequence[str],
    inputs: tuple[str, ...],
    target: str | None,
    *,
    needed: bool,
) -> str | None:
    """Return the column that stands for a model's target; None where the file has none."""
    channel = scaling.inputs.index(own_name) if own_name in scaling.inputs else None
    if channel is not None:
        own = inputs[channel]
        if target not in (None, own):
            raise UserError(
                f"Target {target} must be input column {channel} of this model, {own}: leave"
                f" --target out, or name {target} there with --inputs"
            )
        return own
    name = target or own_name
    if name in have:
        return name
    if needed or target is not None:
        raise UserError(
            f"{data} must have the column that the model forecasts, {name}, and has"
            f" {', '.join(have)}: name the one that stands for it with --target"
        )
    return None
