"""Loading a bitstream into a board, through openFPGALoader."""

import os
from collections.abc import Sequence
from pathlib import Path

from bitformer.boards.board import Board
from bitformer.boards.build.manifest import Manifest
from bitformer.boards.build.probes import attached, choose
from bitformer.boards.catalog import find_board
from bitformer.model.errors import UserError
from bitformer.model.process import missing, run_child

__all__ = ["find_bitstream", "load_command", "program"]


def find_bitstream(source: Path, *, board: str | None, flash: bool) -> tuple[Path, Board]:
    """Return the file to load and the board to load it into.

    Parameters
    ----------
    source : Path
        A bitstream, or a directory that a build left one in.
    board : str or None
        The board's name; a build knows its own.
    flash : bool
        Whether it is for the flash, which takes the ``.bin`` beside the ``.bit`` where there is
        one.

    Raises
    ------
    UserError
        If there is no bitstream, no board is named, or the build is for another.
    """
    if source.is_dir():
        manifest = Manifest.read(source)
        if board not in (None, manifest.board):
            raise UserError(f"Build in {source} is for board {manifest.board}, not {board}")
        bitstream, board = source / manifest.bitstream, manifest.board
    else:
        bitstream = source
        if source.suffix not in (".bit", ".bin"):
            raise UserError(
                f"Bitstream must be a .bit or .bin file or a build's directory, not {source}; of a"
                " model, 'bitformer build' makes one"
            )
        if board is None:
            raise UserError("Board must be named with --board, as a bitstream file does not say")
    found = find_board(board)
    if flash and bitstream.with_suffix(".bin").is_file():
        bitstream = bitstream.with_suffix(".bin")
    if not bitstream.is_file():
        raise UserError(f"Bitstream {bitstream} is not there; build it first")
    return bitstream, found


def load_command(
    board: Board,
    bitstream: Path,
    *,
    flash: bool = False,
    cable: str | None = None,
    which: Sequence[str] = (),
) -> list[str]:
    """Return the arguments of openFPGALoader, its own name first.

    ``which`` are those of `choose`.

    Raises
    ------
    UserError
        If the board needs a cable that is not named, or has no flash.
    """
    loader = board.loader
    if loader.dfu:
        if which or cable not in (None, loader.cable):
            raise UserError(
                f"{board.title} is loaded over its own USB by its boot loader, of which"
                " openFPGALoader takes the first: leave --cable, --usb and --serial out, and"
                " attach one board only"
            )
        return [_tool(), "-b", str(loader.board), str(bitstream.resolve())]
    if flash and not loader.flash:
        raise UserError(f"{board.title} has no flash that the FPGA loads itself from")
    flash |= loader.flash_only
    cable = _cable(board, cable)
    command = [_tool()]
    if loader.board is not None and (flash or loader.part is None):
        command += ["-b", loader.board]
        if cable != (loader.usual_cable or loader.cable):
            command += ["-c", cable]
    else:
        command += ["-c", cable, "--fpga-part", str(loader.part)]
    return [*command, *which, *(["-f"] if flash else []), str(bitstream.resolve())]


def _tool() -> str:
    return os.environ.get("OPENFPGALOADER") or "openFPGALoader"


def _cable(board: Board, named: str | None) -> str:
    cable = named or board.loader.cable
    if cable is None:
        raise UserError(
            f"{board.title} has no JTAG cable of its own: name yours with --cable, for example"
            " digilent_hs2, ft2232 or dirtyJtag ('openFPGALoader --list-cables' has all)"
        )
    return cable


def program(
    board: Board,
    bitstream: Path,
    *,
    flash: bool = False,
    cable: str | None = None,
    usb: str | None = None,
    serial: str | None = None,
) -> list[str]:
    """Load `bitstream`: into the FPGA, until its power goes, or into its flash.

    What openFPGALoader says goes where ours does. Where several probes of the cable's kind are
    attached, it would take the first: ``usb`` or ``serial`` must say which, see `choose`. The
    arguments that it was run with are returned.

    Raises
    ------
    UserError
        If it is not installed, or fails; and see `load_command` and `choose`.
    """
    command = load_command(board, bitstream, flash=flash, cable=cable)
    if reason := missing("openFPGALoader", "OPENFPGALOADER"):
        raise UserError(
            f"{reason}; install openFPGALoader ('apt install"
            " openfpgaloader', 'brew install openfpgaloader', or"
            " https://trabucayre.github.io/openFPGALoader) or name it in OPENFPGALOADER"
        )
    probes = [] if board.loader.dfu else attached(command[0], _cable(board, cable))
    which = choose(probes, usb=usb, serial=serial)
    command = load_command(board, bitstream, flash=flash, cable=cable, which=which)
    status = run_child(command, cwd=Path.cwd())
    if status != 0:
        raise UserError(
            f"openFPGALoader failed with exit status {status}: is {board.title} connected and"
            " powered?"
        )
    return command
