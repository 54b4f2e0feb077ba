"""The designs that a space's combinations take: each lowered once, its stores at any widths."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from bitformer.estimate.features import (
    Columns,
    StoreTerms,
    column_quantities,
    live_bits,
    quantities,
    store_terms,
)
from bitformer.estimate.stores import rom_share
from bitformer.hw.design import Design
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.layouts import weight_layouts
from bitformer.hw.lowering.lower import lower_plan
from bitformer.hw.lowering.packing import Packing
from bitformer.hw.lowering.place import crowding, place
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.model import ir
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.search.space.components import ComponentSpace

__all__ = ["Forms", "Widths"]


class Widths(NamedTuple):
    """Bits of stores' elements, of a parameter word, and of those how many are not constant."""

    activations: int
    dynamic: int
    position: int
    parameters: int
    live: int


class _Facts(NamedTuple):
    """What is asked of a layout of weights for every combination that has it.

    ``words`` of the store, ``used`` : their bits that hold weights. ``columns`` : how many each
    layer reaches. ``kinds`` : of a word, with their columns. ``column_bits`` : the widest column's.
    ``cuts`` : parts of a word.
    """

    words: int
    used: int
    columns: tuple[int, ...]
    kinds: tuple
    column_bits: int
    cuts: int


def _facts(model: ir.IntegerModel, layout: WeightLayout) -> _Facts:
    words, used = _weight_words(model, layout)
    kinds = layout.kinds
    wide = [2 * layout.half_bits if kind.pair else max(2, kind.field) for kind in kinds]
    return _Facts(
        words=words,
        used=used,
        columns=tuple(layout.columns_of(kind) for kind in layout.formats.values()),
        kinds=tuple((kind, layout.columns_of(kind), layout.paired(kind)) for kind in kinds),
        column_bits=max(wide),
        cuts=sum(layout.parts(kind) for kind in kinds),
    )


