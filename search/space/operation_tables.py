"""What each operation of a model needs at every choice of bits: tables for :mod:`.components`.

An operation depends on the bits of few components: its weights', and those of what it reads and
writes. Components that meet in no operation share a colour and are varied together, so a handful of
untrained models holds every operation at every choice.
"""

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property, partial

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.packing import MATRIX
from bitformer.hw.lowering.shifts import shift_interval
from bitformer.hw.program import Addend
from bitformer.model import ir, numerics
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.structure import graph, tensor_components, weight_components

__all__ = ["ModelTables"]


class ModelTables:
    """Untrained models of ``config`` at all ``bits``, taken apart.

    ``codes`` [combinations, components] says which of ``bits`` each of ``components`` has.
    """

    def __init__(
        self,
        config: TransformerConfig,
        components: Sequence[str],
        bits: Sequence[Precision],
        codes: np.ndarray,
        multiplier: Multiplier,
        seed: int = 0,
    ):
        self._multiplier = multiplier
        self.config, self.components, self.codes = config, tuple(components), codes
        self.bits = tuple(bits)
        self._weight_bits = np.array([one.weights for one in bits])
        self._activation_bits = np.array([one.activations for one in bits])
        self.columns = {name: n for n, name in enumerate(components)}
        self.of_weight, self.of_tensor = weight_components(config), tensor_components(config)
        self._layer_of = {one.y: one.weights for one in graph(config) if one.kind == "linear"}
        self.first = self._initialize((0,), dict.fromkeys(components, 0), seed)
        self._needs = [sorted(self._components(op)) for op in self.first.operations]
        self.colours = self._coloured()
        count = 1 + max(self.colours.values())
        self.models = [
            self._initialize(chosen, self.colours, seed)
            for chosen in itertools.product(range(len(self.bits)), repeat=count)
        ]
        self._weights = [len(self.bits) ** (count - 1 - c) for c in range(count)]

    def _initialize(self, chosen: tuple[int, ...], colours: dict[str, int], seed: int):
        precision = {name: self.bits[chosen[c]] for name, c in colours.items()}
        return initialize(self.config.replace(precision=precision), seed)

    def _components(self, op: ir.Operation) -> set[str]:
        """Components whose bits change the operation."""
        names = [*op.reads, op.y]
        found = {self.of_tensor[name] for name in names if not self._fixed(name)}
        if isinstance(op, ir.Linear):
            found.add(self.of_weight[self._layer_of[op.y]])
        return found

    @staticmethod
    def _fixed(name: str) -> bool:
        return name in ("input", "output")

    def _coloured(self) -> dict[str, int]:
        """A colour for each component; those that meet in an operation have different ones."""
        colours: dict[str, int] = {}
        for name in self.components:
            near = {other for need in self._needs if name in need for other in need}
            taken = {colours[other] for other in near if other in colours}
            colours[name] = min(set(range(len(taken) + 1)) - taken)
        return colours

    def _index(self, components: Sequence[str]) -> np.ndarray:
        """For each combination, a model in which ``components`` have their bits."""
        index = np.zeros(len(self.codes), dtype=np.int64)
        for name in components:
            index += self.codes[:, self.columns[name]] * self._weights[self.colours[name]]
        return index

    @cached_property
    def operation_index(self) -> list[np.ndarray]:
        """For each operation, which of ``models`` has it, by combination."""
        return [self._index(need) for need in self._needs]

    def table(self, place: int, function: Callable[[ir.IntegerModel, ir.Operation], Sequence[int]]):
        """``function`` of an operation: [combinations, values]."""
        index = self.operation_index[place]
        values = np.zeros((len(self.models), 0), dtype=np.int64)
        for number in np.unique(index):
            model = self.models[number]
            found = np.asarray(function(model, model.operations[place]), dtype=np.int64)
            if not values.shape[1]:
                values = np.zeros((len(self.models), len(found)), dtype=np.int64)
            values[number] = found
        return values[index]

    def varies(self, name: str) -> bool:
        """Whether a tensor's bits are those of its component."""
        return not self._fixed(name) and not name.endswith(".scores")

    def tensor_bits(self, name: str) -> np.ndarray:
        """Bits of a tensor, by combination."""
        if not self.varies(name):
            return np.full(len(self.codes), self.first.tensors[name].bits)
        return self._activation_bits[self.codes[:, self.columns[self.of_tensor[name]]]]

    @cached_property
    def matrix(self) -> list[int]:
        """Places of the operations that the engine runs."""
        return [n for n, op in enumerate(self.first.operations) if isinstance(op, MATRIX)]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(dot product, with bias) of each matrix operation: [combinations, operations]."""

        def bound(model, op):
            found = op.bound(model.tensors)
            return found.dot, found.total

        both = np.stack([self.table(place, bound) for place in self.matrix], axis=1)
        return both[..., 0], both[..., 1]

    def weight_bits(self) -> np.ndarray:
        """Bits of each matrix operation's weights; 0 where they are keys, values or sums."""
        found = np.zeros((len(self.codes), len(self.matrix)), dtype=np.int64)
        for column, place in enumerate(self.matrix):
            op = self.first.operations[place]
            if isinstance(op, ir.Linear):
                component = self.of_weight[self._layer_of[op.y]]
                found[:, column] = self._weight_bits[self.codes[:, self.columns[component]]]
        return found

    def model(self, number: int) -> ir.IntegerModel:
        """The untrained model of a combination."""
        picked = [self.models[index[number]] for index in self.operation_index]
        operations = tuple(model.operations[n] for n, model in enumerate(picked))

        def source(name: str) -> ir.IntegerModel:
            component = self.of_tensor[name]
            return self.models[
                self.codes[number, self.columns[component]] * self._weights[self.colours[component]]
            ]

        return ir.IntegerModel(
            config=self.config,
            tensors={name: source(name).tensors[name] for name in self.first.tensors},
            operations=operations,
            constants={name: source(name).constants[name] for name in self.first.constants},
            meta={},
        )

    def parameters(self, ways: int) -> tuple[np.ndarray, np.ndarray]:
        """Bits of a word of the parameter store, and of those how many are not constant.

        A word has a bias and a multiplier for each way; multipliers are brought to common shifts.
        """
        bounds, masks = [], []
        places = [
            n
            for n, op in enumerate(self.first.operations)
            if isinstance(op, (ir.Linear, ir.Affine, ir.LayerNorm))
        ]
        power = self._powers()
        for place in places:
            found = self.table(place, lambda _model, op: _parameters(op, ways))
            own_power = (
                0 if isinstance(self.first.operations[place], ir.LayerNorm) else power[:, place]
            )
            value, factor = found[:, :2], found[:, 2:4] << np.reshape(own_power, (-1, 1))
            own = found[:, 4:].reshape(len(found), ways, 4).copy()
            own[:, :, 2:] <<= np.reshape(own_power, (-1, 1, 1))
            bounds.append(np.concatenate([value, factor], axis=1))
            masks.append(own)
        low = np.minimum.reduce(bounds)[:, [0, 2]]
        high = np.maximum.reduce(bounds)[:, [1, 3]]
        bits = _signed_bits(low, high)
        either = np.bitwise_or.reduce([one[:, :, [0, 2]] for one in masks])
        both = np.bitwise_and.reduce([one[:, :, [1, 3]] for one in masks])
        live = np.bitwise_count((either & ~both & ((1 << bits) - 1)[:, None, :]).astype(np.uint64))
        return ways * bits.sum(axis=1), live.sum(axis=(1, 2)).astype(np.int64)

    @cached_property
    def shifts(self) -> np.ndarray:
        """The shift of each operation: [combinations, operations]; 0 where there is none.

        :func:`bitformer.hw.lowering.shifts.common_shifts`, for all combinations at once.
        """
        chosen = np.zeros((len(self.codes), len(self.first.operations)), dtype=np.int64)
        places = [n for n, op in enumerate(self.first.operations) if _shifted(op)]
        both = np.stack([self._shift_interval(place) for place in places], axis=1)
        order = np.argsort(both[..., 1], axis=1, kind="stable")
        rows = np.arange(len(self.codes))
        point = np.full(len(self.codes), -1)
        for rank in range(len(places)):
            column = order[:, rank]
            low, high = both[rows, column, 0], both[rows, column, 1]
            point = np.where(low > point, high, point)
            chosen[rows, np.array(places)[column]] = point
        return chosen

    @cached_property
    def norm_bits(self) -> np.ndarray:
        """Bits of the widest row that a LayerNorm reads; 0 without one."""
        found = [
            self.tensor_bits(op.x) for op in self.first.operations if isinstance(op, ir.LayerNorm)
        ]
        return np.max(found, axis=0) if found else np.zeros(len(self.codes), dtype=np.int64)

    def _shift_interval(self, place: int) -> np.ndarray:
        """An operation's :func:`bitformer.hw.lowering.shifts.shift_interval`: [combinations, 2]."""
        op = self.first.operations[place]
        if not isinstance(op, ir.LayerNorm):
            return self.table(place, partial(shift_interval, multiplier=self._multiplier))
        # it depends on the widest row of the whole model, which the tables' models do not share
        features = self.first.tensors[op.x].features
        widths = np.array([0, *(numerics.norm_width(features, bits) for bits in range(1, 17))])
        more = (widths[self.norm_bits] - widths[self.tensor_bits(op.x)]) // 2
        return self.table(place, _shift) + more[:, None].repeat(2, axis=1)

    def distinct_shifts(self) -> np.ndarray:
        """How many different shifts the requantizers have, by combination."""
        own = [n for n, op in enumerate(self.first.operations) if _shifted(op)]
        return _distinct(self.shifts[:, own])

    def distinct_addends(self) -> np.ndarray:
        """How many different (source, shift) the post-processor adds, by combination."""
        powers, found = self._powers(), []
        for place, op in enumerate(self.first.operations):
            source = _addend(self.first, op)
            if source:
                own = self.table(place, _addend_shift)[:, 0] + powers[:, place]
                found.append(own * 8 + source)
        return _distinct(np.stack(found, axis=1)) if found else np.zeros(len(self.codes), np.int64)

    def _powers(self) -> np.ndarray:
        """By how much each operation's multiplier is shifted left: [combinations, operations]."""
        own = [
            np.zeros(len(self.codes), dtype=np.int64)
            if not _shifted(op)
            else self.table(place, _shift)[:, 0]
            for place, op in enumerate(self.first.operations)
        ]
        return self.shifts - np.stack(own, axis=1)


