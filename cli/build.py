"""``bitformer build``: a board's complete project, and its bitstream where Vivado is installed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.cli.lowering import lowered
from bitformer.cli.options import PATH, hardware_options, model_argument, reloadable_option
from bitformer.cli.quantity import COUNT, MEGAHERTZ, RATE
from bitformer.cli.report import Report, command_line, json_option
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.boards.shell.elastic.address_map import ElasticMap
    from bitformer.synth.routing import Routing

__all__ = ["command"]


def _addresses(_context, _option, text: str | None) -> "ElasticMap | None":
    """Return the addresses that ``--elastic`` gives."""
    if text is None:
        return None
    from bitformer.boards.shell.elastic.address_map import ElasticMap

    numbers = text.split(",")
    if not 3 <= len(numbers) <= 4 or not all(number.strip().isdecimal() for number in numbers):
        raise UserError(f"--elastic must be ID,START,DATA or ID,START,DATA,PHASE, not {text!r}")
    fields = ("model_id", "start", "data", "phase")
    try:
        return ElasticMap(**dict(zip(fields, map(int, numbers), strict=False)))
    except ValueError as error:
        raise UserError(str(error)) from None


@click.command("build")
@model_argument
@click.option("--board", required=True, metavar="B", help="A board of 'bitformer boards'.")
@hardware_options
@click.option("--name", metavar="NAME", help="Of the top module and the files [the config's].")
@click.option("--link", metavar="LINK", help="uart, spi or elastic [the board's usual one].")
@click.option("--baud", type=RATE, metavar="N", help="Rate of a UART [115200].")
@click.option(
    "--elastic",
    callback=_addresses,
    metavar="ID,START,DATA[,PHASE]",
    help="Addresses of the link elastic, and its SPI phase [0,16,18,1].",
)
@click.option(
    "--clock",
    "clock_hz",
    type=MEGAHERTZ,
    metavar="MHZ",
    help="The design's clock, exactly [the board's own]. Another than the board's is made by a"
    " clock generator, of AMD's parts for about 0.105 W. It is asked of the tools, and a build that"
    " misses it is not good.",
)
@click.option(
    "--saif",
    type=PATH,
    metavar="FILE",
    help="Switching activity for the power report, as 'simulate --saif' writes it.",
)
@click.option(
    "--toolchain",
    metavar="T",
    help="vivado; or open: Yosys and nextpnr, where they know the part [vivado where it builds for"
    " the board's part, else open].",
)
@click.option(
    "--seeds",
    type=COUNT,
    metavar="N",
    help="Place and route with N seeds, as many at once as there are cores, and keep the best:"
    " where nextpnr is run here, as for an ULX3S [3].",
)
@reloadable_option
@click.option("--plan-only", is_flag=True, help="Write the project, and run no tools.")
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="Folder to write.")
@json_option
def command(
    model: Path,
    board: str,
    hardware: dict[str, Any],
    reloadable: bool,
    plan_only: bool,
    output: Path,
    clock_hz: float | None,
    seeds: int | None,
    report: Report,
    **options: Any,
) -> None:
    """Write MODEL's complete project for a board to DIR, and run it where the tools are found.

    DIR holds the design, constraints, the tools' script, and a script that builds all of it
    elsewhere with one command. Without the tools the project is left there and the exit code is 2;
    --plan-only asks for no more than the project. What bitformer wrote to DIR before is replaced.
    A design that cannot fit the board with its shell is refused, with a change that would do.

    For a board of another maker's parts the tools are Yosys, nextpnr, and ecppack or icepack:
    native ones, or those that 'pip install "bitformer[open]"' brings. What they reach is shown, and
    the exit code is 1 if that is less than the clock. Seeds that are finished are kept: after
    Ctrl-C, the same command goes on.

    \b
    bitformer build m.safetensors --board sea --plan-only -o build/mine
    bitformer build m.safetensors --board elastic-node-v5 --link elastic \\
        -o build/mine
    bitformer build m.safetensors --board ulx3s-25f --clock 100 -o build/mine
    bitformer build m.safetensors --board icebreaker --clock 24 -o build/mine
    bitformer build m.safetensors --board arty-s7-50 --toolchain open \\
        -o build/mine
    """
    from bitformer.boards.catalog import find_board

    found = find_board(board)
    hertz = None if clock_hz is None else round(clock_hz)
    design = lowered(bitformer.load(model), part=found.part, reloadable=reloadable, **hardware)
    with progress_bar() as progress:
        progress(0, None, "Writing the project")
        build = design.build(
            board, to=output, clock_hz=hertz, note=report.note, progress=progress, **options
        )
    plan = build.folder
    report.line(f"{found.title}: project in {plan}; build it with '{build.command}' there")
    for sentence in design.answer.sentences:
        report.line(f"  {sentence}")
    bitstream, problem, against, routing = None, None, None, None
    if not plan_only:
        try:
            with progress_bar() as progress:
                bitstream = str(build.run(seeds=seeds, progress=progress))
            report.line(f"Bitstream: {bitstream}; its reports: {command_line('report', plan)}")
            against, routing = _reported(report, build)
        except UserError as error:
            problem = error
    report.data(
        {
            "model": str(model),
            "board": build.board,
            "plan": str(plan),
            "command": build.command,
            "bitstream": bitstream,
            "problems": against,
            "answer": design.answer.to_dict(),
            "routing": None if routing is None else routing.to_dict(),
            "estimate": design.exact(clock_hz=hertz or found.clock_hz).to_dict(),
        }
    )
    if problem is not None:
        raise problem
    if routing is not None and against:
        raise click.exceptions.Exit(1)


def _reported(
    report: Report, build: "bitformer.Build"
) -> "tuple[tuple[str, ...] | None, Routing | None]":
    """Print what the tools say of a build; return what is against it, and its seeds.

    None where there are no reports, or no seeds.
    """
    try:
        found = build.report()
    except UserError as error:
        report.note(str(error))
        return None, None
    if found.routing is not None:
        report.table(("report", "value", ""), found.rows())
    for problem in found.problems:
        report.line(f"Not good: {problem}")
    return found.problems, found.routing
