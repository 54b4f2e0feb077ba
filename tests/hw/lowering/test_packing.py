# amaranth: UnusedElaboratable=no
"""Two products in a multiplier with an 18-bit port: exact where lowering allows them."""

import functools
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from design_strategies import configs
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.lowering import packing as packing_module
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.packing import choose_packing, product_bits
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.widths import signed_value
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

PORTS = ECP5.multiplier
PORT = PORTS.long_bits


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


@dataclass(frozen=True, kw_only=True)
class Product:
    """As much of a matrix operation as its packing depends on; ``key``: of what is written."""

    width: int
    dot: int = 1
    total: int = 1
    term: int = 1
    macs: int = 1
    operand: int = 8
    key: bool = False
    narrow: bool = True


def packing_of(products, *, columns=4, single=(), multiplier=PORTS, allowed=True):
    """The packing of such operations, named by their numbers."""

    def of(*fields):
        return np.array([[[getattr(one, name) for name in fields] for one in products]])

    keys = [one for one in products if one.key]
    operations = [
        SimpleNamespace(
            y=str(n), weights_from="k" if one.key else None, macs=lambda _, one=one: one.macs
        )
        for n, one in enumerate(products)
    ]

    class Models:
        first = SimpleNamespace(tensors={})
        matrix_operations = operations
        kept = keys
        weight_widths = of("width")[..., 0]
        operand_bits = of("operand")[..., 0]
        dynamic_bits = np.array([max((one.width for one in keys), default=0)])
        bounds = of("dot", "total")
        terms = of("term")[..., 0]

        def __len__(self):
            return 1

        def tensor_values(self, names, field="width"):
            values = [getattr(one, "width" if field == "bits" else field) for one in names]
            return np.array([values], dtype=np.int64)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing_module, "_pairable", lambda model: True)
        return choose_packing(Models(), columns, allowed, multiplier, frozenset(single))[0]


def packed(products, **options):
    return [*packing_of(products, **options).packed.values()]


HALF = 4
#: Of a port of 18 bits the low sum's, where weights have four.
FIELD = 18 - HALF


@pytest.mark.parametrize(
    ("fits", "beyond"),
    [
        # the low sum in its field, and both in the port
        ({"dot": (1 << FIELD - 1) - 1}, {"dot": 1 << FIELD - 1}),
        ({"total": (1 << 17) - 1}, {"total": 1 << 17}),
    ],
)
def test_an_operation_packs_as_far_as_its_sums_fit(fits, beyond):
    found = packing_of([Product(width=HALF, **fits), Product(width=HALF, **beyond)])
    assert [*found.packed.values()] == [True, False]
    assert (found.half_bits, found.shift, found.dynamic, found.apart) == (HALF, FIELD, False, False)
    # with an odd number of columns all or none
    assert packed([Product(width=HALF, **fits), Product(width=HALF, **beyond)], columns=5) == [
        False,
        False,
    ]
    assert packed([Product(width=HALF, **fits)] * 2, columns=5) == [True, True]
    assert packed([Product(width=HALF, **fits)] * 2, allowed=False) == [False, False]
    assert packed([Product(width=HALF, **fits)] * 2, single=("1",)) == [True, False]


def test_a_shorter_weight_goes_into_a_longer_ones_place():
    few, many = Product(width=2, macs=5), Product(width=6, macs=6)
    found = packing_of([few, many])
    assert (found.half_bits, [*found.packed.values()]) == (6, [True, True])
    # where the longer one's field is too short for a sum, what covers most
    long = replace(few, dot=1 << 12, macs=7)
    found = packing_of([long, many])
    assert (found.half_bits, [*found.packed.values()]) == (2, [True, False])
    found = packing_of([replace(long, macs=5), many])
    assert (found.half_bits, [*found.packed.values()]) == (6, [False, True])
    # a weight of one bit is a number of two
    assert packing_of([Product(width=1)]).half_bits == 2


@pytest.mark.parametrize(
    ("narrow", "key", "weight", "shift"),
    [(True, 4, 4, 14), (False, 4, 4, 13), (False, 3, 4, 14), (False, 3, 3, 14), (True, 5, 4, 14)],
)
def test_keys_pack_all_or_none(narrow, key, weight, shift):
    """A key of as many bits that is not narrow takes one of the field."""
    keys = [Product(width=key, key=True, narrow=narrow)] * 2
    products = [Product(width=weight), *keys]
    if (key, weight) == (3, 3):
        shift = 18 - 3 - 1
    found = packing_of(products)
    if key > weight:
        assert (found.half_bits, found.shift, found.dynamic) == (key, 18 - key, True)
        return
    assert (found.dynamic, found.half_bits, found.shift) == (True, weight, shift)
    assert all(found.packed.values())
    # one that does not fit leaves out the other
    beyond = [*products[:2], replace(keys[0], dot=1 << shift - 1)]
    found = packing_of(beyond)
    assert (found.dynamic, [*found.packed.values()]) == (False, [True, False, False])
    assert found.shift == 18 - weight


