"""Days of evenly spaced inferences on a part, by the model of power, configuration included."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitformer.boards.reports.energy import Day, configuration_seconds, energy
from bitformer.estimate.power import busy_cycles, power_w, static_w
from bitformer.hw.parts import PARTS
from bitformer.model.config import TransformerConfig

__all__ = ["DAY_S", "PERIODS", "SHELL_FFS", "PartDays", "days_of", "refill_of"]

#: Seconds from one inference to the next, by the name of the pace.
PERIODS = {"a second": 1, "a minute": 60, "ten minutes": 600}
#: Seconds of a day.
DAY_S = 86_400
#: Flip-flops of a shell, whose clock runs on between requests; docs/protocol.md has each.
SHELL_FFS = 196


@dataclass(frozen=True, kw_only=True)
class PartDays:
    """The energy that a design takes on a part in a day, by the model of power.

    Parameters
    ----------
    part : str
    clock_hz : float
        The clock in hertz.
    inference_j : float
        Joules of an inference.
    static_w : float
        Watts between inferences if no clock ran at all.
    standing_w : float
        Watts between inferences, the accelerator's clock standing still; the shell's runs on.
    running_w : float
        Watts between inferences if it ran on: each flip-flop with its share of the clock.
    stands_still : bool
        Whether it does, at this clock on a part of this family.
    configuration_s, configuration_j : float
        To load the bitstream once.
    refill : int
        Steps of a stream that come before one that forecasts, as often as it is configured.
    days : mapping of str to Day
        By the name of the pace; idle is with the clock standing still where it does.
    factor : float
        The model's error bar: so many times too much, or too little.
    source : str
        Where the model's figures are from.
    """

    part: str
    clock_hz: float
    inference_j: float
    static_w: float
    standing_w: float
    running_w: float
    stands_still: bool
    configuration_s: float
    configuration_j: float
    refill: int
    days: Mapping[str, Day]
    factor: float
    source: str

    @property
    def idle_w(self) -> float:
        """Watts between inferences."""
        return self.standing_w if self.stands_still else self.running_w

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        days = {pace: {**vars(day), "best": day.best} for pace, day in self.days.items()}
        return {**vars(self), "days": days}


def refill_of(config: TransformerConfig, phases: int = 1) -> int:
    """Return the steps of a stream that fill empty rings before one that forecasts; 0 of others.

    Those of all ``phases`` count, which take steps in turn.
    """
    return (config.tokens_seen - 1) * phases if config.stream else 0


def days_of(part: str, taken: Mapping[str, Any], *, clock_hz: float, refill: int = 0) -> PartDays:
    """Return the days of a design on a part, an inference each of :data:`PERIODS`, or a step.

    The bitstream is taken as uncompressed and the FPGA as off, where it is off, without any power:
    regulators, a flash and a host are the board's.

    Parameters
    ----------
    part : str
        Its name.
    taken : mapping
        Numbers of ``luts``, ``ffs``, ``ramb18`` and ``dsps``; ``latency`` and ``interval`` in
        cycles.
    clock_hz : float
        The clock in hertz.
    refill : int
        As of :func:`refill_of`.
    """
    there = PARTS[part]
    power = there.family.power
    cycle_w = power.ffs_pj * 1e-12 * clock_hz
    standing_w = static_w(part) + SHELL_FFS * cycle_w + power.clock_pj * 1e-12 * clock_hz
    running_w = standing_w + taken["ffs"] * cycle_w
    stands_still = clock_hz <= there.family.stopped_hz
    total_w = power_w(part, taken, clock_hz=clock_hz)
    seconds = configuration_seconds(
        bits=there.bitstream_bits, width=1, rate_hz=power.configuration_hz
    )
    found = {
        pace: energy(
            total_w=total_w,
            idle_w=standing_w if stands_still else running_w,
            cycles=int(busy_cycles(taken)),
            clock_hz=clock_hz,
            configuration_s=seconds,
            configuration_w=power.configuration_w,
            forecasts=DAY_S // period,
            refill=refill,
        )
        for pace, period in PERIODS.items()
    }
    first = found["a second"]
    return PartDays(
        part=part,
        clock_hz=clock_hz,
        inference_j=first.inference_j,
        static_w=static_w(part),
        standing_w=standing_w,
        running_w=running_w,
        stands_still=stands_still,
        configuration_s=seconds,
        configuration_j=first.configuration_j,
        refill=refill,
        days={pace: one.day for pace, one in found.items()},
        factor=power.factor,
        source=power.source,
    )
