"""The designs that a space's combinations take: each lowered once, its stores at any widths."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial, reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np

from bitformer.estimate.columns import Columns, column_quantities
from bitformer.estimate.features import quantities
from bitformer.estimate.stores import live_bits, rom_share, store_terms, summed
from bitformer.hw.column_groups import group_of
from bitformer.hw.design import Design
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.columns import hard_columns
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.images import weight_words
from bitformer.hw.lowering.layouts import weight_layouts
from bitformer.hw.lowering.lower import lower_plan, preferred
from bitformer.hw.lowering.packing import Packing, Packings
from bitformer.hw.lowering.place import crowding, place
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.suggested import plans_of
from bitformer.hw.lowering.wide import wide_operations
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import Part
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Linear

__all__ = ["Templates", "Widths"]

#: How far stores are over the part, and the stores where they are placed.
Placed = tuple[tuple[int, int], Mapping[str, StoreSpec]]


class Widths(NamedTuple):
    """Bits of stores' elements, of a parameter word, and of those how many are not constant.

    ``sums`` : of sums that are kept, 0 where there are none.
    """

    activations: int
    dynamic: int
    position: int
    sums: int
    parameters: int
    live: int


@dataclass(frozen=True, eq=False)
class _Weights:
    """The weights of a model in one layout."""

    linears: Sequence[Linear]
    layout: WeightLayout

    @cached_property
    def words(self) -> list[int]:
        """Words of the store whose bits are 1 wherever there is a weight."""
        full = (replace(op, weight=np.full_like(op.weight, -1)) for op in self.linears)
        return weight_words(full, self.layout)[0]

    @cached_property
    def used(self) -> int:
        """The bits of a word that ever hold weights."""
        return reduce(or_, self.words)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """The columns that each layer reaches."""
        return tuple(map(self.layout.columns_of, self.layout.formats.values()))

    @cached_property
    def cuts(self) -> WeightLayout:
        """The same cuts of a word, whichever layers have them."""
        kinds = sorted(set(self.layout.formats.values()))
        return replace(self.layout, formats={str(kind): kind for kind in kinds})


class _Template:
    """A lowered design, whose stores may have other widths."""

    def __init__(self, design: Design, placed: Callable[[tuple[StoreSpec, ...]], Placed]):
        self.design, self.quantities, self._placed = design, quantities(design), placed
        images = design.images
        self._free = [replace(s, placement="auto", tiles=()) for s in design.stores.values()]
        self._program = {"program": images["program"]}
        self._live = live_bits(images["program"])
        # of a table, as much of its shape's LUTs, whatever the words
        self._shares = {
            name: rom_share(words, design.stores[name].width, design.family.luts)
            for name, words in images.items()
            if words and name != "weights"
        }
        self.stores = cache(self._stores)

    def _stores(
        self, word_bits: int, words: int, used: int, widths: Widths
    ) -> tuple[tuple[int, int], dict[str, float]]:
        """Return how far the stores are over the part, and what they take."""
        geometry = self.design.geometry
        elements = {
            "activations": (geometry.ways, widths.activations),
            "dynamic": (geometry.dynamic_slots, widths.dynamic),
            "position": (geometry.ways, widths.position),
            "sums": (geometry.ways, widths.sums),
            "parameters": (1, widths.parameters),
            "weights": (1, word_bits),
        }
        specs = []
        for spec in self._free:
            if spec.name in elements:
                count, bits = elements[spec.name]
                depth = words if spec.name == "weights" else spec.depth
                granule = bits if spec.granule else 0
                spec = replace(spec, depth=depth, width=count * bits, granule=granule)
            specs.append(spec)
        live = {"program": self._live, "parameters": widths.live, "weights": used.bit_count()}
        over, placed = self._placed(tuple(specs))
        terms = [
            store_terms(
                spec,
                live.get(name, spec.width),
                self.design.family,
                self._program.get(name, ()),
                share=self._shares.get(name, 1.0),
            )
            for name, spec in placed.items()
        ]
        return over, summed(terms) | {"weight_words": words}


class Templates:
    """The designs of a batch that differ in more than widths, each lowered once.

    Parameters
    ----------
    batch, packings : all models, and what each of them packs.
    part : the die.
    columns : multipliers of the engine.
    """

    def __init__(self, batch: Batch, packings: Packings, part: Part, columns: int):
        self._batch, self._packings, self._part = batch, packings, part
        self._columns = columns
        self._designs: dict[tuple, list[_Template]] = {}
        self._layouts, self._placed = cache(self._find_layouts), cache(self._place)
        self._weights = cache(partial(_Weights, batch.first.linears))
        self._column_quantities = cache(column_quantities)

    @property
    def addends(self) -> np.ndarray:
        """What each operation adds, as numbers of :class:`bitformer.hw.program.Addend`."""
        design = next(iter(self._designs.values()))[0].design
        results = (op for op in design.program.operations if op.destination is not Destination.SUMS)
        added = {op.tensor: op.addend for op in results}
        return np.array([added.get(op.y, 0) for op in self._batch.first.operations])

    def quantities(self, number: int, widths: Widths) -> dict[str, Any] | None:
        """Return the quantities of a combination, None if it cannot be built.

        It has ``widths``, and else the packing, weights and norms of combination ``number``, laid
        out in the first way that fits.
        """
        packing, model, layouts = self._layouts(number)
        tried = []
        for weights in layouts:
            try:
                templates = self._template(packing, model, weights)
            except UserError:
                return None
            of_weights = weights.layout.bits, len(weights.words), weights.used, widths
            each = [(one, *one.stores(*of_weights)) for one in templates]
            template, over, terms = min(each, key=lambda one: preferred(one[1], one[0].design))
            tried.append((over, template, terms, weights))
            if over == (0, 0):
                break
        _, template, terms, weights = min(tried, key=lambda one: one[0])
        design, layout = template.design, weights.layout
        keys = WeightFormat.of(widths.dynamic, pair=packing.dynamic) if widths.dynamic else None
        columns = Columns(
            layout=weights.cuts,
            column_bits=layout.column_bits(keys),
            half_bits=packing.half_bits,
            keys=keys,
            low=0,
            high=weights.used,
            group=group_of(design),
        )
        return {
            **template.quantities,
            **terms,
            **self._column_quantities(columns),
            "half_bits": packing.half_bits,
            "column_bits": columns.column_bits,
            "element_bits": widths.activations,
            "dynamic_bits": widths.dynamic,
            "weight_cuts": sum(map(layout.parts, layout.kinds)),
            "latency": design.latency,
            "interval": design.interval,
            "dsps": design.geometry.dsps,
        }

    def _find_layouts(self, number: int) -> tuple[Packing, IntegerModel, list[_Weights]]:
        packing, model = self._packings[number], self._batch.model(number)
        packs = any(packing.packed.values())
        hard = hard_columns(model, self._part, self._columns, packs)
        soft = self._part.family.multiplier.soft
        layouts = weight_layouts(model, packing, self._columns, hard, soft)
        return packing, model, list(map(self._weights, layouts))

    def _template(
        self, packing: Packing, model: IntegerModel, weights: _Weights
    ) -> list[_Template]:
        """Return the designs of a packing whose layers use as many columns."""
        layout, packed = weights.layout, tuple(packing.packed.items())
        wide = wide_operations(model, frozenset(), self._part.family.multiplier)
        key = (packed, packing.dynamic, layout.columns, weights.columns, model.norm_bits, wide)
        if key not in self._designs:
            plan = Plan(
                model=model,
                part=self._part,
                destinations=destinations(model),
                packing=packing,
                weights=layout,
            )
            self._designs[key] = [
                _Template(lower_plan(one), self._placed) for one in plans_of(plan)
            ]
        return self._designs[key]

    def _place(self, specs: tuple[StoreSpec, ...]) -> Placed:
        placed = place(specs, self._part, {})
        return crowding(placed.values(), self._part), placed
