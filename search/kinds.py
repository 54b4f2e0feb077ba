"""Searches over several kinds of layers at once: a question for each kind, and one answer.

Kinds differ in their float models and in what bits cost them. So each is measured and shortlisted
by itself; then what is predicted of a candidate is its float model's validation error and what its
bits add, and the best of all kinds are trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.shape import BLOCKS
from bitformer.search.pareto import pareto
from bitformer.search.request import SearchRequest

__all__ = ["best_of_kinds", "kinds_of", "of_block"]

#: The widest MLP.
_WIDEST = 256


def of_block(config: TransformerConfig, block: str) -> TransformerConfig:
    """Return ``config`` with another kind of layers and about as many MACs, named after it.

    A mixer has the same sizes. An MLP sees the window whole, as one token of half the width that
    all tokens have together, and its FFN takes the MACs that are left.
    """
    if block not in BLOCKS:
        raise UserError(f"--block must be of {', '.join(BLOCKS)}, not {block!r}")
    if block == config.block:
        return config
    sizes: dict[str, Any] = {"name": f"{config.name}-{block}", "block": block, "mixing": 0}
    sizes["fused"] = False  # of attention alone
    sizes["tensors"] = {name: bits for name, bits in config.tensors.items() if name == "delta"}
    if block == "mlp":
        width = min(max(config.d_model, config.tokens * config.d_model // 2), _WIDEST)
        width -= width % config.heads
        sizes |= {"patch": config.window, "d_model": width, "ffn": 8}
    bare = config.replace(**sizes, precision={})
    own = {name: bits for name, bits in config.precision.items() if name in bare.components}
    if block != "mlp":
        return bare.replace(precision=own)
    more = (config.macs - bare.macs) // (2 * bare.d_model * bare.layers)
    return bare.replace(precision=own, ffn=max(8, (8 + more) // 8 * 8))


def kinds_of(request: SearchRequest) -> dict[str, SearchRequest]:
    """Return the question of each kind that is asked for, by its name; of one, ``request``."""
    if not request.blocks:
        return {request.config.block: request}
    return {
        block: replace(request, config=of_block(request.config, block), blocks=())
        for block in request.blocks
    }


def best_of_kinds(
    choices: Mapping[str, Mapping[str, Any]], float_errors: Mapping[str, float], top: int
) -> dict[str, Any]:
    """Return one shortlist of several.

    Parameters
    ----------
    choices
        What :func:`bitformer.search.shortlist.shortlist` gave for each kind.
    float_errors
        Validation errors of the kinds' float models. Predicted losses are over the least of them.
    top
        How many are trained, beside the uniform ones of the kinds that are left.
    """
    if len(choices) == 1:
        return dict(next(iter(choices.values())))
    least = min(float_errors[block] for block in choices)
    designs: list[dict[str, Any]] = []
    for block, choice in choices.items():
        for one in choice["designs"]:
            why = f"{one['why']}, {block}" if one["baseline"] else one["why"]
            loss = one["loss"] + float_errors[block] - least
            designs.append({**one, "loss": loss, "why": why, "block": block})
    ranked = sorted((one for one in designs if not one["baseline"]), key=lambda one: one["loss"])
    kept = ranked[:top]
    blocks = {one["block"] for one in kept}
    kept += [one for one in designs if one["baseline"] and one["block"] in blocks]
    return {
        "space": _spaces(choices, float_errors, least),
        "designs": [{n: value for n, value in one.items() if n != "block"} for one in kept],
    }


def _spaces(
    choices: Mapping[str, Mapping[str, Any]], float_errors: Mapping[str, float], least: float
) -> dict[str, Any]:
    """Return what all spaces are together."""
    spaces: Sequence[Mapping[str, Any]] = [choice["space"] for choice in choices.values()]
    points = np.array(
        [
            [loss + float_errors[block] - least, *costs]
            for block, choice in choices.items()
            for loss, *costs in choice["space"]["pareto"]
        ]
    )
    return {
        "kind": spaces[0]["kind"],
        **{name: sum(one[name] for one in spaces) for name in ("combinations", "seen", "within")},
        "engines": spaces[0]["engines"],
        "blocks": list(choices),
        "pareto": points[pareto(points)].tolist() if len(points) else [],
    }
