"""Multipliers and block RAMs, as far as they are modelled.

Written after Xilinx UG953 (primitives and their ports), UG479 (DSP48E1) and UG473 (block RAM).
"""

from collections.abc import Sequence

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


def _signed(name: str, bits: int) -> str:
    """Return the expression of a two's complement as a Python integer."""
    return f"(({name} ^ {1 << bits - 1}) - {1 << bits - 1})"


def _dsp(cell: Cell, lines: Lines) -> None:
    """Model P = A * B + Z; OPMODE makes Z 0, P or C; registers at A, B, C, product and P."""
    opmode = cell.bits("OPMODE")
    if opmode[:4] != ("1", "0", "1", "0") or opmode[6] != "0":
        raise NetlistError(f"OPMODE of cell {cell.name} (DSP48E1) must be 0zz0101, not {opmode}")
    if opmode[5] != "1" and opmode[4:6] != ("0", "0"):
        raise NetlistError(f"OPMODE of cell {cell.name} (DSP48E1) must select 0, P or C as Z")
    needs: list[Bit] = []

    def stage(name: str, source: str, needed: Sequence[Bit], *, used: bool, suffix: str) -> str:
        """Add a register, or the path around it, by which outputs depend on inputs."""
        nonlocal needs
        if not used:
            needs += needed
            return source
        own = inside(cell, name)
        lines.setup.append(f"{own} = 0")
        enable, reset = cell.bit(f"CE{suffix}"), cell.bit(f"RST{suffix.rstrip('12')}")
        lines.register(own, source, enable=enable, reset=reset)
        return own

    factors = []
    for pin, bits in (("A", 25), ("B", 18)):  # the multiplier takes 25 of port A's 30 bits
        count, inputs = number(cell, f"{pin}REG"), cell.bits(pin)[:bits]
        source = f"({join_bits(inputs)})"
        needed = [] if count else inputs
        if count == 2:
            source = stage(f"{pin}1", source, inputs, used=True, suffix=f"{pin}1")
        factors.append(stage(f"{pin}2", source, needed, used=count > 0, suffix=f"{pin}2"))
    product = f"{_signed(factors[0], 25)} * {_signed(factors[1], 18)}"
    before, needs = needs, []
    product = stage("M", f"({product})", before, used=bool(number(cell, "MREG")), suffix="M")
    third = stage(
        "C",
        f"({join_bits(cell.bits('C'))})",
        cell.bits("C"),
        used=bool(number(cell, "CREG")),
        suffix="C",
    )
    keeps, p = bool(number(cell, "PREG")), inside(cell, "P")
    if not keeps and opmode[5] == "1" and opmode[4] != "1":
        raise NetlistError(f"cell {cell.name} (DSP48E1) must have register P to add to it")
    z = {("0", "0"): "0", ("1", "1"): third, ("0", "1"): p}.get((str(opmode[4]), str(opmode[5])))
    if z is None:
        z = f"({third} if {variable(opmode[4])} else {p})"
    total, mask = f"{product} + {z}", (1 << 48) - 1
    outputs = cell.bits("P")
    if keeps:
        needs = []
        stage("P", f"{total} & {mask}", [], used=True, suffix="P")
        lines.give(outputs, [], split_bits(outputs, p))
    else:
        lines.give(outputs, needs, [f"{p} = {total} & {mask}", *split_bits(outputs, p)])
    lines.clocks.add(cell.bit("CLK"))


def _block_ram(cell: Cell, lines: Lines) -> None:
    """Model words of 1, 2, 4 bits, or of 8 and one of parity, or 2, 4, 8 times as many.

    A read gives what was there before a write in the same cycle (READ_FIRST). As a simple
    dual-port RAM, port A reads and port B writes words that take the pins of both ports.
    """
    big = cell.kind == "RAMB36E1"
    simple = cell.parameters["RAM_MODE"] == "SDP"
    width = _check_ports(cell, simple, 36 if big else 18)
    lanes = width // 9  # bits of parity: none in a word that is narrower than a byte
    data_bits = width - lanes
    rows = {"INIT_": 128 if big else 64, "INITP_": 16 if big else 8}
    # row after row of 256 bits makes one long number, from which words are cut
    image = {
        name: sum(number(cell, f"{name}{k:02X}") << 256 * k for k in range(count))
        for name, count in rows.items()
    }
    depth = rows["INIT_"] * 256 // data_bits
    words = inside(cell, "words")
    lines.memories[words] = [
        image["INIT_"] >> data_bits * k & (1 << data_bits) - 1
        | (image["INITP_"] >> lanes * k & (1 << lanes) - 1) << data_bits
        for k in range(depth)
    ]
    low = data_bits.bit_length() - 1  # an address counts bits
    ports = {
        "A": ("ADDRARDADDR", "CLKARDCLK", "ENARDEN", "WEA", "DIADI", "DIPADIP", "DOADO", "DOPADOP"),
        "B": (
            "ADDRBWRADDR",
            "CLKBWRCLK",
            "ENBWREN",
            "WEBWE",
            "DIBDI",
            "DIPBDIP",
            "DOBDO",
            "DOPBDOP",
        ),
    }
    for letter, (addr, clock, enable, write, data, parity, out, parity_out) in ports.items():
        reads, writes = number(cell, f"READ_WIDTH_{letter}"), number(cell, f"WRITE_WIDTH_{letter}")
        if not reads and not writes:
            continue
        lines.clocks.add(cell.bit(clock))
        address = inside(cell, f"address_{letter}")
        bits = cell.bits(addr)[low : low + depth.bit_length() - 1]
        lines.sample.append(f"{address} = {join_bits(bits)}")
        if reads:
            q = inside(cell, f"q_{letter}")
            lines.setup.append(f"{q} = 0")
            lines.register(q, f"{words}[{address}]", enable=cell.bit(enable))
            outputs = _lanes(cell, out, "DOBDO" if simple else None, data_bits)
            outputs += _lanes(cell, parity_out, "DOPBDOP" if simple else None, lanes)
            lines.give(outputs, [], split_bits(outputs, q))
        if writes:
            word = _lanes(cell, "DIADI" if simple else data, data if simple else None, data_bits)
            word += _lanes(cell, "DIPADIP" if simple else parity, parity if simple else None, lanes)
            new, select = inside(cell, f"new_{letter}"), inside(cell, f"select_{letter}")
            lanes_written = _mask(cell.bits(write), data_bits, lanes)
            lines.sample.append(f"{new} = {join_bits(word)}")
            lines.sample.append(
                f"{select} = ({lanes_written}) if {variable(cell.bit(enable))} else 0"
            )
            lines.commit.append(f"if {select}:")
            lines.commit.append(
                f"    {words}[{address}] = {words}[{address}] & ~{select} | {new} & {select}"
            )


