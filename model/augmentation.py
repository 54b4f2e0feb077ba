"""Augmentation: training windows that are changed a little, anew each time they are seen.

What changes is said in a short text, ``noise=0.1,shift=1``. Windows of validation and test, and
those that scales are taken from, stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["Augmentation"]

#: The most that each may be.
_MOST = {"noise": 4.0, "scale": 1.0, "offset": 4.0, "shift": 64.0}
_EXAMPLE = "--augment noise=0.1,shift=1"


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is changed of a training window each time it is seen; 0 stands for nothing.

    Parameters
    ----------
    noise : deviation of what is added to each value, in those of its column.
    scale : deviation of the logarithm of a factor that all values of a window have, as z-scores,
        and of a forecast its targets.
    offset : deviation of what is added to a column of a window, the same in all its rows.
    shift : most rows by which a window begins earlier or later, in its recording, class and part.
        Rows that ``every`` leaves out count as parts of a row.
    """

    noise: float = 0.0
    scale: float = 0.0
    offset: float = 0.0
    shift: float = 0.0

    def __post_init__(self):
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise UserError(
                    f"augment must have {name} from 0 to {most:g}, not {value:g}: say for example"
                    f" {_EXAMPLE}"
                )

    @classmethod
    def of(cls, asked: str | Mapping[str, float]) -> Self:
        """Return what a text or a mapping says.

        Raises
        ------
        UserError
            If it is none, or names what there is not.
        """
        known, pairs = [one.name for one in fields(cls)], _pairs(asked)
        found: dict[str, float] = {}
        for name, value in pairs:
            if name not in known:
                raise UserError(
                    f"augment must name {', '.join(known)}, not {name or shown(asked)}: say for"
                    f" example {_EXAMPLE}"
                )
            if name in found:
                raise UserError(f"augment must have {name} once, not twice: {_EXAMPLE}")
            found[name] = _number(name, value)
        if not pairs:
            raise UserError(
                f"augment must say what changes, not {shown(asked)}: say for example {_EXAMPLE}, or"
                " leave it out"
            )
        return cls(**found)

    def __str__(self) -> str:
        own = ((one.name, getattr(self, one.name)) for one in fields(self))
        return ",".join(f"{name}={value:.12g}" for name, value in own if value)

    def check(self, config: TransformerConfig, dataset: Dataset) -> None:
        """Raise :class:`UserError` unless it means something for a model and its data."""
        if config.adc_words:
            raise UserError(
                "augment must be left out with --raw, whose words change as they would for no"
                " sensor: leave out one of them"
            )
        if config.task != "classify":
            if self.shift:
                raise UserError(
                    f"augment must not have shift with task {config.task}, whose windows begin at"
                    " each row as it is: leave shift out"
                )
            if self.offset:
                raise UserError(
                    f"augment must not have offset with task {config.task}, where the level of a"
                    " window is that of what follows: leave offset out"
                )
            if self.scale and not _has_targets(dataset):
                raise UserError(
                    f"augment must not have scale where {dataset.target} is no input: it would not"
                    " change with the window; leave scale out"
                )
        elif self.offset and config.subtract_last:
            raise UserError(
                "augment must not have offset with subtract_last, which takes it away again: leave"
                " offset out"
            )
        if self.shift and dataset.stretches is None:
            raise UserError(
                f"augment must not have shift with {dataset.name}, of which it is not known where"
                " windows may begin: leave shift out"
            )


def _has_targets(dataset: Dataset) -> bool:
    """Return whether all targets are inputs; those of a row of all channels have no names."""
    unnamed = dataset.train.target.ndim > 1 and not dataset.targets
    return unnamed or all(one.target_channel is not None for one in dataset.by_target)


def _pairs(asked: str | Mapping[str, float]) -> list[tuple[str, Any]]:
    """Return names and values as they are said."""
    if isinstance(asked, Mapping):
        return [(str(name), value) for name, value in asked.items()]
    if not isinstance(asked, str):
        raise UserError(f"augment must be a text such as noise=0.1, not {shown(asked)}")
    said = [part.partition("=") for part in asked.split(",") if part.strip()]
    return [(name.strip().lower(), value.strip()) for name, _, value in said]


def _number(name: str, value: Any) -> float:
    """Return what is said of ``name``."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise UserError(
            f"augment must have a number for {name}, not {shown(value)}: say for example {_EXAMPLE}"
        ) from None
