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
from bitformer.hw.parts import Part
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightLayout
from bitformer.hw.widths import GAMMA_BITS
from bitformer.model import numerics
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Operation

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
    """

    model: IntegerModel
    part: Part
    destinations: Mapping[str, Destination]
    packing: Packing
    weights: WeightLayout
    wide_rows: frozenset[str] = frozenset()
    immediate: bool = True
    wanted_shifts: Mapping[str, int] = field(default_factory=dict)

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
            shifts=self.shifts,
            multiplier=multiplier,
        )
        spare = found.dsps < self.part.dsps and multiplier.half_bits >= GAMMA_BITS
        return replace(found, gamma_block=True) if spare and found.norm_features else found

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
