"""A model of power, for ranking before anything was placed: static + clock x energy of a cycle.

What a part takes is its family's :class:`bitformer.hw.families.family.Power`, with its source and
an error bar. A report's figure replaces the model where there is one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bitformer.estimate.knowledge import Entry
from bitformer.estimate.predictor import Prediction
from bitformer.hw.design import Design
from bitformer.hw.parts import PARTS
from bitformer.model.identity import model_hash

__all__ = [
    "busy_cycles",
    "energy_of_inference",
    "inference_j",
    "power_w",
    "reported",
    "static_w",
]


def _static(part: str) -> tuple[float, str]:
    """Return the watts of a part in which nothing switches, and whose figure that is.

    A part of which none was read has that of one of its family with as long a bitstream, and so as
    many cells, used or not; or else the family's.
    """
    there = PARTS[part]
    for one in (there, *PARTS.values()):
        same = one.family is there.family and one.bitstream_bits == there.bitstream_bits
        if same and one.static_w is not None:
            as_long = f", whose bitstream is as long as the {part}'s" if one is not there else ""
            return one.static_w, f"the {one.name}'s{as_long}"
    alone = sum(one.family is there.family for one in PARTS.values()) == 1
    whose = f"the {part}'s" if alone else f"one for its family, as none of the {part} was read"
    return there.family.power.static_w, whose


def static_w(part: str) -> float:
    """Return the watts of a part in which nothing switches."""
    return _static(part)[0]


def power_w(part: str, taken: Mapping[str, Any], *, clock_hz: float = 100e6) -> Any:
    """Return the watts of a part at work, by the model: a number, or an array for a space.

    ``taken`` : numbers of ``luts``, ``ffs``, ``ramb18`` and ``dsps``, or arrays of them.
    """
    model = PARTS[part].family.power
    cycle = model.clock_pj + sum(pj * taken[name] for name, pj in model.cycle_pj.items())
    return static_w(part) + cycle * 1e-12 * clock_hz


def busy_cycles(taken: Mapping[str, Any]) -> Any:
    """Return the cycles in which an inference keeps a design at work.

    That is until its last result, or, of a stream's step that sums ahead, until the next may begin:
    the greater of ``latency`` and ``interval``, numbers or arrays.
    """
    return np.maximum(taken["latency"], taken["interval"])


def inference_j(part: str, taken: Mapping[str, Any], *, clock_hz: float = 100e6) -> Any:
    """Return the joules of an inference, by the model: watts times its busy cycles."""
    return power_w(part, taken, clock_hz=clock_hz) * busy_cycles(taken) / clock_hz


def energy_of_inference(
    design: Design, prediction: Prediction, entries: Iterable[Entry], *, clock_hz: float
) -> dict[str, Any]:
    """Return the energy of an inference as plain data, with what it ``is``.

    It is the power that a tool reported of a build of this very model, where ``entries`` hold one,
    or else the model's, times the cycles.
    """
    build = reported(entries, design, clock_hz=clock_hz)
    if build is not None:
        watts = float(build.features["power_w"])
        return {
            "is": f"{build.tool}'s report of a build of this model x its cycles",
            "inference_j": watts * int(busy_cycles(prediction.counts)) / clock_hz,
            "power_w": watts,
            "build": build.name,
            "by": f"{build.tool} {build.version}",
        }
    part, taken = prediction.part, prediction.counts
    power = PARTS[part].family.power
    return {
        "is": "a model: static power + clock x assumed energies of a cycle",
        "inference_j": inference_j(part, taken, clock_hz=clock_hz),
        "power_w": power_w(part, taken, clock_hz=clock_hz),
        "static_w": static_w(part),
        "static_from": _static(part)[1],
        "assumed_pj": {**power.cycle_pj, "clock": power.clock_pj},
        "within_factor": power.factor,
        "source": power.source,
    }


def reported(entries: Iterable[Entry], design: Design, *, clock_hz: float) -> Entry | None:
    """Return the build of this very model on the design's part that the newest tool reported.

    It is the same by the model's hash, at the same clock; the board's shell is in its watts.
    """
    model = int.from_bytes(model_hash(design.model), "big")
    found = [
        entry
        for entry in entries
        if entry.kind == "build"
        and entry.part.startswith(design.part)
        and entry.features.get("model") == model
        and entry.features.get("clock_hz") == clock_hz
        and "power_w" in entry.features
    ]
    return max(found, key=lambda entry: entry.version, default=None)
