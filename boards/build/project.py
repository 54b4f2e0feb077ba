"""The build: a directory with everything that the tools need, on this machine or another."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from amaranth.lib import wiring

from bitformer.boards.board import Board
from bitformer.boards.build.directory import whole_directory
from bitformer.boards.build.firmware import HEADER_FILE, SCALING_FILE, write_firmware
from bitformer.boards.build.fit import check_fit
from bitformer.boards.build.manifest import Manifest, Toolchain
from bitformer.boards.build.open_platform import proxy_of
from bitformer.boards.build.platforms import Platform, generator_of, open_tools, platform_for
from bitformer.boards.build.saif import SIMULATED_HZ, model_of, rescaled
from bitformer.boards.shell.elastic.address_map import V2, ElasticMap
from bitformer.boards.shell.elastic.shell import ElasticShell
from bitformer.boards.shell.shell import SpiShell, UartShell
from bitformer.boards.shell.top import BoardTop
from bitformer.hw.convert import builtin_yosys
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.errors import UserError
from bitformer.model.files import open_regular
from bitformer.model.forecasts.answer import Answer
from bitformer.model.identity import model_hash
from bitformer.model.names import check_design_name

__all__ = ["SHELLS", "build_plan"]

#: The shell of each host link.
SHELLS = {"uart": UartShell, "spi": SpiShell, "elastic": ElasticShell}

_README = """\
{title}: a bitformer build
{underline}

Build it, where {tools} on the PATH:

    sh build_{name}.sh          (Windows: build_{name}.bat)

This makes {name}.bit and reports. A bitstream is no proof of timing: 'bitformer report .' says
whether the reports call the design good.

Part           {part}
Clock          {clock}
Host link      {wires}
Input number   {input_bits} bits, {kind} in whole bytes, the least significant first; what
               does not fit is to be sent as the nearest number that does
Result         {result_bits} bits, likewise
{meaning}
{protocol}
{firmware}
{notes}
"""

_FIRMWARE = """
What firmware needs to turn samples into input numbers and results into units is in {json} and,
for C, in {header}; the C headers and bitformer_micro.py (for MicroPython) beside them
do it. docs/firmware.md of bitformer is a guide.
"""

_TIME = """\
The model takes the time of each window's last step: {numbers}. These
numbers stand behind the window's last word, in this order, then zeros up to a multiple of
{inputs}, the window's channels: {words} words in all.{unsigned} They are of the clock that the
training file shows (local time, if it had that); without a clock the answer is that of another
time. In C, bitformer_time() of bitformer_scale.h puts them there; docs/firmware.md of
bitformer: "The time".
"""
_TIME_NUMBERS = {"hour": "the hour (0 to 23)", "weekday": "the weekday (0 for Monday)"}

_FRAMED = """\
Numbers travel in frames with a checksum: docs/protocol.md of bitformer describes them, and its
host drivers speak them. The LED "fault" is lit while the last request was refused."""

_ELASTIC = """\
The link speaks the Elastic Node's own protocol, which has no checksum: docs/protocol.md of
bitformer. For the node's firmware (addresses count from 0x{base:04x}):

    #define ADDR_MODEL_ID {model_id}
    #define BYTES_MODEL_ID 16
    #define ADDR_COMPUTATION_ENABLE {start}
    #define ADDR_SKELETON_INPUTS {data}
    #define QXI_BAUD_RATE {sck_hz}
    #define QXI_CPHA SPI_CPHA_{phase}

