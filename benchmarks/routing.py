"""What clock designs reach after place and route on open FPGAs: several seeds, median, worst path.

    python benchmarks/routing.py                        every row, three seeds
    python benchmarks/routing.py --design etth1-96-24   this one only
    python benchmarks/routing.py --part ice40up5k       those of this part only
    python benchmarks/routing.py --bits                 the rows of 4, 6 and 8 bits
    python benchmarks/routing.py --write                and docs/routing.md written
    python benchmarks/routing.py --bits --write         and their table in docs/search.md
    python benchmarks/routing.py --show --write         the same with the rows that are measured
    python benchmarks/routing.py --show --write --hardware 4a3bfa0     or were at a commit

A row takes some minutes a seed. Ctrl-C loses nothing: seeds that are finished are not routed again,
and a change of the hardware routes again exactly the rows that it changed.
"""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from measure import Results, hash_of, key_of
from routing_page import (
    BITS,
    BITS_TITLE,
    COLUMNS,
    PATHS,
    bits_cells,
    bits_section,
    cells,
    page,
    path_cells,
    with_section,
)
from tables import console, show

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.progress import progress_bar
from bitformer.synth.place_design import route_design
from bitformer.synth.route import SEEDS
from bitformer.synth.router import target_of
from bitformer.synth.tools import find_program
from bitformer.synth.yosys import find_tool

