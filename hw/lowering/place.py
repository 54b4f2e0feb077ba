"""Places stores: block RAM by shape, RAM and ROM in LUTs or registers, within a part's budget."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from bitformer.hw.families.family import Family, Luts
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import Part
from bitformer.hw.tiling import best_tiling, rest_of

__all__ = ["Cost", "cost", "crowding", "place", "placed", "places_of", "taken"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a store takes: block RAMs, LUTs as memory or logic (ROM, multiplexers), registers."""

    ramb18: int = 0
    lutram: int = 0
    luts: int = 0
    ffs: int = 0


def cost(spec: StoreSpec, placement: str, family: Family, *, granules: bool = False) -> Cost:
    """Return what a store takes in a placement, which ``auto`` is not.

    Where a family has no memories in LUTs, a distributed RAM is made of registers. Words in
    registers take a multiplexer for each bit and read port, and half a LUT for each enable. Parts
    take what they take alone, and what selects among those that a port reads. With ``granules``,
    as of parts, memories in LUTs are counted for each of them, since each has an enable.
    """
    ports, block, luts = spec.read_ports, family.block_ram, family.luts
    if spec.parts:
        own = [cost(part.spec, part.spec.placement, family, granules=True) for part in spec.parts]
        read = [sum(port in part.ports for part in spec.parts) for port in range(ports)]
        muxes = sum(spec.width * -(-(count - 1) // (luts.selected - 1)) for count in read)
        # an enable of each granule, and which part an address is of
        enables = len(own) * (spec.width // (spec.granule or spec.width)) + len(own) * (ports + 1)
        return Cost(
            ramb18=sum(one.ramb18 for one in own),
            lutram=sum(one.lutram for one in own),
            luts=sum(one.luts for one in own) + muxes + enables,
            ffs=sum(one.ffs for one in own),
        )
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
    ram = luts.ram_of(spec.depth)
    together = spec.granule if granules and spec.granule else spec.width
    blocks = -(-spec.depth // ram.words)
    multiplexer = spec.width * (blocks // luts.selected + 1 if blocks > 1 else 0)
    memory = spec.width // together * ram.cells(spec.depth, together)
    return Cost(lutram=memory * ports, luts=multiplexer * ports)


def _rom_luts(depth: int, width: int, luts: Luts) -> int:
    """Return the LUTs of a ROM: its blocks, and multiplexers where more are than can be joined."""
    blocks = -(-depth // luts.words)
    return int(width * (blocks + max(0, -(-blocks // luts.joined) - 1)) * luts.rom_share)


def _over(ramb18, lutram, part: Part, *, spare: int, kept: int = 0):
    """Return how far the part's memories are exceeded, in LUTs: numbers, or arrays of choices."""
    block = part.family.block_ram.bits // part.family.luts.words
    over = np.maximum(0, ramb18 + kept - part.ramb18) * block
    return over + np.maximum(0, lutram + min(spare, part.lutram_luts) - part.lutram_luts)


def crowding(
    specs: Iterable[StoreSpec], part: Part, *, spare: int = 0, granules: bool = False
) -> tuple[int, int]:
    """Return how far placed stores exceed the part's memories, and a quarter of its LUTs.

    ``spare`` LUTs as memory are not for them; ``granules`` : as of :func:`cost`.
    """
    each = (taken(spec, part.family, granules=granules) for spec in specs)
    ramb18, lutram, luts = map(sum, zip(*each, strict=True))
    return int(_over(ramb18, lutram, part, spare=spare)), max(0, luts - part.luts // 4)


def taken(spec: StoreSpec, family: Family, *, granules: bool = False) -> tuple[int, int, int]:
    """Return the block RAMs, LUTs as memory, and all LUTs of a placed store, with those lost."""
    found = cost(spec, spec.placement, family, granules=granules)
    lost = found.ffs if family.luts.holds_register else 0
    return found.ramb18, found.lutram, found.lutram + found.luts + lost


def _luts(specs: Iterable[StoreSpec], family: Family) -> int:
    """Return all LUTs of placed stores, with those lost."""
    return sum(taken(spec, family)[2] for spec in specs)


@functools.lru_cache(maxsize=4096)
def _cut(block: StoreSpec, spare: int, family: Family) -> tuple[StoreSpec, tuple[int, int, int]]:
    """Return a ROM in ``spare`` block RAMs, the rest of it in LUTs, and what it takes."""
    cut = replace(block, tiles=best_tiling(block.depth, block.width, spare, family.block_ram))
    return cut, taken(cut, family)


def _best(
    options: list[list[StoreSpec]],
    largest: int | None,
    part: Part,
    kept: int,
    spare: int,
    granules: Sequence[bool],
) -> list[StoreSpec]:
    """Return the cheapest choice; the ROM ``largest`` takes the blocks that others leave.

    ``kept`` blocks are not for them, nor are ``spare`` LUTs as memory. ``granules`` : as of
    :func:`cost`, for each store.
    """
    family = part.family
    sizes = [len(one) for one in options]
    chosen = np.indices(sizes).reshape(len(sizes), -1).T
    tables = [
        np.array([taken(spec, family, granules=each) for spec in one])
        for one, each in zip(options, granules, strict=True)
    ]
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
            each = np.array([one for _, one in cuts])
            totals = np.concatenate([totals, totals[rows] - own + each[which]])
    ramb18, lutram, luts = totals.T
    value = luts + family.block_ram.saves * ramb18
    best = int(np.lexsort((value, _over(ramb18, lutram, part, spare=spare, kept=kept)))[0])
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


def placed(spec: StoreSpec, placement: str, family: Family) -> StoreSpec:
    """Return a store in a placement, which ``auto`` is not, and where its registers are then."""
    early = not spec.asynchronous and _early(spec, family)
    return replace(spec, placement=placement, early=early)


def places_of(spec: StoreSpec, placement: str, family: Family) -> tuple[str, ...]:
    """Return where a store may lie that ``placement`` is asked of."""
    # what is no ROM is in registers where there are no memories in LUTs
    small = "distributed" if spec.rom or family.luts.rams else "registers"
    if placement != "auto":
        return (small if placement == "distributed" else placement,)
    return (small,) if spec.asynchronous and small == "distributed" else (small, "block")


def place(
    specs: Iterable[StoreSpec],
    part: Part,
    wanted: Mapping[str, str],
    ways: Mapping[str, Sequence[StoreSpec]] = MappingProxyType({}),
    spare: int = 0,
) -> dict[str, StoreSpec]:
    """Resolve ``auto`` exactly: of all placements that fit the part's memories, the cheapest.

    A block RAM must save as many LUTs as the family says: small stores stay in LUTs, where a block
    would be mostly empty. A ROM larger than the blocks that are left is cut, and what does not fit
    them is in LUTs. A RAM is in registers where it would be in LUTs and none of them are memories.
    Blocks that the family keeps are left free, unless that costs more than a tenth of the part's
    LUTs: beside so large an accelerator there is no room. When nothing fits, the placement that is
    least over is taken: ``estimate`` says by how much.

    ``wanted`` : placements by the store's name, which :func:`.asked_places` has checked. ``ways`` :
    of a store by name, all that it may be, placed; it is one of them. ``spare`` LUTs as
    memory are left, for what is no store.
    """
    specs = list(specs)
    family = part.family
    options = [
        list(ways[spec.name])
        if spec.name in ways
        else [
            placed(spec, one, family)
            for one in places_of(spec, wanted.get(spec.name, "auto"), family)
        ]
        for spec in specs
    ]
    roms = [n for n, spec in enumerate(specs) if spec.rom and len(options[n]) > 1]
    largest = max(roms, key=lambda n: specs[n].bits, default=None)
    rest = (spare, [spec.name in ways for spec in specs])
    found = _best(options, largest, part, kept := part.family.block_ram.kept, *rest)
    if kept:
        every = _best(options, largest, part, 0, *rest)
        saved = _luts(found, part.family) - _luts(every, part.family)
        found = every if saved > part.luts // 10 else found
    return {spec.name: spec for spec in found}
