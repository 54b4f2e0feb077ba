"""A million windows through the native engine, every element of every tensor compared.

    python benchmarks/windows.py                            a million over five models
    python benchmarks/windows.py --windows 5000             fewer
    python benchmarks/windows.py random-mean --json         one of them, figures as JSON

Windows are random, at the extremes of their range, or wander as a series does; every third batch
runs under back-pressure. Ctrl-C and a kill lose nothing but the batch that runs: what was compared
is in the file of results, and is not compared again unless the hardware, the reference or the
comparison changed. Exit code 1: a bit was wrong, or a cycle not as predicted.
"""

import inspect
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np
from amaranth.back import rtlil
from measure import BACK_PRESSURE, Results, hash_of
from rich.console import Console
from running import run
from tables import console, show

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import numerics, reference
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.model.ir import IntegerModel
from bitformer.model.precision import Precision
from bitformer.sim import compare, native_engine, trace
from bitformer.sim.run import simulate

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "benchmarks" / "windows.jsonl"

W4A8 = Precision(weights=4, activations=8)
MEAN = TransformerConfig(
    name="random-mean",
    window=3,
    inputs=3,
    horizon=2,
    d_model=4,
    heads=2,
    ffn=4,
    norm="batch",
    pooling="mean",
    subtract_last=True,
    target_channel=2,
    input_bits=10,
    default=W4A8,
)
LAYER = TransformerConfig(
    name="random-layer",
    window=6,
    patch=2,
    d_model=4,
    heads=2,
    ffn=7,
    pooling="mean",
    subtract_last=True,
    output_bits=16,
    default=Precision(weights=4, activations=5),
    precision={"FFN": Precision(weights=2, activations=8)},
    tensors={"layers.0.k": 3, "layers.0.context": 3, "layers.0.o.weight": 2},
    weight_scales="tensor",
    asymmetric=True,
)
DECODER = TransformerConfig(
    name="random-decoder",
    window=2,
    d_model=4,
    ffn=5,
    norm="batch",
    subtract_last=True,
    input_bits=4,
    output_bits=4,
    default=Precision(weights=3, activations=16),
    tensors={"decoder.position": 6, "layers.0.v.weight": 3},
    decoder_layers=1,
)
#: Random models of tests/design_strategies.py, by name: shape and seed.
RANDOM = {config.name: (config, seed) for config, seed in ((MEAN, 7), (LAYER, 0), (DECODER, 5))}
#: Windows of a model, of a hundred: those of the larger take longer.
SHARES = {"etth1-96-24": 1, "grid-6-8-4": 4, "random-layer": 31, "random-decoder": 32}
SHARES["random-mean"] = 100 - sum(SHARES.values())
#: Windows of a batch, which is compared as a whole or again.
BATCH = 10_000
COLUMNS = (
    *("model", "windows", "under back-pressure", "cycles", "seconds"),
    *("wrong batches", "as predicted"),
)


def make(name: str) -> IntegerModel:
    """A model by its name."""
    if name not in RANDOM:
        return initialize(named_config(name))
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    from design_strategies import RandomModel

    config, seed = RANDOM[name]
    return RandomModel(config=config, seed=seed).make()


def samples(model: IntegerModel, count: int, seed: int, batch: int) -> np.ndarray:
    """Windows of integers: half of them random, the others extreme, alternating and wandering."""
    spec = model.input
    rng = np.random.default_rng([seed, batch])
    shape = (count, *spec.shape)
    x = rng.integers(spec.low, spec.high, shape, endpoint=True)
    kind = rng.integers(8, size=count)
    ends = np.where(rng.random(shape) < 0.5, spec.low, spec.high)
    steps = rng.normal(0, (spec.high + 1) / 16, shape)
    steps[:, 0] = rng.uniform(spec.low, spec.high, shape[:1] + shape[2:])
    walk = np.clip(np.floor(np.cumsum(steps, axis=1)), spec.low, spec.high).astype(np.int64)
    x[kind == 0] = ends[kind == 0]
    x[kind == 1] = ends[kind == 1][:, :1, :1]
    x[kind >= 6] = walk[kind >= 6]
    return x


