"""The multiplier of the iCE40 UltraPlus, SB_MAC16, as far as it is modelled.

Written after Lattice's FPGA-TN-02007. Values have the letters of its figure: operands A to D,
products F and G of eight bits, H behind its register, what a half adds W and X, its sum P, and Q
behind that one's register. It has other letters for the lower half; M is the product of 16 bits.
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

__all__ = ["MULTIPLIER"]

_OPERANDS = ("A", "B", "C", "D")
#: Halves of the block: what is added or loaded, and what may be multiplied, or added to it; the
#: place of its bits in the product and the output, and its product of eight bits.
_HALVES = {"BOT": ("D", "B", 0, "G"), "TOP": ("C", "A", 16, "F")}
_CARRIES = ("CO", "ACCUMCO", "SIGNEXTOUT")
#: What OUTPUT_SELECT shows.
_SUM, _REGISTER, _EIGHT, _SIXTEEN = range(4)


def _bits(cell: Cell, pin: str, count: int, missing: Bit = "0") -> list[Bit]:
    """Return the bits at a pin, of which those that are not there are open."""
    found = list(cell.pins.get(pin, ()))
    return found + [missing] * (count - len(found))


def _bit(cell: Cell, pin: str, missing: Bit = "0") -> Bit:
    return _bits(cell, pin, 1, missing)[0]


def _signed(value: str, bits: int, signed: bool) -> str:
    sign = 1 << bits - 1
    return f"(({value} ^ {sign}) - {sign})" if signed else value


class _Mac:
    """A block: its operands, its product or products, and the adder behind each half."""

    def __init__(self, cell: Cell, lines: Lines):
        self._cell, self._lines = cell, lines
        self._held = [pin for pin in _OPERANDS if number(cell, f"{pin}_REG")]
        eight = number(cell, "MODE_8x8")
        #: Products by themselves: the place and the bits of their factors.
        self._parts = {"F": (8, 8), "G": (0, 8)} if eight else {"M": (0, 16)}
        self._second = not eight and number(cell, "PIPELINE_16x16_MULT_REG2") == 1
        self._shown = {half: number(cell, f"{half}OUTPUT_SELECT") for half in _HALVES}
        carried = any(cell.outputs.get(pin) for pin in _CARRIES)
        #: Halves whose adders serve for something: both, or none.
        self._sums = (
            tuple(_HALVES) if carried or {*self._shown.values()} & {_SUM, _REGISTER} else ()
        )
        self._pipelined = self._check()

    def _check(self) -> bool:
        """Return whether the parts of a product have registers; refuse what is not modelled."""
        cell, of = self._cell, f"cell {self._cell.name} (SB_MAC16)"
        shown = {*self._shown.values()}
        added = {number(cell, f"{half}ADDSUB_LOWERINPUT") for half in self._sums}
        registers = {number(cell, f"{half}_8x8_MULT_REG") for half in _HALVES}
        if "M" in self._parts:
            registers.add(number(cell, "PIPELINE_16x16_MULT_REG1"))
            if _EIGHT in shown or 1 in added:
                raise NetlistError(f"{of} must show no product of 8 bits in its mode of 16")
        elif _SIXTEEN in shown or 2 in added:
            raise NetlistError(f"{of} must show no product of 16 bits in its mode of 8")
        if len(registers) > 1:
            raise NetlistError(f"{of} must have all parts of its products registered, or none")
        return registers == {1}

    def emit(self) -> None:
        """Write registers and outputs."""
        cell, lines = self._cell, self._lines
        # what registers take follows from all nets as they are before the edge
        lines.sample += self._values("s", product=True, sums=self._sums)
        for pin in self._held:
            self._register(f"r{pin}", join_bits(_bits(cell, pin, 16)), _bit(cell, f"{pin}HOLD"))
        if self._pipelined:
            for part in self._parts:
                self._register(f"p{part}", inside(cell, f"s_{part}"))
        if self._second:
            self._register("rH", inside(cell, "s_L"))
        for half in self._sums:
            self._register(f"Q{half}", inside(cell, f"s_P{half}"), _bit(cell, f"OHOLD{half}"))
        self._outputs()

    def _register(self, name: str, value: str, hold: Bit = "0") -> None:
        own = inside(self._cell, name)
        if hold != "0":
            value = f"{own} if {variable(hold)} else {value}"
        self._lines.setup.append(f"{own} = 0")
        if isinstance(clock := _bit(self._cell, "CLK"), int):  # else it never takes anything
            self._lines.register(own, value, enable=_bit(self._cell, "CE", "1"))
            self._lines.clocks.add(clock)

    def _values(self, way: str, *, product: bool, sums: Sequence[str]) -> list[str]:
        """Return lines that work out values of the block, in variables of their own.

        ``product`` is what becomes of the operands before a register, ``sums`` are the halves whose
        adders are worked out: the lower one before the upper one.
        """
        cell, lines = self._cell, []

        def own(name: str) -> str:
            return inside(cell, f"{way}_{name}")

        for pin in _OPERANDS if sums else ("A", "B") if product else ():
            held = inside(cell, f"r{pin}")
            value = held if pin in self._held else join_bits(_bits(cell, pin, 16))
            lines.append(f"{own(pin)} = {value}")
        signs = [number(cell, f"{pin}_SIGNED") == 1 for pin in "AB"]
        for part, (shift, bits) in self._parts.items():
            one, other = (
                _signed(f"({own(pin)} >> {shift} & {(1 << bits) - 1})", bits, signed)
                for pin, signed in zip("AB", signs, strict=True)
            )
            if product:
                lines.append(f"{own(part)} = {one} * {other} & {(1 << 2 * bits) - 1}")
            shown = inside(cell, f"p{part}") if self._pipelined else own(part)
            if self._second:
                lines += [f"{own('L')} = {shown}"] * product
                shown = inside(cell, "rH")
            lines.append(f"{own(part + 'shown')} = {shown}")
        return lines + [line for half in sums for line in self._sum(half, way)]

    def _sum(self, half: str, way: str) -> list[str]:
        """Return lines of a half's adder: X and W make a sum, whose carry the upper half may take.

        It becomes P, or what is loaded instead.
        """
        cell, (constant, operand, shift, product) = self._cell, _HALVES[half]

        def own(name: str) -> str:
            return inside(cell, f"{way}_{name}")

        subtracted = {name: variable(_bit(cell, f"ADDSUB{name}")) for name in _HALVES}
        if half == "TOP":
            sign = f"{own('XBOT')} >> 15"
            carries = ("0", "1", own("carryBOT"), f"{own('carryBOT')} ^ {subtracted['BOT']}")
        else:
            sign = variable(_bit(cell, "SIGNEXTIN"))
            given = [variable(_bit(cell, pin)) for pin in ("ACCUMCI", "CI")]
            carries = ("0", "1", given[0], given[1])
        x = (
            own(operand),
            own(f"{product}shown"),
            f"{own('Mshown')} >> {shift} & 65535",
            f"({sign}) * 65535",
        )[number(cell, f"{half}ADDSUB_LOWERINPUT")]
        upper = number(cell, f"{half}ADDSUB_UPPERINPUT")
        w = own(constant) if upper else inside(cell, f"Q{half}")
        carry = carries[number(cell, f"{half}ADDSUB_CARRYSELECT")]
        inverted = f"{subtracted[half]} * 65535"
        load = variable(_bit(cell, f"OLOAD{half}"))
        return [
            f"{own('X' + half)} = {x}",
            f"{own('sum' + half)} = {own('X' + half)} + ({w} ^ {inverted}) + ({carry})",
            f"{own('carry' + half)} = {own('sum' + half)} >> 16",
            f"{own('P' + half)} = {own(constant)} if {load}"
            f" else {own('sum' + half)} & 65535 ^ {inverted}",
        ]

    def _outputs(self) -> None:
        """Give the outputs of each half, and the carries, each with what it needs of the inputs."""
        cell, lower = self._cell, ("BOT",)
        for half, (_, _, shift, part) in _HALVES.items():
            through = self._shown[half] == _SUM
            way = f"o{half}"
            value = (
                inside(cell, f"{way}_P{half}"),
                inside(cell, f"Q{half}"),
                inside(cell, f"{way}_{part}shown"),
                f"({inside(cell, f'{way}_Mshown')} >> {shift})",
            )[self._shown[half]]
            bits = _bits(cell, "O", 32, "x")[shift : shift + 16]
            sums = () if not through else lower if half == "BOT" else tuple(_HALVES)
            self._give(way, sums, bits, split_bits(bits, value))
        bits = [(cell.outputs.get(pin) or ("x",))[0] for pin in _CARRIES]
        carry, inverted = inside(cell, "c_carryTOP"), variable(_bit(cell, "ADDSUBTOP"))
        values = (f"({carry} ^ {inverted})", carry, f"{inside(cell, 'c_XTOP')} >> 15")
        shown = zip(bits, values, strict=True)
        lines = [line for bit, value in shown for line in split_bits([bit], value)]
        if lines:
            self._give("c", tuple(_HALVES), bits, lines)

    def _give(self, way: str, sums: Sequence[str], bits: list[Bit], lines: list[str]) -> None:
        """Give output bits, of which the adders of ``sums`` are between them and the inputs."""
        cell, needs = self._cell, list[Bit]()
        product = bool(sums) or not (self._pipelined or self._second)
        for pin in _OPERANDS if sums else ("A", "B") if product else ():
            needs += [] if pin in self._held else _bits(cell, pin, 16)
        needs += [_bit(cell, f"{pin}{half}") for pin in ("OLOAD", "ADDSUB") for half in sums]
        if sums:
            needs += [_bit(cell, pin) for pin in ("CI", "ACCUMCI", "SIGNEXTIN")]
        self._lines.give(bits, needs, self._values(way, product=product, sums=sums) + lines)


def _multiplier(cell: Cell, lines: Lines) -> None:
    _Mac(cell, lines).emit()


def _each(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{half}" for name in names for half in _HALVES)


_SWITCHES = (
    *(f"{pin}_REG" for pin in _OPERANDS),
    *(f"{pin}_SIGNED" for pin in "AB"),
    *(f"{half}_8x8_MULT_REG" for half in _HALVES),
    *("PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2", "MODE_8x8"),
    *(f"{half}ADDSUB_UPPERINPUT" for half in _HALVES),
)
_CHOICES = tuple(
    f"{half}{name}"
    for half in _HALVES
    for name in ("OUTPUT_SELECT", "ADDSUB_LOWERINPUT", "ADDSUB_CARRYSELECT")
)

MULTIPLIER = {
    "SB_MAC16": Modelled(
        emit=_multiplier,
        pins=(
            *("CLK", "CE", "O", *_OPERANDS, *(f"{pin}HOLD" for pin in _OPERANDS)),
            *_each("OLOAD", "ADDSUB", "OHOLD"),
            *("CI", "ACCUMCI", "SIGNEXTIN", *_CARRIES),
        ),
        optional={
            "NEG_TRIGGER": (0,),
            **dict.fromkeys(_SWITCHES, (0, 1)),
            **dict.fromkeys(_CHOICES, (0, 1, 2, 3)),
        },
        # its resets wait for no edge
        tied=dict.fromkeys(_each("IRST", "ORST"), "0"),
    )
}