__all__ = ["BITS_TITLE", "BIT_ROWS", "ROWS", "Row"]

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "routing.md"
SEARCH = ROOT / "docs" / "search.md"
RESULTS = ROOT / "build" / "routing" / "results.jsonl"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A design on a part, and the most cycles and the least megahertz that it is to have, if any.

    ``bits`` : of weights and activations everywhere; several go in turn from component to
    component; none are the configuration's own. ``plain`` : without a linear path, samples and
    results as wide as what is between.
    """

    name: str
    part: str
    cycles: int | None = None
    mhz: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    bits: tuple[str, ...] = ()
    plain: bool = False

    @property
    def design_title(self) -> str:
        bits = f", {' and '.join(self.bits)} bits" if self.bits else ""
        return f"{self.name}{bits}{', no linear path, 8-bit samples' if self.plain else ''}"

    @property
    def title(self) -> str:
        return f"{self.design_title} on {self.part}"

    def asked_hz(self, mhz: float | None) -> float:
        """The clock that is asked for, ``mhz`` or what is meant where nobody says."""
        return target_of(self.part).router.asked_hz if mhz is None else mhz * 1e6

    def config(self) -> TransformerConfig:
        named = named_config(self.name)
        if self.plain:
            return named.replace(linear_path=False, input_bits=8, output_bits=8, precision={})
        if not self.bits:
            return named
        each = zip(named.components, itertools.cycle(map(Precision.parse, self.bits)), strict=False)
        return named.replace(precision=dict(each), tensors={})

    def design(self) -> Design:
        return lower(initialize(self.config()), part=self.part, **self.options)

    def key(self, seeds: int, asked_hz: float, commit: str | None = None) -> str:
        tools = (find_tool().version, find_program(target_of(self.part).router.program).version)
        options = (self.options, seeds, asked_hz, *tools)
        return hash_of(key_of(self.config(), self.part, commit), repr(options))


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
    Row(name="etth1-96-24-w2a8", part="ice40up5k", cycles=5_500, mhz=36),
    # as the configuration was when the least was set
    Row(name="etth1-96-24-w2a8", part="ice40up5k", cycles=5_500, mhz=36, plain=True),
    Row(name="grid-12-32-4", part="ice40up5k", cycles=22_000, mhz=36),
)


def _alike(name: str, *bits: str) -> Row:
    """A row of the question of bits: the same engine for each."""
    return Row(name=name, part="lfe5u-25f", options={"pack": False, "lanes": 24}, bits=bits)


#: By shape and bits. A published model's own are uniform.
BIT_ROWS = {
    ("grid-12-32", "4"): _alike("grid-12-32-4"),
    ("grid-12-32", "6"): _alike("grid-12-32-6"),
    ("grid-12-32", "8"): _alike("grid-12-32-8"),
    ("grid-12-32", "4, 6"): _alike("grid-12-32-6", "4", "6"),
    ("etth1-96-24", "4"): _alike("etth1-96-24", "4"),
    ("etth1-96-24", "6"): _alike("etth1-96-24", "6"),
    ("etth1-96-24", "8"): _alike("etth1-96-24", "8"),
    ("etth1-96-24", "4, 6"): _alike("etth1-96-24", "4", "6"),
}


def measured(row: Row, seeds: int, asked_hz: float) -> dict[str, Any]:
    """The record of a row, without its key."""
    design = row.design()
    with progress_bar() as progress:
        routing = route_design(design, clock_hz=asked_hz, seeds=seeds, progress=progress)
    geometry = design.geometry
    return {
        "design": row.design_title,
        "part": row.part,
        "products": geometry.columns * geometry.ways,
        "cycles": design.latency,
        "routing": routing.to_dict(),
    }


def shortfalls(row: Row, record: dict[str, Any]) -> list[str]:
    """What a record lacks of what its row is to reach; nothing if it has all."""
    found = []
    if row.cycles is not None and record["cycles"] > row.cycles:
        found.append(f"{row.title}: {record['cycles']} cycles, at most {row.cycles}")
    if row.mhz is not None and record["routing"]["median_mhz"] < row.mhz:
        found.append(
            f"{row.title}: {record['routing']['median_mhz']:.1f} MHz in the median,"
            f" at least {row.mhz:g}"
        )
    return found


@click.command(help=__doc__)
@click.option("--design", "names", multiple=True, metavar="C", help="Of the rows [all].")
@click.option("--bits", is_flag=True, help="The rows of 4, 6 and 8 bits; else the others.")
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
@click.option("--show", "only_show", is_flag=True, help="Route nothing: the rows measured.")
@click.option(
    "--hardware", metavar="COMMIT", help="Rows not measured today: as hw/ and model/ were then."
)
@click.option("--write", is_flag=True, help="Write the page, of every row measured.")
def main(
    names: tuple[str, ...],
    parts: tuple[str, ...],
    bits: bool,
    seeds: int,
    clock: float | None,
    only_show: bool,
    hardware: str | None,
    write: bool,
) -> None:
    results = Results(RESULTS)
    records: dict[Any, dict[str, Any]] = {}
    lacking: list[str] = []
    missing = []
    rows: dict[Any, Row] = dict(BIT_ROWS) if bits else dict(enumerate(ROWS))
    for index, row in rows.items():
        asked = row.asked_hz(clock)
        key = row.key(seeds, asked)
        then = key if hardware is None else row.key(seeds, asked, hardware)
        wanted = (not names or row.name in names) and (not parts or row.part in parts)
        if key in results or (wanted and not only_show and then not in results):
            if not (wanted or write or only_show):
                missing.append(row.title)
                continue
            try:
                record = results.get(key, lambda row=row, asked=asked: measured(row, seeds, asked))
            except UserError as error:  # too large, say: the other rows are measured all the same
                lacking.append(f"{row.title}: {error}")
                continue
        elif then in results:
            record = {**results.get(then, dict), "commit": hardware}
        else:
            missing.append(row.title)
            continue
        records[index] = record
        lacking += shortfalls(row, record)
    if not records:
        why = "no row is measured" if only_show else "no row is of that design on that part"
        raise click.UsageError(lacking[0] if lacking else why)
    out = console()
    if bits:
        show(out, BITS, [bits_cells(*index, record) for index, record in records.items()])
    else:
        show(out, COLUMNS, [cells(record) for record in records.values()])
        show(out, PATHS, [path_cells(record) for record in records.values()])
    for one in lacking:
        out.print(f"Not reached: {one}")
    if not write:
        return
    tool = find_tool().version
    if bits:
        section = bits_section(records, missing, tool)
        text = with_section(SEARCH.read_text(encoding="utf-8"), section)
        SEARCH.write_text(text, encoding="utf-8")
    else:
        text = page(list(records.values()), lacking, missing, tool)
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
