"""The head of a page: the verdict in a sentence, and the figures that count."""

from collections.abc import Iterator, Mapping
from typing import Any

from bitformer.report.tables import number

__all__ = ["summary"]

#: Words that end the verdict, by what they are.
_WON = {"wins": "good", "ties": "even", "loses": "bad"}


def summary(parts: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the verdict of the parts that there are, its tone, and tiles of figures.

    What the page is about, ``kind``, comes first.

    The tone is ``"good"``, ``"even"`` or ``"bad"``; a tile is a label, a value and what is said of
    it.
    """
    sentences = list(_sentences(parts, kind))
    tones = [tone for tone, _ in sentences]
    tone = "bad" if "bad" in tones else "even" if "even" in tones or not tones else "good"
    return {
        "tone": tone,
        "sentences": [{"tone": tone, "text": text} for tone, text in sentences],
        "tiles": list(_tiles(parts)),
    }


def _sentences(parts: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    if "search" in parts:
        found = parts["search"]
        yield ("good" if found["chosen"] else "bad"), found["sentence"]
    if kind == "build":
        yield from _of_builds(parts)
    for one in parts.get("forecasts", ()):
        if one["sentence"]:
            who = f"{one['target']}: " if len(parts["forecasts"]) > 1 else ""
            yield _WON[one["outcome"]], f"{who}{one['sentence']}"
    if "classes" in parts and parts["classes"]["sentence"]:
        yield _WON[parts["classes"]["outcome"]], parts["classes"]["sentence"]
    if "detections" in parts:
        yield "even", parts["detections"]["sentence"]
    if "speed" in parts:
        yield _of_design(parts)
    if kind != "build":
        yield from _of_builds(parts)


def _of_builds(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for build in parts.get("builds", ()):
        if build["reports"] is not None:
            yield _of_build(build)


def _of_build(build: Mapping[str, Any]) -> tuple[str, str]:
    found, plan = build["reports"], build["plan"]
    if found["good"]:
        reached = found["reached_mhz"]
        at = "" if reached is None else f": it runs at {_mhz(plan)}, and could at {reached:.1f} MHz"
        return "good", f"The build for the {plan['board']} is good{at}"
    return "bad", f"The build for the {plan['board']} is not good: {'; '.join(found['problems'])}"


def _mhz(plan: Mapping[str, Any]) -> str:
    return f"{plan['clock_hz'] / 1e6:g} MHz"


def _of_design(parts: Mapping[str, Any]) -> tuple[str, str]:
    speed, taken = parts["speed"], parts["resources"]
    checked = [check for check in parts["verified"]["checks"] if check["cycles"]]
    exact = "" if not checked else ", bit for bit as the integer model"
    if checked and not all(check["good"] for check in checked):
        return "bad", f"The accelerator does not compute what the model does: {checked[0]['said']}"
    over = [use for use in taken["uses"] if use["over"]]
    clock = speed["clock_hz"] / 1e6
    time = f"{speed['latency']} cycles, {speed['latency_us']:.3g} µs at {clock:g} MHz"
    if over:
        few = " and ".join(f"{use['over']} {use['resource']}" for use in over)
        return "bad", f"On the {speed['part']} it lacks {few}; it would take {time}"
    return "good", f"On the {speed['part']} it fits and answers in {time}{exact}"


def _tiles(parts: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    def tile(label: str, value: str, said: str = "") -> dict[str, str]:
        return {"label": label, "value": value, "said": said}

    for one in parts.get("forecasts", ())[:1]:
        ours = next(row for row in one["errors"] if row["deployed"])
        best = next((row for row in one["errors"] if row["name"] == one["best"]), None)
        than = "" if best is None else f"best baseline {number(best['rmse'], 4)}"
        yield tile(f"RMSE of “{one['target']}”", number(ours["rmse"], 4), than)
    if "classes" in parts:
        found = parts["classes"]
        yield tile("Accuracy", f"{100 * found['accuracy']:.1f} %", f"{found['windows']} windows")
    if "detections" in parts:
        found = parts["detections"]
        yield tile("Alarms", str(len(found["alarms"])), f"{found['windows']} windows judged")
    if "speed" in parts:
        speed = parts["speed"]
        clock = f"{speed['clock_hz'] / 1e6:g} MHz"
        yield tile("Latency", f"{speed['latency_us']:.3g} µs", f"{number(speed['latency'])} cycles")
        rate = speed["clock_hz"] / speed["interval"]
        yield tile("Throughput", f"{_rate(rate)} /s", f"inferences, back to back at {clock}")
    if parts.get("energy"):
        first = parts["energy"]["parts"][0]
        yield tile("Energy", _joules(first["inference_j"]), f"an inference on {first['name']}")
    if "resources" in parts:
        luts = next((use for use in parts["resources"]["uses"] if use["resource"] == "LUT"), None)
        if luts is not None and luts["available"]:
            share = 100 * luts["used"] / luts["available"]
            yield tile(
                "LUTs", number(luts["used"]), f"{share:.0f} % of {number(luts['available'])}"
            )
    if "bits" in parts:
        found = parts["bits"]
        kib = found["total"] / 8192
        yield tile("Model", f"{kib:.3g} KiB", f"{found['ratio']:.1f} times below float32")
    if "search" in parts and "speed" not in parts:
        found = parts["search"]
        yield tile(
            "Combinations",
            number(found["combinations"]),
            f"{number(found['within'])} designs within limits",
        )
    for build in parts.get("builds", ())[:1]:
        if build["reports"] is not None and build["reports"]["reached_mhz"] is not None:
            reached = build["reports"]["reached_mhz"]
            yield tile("Clock reached", f"{reached:.1f} MHz", build["plan"]["board"])


def _rate(value: float) -> str:
    return f"{value / 1000:.3g} k" if value >= 1000 else f"{value:.3g}"


def _joules(value: float) -> str:
    for size, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} nJ"
