"""How a product is made in LUTs: rows of the activation, one for each bit of the weight, are added.

What the units make and what lowering counts on: levels, widths, LUTs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bitformer.hw.timing import ACCUMULATE
from bitformer.hw.widths import signed_bits

__all__ = ["MOST_BITS", "ProductCost", "RowSum", "ahead", "levels_of", "product_cost", "rows_of"]

#: Bits of a weight times bits of an activation, at most, where columns of LUTs are asked for.
MOST_BITS = 64


@dataclass(frozen=True)
class RowSum:
    """Some of a weight's bits times the activation.

    ``shift`` is the place of the lowest bit, ``low`` and ``high`` the least and the greatest value
    of these bits in units of it; ``subtracted`` : it is the row of the sign, which counts as its
    negative.
    """

    shift: int
    low: int
    high: int
    subtracted: bool = False

    @classmethod
    def of(cls, numbers: "Sequence[RowSum]") -> "RowSum":
        """Return the sum of numbers, lowest first."""
        shift = numbers[0].shift
        low = sum(one.low << one.shift - shift for one in numbers)
        return cls(shift, low, sum(one.high << one.shift - shift for one in numbers))

    def bits(self, activation_bits: int) -> int:
        """Return the width of the sum, with its sign."""
        least, most = -(1 << activation_bits - 1), (1 << activation_bits - 1) - 1
        ends = [factor * x for factor in (self.low, self.high) for x in (least, most)]
        return signed_bits(min(ends), max(ends))


def rows_of(weight_bits: int) -> list[RowSum]:
    """Return the rows of a weight, that of its sign last."""
    rows = [RowSum(place, 0, 1) for place in range(weight_bits - 1)]
    return [*rows, RowSum(weight_bits - 1, -1, 0, subtracted=True)]


def levels_of(bits: int, terms: int) -> list[list[int]]:
    """Return how the rows of a weight of ``bits`` bits are added, level by level.

    Each level is a list of how many numbers go together, lowest first. A sum of ``terms`` numbers
    takes no more than one of two; the accumulator adds what the last level leaves to itself.
    """
    levels, left = [], bits
    while left > terms - 1:
        groups = _groups(left, terms)
        levels.append(groups)
        left = len(groups)
    return levels


def _groups(numbers: int, terms: int) -> list[int]:
    """Return how many of so many numbers go together, to leave ``terms - 1`` of them soon."""
    need = numbers - (terms - 1)
    threes = min(need // 2, numbers // 3) if terms == 3 else 0
    need, rest = need - 2 * threes, numbers - 3 * threes
    # a sum of two that does not end it would be one level more for what a sum of three takes along
    twos = min(need, rest // 2) if terms == 2 or need == 1 else 0
    return [3] * threes + [2] * twos + [1] * (rest - 2 * twos)


def ahead(bits: int, terms: int) -> int:
    """Return the cycles by which a column's activation must come before that of a multiplier.

    Weights are of ``bits`` bits; below 0, it may come as much later.
    """
    return 2 + len(levels_of(bits, terms)) - ACCUMULATE


class ProductCost(NamedTuple):
    """LUTs and flip-flops of a product a cycle and its sum."""

    luts: int
    ffs: int


def product_cost(weight_bits: int, activation_bits: int, sum_bits: int, terms: int) -> ProductCost:
    """Return what a product a cycle and its sum take: a LUT for each bit that is added.

    Bits that only the lowest of some numbers has take none. That is without the delay of the
    weight, which comes when its column's activation does.
    """
    numbers, luts, ffs = rows_of(weight_bits), 0, weight_bits * activation_bits
    for groups in levels_of(weight_bits, terms):
        found, taken = [], 0
        for count in groups:
            own = numbers[taken : taken + count]
            taken += count
            if count == 1:
                found += own
                continue
            total = RowSum.of(own)
            bits = total.bits(activation_bits)
            luts, ffs = luts + bits - (own[1].shift - own[0].shift), ffs + bits
            found.append(total)
        numbers = found
    return ProductCost(luts + sum_bits, ffs + sum_bits)
