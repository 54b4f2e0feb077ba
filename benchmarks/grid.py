"""The published grid of configurations on the published part, measured, beside its figures.

    python benchmarks/grid.py                          all, simulated natively
    python benchmarks/grid.py --synthesize             and synthesized
    python benchmarks/grid.py grid-12-32-4 tiny        these only
    python benchmarks/grid.py --synthesize --write     and docs/benchmarks.md written

Ctrl-C loses nothing: what was measured is in the file of results, and is not measured again unless
the hardware changed.
"""

import sys
from pathlib import Path

import click
from measure import Results, measure
from published import CYCLES, RESOURCES, TARGETS, cycles
from rich.console import Console
from running import measuring, run
from tables import console, grouped, markdown_table, show, yes

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "build" / "benchmarks" / "grid.jsonl"

GRID = [f"grid-{n}-{d}-{b}" for b in (4, 6, 8) for d in (8, 16, 32, 64) for n in (6, 12, 18, 24)]
OTHERS = ["etth1-96-24"]

CYCLE_COLUMNS = (
    "config",
    "MACs",
    "columns",
    "packed",
    "latency",
    "target",
    "published",
    "times faster",
    "interval",
    "as predicted",
    "bit-exact",
)
RESOURCE_COLUMNS = (
    "config",
    "LUT",
    "as memory",
    "FF",
    "RAMB18",
    "DSP",
    "LUT levels",
    "chains",
    "most loads",
    "fits",
    "150 MHz",
    "published LUT (as memory), FF, RAMB18, DSP",
)


def _shape(name: str) -> tuple[int, int, int] | None:
    parts = name.split("-")
    return (int(parts[1]), int(parts[2]), int(parts[3])) if parts[0] == "grid" else None


def cycle_row(row: dict) -> list[str]:
    """A configuration's cycles, as texts for ``CYCLE_COLUMNS``."""
    name, shape = row["config"], _shape(row["config"])
    if row["error"]:
        return [name, row["error"], *[""] * (len(CYCLE_COLUMNS) - 2)]
    said = row["simulation"]
    exact = said and said["bit_exact"] and said["bit_exact_held"]
    published = cycles(*shape) if shape else None
    mark = "" if shape in CYCLES or not shape else "*"
    return [
        name,
        grouped(row["macs"]),
        str(row["columns"]),
        row["packed"],
        grouped(row["latency"]),
        f"≤ {grouped(TARGETS[name])}" if name in TARGETS else "",
        grouped(published) + mark,
        f"{published / row['latency']:.0f}" if published else "–",
        grouped(row["interval"]),
        yes(said and said["as_predicted"]),
        f"{yes(exact)} ({said['samples']})" if said else "–",
    ]


def resource_row(row: dict) -> list[str]:
    """What a configuration takes, as texts for ``RESOURCE_COLUMNS``."""
    said, shape = row["synthesis"], _shape(row["config"])
    other = RESOURCES.get(shape) if shape else None
    return [
        row["config"],
        *(grouped(said[name]) for name in ("luts", "luts_as_memory", "ffs", "ramb18", "dsps")),
        *(str(said[name]) for name in ("levels", "chains", "loads")),
        yes(said["fits"]),
        yes(said["short"]),
        f"{grouped(other.luts)} ({grouped(other.luts_as_memory)}), {grouped(other.ffs)},"
        f" {other.ramb18}, {other.dsps}"
        if other
        else "",
    ]


def kept(row: dict) -> bool:
    """Whether everything that was measured is as it has to be."""
    said, taken = row["simulation"], row["synthesis"]
    if row["error"] or row["latency"] > TARGETS.get(row["config"], row["latency"]):
        return False
    if said and not (said["as_predicted"] and said["bit_exact"] and said["bit_exact_held"]):
        return False
    return not taken or (taken["fits"] and taken["short"])


def markdown(rows: list[dict], *, part: str, engine: str) -> str:
    """The report: both tables, and how they came about."""
    good = sum(map(kept, rows))
    lines = [
        "# Benchmarks",
        "",
        f"Written by `python benchmarks/grid.py`. Untrained models (`bitformer init`) on {part},"
        f" simulated with the {engine} engine. {good} of {len(rows)} configurations keep every"
        " promise: cycles as predicted and within the target, every tensor bit-exact with and"
        " without back-pressure, and, where it was synthesized, fitting the part with logic short"
        " enough for 150 MHz.",
        "",
        "Latency is the cycles from the first input accepted to the last result taken, interval"
        " those between inferences back to back. Published cycles with * follow from the formula"
        " for the published design, the others were measured in its VHDL. Bit-exact: in"
        " parentheses the samples.",
        "",
        *markdown_table(CYCLE_COLUMNS, [cycle_row(row) for row in rows]),
    ]
    taken = [row for row in rows if row["synthesis"]]
    if taken:
        lines += [
            "## Resources",
            "",
            f"By {taken[0]['synthesis']['tool']}, `synth_xilinx`, not placed or routed, without"
            " the board's shell. A RAMB36 counts as two RAMB18. Published: that network by Yosys"
            " too, with its template's defaults.",
            "",
            *markdown_table(RESOURCE_COLUMNS, [resource_row(row) for row in taken]),
        ]
    return "\n".join(lines)


@click.command()
@measuring(RESULTS)
@click.option("--part", default="xc7s15", show_default=True)
@click.option("--synthesize", is_flag=True, help="Resources and logic depth, too.")
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(configs, part, engine, samples, seed, synthesize, results, write):
    """Measure CONFIGS, by default the published grid and etth1-96-24."""
    names = list(configs) or [*GRID, *OTHERS]
    screen, err = console(), Console(stderr=True, highlight=False)
    store, rows = Results(results), []
    for number, name in enumerate(names, 1):
        label = f"{number}/{len(names)} {name}"
        with err.status(label) as status:

            def note(text, status=status, label=label):
                status.update(f"{label}: {text}")

            row = measure(
                name,
                store,
                part=part,
                engine=engine,
                samples=samples,
                seed=seed,
                with_synthesis=synthesize,
                note=note,
            )
        rows.append(row)
        err.print(f"{label}: {row['error'] or ('kept' if kept(row) else 'NOT kept')}")
    show(screen, CYCLE_COLUMNS, [cycle_row(row) for row in rows])
    taken = [row for row in rows if row["synthesis"]]
    if taken:
        show(screen, RESOURCE_COLUMNS, [resource_row(row) for row in taken])
    if write:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(markdown(rows, part=part, engine=engine), encoding="utf-8")
        err.print(f"Wrote {REPORT}")
    sys.exit(0 if all(map(kept, rows)) else 1)


if __name__ == "__main__":
    run(main)
