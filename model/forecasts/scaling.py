"""The scales of a model's data, from their units to standardised numbers and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bitformer.model import numerics
from bitformer.model.data.targets import SeriesScale, each_output, joined
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known

__all__ = ["Scaling", "scaling_of"]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Columns that a model was trained on, and their scales in the file's units."""

    inputs: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    target_scales: tuple[SeriesScale, ...]

    @property
    def target(self) -> str:
        """Name of the target; of several, what they are called together."""
        return joined([one.name for one in self.target_scales])

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Return rows [N, inputs] in the file's units as z-scores."""
        return numerics.standardised(values, self.mean, self.std)

    def in_units(self, forecast: np.ndarray) -> np.ndarray:
        """Return standardised forecasts [N, outputs] in the units of their targets."""
        outputs, scales = forecast.shape[-1], self.target_scales
        std, mean = each_output((one.std for one in scales), outputs), (one.mean for one in scales)
        return forecast * std + each_output(mean, outputs)


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
    several = known(model.meta).get("dataset", {}).get("targets", [])
    scales = [SeriesScale(**one) for one in several] or [
        SeriesScale(
            name=str(meta.get("target")),
            mean=float(_numbers(meta, "target_mean", 1)[0]),
            std=float(_numbers(meta, "target_std", 1)[0]),
            channel=meta.get("target_channel"),
        )
    ]
    return Scaling(
        inputs=tuple(map(str, inputs)),
        mean=_numbers(meta, "mean", len(inputs)),
        std=_numbers(meta, "std", len(inputs)),
        target_scales=tuple(scales),
    )
