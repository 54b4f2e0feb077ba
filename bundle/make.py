"""Makes a bundle: a model, its design, its build, golden vectors, a report, and how they came."""

import dataclasses
import importlib.metadata
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import bitformer
from bitformer.bundle.archive import write_archive
from bitformer.bundle.golden import golden_file, golden_tensors, golden_windows
from bitformer.bundle.manifest import (
    BUILD,
    ENVIRONMENT,
    GOLDEN,
    MANIFEST,
    MODEL,
    README,
    REPORT,
    BundleManifest,
    Golden,
)
from bitformer.bundle.parts import design_of, files_in, made_build, made_design
from bitformer.model.errors import NotBitExactError, UserError
from bitformer.model.identity import model_hash
from bitformer.model.ir import IntegerModel
from bitformer.model.progress import Progress, silent
from bitformer.report.gather import Asked, gathered_model
from bitformer.report.page import rendered
from bitformer.report.sources import add_build, page
from bitformer.report.verified_facts import releases, stamp

if TYPE_CHECKING:
    from bitformer.boards.build.manifest import Manifest
    from bitformer.sim.run import Simulation

__all__ = ["make_bundle"]

_README = """\
{title}: a bundle that proves itself
{line}

Written by bitformer {version} on {made}, for the {board}.

On any machine with bitformer {version}:

    bitformer verify THIS.zip

which runs the model, its design and a simulation again, and compares all of it to the bit. Without
bitformer, `sha256sum -c {sums}` says whether a file has changed since.

{model:20} the integer model; no row of its data is in it
design/              the accelerator as Verilog, all it consists of as JSON, what firmware needs
build/               the project for the board{outputs}
{golden:20} {samples} windows of random integers, and every tensor of each
{report:20} what is known of the model; open it in a browser
{environment:20} what it was made with
{manifest:20} how each part was made

hash of what the model computes: {hash}
"""


def without_rows(model: IntegerModel) -> IntegerModel:
    """Return a model whose file holds no rows of the data that it was trained on."""
    data = model.meta.get("dataset")
    if not isinstance(data, Mapping) or "last_seen" not in data:
        return model
    kept = {name: value for name, value in data.items() if name != "last_seen"}
    return dataclasses.replace(model, meta={**model.meta, "dataset": kept})


def make_bundle(
    model: "bitformer.Model",
    board: str,
    path: Path,
    *,
    hardware: Mapping[str, Any] | None = None,
    build: Path | None = None,
    options: Mapping[str, Any] | None = None,
    samples: int = 4,
    seed: int = 0,
    noise: int = 128,
    note: Callable[[str], None] = lambda _: None,
    progress: Progress = silent,
) -> BundleManifest:
    """Make the bundle of a model on a board.

    Parameters
    ----------
    model
        The integer model. What its file says of its data stays, but for rows of them.
    board
        The board's name.
    path
        The file to write, whole or not at all.
    hardware
        Arguments of :func:`bitformer.lower` beside the part.
    build
        A folder that ``bitformer build`` wrote of this model, whose bitstream and reports are to be
        in it; by default the project alone is.
    options
        Of the project, where no folder is given: ``link``, ``baud``, ``clock_hz``, ``toolchain``.
    samples, seed
        Of the golden vectors.
    noise
        Windows that the report's noise is measured on; 0 for none.
    note, progress
        Are told what goes on.

    Raises
    ------
    UserError
        If the design does not fit, the build is another's, or the file cannot be written.
    NotBitExactError
        If the simulation differs from the reference.
    """
    from bitformer.boards.build.manifest import Manifest
    from bitformer.model.checkpoint import save_model

    asked = {name: value for name, value in (hardware or {}).items() if value is not None}
    options = {n: value for n, value in (options or {}).items() if value is not None}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / MODEL
        digest = save_model(without_rows(model.integer), file)
        own = bitformer.load(file)
        files = {MODEL: file.read_bytes()}
        progress(0, None, "lowering")
        design = design_of(own, board, asked)
        manifest = None
        if build is not None:
            manifest = Manifest.read(build)
            options = _options_of(manifest, own, board, build)
        progress(0, None, "writing Verilog")
        files |= made_design(design)
        plan = made_build(design, board, options)
        outputs = {} if build is None else _outputs(build, plan)
        files |= plan | outputs
        windows = golden_windows(design.lowered, samples, seed)
        progress(0, None, "simulating")
        simulation = _simulated(design, windows, progress)
        files[GOLDEN] = golden_file(windows, golden_tensors(design.lowered, windows))
        told = {"note": note, "progress": progress}
        # what is its own data, it knows by the rows that the bundle has not
        files[REPORT] = _report(model, design, board, digest, files, simulation, noise, told)
    kept = BundleManifest(
        made=stamp(),
        model_hash=model_hash(own.integer).hex(),
        board=board,
        hardware=asked,
        build=options,
        golden=Golden(
            samples=samples,
            seed=seed,
            latency=design.lowered.first_latency or design.latency,
            interval=design.interval,
        ),
        outputs=sorted(outputs),
        releases=releases(),
    )
    files[MANIFEST] = kept.text().encode()
    files[ENVIRONMENT] = _environment()
    files[README] = _readme(own, kept).encode()
    write_archive(path, files)
    return kept


