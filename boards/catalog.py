"""The boards bitformer builds for. Nothing here was tried on a real board yet."""

from bitformer.boards.board import Board, Pin
from bitformer.model.errors import UserError

__all__ = ["BOARDS", "find_board"]

_SEA = Board(
    name="sea",
    title="Seeed Spartan Edge Accelerator",
    part="xc7s15",
    package="ftgb196",
    speed="1",
    clock_hz=100_000_000,
    clock=Pin(ball="H4"),
    reset=Pin(ball="D14", inverted=True),
    uart_rx=Pin(ball="M14"),
    uart_tx=Pin(ball="N14"),
    alive=Pin(ball="J1"),
    fault=Pin(ball="A13"),
    loader=(
        "Over JTAG, with switch K5 on JTAG: "
        "openFPGALoader -b spartanEdgeAccelBoard -c CABLE {bit}. "
        "From an SD card, with K5 on Slave: copy {bit} to /overlay/default.bit; Seeed's ESP32 "
        "loader skips the first 100 bytes, so it takes the .bit and never the .bin file. "
        "The board has no flash for the FPGA: the bitstream is gone when the power is."
    ),
    notes=(
        "USB-C reaches the ESP32 only. Connect a 3.3 V USB serial adapter to header J10: its TXD "
        "to IO1 (M14), its RXD to IO0 (N14), and ground."
    ),
)

_ARTY_S7_50 = Board(
    name="arty-s7-50",
    title="Digilent Arty S7-50",
    part="xc7s50",
    package="csga324",
    speed="1",
    clock_hz=100_000_000,
    clock=Pin(ball="R2", standard="SSTL135"),
    reset=Pin(ball="C18", inverted=True),
    uart_rx=Pin(ball="V12"),
    uart_tx=Pin(ball="R12"),
    alive=Pin(ball="E18"),
    fault=Pin(ball="F13"),
    # The clock arrives in the DDR3 bank, at 1.35 V; its receiver compares with half of that.
    constraints=("set_property INTERNAL_VREF 0.675 [get_iobanks 34]",),
    loader="openFPGALoader -b arty_s7_50 {bit}, or Vivado's hardware manager.",
    notes="The USB connector carries the serial port.",
)

#: Every known board by name.
BOARDS: dict[str, Board] = {board.name: board for board in (_SEA, _ARTY_S7_50)}


def find_board(name: str) -> Board:
    """The board called `name`; a `UserError` that lists the known ones if there is none."""
    if name not in BOARDS:
        raise UserError(f"Board {name!r} is unknown; known boards are {', '.join(sorted(BOARDS))}")
    return BOARDS[name]
