"""``torch.nn.TransformerEncoder`` with a linear layer before it and one behind it.

A file of such weights has a ``config.json`` beside it that says what they do not:

    {"model_type": "torch.nn.TransformerEncoder", "window": 96, "horizon": 24, "nhead": 2,
     "patch": 8, "norm_first": false, "activation": "relu", "position": "sinusoidal"}

The computation: patches of the window, ``Linear``, times ``input_factor``, plus positions, the
encoder, what ``pooling`` says of its tokens, ``Linear``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.imports.imported import Imported, imported_config
from bitformer.model.imports.parts import Parts, named
from bitformer.model.imports.refusals import check_activation, rotary
from bitformer.model.initialize import sinusoidal
from bitformer.model.plain import built, shown

__all__ = ["MODEL_TYPE", "EncoderFields", "from_encoder"]

MODEL_TYPE = "torch.nn.TransformerEncoder"
#: The first layer's weights, by which an encoder is found.
_FIRST = re.compile(r"(?:(.*)\.)?layers\.0\.self_attn\.in_proj_weight")
_ORDERS = ("steps", "channels")
_POOLING = ("flatten", "mean", "last")
_TASKS = ("forecast", "classify")


@dataclass(frozen=True, kw_only=True)
class EncoderFields:
    """What weights alone do not say of a model.

    Parameters
    ----------
    window, inputs : steps and channels that it sees.
    horizon : steps that it forecasts; of a classifier, its classes.
    nhead, norm_first, activation, layer_norm_eps : as of ``torch.nn.TransformerEncoderLayer``.
    patch, patch_stride : steps in a token, and from one token to the next; 0: ``patch``.
    targets : columns that it forecasts.
    pooling : ``"flatten"``, ``"mean"`` or ``"last"``: what of the tokens the output layer reads.
    position : ``"sinusoidal"``, ``"none"``, or the name of a tensor [rows, d_model]; None for the
        only tensor that can be it.
    encoder, input, output : names of modules; None for the only ones that can be it.
    input_factor : what tokens are multiplied by before positions are added.
    input_order : of the values of a token: ``"steps"``, each with all its channels, or
        ``"channels"``, each with all its steps.
    output_order : the same of forecasts: ``"steps"``, each with all targets, or ``"channels"``.
    causal : whether a token attends to itself and to those before it alone.
    task : ``"forecast"`` or ``"classify"``.
    """

    window: int
    horizon: int
    nhead: int
    inputs: int = 1
    patch: int = 1
    patch_stride: int = 0
    targets: int = 1
    norm_first: bool = False
    activation: str = "relu"
    layer_norm_eps: float = 1e-5
    pooling: str = "flatten"
    position: str | None = None
    encoder: str | None = None
    input: str | None = None
    output: str | None = None
    input_factor: float = 1.0
    input_order: str = "steps"
    output_order: str = "steps"
    causal: bool = False
    task: str = "forecast"

    def __post_init__(self):
        check_activation("activation", self.activation)
        if "rot" in (self.position or ""):
            raise rotary("position")
        for name, known in (
            ("pooling", _POOLING),
            ("input_order", _ORDERS),
            ("output_order", _ORDERS),
            ("task", _TASKS),
        ):
            if getattr(self, name) not in known:
                raise UserError(f"{name} must be one of {known}, not {getattr(self, name)!r}")

    @classmethod
    def of(cls, data: Mapping[str, Any], where: str) -> "EncoderFields":
        """Return the fields of a ``config.json``, without ``model_type``."""
        return built(cls, {k: v for k, v in data.items() if k != "model_type"}, where)


def from_encoder(
    fields: EncoderFields, tensors: Mapping[str, np.ndarray], *, where: str
) -> Imported:
    """Return the model of ``tensors``, by the names of a state dict.

    Raises
    ------
    UserError
        For tensors that are not those of such a model.
    """
    parts = Parts(tensors, where)
    encoder = _encoder(parts, fields.encoder)
    d, _ = _two(parts, f"{encoder}layers.0.linear2.weight")
    layers = 0
    while f"{encoder}layers.{layers}.self_attn.in_proj_weight" in parts:
        layers += 1
    final = f"{encoder}norm.weight" in parts
    if final and not fields.norm_first:
        raise UserError(
            f"{where} must have no norm behind its encoder (norm=None) with norm_first=False, as"
            " the hardware has no unit that normalises what was normalised just before: train"
            " without it, or with norm_first=True"
        )
    whole = not fields.window % fields.patch if fields.patch > 0 else False
    config = imported_config(
        where,
        "encoder",
        window=fields.window,
        inputs=fields.inputs,
        horizon=fields.horizon,
        targets=fields.targets,
        patch=fields.patch,
        patch_stride=0 if fields.patch_stride == fields.patch and whole else fields.patch_stride,
        d_model=d,
        layers=max(layers, 1),
        heads=fields.nhead,
        ffn=_two(parts, f"{encoder}layers.0.linear1.weight")[0],
        norm="layer",
        norm_eps=float(fields.layer_norm_eps),
        pre_norm=fields.norm_first,
        final_norm=final,
        activation=fields.activation,
        causal=fields.causal,
        pooling=fields.pooling,
        task=fields.task,
    )
    found: dict[str, Tensor] = {}
    for number in range(layers):
        found |= _layer(parts, f"{encoder}layers.{number}.", f"layers.{number}.", config)
    if final:
        found |= named("norm", parts.norm(f"{encoder}norm", d))
    found |= _ends(parts, fields, config)
    parts.finish(": what is computed with it is unknown")
    return Imported(source=MODEL_TYPE, where=where, config=config, weights=found)


def _encoder(parts: Parts, name: str | None) -> str:
    """Return the encoder's name with a point behind it."""
    if name is not None:
        parts.shape(f"{name}.layers.0.self_attn.in_proj_weight".lstrip("."))
        return f"{name}." if name else ""
    found = [match[1] for match in map(_FIRST.fullmatch, parts.left) if match]
    if len(found) != 1:
        raise UserError(
            f"{parts.where} must have one torch.nn.TransformerEncoder, with a tensor"
            f" …layers.0.self_attn.in_proj_weight, not {len(found)}: models of other layers can not"
            " be imported"
        )
    return "" if found[0] is None else f"{found[0]}."


