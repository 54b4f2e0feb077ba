"""Products in LUTs: rows of an activation are added to the product, level by level."""

from itertools import pairwise, product

import pytest

from bitformer.hw.lut_rows import (
    ProductCost,
    RowSum,
    ahead,
    levels_of,
    product_cost,
    rows_of,
)

BITS = range(1, 13)
TERMS = (2, 3)


def bits_of(low, high):
    """Bits of a signed number that holds both."""
    return next(n for n in range(1, 99) if -(1 << n - 1) <= low and high < 1 << n - 1)


@pytest.mark.parametrize("bits", BITS)
def test_rows_make_every_weight(bits):
    rows = rows_of(bits)
    assert [row.shift for row in rows] == [*range(bits)]
    assert [row.subtracted for row in rows] == [False] * (bits - 1) + [True]
    for weight in range(-(1 << bits - 1), 1 << bits - 1):
        # a row's bit, or the negative of the sign's
        found = [(weight >> row.shift & 1) * (-1 if row.subtracted else 1) for row in rows]
        assert all(row.low <= n <= row.high for row, n in zip(rows, found, strict=True))
        assert sum(n << row.shift for row, n in zip(rows, found, strict=True)) == weight
    assert {(row.low, row.high) for row in rows} <= {(0, 1), (-1, 0)}


@pytest.mark.parametrize(("bits", "terms"), [*product(BITS, TERMS)])
def test_levels_leave_what_the_accumulator_adds(bits, terms):
    levels = levels_of(bits, terms)
    counts = [bits, *(len(groups) for groups in levels)]
    for groups, before in zip(levels, counts, strict=False):
        assert sum(groups) == before
        assert groups == sorted(groups, reverse=True)
        assert set(groups) <= {1, 2, terms}
    assert counts[-1] <= terms - 1
    assert all(before > terms - 1 for before in counts[:-1])
    assert all(after < before for before, after in pairwise(counts))


def fewest_levels(numbers, terms):
    """The fewest levels that leave ``terms`` - 1 numbers: each of these holds ``terms`` of one."""
    return next(n for n in range(9) if numbers <= (terms - 1) * terms**n)


@pytest.mark.parametrize(("bits", "terms"), [*product(BITS, TERMS)])
def test_there_are_as_few_levels_as_can_be(bits, terms):
    assert len(levels_of(bits, terms)) == fewest_levels(bits, terms)
    assert ahead(bits, terms) == fewest_levels(bits, terms) - 1


def test_groups_of_a_level():
    """Threes first; a two only where it ends it; nothing is added that need not be."""
    assert levels_of(3, 3) == [[2, 1]]
    assert levels_of(4, 3) == [[3, 1]]
    assert levels_of(5, 3) == [[3, 2]]
    assert levels_of(7, 3) == [[3, 3, 1], [2, 1]]
    assert levels_of(5, 2) == [[2, 2, 1], [2, 1], [2]]
    assert levels_of(1, 2) == levels_of(2, 3) == []


@pytest.mark.parametrize(("weight", "activation"), [*product(range(2, 9), (1, 4, 8))])
def test_a_sum_of_rows_has_the_bits_of_all_its_values(weight, activation):
    rows = rows_of(weight)
    for first, last in product(range(weight), repeat=2):
        if last < first:
            continue
        total = RowSum.of(rows[first : last + 1])
        parts = range(1 << last - first + 1)
        if last == weight - 1:
            half = 1 << last - first
            parts = range(-half, half)
        assert (total.shift, total.low, total.high) == (first, min(parts), max(parts))
        assert not total.subtracted or first == last
        x = (-(1 << activation - 1), (1 << activation - 1) - 1)
        values = [a * b for a in (parts[0], parts[-1]) for b in x]
        assert total.bits(activation) == bits_of(min(values), max(values))


def costs(weight, activation, total, terms):
    """LUTs and flip-flops, counted sum by sum."""
    numbers, luts, ffs = [(n, [n]) for n in range(weight)], 0, weight * activation
    x = (-(1 << activation - 1), (1 << activation - 1) - 1)
    for groups in levels_of(weight, terms):
        left = []
        for count in groups:
            own, numbers = numbers[:count], numbers[count:]
            places = [place for _, part in own for place in part]
            if count > 1:
                weights = [sum(1 << p - places[0] for p in places if p != weight - 1)]
                lows = [-(1 << weight - 1 - places[0]) if weight - 1 in places else 0]
                ends = [w * b for w in weights + lows for b in x]
                bits = bits_of(min(ends), max(ends))
                # bits that only the lowest number has are not added
                luts += bits - (own[1][0] - own[0][0])
                ffs += bits
            left.append((places[0], places))
        numbers = left
    return ProductCost(luts + total, ffs + total)


@pytest.mark.parametrize(
    ("weight", "activation", "terms"), [*product((1, 2, 3, 4, 6, 8), (3, 8), TERMS)]
)
def test_costs(weight, activation, terms):
    for total in (12, 20):
        assert product_cost(weight, activation, total, terms) == costs(
            weight, activation, total, terms
        )
