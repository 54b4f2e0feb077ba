"""``bitformer verify``: whether a bundle is what it says, by making all of it again."""

from pathlib import Path

import click

from bitformer.cli.options import PATH
from bitformer.cli.report import Report, json_option
from bitformer.model.progress import progress_bar

__all__ = ["command"]


@click.command("verify")
@click.argument("bundle", type=PATH, metavar="BUNDLE.zip")
@click.option(
    "--engine",
    type=click.Choice(["python", "native", "auto"]),
    default="python",
    show_default=True,
    help="What simulates: see 'bitformer simulate'.",
)
@json_option
def command(bundle: Path, engine: str, report: Report) -> None:
    """Say in a line whether BUNDLE is the same on this machine, to the bit.

    Runs the integer reference on the golden windows, lowers the model, writes its Verilog and its
    project, simulates the accelerator, renders the report, and compares all of it with what is in
    the zip. The first file that differs is named, and the exit code is 1. A bitstream and the
    tools' reports are not made again: their digests are checked. Verilog and projects of other
    releases of bitformer or Amaranth are not compared, and the line says so.

    \b
    bitformer verify mine.zip
    bitformer verify mine.zip --engine native
    """
    from bitformer.bundle.check import verify_bundle

    with progress_bar() as progress:
        found = verify_bundle(bundle, engine=engine, note=report.note, progress=progress)
    report.line(str(found))
    if found.same and found.manifest is not None:
        report.line(f"  model {found.manifest.model_hash}, SHA-256 of the bundle {found.digest}")
    report.data(found.to_dict())
    if not found.same:
        raise click.exceptions.Exit(1)
