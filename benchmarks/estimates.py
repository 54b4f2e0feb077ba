"""How close estimates come: random designs of every family of shapes, predicted and synthesized.

    python benchmarks/estimates.py               the page's set, which is not in the base
    python benchmarks/estimates.py --seed 5      one of your own
    python benchmarks/estimates.py --write       and docs/estimates.md written
    python benchmarks/estimates.py --measured    of those that were measured already

A design is predicted from what comes with bitformer alone, and synthesized by Yosys. Ctrl-C loses
nothing: what was measured is not measured again.
"""

import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click
from running import run
from tables import console, markdown_table, show

from bitformer.estimate.features import quantities
from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import Entry, KnowledgeBase, shipped_entries
from bitformer.estimate.measure import entries_of
from bitformer.estimate.predictor import Interval, Prediction, Predictor
from bitformer.estimate.shapes import FAMILIES, drawn
from bitformer.hw.design import Design
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar
from bitformer.study.workers import WorkerPool, open_pool
from bitformer.synth.synthesize import synthesize

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "estimates.md"
FOLDER = ROOT / "build" / "estimates"

#: What a mean error and a mean half-width of intervals may be, and how many designs must lie in
#: theirs.
MEAN, HALF, COVERED = 0.03, 0.06, 0.93
#: The page's seed, and how many designs of it.
BLIND, COUNT = 7569794, 60
NOTES = {
    BLIND: " This set was drawn after the fit was final, with a seed fixed then (first digits of"
    " the hash that git has of the folder `estimate`), and the fit stayed as it was, but for"
    " two designs of the base whose hardware became what it had been: by 3 LUTs at most."
    " The base's seven streams were measured anew since, as they have a linear path and sum"
    " ahead, and so was this set's that does."
    " Of the set before it (2337721), designs of token rows, detectors"
    " and other kinds are in the base now; by the fit of then, LUTs of its 59 designs were 2.7% off"
    " in the mean, and 56 lay in intervals of ±8.1%. The 50 that are not in the base are 1.8% off"
    " by today's fit, and 49 lie in their intervals.",
}

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
)
FAMILY_COLUMNS = (
    "family",
    "in the base",
    "here",
    "LUTs within",
    "FFs within",
    "mean error LUT",
    "worst",
    "mean error FF",
    "worst",
    "RAMB18 and DSP as predicted",
)


def draw(count: int, seed: int) -> list[Job]:
    """Random designs of every family; the n-th is the same for every ``count``."""
    return list(islice(drawn(seed), count))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A design as it was predicted, and as it was synthesized."""

    job: Job
    said: Prediction
    found: Entry

    @property
    def luts(self) -> float:
        return self.said.luts.value / self.found.luts - 1

    @property
    def ffs(self) -> float:
        return self.said.ffs.value / self.found.ffs - 1

    def within(self, name: str) -> bool:
        """Whether ``luts`` or ``ffs`` lie in their interval."""
        said: Interval = getattr(self.said, name)
        return said.low <= getattr(self.found, name) <= said.high

    def half(self, name: str) -> float:
        """Half the width of an interval, as a share of what was predicted."""
        said: Interval = getattr(self.said, name)
        return (said.high - said.low) / 2 / said.value

    @property
    def exact(self) -> bool:
        """Whether block RAMs and DSP blocks came out as predicted."""
        return (self.said.ramb18, self.said.dsps) == (self.found.ramb18, self.found.dsps)

    def texts(self) -> list[str]:
        """For ``COLUMNS``."""
        said, found = self.said, self.found
        missed = [name for name in ("LUT", "FF") if not self.within(f"{name.lower()}s")]
        return [
            self.job.name.removesuffix(f"-{self.job.part}").replace(f"-{self.job.part}-", "-"),
            self.job.part,
            *(str(said.luts.value), str(found.luts), f"{self.luts:+.1%}"),
            *(str(said.ffs.value), str(found.ffs), f"{self.ffs:+.1%}"),
            f"not {', '.join(missed)}" if missed else "yes",
            *(str(said.ramb18), str(found.ramb18), str(said.dsps), str(found.dsps)),
        ]


def taken(described: Mapping) -> dict:
    """What Yosys makes of a design: an entry as plain data; a worker's task."""
    job = Job.of(described)
    design = job.lowered()
    return entries_of(design, synthesize(design), family=job.family)[0].to_dict()


def _measured(design: Design, base: Mapping[str, Entry]) -> Entry | None:
    """The entry of this very design, by its name and all of its quantities."""
    found = base.get(design.model.config.name)
    own = {name: int(value) for name, value in quantities(design).items()}
    return found if found is not None and {**found.features, **own} == found.features else None


