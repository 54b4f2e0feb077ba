# amaranth: UnusedElaboratable=no
"""Two products in a multiplier with an 18-bit port: exact where lowering allows them."""

import functools

import pytest
from design_strategies import configs
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.widths import signed_value
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

PORT = ECP5.multiplier.long_bits


@functools.cache
def engine(half, shift):
    return MatrixEngine(
        columns=1,
        column_bits=2 * half,
        operand_bits=18,
        pack_shift=shift,
        half_bits=half,
        always_packed=True,
        product_bits=48,
        multiplier=ECP5.multiplier,
    )


def pair_of_sums(half, shift, x, pairs):
    """Both sums as the post-processor takes them out of a packed accumulator."""
    words = [(low & (1 << half) - 1) | (high & (1 << half) - 1) << half for low, high in pairs]
    (total,) = engine(half, shift).model(x, words, True)
    return signed_value(total, shift), (total >> shift) + (total >> shift - 1 & 1)


def limits(bits, narrow=True):
    return -(1 << bits - 1) + narrow, (1 << bits - 1) - 1


@st.composite
def dots(draw):
    """Narrow weights of some width, and activations whose low sum just fits its field, or less."""
    half = draw(st.integers(2, 7))
    shift = PORT - half
    low, high = limits(half)
    largest = (1 << shift - 1) - 1
    budget, pairs, x = largest, [], []
    for _ in range(draw(st.integers(1, 12))):
        pair = draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        most = min(budget // max(1, abs(pair[0])), (1 << 17) - 1)
        value = draw(st.sampled_from([most, -most]) | st.integers(-most, most))
        budget -= abs(value * pair[0])
        pairs.append(pair)
        x.append(value)
    return half, shift, x, pairs


@settings(max_examples=100, deadline=None)
@given(dots())
def test_sums_that_fit_their_field_are_exact(drawn):
    half, shift, x, pairs = drawn
    expected = tuple(sum(a * pair[n] for a, pair in zip(x, pairs, strict=True)) for n in (0, 1))
    assert pair_of_sums(half, shift, x, pairs) == expected


@pytest.mark.parametrize("half", range(2, 8))
def test_a_sum_a_bit_too_long_is_not(half):
    """The mutant: a distance that leaves the low sum one bit too few spoils it."""
    shift = PORT - half
    x = [1 << shift - 1]
    assert pair_of_sums(half, shift, x, [(1, 1)]) != (x[0], x[0])
    assert pair_of_sums(half, shift, [x[0] - 1], [(1, 1)]) == (x[0] - 1, x[0] - 1)


@pytest.mark.parametrize("half", range(2, 8))
def test_the_port_holds_a_narrow_pair_and_not_a_broad_one(half):
    """The lowest high weight less a borrow fits where it is narrow: else a bit less is left."""
    low = limits(half)[0]
    one = -1
    for pair, shift, exact in (
        ((one, low), PORT - half, True),
        ((one, low - 1), PORT - half, False),
        ((one, low - 1), PORT - half - 1, True),
    ):
        assert (pair_of_sums(half, shift, [1], [pair]) == pair) == exact


@settings(max_examples=15, deadline=None)
@given(configs(), st.sampled_from([2, 16, 24]))
def test_what_is_packed_is_proved(config, columns):
    """Of any model: each packed operation's bound fits its field, and its results the port."""
    model = initialize(config)
    batch = Batch.of(model)
    packing = choose_packing(batch, columns, True, ECP5.multiplier)[0]
    for y, packed in packing.packed.items():
        bound = model.bounds[y]
        if packed:
            assert packing.shift + packing.half_bits in (PORT, PORT - 1)
            assert bound.dot < 1 << packing.shift - 1
            assert bound.total < 1 << PORT - 1


def test_grid_is_packed_on_18_bits():
    packing = choose_packing(
        Batch.of(initialize(named_config("grid-12-32-4"))), 24, True, ECP5.multiplier
    )[0]
    assert (packing.half_bits, packing.shift) == (4, 14 - packing.dynamic)
    assert sum(packing.packed.values()) >= 5
