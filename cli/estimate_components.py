"""``bitformer estimate --components``: what each component adds to a design."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitformer.cli.report import Report
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.estimate.breakdown import ComponentRow
    from bitformer.estimate.components import Share
    from bitformer.estimate.knowledge import Entry
    from bitformer.estimate.predictor import Prediction
    from bitformer.hw.design import Design

__all__ = ["show_components"]

_COLUMNS = (
    "component",
    "w/a",
    "from",
    "weight bits",
    "program rows",
    "result words",
    "LUT",
    "LUT as mem.",
    "block RAM",
)


def _keys(shares: "Sequence[Share]") -> dict[str, str]:
    from bitformer.estimate.component_stores import component_keys

    try:
        return component_keys(shares)
    except UserError:  # no Yosys, whose release is in a key
        return {}


def _row(part: "ComponentRow") -> tuple[object, ...]:
    counts = (part.luts, part.lutram, f"{part.ramb18:.2f}")
    share = part.share
    if share is None:
        return (part.name, "", "", "", "", "", *counts)
    source = "measured" if part.measured else "formula"
    rows = len(share.words.get("program", ()))
    return (
        part.name,
        share.bits.both,
        source if share.stores else "",
        share.weight_bits,
        rows,
        sum(share.rows.values()),
        *counts,
    )


def _data(part: "ComponentRow") -> dict[str, object]:
    found = {"name": part.name, "luts": part.luts, "lutram": part.lutram, "ramb18": part.ramb18}
    share = part.share
    if share is None:
        return found
    return {
        **found,
        "bits": share.bits.both,
        "measured": part.measured,
        "weight_bits": share.weight_bits,
        "rom_words": {store: len(words) for store, words in share.words.items()},
        "ram_words": dict(share.rows),
        "ramb18_alone": part.alone,
    }


def show_components(
    report: Report,
    design: "Design",
    prediction: "Prediction | None",
    entries: "Sequence[Entry]",
) -> list[dict[str, object]]:
    """Print what each component adds, what they share, and the total; the same as plain data."""
    from bitformer.estimate.breakdown import MEMORY, UNITS, breakdown
    from bitformer.estimate.components import components_of

    shares = components_of(design)
    parts = breakdown(design, shares, prediction=prediction, entries=entries, keys=_keys(shares))
    rows: list[tuple[object, ...] | None] = []
    for part in parts:
        if part.name == MEMORY:
            rows.append(None)
        rows.append(_row(part))
    report.table(_COLUMNS, rows, title="What each component adds", words=3)
    report.line(
        "A component's LUTs are those of its own words and rows, as stores by themselves: measured"
        " by Yosys, or counted by formula. Its block RAMs are its share of the design's, by bits."
    )
    report.line(
        f"{MEMORY} is what components save that take turns with the words of a store, {UNITS} what"
        " all of them work with."
    )
    return [_data(part) for part in parts]