def _lanes(cell: Cell, pin: str, above: str | None, count: int) -> list[Bit]:
    """Return so many bits of a pin, which go on in another."""
    return [*cell.bits(pin), *(cell.bits(above) if above else [])][:count]


def _mask(enables: Sequence[Bit], data_bits: int, lanes: int) -> str:
    """Return the bits of a word, data and parity, that the enables of its lanes let through."""
    masks = [255 << 8 * k | 1 << data_bits + k for k in range(lanes)] or [(1 << data_bits) - 1]
    terms = [
        f"(-{variable(bit)} & {mask})"
        for bit, mask in zip(enables, masks, strict=False)
        if bit != "0"
    ]
    return " | ".join(terms) or "0"


def _check_ports(cell: Cell, simple: bool, side: int) -> int:
    """Return the width of all ports in use, bits; ``side`` is the most that a port's pins carry."""
    names = ("READ_WIDTH_A", "READ_WIDTH_B", "WRITE_WIDTH_A", "WRITE_WIDTH_B")
    widths = {name: number(cell, name) for name in names if number(cell, name)}
    used = set(widths.values())
    allowed = [2 * side] if simple else [width for width in (1, 2, 4, 9, 18, 36) if width <= side]
    only = {"READ_WIDTH_A", "WRITE_WIDTH_B"} if simple else set(names)
    if len(used) != 1 or not used <= set(allowed) or not widths.keys() <= only:
        raise NetlistError(
            f"ports of cell {cell.name} ({cell.kind}) must be of one width in"
            f" {', '.join(map(str, allowed))}, not {widths}"
        )
    return used.pop()


def _block(rows: int, parity_rows: int) -> Modelled:
    sides = ("A", "B")
    return Modelled(
        emit=_block_ram,
        pins=(
            *("ADDRARDADDR", "ADDRBWRADDR", "CLKARDCLK", "CLKBWRCLK", "DIADI", "DIBDI"),
            *("DIPADIP", "DIPBDIP", "DOADO", "DOBDO", "DOPADOP", "DOPBDOP"),
            *("ENARDEN", "ENBWREN", "WEA", "WEBWE"),
        ),
        free=(
            *(f"INIT_{k:02X}" for k in range(rows)),
            *(f"INITP_{k:02X}" for k in range(parity_rows)),
            *(f"SRVAL_{side}" for side in sides),  # of a reset that is tied to 0
            *(f"{access}_WIDTH_{side}" for access in ("READ", "WRITE") for side in sides),
        ),
        fixed={
            "RAM_MODE": ("TDP", "SDP"),
            **{f"WRITE_MODE_{side}": ("READ_FIRST",) for side in sides},
            **{f"DO{side}_REG": (0,) for side in sides},
            **{f"INIT_{side}": (0,) for side in sides},
        },
        optional={f"RAM_EXTENSION_{side}": ("NONE",) for side in sides},
        tied=dict.fromkeys(
            (
                *("REGCEAREGCE", "REGCEB", "RSTRAMARSTRAM", "RSTRAMB"),
                *("RSTREGARSTREG", "RSTREGB"),
            ),
            "0",
        ),
    )


BLOCKS = {
    "DSP48E1": Modelled(
        emit=_dsp,
        pins=(
            *("A", "B", "C", "P", "OPMODE", "CLK"),
            *("CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CEM", "CEP"),
            *("RSTA", "RSTB", "RSTC", "RSTM", "RSTP"),
        ),
        fixed={
            **{f"{pin}REG": (0, 1, 2) for pin in "AB"},
            **{f"{pin}REG": (0, 1) for pin in "CMP"},
            **{f"{name}REG": (0,) for name in ("ALUMODE", "CARRYIN", "CARRYINSEL", "OPMODE")},
            **{f"{name}REG": (0,) for name in ("AD", "D", "INMODE")},
            **{f"{pin}_INPUT": ("DIRECT",) for pin in "AB"},
            "USE_DPORT": ("FALSE",),
            "USE_MULT": ("MULTIPLY",),
            "USE_SIMD": ("ONE48",),
        },
        optional={f"{pin}CASCREG": (0, 1, 2) for pin in "AB"},  # of a cascade that goes nowhere
        tied=dict.fromkeys(
            ("ACIN", "ALUMODE", "BCIN", "CARRYIN", "CARRYINSEL", "D", "INMODE", "PCIN"), "0"
        ),
    ),
    "RAMB18E1": _block(64, 8),
    "RAMB36E1": _block(128, 16),
}
