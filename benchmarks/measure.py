"""One configuration measured: cycles predicted and simulated, bit-exactness, resources.

Results are records in a file of JSON lines. A record's key says what was measured: the accelerator
itself, as RTLIL, and the settings. So a run that was broken off goes on where it was, and a change
of the hardware measures again exactly the configurations that it changed. The RTLIL's hash is a
record too, by the sources that it comes from: where they are the same, nothing is elaborated.
"""

import functools
import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import amaranth
import numpy as np
from amaranth.back import rtlil

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate
from bitformer.synth.synthesize import synthesize

__all__ = ["Results", "hash_of", "key_of", "measure"]

ROOT = Path(__file__).resolve().parent.parent
Note = Callable[[str], None]
BACK_PRESSURE = 0.3


class Results:
    """Records in a file of JSON lines; a line that was cut off counts for nothing."""

    def __init__(self, path: Path):
        self._path = path
        self._records: dict[str, dict] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                    self._records[record["key"]] = record
                except (ValueError, KeyError, TypeError):
                    continue

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def get(self, key: str, compute: Callable[[], dict]) -> dict:
        """The record of a key, computed and written if there is none."""
        if key not in self._records:
            record = {"key": key, **compute()}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                # an empty line before it: the last one may have been cut off
                file.write("\n" + json.dumps(record) + "\n")
            self._records[key] = record
        return self._records[key]


def hash_of(*texts: str) -> str:
    """SHA-256 of texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    try:
        return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"git must know {words[-1]}: {error}") from None


@functools.cache
def _sources(commit: str | None = None) -> str:
    """Everything that an untrained model's RTLIL comes from; as it was at a commit of git."""
    if commit is None:
        paths = sorted(path for folder in ("model", "hw") for path in (ROOT / folder).rglob("*.py"))
        read = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    else:
        names = _git("ls-tree", "-r", "--name-only", commit, "model", "hw").splitlines()
        there = sorted(Path(name) for name in names if name.endswith(".py"))
        read = {str(path): _git("show", f"{commit}:{path}") for path in there}
    texts = (f"{name}\0{text}" for name, text in read.items())
    return hash_of(amaranth.__version__, np.__version__, *texts)


def key_of(
    config: TransformerConfig, part: str, commit: str | None = None, **options: object
) -> str:
    """What stays the same as long as a configuration's hardware does, or as it was at a commit.

    ``options`` : those of its lowering that are not the default.
    """
    own = [json.dumps(options, sort_keys=True)] if options else []
    return hash_of(_sources(commit), repr(config), part, *own)


def _rtlil(
    design: Design, part: str, results: Results, target: object = None, **options: object
) -> str:
    """The hash of a design's RTLIL, as it is simulated or, for a ``target``, synthesized."""

    def convert() -> dict:
        accelerator = Accelerator(design=design)
        source = rtlil.convert(accelerator, name="top", emit_src=False, platform=target)
        return {"kind": "design", "rtlil": hash_of(source)}

    own = options if target is None else {**options, "target": type(target).__name__}
    return results.get(key_of(design.model.config, part, **own), convert)["rtlil"]


def _key(source: str, *settings: object) -> str:
    return hash_of(source, json.dumps(settings))


def _simulated(design: Design, *, engine: str, samples: int, seed: int, note: Note) -> dict:
    x = design.model.random_windows(np.random.default_rng(seed), samples)
    start = time.monotonic()
    free = simulate(design, x, engine=engine, note=note)
    held = simulate(design, x, engine=engine, back_pressure=BACK_PRESSURE, seed=seed, note=note)
    return {
        "kind": "simulation",
        "config": design.model.config.name,
        "engine": free.engine,
        "samples": samples,
        "latency": free.latency[0],
        "interval": max(free.interval, default=None),
        "as_predicted": free.latency[0] == design.latency
        and set(free.interval) <= {design.interval},
        "bit_exact": free.bit_exact,
        "bit_exact_held": held.bit_exact,
        "seconds": round(time.monotonic() - start, 1),
    }


def _synthesized(design: Design, note: Note) -> dict:
    result = synthesize(design, progress=lambda _done, _total, what: note(what))
    taken = result.resources
    return {
        "kind": "synthesis",
        "config": design.model.config.name,
        "tool": result.tool,
        "luts": taken.luts,
        "luts_as_memory": taken.luts_as_memory,
        "ffs": taken.ffs,
        "ramb18": taken.ramb18,
        "dsps": taken.dsps,
        "levels": result.depth.levels,
        "chains": result.depth.chains,
        "loads": result.control.loads if result.control else 0,
        "fits": not result.over,
        "short": result.short_enough,
    }


def measure(
    name: str,
    results: Results,
    *,
    part: str,
    engine: str,
    samples: int,
    seed: int,
    with_synthesis: bool,
    note: Note,
    **options: Any,
) -> dict:
    """A row: the prediction, the simulation, and the synthesis if it is asked for.

    A configuration that has no design has an ``error`` instead. ``samples`` of 0 simulate nothing;
    ``options`` are those of the lowering.
    """
    row: dict = {"config": name, "error": None, "simulation": None, "synthesis": None}
    try:
        design = lower(initialize(named_config(name)), part=part, **options)
        row |= {"latency": design.latency, "interval": design.interval}
        row |= {"macs": design.model.config.macs, "columns": design.geometry.columns}
        row["soft"] = design.geometry.weights.soft
        row["packed"] = f"{sum(design.packed.values())}/{len(design.packed)}"
        if samples:
            source = _rtlil(design, part, results, **options)
            row["simulation"] = results.get(
                _key(source, "simulation", engine, samples, seed, BACK_PRESSURE),
                lambda: _simulated(design, engine=engine, samples=samples, seed=seed, note=note),
            )
        if with_synthesis:
            source = _rtlil(design, part, results, FOR_SYNTHESIS, **options)
            row["synthesis"] = results.get(
                _key(source, "synthesis", part), lambda: _synthesized(design, note)
            )
    except UserError as error:
        row["error"] = str(error)
    return row
