"""A memory with a placement: block RAM, distributed RAM (LUTs), registers, or the tool's choice."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from bitformer.hw.memory import StoreSpec, placement_attributes
from bitformer.hw.tiling import block_depth, rest_of
from bitformer.hw.units.pipeline import delay, twice

__all__ = ["Store"]

#: Words of a RAM in LUTs that is one LUT deep.
_LUT_WORDS = 64


class Store(wiring.Component):
    """One memory, one write port and ``read_ports`` read ports, each of latency 2 cycles.

    A word written in cycle t can be addressed for reading from cycle t + 1.

    Parameters
    ----------
    spec : StoreSpec
        Shape and placement. ``rom`` has no write port.
    init : sequence of int
        Initial words; a ROM's contents.

    Members
    -------
    addr_0, data_0, addr_1 ... : read ports; ``data_k`` follows ``addr_k`` by 2 cycles.
    w_addr, w_data, w_en : write port; one enable for each granule.
    """

    def __init__(self, *, spec: StoreSpec, init: Iterable[int] = ()):
        if not isinstance(spec, StoreSpec):
            raise TypeError(f"Spec must be a StoreSpec, not {spec!r}")
        if spec.depth < 1 or spec.width < 1:
            raise ValueError(
                f"Store {spec.name} must have words and bits, not {spec.depth}x{spec.width}"
            )
        granule = spec.granule or spec.width
        if spec.width % granule:
            raise ValueError(f"Granule must divide the width {spec.width}, not be {granule}")
        self._spec = spec
        self._init: Sequence[int] = list(init)
        if len(self._init) > spec.depth:
            raise ValueError(f"Init must have at most {spec.depth} words, not {len(self._init)}")
        address = range(max(2, spec.depth))
        ports: dict[str, In | Out] = {}
        for port in range(spec.read_ports):
            ports[f"addr_{port}"] = In(address)
            ports[f"data_{port}"] = Out(unsigned(spec.width))
        if not spec.rom:
            ports["w_addr"] = In(address)
            ports["w_data"] = In(unsigned(spec.width))
            ports["w_en"] = In(unsigned(spec.width // granule))
        super().__init__(ports)

    @property
    def spec(self) -> StoreSpec:
        return self._spec

    def elaborate(self, platform):
        m = Module()
        if self._spec.tiles:
            self._tiled(m)
        elif self._spec.placement in ("block", "auto"):
            self._block(m)
        else:
            self._in_luts(m)
        return m

    def _memory(self, m: Module, *, wait: int = 0) -> memory.Memory:
        """The memory, whose words are written ``wait`` cycles after they are given."""
        spec = self._spec
        m.submodules.mem = mem = memory.Memory(
            shape=unsigned(spec.width),
            depth=max(2, spec.depth),
            init=self._init,
            attrs=placement_attributes(spec.placement, rom=spec.rom),
        )
        if not spec.rom:
            granule = spec.granule if spec.granule and spec.granule != spec.width else None
            write = mem.write_port(granularity=granule)
            m.d.comb += [
                write.addr.eq(delay(m, self.w_addr, wait, name="w_addr")),
                write.data.eq(delay(m, self.w_data, wait, name="w_data")),
                write.en.eq(delay(m, self.w_en, wait, name="w_en", reset_less=False)),
            ]
        return mem

    def _block(self, m: Module) -> None:
        """The memory's own read register, and its output register."""
        mem = self._memory(m)
        for number in range(self._spec.read_ports):
            port = mem.read_port()
            data = Signal(self._spec.width, name=f"q_{number}", reset_less=True)
            m.d.comb += port.addr.eq(getattr(self, f"addr_{number}"))
            m.d.sync += data.eq(port.data)
            m.d.comb += getattr(self, f"data_{number}").eq(data)

    def _in_luts(self, m: Module) -> None:
        """A register before the look-up and one behind it: the address has many loads.

        So has that of a deep RAM's writes: they take a cycle more, as the address of a read does.
        """
        mem = self._memory(m, wait=int(self._spec.depth > _LUT_WORDS))
        for number in range(self._spec.read_ports):
            port = mem.read_port(domain="comb")
            address = Signal.like(port.addr, name=f"address_{number}", reset_less=True)
            data = Signal(self._spec.width, name=f"q_{number}", reset_less=True)
            m.d.sync += [address.eq(getattr(self, f"addr_{number}")), data.eq(port.data)]
            m.d.comb += port.addr.eq(address)
            m.d.comb += getattr(self, f"data_{number}").eq(data)

    def _part(self, row: int, rows: int, bit: int, bits: int) -> list[int]:
        """A rectangle of the contents."""
        words = [*self._init, *[0] * (self._spec.depth - len(self._init))]
        return [word >> bit & ((1 << bits) - 1) for word in words[row : row + rows]]

    @staticmethod
    def _one_of(m: Module, words: Sequence[Value], number: Value, *, name: str) -> Value:
        """One of the words, by its number, which comes a cycle before them."""
        if len(words) == 1:
            return words[0]
        half = len(words[0]) // 2
        lower, upper = twice(m, number[: bits_for(len(words) - 1)], name=name)
        return Cat(
            Array(word[:half] for word in words)[lower],
            Array(word[half:] for word in words)[upper],
        )

    def _rom(self, m: Module, name: str, row: int, rows: int, bit: int, bits: int, placement: str):
        """The rectangle as a memory of its own: its word, a cycle after the store's address."""
        m.submodules[name] = mem = memory.Memory(
            shape=unsigned(bits),
            depth=max(2, rows),
            init=self._part(row, rows, bit, bits),
            attrs=placement_attributes(placement, rom=True),
        )
        offset = self.addr_0 - row
        if placement == "block":
            port = mem.read_port()
            m.d.comb += port.addr.eq(offset)
        else:
            port = mem.read_port(domain="comb")
            address = Signal.like(port.addr, name=f"address_{name}", reset_less=True)
            m.d.sync += address.eq(offset)
            m.d.comb += port.addr.eq(address)
        return port.data

    def _tiled(self, m: Module) -> None:
        """Tiles side by side, each in block RAM for its first rows and in LUTs for the others.

        A tile's blocks are stacked here: synthesis would choose all bits with one register.
        """
        spec = self._spec
        rest = {
            bit: (row, rows, bit, bits)
            for row, rows, bit, bits in rest_of(spec.depth, spec.width, spec.tiles)
        }
        fields: list[Value] = []
        bit = 0
        for number, tile in enumerate(spec.tiles):
            bit, deep = tile.first, block_depth(tile)
            stack = []
            for row in range(0, tile.rows, deep):
                area = (row, min(deep, tile.rows - row), bit, tile.width)
                stack.append(self._rom(m, f"block_{number}_{row}", *area, "block"))
            part = self.addr_0 >> exact_log2(deep)
            if bit in rest:
                part = Mux(self.addr_0 >= tile.rows, len(stack), part)
                stack.append(self._rom(m, f"rest_{number}", *rest[bit], "distributed"))
            fields.append(self._one_of(m, stack, part, name=f"part_{number}"))
            bit += tile.width
        if bit in rest:
            fields.append(self._rom(m, "beside", *rest[bit], "distributed"))
        data = Signal(spec.width, name="q_0", reset_less=True)
        m.d.sync += data.eq(Cat(fields))
        m.d.comb += self.data_0.eq(data)
