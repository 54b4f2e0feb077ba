"""One configuration measured: cycles predicted and simulated, bit-exactness, resources.

Results are records in a file of JSON lines. A record's key says what was measured: the accelerator
itself, as RTLIL, and the settings. So a run that was broken off goes on where it was, and a change
of the hardware measures again exactly the configurations that it changed.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from amaranth.back import rtlil

from bitformer.boards.netlist_depth import MOST_LOADS
from bitformer.boards.yosys import synthesize
from bitformer.hw.accelerator import Accelerator
from bitformer.hw.design import Design
from bitformer.hw.lower import lower
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

__all__ = ["Results", "measure"]

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


def _key(design: Design, *settings: object) -> str:
    source = rtlil.convert(Accelerator(design=design), name="top", emit_src=False)
    text = "\0".join((source, json.dumps(settings)))
    return hashlib.sha256(text.encode()).hexdigest()


def _simulated(design: Design, *, engine: str, samples: int, seed: int, note: Note) -> dict:
    spec = design.model.input
    rng = np.random.default_rng(seed)
    x = rng.integers(spec.low, spec.high, (samples, *spec.shape), endpoint=True)
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
    result = synthesize(design, progress=note)
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
        "loads": max((net.loads for net in result.fanouts if net.control), default=0),
        "fits": not result.over,
        "short": result.depth.short_enough
        and all(net.loads <= MOST_LOADS for net in result.fanouts if net.control),
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
) -> dict:
    """A row: the prediction, the simulation, and the synthesis if it is asked for.

    A configuration that has no design has an ``error`` instead. ``samples`` of 0 simulate nothing.
    """
    row: dict = {"config": name, "error": None, "simulation": None, "synthesis": None}
    try:
        design = lower(initialize(named_config(name)), part=part)
        row |= {"latency": design.latency, "interval": design.interval}
        row |= {"macs": design.model.config.macs, "columns": design.geometry.columns}
        row["packed"] = f"{sum(design.packed.values())}/{len(design.packed)}"
        if samples:
            row["simulation"] = results.get(
                _key(design, "simulation", engine, samples, seed, BACK_PRESSURE),
                lambda: _simulated(design, engine=engine, samples=samples, seed=seed, note=note),
            )
        if with_synthesis:
            row["synthesis"] = results.get(
                _key(design, "synthesis", part), lambda: _synthesized(design, note)
            )
    except UserError as error:
        row["error"] = str(error)
    return row