def measure(
    jobs: Sequence[Job],
    folder: Path,
    pool: WorkerPool,
    predictor: Predictor,
    bar: Callable[[int, int | None, str], None],
    *,
    now: bool = True,
) -> list[Row]:
    """Every job predicted and synthesized, or as it was found earlier.

    What was not found is left out, unless such designs are to be measured now.
    """
    base = KnowledgeBase(folder / "synthesis.sqlite")
    designs = [job.lowered() for job in jobs]
    known = {entry.name: entry for entry in base.entries()}
    found = [_measured(design, known) for design in designs]
    tasks = {
        job.name: (job.described,)
        for job, own in zip(jobs, found, strict=True)
        if own is None and now
    }
    before = len(jobs) - len(tasks)
    for done, (name, entry) in enumerate(pool.run(taken, tasks), start=1):
        base.add([Entry.from_dict(entry)])
        bar(before + done, len(jobs), name)
    known = {entry.name: entry for entry in base.entries()}
    rows = []
    for job, design in zip(jobs, designs, strict=True):
        if (own := _measured(design, known)) is not None:
            rows.append(Row(job=job, said=predictor.predict(design), found=own))
        elif now:
            raise UserError(f"{folder} must hold what was measured of {job.name}, but does not")
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """(resource, mean error, worst error)."""
    found = []
    for name in ("luts", "ffs"):
        errors = [abs(getattr(row, name)) for row in rows]
        found.append((name[:-1].upper(), statistics.mean(errors), max(errors)))
    return found


def covered(rows: Iterable[Row], name: str) -> float:
    """The share of designs whose ``luts`` or ``ffs`` lie in their interval."""
    return statistics.mean(row.within(name) for row in rows)


def half_width(rows: Iterable[Row], name: str) -> float:
    """The mean half-width of intervals."""
    return statistics.mean(row.half(name) for row in rows)


def kept(rows: Sequence[Row]) -> bool:
    """Whether estimates are as good as they have to be."""
    good = all(mean <= MEAN for _, mean, _ in summary(rows)) and all(row.exact for row in rows)
    inside = all(covered(rows, name) >= COVERED for name in ("luts", "ffs"))
    return good and inside and half_width(rows, "luts") <= HALF


def by_family(rows: Sequence[Row], base: Sequence[Entry]) -> list[list[str]]:
    """For ``FAMILY_COLUMNS``, with a row for all."""
    known = Counter(entry.details.get("family") for entry in base)
    found = []
    for family in [name for name in FAMILIES if any(r.job.family == name for r in rows)] + ["all"]:
        own = [row for row in rows if family in (row.job.family, "all")]
        (_, luts, worst_luts), (_, ffs, worst_ffs) = summary(own)
        found.append(
            [
                family,
                str(sum(known[name] for name in FAMILIES) if family == "all" else known[family]),
                str(len(own)),
                *(str(sum(row.within(name) for row in own)) for name in ("luts", "ffs")),
                *(f"{value:.1%}" for value in (luts, worst_luts, ffs, worst_ffs)),
                str(sum(row.exact for row in own)),
            ]
        )
    return found


def _section(rows: Sequence[Row], seed: int, base: Sequence[Entry]) -> list[str]:
    """One set."""
    errors = "; ".join(
        f"{name} {mean:.1%} mean, {worst:.1%} worst" for name, mean, worst in summary(rows)
    )
    inside = {name: sum(row.within(name) for row in rows) for name in ("luts", "ffs")}
    half = {name: f"{half_width(rows, name):.1%}" for name in inside}
    return [
        f"## Seed {seed}",
        "",
        f"{len(rows)} designs. Error: {errors}. LUTs lie within their interval in"
        f" {inside['luts']} ({covered(rows, 'luts'):.0%}), flip-flops in {inside['ffs']}"
        f" ({covered(rows, 'ffs'):.0%}); half an interval is {half['luts']} of the LUTs and"
        f" {half['ffs']} of the flip-flops. RAMB18 and DSP blocks are as predicted in"
        f" {sum(row.exact for row in rows)}.{NOTES.get(seed, '')}",
        "",
        *markdown_table(FAMILY_COLUMNS, by_family(rows, base)),
        "",
        *markdown_table(COLUMNS, [row.texts() for row in rows]),
        "",
    ]


