"""The series that a model forecasts, of which there may be several."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bitformer.model.data.name_lists import listed, quoted
from bitformer.model.errors import UserError

__all__ = [
    "SeriesScale",
    "each_output",
    "in_parts",
    "joined",
    "one_target",
    "scaled_targets",
    "target_names",
    "whole_target",
]


@dataclass(frozen=True, kw_only=True)
class SeriesScale:
    """One of several targets.

    Parameters
    ----------
    name : of its column.
    mean, std : over the training rows, in the file's units.
    channel : its index among the inputs; None if it is not one of them.
    """

    name: str
    mean: float
    std: float
    channel: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def each_output(values: Iterable[float], outputs: int) -> np.ndarray:
    """Return a number of each target for each of its outputs: float64 [outputs]."""
    found = np.array(list(values), dtype=np.float64)
    return np.repeat(found, outputs // len(found))


def in_parts(outputs: np.ndarray, targets: int) -> list[np.ndarray]:
    """Return outputs [N, targets * horizon] as those of each target, [N, horizon]."""
    return np.split(outputs, targets, axis=1)


def joined(names: Sequence[str]) -> str:
    """Return what several targets are called together."""
    return ", ".join(names)


def target_names(target: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of targets, of which the only one may be given as a text.

    Raises
    ------
    UserError
        For none, or for one that is there twice.
    """
    names = (target,) if isinstance(target, str) else tuple(target)
    if not names or len(set(names)) < len(names):
        raise UserError(
            "Target must be one or more different columns, not"
            f" {listed(names) or 'none'}: name each once with --target"
        )
    return names


def whole_target(scales: Sequence[SeriesScale]) -> SeriesScale:
    """Return the only target; of several, one that stands for all of them, in deviations."""
    if len(scales) == 1:
        return scales[0]
    return SeriesScale(name=joined([one.name for one in scales]), mean=0.0, std=1.0)


def scaled_targets(scales: Sequence[SeriesScale]) -> dict[str, Any]:
    """Return the fields of a data set that say what its targets are."""
    only = whole_target(scales)
    return {
        "target": only.name,
        "target_mean": only.mean,
        "target_std": only.std,
        "target_channel": only.channel,
        "targets": () if len(scales) == 1 else tuple(scales),
    }


def one_target(what: str, names: Sequence[str]) -> None:
    """Raise :class:`UserError` for several targets, where ``what`` takes one."""
    if len(names) > 1:
        raise UserError(
            f"{what} takes one target, not {len(names)} ({listed(names)}): name one of them, as"
            f" --target {quoted(names[:1])}"
        )
