"""Energy by the model of power: held against what others published, and days on three parts.

    python benchmarks/energy.py             the tables
    python benchmarks/energy.py --write     and docs/energy.md written

What designs take is Yosys' count, from a cache where it was counted before; a minute each else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from published_power import MEASURED, REPORTED, off_by, off_by_of_currents
from tables import console, markdown_table, show

from bitformer.cli.estimate_days import day_row
from bitformer.estimate.days import PartDays, days_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.synth.synthesize import synthesize
from bitformer.synth.yosys import find_tool

__all__ = ["markdown"]

REPORT = Path(__file__).resolve().parent.parent / "docs" / "energy.md"
#: Parts and the hertz at which designs run there; models of which a day is told.
SPARTAN, ULTRA_PLUS = "xc7s15", "ice40up5k"
CLOCKS = {SPARTAN: 100e6, "lfe5u-25f": 100e6, ULTRA_PLUS: 12e6}
MODELS = ("grid-12-32-4",)

HELD = ("what was published", "part", "the model says")
DAYS = ("part", "MHz", "a forecast each", "idle between, J a day", "off between, J a day", "mW")
PARTS_COLUMNS = (
    "part",
    "µJ a forecast",
    "mW between two",
    "of it without a clock",
    "mJ a configuration",
    "within a factor of",
)


def held() -> list[tuple[str, ...]]:
    """By how much the model is off, of each published design."""
    rows = [
        (
            f"({', '.join(map(str, shape))}): {millijoules} mJ in {milliseconds} ms",
            SPARTAN,
            f"{off_by(shape, SPARTAN):+.0%}",
        )
        for shape, (milliseconds, millijoules) in REPORTED.items()
    ]
    for name, one in MEASURED.items():
        said = f"{name}, {one.cells} cells, {one.clock_hz / 1e6:g} MHz: {one.power_w * 1e3:.3f} mW"
        rows.append((said, ULTRA_PLUS, f"{off_by_of_currents(one, ULTRA_PLUS):+.0%}"))
    return rows


def taken(name: str, part: str) -> dict[str, Any]:
    """What a model takes on a part by Yosys, and its cycles."""
    design = lower(initialize(named_config(name)), part=part)
    found = synthesize(design, progress=lambda _done, _total, what: print(name, part, what))
    resources = found.resources
    names = ("luts", "ffs", "ramb18", "dsps")
    cycles = {"latency": design.latency, "interval": design.interval}
    return {one: getattr(resources, one) for one in names} | cycles


def measured(name: str) -> tuple[list[PartDays], list[str]]:
    """The days of a model on each part, and why others are left out."""
    found, lacking = [], []
    for part, clock_hz in CLOCKS.items():
        try:
            found.append(days_of(part, taken(name, part), clock_hz=clock_hz))
        except UserError as error:
            lacking.append(f"{name} on {part}: {error}")
    return found, lacking


def day_rows(found: Sequence[PartDays]) -> list[tuple[str, ...]]:
    """A row for each part and pace, each figure with its error bar."""
    return [
        day_row(one.part, one.clock_hz, pace, day, one.factor)
        for one in found
        for pace, day in one.days.items()
    ]


def part_rows(found: Sequence[PartDays]) -> list[tuple[str, ...]]:
    """A row for each part."""
    return [
        (
            one.part,
            f"{one.inference_j * 1e6:.2f}",
            f"{one.idle_w * 1e3:.3g}",
            f"{one.static_w * 1e3:.3g}",
            f"{one.configuration_j * 1e3:.3g}",
            f"{one.factor:g}",
        )
        for one in found
    ]


def markdown(days: dict[str, list[PartDays]], lacking: Sequence[str], tool: str) -> str:
    """The text of docs/energy.md."""
    lines = [
        "# Energy by the model of power",
        "",
        "Written by `python benchmarks/energy.py`. The model is static power and the clock times"
        " energies of a cycle, for ranking before anything was placed; a power report replaces it"
        " where there is one. Each family has its figures, their source and an error bar, so many"
        " times too much or too little, in its file in `hw/families/`. Nothing here was measured on"
        " a board of ours.",
        "",
        "## Held against what others published",
        "",
        "Of the XC7S15, energies of the published accelerator (window, width, bits) with the"
        " resources that Yosys counts of its network (arXiv 2410.03294). Of the iCE40UP5K, all"
        " supplies of small designs as"
        " [tinyVision.ai measured them](https://github.com/tinyvision-ai-inc/ice40_power); the"
        " energies of its model follow from these, so that they are no test of it but for the"
        " spread. Its block RAMs, which nobody measured, are assumed.",
        "",
        *markdown_table(HELD, held()),
        "An energy that was published of the same part, 0.350 µJ in 0.140 ms at 20 MHz (a 1D"
        " network of 6 bits, arXiv 2510.24738), is 2.5 mW. What that design takes of the part is"
        f" not known here; the model says {_bounds(20e6)}.",
        "",
        "## A day",
        "",
        f"Accelerators of untrained models, without a board's shell but for its flip-flops, by"
        f" {tool}. In brackets is the error bar. Idle, the shell's clock runs on, and the"
        " accelerator's stands still where it can (docs/families.md); off, the FPGA is configured"
        " anew for each forecast. Regulators, flash and host are not in it. The iCE40UP5K is"
        " counted at 12 MHz; the slower the clock, the less its shell takes between forecasts.",
        "",
    ]
    for name, found in days.items():
        lines += [f"### {name}", "", *markdown_table(PARTS_COLUMNS, part_rows(found))]
        lines += markdown_table(DAYS, day_rows(found))
    if lacking:
        lines += ["Left out:", "", *(f"* {one}" for one in lacking), ""]
    return "\n".join(lines)


def _bounds(clock_hz: float) -> str:
    """What the model says of an empty and of a full part."""
    from bitformer.estimate.power import power_w

    part = PARTS[ULTRA_PLUS]
    names = ("luts", "ffs", "ramb18", "dsps")
    most = {name: getattr(part, name) for name in names}
    empty, full = (
        power_w(part.name, counts, clock_hz=clock_hz) * 1e3
        for counts in (dict.fromkeys(names, 0), most)
    )
    return f"{empty:.1f} mW of an empty part at that clock and {full:.1f} mW of a full one"


@click.command(help=__doc__)
@click.option("--write", is_flag=True, help="Write docs/energy.md.")
def main(write: bool) -> None:
    days: dict[str, list[PartDays]] = {}
    lacking: list[str] = []
    for name in MODELS:
        days[name], missing = measured(name)
        lacking += missing
    out = console()
    show(out, HELD, held())
    for name, found in days.items():
        out.print(name)
        show(out, PARTS_COLUMNS, part_rows(found))
        show(out, DAYS, day_rows(found))
    for one in lacking:
        out.print(f"Left out: {one}")
    if write:
        REPORT.write_text(markdown(days, lacking, find_tool().version), encoding="utf-8")


if __name__ == "__main__":
    main()
