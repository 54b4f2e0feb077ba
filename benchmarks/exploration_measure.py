"""Synthesis of what a claim rests on: uniform bits, and the candidate that beats them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exploration_page import Key, Measured, best, cases, key_of

from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model
from bitformer.search.engine import Engine
from bitformer.study.workers import WorkerPool
from bitformer.synth.synthesize import synthesize

__all__ = ["measure"]


def _taken(model: str, part: str, engine: Mapping[str, Any]) -> dict[str, int]:
    """A worker's task: what a trained model takes of a part, by Yosys."""
    design = lower(load_model(Path(model)), part=part, **asdict(Engine(**engine)))
    found = synthesize(design).resources
    return {
        "luts": found.luts,
        "lutram": found.luts_as_memory,
        "ramb18": found.ramb18,
        "dsps": found.dsps,
        "latency": design.latency,
    }


def measure(results: Mapping[Key, Mapping[str, Any]], folder: Path, pool: WorkerPool) -> Measured:
    """Costs of both, for every case in which something is said to be beaten in all of them.

    A candidate that turns out to cost more makes room for the next. ``folder`` has the trainings,
    and gets what is measured.
    """
    path = folder / "measured.json"
    known: dict[str, dict[str, int]] = json.loads(path.read_text()) if path.exists() else {}
    while True:
        wanted: dict[str, tuple] = {}
        for part, _, uniform, own in cases(results):
            found = best(own, uniform["why"], "beats", known)
            if found is None:
                continue
            for one in (uniform, found[1]):
                if (key := key_of(one, part)) not in known:
                    model = folder / "results" / f"{one['trial']}.safetensors"
                    wanted[key] = str(model), part, one["engine"]
        if not wanted:
            return known
        for key, taken in pool.run(_taken, wanted):
            known[key] = taken
            path.write_text(json.dumps(known, indent=1) + "\n")
            print(f"measured {len(known)}: {key}", flush=True)
