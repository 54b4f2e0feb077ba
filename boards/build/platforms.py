"""Which platform builds for a board: by the family of its part, and by the tools."""

from bitformer.boards.board import Board
from bitformer.boards.build.ecp5_platform import Ecp5Platform
from bitformer.boards.build.ice40_platform import Ice40Platform
from bitformer.boards.build.open_platform import OpenPlatform
from bitformer.boards.build.vivado_platform import BoardPlatform
from bitformer.boards.clock import GENERATOR_W
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.family import Family
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.model.errors import UserError

__all__ = [
    "TOOLCHAIN_NAMES",
    "Platform",
    "generator_of",
    "open_tools",
    "platform_for",
    "toolchains_of",
]

Platform = BoardPlatform | OpenPlatform | Ecp5Platform | Ice40Platform

#: The toolchains of each family, the usual one first.
_PLATFORMS: dict[Family, dict[str, type]] = {
    SERIES7: {"vivado": BoardPlatform, "open": OpenPlatform},
    ECP5: {"open": Ecp5Platform},
    ICE40UP: {"open": Ice40Platform},
}

#: The programs of the open tools, as they are run one after another.
_OPEN_TOOLS = {
    SERIES7: ("yosys", "nextpnr-xilinx", "fpga-as"),
    ECP5: ("yosys", "nextpnr-ecp5", "ecppack"),
    ICE40UP: ("yosys", "nextpnr-ice40", "icepack"),
}

#: Every toolchain's name.
TOOLCHAIN_NAMES = tuple(dict.fromkeys(name for some in _PLATFORMS.values() for name in some))


def generator_of(board: Board) -> tuple[str, str]:
    """Return what makes another clock than the board's, and what it costs; "" if nobody says."""
    if board.family is SERIES7:
        return "a clock generator", f"about {GENERATOR_W} W"
    return "a PLL", ""


def open_tools(board: Board) -> tuple[str, ...]:
    """Return the programs with which the open tools build for a board."""
    return _OPEN_TOOLS[board.family]


def toolchains_of(board: Board) -> tuple[str, ...]:
    """Return the names of the toolchains that build for a board, the usual one first."""
    return tuple(_PLATFORMS[board.family])


def platform_for(
    board: Board,
    toolchain: str | None = None,
    *,
    clock_hz: int | None = None,
    saif: str | None = None,
) -> tuple[str, Platform]:
    """Return the toolchain, by default the usual one, and its platform of a board.

    Raises
    ------
    UserError
        If there is no such toolchain, or it cannot build what is asked for.
    """
    platforms = _PLATFORMS[board.family]
    toolchain = toolchain or next(iter(platforms))
    if toolchain not in TOOLCHAIN_NAMES:
        raise UserError(f"Toolchain must be {' or '.join(TOOLCHAIN_NAMES)}, not {toolchain!r}")
    if toolchain not in platforms:
        raise UserError(
            f"Toolchain of {board.title} must be {' or '.join(platforms)}, not {toolchain!r}"
        )
    try:
        return toolchain, platforms[toolchain](board=board, clock_hz=clock_hz, saif=saif)
    except ValueError as error:
        raise UserError(str(error)) from None
