"""Configurations that fit no part as they are published, and what makes them fit.

    python benchmarks/deployable.py             the published grid on two parts
    python benchmarks/deployable.py --write     and their table in docs/placement.md

As published is: the same bits everywhere, every result in block RAM. Listed are those that fit
neither so nor with everything in LUTs. What makes them fit is found by prediction, and then
synthesized. Ctrl-C loses nothing: what was measured is not measured again.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from lanes import put
from running import run
from tables import console, markdown_table, show

from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import Entry, KnowledgeBase, shipped_entries
from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.estimate.profile import profile
from bitformer.estimate.remedies import everywhere
from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.progress import progress_bar
from bitformer.model.structure import weight_components
from bitformer.study.workers import open_pool
from bitformer.synth.synthesize import digest

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "placement.md"
FOLDER = ROOT / "build" / "deployable"

PARTS = ("xc7s15", "xc7s6")
#: Smaller ones fit both parts with everything in LUTs.
GRID = [f"grid-{n}-{d}-{b}" for b in (4, 6, 8) for d in (32, 64) for n in (6, 12, 18, 24)]
BITS = (8, 6, 4)

COLUMNS = (
    "config",
    "part",
    "all in block RAM",
    "all in LUTs",
    "automatic",
    "what makes it fit",
    "LUT",
    "as memory",
    "FF",
    "RAMB18",
    "DSP",
    "cycles",
    "fits",
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A configuration that does not fit; ``fix`` says what makes it, ``job`` is the design then."""

    name: str
    part: str
    placed: tuple[Prediction, Prediction, Prediction]
    fix: str
    job: Job | None


def surely(said: Prediction) -> bool:
    """Whether it fits even if it is as large as the prediction allows."""
    spans = {"LUT": said.luts, "LUT as memory": said.lutram, "FF": said.ffs}
    return all(
        (spans[use.resource].high if use.resource in spans else use.used) <= use.available
        for use in said.uses
    )


def shortage(said: Prediction) -> float:
    """How far it is over, in shares of the part."""
    return sum(use.over / use.available for use in said.uses)


def over(said: Prediction) -> str:
    """What is too much."""
    return ", ".join(f"{use.resource} +{use.over}" for use in said.over) or "fits"


def _narrowed(config: TransformerConfig) -> Iterator[tuple[str, TransformerConfig]]:
    """One component in the next lower width, of those that have weights."""
    for component in dict.fromkeys(weight_components(config).values()):
        wide = config.bits(component)
        now = max(wide.weights, wide.activations)
        for bits in [one for one in BITS if one < now][:1]:
            own = Precision(weights=bits, activations=bits)
            yield component, config.replace(precision={**config.precision, component: own})


def _changes(config: TransformerConfig) -> str:
    groups: dict[int, list[str]] = {}
    for component, own in config.precision.items():
        groups.setdefault(own.weights, []).append(component)
    texts = [f"{', '.join(groups[bits])} in {bits} bits" for bits in sorted(groups, reverse=True)]
    return "; ".join(texts)


def find(name: str, part: str, predictor: Predictor) -> Case | None:
    """The case of a configuration; None if it fits in block RAM or in LUTs alone."""

    def predicted(config: TransformerConfig, **options) -> tuple[Design, Prediction]:
        design = lower(initialize(config), part=part, **options)
        return design, predictor.predict(design)

    config = named_config(name)
    design, auto = predicted(config)
    block, luts = (
        predicted(config, placement=everywhere(design, place))[1]
        for place in ("block", "distributed")
    )
    if surely(block) or surely(luts):
        return None
    placed = (block, luts, auto)
    if surely(auto):
        job = Job(config=config, part=part)
        return Case(name=name, part=part, placed=placed, fix="automatic placement", job=job)
    lanes = design.geometry.columns * design.geometry.ways // 2
    while lanes >= 4:
        if surely(predicted(config, lanes=lanes)[1]):
            job = Job(config=config, part=part, lanes=lanes)
            fix = f"automatic placement, {lanes} products a cycle"
            return Case(name=name, part=part, placed=placed, fix=fix, job=job)
        lanes //= 2
    said = auto
    while not surely(said):
        tried = []
        for component, less in _narrowed(config):
            try:
                tried.append((shortage(predicted(less)[1]), component, less))
            except UserError:
                continue
        if not tried:
            return Case(name=name, part=part, placed=placed, fix="nothing that was tried", job=None)
        _, _, config = min(tried, key=lambda one: one[:2])
        said = predicted(config)[1]
    config = config.replace(name=f"{name}-narrowed")
    fix = f"automatic placement; {_changes(config)}"
    return Case(name=name, part=part, placed=placed, fix=fix, job=Job(config=config, part=part))


def texts(case: Case, base: KnowledgeBase) -> tuple[list[str], bool]:
    """A row for ``COLUMNS``, and whether the design fits."""
    row = [case.name, case.part, *map(over, case.placed), case.fix]
    if case.job is None:
        return [*row, *[""] * 6, "NO"], False
    job = case.job
    design = lower(initialize(job.config), part=job.part, lanes=job.lanes)
    found = base.get(digest(design))
    if found is None:
        raise UserError(f"{base.path} must hold what was measured of {job.name}, which it does not")
    fits = _fits(found, case)
    counts = (found.luts, found.lutram, found.ffs, found.ramb18, found.dsps, design.latency)
    return [*row, *map(str, counts), "yes" if fits else "NO"], fits


def _fits(found: Entry, case: Case) -> bool:
    counts = (found.luts, found.lutram, found.ffs, found.ramb18, found.dsps)
    budget = [use.available for use in case.placed[0].uses]
    return all(count <= most for count, most in zip(counts, budget, strict=True))


def markdown(rows: Sequence[Sequence[str]], tool: str) -> list[str]:
    """What stands between the marks of the report."""
    return [
        f"{tool} counted the resources of the untrained design on that part, without the board's"
        " shell.",
        "",
        *markdown_table(COLUMNS, rows)[:-1],
        "",
    ]


@click.command()
@click.argument("configs", nargs=-1)
@click.option("--part", "parts", multiple=True, default=PARTS, show_default=True)
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one for each core.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(configs, parts, workers, folder, write):
    """Make CONFIGS fit, by default the published grid."""
    predictor, base = Predictor(shipped_entries()), KnowledgeBase(folder / "synthesis.sqlite")
    tasks = {
        f"{name} on {part}": (name, part, predictor) for part in parts for name in configs or GRID
    }
    cases = {}
    with open_pool(workers) as pool:
        with progress_bar() as bar:
            for done, (label, case) in enumerate(pool.run(find, tasks), start=1):
                cases[label] = case
                bar(done, len(tasks), label)
        found = [case for label in tasks if (case := cases[label]) is not None]
        jobs = [case.job for case in found if case.job is not None]
        with progress_bar() as bar:
            profile(jobs, base, pool, bar)
    rows = [texts(case, base) for case in found]
    show(console(), COLUMNS, [row for row, _ in rows])
    if write:
        tool = ", ".join(sorted({f"{one.tool} {one.version}" for one in base.entries()}))
        page = REPORT.read_text(encoding="utf-8")
        lines = markdown([row for row, _ in rows], tool)
        REPORT.write_text(put(page, "deployable", lines), encoding="utf-8")
        print(f"Wrote {REPORT}")
    sys.exit(0 if all(fits for _, fits in rows) else 1)


if __name__ == "__main__":
    run(main)
