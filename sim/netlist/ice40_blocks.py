"""Block RAMs of the iCE40 UltraPlus, as far as they are modelled.

Written after Lattice's FPGA-TN-02002.
"""

from bitformer.sim.netlist.codegen import (
    Lines,
    Modelled,
    inside,
    join_bits,
    number,
    split_bits,
    variable,
)
from bitformer.synth.netlist import Bit, Cell

__all__ = ["BLOCKS"]

_ROWS = 256


def _bits(cell: Cell, pin: str, count: int, missing: Bit = "0") -> list[Bit]:
    """Return the bits at a pin, of which those that are not there are open."""
    found = list(cell.pins.get(pin, ()))
    return found + [missing] * (count - len(found))


def _bit(cell: Cell, pin: str, missing: Bit = "0") -> Bit:
    return _bits(cell, pin, 1, missing)[0]


def _block_ram(cell: Cell, lines: Lines) -> None:
    """Model 256 rows of 16 bits; a port sees words of 16, 8, 4 or 2 of a row's.

    In mode m, the bits of a word are those with the same place in each group of 2**m, which the
    address' bits from 8 on say. Write enables of single bits, which a mask withholds, are in words
    of 16 alone. What is read where it is written is nothing to rely on: it comes inverted.
    """
    words = inside(cell, "rows")
    lines.memories[words] = [
        number(cell, f"INIT_{row // 16:X}") >> 16 * (row % 16) & 0xFFFF for row in range(_ROWS)
    ]
    row, mask = _write(cell, lines, words)
    mode, address = number(cell, "READ_MODE"), _bits(cell, "RADDR", 11)
    place, q = inside(cell, "read"), inside(cell, "q")
    lines.setup.append(f"{q} = 0")
    lines.sample.append(f"{place} = {join_bits(address[:8])}")
    found = f"({words}[{place}] ^ ({mask} if {row} == {place} else 0))"
    value = f"{found} >> ({join_bits(address[8 : 8 + mode])})" if mode else found
    enable = f"{variable(_bit(cell, 'RE'))} & {variable(_bit(cell, 'RCLKE', '1'))}"
    lines.sample.append(f"x{q} = ({value}) if {enable} else {q}")
    lines.commit.append(f"{q} = x{q}")
    out = _bits(cell, "RDATA", 16, "x")
    for pin, bit in enumerate(out):
        k = pin - _offset(mode)
        # pins that carry no bit of a word are low
        lines.give([bit], [], split_bits([bit], f"{q} >> {k}" if k in _groups(mode) else "0"))
    lines.clocks.add(_bit(cell, "RCLK"))


def _groups(mode: int) -> range:
    """Return the first bit of each group of a row, of which a word has a bit."""
    return range(0, 16, 1 << mode)


def _offset(mode: int) -> int:
    """Return the pin of a word's bit, within its group."""
    return (1 << mode >> 1) - 1 if mode else 0


def _write(cell: Cell, lines: Lines, words: str) -> tuple[str, str]:
    """Model the write port; return the variables of its row, and of the bits that it writes."""
    mode, address = number(cell, "WRITE_MODE"), _bits(cell, "WADDR", 11)
    data, withheld = _bits(cell, "WDATA", 16), _bits(cell, "MASK", 16)
    row, mask, new = (inside(cell, name) for name in ("row", "mask", "new"))
    if mode:
        pins: list[Bit] = ["0"] * 16
        for k in _groups(mode):
            pins[k] = data[k + _offset(mode)]
        shift = join_bits(address[8 : 8 + mode])
        written = f"{sum(1 << k for k in _groups(mode))} << ({shift})"
        value = f"({join_bits(pins)}) << ({shift})"
    else:
        written, value = f"~({join_bits(withheld)}) & 65535", join_bits(data)
    enable = f"{variable(_bit(cell, 'WE'))} & {variable(_bit(cell, 'WCLKE', '1'))}"
    lines.sample += [
        f"{row} = {join_bits(address[:8])}",
        f"{mask} = ({written}) if {enable} else 0",
        f"{new} = {value}",
    ]
    at = f"{words}[{row}]"
    lines.commit += [f"if {mask}:", f"    {at} = {at} & ~{mask} | {new} & {mask}"]
    if isinstance(_bit(cell, "WCLK"), int):  # else the port serves for nothing
        lines.clocks.add(_bit(cell, "WCLK"))
    return row, mask


_RAM = Modelled(
    emit=_block_ram,
    pins=(
        *("RDATA", "RCLK", "RCLKE", "RE", "RADDR"),
        *("WCLK", "WCLKE", "WE", "WADDR", "MASK", "WDATA"),
    ),
    free=tuple(f"INIT_{row:X}" for row in range(16)),
    fixed={"READ_MODE": (0, 1, 2, 3), "WRITE_MODE": (0, 1, 2, 3)},
)

BLOCKS = {"SB_RAM40_4K": _RAM}
