"""Columns of LUTs beside multipliers: cycles and LUTs with as many as a part has room for.

    python benchmarks/lanes.py                      simulated natively
    python benchmarks/lanes.py --synthesize         and synthesized
    python benchmarks/lanes.py --synthesize --write and docs/lanes.md written, its tables
    python benchmarks/lanes.py --columns --write    what a column takes, by widths

Ctrl-C loses nothing: what was measured is not measured again unless the hardware changed.
"""

import re
import sys
from pathlib import Path

import click
from measure import Results, measure
from rich.console import Console
from running import measuring, run
from tables import console, grouped, markdown_table, show, yes

from bitformer.hw.lut_rows import product_cost
from bitformer.hw.parts import PARTS
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.model.errors import UserError
from bitformer.synth.synthesize import synthesize as run_synthesis

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "lanes.md"
RESULTS = ROOT / "build" / "benchmarks" / "lanes.jsonl"

CONFIGS = (
    "etth1-48-24-ed",
    "grid-12-32-4",
    "grid-24-64-4",
    "grid-12-64-6",
)
#: Bits of weights, of activations, and of a sum.
WIDTHS = ((2, 8, 14), (3, 8, 15), (4, 4, 13), (4, 8, 16), (6, 6, 17), (8, 8, 20))

COLUMNS = (
    "config",
    "columns, without",
    "latency",
    "of LUTs",
    "latency",
    "times faster",
    "as predicted",
    "bit-exact",
    "LUT",
    "as memory",
    "FF",
    "RAMB18",
    "DSP",
    "levels",
    "fits",
    "150 MHz",
)
COLUMN_COLUMNS = ("weights", "activations", "sums", "LUT, xc7s15", "counted", "LUT, lfe5u-25f")


def row_of(plain: dict, own: dict) -> list[str]:
    """A configuration without and with columns of LUTs, as texts for ``COLUMNS``."""
    if own["error"] or plain["error"]:
        return [plain["config"], own["error"] or plain["error"], *[""] * (len(COLUMNS) - 2)]
    said, taken = own["simulation"], own["synthesis"]
    exact = said and said["bit_exact"] and said["bit_exact_held"]
    names = ("luts", "luts_as_memory", "ffs", "ramb18", "dsps", "levels")
    return [
        own["config"],
        str(plain["columns"]),
        grouped(plain["latency"]),
        str(own["soft"]),
        grouped(own["latency"]),
        f"{plain['latency'] / own['latency']:.2f}",
        yes(said and said["as_predicted"]),
        f"{yes(exact)} ({said['samples']})" if said else "–",
        *(grouped(taken[name]) if taken else "–" for name in names),
        yes(taken and taken["fits"]),
        yes(taken and taken["short"]),
    ]


def kept(own: dict) -> bool:
    """Whether all that was measured is as it has to be."""
    said, taken = own["simulation"], own["synthesis"]
    if own["error"]:
        return False
    good = not said or all(said[n] for n in ("as_predicted", "bit_exact", "bit_exact_held"))
    return good and (not taken or (taken["fits"] and taken["short"]))


def column_luts(part: str, widths: tuple[int, int, int]) -> float:
    """What Yosys counts for a column of LUTs: half of what four have more than two."""
    weight, activation, total = widths
    multiplier = PARTS[part].family.multiplier
    half = max(2, weight)
    shift = multiplier.long_bits - half

    def luts(soft: int) -> int:
        engine = MatrixEngine(
            columns=2 + soft,
            column_bits=2 * half,
            operand_bits=activation,
            pack_shift=shift,
            half_bits=half,
            always_packed=True,
            product_bits=shift + total + 1,
            multiplier=multiplier,
            soft=soft,
            soft_bits=activation,
            soft_sum_bits=total,
        )
        return run_synthesis(engine, part=part).resources.luts

    # from the fifth column on each bit of a weight waits in a shift register
    return (luts(8) - luts(4)) / 4


def column_row(widths: tuple[int, int, int]) -> list[str]:
    """What a column takes, as texts for ``COLUMN_COLUMNS``."""
    weight, activation, total = widths
    half = max(2, weight)
    counted = 2 * (product_cost(half, activation, total, 3).luts + half)
    found = [column_luts(part, widths) for part in ("xc7s15", "lfe5u-25f")]
    return [*map(str, widths), f"{found[0]:.0f}", str(counted), f"{found[1]:.0f}"]


def put(text: str, name: str, lines: list[str]) -> str:
    """Return a page with a table of a name in place of the one between its marks."""
    marks = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    found, count = re.subn(marks, lambda m: m[1] + "\n".join(lines) + m[2], text, flags=re.S)
    if count != 1:
        raise UserError(f"{REPORT.name} must have one place for the table {name}, not {count}")
    return found


@click.command()
@measuring(RESULTS)
@click.option("--part", default="xc7s15", show_default=True)
@click.option("--synthesize", is_flag=True, help="Resources and logic depth, too.")
@click.option("--columns", is_flag=True, help="What a column takes by widths, by Yosys, instead.")
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(configs, part, engine, samples, seed, synthesize, columns, results, write):
    """Measure CONFIGS without and with columns of LUTs."""
    screen, err = console(), Console(stderr=True, highlight=False)
    store, rows, good = Results(results), [], True
    if columns:
        name, heads = "columns", COLUMN_COLUMNS
        for widths in WIDTHS:
            with err.status(f"{widths}"):
                rows.append(column_row(widths))
    else:
        name, heads = "designs", COLUMNS
        for config in configs or CONFIGS:
            with err.status(config) as status:
                plain, own = (
                    measure(
                        config,
                        store,
                        part=part,
                        engine=engine,
                        samples=samples if options else 0,
                        seed=seed,
                        with_synthesis=synthesize and bool(options),
                        note=lambda text, c=config, s=status: s.update(f"{c}: {text}"),
                        **options,
                    )
                    for options in ({}, {"soft": "auto"})
                )
            rows.append(row_of(plain, own))
            good &= kept(own)
            err.print(f"{config}: {'kept' if kept(own) else 'NOT kept'}")
    show(screen, heads, rows)
    if write:
        page = put(REPORT.read_text(encoding="utf-8"), name, markdown_table(heads, rows))
        REPORT.write_text(page, encoding="utf-8")
        err.print(f"Wrote {REPORT}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
