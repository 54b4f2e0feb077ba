"""Multipliers and block RAMs of the ECP5, as far as they are modelled.

Written after Lattice's FPGA-TN-02205 (sysDSP) and FPGA-TN-02204 (sysMEM).
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
from bitformer.synth.netlist import Bit, Cell, NetlistError

__all__ = ["BLOCKS"]

#: Bits of a byte, of which the last is only there in words of a byte or more; bytes of a block.
_BYTE, _BYTES = 9, 2048


def _pins(cell: Cell, name: str, count: int, *, missing: Bit = "0") -> list[Bit]:
    """Return the bits of pins ``name0``, ``name1`` ...; those that are not there are open."""
    return [(cell.pins.get(f"{name}{k}") or (missing,))[0] for k in range(count)]


def _multiplier(cell: Cell, lines: Lines) -> None:
    """Model P = A * B, with registers at A, at B, behind the product, and at P."""
    factors, needs = [], list[Bit]()
    for pin in "AB":
        inputs, own = _pins(cell, pin, 18), inside(cell, pin)
        source = f"({join_bits(inputs)})"
        signed = cell.pins.get(f"SIGNED{pin}", ("0",))[0]
        if signed not in ("0", "1"):
            raise NetlistError(f"pin SIGNED{pin} of cell {cell.name} (MULT18X18D) must be constant")
        if _registered(cell, f"INPUT{pin}"):
            lines.setup.append(f"{own} = 0")
            lines.register(own, source, enable="1")
            source = own
        else:
            needs += inputs
        factors.append(f"(({source} ^ {1 << 17}) - {1 << 17})" if signed == "1" else source)
    product = f"({factors[0]} * {factors[1]}) & {(1 << 36) - 1}"
    for name in ("PIPELINE", "OUTPUT"):
        if _registered(cell, name):
            own, needs = inside(cell, name), []
            lines.setup.append(f"{own} = 0")
            lines.register(own, product, enable="1")
            product = own
    outputs, p = _pins(cell, "P", 36, missing="x"), inside(cell, "P")
    lines.give(outputs, needs, [f"{p} = {product}", *split_bits(outputs, p)])


def _registered(cell: Cell, name: str) -> bool:
    return cell.parameters.get(f"REG_{name}_CLK", "NONE") != "NONE"


def _multiplier_cell(cell: Cell, lines: Lines) -> None:
    if any(_registered(cell, name) for name in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")):
        for pin, needed in (("CE0", "1"), ("RST0", "0")):
            if cell.bit(pin) != needed:
                raise NetlistError(f"pin {pin} of cell {cell.name} (MULT18X18D) must be {needed}")
        lines.clocks.add(cell.bit("CLK0"))
    _multiplier(cell, lines)


def _block_ram(cell: Cell, lines: Lines) -> None:
    """Model 2048 bytes of nine bits; a port sees words of one, two or four, or parts of one.

    What one port reads while the other writes it is nothing to rely on: all of it comes inverted.
    A word of two bytes or more has its write enables at the lowest bits of its address; one of four
    is written at port A, by the pins of both, and read at port B, by those of both. What a port
    that writes reads is not modelled.
    """
    words = inside(cell, "bytes")
    lines.memories[words] = [
        number(cell, f"INITVAL_{row:02X}") >> 20 * word + _BYTE * half & (1 << _BYTE) - 1
        for row in range(64)
        for word in range(16)
        for half in (0, 1)
    ]
    widths = {port: number(cell, f"DATA_WIDTH_{port}") for port in "AB"}
    wide = {width == 36 for width in widths.values()}
    if not set(widths.values()) <= {1, 2, 4, 9, 18, 36} or len(wide) != 1:
        raise NetlistError(f"ports of cell {cell.name} (DP16KD) must not be of {widths} bits")
    writes, reads = [], []
    for port, width in widths.items():
        other = "BA"["AB".index(port)]
        address, write = _pins(cell, f"AD{port}", 14), cell.bit(f"WE{port}")
        into = _pins(cell, f"DI{port}", 18)
        out = _pins(cell, f"DO{port}", 18, missing="x")
        if wide == {True}:
            into += _pins(cell, f"DI{other}", 18)
            # words of four bytes leave by the pins of both ports, those of A first
            out = _pins(cell, "DOA", 18, missing="x") + _pins(cell, "DOB", 18, missing="x")
            if cell.parameters["REGMODE_A"] != cell.parameters["REGMODE_B"]:
                raise NetlistError(f"cell {cell.name} (DP16KD) must have both outputs registered")
            if (port == "A") == (write == "0"):
                raise NetlistError(f"cell {cell.name} (DP16KD) must write at A and read at B")
        if write != "0":
            writes.append((port, width, address, write, into))
        elif isinstance(cell.bit(f"CLK{port}"), int):  # else the port serves for nothing
            reads.append((port, width, address, out))
    for port, width, address, write, into in writes:
        _write(cell, lines, port, width, address, write, into)
    for port, width, address, out in reads:
        _read(cell, lines, port, width, address, out, [written[0] for written in writes])


def _place(cell: Cell, port: str, width: int, address: list[Bit]) -> tuple[str, int, int]:
    """Return the expression of a word's first byte, its bytes, and its bits in each."""
    count = max(1, width // _BYTE)
    first = join_bits(address[3 + count.bit_length() - 1 :])
    return f"({first}) * {count}" if count > 1 else first, count, min(width, _BYTE)


def _shift(address: list[Bit], bits: int) -> str:
    """Return the expression of the place in its byte of a word of less than that."""
    unused = bits.bit_length() - 1
    return f"({join_bits(['0'] * unused + address[unused:3])})"


def _write(
    cell: Cell, lines: Lines, port: str, width: int, address: list[Bit], write: Bit, into: list[Bit]
) -> None:
    first, count, bits = _place(cell, port, width, address)
    place, words = inside(cell, f"write_{port}"), inside(cell, "bytes")
    enabled = [f"{variable(write)} & {variable(cell.bit(f'CE{port}'))}"] * count
    if count > 1:
        enabled = [f"{one} & {variable(address[k])}" for k, one in enumerate(enabled)]
    lines.sample.append(f"{place} = {first}")
    low = "0"
    if bits < _BYTE:
        low = _shift(address, bits)
    for k, enable in enumerate(enabled):
        mask, new = inside(cell, f"mask_{port}{k}"), inside(cell, f"new_{port}{k}")
        lines.sample.append(f"{mask} = ({(1 << bits) - 1} << {low}) if {enable} else 0")
        lines.sample.append(f"{new} = ({join_bits(into[k * _BYTE : k * _BYTE + bits])}) << {low}")
        at = f"{words}[{place} + {k}]"
        lines.commit.append(f"if {mask}:")
        lines.commit.append(f"    {at} = {at} & ~{mask} | {new} & {mask}")


def _read(
    cell: Cell,
    lines: Lines,
    port: str,
    width: int,
    address: list[Bit],
    out: list[Bit],
    writers: list[str],
) -> None:
    first, count, bits = _place(cell, port, width, address)
    place, q, words = inside(cell, f"read_{port}"), inside(cell, f"q_{port}"), inside(cell, "bytes")
    lines.setup.append(f"{q} = 0")
    lines.sample.append(f"{place} = {first}")
    terms = []
    for k in range(count):
        byte = f"{words}[{place} + {k}]"
        for writer in writers:
            lanes = max(1, number(cell, f"DATA_WIDTH_{writer}") // _BYTE)
            for lane in range(lanes):
                mask = inside(cell, f"mask_{writer}{lane}")
                met = f"{inside(cell, f'write_{writer}')} + {lane} == {place} + {k}"
                byte = f"({byte} ^ ({mask} if {met} else 0))"
        if bits < _BYTE:
            byte = f"{byte} >> {_shift(address, bits)} & {(1 << bits) - 1}"
        terms.append(f"({byte}) << {_BYTE * k}")
    lines.register(q, " | ".join(terms), enable=cell.bit(f"CE{port}"))
    outputs, shown = out[:width], q
    if cell.parameters[f"REGMODE_{port}"] == "OUTREG":
        shown = inside(cell, f"o_{port}")
        lines.setup.append(f"{shown} = 0")
        lines.register(shown, q, enable=cell.bit({"A": "OCEA", "B": "OCEB"}[port]))
    lines.give(outputs, [], split_bits(outputs, shown))
    lines.clocks.add(cell.bit(f"CLK{port}"))


def _numbered(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(f"{name}{k}" for name in names for k in range(count))


_RAM = Modelled(
    emit=_block_ram,
    pins=(
        *_numbered(("ADA", "ADB"), 14),
        *_numbered(("DIA", "DIB", "DOA", "DOB"), 18),
        *(f"{pin}{port}" for pin in ("CLK", "WE", "CE") for port in "AB"),
        *("OCEA", "OCEB"),
    ),
    free=(*(f"INITVAL_{row:02X}" for row in range(64)), "DATA_WIDTH_A", "DATA_WIDTH_B"),
    fixed={
        **{f"REGMODE_{port}": ("NOREG", "OUTREG") for port in "AB"},
        **{f"CLK{port}MUX": (f"CLK{port}",) for port in "AB"},
        **{f"CSDECODE_{port}": ("0b000",) for port in "AB"},
    },
    optional={
        **{f"WRITEMODE_{port}": ("NORMAL", "READBEFOREWRITE", "WRITETHROUGH") for port in "AB"},
        "RESETMODE": ("SYNC", "ASYNC"),  # of a reset that is tied to 0
        "ASYNC_RESET_RELEASE": ("SYNC", "ASYNC"),
        "GSR": ("DISABLED",),
    },
    tied=dict.fromkeys((*_numbered(("CSA", "CSB"), 3), "RSTA", "RSTB"), "0"),
)

_MULT = Modelled(
    emit=_multiplier_cell,
    pins=(
        *_numbered(("A", "B"), 18),
        *_numbered(("P",), 36),
        *("SIGNEDA", "SIGNEDB", "CLK0", "CE0", "RST0"),
    ),
    optional={
        **{f"REG_INPUT{pin}_CLK": ("NONE", "CLK0") for pin in "AB"},
        **{f"REG_{name}_CLK": ("NONE", "CLK0") for name in ("PIPELINE", "OUTPUT")},
        "REG_INPUTC_CLK": ("NONE",),
        **{f"CLK{k}_DIV": ("ENABLED",) for k in range(4)},
        "GSR": ("DISABLED",),
        "MULT_BYPASS": ("DISABLED",),
        "RESETMODE": ("SYNC",),
        "SOURCEB_MODE": ("B_SHIFT",),
    },
    tied={
        **dict.fromkeys((*_numbered(("C",), 18), "SOURCEA", "SOURCEB"), "0"),
        **{f"CE{k}": "1" for k in (1, 2, 3)},
        **{f"RST{k}": "0" for k in (1, 2, 3)},
    },
)

BLOCKS = {"DP16KD": _RAM, "MULT18X18D": _MULT}
