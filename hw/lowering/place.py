"""Places stores: block RAM by shape, distributed RAM and ROM by LUTs, within a part's budget."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bitformer.hw.memory import PLACEMENTS, StoreSpec
from bitformer.hw.parts import Part
from bitformer.hw.tiling import RAMB18_SHAPES, best_tiling, rest_of
from bitformer.model.errors import UserError

__all__ = ["Cost", "cost", "crowding", "place"]

#: LUTs that a RAMB18 must save to be worth using.
BLOCK_VALUE = 32


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a store takes: RAMB18, LUTs as memory (RAM), and LUTs as logic (ROM, multiplexers)."""

    ramb18: int = 0
    lutram: int = 0
    luts: int = 0
    ffs: int = 0


def _blocks(depth: int, width: int) -> int:
    return min(-(-depth // d) * -(-width // w) for d, w in RAMB18_SHAPES)


def cost(spec: StoreSpec, placement: str) -> Cost:
    """Resources of a store in a placement; ``auto`` is no placement and is refused."""
    ports = spec.read_ports
    if spec.tiles:
        rest = [
            cost(StoreSpec(name="rest", depth=rows, width=bits, rom=True), "distributed").luts
            for _, rows, _, bits in rest_of(spec.depth, spec.width, spec.tiles)
        ]
        muxes = sum(tile.width for tile in spec.tiles if tile.rows < spec.depth)
        return Cost(ramb18=sum(tile.ramb18 for tile in spec.tiles), luts=sum(rest) + muxes)
    if placement == "block":
        width = spec.width
        if spec.granule and spec.granule not in (spec.width, 8, 9):
            # a block RAM has one write enable for 9 bits
            width = spec.width // spec.granule * (-(-spec.granule // 9) * 9)
        return Cost(ramb18=_blocks(spec.depth, width) * ports)
    if placement == "registers":
        bits = spec.bits
        if spec.rom:
            return cost(spec, "distributed")
        return Cost(ffs=bits, luts=bits // 2 * ports)
    if placement != "distributed":
        raise ValueError(f"Placement must be a memory's, not {placement!r}")
    blocks = -(-spec.depth // 64)
    multiplexer = spec.width * (-(-blocks // 4) - 1 if blocks > 4 else 0)
    if spec.rom:
        return Cost(luts=blocks * spec.width + multiplexer)
    if spec.depth <= 32:
        luts = -(-spec.width // 6) * 4
    else:
        luts = -(-spec.width // 3) * 4 * blocks
        multiplexer = spec.width * (blocks // 4 + (1 if blocks > 1 else 0))
    return Cost(lutram=luts * ports, luts=multiplexer * ports)


def _check(specs: list[StoreSpec], wanted: Mapping[str, str]) -> None:
    names = [spec.name for spec in specs]
    for name, placement in wanted.items():
        if name not in names:
            raise UserError(f"placement must name a store of {names}, not {name!r}")
        if placement not in PLACEMENTS:
            raise UserError(f"placement of {name} must be one of {PLACEMENTS}, not {placement!r}")
        if placement == "block" and specs[names.index(name)].asynchronous:
            raise UserError(f"placement of {name} must be distributed or registers, not 'block'")


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A placement of every store, its cost, and how far it is over the part's memories."""

    specs: tuple[StoreSpec, ...]
    over: int
    value: int


def _choice(specs: Iterable[StoreSpec], part: Part) -> _Choice:
    specs = tuple(specs)
    costs = [cost(spec, spec.placement) for spec in specs]
    ramb18, lutram = sum(c.ramb18 for c in costs), sum(c.lutram for c in costs)
    luts = lutram + sum(c.luts for c in costs)
    over = max(0, ramb18 - part.ramb18) * 288 + max(0, lutram - part.lutram_luts)
    return _Choice(specs=specs, over=over, value=luts + BLOCK_VALUE * ramb18)


def crowding(specs: Iterable[StoreSpec], part: Part) -> tuple[int, int]:
    """How far placed stores are over the part's memories, and over a quarter of its LUTs."""
    specs = list(specs)
    choice = _choice(specs, part)
    luts = choice.value - BLOCK_VALUE * sum(cost(s, s.placement).ramb18 for s in specs)
    return choice.over, max(0, luts - part.luts // 4)


def _taken(spec: StoreSpec) -> tuple[int, int, int]:
    """RAMB18, LUTs as memory, and all LUTs of a placed store."""
    found = cost(spec, spec.placement)
    return found.ramb18, found.lutram, found.lutram + found.luts


@functools.lru_cache(maxsize=4096)
def _cut(block: StoreSpec, spare: int) -> tuple[StoreSpec, tuple[int, int, int]]:
    """A ROM in ``spare`` RAMB18, the rest of it in LUTs, and what it takes."""
    cut = replace(block, tiles=best_tiling(block.depth, block.width, spare))
    return cut, _taken(cut)


def _best(options: list[list[StoreSpec]], largest: int | None, part: Part) -> list[StoreSpec]:
    """The cheapest assignment; the ROM ``largest`` takes the blocks that others leave."""
    sizes = [len(one) for one in options]
    chosen = np.indices(sizes).reshape(len(sizes), -1).T
    tables = [np.array([_taken(spec) for spec in one]) for one in options]
    totals = np.sum([table[chosen[:, n]] for n, table in enumerate(tables)], axis=0)
    rows = which = np.zeros(0, dtype=np.int64)
    cuts: list[tuple[StoreSpec, tuple[int, int, int]]] = []
    if largest is not None:
        number = next(n for n, spec in enumerate(options[largest]) if spec.placement == "block")
        own = tables[largest][number]
        rows = np.flatnonzero(chosen[:, largest] == number)
        left = np.maximum(0, part.ramb18 - (totals[rows, 0] - own[0]))
        rows = rows[left > 0]
        spares, which = np.unique(left[left > 0], return_inverse=True)
        cuts = [_cut(options[largest][number], int(spare)) for spare in spares]
        if cuts:
            taken = np.array([taken for _, taken in cuts])
            totals = np.concatenate([totals, totals[rows] - own + taken[which]])
    ramb18, lutram, luts = totals.T
    over = np.maximum(0, ramb18 - part.ramb18) * 288 + np.maximum(0, lutram - part.lutram_luts)
    best = int(np.lexsort((luts + BLOCK_VALUE * ramb18, over))[0])
    cut = best - len(chosen)
    picked = chosen[rows[cut] if cut >= 0 else best]
    specs = [one[number] for one, number in zip(options, picked, strict=True)]
    if cut >= 0 and largest is not None:
        specs[largest] = cuts[which[cut]][0]
    return specs


def place(
    specs: Iterable[StoreSpec], part: Part, wanted: Mapping[str, str]
) -> dict[str, StoreSpec]:
    """Resolve ``auto`` exactly: of all placements that fit the part's memories, the cheapest.

    A block RAM is worth ``BLOCK_VALUE`` LUTs: small stores stay in LUTs, where a block would be
    mostly empty. A ROM larger than the blocks that are left is cut, and what does not fit them
    is in LUTs. When nothing fits, the placement that is least over is taken: ``estimate`` says by
    how much.
    """
    specs = list(specs)
    _check(specs, wanted)
    options = []
    for spec in specs:
        placement = wanted.get(spec.name, "auto")
        places = (placement,) if placement != "auto" else ("distributed", "block")
        if placement == "auto" and spec.asynchronous:
            places = ("distributed",)
        options.append([replace(spec, placement=one) for one in places])
    roms = [n for n, spec in enumerate(specs) if spec.rom and len(options[n]) > 1]
    largest = max(roms, key=lambda n: specs[n].bits, default=None)
    return {spec.name: spec for spec in _best(options, largest, part)}
