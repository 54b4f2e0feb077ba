"""``bitformer program``: loads a bitstream into a board."""

from pathlib import Path

import click

from bitformer.cli.options import PATH
from bitformer.cli.report import Report, json_option

__all__ = ["command"]


@click.command("program")
@click.argument("source", type=PATH, metavar="DIR|FILE")
@click.option("--board", metavar="B", help="A board of 'bitformer boards'; a build knows its own.")
@click.option("--flash", is_flag=True, help="Write the board's flash, to stay there.")
@click.option("--cable", metavar="C", help="JTAG cable, for a board without its own.")
@click.option(
    "--usb", metavar="BUS:DEVICE", help="Which of several boards or cables: where it is attached."
)
@click.option("--serial", metavar="S", help="The same by the serial number of its FTDI chip.")
@json_option
def command(
    source: Path,
    board: str | None,
    flash: bool,
    cable: str | None,
    usb: str | None,
    serial: str | None,
    report: Report,
) -> None:
    """Load the bitstream of a build's directory, or FILE, into a board.

    Without --flash it is gone when the power is; a board with a boot loader, as an OrangeCrab,
    always keeps it in its flash. openFPGALoader does the work; where it is not installed, this says
    how to get it. Of several boards or cables of one kind it loads none until --usb or --serial
    says which; the sentence that asks lists them.

    \b
    bitformer program build/mine
    bitformer program build/mine --flash
    bitformer program mine.bit --board sea --cable digilent_hs2
    bitformer program build/mine --usb 1:13
    """
    from bitformer.boards.build.load import find_bitstream, load_command, program

    bitstream, found = find_bitstream(source, board=board, flash=flash)
    load_command(found, bitstream, flash=flash, cable=cable)  # before anything is said
    if found.loader.before:
        report.note(f"{found.title}: {found.loader.before}")
    arguments = program(found, bitstream, flash=flash, cable=cable, usb=usb, serial=serial)
    in_flash = flash or found.loader.dfu
    report.line(f"{found.title}: {bitstream} is {'in the flash' if in_flash else 'loaded'}")
    report.data(
        {
            "board": found.name,
            "bitstream": str(bitstream),
            "flash": in_flash,
            "command": arguments,
        }
    )
