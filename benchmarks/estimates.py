"""How close estimates come: random mixed-precision designs, predicted and then synthesized.

    python benchmarks/estimates.py               two sets of designs that are not in the base
    python benchmarks/estimates.py --seed 5      one of your own
    python benchmarks/estimates.py --write       and docs/estimates.md written

A design is predicted from what comes with bitformer alone, synthesized by Yosys, and simulated: its
cycles count. Ctrl-C loses nothing: what was measured is not measured again.
"""

import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from measure import Results, key_of
from tables import console, markdown_table, show

from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import Entry, KnowledgeBase, shipped_entries
from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.estimate.profile import mixed, profile
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model.config import TransformerConfig, grid_config, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.progress import progress_bar
from bitformer.sim.run import simulate
from bitformer.study.workers import WorkerPool, open_pool
from bitformer.synth.synthesize import digest

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "estimates.md"
FOLDER = ROOT / "build" / "estimates"

BITS = [Precision.parse(one) for one in ("2/4", "2/8", "4", "4/8", "6", "8")]
#: What a mean and a worst error may be.
MEAN, WORST = 0.03, 0.08
SAMPLES = 2
#: The seeds of the page, how many of each, and what has to be said of them.
SEEN, BLIND = 2410, 77
SIZES = {SEEN: 30, BLIND: 10}
NOTES = {
    SEEN: " The features of the fit were chosen with the errors of this set in view.",
    BLIND: " This set was drawn after the features were final, and nothing was changed after it.",
}
#: Cycles of an inference that make a compiled simulation worth its compiling.
COMPILED = 25_000

COLUMNS = (
    "design",
    "part",
    "LUT",
    "came out",
    "error",
    "FF",
    "came out",
    "error",
    "within",
    "RAMB18",
    "came out",
    "DSP",
    "came out",
    "cycles",
    "came out",
)


def _shape(rng: np.random.Generator) -> TransformerConfig:
    """Most of the published grid; some of its neighbours, and of those for ETTh1."""
    kind = rng.random()
    if kind < 0.7:
        return grid_config(int(rng.choice([6, 12, 18, 24])), int(rng.choice([8, 16, 32, 64])), 8)
    if kind < 0.85:
        near = grid_config(int(rng.choice([9, 16, 30])), int(rng.choice([12, 24, 48])), 8)
        layers = int(rng.integers(1, 3))
        return near.replace(layers=layers, name=f"{near.name.removesuffix('-8')}-{layers}l")
    return named_config(str(rng.choice(["etth1-96-24", "etth1-48-24"])))


def draw(count: int, seed: int) -> list[Job]:
    """Random designs, every fourth for the XC7S6; the n-th is the same for every ``count``."""
    jobs = []
    for number in range(count):
        shape = _shape(np.random.default_rng([seed, number]))
        shape = shape.replace(name=shape.name.removesuffix("-8"))
        every = mixed(number + 1, seed=seed, windows=(), widths=(), bits=BITS, base=shape)
        jobs.append(Job(config=every[number], part="xc7s6" if number % 4 == 3 else "xc7s15"))
    return jobs


