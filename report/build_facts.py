"""A build as a page shows it: what the tools' reports say, and whether they call it good."""

from typing import Any

from bitformer.boards.build.manifest import Manifest
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import BuildReport

__all__ = ["build_facts", "plan_facts"]


def plan_facts(manifest: Manifest) -> dict[str, Any]:
    """Return what the plan of a build says, whether or not tools have run."""
    board = BOARDS.get(manifest.board)
    return {
        "name": manifest.name,
        "board": manifest.board if board is None else board.title,
        "part": manifest.part,
        "clock_hz": manifest.clock_hz,
        "link": manifest.link,
        "latency": manifest.latency_cycles,
        "interval": manifest.interval_cycles,
        "toolchain": manifest.toolchain,
        "model_hash": manifest.model,
        "answer": [] if manifest.answer is None else list(manifest.answer.sentences),
    }


def build_facts(found: BuildReport) -> dict[str, Any]:
    """Return the tools' reports as rows, the clocks that seeds reach, and what is not good."""
    routing, timing, power = found.routing, found.timing, found.power
    utilization = found.utilization
    uses: list[dict[str, Any]] = []
    if utilization is not None:
        uses = [
            {"resource": name, "used": use.used, "available": use.available}
            for name, use in utilization.uses.items()
        ]
    elif routing is not None:
        uses = [
            {"resource": use.resource, "used": use.used, "available": use.available}
            for use in routing.uses
        ]
    clock_hz = None if found.manifest is None else found.manifest.clock_hz
    reached = None
    if routing is not None:
        reached = routing.best_mhz
    elif timing is not None and clock_hz is not None:
        reached = timing.fmax_mhz(clock_hz)
    return {
        "good": found.good,
        "problems": list(found.problems),
        "device": found.device,
        "tool": found.tool,
        "files": dict(found.files),
        "reached_mhz": reached,
        "rows": [None if row is None else [str(cell) for cell in row] for row in found.rows()],
        "uses": uses,
        "seeds": []
        if routing is None
        else [{"seed": one.seed, "mhz": one.mhz, "met": one.met} for one in routing.seeds],
        "asked_mhz": None if routing is None else routing.asked_hz / 1e6,
        "power": None if power is None else {"total_w": power.total_w, "parts": dict(power.parts)},
    }
