"""A torch module of the user's own as a model here: found in it, and proved by its forecasts."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import LayerNorm as TorchNorm
from torch.nn import Linear as TorchLinear
from torch.nn import functional

from bitformer.model.errors import UserError
from bitformer.model.imports import patchtst
from bitformer.model.imports.encoder import EncoderFields, from_encoder
from bitformer.model.imports.imported import Imported
from bitformer.model.imports.patchtst import from_patchtst
from bitformer.model.imports.refusals import check_activation, rotary
from bitformer.model.imports.weights_file import check_floats

__all__ = ["Call", "from_module"]

#: Returns what a module makes of windows, float32 [N, window, inputs].
Call = Callable[[nn.Module, Tensor], Any]
#: Windows by which a module is compared with what was found in it, and how far they may differ, as
#: a part of the largest result: sums of floats in another order, no more.
_WINDOWS, _FAR = 16, 1e-4
#: Where a module's attributes say that queries and keys are turned.
_ROTARY = ("rotary", "rope", "inv_freq", "freqs_cis")


def from_module(
    module: nn.Module,
    *,
    window: int,
    inputs: int = 1,
    patch_stride: int = 0,
    task: str = "forecast",
    targets: int = 1,
    channel: int | None = None,
    call: Call | None = None,
) -> Imported:
    """Return the model that a module is: a PatchTST, or a TransformerEncoder between linear layers.

    What cannot be seen in it (a causal mask, the factor before positions, which tokens the output
    layer reads, the order of values) is tried, until forecasts of random windows are the module's.

    Parameters
    ----------
    module
        In ``eval()``, with float32 weights.
    window, inputs
        Steps and channels of a window.
    patch_stride
        Steps from one patch to the next; 0: as many as a patch has.
    task, targets
        ``"forecast"``, of so many columns, or ``"classify"``.
    channel
        Of a PatchTST with weights for each channel, the number of one.
    call
        Calls the module for windows [N, window, inputs] and returns forecasts [N, horizon] or
        [N, horizon, targets], or scores [N, classes]; by default ``module(windows)``.

    Raises
    ------
    UserError
        For a module that is no such model, or computes something else.
    """
    where = type(module).__name__
    if not isinstance(module, nn.Module):
        raise UserError(f"module must be a torch.nn.Module, not {where}")
    if any(part.training for part in module.modules()):
        raise UserError(
            f"{where} must be in evaluation mode, where dropout drops nothing, not in training"
            " mode: call module.eval() first"
        )
    tensors = _tensors(module, where)
    settings: Any = getattr(module, "config", None)
    if getattr(settings, "model_type", None) == patchtst.MODEL_TYPE:
        fields = {**settings.to_dict(), "architectures": [where]}
        found = from_patchtst(fields, tensors, where=where, channel=channel)
        _same_sizes(found, window, task)
        if difference := _difference(module, found, _patchtst_call(channel or 0, fields)):
            raise _differs(where, difference)
        return found
    if channel is not None:
        raise UserError(f"channel must be left out for {where}, which reads all, not {channel}")
    encoder = _the_encoder(module, where)
    _check_others(module, encoder, where)
    call = call or _plain_call
    shape = _result(module, call, window, inputs, where)
    base = _fields(module, encoder, where)
    base |= {"window": window, "inputs": inputs, "patch_stride": patch_stride, "task": task}
    base |= {"targets": targets, **_patch(module, encoder, inputs, where)}
    return _proved(module, base, shape, tensors, where, call)


def _tensors(module: nn.Module, where: str) -> dict[str, np.ndarray]:
    """Return parameters and buffers, those too that a state dict leaves out."""
    named = [*module.named_parameters(), *module.named_buffers()]
    floats = {n: t for n, t in named if t.is_floating_point()}
    for name in (*floats, *(name for name, _ in module.named_modules())):
        if any(mark in name.lower() for mark in _ROTARY):
            raise rotary(f"{where}: {name}")
    for name, one in floats.items():
        if one.dtype not in (torch.float32, torch.float64):
            raise UserError(
                f"{where}: {name} must be float32, not {str(one.dtype).removeprefix('torch.')}:"
                " rounding here starts from whole floats; call module.float() first"
            )
    return check_floats({n: t.detach().cpu().numpy() for n, t in floats.items()}, where)


def _the_encoder(module: nn.Module, where: str) -> str:
    """Return the name of the only encoder, whose layers are torch's own."""
    found = [n for n, part in module.named_modules() if isinstance(part, nn.TransformerEncoder)]
    others = (nn.TransformerDecoder, nn.RNNBase)
    for name, part in module.named_modules():
        if isinstance(part, others):
            raise UserError(
                f"{where} must have an encoder alone, not a {type(part).__name__} ({name}), which"
                " cannot be imported: train one whose forecast comes from a linear layer"
            )
    if len(found) != 1:
        raise UserError(
            f"{where} must have one torch.nn.TransformerEncoder, or be a PatchTST of Hugging Face,"
            f" not have {len(found)}: models of other layers cannot be imported"
        )
    return found[0]


