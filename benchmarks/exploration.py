"""Searches on ETTh1 for the XC7S15 and the XC7S6: what they find, and which score finds more.

    python benchmarks/exploration.py                    all searches that are missing, then the page
    python benchmarks/exploration.py --parts xc7s15 --seeds 0 --only narrow --synthesis none
    python benchmarks/exploration.py --write            and docs/search.md written

Trainings do not depend on the part and are shared. Ctrl-C loses nothing: the same command goes on.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from exploration_measure import measure
from exploration_page import Key, markdown
from exploration_seeds import across, seeds_section
from rich.console import Console

from bitformer.estimate.knowledge import known_entries
from bitformer.estimate.predictor import Predictor
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits
from bitformer.search.plot import plot_search
from bitformer.search.request import SYNTHESES, SearchRequest
from bitformer.search.run import run_search
from bitformer.study.trials import Trial
from bitformer.study.workers import open_pool
from bitformer.synth.yosys import find_tool

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "search.md"
FOLDER = ROOT / "build" / "search"

CONFIG = "etth1-96-24"
SEEDS = (0, 1, 2)
PARTS = ("xc7s15", "xc7s6")
#: Uniform bits that candidates are held against.
BASELINES = ("4", "6", "8")
#: The published choices, and choices with weights narrower than activations.
PUBLISHED, NARROW, TWO = ("4", "6", "8"), ("2/8", "4", "4/8"), ("2/4", "2/6", "2/8")
#: Microseconds that cut half of the published choices off, by part.
FAST_US = {"xc7s15": 25.0, "xc7s6": 50.0}
#: Of the space that points 2 of the page's figures are for.
LARGE = "grid-12-32-4"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search that is run for every part and seed."""

    name: str
    bits: tuple[str, ...]
    says: str
    score: str = "loss"
    fast: bool = False
    top: int = 10


PLANS = (
    Plan(name="open", bits=PUBLISHED, says="4, 6, 8; the whole part"),
    Plan(name="narrow", bits=NARROW, says="2/8, 4, 4/8; the whole part"),
    Plan(name="two", bits=TWO, says="2/4, 2/6, 2/8; the whole part"),
    Plan(name="fast-loss", bits=PUBLISHED, fast=True, top=6, says="4, 6, 8; in time"),
    Plan(name="fast-bits", bits=PUBLISHED, score="bits", fast=True, top=6, says="the same by sum"),
)
#: Engines to choose from where the whole part is, beside the part's own: products a cycle.
LANES = {"xc7s15": 24, "xc7s6": 12}


SEARCHES = ", ".join(f"*{plan.name}* ({plan.says})" for plan in PLANS) + (
    f"; in time is {FAST_US['xc7s15']:g} µs on the XC7S15 and {FAST_US['xc7s6']:g} µs on the XC7S6,"
    " at 100 MHz, on the part's own engine; the others choose among that, the same unpacked, and"
    f" one of {LANES['xc7s15']} products a cycle on the XC7S15, of {LANES['xc7s6']} on the XC7S6"
)


def engines_of(part: str) -> tuple[Engine, ...]:
    """What a design is lowered on over all seeds: the part's own engine first."""
    most = {"xc7s15": (24, 20, 16, 14, 12), "xc7s6": (12, 6)}[part]
    return (Engine(), Engine(pack=False), *(Engine(lanes=lanes) for lanes in most))


def trial(config: TransformerConfig, seed: int) -> Trial:
    """The training of a configuration, as every plan has it."""
    return question(PLANS[0], PARTS[0], seed, None, 1, "none").trial(config)


def question(
    plan: Plan, part: str, seed: int, top: int | None, windows: int, synthesis: str
) -> SearchRequest:
    """What a plan asks for a part and a seed."""
    more = () if plan.fast else (Engine(pack=False), Engine(lanes=LANES[part]))
    return SearchRequest(
        config=named_config(CONFIG),
        source=DataSource(data="etth1"),
        limits=Limits(part=part, latency_us=FAST_US[part] if plan.fast else None),
        bits=tuple(map(Precision.parse, plan.bits)),
        baselines=tuple(map(Precision.parse, BASELINES)),
        score=plan.score,
        engines=(Engine(), *more),
        top=top or plan.top,
        seed=seed,
        windows=windows,
        synthesis=synthesis,
    )


