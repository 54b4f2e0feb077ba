"""``bitformer build``: a board's complete project, and its bitstream where Vivado is installed."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.options import (
    PATH,
    hardware_options,
    lowered,
    model_argument,
    placements,
    reloadable_option,
)
from bitformer.cli.quantity import MEGAHERTZ, RATE
from bitformer.cli.report import Report, command_line, json_option

if TYPE_CHECKING:
    from bitformer.boards.build.fit import TooLargeError
    from bitformer.boards.shell.elastic.address_map import ElasticMap
    from bitformer.model.ir import IntegerModel

__all__ = ["command"]


def _problems(report: Report, plan: Path) -> tuple[str, ...] | None:
    """What the tools' reports have against a build, also for people; None if there are none."""
    from bitformer.boards.reports.report import read_build
    from bitformer.model.errors import UserError

    try:
        problems = read_build(plan).problems
    except UserError as error:
        report.note(str(error))
        return None
    for problem in problems:
        report.line(f"Not good: {problem}")
    return problems


def _addresses(_context, _option, text: str | None) -> "ElasticMap | None":
    """What ``--elastic`` says."""
    if text is None:
        return None
    from bitformer.boards.shell.elastic.address_map import ElasticMap
    from bitformer.model.errors import UserError

    numbers = text.split(",")
    if not 3 <= len(numbers) <= 4 or not all(number.strip().isdecimal() for number in numbers):
        raise UserError(f"--elastic must be ID,START,DATA or ID,START,DATA,PHASE, not {text!r}")
    fields = ("model_id", "start", "data", "phase")
    try:
        return ElasticMap(**dict(zip(fields, map(int, numbers), strict=False)))
    except ValueError as error:
        raise UserError(str(error)) from None


def _remedy(
    model: "IntegerModel",
    path: Path,
    error: "TooLargeError",
    reloadable: bool,
    asked: dict[str, Any],
) -> str:
    """What to change of what was ``asked`` for, as the end of a sentence."""
    from bitformer.estimate.remedies import remedies
    from bitformer.model.progress import progress_bar

    if reloadable:
        return "it may without --reloadable, which keeps the weights twice"
    # a change may leave no block RAM for the shell
    memory = dataclasses.replace(error.memory, placement="distributed")
    with progress_bar() as progress:
        found = remedies(model, **asked, beside=(memory,), most=1, progress=progress)
    if not found:
        return f"more is tried by {command_line('doctor', path, '--part', asked['part'])}"
    if found[0].figures.part != asked["part"]:
        return f"a board with an {found[0].figures.part} would do"
    return f"it does with {found[0].change}, in {found[0].figures.latency} cycles"


@click.command("build")
@model_argument
@click.option("--board", required=True, metavar="B", help="A board of 'bitformer boards'.")
@hardware_options
@click.option("--name", metavar="NAME", help="Of the top module and the files [the config's].")
@click.option("--link", metavar="LINK", help="uart, spi or elastic [the board's usual one].")
@click.option("--baud", type=RATE, metavar="N", help="Rate of a UART [115200].")
@click.option(
    "--elastic",
    "addresses",
    callback=_addresses,
    metavar="ID,START,DATA[,PHASE]",
    help="Addresses of the link elastic, and its SPI phase [0,16,18,1].",
)
@click.option(
    "--clock",
    "clock_mhz",
    type=MEGAHERTZ,
    metavar="MHZ",
    help="Another clock than the board's, by a clock generator: about 0.105 W more.",
)
@click.option(
    "--saif",
    type=PATH,
    metavar="FILE",
    help="Switching activity for the power report, as 'simulate --saif' writes it.",
)
@click.option(
    "--toolchain",
    default="vivado",
    show_default=True,
    metavar="T",
    help="vivado, or open: Yosys and nextpnr-xilinx, where they know the part.",
)
@reloadable_option
@click.option("--plan-only", is_flag=True, help="Write the project, and run no tools.")
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="Folder to write.")
@json_option
def command(
    model: Path,
    board: str,
    lanes: int | None,
    pack: bool,
    place: tuple[str, ...],
    name: str | None,
    link: str | None,
    baud: int | None,
    addresses: "ElasticMap | None",
    clock_mhz: float | None,
    saif: Path | None,
    toolchain: str,
    reloadable: bool,
    plan_only: bool,
    output: Path,
    report: Report,
) -> None:
    """Write MODEL's complete project for a board to DIR, and run it where the tools are found.

    DIR holds Verilog, constraints, the tools' script, and a script that builds all of it elsewhere
    with one command. Without the tools the project is left there and the exit code is 2;
    --plan-only asks for no more than the project. What bitformer wrote to DIR before is replaced.
    A design that cannot fit the board with its shell is refused, with a change that would do.

    \b
    bitformer build m.safetensors --board sea --plan-only -o build/mine
    bitformer build m.safetensors --board elastic-node-v5 --link elastic -o build/mine
    bitformer build m.safetensors --board arty-s7-50 --toolchain open -o build/mine
    """
    from bitformer.boards.build.design import build_design
    from bitformer.boards.build.fit import TooLargeError
    from bitformer.boards.build.manifest import Manifest
    from bitformer.boards.catalog import find_board
    from bitformer.boards.clock import GENERATOR_W
    from bitformer.hw.lowering.exact import estimate
    from bitformer.model.checkpoint import load_model
    from bitformer.model.errors import UserError

    found = find_board(board)
    loaded = load_model(model)
    design = lowered(
        loaded, part=found.part, lanes=lanes, pack=pack, place=place, reloadable=reloadable
    )
    clock_hz = found.clock_hz if clock_mhz is None else round(clock_mhz * 1e6)
    if clock_hz != found.clock_hz:
        report.note(
            f"A clock generator makes {clock_hz / 1e6:g} MHz of {found.clock_hz / 1e6:g} MHz; it"
            f" takes about {GENERATOR_W} W"
        )
    result = estimate(design, clock_hz=clock_hz)
    given = {"baud": baud, "elastic": addresses}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        plan = build_design(
            design,
            found,
            name=name,
            directory=output,
            link=link,
            clock_hz=clock_hz,
            saif=saif,
            toolchain=toolchain,
            **options,
        )
    except TooLargeError as error:
        asked = {"part": found.part, "lanes": lanes, "pack": pack, "placement": placements(place)}
        raise UserError(f"{error}; {_remedy(loaded, model, error, reloadable, asked)}") from None
    script = f"sh build_{Manifest.read(plan).name}.sh"
    report.line(f"{found.title}: project in {plan}; build it with '{script}' there")
    bitstream, problem, against = None, None, None
    if not plan_only:
        from bitformer.boards.build.run import run_plan

        try:
            bitstream = run_plan(plan)
            report.line(f"Bitstream: {bitstream}; its reports: {command_line('report', plan)}")
            against = _problems(report, plan)
        except UserError as error:
            problem = error
    report.data(
        {
            "model": str(model),
            "board": found.name,
            "plan": str(plan),
            "command": script,
            "bitstream": None if bitstream is None else str(bitstream),
            "problems": against,
            "estimate": result.to_dict(),
        }
    )
    if problem is not None:
        raise problem
