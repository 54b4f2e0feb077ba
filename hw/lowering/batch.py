"""Models that are lowered together: the rules of lowering are functions of a batch, on arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bitformer.model.ir import IntegerModel, Operation
from bitformer.model.precision import Precision

__all__ = ["Batch"]

#: Stands for bits that a configuration does not say: the operations do.
_ANY = Precision(weights=8, activations=8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Models of one graph and one shape, which differ in numbers and widths.

    A design is a batch of one; a space of designs is a batch of all its combinations. Operation
    ``p`` of model ``n`` is that of ``sources[operation_sources[p][n]]``, and its tensor ``name``
    that of ``sources[tensor_sources[name][n]]``: a few sources make up many models.
    """

    sources: Sequence[IntegerModel]
    operation_sources: Sequence[np.ndarray]
    tensor_sources: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, *models: IntegerModel) -> "Batch":
        """Return the batch of these models, each of them whole."""
        numbers, first = np.arange(len(models)), models[0]
        return cls(
            sources=models,
            operation_sources=[numbers] * len(first.operations),
            tensor_sources=dict.fromkeys(first.tensors, numbers),
        )

    def __len__(self) -> int:
        return len(self.operation_sources[0])

    @property
    def first(self) -> IntegerModel:
        """A model with the graph and the shape of all."""
        return self.sources[0]

    @cached_property
    def matrix(self) -> list[int]:
        """Places of the operations that the matrix engine runs."""
        return [place for place, op in enumerate(self.first.operations) if op.matrix]

    @property
    def matrix_operations(self) -> list[Operation]:
        """The matrix operations of the first model."""
        return [self.first.operations[place] for place in self.matrix]

    def values(
        self, place: int, function: Callable[[IntegerModel, Operation], object]
    ) -> np.ndarray:
        """Return integers of an operation: ``function`` of each model and operation, stacked."""
        sources = self.operation_sources[place]
        used = np.flatnonzero(np.bincount(sources))
        models = (self.sources[number] for number in used.tolist())
        found = np.array([function(m, m.operations[place]) for m in models], dtype=np.int64)
        return found[np.searchsorted(used, sources)]

    def tensor_values(self, names: Sequence[str], field: str = "bits") -> np.ndarray:
        """Return an integer field of tensors: [models, tensors]."""
        found = np.zeros((len(self), len(names)), dtype=np.int64)
        for column, name in enumerate(names):
            own = np.array([getattr(source.tensors[name], field) for source in self.sources])
            found[:, column] = own[self.tensor_sources[name]]
        return found

    @cached_property
    def weight_widths(self) -> np.ndarray:
        """Bits of a weight, or of a key or value in its place: [models, matrix operations]."""
        return np.stack(
            [self.values(p, lambda m, op: op.weight_width(m.tensors)) for p in self.matrix], axis=1
        )

    @cached_property
    def operand_bits(self) -> np.ndarray:
        """Bits of what weights multiply: [models, matrix operations]."""
        own = (self.values(p, lambda m, op: op.operand_width(m.tensors)) for p in self.matrix)
        return np.stack([*own], axis=1)

    @cached_property
    def kept(self) -> list[str]:
        """Tensors that are multiplied in the place of weights: keys, values, pooled rows."""
        return [op.weights_from for op in self.matrix_operations if op.weights_from]

    @cached_property
    def dynamic_bits(self) -> np.ndarray:
        """Bits of the widest tensor in the place of weights, by model; 0 without one."""
        return self.tensor_values(self.kept).max(axis=1, initial=0)

    @cached_property
    def norm_bits(self) -> np.ndarray:
        """Bits of the widest row that an operation normalises, by model; 0 without one."""
        rows = [op.reads[0] for op in self.first.operations if op.normalizes]
        return self.tensor_values(rows).max(axis=1, initial=0)

    @cached_property
    def position_bits(self) -> np.ndarray:
        """Bits of the widest position, by model; 1 without any."""
        return self.tensor_values([*self.first.constants]).max(axis=1, initial=1)

    @cached_property
    def negates(self) -> np.ndarray:
        """Whether a model has a negative multiplier: bool [models]."""
        places = range(len(self.first.operations))
        found = [self.values(place, lambda _, op: op.negates) for place in places]
        return np.stack(found, axis=1).max(axis=1) > 0

    @cached_property
    def bounds(self) -> np.ndarray:
        """Largest magnitudes of dot products, and with bias: [models, matrix operations, 2]."""

        def bound(model: IntegerModel, op: Operation) -> tuple[int, int]:
            found = op.bound(model.tensors)
            return found.dot, found.total

        return np.stack([self.values(place, bound) for place in self.matrix], axis=1)

    @cached_property
    def terms(self) -> np.ndarray:
        """Largest magnitude of one product: [models, matrix operations]."""
        found = [
            self.values(place, lambda m, op: op.term_bound(m.tensors)) for place in self.matrix
        ]
        return np.stack(found, axis=1)

    def model(self, number: int) -> IntegerModel:
        """Return a model of the batch as a whole; its configuration has the shape alone."""
        operations = (self.sources[own[number]] for own in self.operation_sources)
        owners = {name: self.sources[own[number]] for name, own in self.tensor_sources.items()}
        return IntegerModel(
            config=self.first.config.at(_ANY),
            tensors={name: owner.tensors[name] for name, owner in owners.items()},
            operations=tuple(m.operations[place] for place, m in enumerate(operations)),
            constants={name: owners[name].constants[name] for name in self.first.constants},
        )
