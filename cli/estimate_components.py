"""``bitformer estimate --components``: what each component adds to a design."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bitformer.cli.report import Report

if TYPE_CHECKING:
    from bitformer.estimate.breakdown import ComponentRow

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


def show_components(report: Report, parts: "Sequence[ComponentRow]") -> list[dict[str, object]]:
    """Print what each component adds, what they share, and the total; the same as plain data."""
    from bitformer.estimate.breakdown import MEMORY, UNITS

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
