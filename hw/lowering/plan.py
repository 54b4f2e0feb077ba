"""The choices of a design, and what follows from them: made once, and read by every later step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from bitformer.hw.design import Geometry
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.geometry import geometry_of
from bitformer.hw.lowering.images import is_uniform, parameter_table
from bitformer.hw.lowering.packing import Packing
from bitformer.hw.lowering.shifts import common_shifts
from bitformer.hw.lowering.token_rows import is_split, lane_features, patch_of
from bitformer.hw.parts import Part
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightLayout
from bitformer.hw.widths import GAMMA_BITS, soft_sum
from bitformer.model import numerics
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Linear, Operation
from bitformer.model.tensor import Tensor

__all__ = ["Plan"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A model, a part, and every choice that a design of them depends on.

    Parameters
    ----------
    model, part : the model to lower, and the die to lower it for.
    destinations : the store that each tensor is written to.
    packing : the operations that make two products in a multiplier.
    weights : how weights share the words of their store.
    wide_rows : tensors with an element a word in the activation store.
    immediate : whether a multiplier that all channels share is a constant of the hardware.
    wanted_shifts : shifts by tensor, used where they change no result.
    rows, posts : token rows of the engine, and post-processors that take their results.
    ahead : tokens, at most, that a row beside the main path of a stream's step sums ahead for the
        next one; 0 where none does.
    """

    model: IntegerModel
    part: Part
    destinations: Mapping[str, Destination]
    packing: Packing
    weights: WeightLayout
    wide_rows: frozenset[str] = frozenset()
    immediate: bool = True
    wanted_shifts: Mapping[str, int] = field(default_factory=dict)
    rows: int = 1
    posts: int = 1
    ahead: int = 0

    @cached_property
    def shifts(self) -> dict[str, int]:
        """The requantizing shift of each operation, by the tensor that it writes."""
        multiplier = self.part.family.multiplier
        found = common_shifts(Batch.of(self.model), multiplier, self.wanted_shifts)[0].tolist()
        return dict(zip(self.model.writers, found, strict=True))

    @cached_property
    def geometry(self) -> Geometry:
        """The widths and counts of the units; a multiplier that is left serves a LayerNorm."""
        multiplier = self.part.family.multiplier
        found = geometry_of(
            self.model,
            packing=self.packing,
            weights=self.weights,
            destinations=self.destinations,
            wide_rows=self.wide_rows,
            rows=self.rows,
            shifts=self.shifts,
            multiplier=multiplier,
        )
        found = replace(found, rows=self.rows, posts=self.posts)
        if self.rows > 1:
            found = self._with_lanes(found)
            short = found.norm_features and soft_sum(found.norm_features, found.norm_bits)
            found = replace(found, soft_squares=bool(short) and found.dsps > self.part.dsps)
        spare = found.dsps < self.part.dsps and multiplier.half_bits >= GAMMA_BITS
        return replace(found, gamma_block=True) if spare and found.norm_features else found

    def _with_lanes(self, geometry: Geometry) -> Geometry:
        """Return a geometry that knows what the stores with lanes need of the model's tensors."""
        tensors, kept = self.model.tensors, (Destination.KEY, Destination.VALUE)
        found = [tensors[name] for name, where in self.destinations.items() if where in kept]
        pairs = max((-(-spec.features // geometry.ways) for spec in found), default=1)
        rows = max((-(-spec.rows // geometry.dynamic_parts) for spec in found), default=1)
        return replace(
            geometry,
            patch=patch_of(self.model),
            pair_bits=(pairs - 1).bit_length(),
            value_pitch=1 << (rows - 1).bit_length(),
        )

    def is_split(self, op: Linear) -> bool:
        """Return True if each token row multiplies the rows of its lane, by weights of its own."""
        return self.rows > 1 and is_split(self.model, op)

    def lane_length(self, op: Linear) -> int:
        """Return the terms of a split operation's dot product that one token row has."""
        features = self.lane_features(op)
        return -(-op.weight.shape[1] // (features * self.rows)) * features

    def lane_features(self, op: Linear) -> int:
        """Return the terms of a row of what an operation reads, which lie in one lane."""
        return lane_features(self.model, op)

    def values_of(self, values: Tensor) -> dict[str, int]:
        """Return how the addresses of values go on: from row to row, and to the next columns'."""
        geometry = self.geometry
        if geometry.rows == 1:
            step = -(-values.features // geometry.dynamic_slots)
            return {"weight_step": step, "weight_group": 1}
        return {"weight_step": 1, "weight_group": geometry.value_pitch * geometry.dynamic_parts}

    def per_column(self, op: Operation) -> int:
        """Return the results of one column."""
        return 2 if self.packing.packed[op.y] else 1

    def columns_of(self, op: Operation) -> int:
        """Return the columns that an operation uses: those with a field in its weights' words."""
        kind = self.weights.formats.get(op.y)
        return self.weights.hard if kind is None else self.weights.columns_of(kind)

    def power(self, op: Operation) -> int:
        """Return the power of two that brings an operation to its shift in the hardware."""
        return self.shifts[op.y] - op.shift

    @cached_property
    def last_channels(self) -> tuple[int, ...]:
        """The channels of the input whose last values are added, each once, in order."""
        return tuple(sorted({n for op in self.model.operations for n in op.adds_channels}))

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The (value, factor) of each feature, by the tensor written, as parameter_table has it."""
        tables = {}
        for op in self.model.operations:
            if op.parameters is not None:
                table = parameter_table(op, immediate=self.immediate)
                if op.multipliers is not None:
                    table[..., 1] = numerics.scaled(table[..., 1], self.power(op))
                tables[op.y] = table
        return tables

    def is_uniform(self, op: Operation) -> bool:
        """Return True if the results of all channels have one constant multiplier."""
        return self.immediate and is_uniform(op)

    def multipliers(self, op: Operation) -> np.ndarray:
        """Return an operation's fixed multipliers at its shift in the hardware."""
        return numerics.scaled(np.asarray(op.multipliers), self.power(op))
