"""The flag of a detector: residuals, smoothed over windows, against a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from bitformer.model.operations.checks import check_array, check_shape, fail
from bitformer.model.operations.operation import Operation, Step, Tensors, Values

__all__ = [
    "JUDGED",
    "LARGEST_LEVEL",
    "LARGEST_WEIGHT",
    "MOST_HELD",
    "MOST_JUDGED",
    "SMOOTHINGS",
    "DetectorState",
    "Judge",
    "detector_of",
    "held",
    "smoothed",
]

#: What the numbers that a window's forecast is compared with are called among a model's values.
JUDGED = "judged"
#: Most numbers that a window's forecast is compared with.
MOST_JUDGED = 256
#: A level in fractions of a step: with a weight, one product of a DSP.
LARGEST_LEVEL = (1 << 24) - 1
LARGEST_WEIGHT = 255
#: Most windows that a flag stays up.
MOST_HELD = 65535
#: Smoothings that a detector may have: a level goes 2**-smoothing of the way to a residual.
SMOOTHINGS = range(16)


@dataclass(kw_only=True)
class DetectorState:
    """What a detector remembers of the windows since its reset; of none, unless given.

    Parameters
    ----------
    levels : int64 [numbers]; smoothed residuals.
    left : windows for which the flag stays up.
    """

    levels: np.ndarray | None = None
    left: int = 0


def smoothed(
    residuals: np.ndarray, shift: int, state: DetectorState, *, absolute: bool
) -> np.ndarray:
    """Return the magnitudes of levels, int64 [windows, numbers], in 2**-shift of a step.

    Each window moves a level by ``2**-shift`` of the way to its residual, or to the residual's
    magnitude with ``absolute``, rounded half up. Levels begin at 0 and stay in ``state``.
    """
    aims = (np.abs(residuals) if absolute else residuals).astype(np.int64) << shift
    half = (1 << shift) >> 1
    level = np.zeros(aims.shape[1:], np.int64) if state.levels is None else state.levels
    found = np.empty_like(aims)
    for place, aim in enumerate(aims):
        level = level + ((aim - level + half) >> shift)
        found[place] = level
    state.levels = level
    return np.abs(found)


def held(over: np.ndarray, hold: int, state: DetectorState) -> np.ndarray:
    """Return flags, int64 [windows], that stay up for ``hold`` windows after the last ``over``."""
    found = np.empty(len(over), np.int64)
    left = state.left
    for place, above in enumerate(over):
        found[place] = above or left > 0
        left = hold if above else max(0, left - 1)
    state.left = left
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge(Operation):
    """1 where what came is too far from ``x``, window after window, else 0.

    ``x`` [1, numbers], or [targets, numbers of each], is a forecast of the numbers that are judged,
    or a reconstruction of them; they come with the window at the input's scale, row by row. ``y``
    [1, 1] is the flag, at scale 1. With ``e`` the smaller of both exponents, and levels and
    ``left`` 0 at the reset, a window makes

        residual = judged * 2**(e_input - e) - (x - zero) * 2**(e_x - e)
        level   += (residual * 2**smoothing - level + 2**(smoothing - 1)) >> smoothing
        score    = sum of weight * abs(level)

    with ``abs(residual)`` in the place of ``residual`` if ``absolute``. The flag is up where the
    score is above ``threshold``, and for ``hold`` windows after the last such one. Nothing wraps or
    saturates. Nothing is requantized: ``shift`` is 0.
    """

    at_output: ClassVar[bool] = True

    x: str
    shift: int = 0
    smoothing: int
    threshold: int
    hold: int = 0
    absolute: bool = False
    weight: np.ndarray = field(repr=False)

    @property
    def reads(self):
        return (self.x,)

    @property
    def absorbs(self):
        return (self.x,)

    def stored_bits(self):
        bits = LARGEST_WEIGHT.bit_length() * self.weight.size
        return {"scales": bits + self.threshold.bit_length() + self.hold.bit_length()}

    def multiplier_bound(self, tensors: Tensors) -> int:
        return 1

    def multiplicand_bound(self, tensors: Tensors, norm_bits: int) -> int:
        return 1

    def shifts(self, tensors: Tensors) -> tuple[int, int]:
        """Return the left shifts that give what is judged, and ``x``, the finer scale of both."""
        exponents = tensors["input"].exponent, tensors[self.x].exponent
        finer = min(exponents)
        return exponents[0] - finer, exponents[1] - finer

    def residual_bound(self, tensors: Tensors) -> int:
        """Return the largest magnitude of a residual."""
        spec, x = tensors["input"], tensors[self.x]
        by, by_x = self.shifts(tensors)
        above = (spec.high << by) - ((x.low - x.zero) << by_x)
        below = (spec.low << by) - ((x.high - x.zero) << by_x)
        return max(above, -below)

    def score_bound(self, tensors: Tensors) -> int:
        """Return the largest score."""
        return (self.residual_bound(tensors) << self.smoothing) * int(self.weight.sum())

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        x, y = tensors[self.x], tensors[self.y]
        numbers = x.rows * x.features
        if numbers > MOST_JUDGED or (x.rows > 1 and self.weight.size != numbers):
            fail(where, "x", f"one row of 1 to {MOST_JUDGED} numbers", f"of shape {x.shape}")
        check_shape(where, "y", y.shape, (1, 1))
        for name, must in (("exponent", 0), ("zero", 0)):
            if getattr(y, name) != must:
                fail(where, f"{name} of y", f"{must}, of a flag", getattr(y, name))
        if self.shift:
            fail(where, "shift", "0, as nothing is requantized", self.shift)
        if self.smoothing not in SMOOTHINGS:
            fail(where, "smoothing", f"0 to {SMOOTHINGS[-1]}", self.smoothing)
        if not 0 <= self.hold <= MOST_HELD:
            fail(where, "hold", f"0 to {MOST_HELD} windows", self.hold)
        check_array(where, "weight", self.weight, (numbers,), 0, LARGEST_WEIGHT)
        level = self.residual_bound(tensors) << self.smoothing
        if level > LARGEST_LEVEL:
            small = f"so small, beside the scales of {self.x} and of the input, that a level is at"
            fail(where, "smoothing", f"{small} most {LARGEST_LEVEL}", f"{self.smoothing}: {level}")
        largest = self.score_bound(tensors)
        if not 0 <= self.threshold <= largest:
            fail(where, "threshold", f"0 to {largest}, the largest score", self.threshold)

    def residuals(self, values: Values, tensors: Tensors) -> np.ndarray:
        """Return what is judged less ``x``, int64 [batch, numbers], at the finer of their scales.

        ``values`` has what is judged, [batch, 1, numbers], as :data:`JUDGED`.
        """
        by, by_x = self.shifts(tensors)
        x = values[self.x] - tensors[self.x].zero
        rows = x.reshape(len(x), 1, -1)  # of several targets, one after the other
        return ((values[JUDGED] << by) - (rows << by_x))[:, 0]

    def score(self, residuals: np.ndarray, state: DetectorState) -> np.ndarray:
        """Return the scores, int64 [windows], of residuals in the order of time."""
        return smoothed(residuals, self.smoothing, state, absolute=self.absolute) @ self.weight

    def flags(self, values: Values, tensors: Tensors, state: DetectorState) -> np.ndarray:
        """Return flags, int64 [batch, 1, 1], of windows in the order of time, after ``state``."""
        over = self.score(self.residuals(values, tensors), state) > self.threshold
        return held(over, self.hold, state)[:, None, None]

    def compute(self, values: Values, tensors: Tensors) -> Step:
        return self.flags(values, tensors, DetectorState()), 1, 0


def detector_of(operations: Sequence[Operation]) -> Judge | None:
    """Return the detector that ends ``operations``; None where they end otherwise."""
    last = operations[-1]
    return last if isinstance(last, Judge) else None
