"""Banks of a deep RAM in LUTs: each as deep as one LUT, and selected as LUTs of a slice are joined.

A memory in LUTs is late after the clock, and synthesis selects among many by level after level of
LUTs. What joins LUTs of a slice takes none.
"""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Array, Const, Instance, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory
from amaranth.utils import exact_log2

from bitformer.hw.families.family import Luts
from bitformer.hw.memory import StoreSpec, placement_attributes

__all__ = [
    "PLAIN_LUTS",
    "BankWrite",
    "add_banks",
    "is_banked",
    "select_bit",
    "selects_of",
    "words_of_bank",
]

#: Those of no family, that nothing joins.
PLAIN_LUTS = Luts(inputs=6, joined=1)


class BankWrite(NamedTuple):
    """What is written in a cycle: the whole address, the word, and which granules of it."""

    address: Value
    data: Value
    enables: Value


def words_of_bank(luts: Luts) -> int:
    """Return how many words a bank has: those of the deepest memory of one LUT a bit."""
    return luts.rams[-1].words


def is_banked(spec: StoreSpec, luts: Luts) -> bool:
    """Return whether a RAM is made of banks: two levels of LUTs could not select among them."""
    if spec.rom or spec.placement != "distributed" or luts.join is None or not luts.rams:
        return False
    return spec.depth > luts.selected**2 * words_of_bank(luts)


def selects_of(banks: int, luts: Luts) -> int:
    """Return the LUTs that :func:`select_bit` takes for a bit of so many banks."""
    first = -(-banks // luts.selected)
    left = -(-first // (1 << len(luts.join.kinds))) if luts.join else first
    return first + -(-(left - 1) // (luts.selected - 1))


def add_banks(
    m: Module, spec: StoreSpec, luts: Luts, init: Sequence[int], write: BankWrite
) -> list[list[memory.ReadPort]]:
    """Add the banks of a RAM; return the read ports of each, without a clock, lowest bank first."""
    words = words_of_bank(luts)
    inner = exact_log2(words)
    ports = []
    for number, first in enumerate(range(0, spec.depth, words)):
        m.submodules[f"bank_{number}"] = mem = memory.Memory(
            shape=unsigned(spec.width),
            depth=words,
            init=init[first : first + words],
            attrs=placement_attributes(spec.placement, rom=False),
        )
        port = mem.write_port(granularity=spec.granule or spec.width)
        m.d.comb += [
            port.addr.eq(write.address[:inner]),
            port.data.eq(write.data),
            port.en.eq(Mux(write.address[inner:] == number, write.enables, 0)),
        ]
        ports.append([mem.read_port(domain="comb") for _ in range(spec.read_ports)])
    return ports


def select_bit(m: Module, luts: Luts, bits: Sequence[Value], number: Value, *, name: str) -> Value:
    """Return the bit of the bank with this number.

    LUTs select among neighbours, the slice's multiplexers join pairs of what LUTs give, and a last
    LUT selects among what is left. Where a pair has one half only, a constant stands for the other:
    a slice joins pairs of pairs, never a pair and a LUT.

    Raises
    ------
    ValueError
        If the family does not say how LUTs are joined.
    """
    if luts.join is None:
        raise ValueError("Luts must say how they are joined")
    cells, level = luts.join, exact_log2(luts.selected)
    left: list[Value] = [
        Array(bits[first : first + luts.selected])[number[:level]]
        for first in range(0, len(bits), luts.selected)
    ]
    for kind in cells.kinds:
        if len(left) == 1:
            return left[0]
        pairs: list[Value] = []
        for place in range(0, len(left), 2):
            alone = place + 1 == len(left)
            joined = Signal(name=f"{name}_{level}_{place}")
            m.submodules[joined.name] = Instance(
                kind,
                **{f"i_{cells.low}": left[place]},
                **{f"i_{cells.high}": Const(0, 1) if alone else left[place + 1]},
                **{f"i_{cells.select}": Const(0, 1) if alone else number[level]},
                **{f"o_{cells.output}": joined},
            )
            pairs.append(joined)
        left = pairs
        level += 1
    return Array(left)[number[level:]]
