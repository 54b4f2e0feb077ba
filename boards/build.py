"""The vendor build: a directory with everything that Vivado needs, on this machine or another."""

import json
import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

from amaranth.lib import wiring

from bitformer.boards.board import Board
from bitformer.boards.plan_directory import PLAN_FILE, whole_directory
from bitformer.boards.platforms import BoardPlatform
from bitformer.boards.shell import UartShell
from bitformer.boards.top import BoardTop
from bitformer.boards.vivado import run_vivado
from bitformer.hw.convert import builtin_yosys
from bitformer.model.errors import UserError

__all__ = ["build_plan", "run_vivado"]

_README = """\
{title}: a bitformer build
{underline}

Build it, where Vivado 2018.2 or later is on the PATH:

    sh build_{name}.sh          (Windows: build_{name}.bat)

This makes {name}.bit and the reports {name}_timing.rpt, {name}_utilization_place.rpt and
{name}_power.rpt. A bitstream is no proof of timing: read the timing report.

Part           {part}
Clock          {clock_hz} Hz on ball {clock}
Host link      UART, {baud} baud, 8N1; the FPGA receives on {rx} and sends on {tx}
Input number   {input_bytes} byte(s), two's complement, least significant byte first
Result         {result_bytes} byte(s), likewise

A session begins with a break (the line low for 20 bit times or more). While the LED "fault" is
lit, numbers were lost, and nothing more is taken until a break.

{notes}
"""


def build_plan(
    board: Board,
    accelerator: wiring.Component | Callable[[], wiring.Component],
    *,
    name: str,
    directory: str | os.PathLike,
    baud: int = 115_200,
    force: bool = False,
) -> Path:
    """Write the Vivado project for `accelerator` on `board` and return its directory.

    The directory holds Verilog, constraints, the Tcl script, build scripts for both kinds of
    shells, a README.txt, and ``bitformer.json``, which says the same to programs. It appears whole
    or not at all, and names no other path, so it can be built elsewhere.

    Parameters
    ----------
    board : Board
    accelerator : wiring.Component, or a function without arguments that makes one
        See `UartShell` for what it must look like.
    name : str
        The name of the top module and of the files: a letter, then letters, digits, underscores.
    directory : path
        Where to. An earlier build there is replaced, bitstream included.
    baud : int
        The rate of the host link.
    force : bool
        Whether to replace a directory that is no build of ours.

    Raises
    ------
    TypeError
        If `board` is no `Board` or `accelerator` does not suit the shell.
    ValueError
        If the line rate cannot be had from the board's clock, or the payloads are too wide.
    UserError
        If `name` or `directory` will not do.
    """
    if not isinstance(board, Board):
        raise TypeError(f"Board must be a Board, not {board!r}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise UserError(
            f"Design name must be a letter, then letters, digits and underscores, not {name!r}"
        )
    target = Path(directory).resolve()
    with whole_directory(target, force=force) as fresh:
        if not isinstance(accelerator, wiring.Component) and callable(accelerator):
            accelerator = accelerator()
        shell = UartShell(accelerator=accelerator, clock_hz=board.clock_hz, baud=baud)
        platform = BoardPlatform(board=board)
        top = BoardTop(shell=shell)
        with builtin_yosys():
            plan = platform.prepare(top, name, emit_src=False)
        facts = _facts(board, shell, name)
        plan.add_file("README.txt", _readme(board, facts))
        plan.add_file(PLAN_FILE, json.dumps(facts, indent=2) + "\n")
        plan.extract(fresh)
    return target


def _facts(board: Board, shell: UartShell, name: str) -> dict[str, str | int]:
    return {
        "format": 1,
        "name": name,
        "board": board.name,
        "part": board.vivado_part,
        "clock_hz": shell.clock_hz,
        "link": "uart",
        "baud": shell.baud,
        "input_bytes": shell.input_bytes,
        "result_bytes": shell.result_bytes,
        "bitstream": f"{name}.bit",
    }


def _readme(board: Board, facts: dict[str, str | int]) -> str:
    loading = f"Loading: {board.loader.format(bit=facts['bitstream'])}"
    notes = "\n\n".join(textwrap.fill(text, 98) for text in (board.notes, loading) if text)
    title = f"{facts['name']} on {board.title}"
    return _README.format(
        title=title,
        underline="=" * len(f"{title}: a bitformer build"),
        notes=notes,
        clock=board.clock.ball,
        rx=board.uart_rx.ball,
        tx=board.uart_tx.ball,
        **facts,
    )
