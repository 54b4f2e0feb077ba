"""A search as a page shows it: what was predicted, what came out, and what the front is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bitformer.model.task import TASKS
from bitformer.search.pareto import pareto

__all__ = ["search_facts"]

#: Points of the predicted front that a picture has room for; of more, these are evenly spaced.
_POINTS = 400
_FIGURES = ("luts", "lutram", "ffs", "ramb18", "dsps", "latency", "energy_j")


def search_facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the candidates, uniform bits and fronts of what ``search.json`` holds.

    A row ``front`` is true of those that no other row beats in error, latency and energy.
    """
    question, space = found["question"], found["space"]
    clock_hz = question["limits"]["clock_hz"]
    rows = [_row(one, found) for one in (*found["candidates"], *found["baselines"])]
    there = [row for row in rows if row["val"] is not None and row["came_out"] is not None]
    costs = [[r["val"], r["came_out"]["latency"], r["came_out"]["energy_j"]] for r in there]
    for number in pareto(np.array(costs)).tolist() if costs else []:
        there[number]["front"] = True
    points = space["pareto"]
    places = np.linspace(0, len(points) - 1, min(_POINTS, len(points))).round().astype(int)
    winner = found["chosen"]
    limits = {name: value for name, value in question["limits"].items() if value is not None}
    return {
        "error_name": TASKS[question["config"].get("task", "forecast")].error_name,
        "part": question["limits"]["part"],
        "clock_hz": clock_hz,
        "limits": limits,
        "combinations": space["combinations"],
        "designs": _designs(space),
        "within": space["within"],
        "float_val": found["float_val"],
        "rows": rows,
        "predicted_front": [
            {
                "val": found["float_val"] + points[place][0],
                "latency": points[place][1],
                "energy_j": points[place][2],
            }
            for place in places.tolist()
        ],
        "predicted_front_size": len(points),
        "chosen": winner,
        "sentence": _sentence(found),
    }


def _designs(space: Mapping[str, Any]) -> str:
    """Say of how many designs those within the limits are: each combination with each engine."""
    bits, engines = f"{space['combinations']} combinations of bits", space["engines"]
    if space["seen"] != space["combinations"]:
        with_engines = "" if engines == 1 else f", with {engines} engines"
        return f"{bits}, {space['seen']} of them drawn{with_engines}"
    return (
        bits if engines == 1 else f"{space['seen'] * engines} designs ({bits}; {engines} engines)"
    )


def _row(one: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    prefix = found["question"]["config"]["name"] + "-"
    figures = one["came_out"]
    proof = one["proof"] or {}
    return {
        "id": str(one.get("rank") or one["why"]),
        "kind": "candidate" if "rank" in one else "uniform",
        "bits": one["name"].removeprefix(prefix),
        "why": one["why"],
        "val": one["val"],
        "loss": one["loss"],
        "predicted": _figures(one["predicted"]),
        "came_out": _figures(figures),
        "mhz": None if one["clock"] is None else one["clock"]["mhz"],
        "mhz_by": None if one["clock"] is None else one["clock"]["by"],
        "fits": one["fits"],
        "bit_exact": bool(proof.get("bit_exact")),
        "cycles_as_predicted": bool(proof.get("cycles_as_predicted")),
        "synthesized": one["synthesized"],
        "error": proof.get("error"),
        "widths": dict(one["widths"]),
        "front": False,
        "chosen": found["chosen"] is not None and one.get("rank") == found["chosen"]["rank"],
    }


def _figures(found: Mapping[str, Any] | None) -> dict[str, float] | None:
    return None if found is None else {name: found[name] for name in _FIGURES}


def _sentence(found: Mapping[str, Any]) -> str:
    """Say what the search came to."""
    winner, part = found["chosen"], found["question"]["limits"]["part"]
    trained = len(found["candidates"])
    error = TASKS[found["question"]["config"].get("task", "forecast")].error_name
    looked = (
        f"of {_designs(found['space'])}, {found['space']['within']} are predicted to keep the"
        f" limits on the {part}, and {trained} {'was' if trained == 1 else 'were'} trained"
    )
    if winner is None:
        return f"None of the candidates turned out to fit, bit for bit: {looked}"
    better = winner["no_better_than"]
    than = f"; no better on validation than {', '.join(better)}, which fits too" if better else ""
    return (
        f"Candidate {winner['rank']} is the best that fits, bit for bit: test {error}"
        f" {winner['test']:.5f}, the float model's {winner['float_test']:.5f}{than}; {looked}"
    )