def _two(parts: Parts, name: str) -> tuple[int, int]:
    shape = parts.shape(name)
    if len(shape) != 2:
        raise UserError(f"{parts.where}: {name} must have 2 dimensions, not {len(shape)}")
    return shape[0], shape[1]


def _layer(parts: Parts, theirs: str, ours: str, config: TransformerConfig) -> dict[str, Tensor]:
    d, found = config.d_model, dict[str, Tensor]()
    whole = parts.linear(f"{theirs}self_attn.in_proj", 3 * d, d, mark="_")
    for number, name in enumerate(("q", "k", "v")):
        own = {kind: values.chunk(3)[number].clone() for kind, values in whole.items()}
        found |= named(ours + name, own)
    found |= named(ours + "o", parts.linear(f"{theirs}self_attn.out_proj", d, d))
    found |= named(ours + "ffn1", parts.linear(f"{theirs}linear1", config.ffn, d))
    found |= named(ours + "ffn2", parts.linear(f"{theirs}linear2", d, config.ffn))
    for name in ("norm1", "norm2"):
        found |= named(ours + name, parts.norm(f"{theirs}{name}", d))
    return found


def _ends(parts: Parts, fields: EncoderFields, config: TransformerConfig) -> dict[str, Tensor]:
    """Return the input and the output layer and the table of positions."""
    sizes = {
        "input": (config.d_model, config.token_inputs),
        "output": (config.outputs, config.head_inputs),
    }
    # a table that is named is no linear layer, and a linear layer is no table
    position = None if fields.position is None else _position(parts, fields, config)
    names = _linears(parts, fields, sizes)
    first = parts.linear(names["input"], *sizes["input"])
    if fields.input_order == "channels":
        of_each = first["weight"].unflatten(1, (config.inputs, config.patch))
        first["weight"] = of_each.transpose(1, 2).flatten(1)
    first = {kind: value * fields.input_factor for kind, value in first.items()}
    last = parts.linear(names["output"], *sizes["output"])
    if fields.output_order == "steps" and config.targets > 1:
        # a row for each target of a step -> a row for each step of a target
        of_each = {k: v.unflatten(0, (config.horizon, config.targets)) for k, v in last.items()}
        last = {kind: value.transpose(0, 1).flatten(0, 1) for kind, value in of_each.items()}
    if position is None:
        position = _position(parts, fields, config)
    return named("input", first) | named("output", last) | {"position": position}


def _linears(
    parts: Parts, fields: EncoderFields, sizes: Mapping[str, tuple[int, int]]
) -> dict[str, str]:
    """Return the names of both layers outside the encoder: as told, or by their shape."""
    found = {name: str(getattr(fields, name)) for name in sizes if getattr(fields, name)}
    others = [
        name.removesuffix(".weight")
        for name, shape in parts.left.items()
        if name.endswith(".weight") and len(shape) == 2
    ]
    for name, size in sizes.items():
        if name in found:
            continue
        fits = [one for one in others if parts.shape(f"{one}.weight") == size]
        fits = [one for one in fits if one not in found.values()]
        if len(fits) != 1:
            some = f"not {', '.join(fits)}: name it" if fits else "which is missing"
            raise UserError(
                f"{parts.where} must have one linear layer of shape {size} as {name} layer, {some}"
            )
        found[name] = fits[0]
    return found


def _position(parts: Parts, fields: EncoderFields, config: TransformerConfig) -> Tensor:
    """Return the table [tokens, d_model]."""
    d, name = config.d_model, fields.position
    if name == "none":
        return torch.zeros(config.tokens, d)
    if name == "sinusoidal":
        return torch.from_numpy(sinusoidal(config.tokens, d)).to(torch.float32)
    if name is None:
        fits = [n for n, shape in parts.left.items() if _is_table(shape, config)]
        if len(fits) != 1:
            some = f"not of {', '.join(fits)}" if fits else "as it has none that fits"
            raise UserError(
                f"{parts.where}: position must be given, {shown('sinusoidal')}, {shown('none')} or"
                f" the name of a tensor [{config.tokens}, {d}], {some}"
            )
        name = fits[0]
    shape = parts.shape(name)
    if not _is_table(shape, config):
        raise UserError(
            f"{parts.where}: {name} must have at least {config.tokens} rows of {d}, not shape"
            f" {shape}"
        )
    return parts.take(name, *shape).reshape(-1, d)[: config.tokens].clone()


def _is_table(shape: tuple[int, ...], config: TransformerConfig) -> bool:
    """Return whether a tensor can be a table of positions, with dimensions of 1 anywhere."""
    long = [size for size in shape if size > 1]
    rows = int(np.prod(shape, dtype=np.int64)) // max(config.d_model, 1)
    last = shape[-1:] == (config.d_model,)
    return last and rows >= config.tokens and len(long) <= 1 + (config.d_model > 1)
