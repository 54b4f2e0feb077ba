"""The open questions of searches over bits, on three data sets: which search finds better models.

    python benchmarks/exploration.py                    all that is missing, then the page
    python benchmarks/exploration.py --seeds 0 --only ozone-w4
    python benchmarks/exploration.py --show --write     docs/search.md of what is there

Ctrl-C loses nothing: the same command goes on. What was trained is never trained again.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from accuracy_rows import ROWS, Row
from exploration_nsga import evolved
from exploration_page import MOST, PART, UNIFORM, markdown
from routing_page import kept_section, with_section
from running import run

from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.predictor import Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model
from bitformer.model.config import TransformerConfig
from bitformer.model.data.datasets import load_source
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.initialize import initialize
from bitformer.model.own_data import evenly
from bitformer.model.precision import Precision
from bitformer.search.candidates import component_candidates
from bitformer.search.engine import Engine
from bitformer.search.limits import RESOURCES, Limits
from bitformer.search.request import SearchRequest
from bitformer.search.shortlist import shortlist
from bitformer.search.verification import Bench, verify_all
from bitformer.study.sensitivity import alone_trials
from bitformer.study.trials import Outcome, run_trials
from bitformer.study.workers import WorkerPool, open_pool
from bitformer.synth.yosys import find_tool

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "search.md"
FOLDER = ROOT / "build" / "search"

CLOCK = 100e6
SETS = {"etth1-96-w4": "ETTh1", "ozone-w4": "Beijing ozone", "traffic-w4": "I-94 traffic"}
SEEDS = (0, 1, 2)
#: Trainings of a search, beside the uniform ones; windows of a simulation.
TOP, WINDOWS = 4, 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search: bits of a component to choose from, and what ranks designs."""

    name: str
    bits: tuple[str, ...] = ("4", "6", "8")
    score: str = "loss"


PLANS = (
    Plan(name="loss"),
    Plan(name="two", bits=("4", "6")),
    Plan(name="schemes", bits=("1/8", "2/8", "4p/8", "4/8", "4")),
    Plan(name="bits", score="bits"),
    Plan(name="nsga"),
)


def limits_of(config: TransformerConfig, predictor: Predictor) -> Limits:
    """:data:`MOST` times what uniform 4 bits take, in cycles and LUTs; of the rest, the part."""
    plain = config.replace(default=Precision.parse("4"), precision={}, tensors={})
    counts = predictor.predict(lower(initialize(plain), part=PART)).counts
    microseconds = MOST * counts["latency"] / CLOCK * 1e6
    luts = int(MOST * counts["luts"])
    return Limits(part=PART, latency_us=microseconds, luts=luts, clock_hz=CLOCK)


def question(row: Row, plan: Plan, limits: Limits, seed: int, top: int) -> SearchRequest:
    """What a plan asks. Nothing is spent on beating uniform bits, which are trained apart."""
    candidate = row.candidates[0]
    return SearchRequest(
        config=candidate.config.replace(precision={}, tensors={}),
        source=row.source,
        limits=limits,
        bits=tuple(map(Precision.parse, plan.bits)),
        baselines=(),
        score="bits" if plan.score == "bits" else "loss",
        top=top,
        seed=seed,
        settings=candidate.settings,
    )


def costs(outcome: Outcome, predictor: Predictor) -> dict[str, int]:
    """What a trained model is predicted to take of the part, and its cycles."""
    if outcome.model is None:
        raise UserError(f"Training {outcome.trial.key} must have a model, but it diverged")
    counts = predictor.predict(lower(load_model(outcome.model), part=PART)).counts
    return {name: int(counts[name]) for name in (*RESOURCES, "latency")}


