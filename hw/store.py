"""A memory with a placement: block RAM, distributed RAM (LUTs), registers, or the tool's choice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .tiling import Tile, rest_of

__all__ = ["PLACEMENTS", "READ_LATENCY", "Store", "StoreSpec", "placement_attributes"]

#: Where a store can live.
PLACEMENTS = ("block", "distributed", "registers", "auto")
#: Cycles from a read address to its data: the memory's own register and its output register.
READ_LATENCY = 2


def placement_attributes(placement: str, *, rom: bool) -> dict[str, str]:
    """Attributes that tell Vivado and Yosys where a memory goes (a ROM takes ``rom_style``)."""
    if placement not in PLACEMENTS:
        raise ValueError(f"Placement must be one of {PLACEMENTS}, not {placement!r}")
    if placement == "auto":
        return {}
    if rom:
        return {"rom_style": "distributed" if placement == "registers" else placement}
    return {"ram_style": placement}


@dataclass(frozen=True, kw_only=True)
class StoreSpec:
    """Shape of a memory: ``depth`` words of ``width`` bits, written in ``granule``-bit parts.

    A ROM placed in ``block`` may have ``tiles``: only those are in block RAM, the rest in LUTs.
    ``asynchronous`` : it is read in the cycle of its address, which block RAM cannot do.
    """

    name: str
    depth: int
    width: int
    granule: int = 0
    read_ports: int = 1
    rom: bool = False
    asynchronous: bool = False
    placement: str = "auto"
    tiles: tuple[Tile, ...] = ()

    @property
    def bits(self) -> int:
        """Capacity in bits."""
        return self.depth * self.width


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
        else:
            self._whole(m)
        return m

    def _rom(self, m: Module, name: str, init: list[int], width: int, placement: str):
        """Read port data of a part of a tiled ROM, a cycle after the address."""
        m.submodules[name] = mem = memory.Memory(
            shape=unsigned(width),
            depth=max(2, len(init)),
            init=init,
            attrs=placement_attributes(placement, rom=True),
        )
        port = mem.read_port()
        m.d.comb += port.addr.eq(self.addr_0)
        return port

    def _tiled(self, m: Module) -> None:
        """Tiles side by side, each in block RAM for its first rows and in LUTs for the others."""
        spec = self._spec
        words = list(self._init) + [0] * (spec.depth - len(self._init))

        def part(row: int, rows: int, bit: int, bits: int) -> list[int]:
            return [word >> bit & ((1 << bits) - 1) for word in words[row : row + rows]]

        fields: list[Value] = []
        rest = {
            bit: (row, rows, bits)
            for row, rows, bit, bits in rest_of(spec.depth, spec.width, spec.tiles)
        }
        bit = 0
        for number, tile in enumerate(spec.tiles):
            init = part(0, tile.rows, tile.first, tile.width)
            field: Value = self._rom(m, f"block_{number}", init, tile.width, "block").data
            if tile.first in rest:
                row, rows, bits = rest[tile.first]
                # rows beyond the tile: addressed from 0, chosen a cycle later
                low = self._rom(
                    m, f"rest_{number}", part(row, rows, tile.first, bits), bits, "distributed"
                )
                beyond = Signal(name=f"beyond_{number}", reset_less=True)
                m.d.comb += low.addr.eq(self.addr_0 - row)
                m.d.sync += beyond.eq(self.addr_0 >= row)
                field = Mux(beyond, low.data, field)
            fields.append(field)
            bit = tile.first + tile.width
        if bit in rest:
            row, rows, bits = rest[bit]
            fields.append(
                self._rom(m, "beside", part(row, rows, bit, bits), bits, "distributed").data
            )
        data = Signal(spec.width, name="q_0", reset_less=True)
        m.d.sync += data.eq(Cat(fields))
        m.d.comb += self.data_0.eq(data)

    def _whole(self, m: Module) -> None:
        spec = self._spec
        m.submodules.mem = mem = memory.Memory(
            shape=unsigned(spec.width),
            depth=max(2, spec.depth),
            init=self._init,
            attrs=placement_attributes(spec.placement, rom=spec.rom),
        )
        for number in range(spec.read_ports):
            port = mem.read_port()
            data = Signal(spec.width, name=f"q_{number}", reset_less=True)
            m.d.comb += port.addr.eq(getattr(self, f"addr_{number}"))
            m.d.sync += data.eq(port.data)
            m.d.comb += getattr(self, f"data_{number}").eq(data)
        if not spec.rom:
            granule = spec.granule if spec.granule and spec.granule != spec.width else None
            write = mem.write_port(granularity=granule)
            m.d.comb += [
                write.addr.eq(self.w_addr),
                write.data.eq(self.w_data),
                write.en.eq(self.w_en),
            ]