def _layers(module: nn.Module, encoder: str) -> list[Any]:
    found: Any = module.get_submodule(encoder)
    return [*found.layers]


def _check_others(module: nn.Module, encoder: str, where: str) -> None:
    """Refuse parts outside the encoder, with weights, that are no linear layers and no tables."""
    inside = f"{encoder}." if encoder else ""
    for name, part in module.named_modules():
        if not name or name == encoder or (inside and name.startswith(inside)):
            continue
        own = [*part.parameters(recurse=False)]
        if not own or isinstance(part, TorchLinear | nn.Embedding):
            continue
        if type(part).__module__.startswith("torch.nn"):
            raise UserError(
                f"{where}: {name} must be a Linear, not a {type(part).__name__}: what stands before"
                " and behind the encoder is one linear layer each"
            )


def _fields(module: nn.Module, encoder: str, where: str) -> dict[str, Any]:
    """Return what the encoder's layers say, which all must say alike."""
    found: list[dict[str, Any]] = []
    for number, layer in enumerate(_layers(module, encoder)):
        name = f"{where}: layer {number} of {encoder or 'the encoder'}"
        if type(layer) is not nn.TransformerEncoderLayer:
            raise UserError(
                f"{name} must be a torch.nn.TransformerEncoderLayer itself, not a"
                f" {type(layer).__name__}, which may compute something else"
            )
        found.append(
            {
                "nhead": layer.self_attn.num_heads,
                "norm_first": bool(layer.norm_first),
                "activation": _activation(layer.activation, name),
                "layer_norm_eps": float(layer.norm1.eps),
            }
        )
        if layer.norm2.eps != layer.norm1.eps or found[-1] != found[0]:
            raise UserError(f"{name} must have the settings of layer 0, which it has not")
    norm = module.get_submodule(encoder).norm
    if norm is not None and (type(norm) is not TorchNorm or norm.eps != found[0]["layer_norm_eps"]):
        raise UserError(f"{where}: {encoder}.norm must be a LayerNorm like the layers' own")
    return found[0] | {"encoder": encoder}


def _activation(function: Any, where: str) -> str:
    name = getattr(function, "__name__", type(function).__name__.lower())
    exact = getattr(function, "approximate", "none") == "none"
    if function is functional.relu or isinstance(function, nn.ReLU):
        return "relu"
    if function is functional.gelu or (isinstance(function, nn.GELU) and exact):
        return "gelu"
    name = name if exact else f"{name}, approximated by {function.approximate}"
    check_activation(f"{where}: activation", name)
    raise UserError(f"{where}: activation must be torch's own {name}, not another function")


def _patch(module: nn.Module, encoder: str, inputs: int, where: str) -> dict[str, Any]:
    """Return the steps of a patch, and the names of the linear layers, in their order."""
    inside = f"{encoder}." if encoder else ""
    linears = {
        name: part
        for name, part in module.named_modules()
        if isinstance(part, TorchLinear) and not (inside and name.startswith(inside))
    }
    names = [*linears]
    d = _layers(module, encoder)[0].linear2.out_features
    if not encoder or len(names) != 2:
        raise UserError(
            f"{where} must have two linear layers outside its encoder, one before and one behind"
            f" it, not {len(names) if encoder else 0} ({', '.join(names)})"
        )
    fits = [n for n, one in linears.items() if one.out_features == d]
    fits = [n for n in fits if linears[n].in_features % inputs == 0]
    if not fits:
        raise UserError(
            f"{where} must have a linear layer to {d} features, of {inputs} input(s) for each step,"
            " before its encoder, which is missing"
        )
    first = fits[0]
    last = next(name for name in names if name != first)
    patch = linears[first].in_features // inputs
    return {"patch": patch, "input": first, "output": last}


def _plain_call(module: nn.Module, windows: Tensor) -> Any:
    return module(windows)


def _patchtst_call(channel: int, fields: dict[str, Any]) -> Call:
    """Return how a PatchTST is called for windows of one of its channels."""
    count = fields["num_input_channels"]

    def call(module: nn.Module, windows: Tensor) -> Any:
        found = module(past_values=windows.expand(-1, -1, count))
        scores = getattr(found, "prediction_logits", None)
        return found.prediction_outputs[..., channel] if scores is None else scores

    return call


