"""``bitformer bundle``: a model, its design, its build and its proof in one file."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.options import PATH, hardware_options, model_argument
from bitformer.cli.quantity import COUNT, COUNT_OR_NONE, MEGAHERTZ, RATE, SEED
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.sections import SectionedCommand, section
from bitformer.model.errors import NotBitExactError, UserError
from bitformer.model.progress import progress_bar

__all__ = ["command"]

#: Options of a project that is written anew.
_OF_PROJECT = ("clock_hz", "link", "baud", "toolchain")


@click.command("bundle", cls=SectionedCommand)
@model_argument
@click.option("--board", required=True, metavar="B", help="The board: see 'bitformer boards'.")
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="FILE.zip", help="The bundle to write."
)
@click.option(
    "--build",
    type=PATH,
    metavar="DIR",
    help="What 'bitformer build' wrote of MODEL for the board: its bitstream and reports come"
    " along. Without it, the project alone does.",
)
@section(
    "The project, without --build",
    click.option(
        "--clock",
        "clock_hz",
        type=MEGAHERTZ,
        metavar="MHZ",
        help="Clock in megahertz [the board's].",
    ),
    click.option("--link", metavar="L", help="Host link: uart, spi or elastic [the board's]."),
    click.option("--baud", type=RATE, metavar="B", help="Rate of a UART [115200]."),
    click.option("--toolchain", metavar="T", help="vivado or open: see 'bitformer build'."),
)
@section("The design", hardware_options)
@click.option(
    "--samples",
    type=COUNT,
    default=4,
    show_default=True,
    metavar="N",
    help="Golden windows, of random integers: their tensors are in the bundle.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of these integers.")
@click.option(
    "--noise",
    type=COUNT_OR_NONE,
    default=128,
    show_default=True,
    metavar="N",
    help="Test windows that the report's noise is measured on, which needs torch; 0 for none.",
)
@json_option
def command(
    model: Path,
    board: str,
    output: Path,
    build: Path | None,
    hardware: dict[str, Any],
    samples: int,
    seed: int,
    noise: int,
    report: Report,
    **options: Any,
) -> None:
    """Write MODEL and all that was made of it to one zip that another machine can check.

    It holds the model, the accelerator as Verilog and as JSON, the project for the board, golden
    vectors, the report, the releases that made it, and a digest of every file. No row of anybody's
    data is in it. 'bitformer verify' makes all of it again and says whether it is the same.

    \b
    bitformer bundle m.safetensors --board sea -o mine.zip
    bitformer bundle m.safetensors --board ulx3s-25f --build build/mine \\
        -o mine.zip
    bitformer verify mine.zip
    """
    from bitformer.boards.catalog import find_board
    from bitformer.bundle.make import make_bundle
    from bitformer.model.files import ready_file

    given = [name for name in _OF_PROJECT if options[name] is not None]
    if build is not None and given:
        option = {"clock_hz": "clock"}.get(given[0], given[0])
        raise UserError(f"--{option} must be left out with --build, whose project has its own")
    if options["clock_hz"] is not None:
        options["clock_hz"] = round(options["clock_hz"])
    find_board(board)
    ready_file(output)
    try:
        with progress_bar() as progress:
            made = make_bundle(
                bitformer.load(model),
                board,
                output,
                hardware=hardware,
                build=build,
                options=options,
                samples=samples,
                seed=seed,
                noise=noise,
                note=report.note,
                progress=progress,
            )
    except NotBitExactError as error:
        report.note(str(error))
        raise click.exceptions.Exit(1) from None
    size = output.stat().st_size
    report.line(f"Bundle: {output}, {size} bytes; check it with '{command_line('verify', output)}'")
    for name in made.outputs:
        report.line(f"  with {name}, which is not made again: its digest is checked")
    report.data(
        {
            "bundle": str(output),
            "bytes": size,
            "model": str(model),
            "model_hash": made.model_hash,
            "board": made.board,
            "outputs": list(made.outputs),
            "samples": samples,
            "latency_cycles": made.golden.latency,
        }
    )
