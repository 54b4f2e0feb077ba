"""Tables of a search: what was predicted and what came out, and what was beaten at what cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitformer.cli.report import Report

__all__ = ["show_search"]

_COLUMNS = (
    ("LUT", "luts"),
    ("as mem.", "lutram"),
    ("FF", "ffs"),
    ("block RAM", "ramb18"),
    ("DSP", "dsps"),
    ("cycles", "latency"),
)


def _both(predicted: object, found: object) -> str:
    return str(predicted) if predicted == found else f"{predicted} → {found}"


def _cost_row(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    before, after = one["predicted"], one["came_out"]
    if before is None:
        return (name, *["-"] * (len(_COLUMNS) + 1))
    energy = _both(*(f"{figures['energy_j'] * 1e6:.3f}" for figures in (before, after)))
    return (name, *(_both(before[field], after[field]) for _, field in _COLUMNS), energy)


def _proved(one: Mapping[str, Any]) -> str:
    """Say in a word or two what simulation found, and whether the design fits."""
    proof = one["proof"]
    if proof is None:
        return "not tried"
    if proof["error"]:
        return "no design"
    if not proof["bit_exact"]:
        return "NOT EXACT"
    if not proof["cycles_as_predicted"]:
        return "exact, NOT in its cycles"
    return "exact" if one["fits"] else "exact, too large"


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['rank']}" if "rank" in one else one["why"]


def _bits(result: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    from bitformer.search.engine import Engine

    bits = one["name"].removeprefix(result["question"]["config"]["name"] + "-")
    return " ".join(filter(None, (bits, str(Engine(**one["engine"])))))


def _error(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.5f}"


def _uniform(names: Sequence[str]) -> str:
    return ", ".join(name.removeprefix("uniform ") for name in names) or "-"


def show_search(report: "Report", result: Mapping[str, Any]) -> None:
    """Print what :func:`bitformer.search.run.run_search` came to."""
    from bitformer.model.task import TASKS

    error = TASKS[result["question"]["config"].get("task", "forecast")].error_name
    part, space = result["question"]["limits"]["part"], result["space"]
    rows = [*result["candidates"], *result["baselines"]]
    looked = "" if space["seen"] == space["combinations"] else f", {space['seen']} of them drawn"
    engines = "one engine" if space["engines"] == 1 else f"{space['engines']} engines"
    report.line(
        f"{space['combinations']} combinations{looked}, {engines};"
        f" {space['within']} designs within the limits, {len(result['candidates'])} trained"
    )
    synthesized = any(one["synthesized"] for one in rows)
    report.table(
        ("", *(title for title, _ in _COLUMNS), "µJ"),
        (_cost_row(_name(one), one) for one in rows),
        title=f"On {part}: predicted → " + ("synthesized" if synthesized else "lowered"),
    )
    report.table(
        (
            "",
            "bits, engine",
            "chosen as",
            "hardware",
            "predicted +",
            f"val. {error}",
            "beats",
            "in time",
        ),
        [
            (
                _name(one),
                _bits(result, one),
                one["why"] if "rank" in one else "baseline",
                _proved(one),
                f"{one['loss']:+.5f}",
                _error(one["val"]),
                _uniform(one.get("beats", ())),
                _uniform(one.get("beats_in_time_and_energy", ())),
            )
            for one in rows
        ],
        title=f"Validation error; the float model's is {result['float_val']:.5f}",
        words=4,
    )
    report.line(
        "Beats: uniform bits with a larger validation error, at no more LUTs, LUTs as memory,"
        " block RAMs, DSP blocks or cycles; in time: at no more latency or energy."
    )
    for one in rows:
        for warning in one["warnings"]:
            report.note(f"{one['name']}: {warning}")
        if one["proof"] and one["proof"].get("not_synthesized"):
            report.note(f"{one['name']}: not synthesized: {one['proof']['not_synthesized']}")
        if one["proof"] and (one["proof"]["error"] or one["proof"].get("difference")):
            report.note(f"{one['name']}: {one['proof']['error'] or one['proof']['difference']}")
    winner = result["chosen"]
    if winner is None:
        report.line("None of the candidates turned out to fit, bit for bit.")
        return
    report.line(
        f"Chosen on validation: {winner['rank']}. Its test {error} is {winner['test']:.5f},"
        f" the float model's {winner['float_test']:.5f}"
    )
    if winner["no_better_than"]:
        report.line(
            "No better on validation than what fits too: " + ", ".join(winner["no_better_than"])
        )
