"""What a model from elsewhere was trained on, in terms of windows here: folded into its ends.

Here a window is standardised by the training rows. Of a model for other numbers, ``u = a * z + c``,
the first layer takes the factor and the offset of each input, and the last one gives those of each
target back.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import torch

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.float_run import FloatStart
from bitformer.model.imports.imported import DATA, NONE, Imported, Scales

__all__ = ["in_units", "read_scales", "start_for"]

_PAIR = re.compile(r"(?:(?P<column>.+)=)?(?P<mean>[^=:]+):(?P<std>[^=:]+)")


def read_scales(texts: Sequence[str]) -> Scales:
    """Return what ``--scaling`` says: ``data``, ``none``, or ``[COLUMN=]MEAN:DEVIATION`` each.

    A text without a column stands under ``""``: it is that of the only column.
    """
    if not texts or list(texts) in ([DATA], [NONE]):
        return texts[0] if texts else DATA
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        match = _PAIR.fullmatch(text)
        try:
            pair = (float(match["mean"]), float(match["std"])) if match else None
        except ValueError:
            pair = None
        if match is None or pair is None:
            raise UserError(
                f"--scaling must be {DATA}, {NONE} or [COLUMN=]MEAN:DEVIATION, not {text!r}"
            )
        found[match["column"] or ""] = pair
    return found


def start_for(
    found: Imported, config: TransformerConfig, dataset: Dataset
) -> tuple[TransformerConfig, FloatStart]:
    """Return what a run on ``dataset`` starts from, and its configuration.

    ``config`` : that of the model, with other bits and another name, as it suits the data.

    Raises :class:`UserError` where the data are of another shape, and as :func:`in_units` does.
    """
    for name, remedy in (
        ("task", "name classes with --label for a classifier alone"),
        ("inputs", "name as many with --inputs"),
        ("targets", "name as many with --target"),
        ("horizon", "a classifier has a score for each class"),
    ):
        theirs, ours = getattr(found.config, name), getattr(config, name)
        if theirs != ours:
            raise UserError(
                f"{name} of the data must be {theirs} as in {found.where}, not {ours}: {remedy}"
            )
    found = in_units(found, dataset)
    config = config.replace(window_scaling=found.config.window_scaling)
    return config, FloatStart(weights=found.weights, origin=found.source)


def in_units(found: Imported, dataset: Dataset) -> Imported:
    """Return the model for standardised windows of ``dataset``.

    Its ``scales`` are ``"data"`` where it was trained on such windows, ``"none"`` where on the
    file's units; else the mean and the deviation that it was trained with, by column.

    Raises :class:`UserError` for a column whose mean and deviation are not given, or are none.
    """
    scales = found.scales
    if scales == DATA:
        return found
    config, weights = found.config, dict(found.weights)
    columns = zip(dataset.inputs, dataset.mean, dataset.std, strict=True)
    inputs = [_affine(scales, name, float(mean), float(std)) for name, mean, std in columns]
    factor = torch.tensor([a for a, _ in inputs], dtype=torch.float64)
    offset = torch.tensor([c for _, c in inputs], dtype=torch.float64)
    if config.window_scaling:
        # a scaled window is the same, whatever its units, but for what its variance has added
        floor = config.window_scaling / inputs[0][0] ** 2
        return replace(found, config=config.replace(window_scaling=floor))
    first, bias = weights["input.weight"].double(), weights["input.bias"].double()
    patch = config.patch
    weights["input.weight"] = (first * factor.repeat(patch)).float()
    weights["input.bias"] = (bias + first @ offset.repeat(patch)).float()
    if config.task == "forecast":
        each = [_affine(scales, one.name, one.mean, one.std) for one in dataset.target_scales]
        factor = torch.tensor([a for a, _ in each], dtype=torch.float64)
        factor = factor.repeat_interleave(config.horizon)
        offset = torch.tensor([c for _, c in each], dtype=torch.float64)
        offset = offset.repeat_interleave(config.horizon)
        weights["output.weight"] = (weights["output.weight"].double() / factor[:, None]).float()
        weights["output.bias"] = ((weights["output.bias"].double() - offset) / factor).float()
    return replace(found, weights=weights)


def _affine(scales: Scales, column: str, mean: float, std: float) -> tuple[float, float]:
    """Return factor and offset from a standardised column to what the model was trained on."""
    if isinstance(scales, str):
        if scales != NONE:
            raise UserError(
                f"scaling must be {DATA}, {NONE} or means and deviations, not {scales!r}"
            )
        middle, spread = 0.0, 1.0
    else:
        theirs = scales.get(column) or scales.get("")
        if theirs is None:
            raise UserError(
                f"scaling must have a mean and a deviation for column {column!r}, which is missing:"
                f" --scaling {column}=MEAN:DEVIATION"
            )
        middle, spread = theirs
    if not 0 < spread < float("inf") or not abs(middle) < float("inf"):
        raise UserError(
            f"scaling of {column!r} must be a finite mean and a positive deviation, not"
            f" {middle}:{spread}"
        )
    return std / spread, (mean - middle) / spread
