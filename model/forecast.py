"""Forecasting what comes after the rows of a file, in the file's units."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model import numerics
from bitformer.model.csv_source import read_csv
from bitformer.model.errors import UserError
from bitformer.model.gaps import clean
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.reading import Reading, without_reading

__all__ = ["Newest", "Scaling", "newest_windows", "scaling_of"]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Columns that a model was trained on, and their scales in the file's units."""

    inputs: tuple[str, ...]
    target: str
    mean: np.ndarray
    std: np.ndarray
    target_mean: float
    target_std: float

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Return rows [N, inputs] in the file's units as z-scores."""
        return numerics.standardised(values, self.mean, self.std)

    def in_units(self, forecast: np.ndarray) -> np.ndarray:
        """Return standardised forecasts in the target's units."""
        return forecast * self.target_std + self.target_mean


def _numbers(meta: Mapping, name: str, count: int) -> np.ndarray:
    try:
        values = np.atleast_1d(np.asarray(meta.get(name), dtype=np.float64))
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise UserError(f"meta: {name} of dataset must be {count} numbers, not {meta.get(name)!r}")
    return values


def scaling_of(model: IntegerModel) -> Scaling:
    """Return the scaling in a model's ``meta``; :class:`UserError` for an untrained model."""
    meta = model.meta.get("dataset")
    if not isinstance(meta, dict):
        raise UserError("model must know its data's scales, which an untrained one does not")
    inputs = meta.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != model.config.inputs:
        raise UserError(f"meta: inputs of dataset must be names, not {inputs!r}")
    return Scaling(
        inputs=tuple(map(str, inputs)),
        target=str(meta.get("target")),
        mean=_numbers(meta, "mean", len(inputs)),
        std=_numbers(meta, "std", len(inputs)),
        target_mean=float(_numbers(meta, "target_mean", 1)[0]),
        target_std=float(_numbers(meta, "target_std", 1)[0]),
    )


@dataclass(frozen=True, kw_only=True)
class Newest:
    """The last windows of a file.

    ``x`` [N, steps, inputs] : standardised. ``lines`` : the file's line before each forecast.
    ``notes`` : sentences for people.
    """

    x: np.ndarray
    lines: list[int]
    notes: tuple[str, ...]


def newest_windows(
    path: Path, *, model: IntegerModel, scaling: Scaling, count: int = 1, **reading: Any
) -> Newest:
    """Return the last ``count`` windows of a CSV file, a row apart, the newest last.

    Missing cells are filled as in training, and no window spans a gap. What of ``reading``, fields
    of :class:`bitformer.model.reading.Reading`, is not given is as in training.
    """
    source = known(model.meta).get("source")
    used = {} if source is None else without_reading(source.to_dict())[0]
    how = Reading.of(**used | {name: one for name, one in reading.items() if one is not None})
    series = read_csv(path, columns=scaling.inputs, reading=how)
    cleaned = clean(series, reading=how)
    steps = model.config.window
    ends = [end for start, stop in cleaned.segments for end in range(start + steps, stop + 1)][
        -count:
    ]
    if not ends:
        raise UserError(
            f"{path} must have {steps} rows without a gap for a window of this model, and its "
            f"longest stretch of {len(series.values)} rows is "
            f"{max((stop - start for start, stop in cleaned.segments), default=0)}"
        )
    notes = list(cleaned.notes)
    if ends[-1] != len(series.values):
        notes.append(f"The newest whole window ends at line {series.lines[ends[-1] - 1]}")
    rows = scaling.standardised(cleaned.values)
    return Newest(
        x=np.stack([rows[end - steps : end] for end in ends]),
        lines=[int(series.lines[end - 1]) for end in ends],
        notes=tuple(notes),
    )
