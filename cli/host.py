"""``bitformer host``: the drivers for firmware."""

from pathlib import Path

import click

from bitformer.cli.options import MODEL, PATH
from bitformer.cli.report import Report, command_line, json_option
from bitformer.model.errors import UserError

__all__ = ["command"]


@click.command("host")
@click.argument("model", type=MODEL, required=False)
@click.option("--micropython", is_flag=True, help="One file that a board imports; Python's, too.")
@click.option("--c", "in_c", is_flag=True, help="Two headers in C99, for C++ as well.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="DIR",
    help="Folder to write to; it is made if it is missing.",
)
@json_option
def command(
    model: Path | None, micropython: bool, in_c: bool, output: Path, report: Report
) -> None:
    """Write the driver that firmware talks to a board's shell with, and scales by.

    It sends windows over UART or SPI and checks what comes back; it needs no library and takes no
    memory of its own. With MODEL, the numbers are written that it scales samples and results by:
    scaling.json for MicroPython, bitformer_model.h for C. 'build' writes all of these as well.

    \b
    bitformer host --micropython -o firmware
    bitformer host --c -o firmware
    bitformer host --c beijing-ozone-w4a8 -o firmware
    """
    languages = {"micropython": micropython, "c": in_c}
    asked = [name for name, given in languages.items() if given]
    if not asked:
        raise UserError("--micropython or --c must be given, or both")
    from bitformer.boards.host.drivers import write_drivers

    written = []
    for language in asked:
        written += write_drivers(language, output)
    if model is not None:
        import bitformer
        from bitformer.boards.build.firmware import write_numbers
        from bitformer.hw.scaling import scaling_data

        written += write_numbers(scaling_data(bitformer.load(model).integer), output, asked)
    for path in written:
        report.line(str(path))
    if model is None:
        again = command_line("host", *(f"--{one}" for one in asked), "MODEL", "-o", output)
        report.line(f"A model's own numbers: {again}")
    report.data({"languages": asked, "files": [str(path) for path in written]})
