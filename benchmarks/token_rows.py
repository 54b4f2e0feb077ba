"""Several rows of tokens side by side: cycles and LUTs beside those of one row.

    python benchmarks/token_rows.py                      lowered, and simulated natively
    python benchmarks/token_rows.py --synthesize --write and synthesized; docs/lanes.md written
    python benchmarks/token_rows.py --samples 0          lowered alone

Ctrl-C loses nothing: what was measured is not measured again unless the hardware changed.
"""

import sys
from pathlib import Path

import click
from lanes import REPORT, kept, put
from measure import Results, measure
from rich.console import Console
from running import measuring, run
from tables import console, grouped, markdown_table, show, yes

from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.sim.timeline_plot import plot_timeline

PICTURE = REPORT.parent / "pictures" / "token_rows.svg"
RESULTS = Path(__file__).resolve().parent.parent / "build" / "benchmarks" / "token_rows.jsonl"

#: Configurations, rows, post-processors and columns of LUTs of a row, and what cycles must be.
DESIGNS = (
    ("etth1-96-24", 4, 2, 4, 1650, 1500),
    ("etth1-96-24-w2a8", 4, 2, 4, 1350, 1150),
    ("grid-12-32-4", 2, 1, 8, 3400, 2900),
    ("grid-12-32-4", 2, 2, 14, 3400, 2900),
    ("grid-12-32-w2a8", 4, 2, 12, 2600, 2150),
    ("etth1-48-24-ed", 2, 1, 8, 21_000, 19_000),
    ("grid-12-64-6", 1, 1, 16, 20_149, 20_149),
    ("grid-6-64-8", 1, 1, 0, 19_797, 19_797),
    ("grid-24-64-8", 1, 1, 0, 81_033, 81_033),
)
COLUMNS = (
    *("config", "one row", "rows × columns", "posts", "latency", "must", "aim", "as predicted"),
    *("bit-exact", "LUT", "as memory", "FF", "RAMB18", "DSP", "levels", "loads", "fits", "short"),
)


def row_of(shape: tuple, plain: dict, own: dict) -> list[str]:
    """A configuration in one row and in several, as texts for ``COLUMNS``."""
    config, rows, posts, _, must, aim = shape
    if own["error"]:
        return [config, own["error"], *[""] * (len(COLUMNS) - 2)]
    said, taken = own["simulation"], own["synthesis"]
    exact = said and said["bit_exact"] and said["bit_exact_held"]
    names = ("luts", "luts_as_memory", "ffs", "ramb18", "dsps", "levels", "loads")
    return [
        config,
        grouped(plain["latency"]),
        f"{rows} × ({own['columns'] - own['soft']} + {own['soft']})",
        str(posts),
        grouped(own["latency"]),
        f"{grouped(must)}: {yes(own['latency'] <= must)}",
        f"{grouped(aim)}: {yes(own['latency'] <= aim)}",
        yes(said and said["as_predicted"]),
        f"{yes(exact)} ({said['samples']})" if said else "–",
        *(grouped(taken[name]) if taken else "–" for name in names),
        yes(taken and taken["fits"]),
        yes(taken and taken["short"]),
    ]


@click.command()
@measuring(RESULTS)
@click.option("--effort", type=click.IntRange(0), default=1000, show_default=True)
@click.option("--synthesize", is_flag=True, help="Resources and logic depth, too.")
@click.option("--write", is_flag=True, help="Write docs/lanes.md.")
def main(configs, engine, samples, seed, effort, synthesize, results, write):
    """Measure CONFIGS, by default all, in one row of tokens and in several."""
    screen, err = console(), Console(stderr=True, highlight=False)
    store, rows, good = Results(results), [], True
    shared = {"part": "xc7s15", "engine": engine, "seed": seed}
    for shape in DESIGNS:
        config, own_rows, posts, soft, _, _ = shape
        if configs and config not in configs:
            continue
        with err.status(config) as status:

            def note(text: str, config: str = config, status=status) -> None:
                status.update(f"{config}: {text}")

            plain = measure(config, store, samples=0, with_synthesis=False, note=note, **shared)
            options = {"rows": own_rows, "posts": posts, "soft": soft or None}
            own = measure(
                config,
                store,
                samples=samples,
                with_synthesis=synthesize,
                note=note,
                **shared,
                **options,
                effort=effort if own_rows > 1 else 0,
            )
        rows.append(row_of(shape, plain, own))
        good &= kept(own)
        err.print(f"{config}: {'kept' if kept(own) else 'NOT kept'}")
    show(screen, COLUMNS, rows)
    if write:
        page = put(REPORT.read_text(encoding="utf-8"), "rows", markdown_table(COLUMNS, rows))
        REPORT.write_text(page, encoding="utf-8")
        config, own_rows, posts, soft, *_ = DESIGNS[0]
        design = lower(initialize(named_config(config)), rows=own_rows, posts=posts, soft=soft)
        plot_timeline(design, PICTURE)
        err.print(f"Wrote {REPORT}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
