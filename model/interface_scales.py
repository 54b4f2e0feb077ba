"""The scales of what comes in and goes out: ranges of a sensor, not of its training rows.

A window's last step is subtracted exactly, in the words of the input; only the difference is
narrowed. So levels that no training row had are forecast as well as any, as long as the words of
the input, of the output and of the difference hold them. Their scales do not learn.

The rule, for words of more than :data:`FINE_BITS` bits. Magnitudes are distances to the training
rows' mean (differences: to 0), and scales are powers of two:

* they cover :data:`HEADROOM` times the largest magnitude of the training rows;
* where a step would then be more than 1 / :data:`STEPS_IN_CHANGE` of the typical (median) change
  from a row to the next, they cover less, but no less than :data:`LEAST_HEADROOM` times;
* a step is never coarser than that of :data:`FINE_BITS` bits fitted to the training rows, nor finer
  than that of their own bits fitted to them.

Words of no more bits are fitted to the training rows, with the least squared error. A range that is
asked for is covered, whatever the bits, and no more than the power of two above it.

Of several columns, all are covered, and the finest step that one needs is kept. Where the last
value is added back, the output covers what the input does, as far as its own step allows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bitformer.model.errors import UserError
from bitformer.model.fake_quant import LARGEST_EXPONENT
from bitformer.model.ranges import best_exponent, covering_exponent
from bitformer.model.sensor_range import Asked

__all__ = [
    "FINE_BITS",
    "HEADROOM",
    "LEAST_HEADROOM",
    "STEPS_IN_CHANGE",
    "Words",
    "delta_exponent",
    "input_exponent",
    "output_exponent",
]

#: Bits that suffice for the training rows: what a word has beyond them may become headroom.
FINE_BITS = 11
HEADROOM, LEAST_HEADROOM = 16, 4
STEPS_IN_CHANGE = 4


@dataclass(frozen=True, kw_only=True)
class Words:
    """The integers ``low`` to ``high`` that a word stands for."""

    low: int
    high: int

    @classmethod
    def of(cls, bits: int) -> "Words":
        """Return signed words of ``bits`` bits."""
        return cls(low=-(1 << (bits - 1)), high=(1 << (bits - 1)) - 1)

    @property
    def bits(self) -> int:
        """Their width."""
        return self.high.bit_length() + 1

    def fitted(self, values: Tensor) -> int:
        """Return the exponent with the least squared error of ``values``."""
        return int(best_exponent(values.reshape(1, -1), self.low, self.high))

    def covering(self, *values: float) -> int:
        """Return the smallest exponent at which none of ``values`` is clamped."""
        return int(
            covering_exponent(torch.tensor([values], dtype=torch.float64), self.low, self.high)
        )


@dataclass(frozen=True, kw_only=True)
class _Need:
    """Exponents that a column, or several together, would have the words of.

    ``finest`` and ``change`` are upper limits, ``least`` is a lower one, ``most`` is wanted.
    """

    finest: int
    change: int
    least: int
    most: int

    @classmethod
    def of(cls, words: Words, values: Tensor, series: Tensor) -> "_Need":
        """Return what a column needs: all its ``values``, and some of them row by row."""
        largest = float(values.abs().max())
        changes = series.diff().abs()
        changes = changes[changes > 0]
        change = LARGEST_EXPONENT
        if len(changes):
            change = math.frexp(float(changes.median()) / STEPS_IN_CHANGE)[1] - 1
        return cls(
            finest=Words.of(FINE_BITS).fitted(values),
            change=change,
            least=words.covering(-LEAST_HEADROOM * largest, LEAST_HEADROOM * largest),
            most=words.covering(-HEADROOM * largest, HEADROOM * largest),
        )

    @classmethod
    def together(cls, needs: Sequence["_Need"]) -> "_Need":
        """Return what all of ``needs`` ask of one exponent."""
        return cls(
            finest=min(need.finest for need in needs),
            change=min(need.change for need in needs),
            least=max(need.least for need in needs),
            most=max(need.most for need in needs),
        )

    def exponent(self, fitted: int, *, least: int = -LARGEST_EXPONENT) -> int:
        """Return the exponent, given the one that is fitted to the values.

        ``least`` : the smallest one that is wanted for another reason.
        """
        wanted = max(self.least, min(self.most, self.change), least)
        return max(fitted, min(self.finest, wanted))


def _asked_exponent(words: Words, asked: tuple[float, float]) -> int:
    """Return the exponent that covers ``asked``; refuse steps that are coarser than a deviation."""
    exponent = words.covering(*asked)
    if exponent > 0:
        raise UserError(
            f"a range must lie within {words.high} standard deviations of the training rows' mean"
            f" for words of {words.bits} bits: ask for a narrower range, or for more bits"
            " (input_bits and output_bits of the configuration)"
        )
    return exponent


def input_exponent(words: Words, x: Tensor, asked: Sequence[Asked] = ()) -> int:
    """Return the exponent of the input of ``words``, by the rule above.

    ``x`` [N, window, inputs] : training windows in their order, standardised. ``asked`` : a range
    for each column, or nothing. Raises :class:`UserError` for a range that is too wide.
    """
    asked = tuple(asked) or (None,) * x.shape[-1]
    free = [column for column, one in enumerate(asked) if one is None]
    exponents = [_asked_exponent(words, one) for one in asked if one is not None]
    if free:
        exponents.append(_free_exponent(words, [(x[..., n], x[:, -1, n]) for n in free]))
    return max(exponents)


def _free_exponent(
    words: Words, columns: Sequence[tuple[Tensor, Tensor]], *, least: int = -LARGEST_EXPONENT
) -> int:
    """Return the exponent of columns, each (values, some of them row by row), by the rule above."""
    fitted = words.fitted(torch.cat([values.reshape(-1) for values, _ in columns]))
    if words.bits <= FINE_BITS:
        return fitted
    # a constant column needs nothing
    needs = [_Need.of(words, *column) for column in columns if bool(column[0].any())]
    return _Need.together(needs).exponent(fitted, least=least) if needs else fitted


def output_exponent(
    words: Words,
    y: Tensor,
    asked: Sequence[Asked] = (),
    *,
    added: tuple[float, float] | None = None,
) -> int:
    """Return the exponent of the output of ``words``, by the rule above.

    ``y`` [N, targets * horizon] : training targets in their order, standardised, one after the
    other. ``asked`` : a range for each target, or nothing, of one target. ``added`` : lowest and
    highest value of the input, if its last one is added back. Raises :class:`UserError` for a range
    that is too wide.
    """
    asked = tuple(asked) or (None,)
    columns = y.chunk(len(asked), dim=1)
    exponents = [_asked_exponent(words, one) for one in asked if one is not None]
    free = [column for column, one in zip(columns, asked, strict=True) if one is None]
    if free:
        least = -LARGEST_EXPONENT if added is None else words.covering(*added)
        exponents.append(_free_exponent(words, [(one, one[:, 0]) for one in free], least=least))
    return max(exponents)


def delta_exponent(words: Words, x: Tensor, exponent: int, widest: float, *, patch: int = 0) -> int:
    """Return the exponent of the differences of ``x`` [N, window, inputs] to its last step.

    With a ``patch``, of each patch to the step before it. It is at least ``exponent``, the input's,
    as a difference is stored no finer. ``widest`` : largest magnitude of a difference that the
    input's words allow.
    """
    delta = x - x[:, -1:]
    if patch:
        patches = x.unflatten(1, (-1, patch))
        delta = (patches[:, 1:] - patches[:, :-1, -1:]).flatten(1, 2)
    columns = [(delta[..., n], x[:, -1, n]) for n in range(x.shape[-1])]
    most = words.covering(-widest, widest)
    return max(exponent, min(most, _free_exponent(words, columns)))
