"""What a memory is, as plain data: its shape, how it is read and written, and where it lives."""

from dataclasses import dataclass

from bitformer.hw.tiling import Tile

__all__ = ["DEEP", "PLACEMENTS", "READ_LATENCY", "StoreSpec", "placement_attributes"]

#: Where a store can live.
PLACEMENTS = ("block", "distributed", "registers", "auto")
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
class StoreSpec:
    """Shape of a memory: ``depth`` words of ``width`` bits, written in ``granule``-bit parts.

    A ROM placed in ``block`` may have ``tiles``: only those are in block RAM, the rest in LUTs.
    ``early`` : in ``block``, its second register is before its address, not behind its word.
    ``asynchronous`` : unless in ``block``, it is read in the cycle of its address.
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

    @property
    def bits(self) -> int:
        """Capacity in bits."""
        return self.depth * self.width