def _windows(window: int, inputs: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(_WINDOWS, window, inputs, generator=generator)


def _results(module: nn.Module, call: Call, windows: Tensor) -> Any:
    parameter = next(module.parameters())
    with torch.no_grad():
        found = call(module, windows.to(parameter.device, parameter.dtype))
    return found.to("cpu", torch.float32) if isinstance(found, Tensor) else found


def _result(module: nn.Module, call: Call, window: int, inputs: int, where: str) -> tuple[int, ...]:
    """Return the shape of a window's results."""
    try:
        found = _results(module, call, _windows(window, inputs))
    except (RuntimeError, TypeError, ValueError, AssertionError, IndexError) as error:
        raise UserError(
            f"{where} must take windows of shape (N, {window}, {inputs}), which it does not"
            f" ({' '.join(str(error).split())[:120]}): say how it is called with call=…"
        ) from None
    shape = tuple(found.shape) if isinstance(found, Tensor) else ()
    if len(shape) not in (2, 3) or shape[0] != _WINDOWS:
        raise UserError(
            f"{where} must return a tensor (N, horizon) or (N, horizon, targets) for N windows, not"
            f" {shape or type(found).__name__}: say how it is called with call=…"
        )
    return shape[1:]


def _proved(
    module: nn.Module,
    base: dict[str, Any],
    shape: tuple[int, ...],
    tensors: dict[str, np.ndarray],
    where: str,
    call: Call,
) -> Imported:
    """Return the reading of a module that computes what it does."""
    nearest, refusal, found = float("inf"), None, None
    for fields in _readings(module, base, shape, where):
        try:
            found = from_encoder(fields, tensors, where=where)
        except UserError as error:
            refusal = refusal or error
            continue
        difference = _difference(module, found, call)
        if not difference:
            return found
        nearest = min(nearest, difference)
    if found is None and refusal is not None:
        raise refusal
    raise _differs(where, nearest)


def _readings(
    module: nn.Module, base: dict[str, Any], shape: tuple[int, ...], where: str
) -> Iterator[EncoderFields]:
    """Yield what a module may compute, as far as its sizes allow."""
    targets, last = base["targets"], module.get_submodule(base["output"])
    horizon, *others = shape
    if (others or [1]) != [targets]:
        raise UserError(
            f"{where} must return forecasts (N, horizon{', targets' if targets > 1 else ''}) of"
            f" {targets} target(s), not of shape {('N', *shape)}"
        )
    d = _layers(module, base["encoder"])[0].linear2.out_features
    pooling = ("mean", "last", "flatten") if last.in_features == d else ("flatten",)
    fields = EncoderFields(**base, horizon=horizon, position="none")
    orders = ("steps", "channels") if base["inputs"] > 1 and base["patch"] > 1 else ("steps",)
    outputs = ("steps", "channels") if targets > 1 else ("steps",)
    tables = [None, "none"]
    for causal, position, factor, pooled, order, out in itertools.product(
        (False, True), tables, (1.0, d**0.5), pooling, orders, outputs
    ):
        yield replace(
            fields,
            position=position,
            input_factor=factor,
            pooling=pooled,
            input_order=order,
            output_order=out,
            causal=causal,
        )


def _same_sizes(found: Imported, window: int, task: str) -> None:
    for name, theirs, ours in (
        ("window", found.config.window, window),
        ("task", found.config.task, task),
    ):
        if theirs != ours:
            raise UserError(f"{name} must be {theirs} as in {found.where}, not {ours}")


def _difference(module: nn.Module, found: Imported, call: Call) -> float:
    """Return how far forecasts are apart; 0 where it is no more than floats are."""
    config = found.config
    windows = _windows(config.window, config.inputs)
    theirs = _results(module, call, windows)
    if theirs.dim() > 2:  # [N, horizon, targets]: of ours, targets come one after the other
        theirs = theirs.transpose(1, 2)
    theirs = theirs.reshape(len(windows), -1)
    with torch.no_grad():
        ours = found.model()(windows)
    if theirs.shape != ours.shape:
        return float("inf")
    far = float((theirs - ours).abs().max())
    near = _FAR * max(1.0, float(theirs.abs().max()))
    return 0.0 if far <= near else far


def _differs(where: str, far: float) -> UserError:
    return UserError(
        f"{where} must compute what its layers say, a linear layer, positions, an encoder and a"
        f" linear layer on all tokens, their mean or the last one, but its forecasts differ from"
        f" that by {far:.2g}: what else its forward() does (a mask, another activation, a scaling)"
        " cannot be imported"
    )
