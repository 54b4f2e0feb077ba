"""What a model's file says beside the model: the scales of its data, its training, the errors."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict, cast

from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource
from bitformer.model.data.sensing import MOST_AHEAD
from bitformer.model.errors import UserError
from bitformer.model.intervals import ForecastInterval
from bitformer.model.plain import checked, shown

__all__ = ["check_meta", "known"]


class _Target(TypedDict):
    name: str
    mean: float
    std: float
    channel: int | None


class _Data(TypedDict, total=False):
    """As :func:`bitformer.model.training_run.describe` writes it."""

    name: str
    inputs: list[str]
    target: str
    mean: list[float]
    std: list[float]
    target_mean: float
    target_std: float
    target_channel: int | None
    windows: dict[str, int]
    checksum: int
    last_seen: list[float]
    range: dict[str, list[float]]
    step: float
    step_unit: Literal["even", "business", "month", "row"]
    dated: bool
    ahead: int
    targets: list[_Target]


class Known(TypedDict, total=False):
    dataset: _Data
    source: DataSource
    settings: dict[str, Any]
    results: dict[str, float]
    intervals: list[ForecastInterval]
    classes: list[str]


def known(meta: Mapping[str, object]) -> Known:
    """Return the sections that bitformer writes; others are free JSON.

    Raises :class:`UserError` for a field that is unknown or of another type.
    """
    own = {name: meta[name] for name in Known.__annotations__ if name in meta}
    return checked(Known, own, "meta")


def check_meta(meta: Mapping[str, object], config: TransformerConfig) -> None:
    """Raise :class:`UserError`, naming the field, unless the sections of bitformer are possible.

    Deviations are positive; names, means and deviations of the inputs are as many as the model has
    inputs; intervals have as many steps as its horizon; ranges are of the columns, the lower number
    first.
    """
    sections = known(meta)
    data = sections.get("dataset", {})
    _check_classes(sections, config)
    for interval in sections.get("intervals", ()):
        if len(interval.low) != config.outputs:
            raise UserError(
                f"meta: intervals must have {config.outputs} steps as the model's horizon has, not"
                f" {len(interval.low)}"
            )
    for name in ("inputs", "mean", "std"):
        values = cast(list, data.get(name, [0] * config.inputs))
        if len(values) != config.inputs:
            raise UserError(
                f"meta: dataset: {name} must be {config.inputs}, one for each input of the model,"
                f" not {len(values)}"
            )
    _check_targets(data, config)
    for value in (*data.get("std", ()), data.get("target_std", 1.0)):
        if not value > 0:
            raise UserError(f"meta: dataset: deviations must be positive, not {value}")
    channel = data.get("target_channel")
    if channel is not None and not 0 <= channel < config.inputs:
        raise UserError(
            f"meta: dataset: target_channel must be below {config.inputs}, not {channel}"
        )
    ahead = data.get("ahead", 1)
    if not 0 <= ahead <= MOST_AHEAD:
        raise UserError(f"meta: dataset: ahead must be 0 to {MOST_AHEAD} rows, not {ahead}")
    sees = data.get("target") in data.get("inputs", ())
    if not ahead and sees and config.task != "detect":
        raise UserError(
            f"meta: dataset: ahead must not be 0 where the target, {shown(data['target'])}, is an"
            " input"
        )
    if not data.get("step", 1.0) > 0:
        raise UserError(f"meta: dataset: step must be positive, not {data['step']}")
    columns = {*data.get("inputs", ()), data.get("target")}
    columns |= {one["name"] for one in data.get("targets", ())}
    for column, limits in data.get("range", {}).items():
        if column not in columns:
            raise UserError(
                f"meta: dataset: range must name columns of the model, not {shown(column)}"
            )
        if len(limits) != 2 or not limits[0] < limits[1]:
            raise UserError(
                f"meta: dataset: range of {shown(column)} must be two numbers, the lower first,"
                f" not {shown(limits)}"
            )


def _check_targets(data: _Data, config: TransformerConfig) -> None:
    """Raise :class:`UserError` unless several targets have names and possible scales each."""
    targets = data.get("targets", [])
    count = config.targets
    if "target" in data and bool(targets) != (count > 1):
        raise UserError(
            f"meta: dataset: targets must be those of the model, {count}, not {len(targets)}"
        )
    if targets and len({one["name"] for one in targets}) != count:
        raise UserError(
            f"meta: dataset: targets must be {count} different names, one for each target"
            f" of the model, not {shown([one['name'] for one in targets])}"
        )
    for one in targets:
        if not one["std"] > 0:
            raise UserError(f"meta: dataset: deviations must be positive, not {one['std']}")
        if one["channel"] is not None and not 0 <= one["channel"] < config.inputs:
            raise UserError(
                f"meta: dataset: channel of {shown(one['name'])} must be below {config.inputs}, not"
                f" {one['channel']}"
            )
        sees = config.task != "detect" and one["name"] in data.get("inputs", ())
        if not data.get("ahead", 1) and sees:
            raise UserError(
                f"meta: dataset: ahead must not be 0 where the target, {shown(one['name'])}, is an"
                " input"
            )


def _check_classes(sections: Known, config: TransformerConfig) -> None:
    """Raise :class:`UserError` unless the names of classes are those of the model's scores."""
    names = sections.get("classes")
    if names is None:
        return
    if config.task != "classify":
        raise UserError(
            f"meta: classes must be named by a classifier alone, not with task {config.task}"
        )
    if len(names) != config.horizon or len(set(names)) != len(names):
        raise UserError(
            f"meta: classes must be {config.horizon} different names, one for each score of the"
            f" model, not {shown(names)}"
        )
