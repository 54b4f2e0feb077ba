"""Places stores: block RAM by shape, RAM and ROM in LUTs or registers, within a part's budget."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bitformer.hw.families.family import Family, Luts
from bitformer.hw.memory import PLACEMENTS, StoreSpec
from bitformer.hw.parts import Part
from bitformer.hw.tiling import best_tiling, rest_of
from bitformer.model.errors import UserError

__all__ = ["Cost", "cost", "crowding", "place"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a store takes: block RAMs, LUTs as memory or logic (ROM, multiplexers), registers."""

    ramb18: int = 0
    lutram: int = 0
    luts: int = 0
    ffs: int = 0


def cost(spec: StoreSpec, placement: str, family: Family) -> Cost:
    """Return what a store takes in a placement, which ``auto`` is not.

    Where a family has no memories in LUTs, a distributed RAM is made of registers. Words in
    registers take a multiplexer for each bit and read port, and half a LUT for each enable.
    """
    ports, block, luts = spec.read_ports, family.block_ram, family.luts
    if spec.tiles:
        rest = [
            _rom_luts(rows, bits, luts)
            for _, rows, _, bits in rest_of(spec.depth, spec.width, spec.tiles)
        ]
        # of what is stacked, larger LUTs select with what selects the rest
        muxes = sum(
            tile.width
            * ((len(tile.parts) if luts.holds_register else 1) - (tile.rows == spec.depth))
            for tile in spec.tiles
            if luts.holds_register or tile.rows < spec.depth
        )
        return Cost(ramb18=sum(tile.ramb18 for tile in spec.tiles), luts=sum(rest) + muxes)
    if placement == "block":
        width = spec.width
        enable = block.enable_bits
        if spec.granule and spec.granule not in (spec.width, enable - 1, enable):
            width = spec.width // spec.granule * (-(-spec.granule // enable) * enable)
        # only where a block masks single bits are parts of a RAM in one
        sliced = enable == 1
        blocks, parts = block.taken(spec.depth, width, sliced=sliced)
        muxes = spec.width * (parts - 1) // (luts.selected - 1) if sliced else 0
        return Cost(ramb18=blocks * ports, luts=muxes * ports)
    if placement not in ("distributed", "registers"):
        raise ValueError(f"Placement must be a memory's, not {placement!r}")
    if spec.rom:
        return Cost(luts=_rom_luts(spec.depth, spec.width, luts))
    if placement == "registers" or not luts.rams:
        muxes = spec.width * -(-(spec.depth - 1) // (luts.selected - 1))
        enables = spec.depth * (spec.width // (spec.granule or spec.width)) // 2
        return Cost(ffs=spec.bits, luts=muxes * ports + enables)
    ram = next((ram for ram in luts.rams if spec.depth <= ram.words), luts.rams[-1])
    blocks = -(-spec.depth // ram.words)
    multiplexer = spec.width * (blocks // luts.selected + 1 if blocks > 1 else 0)
    taken = -(-spec.width // ram.bits) * ram.luts * blocks
    return Cost(lutram=taken * ports, luts=multiplexer * ports)


def _rom_luts(depth: int, width: int, luts: Luts) -> int:
    """Return the LUTs of a ROM: its blocks, and multiplexers where more are than can be joined."""
    blocks = -(-depth // luts.words)
    return int(width * (blocks + max(0, -(-blocks // luts.joined) - 1)) * luts.rom_share)


def _check(specs: list[StoreSpec], wanted: Mapping[str, str]) -> None:
    names = [spec.name for spec in specs]
    for name, placement in wanted.items():
        if name not in names:
            raise UserError(f"placement must name a store of {names}, not {name!r}")
        if placement not in PLACEMENTS:
            raise UserError(f"placement of {name} must be one of {PLACEMENTS}, not {placement!r}")


def _over(ramb18, lutram, part: Part, kept: int = 0):
    """Return how far the part's memories are exceeded, in LUTs: numbers, or arrays of choices."""
    block = part.family.block_ram.bits // part.family.luts.words
    over = np.maximum(0, ramb18 + kept - part.ramb18) * block
    return over + np.maximum(0, lutram - part.lutram_luts)


def crowding(specs: Iterable[StoreSpec], part: Part) -> tuple[int, int]:
    """Return how far placed stores exceed the part's memories, and a quarter of its LUTs."""
    ramb18, lutram, luts = map(
        sum, zip(*(_taken(spec, part.family) for spec in specs), strict=True)
    )
    return int(_over(ramb18, lutram, part)), max(0, luts - part.luts // 4)


def _taken(spec: StoreSpec, family: Family) -> tuple[int, int, int]:
    """Return the block RAMs, LUTs as memory, and all LUTs of a placed store, with those lost."""
    found = cost(spec, spec.placement, family)
    lost = found.ffs if family.luts.holds_register else 0
    return found.ramb18, found.lutram, found.lutram + found.luts + lost


def _luts(specs: Iterable[StoreSpec], family: Family) -> int:
    """Return all LUTs of placed stores, with those lost."""
    return sum(_taken(spec, family)[2] for spec in specs)


@functools.lru_cache(maxsize=4096)
def _cut(block: StoreSpec, spare: int, family: Family) -> tuple[StoreSpec, tuple[int, int, int]]:
    """Return a ROM in ``spare`` block RAMs, the rest of it in LUTs, and what it takes."""
    cut = replace(block, tiles=best_tiling(block.depth, block.width, spare, family.block_ram))
    return cut, _taken(cut, family)


def _best(
    options: list[list[StoreSpec]], largest: int | None, part: Part, kept: int
) -> list[StoreSpec]:
    """Return the cheapest choice; the ROM ``largest`` takes the blocks that others leave.

    ``kept`` blocks are not for them.
    """
    family = part.family
    sizes = [len(one) for one in options]
    chosen = np.indices(sizes).reshape(len(sizes), -1).T
    tables = [np.array([_taken(spec, family) for spec in one]) for one in options]
    totals = np.sum([table[chosen[:, n]] for n, table in enumerate(tables)], axis=0)
    rows = which = np.zeros(0, dtype=np.int64)
    cuts: list[tuple[StoreSpec, tuple[int, int, int]]] = []
    if largest is not None:
        number = next(n for n, spec in enumerate(options[largest]) if spec.placement == "block")
        own = tables[largest][number]
        rows = np.flatnonzero(chosen[:, largest] == number)
        left = np.maximum(0, part.ramb18 - kept - (totals[rows, 0] - own[0]))
        rows = rows[left > 0]
        spares, which = np.unique(left[left > 0], return_inverse=True)
        cuts = [_cut(options[largest][number], int(spare), family) for spare in spares]
        if cuts:
            taken = np.array([taken for _, taken in cuts])
            totals = np.concatenate([totals, totals[rows] - own + taken[which]])
    ramb18, lutram, luts = totals.T
    value = luts + family.block_ram.saves * ramb18
    best = int(np.lexsort((value, _over(ramb18, lutram, part, kept)))[0])
    cut = best - len(chosen)
    picked = chosen[rows[cut] if cut >= 0 else best]
    specs = [one[number] for one, number in zip(options, picked, strict=True)]
    if cut >= 0 and largest is not None:
        specs[largest] = cuts[which[cut]][0]
    return specs


def _early(spec: StoreSpec, family: Family) -> bool:
    """Return whether a block's second register is before its address: nothing is selected then.

    Of a RAM, words are read a cycle later so; none is written so soon after its last read.
    """
    block = family.block_ram
    return (
        block.early and block.taken(spec.depth, spec.width, sliced=block.enable_bits == 1)[1] == 1
    )


def place(
    specs: Iterable[StoreSpec], part: Part, wanted: Mapping[str, str]
) -> dict[str, StoreSpec]:
    """Resolve ``auto`` exactly: of all placements that fit the part's memories, the cheapest.

    A block RAM must save as many LUTs as the family says: small stores stay in LUTs, where a block
    would be mostly empty. A ROM larger than the blocks that are left is cut, and what does not fit
    them is in LUTs. A RAM is in registers where it would be in LUTs and none of them are memories.
    Blocks that the family keeps are left free, unless that costs more than a tenth of the part's
    LUTs: beside so large an accelerator there is no room. When nothing fits, the placement that is
    least over is taken: ``estimate`` says by how much.
    """
    specs = list(specs)
    _check(specs, wanted)
    options = []
    for spec in specs:
        placement = wanted.get(spec.name, "auto")
        # what is no ROM is in registers where there are no memories in LUTs
        small = "distributed" if spec.rom or part.family.luts.rams else "registers"
        places: tuple[str, ...] = (small, "block")
        if placement != "auto":
            places = (small if placement == "distributed" else placement,)
        elif spec.asynchronous and small == "distributed":
            places = (small,)
        early = not spec.asynchronous and _early(spec, part.family)
        options.append([replace(spec, placement=one, early=early) for one in places])
    roms = [n for n, spec in enumerate(specs) if spec.rom and len(options[n]) > 1]
    largest = max(roms, key=lambda n: specs[n].bits, default=None)
    found = _best(options, largest, part, kept := part.family.block_ram.kept)
    if kept:
        every = _best(options, largest, part, 0)
        saved = _luts(found, part.family) - _luts(every, part.family)
        found = every if saved > part.luts // 10 else found
    return {spec.name: spec for spec in found}
