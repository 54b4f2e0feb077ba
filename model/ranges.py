"""Where scales start: powers of two from values, by least squared error or by their extremes.

For arrays [rows, values] each row has a scale of its own.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from bitformer.model.fake_quant import nearest_power, power_of_two, round_half_up
from bitformer.model.power_of_two import edge
from bitformer.model.precision import POWER_OF_TWO, UNIFORM

__all__ = ["best_exponent", "best_offset", "covering_exponent", "weight_exponent"]

_SPAN = 8
_SMALLEST = 2.0**-20


def covering_exponent(x: Tensor, low: float, high: float) -> Tensor:
    """Return the smallest exponent of each row of ``x`` that clamps nothing, int64 [rows]."""
    x = x.detach().to(torch.float64)
    # what is less than half a step above the highest, or at most that below the lowest, is kept
    above = torch.frexp((x.amax(dim=1) / (high + 0.5)).clamp(min=_SMALLEST)).exponent
    mantissa, below = torch.frexp((x.amin(dim=1) / (low - 0.5)).clamp(min=_SMALLEST))
    return torch.maximum(above, below - (mantissa == 0.5).to(below)).to(torch.int64)


def best_exponent(x: Tensor, low: int, high: int, *, span: int = _SPAN) -> Tensor:
    """Return the exponent of each row of ``x`` with the least mean squared error, int64 [rows].

    Tries the smallest exponent that clamps nothing and the ``span`` below it.
    """
    covering = covering_exponent(x, low, high)
    return _least_error(x, covering, _within(low, high), span)


def _within(low: int, high: int) -> Callable[[Tensor], Tensor]:
    """Return what rounds steps to whole ones from ``low`` to ``high``."""
    return lambda steps: round_half_up(steps).clamp(low, high)


def _least_error(
    x: Tensor, largest: Tensor, rounded: Callable[[Tensor], Tensor], span: int = _SPAN
) -> Tensor:
    """Return the exponent of least squared error of ``largest`` and the ``span`` below it."""
    x = x.detach().to(torch.float64)
    best, least = largest, torch.full_like(x[:, 0], torch.inf)
    for step in range(span + 1):
        exponent = largest - step
        error = _error(x, exponent, rounded)
        best = torch.where(error < least, exponent, best)
        least = torch.minimum(error, least)
    return best


def _error(x: Tensor, exponent: Tensor, rounded: Callable[[Tensor], Tensor]) -> Tensor:
    scale = power_of_two(exponent)[:, None]
    return (scale * rounded(x / scale) - x).square().mean(dim=1)


def best_offset(x: Tensor, low: int, high: int, *, cover: bool) -> tuple[int, float]:
    """Return the exponent and the real offset by which the numbers ``low`` to ``high`` are moved.

    With ``cover``, the offset is the middle of all values and the exponent clamps nothing; else the
    pair has the least squared error of those that reach the middle, the lower or the upper end.
    """
    x = x.detach().to(torch.float64).reshape(1, -1)
    least, most = float(x.min()), float(x.max())
    middle = (least + most) / 2
    half = (high - low) / 2
    largest = int(covering_exponent(x - middle, low, high))
    if cover:
        return largest, _reachable(middle, largest, low, high)
    candidates = []
    for exponent in range(largest, largest - _SPAN - 1, -1):
        width = half * 2.0**exponent
        for wanted in (0.0, middle, least + width, most - width):
            offset = _reachable(wanted, exponent, low, high)
            zero = round(-offset * 2.0**-exponent)
            error = float(_error(x, torch.tensor([exponent]), _within(low - zero, high - zero)))
            candidates.append((error, -exponent, abs(offset), offset))
    _, exponent, _, offset = min(candidates)
    return -exponent, offset


def _reachable(offset: float, exponent: int, low: int, high: int) -> float:
    """Return ``offset``, limited so that 0 remains one of the numbers."""
    scale = 2.0**exponent
    return min(max(round(offset / scale), -high), -low) * scale


def weight_exponent(
    weight: Tensor, bits: int, *, ranges: str, per_tensor: bool, scheme: str = UNIFORM
) -> Tensor:
    """Return the exponent of each channel of ``weight`` [out, in], or of all, int64 [out or 1].

    The least squared error is that of the numbers of ``scheme``. One bit takes it for all
    ``ranges``: -1 and 1 have no extremes.
    """
    rows = weight.detach().to(torch.float64)
    rows = rows.reshape(1, -1) if per_tensor else rows
    if bits == 1:
        mean = rows.abs().mean(dim=1).clamp(min=_SMALLEST)
        lower = torch.frexp(mean).exponent.to(torch.int64) - 1  # 2**lower <= mean
        scale = power_of_two(lower)
        # the squared error of s is s^2 - 2 s mean and a constant
        return torch.where(3 * scale < 2 * mean, lower + 1, lower)
    if scheme == POWER_OF_TWO:
        kept = edge(bits) - 0.5
        covering = covering_exponent(rows, -kept, kept)
        if ranges != "learned":
            return covering
        return _least_error(rows, covering, lambda steps: nearest_power(steps, bits))
    limit = (1 << (bits - 1)) - 1
    if ranges == "learned" or bits == 2:
        return best_exponent(rows, -limit, limit)
    return covering_exponent(rows, -limit, limit)