and the model's name is {name}. The LED "fault" is lit after a transfer
that was neither a read nor a write."""


def build_plan(
    board: Board,
    accelerator: wiring.Component | Callable[[], wiring.Component],
    *,
    name: str,
    directory: str | os.PathLike,
    link: str | None = None,
    baud: int = 115_200,
    elastic: ElasticMap = V2,
    clock_hz: int | None = None,
    saif: str | os.PathLike | None = None,
    toolchain: str | None = None,
    force: bool = False,
) -> Path:
    """Write the project for `accelerator` on `board` and return its directory.

    The directory holds Verilog, constraints, the Tcl script, build scripts for both kinds of
    shells, a README.txt, and ``bitformer.json``, which says the same to programs. With a design's
    `Accelerator`, it also holds what firmware needs: :mod:`bitformer.boards.build.firmware`. It
    appears whole or not at all, and names no other path, so it can be built elsewhere.

    Parameters
    ----------
    board : Board
        Where it is to run.
    accelerator : wiring.Component, or a function without arguments that makes one
        See `UartShell` for what it must look like.
    name : str
        The name of the top module and of the files; see
        :func:`bitformer.model.names.check_design_name`.
    directory : path
        Where to. An earlier build there is replaced, bitstream included.
    link : str or None
        The host link, ``"uart"``, ``"spi"`` or ``"elastic"``; by default the board's usual one.
    baud : int
        The rate of a UART.
    elastic : ElasticMap
        The addresses of the link ``"elastic"``.
    clock_hz : int or None
        The design's clock; another than the board's costs a clock generator.
    saif : path or None
        Switching activity of the accelerator, as :mod:`.saif` writes it, for the power report; a
        copy, at the design's clock, goes into the directory. It must be of the model that the
        accelerator was lowered from, if it was.
    toolchain : str or None
        ``"vivado"``, or ``"open"`` for Yosys and nextpnr; by default Vivado where it builds for the
        board's part.
    force : bool
        Whether to replace a directory that is no build of ours.

    Raises
    ------
    TypeError
        If `board` is no `Board` or `accelerator` does not suit the shell.
    TooLargeError
        If the board's part has too few multipliers or memories for a design and its shell.
    UserError
        If `name`, `directory`, `link`, `clock_hz`, `saif` or `toolchain` will not do, the
        line rate cannot be had from the clock, or the payloads are too wide.
    """
    if not isinstance(board, Board):
        raise TypeError(f"Board must be a Board, not {board!r}")
    check_design_name(name, "Design name")
    link = _link(board, link)
    toolchain, platform = platform_for(
        board, toolchain, clock_hz=clock_hz, saif=None if saif is None else f"{name}.saif"
    )
    target = Path(directory).resolve()
    with whole_directory(target, force=force) as fresh:
        if not isinstance(accelerator, wiring.Component) and callable(accelerator):
            accelerator = accelerator()
        known = _of_design(accelerator)
        if saif is not None:
            activity = _activity(Path(saif), platform.clock_hz, known.get("model"))
            (fresh / f"{name}.saif").write_text(activity, encoding="utf-8")
        of_links: dict[str, dict[str, Any]] = {
            "uart": {"baud": baud},
            "elastic": {"addresses": elastic},
        }
        options = of_links.get(link, {})
        shell = _shell(accelerator, link, clock_hz=platform.clock_hz, **options)
        check_fit(board, shell)
        with builtin_yosys():
            plan = platform.prepare(BoardTop(shell=shell), name, emit_src=False)
        manifest = Manifest(
            name=name,
            board=board.name,
            part=board.full_part,
            clock_hz=shell.clock_hz,
            mmcm=platform.generator is not None,
            link=link,
            **_of_link(shell, link),
            input_bits=shell.input_bits,
            result_bits=shell.result_bits,
            bitstream=f"{name}.bit",
            toolchain=cast(Toolchain, toolchain),
            **known,
        )
        plan.add_file("README.txt", _readme(board, manifest, platform, _time(accelerator)))
        plan.extract(fresh)
        if isinstance(accelerator, Accelerator):
            write_firmware(accelerator.design, fresh, framed=link != "elastic")
        manifest.write(fresh)
    return target


def _link(board: Board, link: str | None) -> str:
    there = [known for known in board.links if known in SHELLS]
    if link is None:
        return there[0]
    if link not in there:
        raise UserError(f"Link of {board.title} must be {' or '.join(there)}, not {link!r}")
    return link


def _activity(saif: Path, clock_hz: int, model: str | None) -> str:
    """Return the text of a SAIF file for a clock; it must be of the model of that hash, if any."""
    try:
        with open_regular(saif) as file:
            text = file.read().decode("utf-8")
    except OSError as error:
        raise UserError(f"SAIF file {saif} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"SAIF file {saif} must be text in UTF-8, which it is not") from None
    if "(SAIFILE" not in text[:1000]:
        raise UserError(f"SAIF file {saif} must begin with SAIFILE")
    if model is not None and (found := model_of(text)) != model:
        raise UserError(
            f"SAIF file {saif} must be what 'simulate --saif' writes of this model, whose hash is"
            f" {model}, and it is of {found or 'one that it does not name'}"
        )
    return rescaled(text, from_hz=SIMULATED_HZ, to_hz=clock_hz)


def _shell(accelerator: wiring.Component, link: str, *, clock_hz: int, **options: Any) -> Any:
    try:
        return SHELLS[link](accelerator=accelerator, clock_hz=clock_hz, **options)
    except ValueError as error:
        raise UserError(str(error)) from None


def _of_design(accelerator: object) -> dict[str, Any]:
    """Return what a manifest says of a lowered design; nothing for another component."""
    if not isinstance(accelerator, Accelerator):
        return {}
    design = accelerator.design
    return {
        "model": model_hash(design.model).hex(),
        "unsigned": design.model.config.adc_words or None,
        "latency_cycles": design.latency,
        "interval_cycles": design.interval,
        "answer": Answer.of(design.model),
    }


def _of_link(shell: Any, link: str) -> dict[str, Any]:
    """Return what a manifest says of one host link only."""
    if link == "uart":
        return {"baud": shell.baud}
    if link == "spi":
        return {}
    return {
        "addresses": vars(shell.addresses),
        "model_id": shell.model_id.hex(),
        "highest_sck_hz": shell.highest_sck_hz,
    }


def _protocol(manifest: Manifest) -> str:
    if manifest.addresses is None or manifest.model_id is None:
        return _FRAMED
    name = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(manifest.model_id)[:8])
    return _ELASTIC.format(
        **manifest.addresses,
        sck_hz=manifest.highest_sck_hz,
        name=f"{{{name}}}, then zeros",
    )


def _answer(manifest: Manifest) -> str:
    """Say what a result means, and where the shell counts; nothing of a component without one."""
    answer = manifest.answer
    if answer is None:
        return ""
    said = [*answer.sentences]
    if manifest.link != "elastic" and answer.task == "classify" and answer.margin:
        said.append("The shell counts the windows that it rejects; its registers have the count")
    if manifest.link != "elastic" and answer.task == "detect":
        said.append("The shell counts the windows with the flag up; its registers have the count")
    lines = textwrap.wrap(". ".join(said) + ".", 83)
    return "".join(f"{'' if n else 'Answer':15}{line}\n" for n, line in enumerate(lines))


def _time(accelerator: object) -> str:
    """Say how a window's time is sent; nothing for a component that takes none."""
    if not isinstance(accelerator, Accelerator) or not accelerator.design.model.config.calendar:
        return ""
    model = accelerator.design.model
    config, more = model.config, 1 << (model.input.bits - 1)
    text = _TIME.format(
        numbers=", then ".join(_TIME_NUMBERS[name] for name in config.calendar),
        inputs=config.inputs,
        words=model.window_size,
        unsigned=f" Like every word, each of them is {more} more." if config.adc_words else "",
    )
    return f"\n{textwrap.fill(text, 98)}\n"