def _options_of(
    manifest: "Manifest", model: "bitformer.Model", board: str, folder: Path
) -> dict[str, Any]:
    """Return the options by which a build was written; it must be the model's, for the board."""
    own = model_hash(model.integer).hex()
    if manifest.model != own:
        raise UserError(
            f"--build must be a build of the model, whose hash is {own}, and {folder} is of"
            f" {manifest.model}"
        )
    if manifest.board != board:
        raise UserError(
            f"--build must be for the board {board}, and {folder} is for {manifest.board}"
        )
    found: dict[str, Any] = {"name": manifest.name, "link": manifest.link}
    if manifest.baud is not None:
        found["baud"] = manifest.baud
    if manifest.mmcm:
        found["clock_hz"] = manifest.clock_hz
    return {**found, "toolchain": manifest.toolchain}


def _outputs(folder: Path, plan: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what tools made in a build's folder, whose project must be the one written here."""
    there = files_in(folder, BUILD)
    for name, data in plan.items():
        if there.get(name) != data:
            raise UserError(
                f"--build must be what this bitformer writes of the model, and {name} differs:"
                " build it again"
            )
    return {name: data for name, data in there.items() if name not in plan}


def _simulated(
    design: "bitformer.AcceleratorDesign", windows: np.ndarray, progress: Progress
) -> "Simulation":
    """Return a simulation of integers; it must be what the reference computes."""
    from bitformer.sim.run import simulate

    found = simulate(design.lowered, windows, progress=progress)
    if not found.bit_exact:
        raise NotBitExactError(f"The design differs from its model: {found.difference}")
    return found


def _report(
    model: "bitformer.Model",
    design: "bitformer.AcceleratorDesign",
    board: str,
    digest: str,
    files: Mapping[str, bytes],
    simulation: "Simulation",
    noise: int,
    told: Mapping[str, Any],
) -> bytes:
    """Return the page of the model and its build, without rows of the data."""
    from bitformer.boards.build.manifest import Manifest
    from bitformer.boards.catalog import find_board

    asked = Asked(
        clock_hz=float(find_board(board).clock_hz),
        rows=False,
        families=False,
        noise=noise,
        **told,
    )
    source = "random integers"
    found = gathered_model(model, design, asked, digest=digest, simulation=(simulation, source))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "build"
        for name, data in files.items():
            if name.startswith(BUILD):
                target = Path(place) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        add_build(found, folder, Manifest.read(folder))
    title = find_board(board).title
    facts = page(found, title=model.name, kind="model", source=f"A bundle for the {title}")
    return rendered(facts).encode()


def _environment() -> bytes:
    """Return all that is installed, by name and release."""
    installed = {
        one.metadata["Name"]: one.version
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    found = {"releases": releases(), "installed": dict(sorted(installed.items()))}
    return (json.dumps(found, indent=1) + "\n").encode()


def _readme(model: "bitformer.Model", manifest: BundleManifest) -> str:
    from bitformer.boards.catalog import find_board
    from bitformer.bundle.manifest import SUMS

    title = f"{model.name} on {find_board(manifest.board).title}"
    return _README.format(
        title=title,
        line="=" * len(f"{title}: a bundle that proves itself"),
        version=bitformer.__version__,
        made=manifest.made,
        board=find_board(manifest.board).title,
        sums=SUMS,
        model=MODEL,
        outputs=", with what its tools made" if manifest.outputs else "",
        golden=GOLDEN,
        samples=manifest.golden.samples,
        report=REPORT,
        environment=ENVIRONMENT,
        manifest=MANIFEST,
        hash=manifest.model_hash,
    )