def shared(windows: int, names: tuple[str, ...]) -> dict[str, int]:
    """How many of the windows are each model's."""
    shares = [SHARES.get(name, 1) for name in names]
    ends = [windows * sum(shares[: n + 1]) // sum(shares) for n in range(len(shares))]
    return dict(zip(names, np.diff([0, *ends]).tolist(), strict=True))


def batches(windows: int, size: int) -> Iterator[tuple[int, int]]:
    """Numbers and sizes of the batches that make so many windows."""
    for number, start in enumerate(range(0, windows, size)):
        yield number, min(size, windows - start)


def key_of(design: Design) -> str:
    """What stays the same as long as the hardware and what it is compared with do."""
    source = rtlil.convert(Accelerator(design=design), name="top", emit_src=False)
    modules = (numerics, reference, compare, trace, native_engine, sys.modules[__name__])
    return hash_of(source, model_hash(design.model).hex(), *map(inspect.getsource, modules))


def compared(design: Design, count: int, *, seed: int, batch: int, pressure: float) -> dict:
    """The record of a batch."""
    x = samples(design.model, count, seed, batch)
    start = time.monotonic()
    result = simulate(design, x, engine="native", back_pressure=pressure, seed=batch)
    predicted = (result.latency[0], set(result.interval)) == (
        design.latency,
        {design.interval} if count > 1 else set(),
    )
    return {
        "windows": len(result.outputs),
        "back_pressure": pressure,
        "cycles": result.cycles,
        "seconds": round(time.monotonic() - start, 2),
        "difference": None if result.bit_exact else str(result.difference),
        "as_predicted": bool(pressure) or predicted,
    }


def summary(name: str, records: list[dict]) -> dict:
    """A model's figures from its batches."""
    return {
        "model": name,
        "windows": sum(record["windows"] for record in records),
        "under_back_pressure": sum(r["windows"] for r in records if r["back_pressure"]),
        "cycles": sum(record["cycles"] for record in records),
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "differences": [r["difference"] for r in records if r["difference"]],
        "as_predicted": all(record["as_predicted"] for record in records),
    }


def row(found: Mapping) -> list[str]:
    """A model's figures as texts for ``COLUMNS``."""
    numbers = (found[key] for key in ("windows", "under_back_pressure", "cycles"))
    return [
        found["model"],
        *(f"{number:,}".replace(",", " ") for number in numbers),
        f"{found['seconds']:.0f}",
        str(len(found["differences"])),
        "yes" if found["as_predicted"] else "NO",
    ]


def total(found: list[dict]) -> dict:
    """The sum of all models' figures."""
    sums = {
        key: sum(one[key] for one in found)
        for key in ("windows", "under_back_pressure", "cycles", "seconds")
    }
    return {
        "model": "all",
        **sums,
        "differences": [text for one in found for text in one["differences"]],
        "as_predicted": all(one["as_predicted"] for one in found),
    }


@click.command()
@click.argument("models", nargs=-1)
@click.option("--windows", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(models, windows, batch, seed, results, as_json):
    """Compare windows of MODELS, by default five."""
    err, store, found = Console(stderr=True, highlight=False), Results(results), []
    for name, own in shared(windows, models or tuple(SHARES)).items():
        design, records = lower(make(name)), []
        key = key_of(design)
        with err.status(name) as status:
            for number, count in batches(own, batch):
                pressure = BACK_PRESSURE if number % 3 == 2 else 0.0
                settings = json.dumps([count, seed, number, pressure])
                record = store.get(
                    hash_of(key, settings),
                    lambda design=design, count=count, number=number, pressure=pressure: compared(
                        design, count, seed=seed, batch=number, pressure=pressure
                    ),
                )
                records.append(record)
                done = sum(one["windows"] for one in records)
                status.update(f"{name}: {done} of {own} windows")
        found.append(summary(name, records))
        err.print(f"{name}: {own} windows, {len(found[-1]['differences'])} batches with wrong bits")
    everything = total(found)
    if as_json:
        click.echo(json.dumps({"models": found, "all": everything}, indent=1))
    else:
        screen = console()
        show(screen, COLUMNS, [row(one) for one in (*found, everything)])
        for text in everything["differences"]:
            screen.print(text)
    sys.exit(0 if everything["as_predicted"] and not everything["differences"] else 1)


if __name__ == "__main__":
    run(main)
