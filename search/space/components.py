"""All combinations of bits that components can have, with cycles and resources of each, at once.

Nothing is lowered for each combination. Its cycles follow from the products that are packed and the
columns that each layer's weights reach, of which there are few different cases: one of each is
lowered. Widths come from the rules of lowering, which are functions of a whole batch; memories are
placed once for each different set of shapes. Cycles and DSP blocks are exact. Only a ROM's words
and the operations' constants are another model's: LUTs are within 2 % of what a combination's own
design is predicted to take.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np

from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.hw.lowering.ahead import summed_ahead
from bitformer.hw.lowering.columns import choose_columns
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lowering.shifts import common_shifts
from bitformer.hw.lowering.wide import element_bits
from bitformer.hw.parts import DEFAULT_PART, PARTS, find_part
from bitformer.hw.program import Addend
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import POWER_OF_TWO, UNIFORM, Precision
from bitformer.model.structure import weight_components
from bitformer.search.engine import Engine
from bitformer.search.space.choices import LARGEST, choices_of, combinations_of, searchable
from bitformer.search.space.combinations import combinations, in_phases
from bitformer.search.space.outcomes import NEVER, Outcomes
from bitformer.search.space.quantities import (
    distinct,
    engine_quantities,
    parameter_widths,
    post_quantities,
    short_formats,
    wide_operations,
)
from bitformer.search.space.several import alike, outcomes_of_several
from bitformer.search.space.templates import Templates, Widths
from bitformer.study.sensitivity import existing

__all__ = ["ComponentSpace", "code_of"]


def code_of(bits: Sequence[Precision]) -> str:
    """Return bits of one component after the other: ``"4468"``, or with pairs ``"4.2a8.8"``."""
    if all(one.weights == one.activations < 10 and one.scheme == UNIFORM for one in bits):
        return "".join(map(str, bits))
    return ".".join(one.slug for one in bits)


def _order(bits: Precision) -> tuple[int, int, str]:
    return bits.weights, bits.activations, bits.scheme


class ComponentSpace:
    """The combinations of ``bits`` for the components of ``config``.

    Combination ``n`` has ``bits[codes[n, c]]`` for ``components[c]``; a number stands for weights
    and activations alike. Samples and results keep the width they have in ``config``.

    Raises :class:`UserError` for a space that is too large to enumerate, or for bits that
    :func:`bitformer.search.space.choices.searchable` does not allow.
    """

    def __init__(
        self,
        config: TransformerConfig,
        *,
        bits: Sequence[int | Precision] = (4, 6, 8),
        part: str = DEFAULT_PART,
        engine: Engine | None = None,
        seed: int = 0,
    ):
        find_part(part)
        own = {
            Precision(weights=one, activations=one) if isinstance(one, int) else one for one in bits
        }
        if not own or not all(map(searchable, own)):
            raise UserError(
                "bits of a space must be 2 to 8, of weights 1 to 8, not"
                f" {', '.join(map(str, bits))}"
            )
        self.config, self.part = config.replace(precision={}, tensors={}), PARTS[part]
        self.bits = tuple(sorted(own, key=_order))
        self.components = existing(config)
        self.choices = choices_of(self.config, self.bits)
        count = combinations_of(self.config, self.bits)
        if count > LARGEST:
            raise UserError(
                f"A space must have at most {LARGEST} combinations to be enumerated, not {count}"
            )
        places = np.unravel_index(np.arange(count), [len(own) for own in self.choices])
        codes = [np.array(own)[n] for own, n in zip(self.choices, places, strict=True)]
        self.codes = np.stack(codes, axis=1).astype(np.int8)
        self.batch = combinations(self.config, self.components, self.bits, self.codes, seed)
        self._take(engine or Engine())

    def _take(self, engine: Engine) -> None:
        self.engine = engine
        self.batch = in_phases(self.batch, engine.phases)
        self.columns = choose_columns(self.batch.first, self.part, engine.lanes, engine.pack)

    def on(self, engine: Engine) -> "ComponentSpace":
        """Return the same combinations, lowered with another engine."""
        other = copy(self)
        other._take(engine)
        return other

    def __len__(self) -> int:
        return len(self.codes)

    def config_of(self, number: int) -> TransformerConfig:
        """Return a combination as a configuration."""
        chosen = self._named([self.bits[code] for code in self.codes[number]])
        precision = dict(zip(self.components, chosen, strict=True))
        name = f"{self.config.name}-{code_of(chosen)}"
        return self.config.replace(name=name, precision=precision)

    def uniform(self, bits: Precision) -> int:
        """Return the number of the combination with the same bits everywhere."""
        place, like = self.bits.index(bits), bits.activations
        codes = [
            place if place in own else next(n for n in own if self.bits[n].activations == like)
            for own in self.choices
        ]
        return int(np.flatnonzero((self.codes == codes).all(axis=1))[0])

    def _named(self, chosen: list[Precision]) -> list[Precision]:
        """Return bits in which a component that has one choice for several is like its neighbour.

        It has no weights: their bits are those of the first component with as wide activations.
        """
        whole = [len(own) == len(self.bits) for own in self.choices]
        free = [one for one, every in zip(chosen, whole, strict=True) if every]
        return [
            one
            if every
            else next((other for other in free if other.activations == one.activations), one)
            for one, every in zip(chosen, whole, strict=True)
        ]

    @cached_property
    def same(self) -> np.ndarray:
        """The first combination that is the same model: some bits belong to nothing.

        A sum has no weights, and the result's width is the model's.
        """
        tensors = self.batch.tensor_values([*self.batch.first.tensors])
        owners = {*weight_components(self.config).values()}
        powers = np.array([one.scheme == POWER_OF_TWO for one in self.bits])
        schemes = powers[self.codes[:, [name in owners for name in self.components]]]
        first, inverse = distinct(self.batch.weight_widths, tensors, schemes)
        return first[inverse]

    @cached_property
    def total_bits(self) -> np.ndarray:
        """The published score: the sum of the components' bits; of two that differ, their mean."""
        means = np.array([(one.weights + one.activations) / 2 for one in self.bits])
        return means[self.codes].sum(axis=1)

    def outcomes(self, predictor: Predictor) -> Outcomes:
        """Return cycles and resources of every combination."""
        if not self.engine.plain:
            return self._on_several(predictor)
        found = self._outcomes(predictor)
        single = self.on(replace(self.engine, pack=False))
        if single.columns == self.columns:
            return found
        # where nothing can be packed, lanes are columns
        packed = choose_packing(
            self.batch, 2, self.engine.pack, self.part.family.multiplier
        ).packed.any(axis=1)
        if packed.all():
            return found
        others = single._outcomes(predictor)
        both = ((name, getattr(found, name), getattr(others, name)) for name in vars(found))
        return Outcomes(**{name: np.where(packed, one, other) for name, one, other in both})

    def _on_several(self, predictor: Predictor) -> Outcomes:
        """Return the outcomes on an engine of several token rows, or with columns of LUTs."""
        engine = self.engine

        def predicted(number: int) -> Prediction | None:
            try:
                model = initialize(self.config_of(number))
                return predictor.predict(lower(model, part=self.part.name, **engine.options))
            except UserError:
                return None

        plain = self.on(replace(engine, rows=1, posts=1, soft=None)).outcomes(predictor)
        return outcomes_of_several(plain, alike(self.batch, self.part.family.multiplier), predicted)

    def _outcomes(self, predictor: Predictor) -> Outcomes:
        batch, multiplier = self.batch, self.part.family.multiplier
        packings = choose_packing(batch, self.columns, self.engine.pack, multiplier)
        shifts, wide = common_shifts(batch, multiplier), wide_operations(batch, multiplier)
        static = [op.weights_from is None for op in batch.matrix_operations]
        first, structure = distinct(
            packings.packed,
            packings.half_bits,
            packings.dynamic,
            batch.norm_bits,
            batch.weight_widths[:, static],
            wide,
            short_formats(batch, packings, multiplier),
        )
        one, two = (parameter_widths(batch, shifts, ways) for ways in (1, 2))
        parameters = np.where(packings.packed.any(axis=1, keepdims=True), two, one)
        elements = element_bits(batch, destinations(batch.first))
        engine = engine_quantities(batch, packings, wide)
        sums = engine["accumulator_bits"] * bool(summed_ahead(batch.first))
        widths = [elements, batch.dynamic_bits, batch.position_bits, sums]
        keys = np.column_stack([structure, *widths, parameters[:, :2]])
        places, inverse = distinct(keys)
        templates = Templates(batch, packings, self.part, self.columns)
        rows = [
            templates.quantities(int(first[key[0]]), Widths(*key[1:]))
            for key in keys[places].tolist()
        ]
        some = next(filter(None, rows), None)
        if some is None:
            raise UserError(f"config {self.config.name} must have a combination that can be built")
        possible = np.array([row is not None for row in rows])[inverse]
        q = {name: np.array([(row or some)[name] for row in rows])[inverse] for name in some}
        source_bits = {
            Addend.ACTIVATION: elements,
            Addend.POSITION: batch.position_bits,
            Addend.LAST: batch.tensor_values(["input"])[:, 0],
            Addend.PARAMETER: parameters[:, 2],
        }
        q |= engine
        q["scale_bits"] = parameters[:, 0] // q["ways"] - parameters[:, 2]
        # none where a multiplier takes them
        q["scale_live"] = np.where(q["scale_live"] > 0, parameters[:, 3], 0)
        q |= post_quantities(batch, shifts, multiplier, templates.addends, source_bits, wide)
        names = ("latency", "interval", "ramb18", "dsps")
        taken = predictor.counts(q) | {name: q[name] for name in names}
        numbers = {n: np.where(possible, taken[n], NEVER).astype(np.int32) for n in taken}
        return Outcomes(possible=possible, **numbers)
