"""What clock designs reach after place and route on open FPGAs: several seeds, median, worst path.

    python benchmarks/routing.py                        every row, three seeds
    python benchmarks/routing.py --design etth1-96-24   this one only
    python benchmarks/routing.py --part ice40up5k       those of this part only
    python benchmarks/routing.py --write                and docs/routing.md written
    python benchmarks/routing.py --design etth1-96-24 --write    with the rows that are measured

A row takes some minutes a seed. Ctrl-C loses nothing: seeds that are finished are not routed again,
and a change of the hardware routes again exactly the rows that it changed.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from measure import Results, hash_of, key_of
from tables import console, markdown_table, show

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.progress import progress_bar
from bitformer.synth.place_design import route_design
from bitformer.synth.route import SEEDS
from bitformer.synth.router import router_of, target_of
from bitformer.synth.tools import find_program
from bitformer.synth.yosys import find_tool

__all__ = ["ROWS", "Row"]

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "routing.md"
RESULTS = ROOT / "build" / "routing" / "results.jsonl"

COLUMNS = (
    "design",
    "part",
    "products a cycle",
    "cycles",
    "best",
    "median MHz",
    "worst",
    "µs",
    "LUT",
    "FF",
    "block RAM",
    "multiplier",
    "s a seed",
)
PATHS = ("design", "from", "to", "ns", "logic", "routing", "levels")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A design on a part, and the most cycles and the least megahertz that it is to have."""

    name: str
    part: str
    cycles: int
    mhz: float
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} on {self.part}"

    def asked_hz(self, mhz: float | None) -> float:
        """Return the clock that is asked for, ``mhz`` or what is meant where nobody says."""
        return target_of(self.part).router.asked_hz if mhz is None else mhz * 1e6

    def design(self) -> Design:
        return lower(initialize(named_config(self.name)), part=self.part, **self.options)

    def key(self, seeds: int, asked_hz: float) -> str:
        tools = (find_tool().version, find_program(target_of(self.part).router.program).version)
        options = (self.options, seeds, asked_hz, *tools)
        return hash_of(key_of(named_config(self.name), self.part), repr(options))


#: Cycles and megahertz are what was set as the least before any of it was built.
ROWS = (
    Row(name="etth1-96-24", part="lfe5u-25f", cycles=3_214, mhz=120),
    Row(
        name="grid-12-32-4",
        part="lfe5u-25f",
        cycles=9_700,
        mhz=120,
        options={"pack": False, "lanes": 24},
    ),
    Row(name="grid-24-64-4", part="lfe5u-45f", cycles=41_000, mhz=100, options={"lanes": 48}),
)


def measured(row: Row, seeds: int, asked_hz: float) -> dict[str, Any]:
    """The record of a row, without its key."""
    design = row.design()
    with progress_bar() as progress:
        routing = route_design(design, clock_hz=asked_hz, seeds=seeds, progress=progress)
    geometry = design.geometry
    return {
        "design": row.name,
        "part": row.part,
        "products": geometry.columns * geometry.ways,
        "cycles": design.latency,
        "routing": routing.to_dict(),
    }


def cells(record: dict[str, Any]) -> tuple[str, ...]:
    """A record as a row of the table."""
    routing = record["routing"]
    used = {use["resource"]: use["used"] for use in routing["resources"]}
    seconds = sum(seed["seconds"] for seed in routing["seeds"]) / len(routing["seeds"])
    # a logic cell is a LUT and a flip-flop
    luts = used.get("LUT", used.get("logic cell"))
    counts = (luts, *(used.get(name) for name in ("FF", "block RAM", "multiplier")))
    return (
        record["design"],
        record["part"],
        str(record["products"]),
        f"{record['cycles']:,}".replace(",", " "),
        f"{routing['best_mhz']:.1f}",
        f"{routing['median_mhz']:.1f}",
        f"{routing['worst_mhz']:.1f}",
        f"{record['cycles'] / routing['median_mhz']:.1f}",
        *("" if count is None else f"{count:,}".replace(",", " ") for count in counts),
        f"{seconds:.0f}",
    )


def path_cells(record: dict[str, Any]) -> tuple[str, ...]:
    """The worst path of a record's best seed as a row of the other table."""
    routing = record["routing"]
    best = next(seed for seed in routing["seeds"] if seed["seed"] == routing["best_seed"])
    path = best["path"]
    return (
        f"{record['design']} on {record['part']}",
        f"`{path['start']}`",
        f"`{path['end']}`",
        f"{path['delay_ns']:.2f}",
        f"{path['logic_ns']:.2f}",
        f"{path['routing_ns']:.2f}",
        str(path["levels"]),
    )


