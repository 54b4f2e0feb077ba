"""docs/tasks.md from what was measured; what was not says so."""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tables import markdown_table
from tasks_rows import SEEDS, TaskRow

__all__ = ["COLUMNS", "SCORES", "markdown", "mean_f1", "table_row"]

UNKNOWN = "not measured"
#: The records of a row, by seed, a list over its folds.
Records = Mapping[int, Sequence[Mapping[str, Any] | None]]
Part = Mapping[str, Any] | None
COLUMNS = (
    *("protocol", "F1, mean over persons", "must", "aim", "of the seed that validation chooses"),
    *("accuracy", "bit-exact"),
    *("cycles", "µJ", "MACs", "fits XC7S15"),
)
#: What a classifier's answers are scored by, and what that is called.
SCORES = {"mean_group_f1": "F1, mean over persons", "weighted_f1": "F1, all windows"}
SCORES |= {"accuracy": "accuracy"}
#: The integer model's name among a record's models.
OURS = "integer"


def whole(records: Records) -> dict[int, list[Mapping[str, Any]]]:
    """The seeds of which every fold was measured, with their records."""
    return {
        seed: [one for one in folds if one is not None]
        for seed, folds in records.items()
        if None not in folds
    }


def mean_f1(folds: Sequence[Mapping[str, Any]], score: Callable[[Mapping[str, Any]], Any]) -> float:
    """Mean of the persons' weighted F1, over all folds; ``score`` picks who answers."""
    return statistics.mean(f1 for one in folds for f1 in score(one)["group_f1"].values())


def _own(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return record["scores"][OURS]


def _mean(folds: Sequence[Mapping[str, Any]], name: str, of: str = "") -> float | None:
    """A score over all folds: the mean over persons, or over folds by their windows."""
    scores = [_own(one) if not of else one["baselines"].get(of) for one in folds]
    if None in scores:
        return None
    if name == "mean_group_f1":
        return statistics.mean(f1 for one in scores for f1 in one["group_f1"].values())
    counts = [one["test_windows"] for one in folds]
    total = sum(one[name] * count for one, count in zip(scores, counts, strict=True))
    return total / sum(counts)


def spread(values: Sequence[float]) -> str:
    """Mean and sample deviation over seeds."""
    if not values:
        return UNKNOWN
    said = f"{statistics.mean(values):.3f}"
    if len(values) < len(SEEDS):
        return f"{said} ({len(values)} of {len(SEEDS)} seeds)"
    return f"{said} ± {statistics.stdev(values):.3f}"


def _reached(least: float | None, values: Sequence[float]) -> str:
    if least is None:
        return "–"
    if len(values) < len(SEEDS):
        return f"≥ {least:.2f}"
    good = statistics.mean(values) >= least
    return f"≥ {least:.2f} {'reached' if good else '**missed**'}"


def table_row(row: TaskRow, records: Records, part: Part) -> list[str]:
    """A row's texts for :data:`COLUMNS`."""
    seeds = whole(records).values()
    f1 = [mean_f1(folds, _own) for folds in seeds]
    accuracy = [_mean(folds, "accuracy") or 0.0 for folds in seeds]

    def of(tell: Callable[[Mapping[str, Any]], str]) -> str:
        return UNKNOWN if part is None else tell(part)

    def exact(part: Mapping[str, Any]) -> str:
        good = part["exact"] and part["as_predicted"]
        return f"all {part['windows']} windows, the class too" if good else "**NO**"

    return [
        row.title,
        spread(f1),
        _reached(row.must, f1),
        _reached(row.aim, f1),
        _of_best(records),
        spread(accuracy),
        of(exact),
        of(lambda part: f"{part['latency']}"),
        of(lambda part: UNKNOWN if part["energy_uj"] is None else f"{part['energy_uj']:.2f}"),
        of(lambda part: f"{part['macs']}"),
        of(lambda part: "yes" if part["fits"] else "**no**"),
    ]


def _of_best(records: Records) -> str:
    """The F1 of the seed of least validation error, mean over folds, which one would build."""
    seeds = list(whole(records).values())
    if len(seeds) < len(SEEDS):
        return UNKNOWN

    def error(folds: Sequence[Mapping[str, Any]]) -> float:
        return statistics.mean(one["validation"]["integer"] for one in folds)

    return f"{mean_f1(min(seeds, key=error), _own):.3f}"


def _baselines(records: Records) -> list[list[str]]:
    """What needs no network of ours, on the same windows; the MLP is of the first seed."""
    folds = whole(records).get(SEEDS[0])
    if not folds:
        return []
    rows = []
    for name in folds[0]["baselines"]:
        scores = [_mean(folds, score, name) for score in SCORES]
        rows.append([name, *(UNKNOWN if one is None else f"{one:.3f}" for one in scores)])
    return sorted(rows, key=lambda one: one[1])


def _persons(records: Records) -> str:
    """The weighted F1 of each person, mean over seeds."""
    found: dict[str, list[float]] = {}
    for folds in whole(records).values():
        for one in folds:
            for person, f1 in _own(one)["group_f1"].items():
                found.setdefault(person, []).append(f1)
    order = sorted(found, key=lambda name: (len(name), name))
    return ", ".join(f"{name} {statistics.mean(found[name]):.2f}" for name in order)


def markdown(
    measured: Sequence[tuple[TaskRow, Records, Part]],
    tried: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """The page; ``tried`` has the lines on what was tried for a row, by its key."""
    said = [
        "# The tasks of a sensor",
        "",
        "*Written by `python benchmarks/tasks.py --write`; figures are those of integer models on"
        " test windows.*",
        "",
        "A model is for one of three [tasks](classify.md): it forecasts, tells the class of"
        " a window, or says what is unusual. [Accuracy](accuracy.md) has the forecasts; here are"
        " classes.",
        "",
        f"Means are over {len(SEEDS)} seeds, with the sample deviation between them. Configuration"
        " and settings were chosen on validation windows, and the test windows scored with what"
        " was chosen. Every test window went through the design natively, each tensor and the class"
        " compared to the bit; cycles are simulated, and energy is that of `bitformer estimate`, a"
        " model of the chip without its shell.",
        "",
        *markdown_table(COLUMNS, [table_row(*one) for one in measured]),
    ]
    for row, records, _ in measured:
        settings = ", ".join(f"{name} {value}" for name, value in row.settings.items())
        config = row.config
        said += [
            "",
            f"## {row.title}",
            "",
            f"{row.protocol[0].upper()}{row.protocol[1:]}. Every second sample, windows of"
            f" {config.window} of them, one from every second on, in the training part as in the"
            " test part."
            f" {row.floor}.",
            "",
            f"`{config.name}`: {config.block} block, tokens of {config.patch}, width"
            f" {config.d_model}, {config.mixing or config.ffn} numbers between tokens and"
            f" {config.ffn} between features, {config.norm} norm;"
            f" {config.default.weights}-bit weights, {config.default.activations}-bit"
            f" activations; {settings}. Chosen {row.chosen}.",
        ]
        if tried.get(row.key):
            said += ["", *tried[row.key]]
        baselines = _baselines(records)
        if baselines:
            said += ["", "The same windows without a network of ours:", ""]
            said += markdown_table(("classifier", *SCORES.values()), baselines)
        if persons := _persons(records):
            said += ["", f"Weighted F1 by person, mean over seeds: {persons}."]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(said)).strip() + "\n"
