"""Results placed one by one, beside stores placed as a whole: what each takes.

    python benchmarks/result_places.py --synthesize all --write    the table in docs/placement.md
    python benchmarks/result_places.py --synthesize automatic      of the four ways two
    python benchmarks/result_places.py --samples 0                 lowered alone

Four ways for each design: all memories in block RAM, all in LUTs, automatic by store, automatic by
result. Of what is not synthesized memories are counted by shape. Ctrl-C loses nothing: what was
measured is not measured again unless the hardware changed.
"""

import sys
from pathlib import Path

import click
from lanes import put
from measure import Results, measure
from rich.console import Console
from running import measuring, run
from tables import console, grouped, markdown_table, show, yes

from bitformer.estimate.remedies import everywhere
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "placement.md"
RESULTS = ROOT / "build" / "benchmarks" / "result_places.jsonl"

#: The hardest of the grid on an XC7S15, and what an XC7S6 holds of it only so.
DESIGNS = (("grid-24-64-8", "xc7s15"), ("grid-18-64-6", "xc7s15"), ("grid-18-64-4", "xc7s6"))
SYNTHESIZED = ("none", "automatic", "all")
COLUMNS = (
    *("config", "part", "placed", "LUT", "as memory", "FF", "RAMB18", "DSP", "cycles"),
    *("as predicted", "bit-exact", "levels", "short", "over"),
)
#: Resources, as records and as parts name them.
TAKEN = {
    "luts": "luts",
    "luts_as_memory": "lutram_luts",
    "ffs": "ffs",
    "ramb18": "ramb18",
    "dsps": "dsps",
}
NAMES = dict(zip(TAKEN, ("LUT", "as memory", "FF", "RAMB18", "DSP"), strict=True))


def ways_of(config: str, part: str) -> dict[str, dict[str, str]]:
    """The placements that are compared, by their names."""
    design = lower(initialize(named_config(config)), part=part)
    return {
        "all in block RAM": everywhere(design, "block"),
        "all in LUTs": everywhere(design, "distributed"),
        "automatic, by store": {},
        "automatic, by result": {"results": "auto"},
    }


def over(part: str, taken: dict) -> str:
    """What the part has too little of."""
    most = {name: getattr(PARTS[part], there) for name, there in TAKEN.items()}
    found = [f"{NAMES[n]} +{taken[n] - most[n]}" for n in most if taken[n] > most[n]]
    return ", ".join(found) or "fits"


def counted(config: str, part: str, placement: dict[str, str]) -> str:
    """What memories alone have too little of, by their shapes."""
    design = lower(initialize(named_config(config)), part=part, placement=placement)
    found = [f"{use.resource} +{use.over}" for use in estimate(design).over]
    return f"{', '.join(found) or 'nothing'}, of memories alone"


def row_of(config: str, part: str, way: str, found: dict) -> list[str]:
    """A design's texts for all but the last of ``COLUMNS``."""
    said, taken = found["simulation"], found["synthesis"]
    exact = said and said["bit_exact"] and said["bit_exact_held"]
    return [
        *(config, part, way),
        *(grouped(taken[name]) if taken else "–" for name in TAKEN),
        grouped(found["latency"]),
        yes(said and said["as_predicted"]),
        f"{yes(exact)} ({said['samples']})" if said else "–",
        str(taken["levels"]) if taken else "–",
        yes(taken and taken["short"]),
    ]


@click.command()
@measuring(RESULTS)
@click.option(
    "--synthesize",
    type=click.Choice(SYNTHESIZED),
    default="none",
    show_default=True,
    help="The ways of which resources and logic depth are found, too.",
)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(configs, engine, samples, seed, synthesize, results, write):
    """Measure CONFIGS in four placements; those by result are simulated, too."""
    err, store, rows, good = Console(stderr=True, highlight=False), Results(results), [], True
    for config, part in DESIGNS:
        if configs and config not in configs:
            continue
        for way, placement in ways_of(config, part).items():
            own = "results" in placement
            wanted = synthesize == "all" or (synthesize == "automatic" and "auto" in way)
            with err.status(f"{config}, {way}") as status:

                def note(text: str, name: str = f"{config}, {way}", status=status) -> None:
                    status.update(f"{name}: {text}")

                found = measure(
                    config,
                    store,
                    part=part,
                    engine=engine,
                    samples=samples if own else 0,
                    seed=seed,
                    with_synthesis=wanted,
                    note=note,
                    placement=placement,
                )
            said, taken = found["simulation"], found["synthesis"]
            short = over(part, taken) if taken else counted(config, part, placement)
            rows.append([*row_of(config, part, way, found), short])
            kept = not said or all(
                said[name] for name in ("as_predicted", "bit_exact", "bit_exact_held")
            )
            # the one that is told of fits
            kept &= not own or not taken or short == "fits"
            good &= kept
            err.print(f"{config}, {way}: {short}{'' if kept else ', NOT kept'}")
    show(console(), COLUMNS, rows)
    if write:
        page = put(REPORT.read_text(encoding="utf-8"), "results", markdown_table(COLUMNS, rows))
        REPORT.write_text(page, encoding="utf-8")
        err.print(f"Wrote {REPORT}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    run(main)
