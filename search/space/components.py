"""All combinations of bits that components can have, with cycles and resources of each, at once.

Nothing is lowered for each combination. What a combination's cycles follow from is which products
are packed and how many columns each layer's weights reach, and that takes few different forms: one
of each is lowered. Widths are maxima over layers, from tables of what each layer needs at its own
bits; memories are placed once for each different set of shapes. Cycles and DSP blocks are exact;
RAMB18, LUTs and flip-flops are those of a model with the same widths whose tables are not its own:
LUTs are within 3 % of what its own design is predicted to take.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bitformer.estimate.predictor import Predictor
from bitformer.hw.lowering.geometry import choose_columns
from bitformer.hw.lowering.packing import macs
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.search.engine import Engine
from bitformer.search.space.operation_tables import ModelTables
from bitformer.search.space.templates import Forms, Widths
from bitformer.study.sensitivity import existing

__all__ = ["LARGEST", "NEVER", "ComponentSpace", "Outcomes", "code_of"]

#: What a combination takes that has no design.
NEVER = np.iinfo(np.int32).max
#: Larger spaces are not enumerated.
LARGEST = 300_000


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Arrays with a number for each combination; ``latency`` and ``interval`` in cycles.

    What is not ``possible`` (a sum too wide for a DSP block, say) needs ``NEVER`` of everything.
    """

    possible: np.ndarray
    latency: np.ndarray
    interval: np.ndarray
    luts: np.ndarray
    lutram: np.ndarray
    ffs: np.ndarray
    ramb18: np.ndarray
    dsps: np.ndarray


def code_of(bits: Sequence[Precision]) -> str:
    """Bits of one component after the other: ``"4468"``, or with some apart ``"4.2a8.8"``."""
    if all(one.weights == one.activations < 10 for one in bits):
        return "".join(map(str, bits))
    return ".".join(one.slug for one in bits)


def _kept(op: ir.Operation) -> str | None:
    """The tensor that plays the weights' part."""
    if isinstance(op, ir.Scores):
        return op.k
    if isinstance(op, ir.Attend):
        return op.v
    return op.x if isinstance(op, ir.Pool) else None


