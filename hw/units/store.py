"""Memory with a placement: block RAM, distributed RAM (LUTs), registers, or the tool's choice."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from bitformer.hw.families.family import Luts
from bitformer.hw.memory import DEEP, READ_LATENCY, StoreSpec, placement_attributes
from bitformer.hw.tiling import rest_of
from bitformer.hw.units.banks import (
    PLAIN_LUTS,
    BankWrite,
    add_banks,
    is_banked,
    select_bit,
    words_of_bank,
)
from bitformer.hw.units.parameters import Parameter
from bitformer.hw.units.pipeline import MOST_COPIES, copies, delay

__all__ = ["Store", "one_of", "store_ports"]

#: Loads that a register of an address or a select may have, as far as copies of it go.
_LOADS = 48
#: Words of a bit that a LUT holds, at most.
_LUT_ROM = 64


def _cuts(bits: int, loads: int) -> list[range]:
    """Cut a word so that each part has ``_LOADS`` of the loads: into ``MOST_COPIES`` at most."""
    number = max(1, min(MOST_COPIES, bits, -(-loads // _LOADS)))
    ends = [bits * n // number for n in range(number + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def one_of(m: Module, words: Sequence[Value], number: Value, *, name: str) -> Value:
    """Select a word by its number, which comes a cycle before the words."""
    if len(words) == 1:
        return words[0]
    cuts = _cuts(len(words[0]), len(words[0]))
    chosen = copies(m, number[: bits_for(len(words) - 1)], len(cuts), name=name)
    return Cat(
        Array(word[cut.start : cut.stop] for word in words)[one]
        for cut, one in zip(cuts, chosen, strict=True)
    )


def store_ports(spec: StoreSpec) -> dict[str, wiring.Member]:
    """Return the ports of a store: address and word of each read port, and those of writes."""
    address = range(max(2, spec.depth))
    ports: dict[str, wiring.Member] = {}
    for port in range(spec.read_ports):
        ports[f"addr_{port}"] = In(address)
        ports[f"data_{port}"] = Out(unsigned(spec.width))
    if not spec.rom:
        ports["w_addr"] = In(address)
        ports["w_data"] = In(unsigned(spec.width))
        ports["w_en"] = In(unsigned(spec.width // (spec.granule or spec.width)))
    return ports


class Store(wiring.Component):
    """Memory with one write port, unless it is a ROM, and one or two read ports.

    Latency: 2 cycles from an address to its data. A word written in cycle t can be addressed from
    cycle t + 1 on; addressed in cycle t it is undefined, and in a block RAM with an early register
    in cycle t - 1, too. Throughput: an access a cycle at each port.

    Parameters
    ----------
    spec : StoreSpec
        Shape and placement.
    init : iterable of int
        First words, the others being 0; a ROM's contents.
    luts : Luts
        The family's look-up tables; by default of none. Where a conversion is for synthesis and
        they say how LUTs are joined, a deep RAM in LUTs is made of banks that are selected so.

    Members
    -------
    addr_{port} : In(range(depth))
        Address of read port 0 or 1.
    data_{port} : Out(width)
        Its word.
    w_addr : In(range(depth))
        Address that is written, if it is no ROM.
    w_data : In(width)
        Word that is written.
    w_en : In(width // granule)
        Which granules of the word are written.

    Raises
    ------
    TypeError, ValueError
        If ``spec`` is no shape of a memory, or ``init`` does not fit it.
    """

    latency = READ_LATENCY
    spec = Parameter(StoreSpec, "a StoreSpec")
    luts = Parameter(Luts, "a family's Luts")

    def __init__(self, *, spec: StoreSpec, init: Iterable[int] = (), luts: Luts = PLAIN_LUTS):
        self.spec, self.luts = spec, luts
        if spec.depth < 1 or spec.width < 1:
            raise ValueError(
                f"Store {spec.name} must have words and bits, not {spec.depth}x{spec.width}"
            )
        if spec.read_ports not in (1, 2):
            raise ValueError(f"Read ports must be 1 or 2, not {spec.read_ports}")
        if spec.width % self.granule:
            raise ValueError(f"Granule must divide the width {spec.width}, not be {spec.granule}")
        if spec.tiles and not (spec.rom and spec.read_ports == 1):
            raise ValueError("Tiles must be those of a ROM with one read port")
        if not isinstance(init, Iterable):
            raise TypeError(f"Init must be a sequence of words, not {init!r}")
        self._init = tuple(init)
        if len(self._init) > spec.depth:
            raise ValueError(f"Init must have at most {spec.depth} words, not {len(self._init)}")
        for word in self._init:
            if not isinstance(word, int):
                raise TypeError(f"Init must have words that are integers, not {word!r}")
            if not 0 <= word < 1 << spec.width:
                raise ValueError(f"Init must have words of {spec.width} bits, not {word}")
        super().__init__(store_ports(spec))

    @property
    def init(self) -> tuple[int, ...]:
        """First words."""
        return self._init

    @property
    def granule(self) -> int:
        """Bits that share a write enable."""
        return self.spec.granule or self.spec.width

    def model(self, steps: Iterable[Mapping[str, int]]) -> list[tuple[int | None, ...]]:
        """Return the words that are read, ``latency`` cycles after each step.

        A step has the inputs of a cycle by name, 0 where it names none. A word that is written in
        the step that reads it, or too soon after it, is None.
        """
        words = self._part(0, self.spec.depth, 0, self.spec.width)
        read: list[tuple[int | None, ...]] = []
        lanes = range(self.spec.width // self.granule)
        soon = self.spec.early and self.spec.placement == "block"
        addresses: list[int] = []
        for step in steps:
            place, enables = step.get("w_addr", 0), step.get("w_en", 0)
            if soon and enables and read:
                kept = zip(addresses, read[-1], strict=True)
                read[-1] = tuple(None if a == place else word for a, word in kept)
            addresses = [step.get(f"addr_{port}", 0) for port in range(self.spec.read_ports)]
            read.append(tuple(None if enables and a == place else words[a] for a in addresses))
            granule = (1 << self.granule) - 1
            mask = sum(granule << n * self.granule for n in lanes if enables >> n & 1)
            words[place] = words[place] & ~mask | step.get("w_data", 0) & mask
        return read

    def elaborate(self, platform):
        m = Module()
        if self.spec.tiles:
            self._tiled(m)
        elif self.spec.placement in ("block", "auto"):
            self._block(m)
        else:
            self._in_luts(m, platform)
        return m

    def _memory(self, m: Module, *, wait: int = 0) -> memory.Memory:
        """Add the memory, whose words are written ``wait`` cycles after they are given."""
        spec = self.spec
        m.submodules.mem = mem = memory.Memory(
            shape=unsigned(spec.width),
            depth=max(2, spec.depth),
            init=self._init,
            attrs=placement_attributes(spec.placement, rom=spec.rom),
        )
        if not spec.rom:
            write, given = mem.write_port(granularity=self.granule), self._given(m, wait)
            m.d.comb += [
                write.addr.eq(given.address),
                write.data.eq(given.data),
                write.en.eq(given.enables),
            ]
        return mem

    def _given(self, m: Module, wait: int) -> BankWrite:
        """Return what was given to be written ``wait`` cycles ago."""
        return BankWrite(
            delay(m, self.w_addr, wait, name="w_addr"),
            delay(m, self.w_data, wait, name="w_data"),
            delay(m, self.w_en, wait, name="w_en", reset_less=False),
        )

    def _block(self, m: Module) -> None:
        """Add a memory with its own read register, and one behind it or before it."""
        mem = self._memory(m)
        for number in range(self.spec.read_ports):
            port = mem.read_port()
            early = int(self.spec.early)
            address = delay(m, getattr(self, f"addr_{number}"), early, name=f"address_{number}")
            data = delay(m, port.data, 1 - early, name=f"q_{number}")
            m.d.comb += [port.addr.eq(address), getattr(self, f"data_{number}").eq(data)]

    def _in_luts(self, m: Module, platform: object) -> None:
        """Add a memory with a register before the look-up and one after it.

        The address has many loads. So has the write address of a deep RAM, whose writes are a cycle
        later, as the addresses of its reads are.
        """
        if self.spec.rom:
            for number in range(self.spec.read_ports):
                address = getattr(self, f"addr_{number}")
                every = (0, self.spec.depth, 0, self.spec.width)
                data = Signal(self.spec.width, name=f"q_{number}", reset_less=True)
                m.d.sync += data.eq(self._rom_in_luts(m, f"rom_{number}", address, *every))
                m.d.comb += getattr(self, f"data_{number}").eq(data)
            return
        if platform is not None and is_banked(self.spec, self.luts):
            self._in_banks(m)
            return
        mem = self._memory(m, wait=int(self.spec.depth > DEEP))
        for number in range(self.spec.read_ports):
            port = mem.read_port(domain="comb")
            address = Signal.like(port.addr, name=f"address_{number}", reset_less=True)
            data = Signal(self.spec.width, name=f"q_{number}", reset_less=True)
            m.d.sync += [address.eq(getattr(self, f"addr_{number}")), data.eq(port.data)]
            m.d.comb += port.addr.eq(address)
            m.d.comb += getattr(self, f"data_{number}").eq(data)

    def _in_banks(self, m: Module) -> None:
        """Add memories of as many words as one LUT holds, and select the word of one of them."""
        spec, luts = self.spec, self.luts
        banks = add_banks(m, spec, luts, self._init, self._given(m, 1))
        inner = exact_log2(words_of_bank(luts))
        for number in range(spec.read_ports):
            asked = getattr(self, f"addr_{number}")
            address = delay(m, asked[:inner], 1, name=f"address_{number}")
            words = [bank[number] for bank in banks]
            for word in words:
                m.d.comb += word.addr.eq(address)
            cuts = _cuts(spec.width, spec.width * -(-len(banks) // luts.selected))
            chosen = copies(m, asked[inner:], len(cuts), name=f"bank_{number}")
            q = Signal(spec.width, name=f"q_{number}", reset_less=True)
            for cut, own in zip(cuts, chosen, strict=True):
                for bit in cut:
                    bits = [word.data[bit] for word in words]
                    m.d.sync += q[bit].eq(select_bit(m, luts, bits, own, name=f"q_{number}_{bit}"))
            m.d.comb += getattr(self, f"data_{number}").eq(q)

    def _part(self, row: int, rows: int, bit: int, bits: int) -> list[int]:
        """Return ``bits`` bits, from ``bit`` on, of ``rows`` words, from ``row`` on."""
        words = [*self._init, *[0] * (self.spec.depth - len(self._init))]
        return [word >> bit & ((1 << bits) - 1) for word in words[row : row + rows]]

    def _rom(self, m: Module, name: str, *area: int, placement: str) -> memory.Memory:
        """Add a memory for a part of the contents, as of :meth:`_part`."""
        m.submodules[name] = mem = memory.Memory(
            shape=unsigned(area[3]),
            depth=max(2, area[1]),
            init=self._part(*area),
            attrs=placement_attributes(placement, rom=True),
        )
        return mem

    def _rom_in_block(self, m: Module, name: str, *area: int) -> Value:
        """Return the word of a part of the contents in block RAM, a cycle after ``addr_0``."""
        port = self._rom(m, name, *area, placement="block").read_port()
        m.d.comb += port.addr.eq(self.addr_0 - area[0])
        return port.data

    def _rom_in_luts(
        self, m: Module, name: str, address: Value, row: int, rows: int, bit: int, bits: int
    ) -> Value:
        """Return the word of a part of the contents in LUTs, a cycle after ``address``.

        It is cut into memories side by side: an address has a register for each, for its loads.
        """
        words = []
        cuts = _cuts(bits, bits * -(-rows // _LUT_ROM))
        offset = (address - row)[: bits_for(max(2, rows) - 1)]
        for number, (cut, own) in enumerate(
            zip(cuts, copies(m, offset, len(cuts), name=f"address_{name}"), strict=True)
        ):
            area = (row, rows, bit + cut.start, len(cut))
            mem = self._rom(m, f"{name}_{number}", *area, placement="distributed")
            port = mem.read_port(domain="comb")
            m.d.comb += port.addr.eq(own)
            words.append(port.data)
        return Cat(words)

    def _tiled(self, m: Module) -> None:
        """Add tiles side by side, each in block RAM for its first rows and in LUTs for the others.

        A tile's blocks are stacked here: synthesis would select all bits by one register.
        """
        spec = self.spec
        rest = {
            bit: (row, rows, bit, bits)
            for row, rows, bit, bits in rest_of(spec.depth, spec.width, spec.tiles)
        }
        fields: list[Value] = []
        bit = 0
        for number, tile in enumerate(spec.tiles):
            bit, deep = tile.first, tile.deep
            stack = []
            for row, rows in tile.parts:
                area = (row, rows, bit, tile.width)
                stack.append(self._rom_in_block(m, f"block_{number}_{row}", *area))
            part: Value = self.addr_0 >> exact_log2(deep)
            if tile.stack:
                part = Array(Const(one, range(len(stack))) for one in tile.numbers)[part]
            if bit in rest:
                part = Mux(self.addr_0 >= tile.rows, len(stack), part)
                stack.append(self._rom_in_luts(m, f"rest_{number}", self.addr_0, *rest[bit]))
            fields.append(one_of(m, stack, part, name=f"part_{number}"))
            bit += tile.width
        if bit in rest:
            fields.append(self._rom_in_luts(m, "beside", self.addr_0, *rest[bit]))
        data = Signal(spec.width, name="q_0", reset_less=True)
        m.d.sync += data.eq(Cat(fields))
        m.d.comb += self.data_0.eq(data)
