"""``bitformer boards``: what can be built for."""

import dataclasses

import click

from bitformer.cli.report import Report, json_option

__all__ = ["command"]


@click.command("boards")
@json_option
def command(report: Report) -> None:
    """List the boards: part, clock, host link and what the part offers.

    \b
    bitformer boards
    bitformer boards --json
    """
    from bitformer.boards.build.platforms import toolchains_of
    from bitformer.boards.catalog import BOARDS
    from bitformer.boards.clock import GENERATOR_W

    rows = []
    for board in BOARDS.values():
        part = board.resources
        rows.append(
            (
                board.name,
                board.full_part,
                f"{board.clock_hz / 1e6:g} MHz",
                ", ".join(board.links),
                part.luts,
                part.lutram_luts,
                part.ramb18,
                part.dsps,
            )
        )
    columns = ("board", "part", "clock", "link", "LUT", "as mem.", "block RAM", "DSP")
    report.table(columns, rows, words=4)
    report.line(
        "Each clock goes straight from its pin, or from the chip's oscillator, through a global"
        " buffer. --clock of 'build' asks for another by a clock generator; that of AMD's parts"
        f" takes about {GENERATOR_W} W: five times the static power of a small one."
    )
    for board in BOARDS.values():
        loading = board.loading.format(bit="F.bit", name="F")
        report.line(f"{board.name}: {board.title}. {board.notes} {loading}".rstrip())
    report.data(
        {
            "boards": [
                {
                    "name": board.name,
                    "title": board.title,
                    "part": board.part,
                    "full_part": board.full_part,
                    "vivado_part": board.full_part if "vivado" in toolchains_of(board) else None,
                    "toolchains": toolchains_of(board),
                    "clock_hz": board.clock_hz,
                    "resources": board.resources.to_dict(),
                    "pins": {use: pin.ball for use, pin in board.pins.items()},
                    "links": board.links,
                    "config_voltage": board.config_voltage,
                    "flash": None if board.flash is None else dataclasses.asdict(board.flash),
                    "loader": dataclasses.asdict(board.loader),
                    "loading": board.loading,
                    "notes": board.notes,
                }
                for board in BOARDS.values()
            ]
        }
    )
