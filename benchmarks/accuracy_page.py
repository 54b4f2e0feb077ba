"""docs/accuracy.md from what was measured; what was not says so."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accuracy_cells import PART
from accuracy_ensembles import ENSEMBLES
from accuracy_rows import AS_TRAINED, RECIPE_ROWS, RECIPES, SEEDS, Candidate, Row
from tables import markdown_table

from bitformer.study.trials import Outcome

__all__ = ["COLUMNS", "Measured", "markdown", "table_row"]

UNKNOWN = "not measured"
HIDDEN = " (of the target's past, which the model does not see)"
COLUMNS = (
    "model",
    "weights, activations",
    "integers",
    "float32",
    "must",
    "aim",
    "against the best line",
    "bit-exact",
    "cycles",
    "µJ",
    "parameters",
    "MACs",
    f"fits {PART.upper()}",
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of a row: its chosen candidate, a record for each seed, and the best on a part.

    ``seeds`` : outcomes and records of those that were trained. ``part`` : of the model of smallest
    validation error. ``tried`` : candidates that were trained with the first seed.
    """

    row: Row
    candidate: Candidate
    tried: int = 1
    seeds: Sequence[tuple[Outcome, Mapping[str, Any]]] = ()
    part: Mapping[str, Any] | None = None

    @property
    def errors(self) -> list[float]:
        """Test MSE of the integer models, by seed."""
        return [record["test"] for _, record in self.seeds]

    def reached(self, most: float | None) -> str:
        """Whether the mean error is at most a figure of four decimals."""
        if most is None:
            return "–"
        if len(self.seeds) < len(SEEDS):
            return f"≤ {most:.4f}"
        good = round(statistics.mean(self.errors), 4) <= most
        return f"≤ {most:.4f} {'reached' if good else '**missed**'}"


def spread(values: Sequence[float]) -> str:
    """Mean and sample deviation."""
    if not values:
        return UNKNOWN
    said = f"{statistics.mean(values):.4f}"
    if len(values) < len(SEEDS):
        return f"{said} ({len(values)} of {len(SEEDS)} seeds)"
    return f"{said} ± {statistics.stdev(values):.4f}"


def _verdict(found: Measured) -> str:
    verdicts = [record["verdict"] for _, record in found.seeds if record["verdict"]]
    if not verdicts:
        return UNKNOWN
    outcomes = [verdict["outcome"] for verdict in verdicts]
    said = outcomes[0] if len(set(outcomes)) == 1 else ", ".join(outcomes)
    parts = [verdict["relative"] for verdict in verdicts if verdict["relative"] is not None]
    return f"{said} ({100 * statistics.mean(parts):+.1f} %)" if parts else said


def table_row(found: Measured) -> list[str]:
    """A row's texts for :data:`COLUMNS`."""
    config, part = found.candidate.config, found.part

    def of(tell: Callable[[Mapping[str, Any]], str]) -> str:
        return UNKNOWN if part is None else part.get("error") or tell(part)

    def exact(part: Mapping[str, Any]) -> str:
        good = part["exact"] and part["as_predicted"]
        return f"all {part['windows']} windows" if good else "**NO**"

    among, name = len(found.row.candidates), config.name
    if among > 1:
        rest = "" if found.tried == among else f" ({among - found.tried} more not measured)"
        name = f"{name}, the best of {found.tried} by validation{rest}"
    return [
        name,
        f"{config.default.weights}, {config.default.activations} bit",
        spread(found.errors),
        spread([outcome.float_test for outcome, _ in found.seeds]),
        found.reached(found.row.must),
        found.reached(found.row.aim),
        _verdict(found),
        of(exact),
        of(lambda part: f"{part['latency']}"),
        of(lambda part: UNKNOWN if part["energy_uj"] is None else f"{part['energy_uj']:.2f}"),
        of(lambda part: f"{part['parameters']}"),
        f"{config.macs}",
        of(lambda part: "yes" if part["fits"] else "**no**"),
    ]


