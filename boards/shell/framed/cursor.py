"""The memory of a framed endpoint, and the place in it where bytes go in and out."""

from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import memory

from bitformer.boards.protocol import REGISTER_BYTES
from bitformer.boards.shell.framed.memory_map import MemoryMap
from bitformer.hw.memory import placement_attributes
from bitformer.hw.units.pipeline import delay

__all__ = ["Cursor", "FetchingCursor", "OneOf", "cursor_for"]


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
    index : the place, a number of bytes.
    left : bytes from the place on that are still to come.
    data : the byte at the place, 8 bits.
    last : 1 bit, one byte is left.
    ready : 1 bit, index and data are those of the place.
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
        self.last = self.left == 1
        self.place = OneOf(m, self.index.shape(), machines=machines)
        self.count = OneOf(m, self.left.shape(), machines=machines)
        self.advance = OneOf(m, 1, machines=machines)

        m.d.comb += self._write.addr.eq(self.index)
        self.data, self.ready = self._read(m, read)
        with m.If(self.advance.given):
            m.d.sync += self.left.eq(self.left - 1)
        with m.If(self.count.given):
            m.d.sync += self.left.eq(self.count.value)

    def _read(self, m: Module, read: memory.ReadPort) -> tuple[Value, Value]:
        """Move the place; return the byte there, and whether it is there."""
        # reading takes a cycle: it begins before the place is there
        following = Signal.like(self.index)
        m.d.comb += [following.eq(self.index), read.addr.eq(following)]
        m.d.sync += self.index.eq(following)
        with m.If(self.advance.given):
            m.d.comb += following.eq(self.index + 1)
        with m.If(self.place.given):
            m.d.comb += following.eq(self.place.value)
        return read.data, Const(1)

    def store(self, byte, *, when) -> None:
        """Write a byte at the place, in the cycles in which ``when`` is 1."""
        self._m.d.comb += [self._write.data.eq(byte), self._write.en.eq(when)]

    def store_at(self, place, byte) -> None:
        """Write a byte at another place."""
        self.store(byte, when=1)
        self._m.d.comb += self._write.addr.eq(place)


class FetchingCursor(Cursor):
    """The same with registers around the memory, which fetches a byte ahead.

    Two cycles after that in which a place is given, it is there. From then on a byte can be taken
    in every cycle, as the one behind it is in the memory's own register.
    """

    def _read(self, m, read):
        goto, going = Signal.like(self.index, reset_less=True), Signal()
        m.d.sync += [goto.eq(self.place.value), going.eq(self.place.given)]
        filling = delay(m, going, 1, name="filling", reset_less=False)
        ahead, data = (Signal.like(one, reset_less=True) for one in (self.index, read.data))
        m.d.comb += [
            read.addr.eq(Mux(going, goto, ahead)),
            read.en.eq(going | filling | self.advance.given),
        ]
        with m.If(read.en):
            m.d.sync += ahead.eq(read.addr + 1)
        with m.If(filling | self.advance.given):
            m.d.sync += data.eq(read.data)
        with m.If(self.advance.given):
            m.d.sync += self.index.eq(self.index + 1)
        with m.If(going):
            m.d.sync += self.index.eq(goto)
        return data, ~(going | filling)


def cursor_for(m: Module, memory_map: MemoryMap, *, machines: int) -> Cursor:
    """Return the cursor that suits the family, with the arguments of `Cursor`."""
    kind = FetchingCursor if memory_map.contract.pipelined else Cursor
    return kind(m, memory_map, machines=machines)