class Explorer:
    """Runs searches into a folder, and reads what is there."""

    def __init__(self, folder: Path, pool: WorkerPool, predictor: Predictor, top: int):
        self._folder, self._pool, self._predictor, self._top = folder, pool, predictor, top
        self._trials = folder / "trials"

    def path(self, row: Row, seed: int) -> Path:
        """The file of what came out of a set and a seed."""
        return self._folder / f"{row.key}-{seed}-{self._top}.json"

    def cell(self, row: Row, seed: int) -> dict[str, Any]:
        """All searches of a set and a seed; kept in a file when they are done."""
        path = self.path(row, seed)
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        config = row.candidates[0].config
        limits = limits_of(config, self._predictor)
        asked = {plan.name: question(row, plan, limits, seed, self._top) for plan in PLANS}
        uniform = [asked["loss"].trial(one) for one in self._uniform(asked["loss"])]
        outcomes = run_trials(uniform, self._trials, self._pool, _tell(row, seed, "uniform"))
        named = zip(UNIFORM, outcomes, strict=True)
        found: dict[str, Any] = {
            "set": SETS[row.key],
            "seed": seed,
            "trained": self._top,
            "limits": {"cycles": limits.cycles, "luts": limits.luts},
            "float": outcomes[0].float_val,
            "uniform": {bits: self._entry(one) for bits, one in named},
            "searches": {},
        }
        for plan in PLANS:
            tell = _tell(row, seed, plan.name)
            trials = self._chosen(row, plan, asked[plan.name], seed, tell)
            done = run_trials(trials, self._trials, self._pool, tell)
            entries = [self._entry(one) for one in done]
            found["searches"][plan.name] = sorted(entries, key=lambda one: one["val"])
        found["proofs"] = self._proofs(row, found) if seed == SEEDS[0] else []
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found, indent=1) + "\n")
        return found

    def _uniform(self, asked: SearchRequest) -> Iterator[TransformerConfig]:
        bits = tuple(map(Precision.parse, UNIFORM))
        added = dict.fromkeys(asked.config.components, dict.fromkeys(bits, 0.0))
        field = component_candidates(
            asked.config, bits[:1], added, self._predictor, asked.limits, baselines=bits
        )
        for number in field.uniform.values():
            yield field.config_of(number)

    def _chosen(self, row: Row, plan: Plan, asked: SearchRequest, seed: int, tell) -> list:
        """The trainings that a plan spends on a set."""
        if plan.name == "nsga":

            def error_of(config: TransformerConfig) -> float:
                return run_trials([asked.trial(config)], self._trials, self._pool, tell)[0].val

            return [asked.trial(one) for one in evolved(asked, self._predictor, error_of)]
        wanted = alone_trials(
            asked.config, row.source, asked.bits, seed=seed, settings=asked.settings
        )
        outcomes = run_trials(wanted.values(), self._trials, self._pool, tell)
        added: dict[str, dict[Precision, float]] = {}
        for (name, bits), one in zip(wanted, outcomes, strict=True):
            added.setdefault(name, {})[bits] = one.val - one.float_val
        place = self._folder / f"{row.key}-{seed}-{plan.name}-{self._top}"
        place.mkdir(parents=True, exist_ok=True)
        choice = shortlist(asked, added, place, self._predictor, self._pool, tell)
        configs = [TransformerConfig.from_dict(one["config"]) for one in choice["designs"]]
        return [asked.trial(one) for one in configs]

    def _entry(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "name": outcome.trial.config.name,
            "model": str(outcome.model),
            "val": outcome.val,
            "costs": costs(outcome, self._predictor),
        }

    def _proofs(self, row: Row, found: dict[str, Any]) -> list[dict[str, Any]]:
        """Simulate and synthesize uniform 4 bits, and the best of two searches."""
        searches = found["searches"]
        best = [found["uniform"]["4"], searches["loss"][0], searches["schemes"][0]]
        val = load_source(row.source, row.candidates[0].config).val
        some = val.take(evenly(WINDOWS, len(val)))
        bench = Bench(windows=some.x, clock=some.clock, part=PART, tool=find_tool().version)
        records = verify_all(
            {one["name"]: (Path(one["model"]), Engine()) for one in best},
            bench,
            self._folder / "proofs",
            self._pool,
            progress=_tell(row, 0, "proofs"),
        )
        made = {one["name"]: one for one in best}
        return [
            {
                "name": name,
                "predicted": made[name]["costs"],
                "synthesized": {n: record["synthesis"][n] for n in RESOURCES},
                "exact": record["bit_exact"],
                "on_time": record["cycles_as_predicted"],
            }
            for name, record in records.items()
        ]


def _tell(row: Row, seed: int, what: str):
    def tell(done: int, total: int | None, text: str) -> None:
        print(f"{row.key} {seed} {what}: {done} of {total} {text}", file=sys.stderr, flush=True)

    return tell


@click.command()
@click.option("--seeds", default=",".join(map(str, SEEDS)), show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*SETS]), help="May be repeated.")
@click.option("--top", type=click.IntRange(1), default=TOP, show_default=True, help="Trainings.")
@click.option("--show", is_flag=True, help="Train nothing: the page of what is there.")
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(seeds, only, top, show, workers, folder, write) -> None:
    """Run what is missing and print the page."""
    rows = [row for row in ROWS if row.key in (only or SETS)]
    cells = []
    with open_pool(1 if show else workers) as pool:
        explorer = Explorer(folder, pool, Predictor(shipped_entries()), top)
        for seed in map(int, seeds.split(",")):
            for row in rows:
                if not show or explorer.path(row, seed).is_file():
                    cells.append(explorer.cell(row, seed))
    if not cells:
        raise UserError(f"--folder must have results, but {folder} has none: leave --show out")
    text = markdown(cells, len(SETS) * len(SEEDS))
    click.echo(text)
    if write:
        before = REPORT.read_text(encoding="utf-8") if REPORT.is_file() else ""
        if section := kept_section(before):
            text = with_section(text, section)
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