def shortfalls(row: Row, record: dict[str, Any]) -> list[str]:
    """What a record lacks of what its row is to reach; nothing if it has all."""
    found = []
    if record["cycles"] > row.cycles:
        found.append(f"{row.title}: {record['cycles']} cycles, at most {row.cycles}")
    if record["routing"]["median_mhz"] < row.mhz:
        found.append(
            f"{row.title}: {record['routing']['median_mhz']:.1f} MHz in the median,"
            f" at least {row.mhz:g}"
        )
    return found


def condition(routing: dict[str, Any]) -> str:
    """What a part was routed by and asked for."""
    speed = f", the slowest speed grade ({routing['speed']})" if routing["speed"] else ""
    kept = router_of(routing["part"]).ports
    ports = f"no ports but {' and '.join(kept)}" if kept else "ports anywhere"
    return f"{routing['tool']}, {routing['asked_hz'] / 1e6:g} MHz asked{speed}, {ports}"


def page(records: list[dict[str, Any]], lacking: list[str], missing: list[str]) -> str:
    """The text of docs/routing.md; ``missing`` are rows that are not measured."""
    seeds = len(records[0]["routing"]["seeds"])
    conditions: dict[str, dict[str, None]] = {}
    for record in records:
        conditions.setdefault(condition(record["routing"]), {})[record["part"]] = None
    lines = [
        "# The clock after place and route",
        "",
        f"Written by `python benchmarks/routing.py`: accelerators of untrained models, without a"
        f" board's shell, synthesized by {find_tool().version}. {seeds} seeds each. µs are cycles"
        " by the median clock. Seconds are of one seed, on a machine that was busy with other work."
        " Nothing here ran on a board.",
        "",
        *(f"* {', '.join(parts)}: {said}." for said, parts in conditions.items()),
        "",
        "A logic cell of the ice40up5k, a LUT and a flip-flop, counts as a LUT here.",
        "",
        *markdown_table(COLUMNS, [cells(record) for record in records]),
        "The worst path of the best seed, in nanoseconds:",
        "",
        *markdown_table(PATHS, [path_cells(record) for record in records]),
    ]
    if lacking:
        lines += ["Not reached of what was set as the least:", ""]
        lines += [*(f"* {one}" for one in lacking), ""]
    if missing:
        lines += [f"Not measured yet, of this hardware: {', '.join(missing)}.", ""]
    lines += [
        "`bitformer synthesize M --part lfe5u-25f --route` measures your own model so;"
        " `bitformer build M --board ulx3s-25f` routes it with its board's shell and pins.",
        "",
    ]
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--design", "names", multiple=True, metavar="C", help="Of the rows [all].")
@click.option("--seeds", default=SEEDS, show_default=True, metavar="N", help="Of each row.")
@click.option(
    "--part", "parts", multiple=True, metavar="P", help="Of the rows, those of this part [all]."
)
@click.option(
    "--clock",
    type=float,
    metavar="MHZ",
    help="What is asked for [150; 48 of an ice40up5k].",
)
@click.option("--write", is_flag=True, help="Write docs/routing.md, of every row measured.")
def main(
    names: tuple[str, ...], parts: tuple[str, ...], seeds: int, clock: float | None, write: bool
) -> None:
    results = Results(RESULTS)
    records: list[dict[str, Any]] = []
    lacking: list[str] = []
    missing = []
    for row in ROWS:
        asked = row.asked_hz(clock)
        key = row.key(seeds, asked)
        wanted = (not names or row.name in names) and (not parts or row.part in parts)
        if not wanted and not (write and key in results):
            missing.append(row.title)
            continue
        record = results.get(key, lambda row=row, asked=asked: measured(row, seeds, asked))
        records.append(record)
        lacking += shortfalls(row, record)
    if not records:
        raise click.UsageError("no row is of that design on that part")
    out = console()
    show(out, COLUMNS, [cells(record) for record in records])
    show(out, PATHS, [path_cells(record) for record in records])
    for one in lacking:
        out.print(f"Not reached: {one}")
    if write:
        REPORT.write_text(page(records, lacking, missing), encoding="utf-8")


if __name__ == "__main__":
    main()