def count_cycles(config: dict, part: str, simulated: bool) -> dict:
    """A simulation's cycles, and whether every tensor was right; a worker's task.

    ``digest`` is what the design's synthesis is called; all there is if nothing is ``simulated``.
    """
    design = lower(initialize(TransformerConfig.from_dict(config)), part=part)
    if not simulated:
        return {"digest": digest(design), "latency": None, "interval": None, "exact": None}
    x = design.model.random_windows(np.random.default_rng(0), SAMPLES)
    found = simulate(design, x, engine="python" if design.interval < COMPILED else "auto")
    cycles = {"latency": found.latency[0], "interval": found.interval[0]}
    return {"digest": digest(design), "exact": found.bit_exact, **cycles}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A design as it was predicted, as it was synthesized, and its simulated cycles."""

    job: Job
    said: Prediction
    found: Entry
    cycles: dict

    @property
    def luts(self) -> float:
        return self.said.luts.value / self.found.luts - 1

    @property
    def ffs(self) -> float:
        return self.said.ffs.value / self.found.ffs - 1

    @property
    def within(self) -> bool:
        """Whether both lie in their intervals."""
        pairs = ((self.said.luts, self.found.luts), (self.said.ffs, self.found.ffs))
        return all(said.low <= found <= said.high for said, found in pairs)

    @property
    def exact(self) -> bool:
        """Whether block RAMs, DSP blocks and cycles came out as predicted."""
        said, found, cycles = self.said, self.found, self.cycles
        counted = [cycles[name] for name in ("latency", "interval")]
        right = counted in ([said.latency, said.interval], [None, None])
        return right and (said.ramb18, said.dsps) == (found.ramb18, found.dsps)

    def texts(self) -> list[str]:
        """For ``COLUMNS``."""
        said, found = self.said, self.found
        return [
            self.job.config.name,
            self.job.part,
            *(str(said.luts.value), str(found.luts), f"{self.luts:+.1%}"),
            *(str(said.ffs.value), str(found.ffs), f"{self.ffs:+.1%}"),
            "yes" if self.within else "no",
            *(str(said.ramb18), str(found.ramb18), str(said.dsps), str(found.dsps)),
            *(str(said.latency), str(self.cycles["latency"] or "–")),
        ]


def measure(
    jobs: Sequence[Job],
    folder: Path,
    pool: WorkerPool,
    predictor: Predictor,
    bar,
    *,
    cycles: bool = True,
) -> list[Row]:
    """Every job predicted, simulated and synthesized, or as it was found earlier."""
    base, results = KnowledgeBase(folder / "synthesis.sqlite"), Results(folder / "cycles.jsonl")
    kind = "" if cycles else " alone"
    tasks = {
        key_of(job.config, job.part) + kind: (job.config.to_dict(), job.part, cycles)
        for job in jobs
    }
    missing = {key: task for key, task in tasks.items() if key not in results}
    for done, (key, found) in enumerate(pool.run(count_cycles, missing), start=1):
        results.get(key, lambda found=found: found)
        bar(len(jobs) - len(missing) + done, 2 * len(jobs), "simulating")
    counted = [results.get(key, dict) for key in tasks]
    known = base.keys()
    fresh = [job for job, one in zip(jobs, counted, strict=True) if one["digest"] not in known]
    before, total = 2 * len(jobs) - len(fresh), 2 * len(jobs)
    profile(fresh, base, pool, lambda done, _fresh, name: bar(before + done, total, name))
    rows = []
    for job, one in zip(jobs, counted, strict=True):
        entry = base.get(one["digest"])
        if entry is None:
            raise UserError(f"{folder} must hold what was measured of {job.name}, but does not")
        said = predictor.predict(lower(initialize(job.config), part=job.part))
        rows.append(Row(job=job, said=said, found=entry, cycles=one))
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """(resource, mean error, worst error)."""
    found = []
    for name in ("luts", "ffs"):
        errors = [abs(getattr(row, name)) for row in rows]
        found.append((name[:-1].upper(), statistics.mean(errors), max(errors)))
    return found


def kept(rows: Sequence[Row]) -> bool:
    """Whether estimates are as good as they have to be."""
    good = all(mean <= MEAN and worst <= WORST for _, mean, worst in summary(rows))
    return good and all(row.exact and row.cycles["exact"] is not False for row in rows)


def _section(rows: Sequence[Row], seed: int) -> list[str]:
    """One set."""
    errors = "; ".join(
        f"{name} {mean:.1%} mean, {worst:.1%} worst" for name, mean, worst in summary(rows)
    )
    exact, within = sum(row.exact for row in rows), sum(row.within for row in rows)
    simulated = sum(row.cycles["latency"] is not None for row in rows)
    return [
        f"## Seed {seed}",
        "",
        f"{len(rows)} designs, {simulated} of them simulated. Error: {errors}. RAMB18, DSP blocks"
        f" and cycles are as predicted in {exact}; LUTs and flip-flops both within their"
        f" intervals in {within}.{NOTES.get(seed, '')}",
        "",
        *markdown_table(COLUMNS, [row.texts() for row in rows]),
        "",
    ]


def markdown(sets: Mapping[int, Sequence[Row]], base: Sequence[Entry]) -> str:
    """The report, of designs by their seed."""
    usual = PARTS[DEFAULT_PART].family
    own = [entry for entry in base if entry.part not in PARTS or PARTS[entry.part].family is usual]
    kinds = Counter(entry.kind for entry in own)
    tools = ", ".join(sorted({f"{entry.tool} {entry.version}" for entry in own}))
    lines = [
        "# Estimates",
        "",
        "Written by `python benchmarks/estimates.py`. `estimate`, `doctor` and `search` predict the"
        " resources of a design from the knowledge base that comes with bitformer:"
        f" {kinds['design']} whole designs and {kinds['unit']} single units of the {usual.name},"
        f" which `make profile` measured with {tools}; [families.md](families.md) has those of"
        " another.",
        "",
        "Cycles, DSP blocks and RAMB18 follow from the lowered design. LUTs and flip-flops are"
        " fitted. A unit is as wide as the widest number that it handles, so its size follows from"
        " maxima (bits of accumulators, of a weight word, of addresses) and from counts of columns,"
        " ways and constants. Each component adds memory, which is counted by shape. An interval"
        " holds 95 of 100 designs, if errors are normal; its width comes from the errors of designs"
        " left out of the fit, one at a time.",
        "",
        "What a component adds is measured, too: its words in the stores (weights, parameters,"
        " program rows, positions, the rows of its results), at the widths that the whole design"
        f" asks for, synthesized by themselves. The base has {kinds['component']} such"
        " measurements, of the published grid. `estimate --components` shows them, and counts other"
        " components by the formulas of the fit. These measurements are not part of the fit.",
        "",
        "Below are random mixed-precision designs, none of which is in the base. Each component has"
        " 2/4, 2/8, 4, 4/8, 6 or 8 bits (weights/activations; one number stands for both). Most"
        " designs have shapes of the published grid, some lie near it, and some are for ETTh1;"
        " every fourth is for the XC7S6.",
        "",
        *(line for seed, rows in sets.items() for line in _section(rows, seed)),
    ]
    return "\n".join(lines)


@click.command()
@click.option("--count", type=click.IntRange(1), help=f"Of a set [{SIZES[SEEN]}; the page's].")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0),
    multiple=True,
    default=tuple(SIZES),
    show_default=True,
    help="Of a set; may be repeated.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one for each core.")
@click.option("--no-cycles", is_flag=True, help="Simulate nothing.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(count, seeds, workers, no_cycles, folder, write):
    """Predict, synthesize and simulate sets of COUNT random mixed-precision designs."""
    base = shipped_entries()
    predictor, known = Predictor(base), {entry.key for entry in base}
    sets: dict[int, list[Row]] = {}
    with open_pool(workers) as pool:
        for seed in seeds:
            size = count or SIZES.get(seed, SIZES[SEEN])
            with progress_bar() as bar:
                bar(0, 2 * size, f"measuring those of seed {seed}")
                rows = measure(draw(size, seed), folder, pool, predictor, bar, cycles=not no_cycles)
            sets[seed] = rows
            if seen := [row.job.name for row in rows if row.found.key in known]:
                raise UserError(
                    f"seed must draw designs that are not in the base, not {', '.join(seen)}"
                )
            show(console(), COLUMNS, [row.texts() for row in rows])
            for name, mean, worst in summary(rows):
                print(f"Seed {seed}, {name}: mean error {mean:.1%}, worst {worst:.1%}")
    if write:
        REPORT.write_text(markdown(sets, base).rstrip() + "\n", encoding="utf-8")
        print(f"Wrote {REPORT}")
    sys.exit(0 if all(map(kept, sets.values())) else 1)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"Error: {error}")
