"""Energy as a page shows it: the numbers that its sliders compute with, and where they are from.

The page computes what :func:`bitformer.boards.reports.energy.energy` and
:func:`bitformer.boards.reports.energy.battery_days` do, by the same constants.
"""

from typing import TYPE_CHECKING, Any

from bitformer.boards.reports.energy import BATTERY_MAH, BATTERY_V
from bitformer.hw.parts import PARTS

if TYPE_CHECKING:
    from bitformer.boards.reports.energy import Energy
    from bitformer.estimate.days import PartDays

__all__ = ["FACTOR_STEPS", "PERIODS_MS", "days_facts", "energy_facts", "reported_facts"]

#: Times from one inference to the next that the slider has, in milliseconds.
PERIODS_MS = (
    *(10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000),
    *(600_000, 1_200_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000),
)
#: The energy of a configuration is the model's times 2 to the power of quarters of so many.
FACTOR_STEPS = 16


def energy_facts(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the sliders begin with and go through, and the designs that they are for."""
    return {
        "parts": parts,
        "periods_ms": list(PERIODS_MS),
        "period_ms": 60_000,
        "factor_steps": FACTOR_STEPS,
        "battery_mah": BATTERY_MAH,
        "battery_v": BATTERY_V,
    }


def days_facts(days: "PartDays", cycles: int) -> dict[str, Any]:
    """Return the constants of a design on a part by the model of power."""
    power = PARTS[days.part].family.power
    seconds = cycles / days.clock_hz
    return {
        "name": days.part,
        "by": "model",
        "clock_hz": days.clock_hz,
        "cycles": cycles,
        "seconds": seconds,
        "total_w": days.inference_j / seconds,
        "inference_j": days.inference_j,
        "idle_w": days.idle_w,
        "stands_still": days.stands_still,
        "static_w": days.static_w,
        "configuration_s": days.configuration_s,
        "configuration_w": power.configuration_w,
        "configuration_j": days.configuration_j,
        "refill": days.refill,
        "factor": days.factor,
        "source": days.source,
        "constants": {
            "picojoules of a cycle, a LUT": power.luts_pj,
            "picojoules of a cycle, a flip-flop": power.ffs_pj,
            "picojoules of a cycle, a block RAM": power.ramb18_pj,
            "picojoules of a cycle, a multiplier": power.dsps_pj,
            "picojoules of a cycle, the clock's network": power.clock_pj,
            "watts in which nothing switches": days.static_w,
            "watts while a bitstream is loaded": power.configuration_w,
            "bits of it in a second": power.configuration_hz,
        },
    }


def reported_facts(
    found: "Energy", *, name: str, cycles: int, clock_hz: float, total_w: float, w: float, by: str
) -> dict[str, Any]:
    """Return the constants of a build by the power that a tool reported.

    ``w`` : watts while it is configured, which no report has. ``by`` : the tool.
    """
    return {
        "name": name,
        "by": "report",
        "clock_hz": clock_hz,
        "cycles": cycles,
        "seconds": found.seconds,
        "total_w": total_w,
        "inference_j": found.inference_j,
        "idle_w": found.idle_w,
        "stands_still": False,
        "static_w": None,
        "configuration_s": found.configuration_s,
        "configuration_w": w,
        "configuration_j": found.configuration_j,
        "refill": 0,
        "factor": 1.0,
        "source": f"power reported by {by}; the power of a configuration is an assumption",
        "constants": {
            "watts at work, reported": total_w,
            "watts between two, static and clock": found.idle_w,
            "watts while a bitstream is loaded, assumed": w,
        },
    }
