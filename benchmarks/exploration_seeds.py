"""What searches of single seeds found, trained on all of them: means of errors and of costs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from exploration_page import Key, best, cases

from bitformer.estimate.features import quantities
from bitformer.estimate.power import inference_j
from bitformer.estimate.predictor import Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.checkpoint import load_model
from bitformer.model.config import TransformerConfig
from bitformer.model.precision import Precision
from bitformer.search.engine import Engine
from bitformer.search.selection import COSTS
from bitformer.study.sensitivity import existing
from bitformer.study.trials import Trial, run_trials
from bitformer.study.workers import WorkerPool

__all__ = ["Design", "across", "seeds_section"]

FIELDS = {
    "No more of anything": COSTS,
    "No more time or energy": ("latency", "energy_j"),
}


@dataclass(frozen=True, kw_only=True)
class Design:
    """Bits on an engine and a part: its mean validation error, and its mean costs, over seeds.

    ``uniform`` : its bits if they are the same everywhere.
    """

    bits: str
    engine: str
    part: str
    uniform: str | None
    val: float
    costs: Mapping[str, float]

    @property
    def fits(self) -> bool:
        """Whether the part has enough of everything, by the means."""
        part = PARTS[self.part]
        most = (part.luts, part.lutram_luts, part.ramb18, part.dsps)
        names = ("luts", "lutram", "ramb18", "dsps")
        return all(self.costs[name] <= bound for name, bound in zip(names, most, strict=True))


def _facts(model: str, part: str, engine: Engine) -> dict[str, int]:
    """A worker's task: what a trained model's costs are predicted from."""
    design = lower(load_model(Path(model)), part=part, **asdict(engine))
    found = {name: int(value) for name, value in quantities(design).items()}
    return found | {"latency": design.latency, "dsps": design.geometry.dsps}


def _found(results: Mapping[Key, Mapping[str, Any]], shape: TransformerConfig):
    """The configurations that beat something, or were the best of a search; and uniform ones."""
    names: dict[str, Mapping[str, str]] = {}
    uniform: dict[str, str] = {}
    for _, _, baseline, own in cases(results):
        uniform[baseline["name"]] = baseline["why"]
        names[baseline["name"]] = baseline["widths"]
        for field in ("beats", "beats_in_time_and_energy"):
            if (one := best(own, baseline["why"], field, {})) is not None:
                names[one[1]["name"]] = one[1]["widths"]
    for result in results.values():
        for one in result["candidates"][:1]:
            names[one["name"]] = one["widths"]
    for name, widths in sorted(names.items()):
        precision = {component: Precision.parse(widths[component]) for component in existing(shape)}
        yield shape.replace(name=name, precision=precision), uniform.get(name)


def across(
    results: Mapping[Key, Mapping[str, Any]],
    shape: TransformerConfig,
    trial: Callable[[TransformerConfig, int], Trial],
    engines: Mapping[str, Sequence[Engine]],
    folder: Path,
    pool: WorkerPool,
    predictor: Predictor,
) -> list[Design]:
    """Every design that was found, on every engine of every part.

    ``trial`` : of a configuration and a seed. ``folder`` has trainings, and gets what was lowered.
    """
    seeds = sorted({seed for *_, seed in results})
    configs = list(_found(results, shape))
    trials = [trial(config, seed) for config, _ in configs for seed in seeds]
    outcomes = run_trials(
        trials, folder, pool, lambda done, total, text: print(f"{done} of {total}: {text}")
    )
    path = folder / "lowered.json"
    known: dict[str, dict[str, int]] = json.loads(path.read_text()) if path.exists() else {}

    def key_of(outcome, part: str, engine: Engine) -> str:
        return " ".join(filter(None, (outcome.trial.key, part, str(engine))))

    tasks = {}
    parts = sorted({part for _, part, _ in results})
    for number, outcome in enumerate(outcomes):
        plain = configs[number // len(seeds)][1] is None
        for part in parts:
            for engine in engines[part] if plain else engines[part][:1]:
                if (key := key_of(outcome, part, engine)) not in known:
                    tasks[key] = str(outcome.model), part, engine
    for key, facts in pool.run(_facts, tasks):
        known[key] = facts
    path.write_text(json.dumps(known) + "\n")
    designs = []
    for number, (config, uniform) in enumerate(configs):
        own = outcomes[number * len(seeds) : (number + 1) * len(seeds)]
        for part in parts:
            for engine in engines[part] if uniform is None else engines[part][:1]:
                costs = [_costs(known[key_of(one, part, engine)], part, predictor) for one in own]
                designs.append(
                    Design(
                        bits=config.name.removeprefix(f"{shape.name}-"),
                        engine=str(engine),
                        part=part,
                        uniform=uniform,
                        val=mean(one.val for one in own),
                        costs={name: mean(cost[name] for cost in costs) for name in costs[0]},
                    )
                )
    return designs


def _costs(facts: Mapping[str, int], part: str, predictor: Predictor) -> dict[str, float]:
    taken = {name: int(value) for name, value in predictor.counts(facts).items()}
    taken |= {name: facts[name] for name in ("ramb18", "dsps", "latency")}
    return taken | {"energy_j": float(inference_j(part, taken))}


def winners(
    designs: Sequence[Design], names: Sequence[str]
) -> Iterator[tuple[Design, Design | None]]:
    """Each uniform design, and the one with the least error of those with a lesser one than it
    that fit and cost no more of ``names``."""
    for one in designs:
        if one.uniform is None:
            continue
        better = [
            other
            for other in designs
            if other.uniform is None
            and other.part == one.part
            and other.fits
            and other.val < one.val
            and all(other.costs[name] <= one.costs[name] for name in names)
        ]
        yield one, min(better, key=lambda other: (other.val, other.costs["energy_j"]), default=None)


def seeds_section(designs: Sequence[Design]) -> list[str]:
    """A part of the page."""
    lines = [
        "## Over the seeds",
        "",
        "What beat something, or was a search's best, for one seed, trained for all of them, and"
        " lowered on several engines: means over the seeds, of errors and of costs (LUTs are"
        " predicted).",
        "",
    ]
    for title, names in FIELDS.items():
        found = list(winners(designs, names))
        won = sum(better is not None for _, better in found)
        lines += [
            f"{title}: beaten in {won} of {len(found)} cases.",
            "",
            "| part | uniform | val. MSE | better | val. MSE | LUT | as memory | RAMB18 | DSP |"
            " cycles | µJ |",
            "|" + " --- |" * 11,
        ]
        for one, better in sorted(found, key=lambda pair: (pair[0].part, pair[0].bits)):
            start = f"| {one.part} | {one.uniform} | {one.val:.5f} |"
            if better is None:
                lines.append(f"{start} **none**" + " | –" * 7 + " |")
                continue
            cells = [
                f"{one.costs[name]:.0f} → {better.costs[name]:.0f}"
                for name in ("luts", "lutram", "ramb18", "dsps", "latency")
            ]
            joules = " → ".join(f"{each.costs['energy_j'] * 1e6:.3f}" for each in (one, better))
            name = " ".join(filter(None, (f"`{better.bits}`", better.engine)))
            change = f"{better.val:.5f} ({better.val / one.val - 1:+.1%})"
            lines.append(f"{start} {name} | {change} | {' | '.join(cells)} | {joules} |")
        lines.append("")
    return lines
