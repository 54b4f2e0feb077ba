"""Tables of a search: what was predicted and what came out, and what was beaten at what cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitformer.cli.report import Report

__all__ = ["clock_cells", "clock_lines", "show_search"]

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
        return (name, *["-"] * (len(_COLUMNS) + 3))
    energy = _both(*(f"{figures['energy_j'] * 1e6:.3f}" for figures in (before, after)))
    return (
        name,
        *(_both(before[field], after[field]) for _, field in _COLUMNS),
        energy,
        *clock_cells(one["clock"]),
    )


def clock_cells(clock: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return megahertz and microseconds, with a tilde where they were not measured."""
    if clock is None:
        return "-", "-"
    about = "" if clock["by"] == "measured" else "~"
    return f"{about}{clock['mhz']:.0f}", f"{about}{clock['latency_us']:.1f}"


def clock_lines(rows: Sequence[Mapping[str, Any]], clock_hz: float) -> Iterator[str]:
    """Say where clocks are from, and by how much they may be off."""
    clocks = {_name(one): one["clock"] for one in rows if one["clock"] is not None}
    for source in dict.fromkeys((one["by"], one["source"]) for one in clocks.values()):
        own = {n: one for n, one in clocks.items() if (one["by"], one["source"]) == source}
        low = min(one["low"] for one in own.values())
        high = max(one["high"] for one in own.values())
        between = f"{low:.0f} to {high:.0f} MHz" if low < high else f"{low:.0f} MHz"
        yield f"Clock of {', '.join(own)}, {source[0]}: {between}; {source[1]}"
    for name, one in clocks.items():
        if one["by"] == "measured" and one["mhz"] * 1e6 < clock_hz:
            yield (
                f"{name} reaches {one['mhz']:.1f} MHz, not the {clock_hz / 1e6:g} MHz of --clock:"
                " its limits are held at what it reaches"
            )


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
        ("", *(title for title, _ in _COLUMNS), "µJ", "MHz", "µs"),
        (_cost_row(_name(one), one) for one in rows),
        title=f"On {part}: predicted → " + ("synthesized" if synthesized else "lowered"),
    )
    for line in clock_lines(rows, result["question"]["limits"]["clock_hz"]):
        report.line(line)
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
        if one["proof"] and one["proof"].get("not_routed"):
            report.note(f"{one['name']}: not routed: {one['proof']['not_routed']}")
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
