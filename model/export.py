"""A trained torch model as an integer model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bitformer.model.checkpoint import save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.fake_quant import to_numpy
from bitformer.model.ir import IntegerModel
from bitformer.model.layers import QatLayerNorm
from bitformer.model.own_data import read_source
from bitformer.model.quantize import quantize_model
from bitformer.model.run_store import ERRORS, RunStore
from bitformer.model.task.margins import check_reject, margin_for
from bitformer.model.task.thresholds import with_facts
from bitformer.model.transformer import Transformer

__all__ = ["deployed", "export", "export_run", "export_to", "load_run", "parameters"]


def parameters(model: Transformer) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return float parameters and exponents by the names of :mod:`bitformer.model.quantize`."""
    if not model.quantized:
        raise ValueError("Model must be quantized before it is exported, not in float mode")
    config = model.config
    params = {n: to_numpy(one.distance) for n, one in model.distances.items()}
    params = {f"{name}.distance": bias for name, bias in params.items()}
    if config.position != "relative":
        params["position"] = to_numpy(model.position_table("position"))
    if config.decoder_layers:
        params["decoder.position"] = to_numpy(model.position_table("decoder.position"))
    exponents: dict[str, object] = dict(model.activations.exponents())
    zeros = model.activations.zeros(model.activations.exponents())
    exponents |= {name + ".zero": zero for name, zero in zeros.items()}
    for name, linear in model.linears.items():
        params[name + ".weight"] = to_numpy(linear.weight)
        whole: torch.Tensor = linear.bias
        if linear.center is not None:
            whole = linear.own_bias(linear.rounded(torch.float64)[0])
        params[name + ".bias"] = to_numpy(whole)
        if linear.calendar is not None:
            params[name + ".calendar"] = to_numpy(linear.calendar)
        exponents[name + ".weight"] = linear.exponents().expand(len(linear.weight)).cpu().numpy()
    for name, norm in model.norms.items():
        params[name + ".scale"] = to_numpy(norm.scale)
        params[name + ".offset"] = to_numpy(norm.offset)
        if isinstance(norm, QatLayerNorm):
            exponents[name + ".scale"] = norm.exponent(norm.scale)
    return params, exponents


def export(model: Transformer, meta: Mapping[str, object] | None = None) -> IntegerModel:
    """Return the integer model that equals ``model`` in ``eval()``; ``meta`` is free JSON."""
    params, exponents = parameters(model)
    return quantize_model(model.config, params, exponents, meta, margin=model.margin)


def load_run(run_dir) -> tuple[Transformer, dict]:
    """Load the quantized model that a finished run selected, and its ``run.json``."""
    store = RunStore(run_dir)
    record = store.read_record()
    if "results" not in record:
        raise UserError(f"Run in {run_dir} must be finished first: train again to resume it")
    model = Transformer(TransformerConfig.from_dict(record["config"]))
    try:
        model.load_state_dict(store.read_state()["best"])
    except (KeyError, RuntimeError):
        raise UserError(
            f"{run_dir}/state.pt must belong to run.json beside it, which it does not"
        ) from None
    model.quantized = True
    return model.eval(), record


def export_run(
    run_dir,
    *,
    reject: float = 0.0,
    smoothing: int | None = None,
    factor: float | None = None,
    hold: int | None = None,
) -> IntegerModel:
    """Return the integer model of a finished run.

    ``reject`` : of a classifier, the share of validation windows that it may answer with
    «rejected», those whose largest scores lead least. ``smoothing``, ``factor``, ``hold`` : of a
    detector, how far a level goes to each residual, what its threshold is beside the largest score
    of clean rows, and for how many windows its flag stays up; None for 4 (less of few rows), 1.5
    and 0, as in training.

    Its ``meta`` has the names and scales of the data (``dataset``), the settings of the training
    (``settings``), its errors (``results``), and the ``intervals`` of its forecasts, which runs of
    before they were invented lack; of a classifier, the names of its ``classes`` instead. A
    detector judges as its clean rows set it when it was trained.
    """
    model, record = load_run(run_dir)
    model.margin = _margin(reject, record, run_dir)
    sections = ("dataset", "settings", "intervals", "classes")
    meta = {name: record[name] for name in sections if name in record}
    results = {name: record["results"][name] for name in ERRORS}
    exported = export(model, meta | {"results": results})
    if "judge" in record:
        asked: dict[str, Any] = {"smoothing": smoothing, "factor": factor, "hold": hold}
        return with_facts(exported, record["judge"], **asked)
    for name, given in (("smoothing", smoothing), ("factor", factor), ("hold", hold)):
        if given is not None:
            raise UserError(
                f"{name} must be left out for the run in {run_dir}, which trained no detector, not"
                f" be {given}: leave --{name} out"
            )
    return exported


def _margin(reject: float, record: dict, run_dir) -> int:
    """Return the margin of a share that is rejected, by the leads that the run has noted."""
    if not check_reject(reject):
        return 0
    if "leads" not in record:
        raise UserError(
            f"reject must be 0 for the run in {run_dir}, which trained no classifier, not {reject}:"
            " leave --reject out"
        )
    return margin_for(reject, record["leads"])


def deployed(run_dir, **answer: Any) -> IntegerModel:
    """Return the integer model of a finished run, with the name of its data.

    ``answer`` : ``reject``, ``smoothing``, ``factor``, ``hold`` as of :func:`export_run`.
    """
    model = export_run(run_dir, **answer)
    source = read_source(Path(run_dir))
    return model if source is None else replace(model, meta={**model.meta, "source": source})


def export_to(run_dir, path, **answer: Any) -> IntegerModel:
    """Write the integer model of :func:`deployed` to ``path``, and return it."""
    model = deployed(run_dir, **answer)
    save_model(model, path)
    return model
