"""``bitformer boards``: what can be built for."""

import dataclasses

import click

from .report import Report, json_option

__all__ = ["command"]


@click.command("boards")
@json_option
def command(report: Report) -> None:
    """List the boards: part, clock, host link and what the part offers.

    \b
    bitformer boards
    bitformer boards --json
    """
    from bitformer.boards.catalog import BOARDS

    rows = []
    for board in BOARDS.values():
        part = board.resources
        rows.append(
            (
                board.name,
                board.title,
                board.vivado_part,
                f"{board.clock_hz / 1e6:g} MHz",
                part.luts,
                part.ffs,
                part.ramb18,
                part.dsps,
            )
        )
    columns = ("board", "name", "part", "clock", "LUT", "FF", "RAMB18", "DSP")
    report.table(columns, rows, words=3)
    for board in BOARDS.values():
        report.line(f"{board.name}: {board.notes}")
        report.line(f"  {board.loader.format(bit='FILE.bit')}")
    report.data(
        {
            "boards": [
                {
                    "name": board.name,
                    "title": board.title,
                    "part": board.part,
                    "vivado_part": board.vivado_part,
                    "clock_hz": board.clock_hz,
                    "resources": dataclasses.asdict(board.resources),
                    "pins": {use: pin.ball for use, pin in board.pins.items()},
                    "loader": board.loader,
                    "notes": board.notes,
                }
                for board in BOARDS.values()
            ]
        }
    )
