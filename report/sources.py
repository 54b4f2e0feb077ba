"""What a page is made of: a model's file, a run, a build or a search, told apart by their files."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bitformer
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.errors import UserError
from bitformer.model.strict_json import read_json
from bitformer.report.build_facts import build_facts, plan_facts
from bitformer.report.energy_facts import energy_facts
from bitformer.report.gather import Asked, Gathered, gathered_model, reported_energy
from bitformer.report.summary import summary
from bitformer.report.verified_facts import build_check, stamp, verified_facts

if TYPE_CHECKING:
    from bitformer.boards.build.manifest import Manifest
    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.sim.run import Simulation

__all__ = ["MODEL_FILE", "SEARCH_FILE", "add_build", "kind_of", "page", "page_of"]

#: The files by which folders are told apart, beside a build's own.
MODEL_FILE, SEARCH_FILE, RUN_FILE = "model.safetensors", "search.json", "run.json"


def kind_of(path: Path) -> str:
    """Return ``"model"``, ``"run"``, ``"build"`` or ``"search"``.

    Raises
    ------
    UserError
        If a folder is none of them. What is no folder is a model's file, or nothing.
    """
    from bitformer.boards.build.directory import PLAN_FILE

    if not path.is_dir():
        return "model"
    for name, kind in ((SEARCH_FILE, "search"), (PLAN_FILE, "build"), (MODEL_FILE, "run")):
        if (path / name).is_file():
            return kind
    raise UserError(
        f"{path} must be a model's file, or the folder of a run, a build or a search, which have"
        f" {MODEL_FILE}, {PLAN_FILE} and {SEARCH_FILE}"
    )


def page_of(
    path: Path,
    asked: Asked,
    *,
    model: Path | None = None,
    part: str | None = None,
    hardware: Mapping[str, Any] | None = None,
    evaluation: "AnyEvaluation | None" = None,
    simulation: "tuple[Simulation, str] | None" = None,
) -> dict[str, Any]:
    """Return the facts of a page.

    Parameters
    ----------
    path
        Of a model's file, or the folder of a run, a build or a search.
    asked
        What is shown, and with what effort.
    model
        Of a build, its model's file.
    part
        The FPGA; by default the build's, the search's, or the usual one.
    hardware
        Arguments of :func:`bitformer.lower`.
    evaluation, simulation
        Of a model or a run, those that are known already, the simulation with the source of its
        windows.

    Raises
    ------
    UserError
        If there is nothing of the kind, it is damaged, or the model is not the build's.
    """
    kind = kind_of(path)
    if kind in ("build", "search") and part is not None:
        raise UserError(f"--part must be left out: {path} is for one already")
    if kind == "build":
        return _of_build(path, asked, model, hardware)
    if model is not None:
        raise UserError(f"--model must be left out: {path} is no folder of a build")
    if kind == "search":
        return _of_search(path, asked)
    run = _training_in(path) if kind == "run" else None
    file = path / MODEL_FILE if kind == "run" else path
    loaded, digest = _loaded(file)
    known = {"evaluation": evaluation, "simulation": simulation}
    found = _gathered(loaded, asked, digest=digest, run=run, part=part, hardware=hardware, **known)
    if kind == "run":
        _history(found, run)
        _builds_inside(found, path)
    return page(found, title=loaded.name, kind=kind, source=str(path))


def _loaded(path: Path) -> "tuple[bitformer.Model, str]":
    """Return a model and the digest of its file, which is checked."""
    from bitformer.model.checkpoint import read_model

    integer, digest = read_model(path)
    return bitformer.Model(integer, path=path), digest


def _gathered(
    loaded: "bitformer.Model",
    asked: Asked,
    *,
    digest: str | None,
    run: Path | None = None,
    part: str | None = None,
    hardware: Mapping[str, Any] | None = None,
    **known: Any,
) -> Gathered:
    """Gather what is known of a model, lowered for a part where that can be done."""
    design, why = None, ""
    try:
        design = bitformer.lower(loaded, part=part or DEFAULT_PART, **(hardware or {}))
    except UserError as error:
        why = str(error)
    found = gathered_model(loaded, design, asked, digest=digest, run=run, **known)
    if design is None:
        found.lack("hardware", why)
    return found


def _training_in(run: Path) -> Path | None:
    """Return the folder of the training: the run itself, or one inside, as the demo has it."""
    return next(
        (one.parent for one in (run / RUN_FILE, *run.glob(f"*/{RUN_FILE}")) if one.is_file()), None
    )


def _history(found: Gathered, run: Path | None) -> None:
    """Add the losses of a training, epoch by epoch."""
    if run is None:
        return
    history = read_json(run / RUN_FILE).get("history", [])
    rows = [row for row in history if isinstance(row, dict)]
    if rows:
        found.parts["history"] = rows


def _builds_inside(found: Gathered, run: Path) -> None:
    """Add the builds of the model that lie in the folder of its run."""
    from bitformer.boards.build.manifest import Manifest

    for folder in sorted(one for one in run.iterdir() if one.is_dir()):
        manifest = Manifest.find(folder)
        own = found.model is not None and manifest and manifest.model == found.model["model_hash"]
        if manifest is not None and own:
            add_build(found, folder, manifest)


def add_build(found: Gathered, folder: Path, manifest: "Manifest | None") -> None:
    """Add a build: its plan, and what the tools' reports say where there are any."""
    from bitformer.boards.reports.report import read_build

    plan = None if manifest is None else plan_facts(manifest)
    reports = None
    try:
        read = read_build(folder)
    except UserError as error:
        if manifest is None:
            raise
        found.lack(f"reports of the build {folder.name}", str(error))
    else:
        reports = build_facts(read)
        found.checks.append(build_check(read))
        reported_energy(found, read)
        plan = plan or {
            "name": read.name,
            "board": read.device or "unknown",
            "part": read.device,
            "clock_hz": None,
        }
    found.parts.setdefault("builds", []).append(
        {"folder": folder.name, "plan": plan, "reports": reports}
    )


