"""What each component adds to a design: words of the ROMs, and rows in the RAMs.

Units are shared; stores are too, but every word in them is for one component. A component's own
words are its layers' weights, parameters and program rows, its table of positions, and the rows of
the tensors that have its bits, at the word widths that the whole design asks for.

The words of a ROM are each one component's. RAMs are shared in time: a component is counted with
the depth that its tensors' rows need by themselves, so that components add up to more than a RAM
has, which one component's rows take over from another's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bitformer.estimate.stores import design_terms
from bitformer.hw.design import Design
from bitformer.hw.families.family import BlockRam, Family
from bitformer.hw.lowering.word_map import own_depths, rom_words
from bitformer.hw.memory import StoreSpec
from bitformer.hw.tiling import tile_of
from bitformer.model.config import TransformerConfig
from bitformer.model.precision import Precision
from bitformer.model.structure import graph, tensor_components

__all__ = ["Share", "StoreCost", "added", "added_by_formula", "block_ram_shares", "components_of"]


@dataclass(frozen=True, kw_only=True)
class Share:
    """A component's own part of a design.

    ``name``, ``bits`` : of the component. ``weight_bits`` : of
    all its weights, without what fills up words. ``words`` : numbers of its words in each ROM.
    ``rows`` : words in each RAM that its tensors need by themselves. ``stores``, ``images`` : those
    words and rows as stores of their own, placed as the design's are, and the ROMs' contents.
    ``family`` : of the part that the design is for.
    """

    name: str
    bits: Precision
    weight_bits: int
    words: Mapping[str, Sequence[int]]
    rows: Mapping[str, int]
    stores: Mapping[str, StoreSpec]
    images: Mapping[str, Sequence[int]]
    family: Family


@dataclass(frozen=True, kw_only=True)
class StoreCost:
    """What stores take; ``lutram``, LUTs that serve as memory, are among ``luts``."""

    luts: int
    lutram: int
    ramb18: int


def _operation_components(config: TransformerConfig) -> dict[str, str]:
    """Return the component of each operation, by the tensor it writes: of layers, the weights'."""
    owners = {layer.y: layer.owner for layer in graph(config) if layer.kind == "linear"}
    return tensor_components(config) | owners


def _by_component(owner: Mapping[str, str], words: Mapping[str, list[int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for tensor, numbers in words.items():
        found.setdefault(owner[tensor], []).extend(numbers)
    return {name: sorted(numbers) for name, numbers in found.items()}


def _cut(spec: StoreSpec, words: Sequence[int], ram: BlockRam) -> StoreSpec:
    """Return a ROM of some of the words: what was in block RAM still is."""
    rows = [sum(number < tile.rows for number in words) for tile in spec.tiles]
    tiles = tuple(
        tile_of(own, tile.first, tile.width, tile.ramb18, ram)
        for tile, own in zip(spec.tiles, rows, strict=True)
    )
    return replace(spec, depth=len(words), tiles=tiles)


def components_of(design: Design) -> list[Share]:
    """Return the share of every component, in the order of ``config.components``.

    Raises :class:`ValueError` for a design whose stores hold two images.
    """
    if design.banks != 1:
        raise ValueError(f"Design must have one bank, not {design.banks}")
    config = design.model.config
    tensors, operations = tensor_components(config), _operation_components(config)
    roms = {
        store: _by_component(tensors if store == "position" else operations, words)
        for store, words in rom_words(design).items()
    }
    weights: dict[str, int] = {}
    for op in design.model.linears:
        name = operations[op.y]
        weights[name] = weights.get(name, 0) + op.weight.size * op.weight_bits
    shares = []
    for name in config.components:
        words = {store: found[name] for store, found in roms.items() if name in found}
        rows = own_depths(design, (one for one, owner in tensors.items() if owner == name))
        stores = {
            store: _cut(design.stores[store], numbers, design.family.block_ram)
            for store, numbers in words.items()
        }
        stores |= {
            store: replace(design.memories[store], depth=depth) for store, depth in rows.items()
        }
        shares.append(
            Share(
                name=name,
                bits=config.bits(name),
                weight_bits=weights.get(name, 0),
                words=words,
                rows=rows,
                stores=stores,
                family=design.family,
                images={
                    store: [design.images[store][number] for number in numbers]
                    for store, numbers in words.items()
                },
            )
        )
    return shares


def added_by_formula(
    stores: Mapping[str, StoreSpec], images: Mapping[str, Sequence[int]], family: Family
) -> StoreCost:
    """Return what stores take by the formulas of :mod:`.stores`."""
    terms = design_terms(stores, images, family)
    logic = ("rom_luts", "tile_muxes", "ram_reads", "ram_enables")
    memory = sum(term.ram_luts for term in terms)
    return StoreCost(
        luts=memory + round(sum(getattr(term, name) for term in terms for name in logic)),
        lutram=memory,
        ramb18=sum(term.ramb18 for term in terms),
    )


def _block_bits(spec: StoreSpec) -> int:
    """Return how many bits of a store are in block RAM."""
    if spec.tiles:
        return sum(tile.rows * tile.width for tile in spec.tiles)
    return spec.bits if spec.placement == "block" else 0


def block_ram_shares(design: Design, shares: Iterable[Share]) -> dict[str, float]:
    """Return the block RAMs by component: each store's, by the components' bits in them.

    They add up to the design's; a RAM's are by the rows that each component needs by itself.
    """
    shares = list(shares)
    found = {share.name: 0.0 for share in shares}
    for name, spec in design.memories.items():
        own = {s.name: _block_bits(s.stores[name]) for s in shares if name in s.stores}
        if all_bits := sum(own.values()):
            blocks = design_terms({name: spec}, design.images, design.family)[0].ramb18
            for component, bits in own.items():
                found[component] += blocks * bits / all_bits
    return found


def added(design: Design) -> StoreCost:
    """Return what all stores of a design take by the formulas."""
    return added_by_formula(design.stores, design.images, design.family)
