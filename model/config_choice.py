"""The configuration that a training starts from, and what options change of it."""

import dataclasses
from typing import Any

from bitformer.model.config import (
    CLASSIFY_CONFIG,
    DEFAULT_CONFIG,
    SENSE_CONFIG,
    TransformerConfig,
    read_config,
)
from bitformer.model.errors import UserError
from bitformer.model.precision import (
    PATH_COMPONENTS,
    PRECISE_COMPONENTS,
    Precision,
    Width,
    keep_precise,
)

__all__ = ["AUTO", "changed_config", "start_config"]

#: What asks for a configuration that suits the data: :func:`bitformer.search.auto.propose`.
AUTO = "auto"


def start_config(
    config: str | TransformerConfig | None,
    *,
    sense: str | None = None,
    ahead: int | None = None,
    horizon: int | None = None,
    task: str = "forecast",
) -> TransformerConfig:
    """Return the configuration to start from, by default the one for what is asked.

    ``sense`` and ``ahead`` as of :func:`bitformer.model.data.datasets.load_dataset`. What is told
    for a window's last row is one value, and what a detector judges is the next one: a
    configuration that ships, or a file that says no horizon, has that horizon then, unless
    ``horizon`` is given.
    """
    if config is None:
        config = DEFAULT_CONFIG if sense is None else SENSE_CONFIG
        config = CLASSIFY_CONFIG if task == "classify" else config
    one = {"horizon": 1} if task == "detect" else {}
    chosen = read_config(config, **one)
    if task == "classify" and horizon is not None:
        raise UserError(
            f"horizon must be left out to classify, not {horizon}: a model has a score for each"
            " class of its data"
        )
    now = ahead == 0 if sense is None else not ahead
    if (now or one) and horizon is None and config == chosen.name:
        chosen = chosen.replace(horizon=1)
    return chosen


def changed_config(
    chosen: TransformerConfig,
    *,
    weights: Width | None = None,
    activations: int | None = None,
    precise: int | None = None,
    delta: int | None = None,
    path: Width | None = None,
    calendar: tuple[str, ...] | None = None,
    **sizes: int | str | None,
) -> TransformerConfig:
    """Return a configuration with other bits, sizes, kinds and calendar, where they are not None.

    The linear path keeps its own bits: only ``path`` changes those of its weights.
    """

    def with_bits(own: Precision) -> Precision:
        own = own if weights is None else own.with_weights(weights)
        return own if activations is None else dataclasses.replace(own, activations=activations)

    changes: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    if calendar is not None:
        changes["calendar"] = calendar
    if (weights, activations) != (None, None):
        changes["default"] = with_bits(chosen.default)
        changes["precision"] = {
            name: own if name in PATH_COMPONENTS else with_bits(own)
            for name, own in chosen.precision.items()
        }
    chosen = chosen.replace(**changes)
    if delta is not None:
        if not chosen.subtract_last:
            raise UserError(
                f"--delta must be left out with config {chosen.name}, which subtracts no last value"
            )
        chosen = chosen.replace(tensors={**chosen.tensors, "delta": delta})
    if path is not None:
        if not chosen.linear_path:
            raise UserError(f"--path must be left out with config {chosen.name}, which has none")
        own = chosen.bits("Lpath").with_weights(path)
        chosen = chosen.replace(precision={**chosen.precision, "Lpath": own})
    if precise is None:
        return chosen
    kept = [name for name in PRECISE_COMPONENTS if name in chosen.components]
    return chosen.replace(precision=keep_precise(chosen.precision, precise, kept))