def _of_build(
    folder: Path, asked: Asked, model: Path | None, hardware: Mapping[str, Any] | None
) -> dict[str, Any]:
    from bitformer.boards.board import part_of
    from bitformer.boards.build.manifest import Manifest
    from bitformer.model.identity import model_hash

    manifest = Manifest.find(folder)
    beside = folder.parent / MODEL_FILE
    file = model or (beside if beside.is_file() else None)
    found, title = Gathered(), folder.name
    if file is not None:
        loaded, digest = _loaded(file)
        own = model_hash(loaded.integer).hex()
        if manifest is not None and manifest.model == own:
            part = part_of(manifest.part)
            found = _gathered(
                loaded,
                _at_clock(asked, manifest.clock_hz),
                digest=digest,
                part=None if part is None else part.name,
                hardware=hardware,
            )
            title = loaded.name
            _check_cycles(found, manifest)
        elif model is not None:
            whose = None if manifest is None else manifest.model
            raise UserError(
                f"--model must be the build's model, whose hash is {whose}, and {model} has {own}"
            )
    if found.model is None:
        found.lack("the model", "a build's folder does not hold it: name its file with --model")
    add_build(found, folder, manifest)
    return page(found, title=title, kind="build", source=str(folder))


def _at_clock(asked: Asked, clock_hz: float) -> Asked:
    """Return what is asked for, at the clock of a build or a search."""
    return dataclasses.replace(asked, clock_hz=float(clock_hz))


def _check_cycles(found: Gathered, manifest: "Manifest") -> None:
    """Note it where the build was lowered by other options than those that are shown."""
    speed = found.parts.get("speed")
    if speed is not None and manifest.latency_cycles not in (None, speed["latency"]):
        found.lack(
            "the build's own timetable",
            f"the build takes {manifest.latency_cycles} cycles, and {speed['latency']} are shown:"
            " give the options that it was lowered by",
        )


def _of_search(folder: Path, asked: Asked) -> dict[str, Any]:
    from bitformer.report.search_facts import search_facts
    from bitformer.search.engine import Engine

    text = read_json(folder / SEARCH_FILE)
    try:
        facts = search_facts(text)
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f"{folder / SEARCH_FILE} must be what a search writes: {error}") from None
    found, title = Gathered(), folder.name
    chosen = text["chosen"]
    if chosen is not None:
        one = next(c for c in text["candidates"] if c["rank"] == chosen["rank"])
        file = folder / one["model"]
        with found.part("the chosen model"):
            loaded, digest = _loaded(file)
            found = _gathered(
                loaded,
                _at_clock(asked, facts["clock_hz"]),
                digest=digest,
                part=facts["part"],
                hardware=Engine(**one["engine"]).asked,
            )
            title = loaded.name
    else:
        found.lack("the chosen model", "none of the candidates fits, bit for bit")
    found.parts["search"] = facts
    for row in facts["rows"]:
        found.checks.append(_proof(row))
    return page(found, title=title, kind="search", source=str(folder))


def _proof(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a search proved of a design, as a row of what was verified."""
    exact = "every element equal, in the cycles predicted"
    good = row["bit_exact"] and row["cycles_as_predicted"]
    said = exact if good else row["error"] or "not equal, not in its cycles, or not tried"
    name = f"candidate {row['id']}" if row["kind"] == "candidate" else row["id"]
    return {
        "what": f"{name[0].upper()}{name[1:]} computes what its model computes",
        "how": "simulated in the search" + (", synthesized" if row["synthesized"] else ""),
        "said": said,
        "good": good,
        "tensors": [],
        "cycles": None,
        "as_predicted": None,
    }


def page(found: Gathered, *, title: str, kind: str, source: str) -> dict[str, Any]:
    """Return all facts of a page: the gathered parts, a summary of them, and what was verified."""
    parts = dict(found.parts)
    if found.energy:
        parts["energy"] = energy_facts(found.energy)
    parts["verified"] = verified_facts(found.checks, found.model)
    return {
        "title": title,
        "kind": kind,
        "source": source,
        "made": stamp(),
        "version": bitformer.__version__,
        "missing": found.missing,
        "summary": summary(parts, kind),
        "parts": parts,
    }
