"""The store of keys and values in LUTs, read and written one group of columns after another."""

from collections.abc import Iterable, Mapping

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import READ_LATENCY, StoreSpec, placement_attributes
from bitformer.hw.units.parameters import Integer, Parameter
from bitformer.hw.units.pipeline import delay

__all__ = ["ColumnStore"]


class ColumnStore(wiring.Component):
    """Memory in LUTs that gives each group of columns its part of a word when the engine takes it.

    Column j of the engine takes its weights j cycles after column 0. So a group's part is read as
    many cycles after the first group's as its first column's number says, and written likewise: an
    address goes from group to group, in place of a wire to all memories and a delay of all data.

    Latency: 2 cycles from an address to the part of group 0, ``group`` more for each further one. A
    word written in cycle t can be addressed from cycle t + 1 on; addressed in cycle t it is
    undefined. Throughput: a read and a write a cycle.

    Parameters
    ----------
    spec : StoreSpec
        Shape, of one read port.
    columns : int
        Columns of the engine, which share a word evenly, column 0 lowest.
    ways : int
        Granules of a word that can be written at a time: granule n is one of those that are n
        modulo ``ways``.
    group : int
        Columns whose parts are read in one cycle: an address loads the memories of so many.

    Members
    -------
    addr_0 : In(range(depth))
        Address that is read.
    i_read : In(1)
        It is one of a word that is wanted.
    data_0 : Out(width)
        The word, each group's part in its cycle.
    w_addr : In(range(depth))
        Address that is written.
    w_data : In(ways * granule)
        Granules that are written, each to all places that are enabled for it.
    w_en : In(width // granule)
        Which granules of the word are written.
    i_write : In(1)
        Some granule is: without it, ``w_en`` must be 0.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above, or columns or ways do not share a word evenly.
    """

    latency = READ_LATENCY
    spec = Parameter(StoreSpec, "a StoreSpec")
    columns = Integer(1)

    ways = Integer(1)
    group = Integer(1)

    def __init__(self, *, spec: StoreSpec, columns: int, ways: int, group: int):
        self.spec, self.columns, self.ways, self.group = spec, columns, ways, group
        granules = spec.width // self.granule
        for what, number in (("Columns", columns), ("Ways", ways)):
            if granules % number:
                raise ValueError(f"{what} must share {granules} granules evenly, not be {number}")
        address = range(max(2, spec.depth))
        super().__init__(
            {
                "addr_0": In(address),
                "i_read": In(1),
                "data_0": Out(unsigned(spec.width)),
                "w_addr": In(address),
                "w_data": In(unsigned(ways * self.granule)),
                "w_en": In(unsigned(granules)),
                "i_write": In(1),
            }
        )

    @property
    def granule(self) -> int:
        """Bits that share a write enable."""
        return self.spec.granule or self.spec.width

    @property
    def column_bits(self) -> int:
        """Bits of a word that are a column's."""
        return self.spec.width // self.columns

    def elaborate(self, platform):
        m = Module()
        asked = {"read": self.i_read, "addr": self.addr_0}
        given = {"write": self.i_write, "addr": self.w_addr, "data": self.w_data, "en": self.w_en}
        parts = []
        for number, first in enumerate(range(0, self.columns, self.group)):
            if number:
                asked, given = (
                    {
                        name: delay(m, value, self.group, name=f"{which}_{name}_{number}")
                        for name, value in passed.items()
                    }
                    for which, passed in (("asked", asked), ("given", given))
                )
            columns = range(first, min(first + self.group, self.columns))
            parts.append(self._add(m, number, columns, asked, given))
            given["en"] = given["en"][len(columns) * self.column_bits // self.granule :]
        m.d.comb += self.data_0.eq(Cat(parts))
        return m

    def _add(self, m: Module, number: int, columns: range, asked: dict, given: dict) -> Signal:
        """Add the memory of a group of columns; return its part of a word.

        ``asked`` and ``given`` are the ports in the group's cycle.
        """
        bits = range(columns.start * self.column_bits, columns.stop * self.column_bits)
        width, granule = len(bits), self.granule
        m.submodules[f"mem_{number}"] = mem = memory.Memory(
            shape=unsigned(width),
            depth=max(2, self.spec.depth),
            init=[],
            attrs=placement_attributes("distributed", rom=False),
        )
        write, read = mem.write_port(granularity=granule), mem.read_port(domain="comb")
        # What has many loads comes out of registers that hold while nothing is asked: they become
        # no shift registers in LUTs, which answer late. A write that a reset finds on its way does
        # no harm: an inference reads what it has written.
        address, w_addr = (
            Signal.like(read.addr, name=f"{name}_{number}", reset_less=True)
            for name in ("address", "w_address")
        )
        elements = Signal.like(given["data"], name=f"w_elements_{number}", reset_less=True)
        part = Signal(width, name=f"q_{number}", reset_less=True)
        with m.If(asked["read"]):
            m.d.sync += address.eq(asked["addr"])
        with m.If(given["write"]):
            m.d.sync += [w_addr.eq(given["addr"]), elements.eq(given["data"])]
        m.d.sync += part.eq(read.data)
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(w_addr),
            write.data.eq(
                Cat(
                    elements.word_select(bit // granule % self.ways, granule)
                    for bit in bits[::granule]
                )
            ),
            write.en.eq(delay(m, given["en"], 1, name=f"w_en_{number}")[: width // granule]),
        ]
        return part

    def model(self, steps: Iterable[Mapping[str, int]]) -> list[int | None]:
        """Return the words that are read, each part ``latency`` cycles after a step and its delay.

        A step has the inputs of a cycle by name, 0 where it names none. A word that is not wanted,
        or written in the step that reads it, is None.
        """
        words, read = [0] * max(2, self.spec.depth), []
        bits, granules = self.granule, self.spec.width // self.granule
        for step in steps:
            place, address, enables = (step.get(n, 0) for n in ("w_addr", "addr_0", "w_en"))
            unknown = not step.get("i_read", 0) or (enables and address == place)
            read.append(None if unknown else words[address])
            elements = step.get("w_data", 0)
            for n in range(granules):
                if enables >> n & 1:
                    element = elements >> n % self.ways * bits & ((1 << bits) - 1)
                    words[place] &= ~(((1 << bits) - 1) << n * bits)
                    words[place] |= element << n * bits
        return read
