"""What a memory is, as plain data: its shape, how it is read and written, and where it lives."""

from dataclasses import dataclass

from bitformer.hw.tiling import Tile
from bitformer.model.later import later, shown

__all__ = [
    "DEEP",
    "PLACEMENTS",
    "READ_LATENCY",
    "SPLIT",
    "StorePart",
    "StoreSpec",
    "placement_attributes",
]

#: Where a store can live.
PLACEMENTS = ("block", "distributed", "registers", "auto")
#: The placement of a store whose parts lie in several memories.
SPLIT = "split"
#: Cycles from a read address to its data: the memory's own register and its output register.
READ_LATENCY = 2
#: Words of a RAM in LUTs beyond which its address has many loads: it is written a cycle later.
DEEP = 64


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
class StorePart:
    """Words of a split store, in line, that are a memory of their own.

    ``base`` : address of the first: a multiple of ``span``, so that no address has to be reduced.
    ``spec`` : the memory, with a read port for each of the store's ``ports`` that reads it.
    ``tensors`` : whose rows lie there.
    """

    base: int
    spec: "StoreSpec"
    ports: tuple[int, ...]
    tensors: tuple[str, ...]

    @property
    def span(self) -> int:
        """Addresses that the memory's own address tells apart: a power of two."""
        return 1 << max(1, (self.spec.depth - 1).bit_length())

    @property
    def end(self) -> int:
        """The address behind the last word."""
        return self.base + self.spec.depth


@dataclass(frozen=True, kw_only=True)
class StoreSpec:
    """Shape of a memory: ``depth`` words of ``width`` bits, written in ``granule``-bit parts.

    A ROM placed in ``block`` may have ``tiles``: only those are in block RAM, the rest in LUTs.
    ``early`` : in ``block``, its second register is before its address, not behind its word.
    ``asynchronous`` : unless in ``block``, it is read in the cycle of its address.
    ``parts`` : a RAM that is ``SPLIT`` has two or more, each in a memory of its own; between them
    there may be addresses without a word, and ``depth`` is where the last one ends.
    """

    name: str
    depth: int
    width: int
    granule: int = 0
    read_ports: int = 1
    rom: bool = False
    asynchronous: bool = False
    early: bool = False
    placement: str = "auto"
    tiles: tuple[Tile, ...] = ()
    parts: tuple[StorePart, ...] = later(())

    def __repr__(self) -> str:
        return shown(self)

    @property
    def bits(self) -> int:
        """Capacity in bits."""
        if self.parts:
            return sum(part.spec.bits for part in self.parts)
        return self.depth * self.width
