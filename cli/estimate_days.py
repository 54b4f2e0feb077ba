"""Days of a design on parts of every family: ``bitformer estimate --days``."""

from collections.abc import Iterator
from typing import Any

import bitformer
from bitformer.cli.report import Report
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError

__all__ = ["show_days"]


def _others(design: bitformer.AcceleratorDesign) -> Iterator[bitformer.AcceleratorDesign]:
    """Lower the model for the smallest part of each other family that has enough for it."""
    family = PARTS[design.part].family
    names = dict.fromkeys(part.family for part in PARTS.values() if part.family is not family)
    for other in names:
        for part in PARTS.values():
            if part.family is other:
                try:
                    found = bitformer.lower(design.model, part=part.name)
                except UserError:
                    continue
                if not found.exact().over:
                    yield found
                    break


def show_days(
    report: Report,
    design: bitformer.AcceleratorDesign,
    found: bitformer.DesignEstimate,
    **options: Any,
) -> list[dict[str, Any]]:
    """Print a day on the part, and on one of each other family; the same as plain data."""
    there = [] if found.days is None else [found.days]
    for other in _others(design):
        said: list[str] = []
        days = other.estimate(**options, note=said.append).days
        if days is None:
            why = f"{other.part} is left out: 'bitformer profile --parts {other.part}' adds it."
            said = [why, *said]
        else:
            there.append(days)
        for line in said:
            report.line(line)
    report.table(
        ("part", "an inference each", "idle between, J a day", "off between, J a day", "mean, mW"),
        (
            (
                days.part,
                pace,
                f"{day.idle_j:.3g}",
                "no time" if day.off_j is None else f"{day.off_j:.3g}",
                f"{min(day.idle_j, day.off_j or day.idle_j) / 86.4:.3g}",
            )
            for days in there
            for pace, day in days.days.items()
        ),
    )
    for days in there:
        report.line(
            f"{days.part}: {days.inference_j * 1e6:.2f} uJ an inference,"
            f" {days.standing_w * 1e3:.3g} mW between two with the accelerator's clock standing"
            f" still ({days.running_w * 1e3:.3g} mW if it ran), {days.configuration_j * 1e3:.3g} mJ"
            f" a configuration; within a factor of {days.factor:g} ({days.source})."
        )
    report.line("Regulators, flash and host are not in it.")
    return [days.to_dict() for days in there]
