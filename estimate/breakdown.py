"""A design's resources by component: what each one adds, and what all of them share."""

from collections.abc import Iterable
from dataclasses import dataclass

from bitformer.estimate.components import (
    Share,
    StoreCost,
    added,
    added_by_formula,
    block_ram_shares,
    components_of,
)
from bitformer.estimate.knowledge import Entry
from bitformer.estimate.predictor import Prediction
from bitformer.hw.design import Design
from bitformer.model.errors import UserError

__all__ = ["MEMORY", "TOTAL", "UNITS", "ComponentRow", "breakdown"]

#: Rows that are no component's.
MEMORY, UNITS, TOTAL = "(shared)", "(units)", "total"


@dataclass(frozen=True, kw_only=True)
class ComponentRow:
    """A component, or what components share, of a design; parts add up to the design.

    ``luts``, ``lutram`` : of a component, those of its stores by themselves. ``ramb18`` : of those
    of the design, by the component's share of the bits. ``alone`` : those of its stores by
    themselves. ``measured`` : Yosys has synthesized such stores, else they are counted by formula.
    """

    name: str
    luts: int
    lutram: int
    ramb18: float
    share: Share | None = None
    alone: int | None = None
    measured: bool = False


def _of_component(share: Share, blocks: float, entry: Entry | None) -> ComponentRow:
    taken = added_by_formula(share.stores, share.images, share.family)
    if entry is not None:
        taken = StoreCost(luts=entry.luts, lutram=entry.lutram, ramb18=entry.ramb18)
    return ComponentRow(
        name=share.name,
        luts=taken.luts,
        lutram=taken.lutram,
        ramb18=blocks,
        share=share,
        alone=taken.ramb18,
        measured=entry is not None,
    )


def _keys(shares: Iterable[Share]) -> dict[str, str]:
    """Return the keys by which components are known, where there is a Yosys: it is in them."""
    from bitformer.estimate.component_stores import component_keys

    try:
        return component_keys(shares)
    except UserError:
        return {}


def breakdown(
    design: Design, *, prediction: Prediction | None, entries: Iterable[Entry]
) -> list[ComponentRow]:
    """Return a row for each component, for what memory they share, for the units and the total.

    Parameters
    ----------
    design
        Lowered.
    prediction
        Of its resources; without one there is no row of units, and the total is that of the stores.
    entries
        A component that is measured among these is taken from them, others are counted.

    Returns
    -------
    list of ComponentRow
        ``MEMORY`` is the design's stores less the components' own, which is negative where
        components take turns with the words of a RAM. ``UNITS`` is what is predicted of the design
        less its stores.
    """
    shares = components_of(design)
    known = {entry.key: entry for entry in entries if entry.kind == "component"}
    keys = _keys(shares) if known else {}
    blocks = block_ram_shares(design, shares)
    parts = [_of_component(s, blocks[s.name], known.get(keys.get(s.name, ""))) for s in shares]
    stores = added(design)
    memory = ComponentRow(
        name=MEMORY,
        luts=stores.luts - sum(part.luts for part in parts),
        lutram=stores.lutram - sum(part.lutram for part in parts),
        ramb18=round(stores.ramb18 - sum(part.ramb18 for part in parts), 9),
    )
    if prediction is None:
        total = ComponentRow(
            name=TOTAL, luts=stores.luts, lutram=stores.lutram, ramb18=stores.ramb18
        )
        return [*parts, memory, total]
    total = ComponentRow(
        name=TOTAL,
        luts=prediction.luts.value,
        lutram=prediction.lutram.value,
        ramb18=prediction.ramb18,
    )
    units = ComponentRow(
        name=UNITS,
        luts=total.luts - stores.luts,
        lutram=total.lutram - stores.lutram,
        ramb18=total.ramb18 - stores.ramb18,
    )
    return [*parts, memory, units, total]