class ComponentSpace:
    """The combinations of ``bits`` for the components of ``config``.

    Combination ``n`` has ``bits[codes[n, c]]`` for ``components[c]``; a number stands for weights
    and activations alike. Samples and results keep the width they have in ``config``.

    Raises :class:`UserError` for a space that is too large to enumerate, or that has bits outside
    2 to 8, whose rows take more than one pass.
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
        if part not in PARTS:
            raise UserError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
        both = [
            (one, one) if isinstance(one, int) else (one.weights, one.activations) for one in bits
        ]
        if not both or not all(2 <= width <= 8 for one in both for width in one):
            raise UserError(f"bits of a space must be 2 to 8, not {', '.join(map(str, bits))}")
        self.config, self.part = config.replace(precision={}, tensors={}), part
        self.bits = tuple(Precision(weights=w, activations=a) for w, a in sorted(set(both)))
        self.components = existing(config)
        count = len(self.bits) ** len(self.components)
        if count > LARGEST:
            raise UserError(
                f"A space must have at most {LARGEST} combinations to be enumerated, not {count}"
            )
        self.multiplier = PARTS[part].family.multiplier
        shape = [len(self.bits)] * len(self.components)
        self.codes = np.stack(np.unravel_index(np.arange(count), shape), axis=1).astype(np.int8)
        self.tables = ModelTables(
            self.config, self.components, self.bits, self.codes, self.multiplier, seed
        )
        self.matrix = [self.tables.first.operations[place] for place in self.tables.matrix]
        self._take(engine or Engine())

    def _take(self, engine: Engine) -> None:
        self.engine = engine
        self.columns = choose_columns(self.tables.first, PARTS[self.part], **engine.options)

    def on(self, engine: Engine) -> "ComponentSpace":
        """The same combinations, lowered with another engine."""
        other = copy(self)
        other._take(engine)
        return other

    def __len__(self) -> int:
        return len(self.codes)

    def config_of(self, number: int) -> TransformerConfig:
        """A combination as a configuration."""
        chosen = [self.bits[code] for code in self.codes[number]]
        precision = dict(zip(self.components, chosen, strict=True))
        name = f"{self.config.name}-{code_of(chosen)}"
        return self.config.replace(name=name, precision=precision)

    def uniform(self, bits: Precision) -> int:
        """The number of the combination with the same bits everywhere."""
        return int(np.flatnonzero((self.codes == self.bits.index(bits)).all(axis=1))[0])

    @cached_property
    def same(self) -> np.ndarray:
        """The first combination that is the same design: some bits belong to nothing.

        A sum has no weights, and the result's width is the model's.
        """
        tables = self.tables
        weights = {tables.of_weight[name] for name in tables.of_weight}
        tensors = {tables.of_tensor[name] for name in tables.first.tensors if tables.varies(name)}
        columns = [
            bits[self.codes[:, place]]
            for place, name in enumerate(self.components)
            for bits, there in (
                (np.array([one.weights for one in self.bits]), weights),
                (np.array([one.activations for one in self.bits]), tensors),
            )
            if name in there
        ]
        _, first, inverse = np.unique(
            np.stack(columns, axis=1), axis=0, return_index=True, return_inverse=True
        )
        return first[inverse.reshape(-1)]

    @cached_property
    def total_bits(self) -> np.ndarray:
        """The published score: the sum of the components' bits; of two that differ, their mean."""
        means = np.array([(one.weights + one.activations) / 2 for one in self.bits])
        return means[self.codes].sum(axis=1)

    @cached_property
    def _dynamic_bits(self) -> np.ndarray:
        kept = [self.tables.tensor_bits(name) for op in self.matrix if (name := _kept(op))]
        return np.max(kept, axis=0) if kept else np.zeros(len(self), dtype=np.int64)

    def _packing(self, dots: np.ndarray, weights: np.ndarray, columns: int) -> np.ndarray:
        """[combinations, operations + 2]: packed, then half width and whether keys are packed.

        The rule of :func:`bitformer.hw.lowering.packing.choose_packing`, for all combinations at
        once.
        """
        model = self.tables.first
        result = np.zeros((len(self), len(self.matrix) + 2), dtype=np.int8)
        scores = {op.y for op in self.matrix if isinstance(op, ir.Scores)}
        free = {"input", "delta", model.output.name} | scores
        sizes = [spec.features for name, spec in model.tensors.items() if name not in free]
        sizes += [
            model.tensors[op.v].features // op.heads
            for op in self.matrix
            if isinstance(op, ir.Attend)
        ]
        if not self.engine.pack or any(size % 2 for size in sizes):
            return result
        gains = np.array([macs(model, op) for op in self.matrix])
        static = np.greater(weights, 0)
        most = np.zeros(len(self), dtype=np.int64)
        for half in sorted({width for one in self.bits for width in vars(one).values()}):
            there = (weights == half).any(axis=1) | (self._dynamic_bits == half)
            for dynamic in (False, True):
                fits = dots < 1 << (self.multiplier.long_bits - half - 1)
                packed = fits & np.where(static, weights <= half, dynamic)
                possible = there.copy()
                if dynamic:
                    possible &= (self._dynamic_bits <= half) & (packed | static).all(axis=1)
                if columns % 2:
                    possible &= packed.all(axis=1)
                gain = np.where(possible, packed @ gains, 0)
                better = gain > most
                most = np.maximum(most, gain)
                result[better, :-2] = packed[better]
                result[better, -2:] = half, dynamic
        return result

    def outcomes(self, predictor: Predictor) -> Outcomes:
        """Cycles and resources of every combination."""
        found = self._outcomes(predictor)
        single = self.on(replace(self.engine, pack=False))
        if single.columns == self.columns:
            return found
        # where nothing can be packed, lanes are columns
        dots, _ = self.tables.bounds()
        packed = self._packing(dots, self.tables.weight_bits(), 2)[:, :-2].any(axis=1)
        if packed.all():
            return found
        others = single._outcomes(predictor)
        both = ((name, getattr(found, name), getattr(others, name)) for name in vars(found))
        return Outcomes(**{name: np.where(packed, one, other) for name, one, other in both})

    def _outcomes(self, predictor: Predictor) -> Outcomes:
        dots, totals = self.tables.bounds()
        weights = self.tables.weight_bits()
        packing = self._packing(dots, weights, self.columns)
        stored = [
            self.tables.tensor_bits(name)
            for name in self.tables.first.tensors
            if name in self._activations
        ]
        act = np.max(stored, axis=0) if stored else np.ones(len(self), dtype=np.int64)
        constants = [self.tables.tensor_bits(name) for name in self.tables.first.constants]
        position = np.max(constants, axis=0) if constants else np.ones(len(self), dtype=np.int64)
        layers = np.flatnonzero(weights[0] > 0)
        structure = np.column_stack([packing, self.tables.norm_bits, weights[:, layers]])
        words = np.column_stack([*self.tables.parameters(1), *self.tables.parameters(2)])
        words = np.where(packing[:, :-2].any(axis=1, keepdims=True), words[:, 2:], words[:, :2])
        keys = np.column_stack([structure, act, self._dynamic_bits, position, words])
        unique, index, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        forms = Forms(self)
        split = structure.shape[1]
        rows = [
            forms.row(tuple(key[:split]), number, Widths(*key[split:]))
            for key, number in zip(unique.tolist(), index.tolist(), strict=True)
        ]
        built = np.array([row is not None for row in rows])[inverse.reshape(-1)]
        number = (np.cumsum([row is not None for row in rows]) - 1)[inverse.reshape(-1)][built]
        there = np.flatnonzero(built)
        found = [row for row in rows if row is not None]
        if not found:
            raise UserError(f"config {self.config.name} must have a combination that can be built")
        q = {name: np.array([row[name] for row in found])[number] for name in found[0]}
        dots, totals, packing = dots[there], totals[there], packing[there]
        packed = packing[:, :-2].astype(bool)
        q["accumulator_bits"] = _signed(totals).max(axis=1)
        shift = self.multiplier.long_bits - packing[:, -2:-1].astype(np.int64)
        q["product_bits"] = np.where(packed, _signed(dots) + shift + 1, _signed(dots)).max(axis=1)
        q["shifts"] = self.tables.distinct_shifts()[there]
        q["addends"] = self.tables.distinct_addends()[there]
        possible = np.zeros(len(self), dtype=bool)
        possible[there] = True

        def every(values: np.ndarray) -> np.ndarray:
            full = np.full(len(self), NEVER, dtype=np.int32)
            full[there] = values
            return full

        names = ("latency", "interval", "ramb18", "dsps")
        taken = predictor.counts(q) | {name: q[name] for name in names}
        return Outcomes(possible=possible, **{name: every(taken[name]) for name in taken})

    @cached_property
    def _activations(self) -> set[str]:
        """Tensors in the activation store."""
        model = self.tables.first
        elsewhere = {"input", "delta", model.output.name, *model.constants}
        elsewhere |= {op.y for op in self.matrix if isinstance(op, ir.Scores)}
        elsewhere |= {name for op in self.matrix if (name := _kept(op))}
        return set(model.tensors) - elsewhere


def _signed(magnitudes: np.ndarray) -> np.ndarray:
    """Bits of signed numbers up to these magnitudes."""
    return np.frexp(magnitudes.astype(np.float64))[1].astype(np.int64) + 1
