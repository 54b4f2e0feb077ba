"""LUTs and flip-flops that are predicted of an ECP5 and an iCE40UP5K, against Yosys.

    python benchmarks/held_out.py             the tables
    python benchmarks/held_out.py --write     and their sections in docs/families.md written

The designs of an ECP5 are those of `routing.py --bits`, less what the base holds: a minute of Yosys
each, but for what is in its cache. Those of an iCE40UP5K are the base's own, each predicted by a
base without it: no Yosys is needed.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from routing import BIT_ROWS
from routing_page import with_section
from tables import console, markdown_table, show

from bitformer.estimate.knowledge import Entry, read_entries, shipped_entries
from bitformer.estimate.measure import entries_of
from bitformer.estimate.predictor import Predictor, luts_of
from bitformer.hw.parts import PARTS
from bitformer.model.progress import silent
from bitformer.synth.synthesize import synthesize

__all__ = ["OWN_TITLE", "TITLE", "Comparison", "left_out", "own_section", "section"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "families.md"
TITLE = "## How wrong predictions of an ECP5 are"
PART = "lfe5u-25f"
COLUMNS = ("design", "LUT", "came out", "error", "FF", "came out", "error")
OWN_TITLE = "## How wrong predictions of an iCE40UP5K are"
OWN_PART = "ice40up5k"
OWN_COLUMNS = ("design", "products a cycle", "logic cells", *COLUMNS[2:])

#: A name, and LUTs and flip-flops, each predicted and counted.
Comparison = tuple[str, tuple[int, int], tuple[int, int]]


def compared(predictor: Predictor) -> list[Comparison]:
    """Designs that the predictor was not fitted on: by what they take, not by their names alone."""
    known = [entry.features for entry in predictor.entries]
    found: list[Comparison] = []
    for (shape, bits), row in BIT_ROWS.items():
        design = row.design()
        said = predictor.predict(design)
        entry = entries_of(design, synthesize(design, progress=silent))[0]
        own = {n: v for n, v in entry.features.items() if n not in ("loads", "late_steps")}
        if any({**features, **own} == features for features in known):
            continue
        luts, ffs = (said.luts.value, entry.luts), (said.ffs.value, entry.ffs)
        found.append((f"{shape}, {bits} bits", luts, ffs))
    return found


def _error(pair: tuple[int, int]) -> float:
    return pair[0] / pair[1] - 1


def cells(found: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Rows of the table."""
    return [
        (name, *(text for pair in pairs for text in (*map(str, pair), f"{_error(pair):+.1%}")))
        for name, *pairs in found
    ]


def section(found: Sequence[Comparison], base: Sequence[Entry], predictor: Predictor) -> list[str]:
    """The lines of the section."""
    luts, ffs = ([abs(_error(one[which])) for one in found] for which in (1, 2))
    return [
        TITLE,
        "",
        f"Written by `python benchmarks/held_out.py`. The base that ships has {len(base)} designs"
        f" of the {PART}, small ones and some of 24 columns. Left out of the fit one at a time,"
        f" their LUTs are {predictor.spread['luts']:.1%} off (standard deviation), flip-flops"
        f" {predictor.spread['ffs']:.1%}, of which the intervals of `estimate` follow. Of"
        f" {len(found)} designs that are in no base, LUTs are {sum(luts) / len(luts):.1%} off in"
        f" the mean and {max(luts):.1%} at most, flip-flops {sum(ffs) / len(ffs):.1%} and"
        f" {max(ffs):.1%}. Untrained, 24 columns, no products packed:",
        "",
        *markdown_table(COLUMNS, cells(found)),
    ]


def left_out(entries: Sequence[Entry]) -> list[Comparison]:
    """Designs of the base, each predicted by all the others."""
    family, found = PARTS[OWN_PART].family, list[Comparison]()
    for entry in Predictor(entries, family=family).entries:
        others = [one for one in entries if one.key != entry.key]
        said = Predictor(others, family=family).counts(entry.features)
        luts, ffs = (int(said["luts"]), luts_of(entry)), (int(said["ffs"]), entry.ffs)
        found.append((f"{entry.name} | {entry.lanes}", luts, ffs))
    return sorted(found, key=lambda one: one[1][1])


def own_section(found: Sequence[Comparison], predictor: Predictor) -> list[str]:
    """The lines of the section of designs left out."""
    luts, ffs = ([abs(_error(one[which])) for one in found] for which in (1, 2))
    margin = predictor.margins["luts"]
    inside = sum(error <= margin for error in luts)
    return [
        OWN_TITLE,
        "",
        f"Written by `python benchmarks/held_out.py`. Each of the {len(found)} designs of the"
        f" {OWN_PART} in the base that ships, predicted by a base without it: logic cells are"
        f" {sum(luts) / len(luts):.1%} off in the mean and {max(luts):.1%} at most, flip-flops"
        f" {sum(ffs) / len(ffs):.1%} and {max(ffs):.1%}. The interval of `estimate` is"
        f" {margin:.0%} of the logic cells to both sides: {inside} of {len(found)} lie in it."
        " Untrained:",
        "",
        *markdown_table(OWN_COLUMNS, own_cells(found)),
    ]


def own_cells(found: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Rows of the table of designs left out."""
    return [(*name.split(" | "), *rest) for name, *rest in cells(found)]


@click.command(help=__doc__)
@click.option("--base", type=click.Path(path_type=Path), help="Entries [those that ship].")
@click.option("--write", is_flag=True, help="Write the section.")
@click.option("--page", type=click.Path(path_type=Path), default=PAGE, show_default=True)
def main(base: Path | None, write: bool, page: Path) -> None:
    entries = shipped_entries() if base is None else read_entries(base)
    predictor = Predictor(entries, family=PARTS[PART].family)
    found = compared(predictor)
    show(console(), COLUMNS, cells(found))
    own = left_out(entries)
    show(console(), OWN_COLUMNS, own_cells(own))
    sections = [
        section(found, predictor.entries, predictor),
        own_section(own, Predictor(entries, family=PARTS[OWN_PART].family)),
    ]
    for lines in sections:
        print("\n".join(lines))
        if write:
            text = with_section(page.read_text(encoding="utf-8"), lines)
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