def measured_space(kb: Path | None) -> dict[str, float]:
    """Seconds and megabytes of filtering and ranking the published space, in its own process."""
    command = [sys.executable, __file__, "--measure-space", *(("--kb", str(kb)) if kb else ())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _peak_megabytes() -> float:
    """Of this process; what ``getrusage`` says begins with the size of the one that started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _measure_space(kb: Path | None) -> dict[str, float]:
    """What :func:`measured_space` runs; sensitivities are made up, which changes no time."""
    from bitformer.search.candidates import CandidateSet, component_candidates
    from bitformer.search.selection import choose

    predictor, config = Predictor(known_entries(kb)), named_config(LARGE)
    bits = tuple(map(Precision.parse, PUBLISHED))
    added = {
        name: {one: 0.01 * place / one.weights for one in bits}
        for place, name in enumerate(config.components, start=1)
    }
    limits = Limits(latency_us=60.0)

    def timed(shape: TransformerConfig = config, **options: Any) -> tuple[CandidateSet, int, float]:
        started = time.perf_counter()
        field = component_candidates(shape, bits, added, predictor, limits, **options)
        chosen = choose(field.outcomes, limits, field.loss, 5, uniform=field.uniform, out=field.out)
        return field, len(chosen), time.perf_counter() - started

    field, chosen, seconds = timed()
    megabytes = _peak_megabytes()
    with open_pool(2) as pool:
        engines = (Engine(), Engine(pack=False))
        timed(named_config("tiny"), engines=engines, pool=pool)  # a search's workers run by then
        *_, both = timed(engines=engines, pool=pool)
    return {
        "combinations": field.combinations,
        "chosen": chosen,
        "seconds": seconds,
        "megabytes": megabytes,
        "both_seconds": both,
    }


@click.command()
@click.option("--seeds", default=",".join(map(str, SEEDS)), show_default=True)
@click.option("--parts", default=",".join(PARTS), show_default=True)
@click.option("--only", multiple=True, help="A search's name; may be repeated.")
@click.option("--top", type=click.IntRange(1), help="Candidates a search trains [6 or 10].")
@click.option("--windows", type=click.IntRange(1), default=2, show_default=True)
@click.option("--synthesis", type=click.Choice(SYNTHESES), default="chosen", show_default=True)
@click.option("--measure", is_flag=True, help="Synthesize uniform bits, and what beats them.")
@click.option("--all-seeds", is_flag=True, help="Train what was found for one seed for all.")
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--scheduler", help="Address of a Dask scheduler.")
@click.option("--kb", type=click.Path(path_type=Path), help="Knowledge base [the user's].")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
@click.option("--measure-space", is_flag=True, help="Time and memory of a large space alone.")
def main(seeds, parts, only, top, windows, workers, scheduler, kb, folder, write, **more) -> None:
    """Run what is missing and print the page."""
    if more["measure_space"]:
        click.echo(json.dumps(_measure_space(kb)))
        return
    synthesis = more["synthesis"]
    plans = [plan for plan in PLANS if not only or plan.name in only]
    if unknown := set(only) - {plan.name for plan in PLANS}:
        raise UserError(f"--only must be of {[plan.name for plan in PLANS]}, not {sorted(unknown)}")
    predictor, tool = (
        Predictor(known_entries(kb)),
        "" if synthesis == "none" else find_tool().version,
    )
    results: dict[Key, dict[str, Any]] = {}
    with open_pool(workers, scheduler) as pool:
        for part in parts.split(","):
            for plan in plans:
                for seed in map(int, seeds.split(",")):
                    name = f"{plan.name}-{part}-{seed}"

                    def report(done: int, total: int, text: str, name: str = name) -> None:
                        print(f"{name}: {done} of {total}, {text}", file=sys.stderr, flush=True)

                    found = run_search(
                        question(plan, part, seed, top, windows, synthesis),
                        folder / name,
                        pool,
                        predictor,
                        trials=folder / "trials",
                        tool=tool,
                        progress=report,
                    )
                    entries = found.pop("entries")
                    (folder / name / "entries.json").write_text(json.dumps(entries))
                    plot_search(found, folder / name / "pareto.png")
                    results[plan.name, part, seed] = found
        measured = measure(results, folder / "trials", pool) if more["measure"] else {}
        shape, trials = named_config(CONFIG), folder / "trials"
        engines = {part: engines_of(part) for part in PARTS}
        over = []
        if more["all_seeds"]:
            designs = across(results, shape, trial, engines, trials, pool, predictor)
            over = seeds_section(designs)
    text = markdown(results, measured_space(kb), SEARCHES, CONFIG, LARGE, measured, over)
    Console().print(text, markup=False, soft_wrap=True)
    if write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except UserError as error:
        sys.exit(f"Error: {error}")
