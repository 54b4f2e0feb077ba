"""What range of a column the words of a model's input and output cover, in the column's units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bitformer.model.data.targets import SeriesScale
from bitformer.model.ir import IntegerModel

__all__ = ["ColumnScales", "Coverage", "coverage", "described", "input_coverage", "output_coverage"]

#: Bits of the words with which the cost of wider ones is compared.
_NARROW = 8
#: Columns that a sentence lists.
_SHOWN = 4


class ColumnScales(Protocol):
    """Columns and their scales: a data set, or what a model says of its own."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input columns."""

    @property
    def target(self) -> str:
        """Name of the target; of several, what they are called together."""

    @property
    def mean(self) -> Iterable[float]:
        """Mean of each input."""

    @property
    def std(self) -> Iterable[float]:
        """Deviation of each input."""

    @property
    def target_scales(self) -> tuple[SeriesScale, ...]:
        """All targets, with their scales."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The values that the words of a column stand for.

    Parameters
    ----------
    tensor : ``"input"`` or ``"output"``.
    column : its name.
    bits : of a word.
    low, high : lowest and highest value, in the column's units; where windows are scaled one by
        one, in their deviations.
    step : distance of two values, likewise.
    """

    tensor: str
    column: str
    bits: int
    low: float
    high: float
    step: float

    def __str__(self) -> str:
        return f"{self.column} from {self.low:.6g} to {self.high:.6g} in steps of {self.step:.3g}"

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain data."""
        return dict(vars(self))


def _coverage(model: IntegerModel, tensor: str, column: str, mean: float, std: float) -> Coverage:
    spec = model.input if tensor == "input" else model.output
    if model.config.window_scaling:
        mean, std = 0.0, 1.0
    step = std * 2.0**spec.exponent
    return Coverage(
        tensor=tensor,
        column=column,
        bits=spec.bits,
        low=float(mean + (spec.low - spec.zero) * step),
        high=float(mean + (spec.high - spec.zero) * step),
        step=float(step),
    )


def input_coverage(model: IntegerModel, units: ColumnScales) -> tuple[Coverage, ...]:
    """Return what the words of each input column cover."""
    columns = zip(units.inputs, units.mean, units.std, strict=True)
    return tuple(_coverage(model, "input", *column) for column in columns)


def output_coverage(model: IntegerModel, units: ColumnScales) -> tuple[Coverage, ...]:
    """Return what the words of a forecast cover, of each target."""
    return tuple(
        _coverage(model, "output", one.name, one.mean, one.std) for one in units.target_scales
    )


def coverage(model: IntegerModel, units: ColumnScales) -> tuple[Coverage, ...]:
    """Return what the words of each input column, and of a forecast, cover.

    Classes and flags have no range: of what answers with them, it is the inputs'.
    """
    forecasts = () if model.results is not model.output else output_coverage(model, units)
    return (*input_coverage(model, units), *forecasts)


def _listed(columns: Sequence[Coverage]) -> str:
    said = "; ".join(map(str, columns[:_SHOWN]))
    if len(columns) > _SHOWN:
        said += f"; and {len(columns) - _SHOWN} more columns"
    return said


def described(model: IntegerModel, units: ColumnScales) -> str:
    """Return a sentence: ranges, steps and bits, and what words wider than 8 bits cost."""
    inputs = input_coverage(model, units)
    said = _listed(inputs)
    if model.config.window_scaling:
        said += ", in deviations of a window from its mean"
    window, bits = model.input.size, f"{model.input.bits}-bit"
    cost = f"a window takes {window * model.input.bits} bits of memory"
    if (more := window * (model.input.bits - _NARROW)) > 0:
        cost += f", {more} more than in {_NARROW}-bit words"
    if model.results is not model.output:
        return f"Range: {said} ({bits} words; {cost})"
    outputs = output_coverage(model, units)
    covered = {(one.column, one.low, one.high) for one in inputs}
    if all((one.column, one.low, one.high) in covered for one in outputs):
        forecasts = "forecasts the same"
    else:
        forecasts = f"forecasts of {_listed(outputs)}"
    if model.output.bits != model.input.bits:
        bits += f" and {model.output.bits}-bit"
    return f"Range: {said}, {forecasts} ({bits} words; {cost})"