def _floors(group: Sequence[Measured]) -> Iterator[str]:
    """A task's forecasts that need no network of ours, the best first."""
    own: dict[str, float] = {}
    cited: dict[str, float] = {}
    for found in group:
        cited |= found.row.cited
        for _, record in found.seeds:
            hidden = "" if record["target_seen"] else HIDDEN
            for name, mse in record["baselines"].items():
                if mse is not None:
                    own[name + (hidden if name.startswith("repeat") else "")] = mse
    said = [(mse, f"{name} {mse:.4f}") for name, mse in own.items()]
    said += [(mse, f"{name} {mse:.4f} (measured before)") for name, mse in cited.items()]
    if said:
        yield "Without a network of ours: " + ", ".join(text for _, text in sorted(said)) + "."
    options = {
        found.candidate.config.name: ", ".join(
            f"{name} {one}" for name, one in found.candidate.settings.items()
        )
        for found in group
    }
    for name, asked in options.items():
        if asked:
            yield f"{name} is trained with {asked}."


def _recipes(errors: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """What was tried, on the validation windows, and what of it improves all of them."""
    every = tuple(row.key for row in RECIPE_ROWS)
    tried = {recipe.name: recipe.rows for recipe in RECIPES} | dict.fromkeys(ENSEMBLES, every)
    rows, better = [], []
    for name, keys in tried.items():
        known = {key: errors.get((name, key)) for key in every}
        shown = [UNKNOWN if error is None else f"{error:.5f}" for error in known.values()]
        rows.append(
            [name, *(one if key in keys else "–" for one, key in zip(shown, every, strict=True))]
        )
        if all(_improves(known[key], errors.get((AS_TRAINED, key))) for key in every):
            better.append(name)
    yield from markdown_table(("recipe", *every), rows)
    yield ""
    yield (
        "A default would change for what improves all four sets. That is"
        f" {' and '.join(better) or 'nothing of it'}."
    )


def _improves(error: float | None, usual: float | None) -> bool:
    return error is not None and usual is not None and error < usual


def markdown(measured: Iterable[Measured], recipes: Mapping[tuple[str, str], float]) -> str:
    """The whole page."""
    measured = list(measured)
    lines = [
        "# What the models forecast",
        "",
        "Written by `python benchmarks/accuracy.py --write`, which goes on where it was. Errors are"
        " the test MSE of standardised forecasts, of the integer model and of the float model that"
        f" it comes from: mean and deviation of {len(SEEDS)} seeds. Everything is selected on"
        " validation windows, among several models by those of seed 0, and the test windows are"
        " seen once. *Must* and *aim* are figures set"
        " beforehand. *Against the best line*: whether the integer model of each seed wins, ties or"
        " loses against the best forecast that needs no network, by a paired block bootstrap, and"
        " by how much of its error on the average.",
        "",
        f"Of the seeds, the model of smallest validation error is lowered for the {PART.upper()}:"
        " all of its test windows go through the compiled design, every element of every tensor"
        " compared; cycles are those of a forecast, energy is the model of `bitformer estimate` at"
        " 100 MHz. The bits are those of most layers. The linear path has weights of 8 bits, and so"
        " has the last layer; the first of a `-w2` model keeps 4; in `etth1-48-24-ed`, which has no"
        " path, `Linput`, `Dinput`, `CMHA` and `Loutput` keep 16.",
    ]
    tasks: dict[str, list[Measured]] = {}
    for found in measured:
        tasks.setdefault(found.row.task, []).append(found)
    for task, group in tasks.items():
        lines += ["", f"## {task}", ""]
        lines += markdown_table(COLUMNS, [table_row(found) for found in group])
        lines += _floors(group)
    lines += [
        "",
        "## What was tried",
        "",
        "Validation MSE of the integer model, seed 0, weights of 4 bits; the test windows were not"
        " looked at. `python benchmarks/accuracy.py --recipes` trains what is missing.",
        "",
        *_recipes(recipes),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"
