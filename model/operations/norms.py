"""Norms, which scale and shift each feature of a row."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitformer.model import numerics
from bitformer.model.operations.checks import (
    LARGEST_MULTIPLIER,
    check_array,
    check_shift,
)
from bitformer.model.operations.operation import (
    SHIFT_BITS,
    RowOperation,
    Step,
    Tensors,
    Values,
    packed_bits,
)

__all__ = ["Affine", "LayerNorm"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Norm(RowOperation):
    """A factor and an offset for each feature of a row."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[np.ndarray, np.ndarray]: ...

    @property
    @abstractmethod
    def added_shift(self) -> int: ...

    def added_bound(self, tensors: Tensors) -> int:
        return int(np.abs(self.parameters[0]).max()) << self.added_shift

    @property
    def parameter_count(self):
        return sum(values.size for values in self.parameters)

    def stored_bits(self):
        return {"norms": sum(map(packed_bits, self.parameters)), "scales": 2 * SHIFT_BITS}

    def _largest_sum(self, tensors: Tensors) -> int:
        return self.added_bound(tensors)


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(_Norm):
    """BatchNorm after a residual: ``u = x``, per-channel ``multiplier`` and ``offset``."""

    multiplier: np.ndarray
    offset: np.ndarray
    offset_shift: int

    @property
    def parameters(self):
        return self.offset, self.multiplier

    @property
    def added_shift(self):
        return self.offset_shift

    def multiplicand_bound(self, tensors: Tensors, norm_bits: int) -> int:
        return -tensors[self.x].low

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        check_shift(where, "offset_shift", self.offset_shift)
        super()._check(where, tensors, written)
        shape, limits = (tensors[self.y].features,), (-LARGEST_MULTIPLIER - 1, LARGEST_MULTIPLIER)
        check_array(where, "multiplier", self.multiplier, shape, *limits)
        check_array(where, "offset", self.offset, shape, *limits)

    def _largest_sum(self, tensors: Tensors) -> int:
        product = -tensors[self.x].low * int(np.abs(self.multiplier).max())
        return product + self.added_bound(tensors)

    def compute(self, values: Values, tensors: Tensors) -> Step:
        return values[self.x], self.multiplier, self.offset << self.offset_shift


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm(_Norm):
    """``u = (N*x - sum(x)) << e``, multiplier ``gamma * r``, with ``(e, r) = rsqrt(D)``."""

    normalizes: ClassVar[bool] = True
    tables: ClassVar = (tuple(numerics.RSQRT_TABLE),)

    gamma: np.ndarray
    beta: np.ndarray
    beta_shift: int

    @property
    def parameters(self):
        return self.beta, self.gamma

    @property
    def added_shift(self):
        return self.beta_shift

    def multiplier_bound(self, tensors: Tensors) -> int:
        return int(np.abs(self.gamma).max()) * max(numerics.RSQRT_TABLE)

    @property
    def negates(self) -> bool:
        return bool((self.gamma < 0).any())

    def headroom(self, tensors: Tensors) -> int:
        x = tensors[self.x]
        return numerics.norm_width(x.features, x.bits) // 2

    def multiplicand_bound(self, tensors: Tensors, norm_bits: int) -> int:
        return numerics.normalized_bound(tensors[self.x].features, norm_bits)

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        check_shift(where, "beta_shift", self.beta_shift)
        super()._check(where, tensors, written)
        shape, limits = (tensors[self.y].features,), (-LARGEST_MULTIPLIER - 1, LARGEST_MULTIPLIER)
        check_array(where, "gamma", self.gamma, shape, -128, 127)
        check_array(where, "beta", self.beta, shape, *limits)

    def compute(self, values: Values, tensors: Tensors) -> Step:
        spec, x = tensors[self.x], values[self.x]
        total, exponent, r = numerics.row_statistics(x, spec.bits)
        u = numerics.deviation(x, total, exponent, spec.features)
        return u, self.gamma * r, self.beta << self.beta_shift
