"""The range of values that a sensor may give, where a person asks for one.

It is a property of the sensor, in the units of its column, and need not be that of any rows. How
words cover it, and what they cover where none is asked for: `bitformer.model.interface_scales`.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["Asked", "AskedRanges", "Limits", "SensorRange", "asked_ranges", "with_range"]

#: Lowest and highest value, in a column's units.
Limits = Sequence[float]
#: Those of the target, or of columns by name, where None stands for the target.
SensorRange = Mapping[str | None, Limits] | Limits
#: The same in deviations from the mean of the training rows; None where none is asked for.
Asked = tuple[float, float] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AskedRanges:
    """Ranges of the inputs and of the targets; these are empty if none is asked for."""

    inputs: tuple[Asked, ...] = ()
    targets: tuple[Asked, ...] = ()


def with_range(dataset: Dataset, asked: SensorRange | None) -> Dataset:
    """Return ``dataset`` with the ranges that its sensors may give.

    Parameters
    ----------
    dataset
        The data.
    asked
        Lowest and highest value in a column's units: of the target, or of several columns by name,
        where None stands for the only target.

    Raises
    ------
    UserError
        For a column that is not there, and for what are not two numbers, the lower first.
    """
    if asked is None:
        return dataset
    if not isinstance(asked, Mapping):
        asked = {None: asked}
    columns = dict.fromkeys((*dataset.inputs, *dataset.target_names))
    found: dict[str, tuple[float, float]] = {}
    for one, limits in asked.items():
        if one is None and dataset.targets:
            raise UserError(
                f"range must name its column where there are several targets, {dataset.target}: say"
                f" --range '{dataset.target_names[0]}=LOW,HIGH'"
            )
        name = dataset.target if one is None else one
        if name in found:
            raise UserError(f"range of {name} must be given once, not twice")
        if name not in columns:
            have = ", ".join(columns)
            raise UserError(f"range must name a column of the model, one of {have}, not {name!r}")
        found[name] = _limits(name, limits)
    return dataclasses.replace(dataset, range=found)


def _limits(name: str, limits: Limits) -> tuple[float, float]:
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(
            f"range of {name} must be two numbers, the lower first, such as 0,100, not"
            f" {shown(limits)}"
        )
    return low, high


def asked_ranges(dataset: Dataset) -> AskedRanges:
    """Return the ranges that are asked for, in deviations from the mean of the training rows."""

    def scaled(name: str, mean: float, std: float) -> Asked:
        if name not in dataset.range:
            return None
        low, high = dataset.range[name]
        return (low - mean) / std, (high - mean) / std

    columns = zip(dataset.inputs, dataset.mean, dataset.std, strict=True)
    return AskedRanges(
        inputs=tuple(scaled(*column) for column in columns),
        targets=tuple(
            scaled(one.target, one.target_mean, one.target_std) for one in dataset.by_target
        ),
    )