def _readme(board: Board, manifest: Manifest, platform: Platform, time: str) -> str:
    loading = (
        f"Loading: bitformer program . --board {board.name}, through openFPGALoader. "
        + board.loading.format(bit=manifest.bitstream, name=manifest.name)
    )
    proxy = proxy_of(board.part) if manifest.toolchain == "open" else None
    texts = (board.notes, loading, f"{proxy}." if proxy else "")
    notes = "\n\n".join(textwrap.fill(text, 98) for text in texts if text)
    title = f"{manifest.name} on {board.title}"
    generated = platform.generator
    clock = f"{generated.input_hz if generated else platform.clock_hz} Hz "
    clock += "of the chip's oscillator" if board.clock is None else f"on ball {board.clock.ball}"
    if generated:
        generator, cost = generator_of(board)
        clock += f"; {generator} makes {manifest.clock_hz} Hz of it"
        clock += f", for {cost}" if cost else ""
    tools = {
        "vivado": "Vivado 2018.2 or later is",
        "open": f"{', '.join(open_tools(board))} are",
    }[manifest.toolchain]
    balls = ", ".join(f"{wire} {pin.ball}" for wire, pin in board.wires(manifest.link).items())
    kind = f"UART, {manifest.baud} baud, 8N1" if manifest.link == "uart" else "SPI"
    return _README.format(
        **vars(manifest),
        title=title,
        underline="=" * len(f"{title}: a bitformer build"),
        notes=notes,
        clock=clock,
        kind="an ADC's word, from 0 on," if manifest.unsigned else "two's complement",
        tools=tools,
        wires=f"{kind}; on the FPGA's side: {balls}",
        meaning=_answer(manifest),
        protocol=_protocol(manifest),
        firmware=(
            _FIRMWARE.format(json=SCALING_FILE, header=HEADER_FILE) + time if manifest.model else ""
        ),
    )