def _distinct(values: np.ndarray) -> np.ndarray:
    """How many different values each row has."""
    ordered = np.sort(values, axis=1)
    return 1 + (np.diff(ordered, axis=1) != 0).sum(axis=1)


def _shifted(op: ir.Operation) -> bool:
    return not isinstance(op, ir.SubtractLast)


def _addend(model: ir.IntegerModel, op: ir.Operation) -> Addend:
    """What the post-processor adds for an operation."""
    if isinstance(op, ir.Affine | ir.LayerNorm):
        return Addend.PARAMETER
    if not isinstance(op, ir.Linear) or op.residual is None:
        return Addend.NONE
    if op.residual.channel is not None:
        return Addend.LAST
    return Addend.POSITION if op.residual.source in model.constants else Addend.ACTIVATION


def _addend_shift(_model: ir.IntegerModel, op: ir.Operation) -> tuple[int]:
    """Its shift at the operation's own."""
    if isinstance(op, ir.Affine):
        return (op.offset_shift,)
    if isinstance(op, ir.LayerNorm):
        return (op.beta_shift,)
    if isinstance(op, ir.Linear) and op.residual is not None:
        return (op.residual.shift,)
    raise TypeError(f"An operation that adds must be given, not {type(op).__name__}")


def _shift(_model: ir.IntegerModel, op: ir.Operation) -> tuple[int]:
    if not isinstance(op, ir.Linear | ir.Scores | ir.Attend | ir.Pool | ir.Affine | ir.LayerNorm):
        raise TypeError(f"An operation with a shift must be given, not {type(op).__name__}")
    return (op.shift,)


def _signed_bits(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Bits of the smallest signed number that holds both."""
    largest = np.maximum(np.maximum(high, 0), -1 - np.minimum(low, 0))
    return np.frexp(largest.astype(np.float64))[1].astype(np.int64) + 1


def _parameters(op: ir.Operation, ways: int) -> list[int]:
    """Ranges of values and factors; then, for each way, their bits: any, all, any, all."""
    if isinstance(op, ir.Linear):
        values, factors = op.bias, op.multiplier
        if (factors == factors[0]).all():
            factors = np.zeros_like(factors)
    elif isinstance(op, ir.Affine):
        values, factors = op.offset, op.multiplier
    elif isinstance(op, ir.LayerNorm):
        values, factors = op.beta, op.gamma
    else:
        raise TypeError(f"An operation with parameters must be given, not {type(op).__name__}")
    padding = np.zeros(-len(values) % ways, dtype=np.int64)
    values, factors = np.concatenate([values, padding]), np.concatenate([factors, padding])
    found = [values.min(), values.max(), factors.min(), factors.max()]
    for way in range(ways):
        for one in (values[way::ways], factors[way::ways]):
            found += [np.bitwise_or.reduce(one), np.bitwise_and.reduce(one)]
    return [int(one) for one in found]
