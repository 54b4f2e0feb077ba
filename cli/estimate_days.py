"""Days of a design on parts of every family: for ``estimate --days`` and ``report --model``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import bitformer
from bitformer.cli.report import Report
from bitformer.hw.parts import PARTS

if TYPE_CHECKING:
    from bitformer.boards.reports.energy import Day
    from bitformer.estimate.days import PartDays

__all__ = ["day_row", "show_days"]

_EACH = "an inference each"
#: Columns of the table.
_COLUMNS = (
    "part",
    "MHz",
    _EACH,
    "idle between, J a day",
    "off between, J a day",
    "mean, mW",
)


def _bar(value: float, factor: float) -> str:
    """Return a figure, and between what it lies."""
    if factor == 1:
        return _digits(value, 3)
    return f"{_digits(value, 3)} ({_digits(value / factor, 2)}–{_digits(value * factor, 2)})"


def _digits(value: float, count: int) -> str:
    """Return a number with so many digits that count, as people write it."""
    rounded = float(f"{value:.{count}g}")
    return f"{rounded:.0f}" if rounded >= 10 ** (count - 1) else f"{rounded:.{count}g}"


def day_row(name: str, clock_hz: float, pace: str, day: "Day", factor: float) -> tuple[str, ...]:
    """Return a day as a row of the table; ``factor`` is its error bar, 1 of what was reported."""
    best = min(day.idle_j, day.idle_j if day.off_j is None else day.off_j)
    return (
        name,
        f"{clock_hz / 1e6:.0f}",
        pace,
        _bar(day.idle_j, factor),
        "no time" if day.off_j is None else _bar(day.off_j, factor),
        _bar(best / 86.4, factor),
    )


def _clocks(days: "PartDays") -> str:
    """Return which clocks run between two inferences, and what it would be otherwise."""
    none = f"{days.static_w * 1e3:.3g} mW without any clock"
    if days.stands_still:
        return (
            f" with the accelerator's clock standing still ({days.running_w * 1e3:.3g} mW if it"
            f" ran, {none})"
        )
    slow = PARTS[days.part].family.stopped_hz / 1e6
    return f" with all clocks running ({none}; up to {slow:g} MHz the accelerator's stands still)"


def show_days(
    report: Report,
    design: bitformer.AcceleratorDesign,
    found: bitformer.DesignEstimate,
    *,
    reported: "Mapping[str, Day] | None" = None,
    clock_hz: float,
    **options: Any,
) -> list[dict[str, Any]]:
    """Print a day on the part, and on one of each other family; the same as plain data.

    ``reported`` : days on the part by the power that a tool reported, by the pace.
    """
    from bitformer.estimate.days import days_of, refill_of
    from bitformer.report.other_parts import clock_of, on_other_families

    rows = [
        day_row(f"{design.part}, reported", clock_hz, pace, day, 1)
        for pace, day in (reported or {}).items()
    ]
    there = []
    refill = refill_of(design.lowered.model.config, design.lowered.phases)
    what = "a step" if refill else "an inference"
    for other in (design, *on_other_families(design)):
        own = found if other is design else other.estimate(clock_hz=clock_hz, **options)
        if own.prediction is None:
            report.line(
                f"{other.part} is left out: 'bitformer synthesize M --part {other.part}' adds it."
            )
            continue
        runs_at = clock_of(other, own, clock_hz)
        taken = own.prediction.counts
        there.append(days_of(other.part, taken, clock_hz=runs_at, refill=refill))
        rows += [
            day_row(other.part, runs_at, pace, day, there[-1].factor)
            for pace, day in there[-1].days.items()
        ]
    report.table([f"{what} each" if name == _EACH else name for name in _COLUMNS], rows)
    for days in there:
        report.line(
            f"{days.part}: {days.inference_j * 1e6:.2f} uJ {what},"
            f" {days.idle_w * 1e3:.3g} mW between two{_clocks(days)},"
            f" {days.configuration_j * 1e3:.3g} mJ a configuration; within a factor of"
            f" {days.factor:g} ({days.source})."
        )
    if refill:
        report.line(
            f"Where its power is cut, a stream forgets: {refill} steps fill its rings again before"
            " one that forecasts, and are in the days with the power off."
        )
    report.line("Regulators, flash and host are not in it.")
    return [days.to_dict() for days in there]