def markdown(sets: Mapping[int, Sequence[Row]], base: Sequence[Entry], predictor: Predictor) -> str:
    """The report, of designs by their seed."""
    usual = PARTS[DEFAULT_PART].family
    own = [entry for entry in base if entry.part not in PARTS or PARTS[entry.part].family is usual]
    kinds = Counter(entry.kind for entry in own)
    designs = [entry for entry in own if entry.kind == "design"]
    families = Counter(entry.details["family"] for entry in designs)
    tools = ", ".join(sorted({f"{entry.tool} {entry.version}" for entry in own}))
    margins, wider = predictor.margins, predictor.wider
    components = (
        "What a component adds is measured, too: its words in the stores (weights, parameters,"
        " program rows, positions, the rows of its results), at the widths that the whole design"
        f" asks for, synthesized by themselves. The base has {kinds['component']} such"
        " measurements, of the published grid. `estimate --components` shows them, and counts other"
        " components by the formulas of the fit. These measurements are not part of the fit."
        if kinds["component"]
        else "`estimate --components` counts what a component adds by the formulas of the fit,"
        " unless your own base has measurements: `profile --components`. `make profile` measures"
        " the whole base anew, with all that is routed: 163 entries, some 45 s of processor each;"
        " it goes on where it was."
    )
    lines = [
        "# Estimates",
        "",
        "Written by `python benchmarks/estimates.py`. `estimate`, `doctor` and `search` predict the"
        " resources of a design from the knowledge base that comes with bitformer:"
        f" {len(designs)} whole designs of the {usual.name}, which `make profile` measured with"
        f" {tools}; [families.md](families.md) has those of another.",
        "",
        "Cycles, DSP blocks and RAMB18 follow from the lowered design. LUTs and flip-flops are"
        " fitted, unit by unit: what a unit takes follows from bits, columns, ways and constants,"
        " how many there are of it from token rows and post-processors. About what each such"
        " quantity takes was read in netlists, by the names of nets; the measured designs mend it"
        " (ridge regression in relative error, towards what was read). What stores take is"
        " counted by shape.",
        "",
        "The base has designs of these families of shapes, drawn at random by `profile --shapes`"
        f" (bits by component, parts, sizes, options): {_listed(families)}.",
        "",
        "How far estimates may be off is told by designs of a family that the fit has not seen:"
        " each family is left out in turn. The standard deviation of these errors is"
        f" {predictor.spread['luts']:.1%} of the LUTs and {predictor.spread['ffs']:.1%} of the"
        " flip-flops, and 95 of 100 are in an interval, a design to come counted with those here:"
        f" ±{margins['luts']:.1%} of the LUTs and ±{margins['ffs']:.1%} of the flip-flops. Designs"
        f" of several token rows are {wider['luts']:.1f} and {wider['ffs']:.1f} times as far off,"
        " and so wide are their intervals. `estimate` says where a design has more of something"
        " than any that was measured, or is of another kind.",
        "",
        components,
        "",
        "Below are designs of the same families, none of which is in the base.",
        "",
        *(line for seed, rows in sets.items() for line in _section(rows, seed, designs)),
    ]
    return "\n".join(lines)


def _listed(families: Mapping[str, int]) -> str:
    """How many designs there are of each family, in words."""
    return ", ".join(f"{name} {families[name]}" for name in FAMILIES if families[name])


@click.command()
@click.option("--count", type=click.IntRange(1), default=COUNT, show_default=True)
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0),
    multiple=True,
    default=(BLIND,),
    show_default=True,
    help="Of a set; may be repeated.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one for each core.")
@click.option("--measured", is_flag=True, help="Measure nothing: leave out what was not.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(count, seeds, workers, measured, folder, write):
    """Predict and synthesize sets of COUNT random designs."""
    base = shipped_entries()
    predictor, known = Predictor(base), {entry.key for entry in base}
    sets: dict[int, list[Row]] = {}
    with open_pool(workers) as pool:
        for seed in seeds:
            with progress_bar() as bar:
                bar(0, count, f"measuring those of seed {seed}")
                jobs = draw(count, seed)
                rows = measure(jobs, folder, pool, predictor, bar, now=not measured)
            sets[seed] = rows
            if seen := [row.job.name for row in rows if row.found.key in known]:
                raise UserError(
                    f"seed must draw designs that are not in the base, not {', '.join(seen)}"
                )
            show(console(), COLUMNS, [row.texts() for row in rows])
            show(console(), FAMILY_COLUMNS, by_family(rows, base))
            for name, mean, worst in summary(rows):
                print(f"Seed {seed}, {name}: mean error {mean:.1%}, worst {worst:.1%}")
            for name in ("luts", "ffs"):
                print(
                    f"Seed {seed}, {name}: {covered(rows, name):.1%} within,"
                    f" half-width {half_width(rows, name):.1%}"
                )
    if write:
        REPORT.write_text(markdown(sets, base, predictor).rstrip() + "\n", encoding="utf-8")
        print(f"Wrote {REPORT}")
    sys.exit(0 if all(map(kept, sets.values())) else 1)


if __name__ == "__main__":
    run(main)
