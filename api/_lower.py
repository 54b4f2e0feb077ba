"""Lowers a model to an accelerator."""

from collections.abc import Mapping
from typing import Any

from bitformer._designs import AcceleratorDesign
from bitformer._models import Model
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent

__all__ = ["lower"]


def lower(
    model: Model,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    rows: int | str = 1,
    posts: int = 1,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    reloadable: bool = False,
    lut_lanes: int | str | None = None,
    effort: int = 0,
    phases: int = 1,
    progress: Progress = silent,
) -> AcceleratorDesign:
    """Lower a model to an accelerator.

    Parameters
    ----------
    model
        What it is to compute.
    part
        The FPGA: ``bitformer boards`` names some.
    lanes
        Products a cycle; by default what the part's DSP blocks allow.
    rows
        Rows of tokens that the engine has side by side: 1, 2, 4 or 8; or ``"auto"`` for those, and
        the post-processors, that take the fewest cycles in the part.
    posts
        Post-processors, each for its share of these rows: at most as many.
    pack
        Whether two products share a DSP block where the weights prove it safe.
    placement
        Where stores live, by name: ``"block"``, ``"distributed"``, ``"registers"`` or ``"auto"``;
        and intermediate results such as ``"layers.0.q"``, apart from their store, or all others of
        these as ``"results"``.
    reloadable
        Whether other weights can be loaded later.
    lut_lanes
        Products a cycle of LUTs, beside those of ``lanes``: two for each column of LUTs; or
        ``"auto"`` for those that take the fewest cycles in the part's LUTs. They serve layers whose
        products are packed, and others as far as that saves cycles and LUTs are left.
    effort
        Orders of the rows to try for one that takes fewer cycles and no more memory; the same
        number finds the same order everywhere.
    phases
        Of a stream, how many take steps in turn, each with rings of its own: as many as a patch has
        steps for a forecast at each of them.
    progress
        Called after each of these.

    Raises
    ------
    UserError
        If the part is unknown, or the units cannot run the model.
    """
    from bitformer.hw.lowering.lower import lower as run
    from bitformer.hw.lowering.reload import lower_reloadable
    from bitformer.hw.lowering.soft_columns import soft_of

    asked: dict[str, Any] = {"part": part, "lanes": lanes, "pack": pack}
    if (rows, posts) != (1, 1):
        asked |= {"rows": rows, "posts": posts}
    asked["placement"] = placement or {}
    function = lower_reloadable if reloadable else run
    if phases != 1:
        if reloadable:
            raise UserError(f"phases must be 1 of a reloadable design, not {phases}")
        asked["phases"] = phases
    own: dict[str, Any] = {} if lut_lanes is None else {"soft": soft_of(lut_lanes, rows)}
    design = function(model.integer, **asked, **own, effort=effort, progress=progress)
    return AcceleratorDesign(model, design, asked)
