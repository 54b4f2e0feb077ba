"""Sums of two numbers or three in a LUT a bit: behavioural, or of a family's primitives."""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value, signed

from bitformer.hw.families.adder import AdderCells, LutAdder

__all__ = ["Term", "add_in_luts"]

#: Roles of a LUT's inputs: a bit of each number, whether the first one counts, the carry of three.
_FIRST, _CARRY = 3, 4


class Term(NamedTuple):
    """A signed number that is added, ``shift`` bits higher than it stands, or subtracted."""

    value: Value
    shift: int = 0
    negative: bool = False

    def bit(self, place: int) -> Value:
        """Return the bit of a place of the sum; its complement where it is subtracted."""
        if place < self.shift:
            return Const(int(self.negative), 1)
        bit = self.value[min(place - self.shift, len(self.value) - 1)]
        return ~bit if self.negative else bit


def add_in_luts(
    m: Module,
    platform: object,
    adder: LutAdder,
    terms: Sequence[Term],
    bits: int,
    *,
    name: str,
    first: Value | None = None,
) -> Signal:
    """Return a register of ``bits`` bits that holds the sum of some numbers, a cycle later.

    With ``first`` it adds its own number too, unless that is set.

    Where a conversion is for synthesis and the family says how, it is made of its primitives, a LUT
    a bit: bits that only the first number has are none. Three numbers a, b and c are ``a ^ b ^ c``
    and, a bit higher, the majority of them, which the LUT of the bit below gives.

    Latency: 1 cycle. Throughput: a sum a cycle.

    Raises
    ------
    ValueError
        If there are more numbers than the family adds, or more than one is subtracted, or the
        lowest is.
    """
    total = Signal(signed(bits), name=name, reset_less=True)
    own = len(terms) + (first is not None)
    if own > adder.terms or sum(term.negative for term in terms) > 1:
        raise ValueError(f"Terms must be {adder.terms} at most, one of them negative, not {own}")
    terms = sorted(terms, key=lambda term: term.shift)
    if first is None and terms[0].negative:
        raise ValueError("Term must not be negative where it is the lowest")
    if platform is not None and adder.cells is not None:
        low, summed = _of_cells(m, adder.cells, terms, bits, total, first, name)
        m.d.sync += total.eq(Cat(low, summed))
        return total
    values = [
        -(term.value << term.shift) if term.negative else term.value << term.shift for term in terms
    ]
    if first is not None:
        values.append(Mux(first, 0, total))
    m.d.sync += total.eq(sum(values[1:], values[0]))
    return total


def _of_cells(
    m: Module,
    cells: AdderCells,
    terms: Sequence[Term],
    bits: int,
    total: Signal,
    first: Value | None,
    name: str,
) -> tuple[Value, Value]:
    """Return the bits that only the lowest number has, and the sum above them."""
    numbers = [Term(total), *terms] if first is not None else list(terms)
    start = 0 if first is not None else terms[1].shift
    three = len(numbers) == 3
    negative = [number for number, term in enumerate(numbers) if term.negative]
    table = _table(three, negative[0] if negative else None)
    carry: Value = Const(int(bool(negative)), 1)
    majority: Value = Const(0, 1)
    sums: list[Value] = []
    for low in range(start, bits, cells.bits):
        select, data = [], []
        for place in range(low, min(low + cells.bits, bits)):
            # the table complements what is subtracted
            plain = [number._replace(negative=False).bit(place) for number in numbers]
            inputs = dict(enumerate(plain))
            inputs |= {_FIRST: first} if first is not None else {}
            inputs |= {_CARRY: majority} if three else {}
            whole, other = _lut(m, cells, table, inputs, f"{name}_{place}")
            select.append(whole)
            data.append(majority if three else other)
            majority = other
        piece, carry = _piece(m, cells, select, data, carry, low == start, f"{name}_{low}")
        sums.append(piece)
    return terms[0].value[:start], Cat(sums)


def _table(three: bool, negative: int | None) -> int:
    """Return the table of every LUT of a sum, with the bits of its second output lowest."""
    table = 0
    for row in range(32):
        bits = [row >> n & 1 for n in range(5)]
        if negative is not None:
            bits[negative] ^= 1
        numbers = bits[: 3 if three else 2]
        numbers[0] &= 1 - bits[_FIRST]
        whole = sum(numbers) & 1
        if three:
            whole ^= bits[_CARRY]
            other = int(sum(numbers) >= 2)
        else:
            other = numbers[0]
        table |= other << row | whole << 32 + row
    return table


def _lut(
    m: Module, cells: AdderCells, table: int, inputs: dict[int, Value], name: str
) -> tuple[Signal, Signal]:
    """Return a LUT's two outputs."""
    whole, other = Signal(name=f"{name}_sum"), Signal(name=f"{name}_other")
    pins = {f"i_{pin}": inputs.get(n, Const(0, 1)) for n, pin in enumerate(cells.inputs[:-1])}
    pins[f"i_{cells.inputs[-1]}"] = Const(1, 1)
    outputs = {f"o_{pin}": bit for pin, bit in zip(cells.outputs, (whole, other), strict=True)}
    m.submodules[f"{name}_lut"] = Instance(
        cells.lut, **{f"p_{cells.table}": Const(table, 64)}, **pins, **outputs
    )
    return whole, other


def _piece(
    m: Module,
    cells: AdderCells,
    select: Sequence[Value],
    data: Sequence[Value],
    carry: Value,
    begins: bool,
    name: str,
) -> tuple[Value, Value]:
    """Return the sums of a piece of a carry chain, and its highest carry."""
    sums = Signal(cells.bits, name=f"{name}_sums")
    carries = Signal(cells.bits, name=f"{name}_carries")
    rest = Const(0, cells.bits - len(select))
    m.submodules[f"{name}_carry"] = Instance(
        cells.carry,
        **{
            f"i_{cells.below}": Const(0, 1) if begins else carry,
            f"i_{cells.begin}": carry if begins else Const(0, 1),
            f"i_{cells.select}": Cat(*select, rest),
            f"i_{cells.data}": Cat(*data, rest),
            f"o_{cells.sums}": sums,
            f"o_{cells.carries}": carries,
        },
    )
    return sums[: len(select)], carries[-1]
