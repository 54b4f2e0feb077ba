"""``bitformer doctor``: why a model does not fit a part, or which tools are here."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.cli.options import (
    MODEL,
    PATH,
    fitting_options,
    kb_option,
    part_option,
)
from bitformer.cli.report import Report, json_option
from bitformer.cli.tools import show_tools
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.estimate.remedies import Outlook

__all__ = ["command"]


def _row(outlook: "Outlook") -> tuple[object, ...]:
    figures = outlook.figures
    error = "?" if outlook.error is None else f"{outlook.error:+.4f}" if outlook.retrain else "0"
    over = ", ".join(f"{use.resource} +{use.over}" for use in figures.over)
    return (
        outlook.change or "as it is",
        over or "fits",
        *(use.used for use in figures.uses[:5]),
        figures.latency,
        error,
    )


def _table(report: Report, title: str, outlooks: "list[Outlook]") -> None:
    names = [use.resource for use in outlooks[0].figures.uses[:5]]
    report.table(
        ("change", "over", *names, "cycles", "added error"),
        [_row(outlook) for outlook in outlooks],
        title=title,
        words=2,
    )


@click.command("doctor")
@click.argument("model", type=MODEL, required=False)
@part_option
@fitting_options
@click.option(
    "--sensitivity",
    type=PATH,
    metavar="FILE",
    help="What bits add to the validation error, as 'sensitivity --json' prints it.",
)
@kb_option
@json_option
def command(
    model: Path | None,
    part: str,
    hardware: dict[str, Any],
    sensitivity: Path | None,
    kb: Path | None,
    report: Report,
) -> None:
    """Say what MODEL takes too much of a part, and the cheapest changes with which it fits.

    Changes are tried one at a time: placements, lanes, narrower components, a larger part. Cycles,
    Block RAMs and DSP blocks are exact, LUTs and flip-flops predicted from the knowledge base. The
    exit code is 1 if the model does not fit as it is.

    Without MODEL, say which tools are here, as 'tools' does.

    \b
    bitformer doctor
    bitformer doctor m.safetensors --part xc7s6
    bitformer doctor m.safetensors --part xc7s15 --place weights=distributed
    """
    if model is None:
        show_tools(report)
        return
    from bitformer.study.sensitivity import read_added

    added = None if sensitivity is None else read_added(sensitivity)
    design = bitformer.lower(bitformer.load(model), part=part, **hardware)
    with progress_bar() as progress:
        found = design.diagnose(kb=kb, sensitivity=added, note=report.note, progress=progress)
    _table(report, f"On {found.now.figures.part}", [found.now])
    _table(report, "The same, placed otherwise", list(found.placements))
    if found.fixes:
        _table(report, "One of these would do", list(found.fixes))
        if any(fix.retrain for fix in found.fixes):
            report.line("Other bits mean another training: figures are of untrained models.")
    elif found.now.figures.over:
        report.line("No single change that was tried makes it fit.")
    report.data(
        {
            "model": str(model),
            "fits": not found.now.figures.over,
            "now": found.now.to_dict(),
            "placements": [one.to_dict() for one in found.placements],
            "fixes": [one.to_dict() for one in found.fixes],
        }
    )
    if found.now.figures.over:
        raise click.exceptions.Exit(1)
