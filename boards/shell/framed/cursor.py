"""The memory of a framed endpoint, and the place in it where bytes go in and out."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Signal
from amaranth.lib import memory

from bitformer.boards.protocol import REGISTER_BYTES
from bitformer.boards.shell.framed.memory_map import MemoryMap
from bitformer.hw.memory import placement_attributes

__all__ = ["Cursor", "OneOf"]


class OneOf:
    """A value from one of several state machines, which never give one in the same cycle.

    The values are ORed, and that of a machine that gives none is 0. This takes a quarter fewer
    LUTs in a shell than Amaranth's last assignment, which is an order of precedence.

    Parameters
    ----------
    m : Module
    shape : shape of the value
    machines : int
        How many may give it.

    Attributes
    ----------
    given : 1 bit, a machine gives a value in this cycle.
    value : the value, or 0.
    """

    def __init__(self, m: Module, shape, *, machines: int):
        self._m = m
        self._given = [Signal() for _ in range(machines)]
        self._values = [Signal(shape) for _ in range(machines)]
        self.given, self.value = reduce(or_, self._given), reduce(or_, self._values)

    def give(self, machine: int, value) -> None:
        """Give the value of a machine, by its number."""
        self._m.d.comb += [self._given[machine].eq(1), self._values[machine].eq(value)]


class Cursor:
    """A place in the memory that moves on byte by byte.

    Parameters
    ----------
    m : Module
        Where memory and registers go.
    memory_map : MemoryMap
    machines : int
        How many state machines move it.

    Attributes
    ----------
    place : OneOf
        Where to go, for the next cycle on.
    count : OneOf
        Bytes that are to be left.
    advance : OneOf
        1 moves on by a byte, unless a place or a count is given.
    index : the place, a number of bytes. following : what it is in the next cycle.
    left : bytes from the place on that are still to come.
    data : the byte at the place, 8 bits.
    last : 1 bit, one byte is left.
    """

    def __init__(self, m: Module, memory_map: MemoryMap, *, machines: int):
        m.submodules.memory = store = memory.Memory(
            shape=8,
            depth=memory_map.depth,
            init=memory_map.contents(),
            attrs=placement_attributes(memory_map.memory.placement, rom=False),
        )
        self._m, self._write, read = m, store.write_port(), store.read_port()
        self.index = Signal(range(memory_map.depth + 1), reset_less=True)
        longest = max(memory_map.registers.capacity, REGISTER_BYTES)
        self.left = Signal(range(longest + 1), reset_less=True)
        self.data, self.last = read.data, self.left == 1
        self.place = OneOf(m, self.index.shape(), machines=machines)
        self.count = OneOf(m, self.left.shape(), machines=machines)
        self.advance = OneOf(m, 1, machines=machines)

        # reading takes a cycle: it begins before the place is there
        self.following = following = Signal.like(self.index)
        m.d.comb += [following.eq(self.index), read.addr.eq(following)]
        m.d.comb += self._write.addr.eq(self.index)
        m.d.sync += self.index.eq(following)
        with m.If(self.advance.given):
            m.d.comb += following.eq(self.index + 1)
            m.d.sync += self.left.eq(self.left - 1)
        with m.If(self.place.given):
            m.d.comb += following.eq(self.place.value)
        with m.If(self.count.given):
            m.d.sync += self.left.eq(self.count.value)

    def store(self, byte, *, when) -> None:
        """Write a byte at the place, in the cycles in which ``when`` is 1."""
        self._m.d.comb += [self._write.data.eq(byte), self._write.en.eq(when)]

    def store_at(self, place, byte) -> None:
        """Write a byte at another place."""
        self.store(byte, when=1)
        self._m.d.comb += self._write.addr.eq(place)
