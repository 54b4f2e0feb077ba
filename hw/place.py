"""Places stores: block RAM by shape, distributed RAM and ROM by LUTs, within a part's budget."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bitformer.model.errors import UserError

from .parts import Part
from .store import PLACEMENTS, StoreSpec
from .tiling import RAMB18_SHAPES, best_tiling, rest_of

__all__ = ["Cost", "cost", "place"]


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


def place(
    specs: Iterable[StoreSpec], part: Part, wanted: Mapping[str, str]
) -> dict[str, StoreSpec]:
    """Resolve ``auto``: all in LUTs, then the store that frees most LUTs a block RAM, and so on.

    Small stores stay in LUTs, where a block RAM would be mostly empty. Block RAMs are spent while
    there are any and they save at least ``32`` LUTs each.
    """
    specs = list(specs)
    _check(specs, wanted)
    placed = {
        spec.name: wanted.get(spec.name, "auto") if wanted.get(spec.name) != "auto" else "auto"
        for spec in specs
    }
    free = part.ramb18 - sum(
        cost(spec, "block").ramb18 for spec in specs if placed[spec.name] == "block"
    )
    named = {spec.name: spec for spec in specs}
    candidates = []
    for spec in specs:
        if placed[spec.name] != "auto":
            continue
        inside, blocks = cost(spec, "distributed"), cost(spec, "block").ramb18
        candidates.append(((inside.luts + inside.lutram) / blocks, blocks, spec.name))
        placed[spec.name] = "distributed"
    cut = {}
    for saving, blocks, name in sorted(candidates, reverse=True):
        spec = named[name]
        if saving < 32:
            continue
        if blocks <= free:
            placed[name] = "block"
            free -= blocks
        elif spec.rom and free:
            # too large for the blocks that are left: put in them what they hold
            placed[name], cut[name] = "block", best_tiling(spec.depth, spec.width, free)
            free -= sum(tile.ramb18 for tile in cut[name])
    return {
        spec.name: replace(spec, placement=placed[spec.name], tiles=cut.get(spec.name, ()))
        for spec in specs
    }
