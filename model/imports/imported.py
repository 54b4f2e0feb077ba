"""A float model from elsewhere, as the torch model of a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.model.transformer import Transformer

__all__ = ["DATA", "NONE", "Imported", "Scales", "imported_config"]

#: What a model was trained on: windows as they are here, or values in the file's units; else by
#: means and deviations, by column.
DATA, NONE = "data", "none"
Scales = str | Mapping[str, tuple[float, float]]

#: Bits of all weights and activations until others are asked for, and of samples and results.
_BITS, _WORDS = Precision(weights=8, activations=8), 16


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Weights from elsewhere under our names.

    Parameters
    ----------
    source : what it was, such as ``"PatchTSTForPrediction"``.
    where : the file, or the module, as a sentence names it.
    config : the configuration that computes the same.
    weights : float32 tensors by the names of :class:`bitformer.model.transformer.Transformer`'s
        state; all that training with rounding does not add.
    notes : sentences on what is done elsewhere, or was chosen.
    scales : what it was trained on: see :func:`bitformer.model.imports.units.in_units`.
    """

    source: str
    where: str
    config: TransformerConfig
    weights: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()
    scales: Scales = DATA

    def __str__(self) -> str:
        """Return a sentence: what it is, in its sizes."""
        config = self.config
        norm = "BatchNorm" if config.norm == "batch" else "LayerNorm"
        between = "GELU" if config.activation == "gelu" else "ReLU"
        return (
            f"{self.source}: {config.window} steps of {config.inputs} input(s) in {config.tokens}"
            f" tokens, {config.layers} layer(s) of width {config.d_model}, {norm}"
            f" {'before' if config.pre_norm else 'after'} each sublayer, {between},"
            f" {config.outputs} output(s)"
        )

    def model(self) -> Transformer:
        """Return the float model, in ``eval()``."""
        with torch.random.fork_rng(devices=[]):
            found = Transformer(self.config)
        found.load_state_dict({**found.state_dict(), **self.weights})
        return found.eval()


def imported_config(where: str, kind: str, **fields: Any) -> TransformerConfig:
    """Return the configuration of a model in ``where``, with ``fields`` of its shape.

    ``kind`` : what the model's name begins with.

    Raises
    ------
    UserError
        For a size that no model here has, which ``where`` precedes.
    """
    try:
        return TransformerConfig(
            name=f"{kind}-{fields['window']}-{fields['horizon']}",
            position="learned",
            input_bits=_WORDS,
            output_bits=_WORDS,
            default=_BITS,
            **fields,
        )
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
