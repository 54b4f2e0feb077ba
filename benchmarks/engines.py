"""The native engine beside Amaranth's simulator: how many times as fast, and a whole test split.

    python benchmarks/engines.py                               the ratios
    python benchmarks/engines.py --model M.safetensors         and all test windows of its data
    python benchmarks/engines.py --model M.safetensors --write and docs/engines.md written

Both engines run the same samples of the same design in one process, each after a first run that
built it, and compare every element of every tensor. Times are the process' CPU time.
"""

import sys
import time
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from running import run

from bitformer.hw.lowering.lower import lower
from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "engines.md"

CONFIGS = ("tiny", "grid-12-32-4", "etth1-96-24")
#: Columns of text where nobody's terminal says how many there are.
WIDTH = 120
TARGET_RATIO, TARGET_SECONDS = 200, 180
COLUMNS = ("config", "cycles", "samples", "Python, ms a sample", "native, ms a sample", "ratio")


def _seconds(design, x, engine: str) -> float:
    """CPU seconds of a sample, without what is spent once for a design."""
    once = _run(design, x[:1], engine)
    return (_run(design, x, engine) - once) / (len(x) - 1)


def _run(design, x, engine: str) -> float:
    start = time.process_time()
    result = simulate(design, x, engine=engine)
    taken = time.process_time() - start
    if not result.bit_exact or result.engine != engine:
        raise UserError(f"{design.model.config.name} ({result.engine}): {result.difference}")
    return taken


def ratio(name: str, samples: int, seed: int) -> dict:
    """A configuration in both engines."""
    design = lower(initialize(named_config(name)))
    spec = design.model.input
    rng = np.random.default_rng(seed)
    x = rng.integers(spec.low, spec.high, (samples * 100, *spec.shape), endpoint=True)
    simulate(design, x[:1], engine="native")
    native = _seconds(design, x, "native")
    python = _seconds(design, x[:samples], "python")
    return {
        "config": name,
        "cycles": design.interval,
        "samples": samples,
        "python": python,
        "native": native,
        "ratio": python / native,
    }


def split(path: Path, data: str | None) -> dict:
    """All test windows of a trained model's data, natively, beside the integer reference."""
    from bitformer.model.own_data import dataset_of

    model = load_model(path)
    dataset = dataset_of(model, data=data, target=None, inputs=None, time=None)
    x, y = model.quantize_input(dataset.test.x, dataset.test.clock), dataset.test.y
    start = time.monotonic()
    result = simulate(lower(model), x, engine="native")
    seconds = time.monotonic() - start

    def error(integers) -> float:
        forecast = model.dequantize_output(integers)
        return float(np.mean((forecast - y.reshape(forecast.shape)) ** 2))

    expected = reference.run(model, x)[model.output.name].reshape(result.outputs.shape)
    return {
        "config": model.config.name,
        "windows": len(x),
        "cycles": result.cycles,
        "seconds": seconds,
        "exact": result.bit_exact,
        "mse": error(result.outputs),
        "reference": error(expected),
    }


def row(found: dict) -> list[str]:
    """A ratio as texts for ``COLUMNS``."""
    return [
        found["config"],
        f"{found['cycles']:,}".replace(",", " "),
        str(found["samples"]),
        f"{1000 * found['python']:.0f}",
        f"{1000 * found['native']:.2f}",
        f"{found['ratio']:.0f}",
    ]


def sentence(found: dict) -> str:
    """A whole split in words."""
    same = "the same" if found["mse"] == found["reference"] else f"NOT {found['reference']!r}"
    return (
        f"All {found['windows']} test windows of {found['config']}: {found['cycles']:,} cycles in"
        f" {found['seconds']:.0f} s with compiling, every element of every tensor"
        f" {'equal' if found['exact'] else 'NOT equal'}; MSE {found['mse']!r}, {same} as the"
        " integer reference's to the last bit."
    )


def markdown(rows: list[dict], whole: dict | None) -> str:
    """The report."""
    lines = [
        "# Engines",
        "",
        "Written by `python benchmarks/engines.py`. Python is Amaranth's own simulator; native is"
        " the design compiled from C++. Both run the same designs of untrained models for the"
        " XC7S15, and every element of every tensor is compared. Times are CPU time of one process,"
        " without elaborating and compiling: a design is elaborated and compiled once, and kept.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"| {' | '.join(['---'] * len(COLUMNS))} |",
        *(f"| {' | '.join(row(one))} |" for one in rows),
        "",
    ]
    return "\n".join([*lines, sentence(whole), ""] if whole else lines)


@click.command()
@click.argument("configs", nargs=-1)
@click.option("--model", type=click.Path(path_type=Path), help="A trained model.")
@click.option("--data", help="Its data, if not those it names.")
@click.option("--samples", type=click.IntRange(2), default=6, show_default=True, help="In Python.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(configs, model, data, samples, seed, write):
    """Measure CONFIGS, by default tiny, grid-12-32-4 and etth1-96-24, in both engines."""
    console, err = Console(highlight=False), Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    rows = []
    for name in configs or CONFIGS:
        with err.status(name):
            rows.append(ratio(name, samples, seed))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if number else "left")
    for found in rows:
        table.add_row(*row(found))
    console.print(table)
    good = all(found["ratio"] >= TARGET_RATIO for found in rows)
    whole = None
    if model is not None:
        with err.status(str(model)):
            whole = split(model, data)
        console.print(sentence(whole))
        good &= whole["exact"] and whole["mse"] == whole["reference"]
        good &= whole["seconds"] < TARGET_SECONDS
    if write:
        REPORT.write_text(markdown(rows, whole), encoding="utf-8")
        err.print(f"Wrote {REPORT}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
