"""A trained candidate as hardware: lowered, simulated bit for bit, synthesized, routed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.estimate.features import VERSION, quantities
from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model
from bitformer.model.errors import UserError
from bitformer.model.files import temporary_folder
from bitformer.model.progress import Progress, silent
from bitformer.model.sealed_json import read_sealed, write_sealed
from bitformer.model.stream import as_steps
from bitformer.search.engine import Engine
from bitformer.search.limits import RESOURCES
from bitformer.study.workers import WorkerPool

__all__ = ["Bench", "verify", "verify_all"]

#: From so many cycles on a design is compiled for its simulation, where there is a compiler.
_COMPILED = 20_000


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What candidates are tried on: real windows [N, steps, channels], a part, and its tools.

    ``clock`` : the time of the windows, integers [N, numbers], as the models' calendar has it.
    ``judged`` : what detectors judge, [N, numbers]; None of other models.
    ``tool`` : name and version of the Yosys that synthesizes, empty for none; ``router`` those of
    the nextpnr that places and routes, where ``asked_hz`` are aimed at.
    """

    windows: np.ndarray
    part: str
    tool: str = ""
    router: str = ""
    asked_hz: float = 0.0
    clock: np.ndarray | None = None
    judged: np.ndarray | None = None

    def key(self, model: bytes, engine: Engine, synthesized: bool, routed: bool = False) -> str:
        """Return a digest of model, engine, windows, part, and of the tools that are run."""
        tool = self.tool if synthesized else ""
        about = [self.part, engine.options, tool, self.windows.shape, VERSION]
        described = json.dumps([*about, self.router, self.asked_hz] if routed else about)
        content = model + described.encode() + np.ascontiguousarray(self.windows).tobytes()
        for more in (self.clock, self.judged):
            content += b"" if more is None else np.ascontiguousarray(more).tobytes()
        return hashlib.sha256(content).hexdigest()[:16]


def verify(
    model: bytes,
    engine: Engine,
    windows: np.ndarray,
    clock: np.ndarray | None,
    part: str,
    synthesis: bool,
    judged: np.ndarray | None = None,
    routed_hz: float = 0.0,
) -> dict[str, Any]:
    """Simulate and synthesize a model: a worker's task, whose arguments and result can be sent.

    ``model`` is a file's content. With ``routed_hz`` it is placed and routed, too, and so many
    hertz are aimed at. The result has no times in it: it is the same on every machine
    with the same tools. Its ``quantities`` are what LUTs and flip-flops are predicted from.
    """
    with temporary_folder() as folder:
        path = folder / "model.safetensors"
        path.write_bytes(model)
        loaded = load_model(path)
    try:
        design = lower(loaded, part=part, **engine.options)
    except UserError as error:
        return {"error": str(error), "entries": []}
    from bitformer.sim.run import simulate

    x = loaded.quantize_input(windows, clock, judged)
    if loaded.config.stream:
        x, _ = as_steps(loaded, x, phases=engine.phases)
    by = "auto" if design.interval * len(x) > _COMPILED else "python"
    result = simulate(design, x, engine=by)
    facts = {name: int(value) for name, value in quantities(design).items()}
    record: dict[str, Any] = {
        "error": None,
        "bit_exact": result.bit_exact,
        "difference": None if result.difference is None else str(result.difference),
        "cycles_as_predicted": result.cycles_as_predicted,
        "windows": len(windows),
        "tensors": len(result.tensors),
        "engine": result.engine,
        "quantities": facts,
        "latency": design.latency,
        "interval": design.interval,
        "ramb18": facts["ramb18"],
        "dsps": design.geometry.dsps,
        "synthesis": None,
        "entries": [],
    }
    if synthesis:
        record |= _synthesized(design, routed_hz)
    return record


def _synthesized(design: Design, routed_hz: float) -> dict[str, Any]:
    """Return what synthesis, and place and route where it is asked for, add to a record."""
    from bitformer.estimate.measure import entries_of, paths_of, routed_entry
    from bitformer.estimate.predictor import luts_of
    from bitformer.synth.place_design import route_design
    from bitformer.synth.synthesize import synthesize

    record: dict[str, Any] = {}
    try:
        done = synthesize(design)
    except UserError as error:
        return {"not_synthesized": str(error)}
    entries = entries_of(design, done)
    whole = entries[0].to_dict()
    record["synthesis"] = {
        **{name: whole[name] for name in RESOURCES},
        "luts": luts_of(entries[0]),
        "lut_levels": done.depth.levels,
        **paths_of(done),
        "tool": done.tool,
        "digest": done.digest,
    }
    if routed_hz:
        try:
            routing = route_design(design, clock_hz=routed_hz)
            entries.append(routed_entry(design, done, routing))
        except UserError as error:
            record["not_routed"] = str(error)
    return record | {"entries": [entry.to_dict() for entry in entries]}


def verify_all(
    models: Mapping[str, tuple[Path, Engine]],
    bench: Bench,
    folder: Path,
    pool: WorkerPool,
    *,
    synthesized: bool = True,
    routed: bool = False,
    progress: Progress = silent,
) -> dict[str, dict[str, Any]]:
    """Return the record of every model on its engine, by its name; read those in ``folder``.

    ``synthesized`` : whether they are synthesized, where there is a tool; ``routed`` whether they
    are placed and routed, too, where there is one for that.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Folder {folder} cannot be made: {error.strerror}") from None
    contents = {name: (path.read_bytes(), engine) for name, (path, engine) in models.items()}
    wanted = bool(bench.tool) and synthesized
    placed = wanted and routed and bool(bench.router)
    done = "-routed" if placed else "-synthesized" if wanted else ""
    paths = {
        name: folder / f"{bench.key(*own, wanted, placed)}{done}.json"
        for name, own in contents.items()
    }
    records: dict[str, dict[str, Any]] = {}
    for name, path in paths.items():
        try:
            records[name] = read_sealed(path)
        except UserError:
            continue
    progress(len(records), len(models), "read")
    tasks = {
        name: (
            *(*own, bench.windows, bench.clock, bench.part, wanted, bench.judged),
            bench.asked_hz if placed else 0.0,
        )
        for name, own in contents.items()
        if name not in records
    }
    for name, record in pool.run(verify, tasks):
        records[name] = write_sealed(paths[name], record)
        progress(len(records), len(models), name)
    return {name: records[name] for name in models}
