"""The rules that every operation of the integer model answers for itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from bitformer.model import numerics
from bitformer.model.operations.checks import LARGEST_SUM, check_shape, check_shift, fail
from bitformer.model.tensor import Tensor

__all__ = [
    "SHIFT_BITS",
    "Bound",
    "Operation",
    "RowOperation",
    "Step",
    "StepForm",
    "Tensors",
    "Values",
    "packed_bits",
]

#: Tensors of a model by name, and their values [batch, rows, features].
Tensors = Mapping[str, Tensor]
Values = Mapping[str, np.ndarray]
#: What is requantized: ``u``, its multiplier, and what is added to their product.
Step = tuple[np.ndarray, np.ndarray | int, np.ndarray | int]

#: Bits of a stored shift.
SHIFT_BITS = 6


def packed_bits(values) -> int:
    """Count the bits of signed integers, each as wide as the widest."""
    values = np.asarray(values)
    return values.size * (int(np.maximum(values, ~values).max()).bit_length() + 1)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Largest magnitude of a dot product (``dot``), and with the bias (``total``)."""

    dot: int
    total: int


@dataclass(frozen=True, kw_only=True, eq=False)
class StepForm:
    """An operation as a step of a stream has it, of the newest token alone.

    Parameters
    ----------
    operation : itself, of what a step has.
    y : what it writes then.
    rings : how many rows it reads of tensors whose older rows lie in a ring, by their name.
    ordered : whether it reads them from the oldest to the newest, not as they lie.
    """

    operation: "Operation"
    y: Tensor
    rings: Mapping[str, int] = field(default_factory=dict)
    ordered: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation(ABC):
    """Reads tensors, computes ``u`` from them, and writes tensor ``y``.

    Every operation ends in the same requantization
    (:func:`bitformer.model.numerics.requantize`), here without its clamp:

        y = ((u * multiplier + addend + 2**(shift - 1)) >> shift) + zero

    A subclass is one operation with all its rules: shapes, arithmetic in numpy, bounds, and what a
    file and the hardware have to store. Rules that need a tensor take the model's by name.
    """

    y: str
    shift: int

    #: Whether ``u`` is dot products, which the matrix engine computes.
    matrix: ClassVar[bool] = False
    #: Whether samples pass through it on their way in, so that it is no work of the engine's.
    at_input: ClassVar[bool] = False
    #: Whether results pass through it on their way out, so that it is no work of the engine's.
    at_output: ClassVar[bool] = False
    #: Whether it normalises each row by the row's own statistics.
    normalizes: ClassVar[bool] = False
    #: Tables that it computes with.
    tables: ClassVar[tuple[tuple[int, ...], ...]] = ()

    # What it reads, and what plays which part in the hardware.

    @property
    @abstractmethod
    def reads(self) -> tuple[str, ...]:
        """Tensors that it reads, the one that streams through the engine first."""

    @property
    def weights_from(self) -> str | None:
        """Tensor that is multiplied in the place of weights; None with weights of its own."""
        return None

    @property
    def at_port(self) -> bool:
        """Whether numbers pass through it at either end, so that it is no work of the engine's."""
        return self.at_input or self.at_output

    @property
    def requantizer_reads(self) -> tuple[str, ...]:
        """Tensors whose rows are multiplied or added only when results are requantized."""
        if not self.matrix and not self.at_port:
            return self.reads
        return () if self.adds_tensor is None else (self.adds_tensor,)

    @property
    def absorbs(self) -> tuple[str, ...]:
        """Tensors whose zero point it accounts for; those of others must be 0."""
        return ()

    # What is multiplied and added.

    @property
    def parameters(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(values added, factors) of each feature of ``y``, [features]; None without any.

        Of a table they are [rows, features]; of a layer in parts, [..., parts, features].
        """
        return None

    @property
    def multipliers(self) -> np.ndarray | None:
        """Its fixed multipliers; None where they are computed from each row."""
        fixed = getattr(self, "multiplier", None)
        return None if fixed is None else np.atleast_1d(fixed)

    @property
    def adds_tensor(self) -> str | None:
        """Tensor whose row is added to each row of ``u * multiplier``."""
        return None

    @property
    def adds_channels(self) -> tuple[int, ...]:
        """Channels of the input whose last values are added: one, or one for each part."""
        return ()

    @property
    def added_shift(self) -> int | None:
        """Left shift of what is added; None if nothing is."""
        return None

    def added_bound(self, tensors: Tensors) -> int:
        """Return the largest magnitude that is added, shifted."""
        return 0

    def multiplier_bound(self, tensors: Tensors) -> int:
        """Return the largest magnitude of its multiplier."""
        return int(np.abs(np.asarray(self.multipliers)).max())

    @property
    def negates(self) -> bool:
        """Whether one of its multipliers is negative."""
        return self.multipliers is not None and bool((np.asarray(self.multipliers) < 0).any())

    def headroom(self, tensors: Tensors) -> int:
        """Return the bits by which a multiplier computed from a row is scaled up.

        A unit that serves several operations scales all of them by the largest.
        """
        return 0

    def at_step(self, own: Tensor, y: Tensor, tokens: int) -> StepForm:
        """Return its form in a step of a stream.

        ``own`` : what a step has of the first tensor that it reads. ``y`` : what it writes, of a
        window of ``tokens`` tokens.
        """
        return StepForm(operation=self, y=replace(y, rows=own.rows))

    # Counts and bounds.

    def macs(self, tensors: Tensors) -> int:
        """Return its multiply-accumulates."""
        return 0

    @property
    def parameter_count(self) -> int:
        """Trained numbers that it stores."""
        return 0

    def stored_bits(self) -> dict[str, int]:
        """Count its stored bits by kind: ``weights``, ``biases``, ``scales``, ``norms``."""
        fixed = 0 if self.multipliers is None else packed_bits(self.multipliers)
        return {"scales": fixed + SHIFT_BITS}

    def weight_width(self, tensors: Tensors) -> int:
        """Return the bits of a weight, its own or of the tensor in their place; 0 without any."""
        return 0 if self.weights_from is None else tensors[self.weights_from].bits

    def operand_width(self, tensors: Tensors) -> int:
        """Return the signed bits of what a matrix operation multiplies by weights."""
        return tensors[self.reads[0]].bits

    def bound(self, tensors: Tensors) -> Bound:
        """Return the bound over all dot products, whatever the input; exact, never wraps."""
        raise TypeError(f"{type(self).__name__} must be a matrix operation to have a dot product")

    def term_bound(self, tensors: Tensors) -> int:
        """Return the largest magnitude of one product of a matrix operation."""
        raise TypeError(f"{type(self).__name__} must be a matrix operation to have products")

    def multiplicand_bound(self, tensors: Tensors, norm_bits: int) -> int:
        """Return the largest magnitude of ``u``.

        ``norm_bits`` : bits of the widest row that the model normalises; one unit serves all.
        """
        return self.bound(tensors).total

    # Checks.

    def check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        """Raise :class:`UserError`, which begins with ``where``, unless it is consistent.

        ``written`` : tensors that have values when it runs.
        """
        check_shift(where, "shift", self.shift)
        self._check(where, tensors, written)
        if (total := self._largest_sum(tensors)) > LARGEST_SUM:
            fail(where, "sum before it is rounded", f"at most {LARGEST_SUM}", total)

    @abstractmethod
    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        """Check its own fields, and the shapes of its tensors."""

    def _largest_sum(self, tensors: Tensors) -> int:
        """Bound what is rounded, where it could grow beyond int64."""
        return 0

    # Arithmetic.

    def lowest(self, tensors: Tensors) -> int:
        """Return the least number that a result can be."""
        return tensors[self.y].low

    def limits(self, tensors: Tensors) -> tuple[int, int, int]:
        """Return what is added to a rounded number, and the least and the most that it then is."""
        y = tensors[self.y]
        return y.zero, self.lowest(tensors), y.high

    def function(self, tensors: Tensors, clamped: np.ndarray) -> np.ndarray:
        """Return results of rounded and clamped numbers."""
        return clamped

    @abstractmethod
    def compute(self, values: Values, tensors: Tensors) -> Step:
        """Return ``u`` [batch, rows, features], its multiplier and what is added."""

    def run(self, values: Values, tensors: Tensors) -> np.ndarray:
        """Return ``y`` [batch, rows, features] of the values that it reads, as int64."""
        step = self.compute(values, tensors)
        clamped = numerics.requantize(*step, self.shift, *self.limits(tensors))
        return self.function(tensors, clamped)


@dataclass(frozen=True, kw_only=True, eq=False)
class RowOperation(Operation):
    """An operation on each row of one tensor ``x``, whose shape ``y`` has."""

    x: str

    @property
    def reads(self):
        return (self.x,)

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        check_shape(where, "y", tensors[self.y].shape, tensors[self.x].shape)
