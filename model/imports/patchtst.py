"""Hugging Face's PatchTST, of ``config.json`` and ``model.safetensors``.

It computes every channel by itself, with the same weights: one channel of it is a model here, and
the others are the same model, or another import where weights differ by channel. A window's scaling
(``scaling="std"``) is arithmetic on the host, before and after the chip.

Formulas: transformers 5.24, ``models/patchtst/modeling_patchtst.py``.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from bitformer.model.errors import UserError
from bitformer.model.imports.imported import Imported, imported_config
from bitformer.model.imports.parts import Parts, named
from bitformer.model.imports.refusals import check_activation, check_fields, rotary
from bitformer.model.plain import partly, shown

__all__ = ["MODEL_TYPE", "from_patchtst"]

MODEL_TYPE = "patchtst"
_FORECASTS, _CLASSIFIES = "PatchTSTForPrediction", "PatchTSTForClassification"


class _Fields(TypedDict, total=False):
    """Fields of ``PatchTSTConfig`` that decide what is computed."""

    num_input_channels: int
    context_length: int
    loss: str | None
    patch_length: int
    patch_stride: int
    num_hidden_layers: int
    d_model: int
    num_attention_heads: int
    share_embedding: bool
    channel_attention: bool
    ffn_dim: int
    norm_type: str
    norm_eps: float
    activation_function: str
    pre_norm: bool
    positional_encoding_type: str
    use_cls_token: bool
    share_projection: bool
    scaling: str | bool | None
    pooling_type: str | None
    prediction_length: int
    num_targets: int


#: What ``config.json`` leaves out.
_DEFAULTS: _Fields = {
    "num_input_channels": 1,
    "context_length": 32,
    "loss": "mse",
    "patch_length": 1,
    "patch_stride": 1,
    "num_hidden_layers": 3,
    "d_model": 128,
    "num_attention_heads": 4,
    "share_embedding": True,
    "channel_attention": False,
    "ffn_dim": 512,
    "norm_type": "batchnorm",
    "norm_eps": 1e-5,
    "activation_function": "gelu",
    "pre_norm": True,
    "positional_encoding_type": "sincos",
    "use_cls_token": False,
    "share_projection": True,
    "scaling": "std",
    "pooling_type": "mean",
    "prediction_length": 24,
    "num_targets": 1,
}
_ALLOWED: dict[str, tuple[tuple[Any, ...], str]] = {
    "use_cls_token": (
        (False,),
        "all tokens of the hardware are patches of the window; train with use_cls_token=False and"
        " pooling_type='mean'",
    ),
    "channel_attention": (
        (False,),
        "the hardware computes one channel at a time; train with channel_attention=False, or a"
        " TransformerEncoder whose tokens hold all channels of a patch",
    ),
    "share_projection": (
        (True,),
        "transformers itself computes no forecast without; train with share_projection=True",
    ),
    "norm_type": (("batchnorm", "layernorm"), "these are the norms that the hardware has"),
    "pooling_type": (
        ("mean", None),
        "the hardware has no unit for a maximum over tokens; train with pooling_type='mean', or"
        " with None, which keeps all tokens",
    ),
    "scaling": (
        (None, False, "std"),
        "the host scales a window by its mean and its deviation, or not at all; train with"
        " scaling='std', or with None on standardised values",
    ),
}
_POINT: tuple[tuple[Any, ...], str] = (
    ("mse",),
    "the chip gives one value for a step, not a distribution; train with loss='mse', and take"
    " intervals from 'predict'",
)
#: What the scaling of a window adds to its variance.
_FLOOR = 1e-5


def from_patchtst(
    fields: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    *,
    where: str,
    channel: int | None = None,
) -> Imported:
    """Return a channel of a PatchTST.

    Parameters
    ----------
    fields
        Those of ``config.json``.
    tensors
        Those of ``model.safetensors``.
    where
        What precedes a sentence.
    channel
        Number of the channel, from 0 on, where weights differ by channel.

    Raises
    ------
    UserError
        For what the hardware has no unit for, and tensors that are not the configuration's.
    """
    found = _DEFAULTS | {k: v for k, v in fields.items() if k in _DEFAULTS}
    found = {**found, **partly(_Fields, found, where)}
    kind = _architecture(fields, where)
    if found["positional_encoding_type"] not in ("random", "sincos"):
        if "rot" in str(found["positional_encoding_type"]):
            raise rotary(f"{where}: positional_encoding_type")
        _allow = {"positional_encoding_type": (("random", "sincos"), "train with one of these")}
        check_fields(where, found, _allow)
    check_activation(f"{where}: activation_function", found["activation_function"])
    check_fields(where, found, _ALLOWED)
    if kind == _FORECASTS:
        check_fields(where, found, {"loss": _POINT})
    return _imported(kind, found, Parts(tensors, where), channel)


def _architecture(fields: Mapping[str, Any], where: str) -> str:
    named = fields.get("architectures") or ["nothing"]
    kind = named[0] if isinstance(named, list) and len(named) == 1 else named
    if kind not in (_FORECASTS, _CLASSIFIES):
        raise UserError(
            f"{where}: architectures must be {_FORECASTS} or {_CLASSIFIES}, not {shown(kind)}: its"
            " output layer is what a forecast or a class comes from; fine-tune one of these first"
        )
    return str(kind)


def _imported(kind: str, f: Mapping[str, Any], parts: Parts, channel: int | None) -> Imported:
    classifies, channels = kind == _CLASSIFIES, f["num_input_channels"]
    notes = []
    if classifies:
        check_fields(
            parts.where,
            f,
            {
                "num_input_channels": (
                    (1,),
                    "the output layer reads all channels at once, and the hardware computes one at"
                    " a time; train a TransformerEncoder whose tokens hold all channels of a patch",
                ),
                "pooling_type": (("mean",), "a class is told by the mean over tokens"),
            },
        )
    channel = _channel(f, channel, parts.where)
    if channels > 1:
        notes.append(
            f"The model has {channels} channels, each computed by itself: the chip computes one,"
            " and forecasts another one with the same weights when it is given that"
            if channel is None
            else f"The model has {channels} channels with weights of their own: this is channel"
            f" {channel}"
        )
    scales = f["scaling"] == "std"
    if scales:
        notes.append(
            "Each window is scaled by its own mean and deviation (scaling='std'), on the host,"
            " before and after the chip"
        )
    rest = f["context_length"] % f["patch_length"] if f["patch_length"] > 0 else 0
    config = imported_config(
        parts.where,
        MODEL_TYPE,
        window=f["context_length"],
        horizon=f["num_targets"] if classifies else f["prediction_length"],
        patch=f["patch_length"],
        patch_stride=0
        if f["patch_stride"] == f["patch_length"] and not rest
        else f["patch_stride"],
        d_model=f["d_model"],
        layers=f["num_hidden_layers"],
        heads=f["num_attention_heads"],
        ffn=f["ffn_dim"],
        norm="batch" if f["norm_type"] == "batchnorm" else "layer",
        norm_eps=float(f["norm_eps"]),
        pre_norm=f["pre_norm"],
        activation=f["activation_function"],
        pooling="flatten" if f["pooling_type"] is None else "mean",
        task="classify" if classifies else "forecast",
        window_scaling=_FLOOR if scales else 0.0,
    )
    weights = _weights(config, parts, f, channel or 0)
    return Imported(
        source=kind, where=parts.where, config=config, weights=weights, notes=tuple(notes)
    )


def _channel(f: Mapping[str, Any], channel: int | None, where: str) -> int | None:
    """Return the channel that is meant; None where all have the same weights."""
    if f["share_embedding"]:
        if channel is not None:
            raise UserError(
                f"channel must be left out for {where}, whose channels all have the same weights,"
                f" not {channel}"
            )
        return None
    count = f["num_input_channels"]
    if channel is None or not 0 <= channel < count:
        raise UserError(
            f"channel must be 0 to {count - 1}, not {channel}: {where} has weights for each channel"
            " (share_embedding is false), and one of them is a model here"
        )
    return channel


def _weights(config, parts: Parts, f: Mapping[str, Any], channel: int) -> dict[str, Tensor]:
    d, encoder = config.d_model, "model.encoder."
    names = {
        "input": f"{encoder}embedder.input_embedding",
        "output": "head.linear" if config.task == "classify" else "head.projection",
    }
    if not f["share_embedding"]:
        names["input"] += f".{channel}"
    found = named("input", parts.linear(names["input"], d, config.patch))
    found["position"] = parts.take(f"{encoder}positional_encoder.position_enc", config.tokens, d)
    for number in range(config.layers):
        theirs, ours = f"{encoder}layers.{number}.", f"layers.{number}."
        for name in ("q", "k", "v"):
            found |= named(ours + name, parts.linear(f"{theirs}self_attn.{name}_proj", d, d))
        found |= named(ours + "o", parts.linear(f"{theirs}self_attn.out_proj", d, d))
        found |= named(ours + "ffn1", parts.linear(f"{theirs}ff.0", config.ffn, d))
        found |= named(ours + "ffn2", parts.linear(f"{theirs}ff.3", d, config.ffn))
        inner = ".batchnorm" if config.norm == "batch" else ""
        for name, sublayer in (("norm1", "norm_sublayer1"), ("norm2", "norm_sublayer3")):
            norm = parts.norm(f"{theirs}{sublayer}{inner}", d)
            if config.norm == "batch":
                _check_statistics(norm, f"{parts.where}: {theirs}{name}")
            found |= named(ours + name, norm)
    found |= named("output", parts.linear(names["output"], config.horizon, config.head_inputs))
    for name in parts.left:
        if name.startswith(f"{encoder}embedder."):
            parts.leave(name)  # another channel's
    parts.finish()
    return found


def _check_statistics(norm: Mapping[str, Tensor], where: str) -> None:
    if "mean" not in norm or "variance" not in norm:
        raise UserError(f"{where} must have running_mean and running_var, which are missing")
    if bool(torch.lt(norm["variance"], 0).any()):
        raise UserError(f"{where} must have a running_var that is not negative")