class Forms:
    """The designs that differ in more than widths, each lowered once."""

    def __init__(self, space: "ComponentSpace"):
        self.space = space
        self.designs: dict[tuple, tuple[Design, dict[str, int]]] = {}
        self.layouts: dict[tuple, tuple[Packing, list[WeightLayout], ir.IntegerModel]] = {}
        self.chosen: dict[tuple[StoreSpec, ...], dict[str, StoreSpec]] = {}
        self.placed: dict[tuple, tuple[tuple[int, int], dict[str, int]]] = {}
        self.engines: dict[tuple, dict[str, int]] = {}
        self.shares: dict[int, dict[str, float]] = {}
        self.facts: dict[int, _Facts] = {}
        self.program_bits: dict[int, int] = {}
        self.free: dict[int, dict[str, StoreSpec]] = {}

    def row(self, structure: tuple[int, ...], number: int, bits: Widths) -> dict[str, int] | None:
        """Quantities of a combination, None if it cannot be built."""
        try:
            return self._row(structure, number, bits)
        except UserError:
            return None

    def _row(self, structure: tuple[int, ...], number: int, bits: Widths) -> dict[str, int]:
        """With the first layout of its weights that fits."""
        tried = []
        packing, layouts, model = self._layouts(structure, number)
        norm = structure[len(self.space.matrix) + 2]
        for layout in layouts:
            if id(layout) not in self.facts:
                self.facts[id(layout)] = _facts(model, layout)
            design, base = self._design(packing, layout, model, norm)
            over, terms = self._stores(design, layout, bits)
            tried.append((over, design, base, terms, layout))
            if over == (0, 0):
                break
        _, design, base, terms, layout = min(tried, key=lambda one: one[0])
        facts = self.facts[id(layout)]
        pair = packing.dynamic
        field = bits.dynamic * (2 if pair else 1)
        keys = WeightFormat(pair=pair, field=field) if bits.dynamic else None
        wide = 2 * packing.half_bits if pair else bits.dynamic
        columns = Columns(
            layout=layout,
            column_bits=max(facts.column_bits, wide),
            half_bits=packing.half_bits,
            keys=keys,
            low=0,
            high=facts.used,
        )
        return (
            base
            | terms
            | self._columns(columns)
            | {
                "half_bits": packing.half_bits,
                "column_bits": columns.column_bits,
                "element_bits": bits.activations,
                "dynamic_bits": bits.dynamic,
                "weight_cuts": facts.cuts,
                "latency": design.latency,
                "interval": design.interval,
                "dsps": design.geometry.dsps,
            }
        )

    def _columns(self, columns: Columns) -> dict[str, int]:
        """Quantities of the engine's columns, found once for each different engine."""
        layout = columns.layout
        kinds = self.facts[id(layout)].kinds
        key = (layout.bits, kinds, *(v for n, v in vars(columns).items() if n != "layout"))
        if key not in self.engines:
            self.engines[key] = column_quantities(columns)
        return self.engines[key]

    def _shares(self, design: Design) -> dict[str, float]:
        """How much of their shape's LUTs a design's tables take, whose words change little."""
        if id(design) not in self.shares:
            self.shares[id(design)] = {
                name: rom_share(words, design.stores[name].width, design.family.luts)
                for name, words in design.images.items()
                if words and name != "weights"
            }
        return self.shares[id(design)]

    def _layouts(self, structure: tuple[int, ...], number: int):
        if structure not in self.layouts:
            matrix = self.space.matrix
            flags, half, dynamic = structure[: len(matrix)], structure[len(matrix)], 0
            dynamic = structure[len(matrix) + 1]
            packing = Packing(
                packed={op.y: bool(flag) for op, flag in zip(matrix, flags, strict=True)},
                dynamic=bool(dynamic),
                shift=self.space.multiplier.long_bits - half if any(flags) else 0,
                half_bits=half,
            )
            model = self.space.tables.model(number)
            found = list(weight_layouts(model, packing, self.space.columns))
            self.layouts[structure] = (packing, found, model)
        return self.layouts[structure]

    def _design(self, packing: Packing, layout: WeightLayout, model: ir.IntegerModel, norm: int):
        """The design of this packing whose layers use as many columns."""
        used = self.facts[id(layout)].columns
        key = (tuple(packing.packed.items()), packing.dynamic, layout.columns, used, norm)
        if key not in self.designs:
            design = lower_plan(
                Plan(
                    model=model,
                    part=PARTS[self.space.part],
                    destinations=destinations(model),
                    packing=packing,
                    weights=layout,
                )
            )
            self.designs[key] = (design, quantities(design))
        return self.designs[key]

    def _free(self, design: Design) -> dict[str, StoreSpec]:
        """A design's stores, not yet placed."""
        if id(design) not in self.free:
            self.free[id(design)] = {
                name: replace(spec, placement="auto", tiles=())
                for name, spec in design.stores.items()
            }
        return self.free[id(design)]

    def _stores(
        self,
        design: Design,
        layout: WeightLayout,
        bits: Widths,
    ) -> tuple[tuple[int, int], dict[str, int]]:
        """How far the stores are over the part, and what they take."""
        geometry = design.geometry
        depth, used = self.facts[id(layout)].words, self.facts[id(layout)].used
        widths = {
            "weights": layout.bits,
            "activations": geometry.ways * bits.activations,
            "dynamic": geometry.dynamic_slots * bits.dynamic,
            "position": geometry.ways * bits.position,
            "parameters": bits.parameters,
        }
        key = (id(design), depth, used, bits.live, *widths.values())
        if key not in self.placed:
            specs = [
                replace(
                    spec,
                    depth=depth if name == "weights" else spec.depth,
                    width=widths[name],
                    granule=spec.granule * widths[name] // spec.width,
                )
                if name in widths
                else spec
                for name, spec in self._free(design).items()
            ]
            part, shapes = PARTS[self.space.part], tuple(specs)
            if shapes not in self.chosen:
                self.chosen[shapes] = place(specs, part, {})
            chosen = self.chosen[shapes]
            if id(design) not in self.program_bits:
                self.program_bits[id(design)] = live_bits(design.images["program"])
            live = {"program": self.program_bits[id(design)], "parameters": bits.live}
            live["weights"] = used.bit_count()
            known, shares = {"program": design.images["program"]}, self._shares(design)
            terms = [
                store_terms(
                    spec,
                    live.get(name, spec.width),
                    design.family,
                    known.get(name, ()),
                    share=shares.get(name, 1.0),
                )
                for name, spec in chosen.items()
            ]
            total = {
                name: sum(getattr(term, name) for term in terms)
                for name in StoreTerms.__dataclass_fields__
            }
            total["weight_words"] = depth
            self.placed[key] = (crowding(chosen.values(), part), total)
        return self.placed[key]


def _weight_words(model: ir.IntegerModel, layout: WeightLayout) -> tuple[int, int]:
    """Words of the weight store, and which of their bits hold weights.

    As :func:`bitformer.hw.lowering.images.weight_words` lays them out: a layer with few outputs
    leaves the last columns empty.
    """
    depth = used = 0
    for op in model.operations:
        if not isinstance(op, ir.Linear):
            continue
        kind = layout.formats[op.y]
        outputs, length = op.weight.shape
        columns, together = layout.columns_of(kind), 2 if kind.pair else 1
        groups = -(-outputs // (columns * together))
        depth += -(-groups * length // layout.parts(kind))
        filled = (1 << min(columns, -(-outputs // together)) * kind.field) - 1
        for part in range(min(layout.parts(kind), groups * length)):
            used |= filled << part * columns * kind.field
    return depth, used