APART = replace(PORTS, apart=True)


def test_sums_apart_need_room_for_one_product():
    long = Product(width=HALF, dot=1 << 20, total=(1 << 17) - 1)
    assert not packing_of([long]).apart
    found = packing_of([replace(long, term=(1 << FIELD - 1) - 1)], multiplier=APART)
    assert (found.apart, found.packed) == (True, {"0": True})
    # the low sum has 22 bits, of which 14 are its field
    assert (found.shift, found.extension) == (FIELD, 22 - FIELD)
    assert packed([replace(long, term=1 << FIELD - 1)], multiplier=APART) == [False]
    # where all sums fit their fields they are kept together
    short = packing_of([Product(width=HALF, dot=(1 << FIELD - 1) - 1)], multiplier=APART)
    assert (short.apart, short.extension) == (False, 0)
    both = packing_of([long, Product(width=HALF, dot=1 << 30, key=True)], multiplier=APART)
    assert (both.apart, both.extension) == (True, 32 - FIELD)


@pytest.mark.parametrize(("macs", "so"), [(10, True), (11, False)])
def test_where_multipliers_are_few_half_of_all_must_pack(macs, so):
    products = [Product(width=HALF, macs=10), Product(width=HALF, total=1 << 17, macs=macs)]
    assert packed(products, multiplier=APART) == [so, False]
    assert packed(products) == [True, False]


@pytest.mark.parametrize(("operand", "half"), [(10, 2), (11, 4)])
def test_what_columns_of_luts_multiply_counts_half_as_much_again(operand, half):
    """Of 20 bits and fewer: 3 for each of 8 products, or 2 for each of 8 and of 3 more."""
    soft = replace(PORTS, soft=20)
    products = [
        Product(width=2, macs=8, dot=1 << FIELD - 1, operand=operand),
        Product(width=4, macs=11, operand=16),
    ]
    assert packing_of(products, multiplier=soft).half_bits == half
    # keys are in no column of LUTs
    assert packing_of(products).half_bits == 4


HALVES = replace(ICE40UP.multiplier, soft=0)


def test_halves_of_a_multiplier_make_what_no_field_holds():
    """Both sums are of one mode, and every number has 8 bits or fewer there."""
    wide = Product(width=8, dot=1 << 14, total=(1 << 15) - 1, term=1 << 14)
    found = packing_of([wide], multiplier=HALVES)
    assert (found.halves, found.apart, found.packed) == (True, True, {"0": True})
    assert (found.half_bits, found.shift, found.extension) == (8, 16, 0)
    for changes in ({"width": 9}, {"operand": 9}, {"total": 1 << 15}):
        assert not packing_of([replace(wide, **changes)], multiplier=HALVES).halves
    assert not packing_of([wide], multiplier=HALVES, single=("0",)).halves
    assert not packing_of([wide], multiplier=replace(HALVES, half_bits=0)).halves
    # where a field holds them all that is as good, and needs no other mode
    assert not packing_of([replace(wide, width=4, dot=9, term=9)], multiplier=HALVES).halves
    # keys go in pairs if all of them may
    keys = [replace(wide, key=True)] * 2
    found = packing_of([wide, *keys], multiplier=HALVES)
    assert (found.dynamic, all(found.packed.values())) == (True, True)
    keys[1] = replace(keys[1], total=1 << 15)
    found = packing_of([replace(wide, macs=2), *keys], multiplier=HALVES)
    assert (found.halves, found.dynamic) == (True, False)
    assert [*found.packed.values()] == [True, False, False]
    odd = packing_of([wide, replace(wide, total=1 << 15)], multiplier=HALVES, columns=5)
    assert not any(odd.packed.values())
    alone = packing_of([wide, wide], multiplier=HALVES, columns=5)
    assert (alone.halves, alone.dynamic) == (True, False)


@pytest.mark.parametrize(("apart", "pair", "alone"), [(False, 10 + 1 + 15, 11), (True, 25, 11)])
def test_an_accumulator_of_a_pair_has_a_borrow_of_the_other(apart, pair, alone):
    dots = np.array([1023, 1023, 512])
    found = product_bits(dots, np.array([True, False, False]), 14, apart=apart)
    assert found.tolist() == [pair, alone, 11]
