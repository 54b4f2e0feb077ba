"""Each operation's rules, by themselves: what it reads, counts, stores and can reach."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.model import numerics
from bitformer.model.operations import (
    OPERATIONS,
    Affine,
    Attend,
    Decide,
    Judge,
    LayerNorm,
    Linear,
    Operation,
    Pool,
    Residual,
    Scores,
    SlidingAttend,
    SlidingScores,
    SubtractLast,
    SubtractPreceding,
)
from bitformer.model.operations.operation import packed_bits
from bitformer.model.tensor import Tensor


def tensors(**shapes):
    """Tensors of (rows, features, bits), by name."""
    return {
        name: Tensor(name=name, rows=rows, features=features, bits=bits, exponent=0)
        for name, (rows, features, bits) in shapes.items()
    }


def integers(*values):
    return np.array(values, dtype=np.int64)


ADDED = Residual(source="r", shift=2)
LAST = Residual(source="input", shift=1, channel=1)
LASTS = Residual(source="input", shift=1, channel=(1, 0))
LINEAR = Linear(
    x="x",
    y="y",
    shift=4,
    weight=integers([1, -2, 3], [0, 1, -1]),
    weight_bits=3,
    bias=integers(5, -7),
    multiplier=integers(3, 6),
)
TENSORS = tensors(x=(2, 3, 4), y=(2, 2, 8), r=(2, 2, 6), input=(4, 2, 5))
OTHERS = {
    "subtract": SubtractLast(x="input", y="y", shift=1),
    "scores": Scores(q="q", k="k", y="y", heads=2, multiplier=9, shift=3),
    "attend": Attend(scores="s", v="v", y="y", heads=2, shift=17),
    "affine": Affine(
        x="x", y="y", shift=5, multiplier=integers(-4, 2), offset=integers(3, -9), offset_shift=2
    ),
    "norm": LayerNorm(
        x="x", y="y", shift=9, gamma=integers(-100, 7), beta=integers(1, -30), beta_shift=3
    ),
    "pool": Pool(x="x", y="y", shift=6, multiplier=21),
    "decide": Decide(x="x", y="y", margin=3),
    "flag": Judge(x="x", y="y", smoothing=2, threshold=9, hold=5, weight=integers(1, 0, 255)),
    "subtract before a patch": SubtractPreceding(x="input", y="y", shift=1, patch=2),
    "scores of the newest": SlidingScores(
        q="q",
        k="k",
        y="y",
        heads=2,
        multiplier=9,
        shift=3,
        causal=True,
        bias=integers([0, -5, 3], [7, 0, 1]),
    ),
    "attend to the newest": SlidingAttend(
        scores="s", v="v", y="y", heads=2, shift=17, causal=True, reach=3
    ),
}
ALL = {
    "linear": LINEAR,
    "linear that adds": Linear(**vars(LINEAR) | {"residual": ADDED}),
    "linear that adds the last": Linear(**vars(LINEAR) | {"residual": LAST}),
    "linear in parts": Linear(**vars(LINEAR) | {"residual": LASTS, "parts": 2}),
    **OTHERS,
}


def concrete(kind):
    """Every class below one that is an operation itself."""
    for below in kind.__subclasses__():
        yield from concrete(below)
        if not below.__abstractmethods__ and not below.__module__.startswith("test"):
            yield below


def test_every_operation_is_in_the_table_and_in_these_tests():
    kinds = {kind for kind in concrete(Operation) if kind.__module__.startswith("bitformer.")}
    # those of a stream's step are in no file: they follow from others
    kinds = {kind for kind in kinds if not kind.__module__.endswith(".rings")}
    assert {*OPERATIONS.values()} == kinds == {type(op) for op in ALL.values()}
    assert all(name == kind.__name__ for name, kind in OPERATIONS.items())


#: reads, in the weights' place, read to requantize, zero points absorbed, row added, channels
#: added, left shift of what is added; whether it is dot products, at the input, a normalisation.
PARTS = {
    "linear": (("x",), None, (), ("x",), None, (), None, True, False, False),
    "linear that adds": (("x", "r"), None, ("r",), ("x",), "r", (), 2, True, False, False),
    "linear that adds the last": (
        ("x", "input"),
        *(None, (), ("x",), None, (1,), 1, True, False, False),
    ),
    "linear in parts": (
        ("x", "input"),
        *(None, (), ("x",), None, (1, 0), 1, True, False, False),
    ),
    "subtract": (("input",), None, (), (), None, (), None, False, True, False),
    "scores": (("q", "k"), "k", (), (), None, (), None, True, False, False),
    "attend": (("s", "v"), "v", (), (), None, (), None, True, False, False),
    "affine": (("x",), None, ("x",), (), None, (), 2, False, False, False),
    "norm": (("x",), None, ("x",), (), None, (), 3, False, False, True),
    "pool": (("x",), "x", (), (), None, (), None, True, False, False),
    "decide": (("x",), None, (), (), None, (), None, False, False, False),
    "flag": (("x",), None, (), ("x",), None, (), None, False, False, False),
    "subtract before a patch": (("input",), None, (), (), None, (), None, False, True, False),
    "scores of the newest": (("q", "k"), "k", (), (), None, (), None, True, False, False),
    "attend to the newest": (("s", "v"), "v", (), (), None, (), None, True, False, False),
}


@pytest.mark.parametrize("name", ALL)
def test_parts_of_an_operation(name):
    op = ALL[name]
    parts = (op.reads, op.weights_from, op.requantizer_reads, op.absorbs, op.adds_tensor)
    parts += (op.adds_channels, op.added_shift, op.matrix, op.at_input, op.normalizes)
    assert parts == PARTS[name]
    if op.weights_from is not None:
        assert op.weights_from in op.reads
    assert op.at_output is (name in ("decide", "flag"))


def listed(values):
    return None if values is None else [np.asarray(one).tolist() for one in values]


@pytest.mark.parametrize(
    ("name", "parameters", "multipliers", "count", "bits"),
    [
        (
            "linear",
            [[5, -7], [3, 6]],
            [3, 6],
            8,
            {"weights": 6 * 3, "biases": 2 * 4, "scales": 2 * 4 + 6},
        ),
        (
            "linear that adds",
            [[5, -7], [3, 6]],
            [3, 6],
            8,
            {"weights": 6 * 3, "biases": 2 * 4, "scales": 2 * 4 + 6 + 6},
        ),
        ("subtract", None, None, 0, {"scales": 6}),
        ("scores", None, [9], 0, {"scales": 5 + 6}),
        ("attend", None, None, 0, {"scales": 6}),
        ("affine", [[3, -9], [-4, 2]], [-4, 2], 4, {"norms": 2 * 5 + 2 * 3, "scales": 12}),
        ("norm", [[1, -30], [-100, 7]], None, 4, {"norms": 2 * 6 + 2 * 8, "scales": 12}),
        ("pool", None, [21], 0, {"scales": 6 + 6}),
        ("decide", None, None, 0, {}),
        ("flag", None, None, 0, {"scales": 3 * 8 + 4 + 3}),
        ("subtract before a patch", None, None, 0, {"scales": 6}),
        ("scores of the newest", None, [9], 6, {"biases": 6 * 4, "scales": 5 + 6}),
        ("attend to the newest", None, None, 0, {"scales": 6}),
    ],
)
def test_what_an_operation_stores(name, parameters, multipliers, count, bits):
    op = ALL[name]
    assert listed(op.parameters) == parameters
    assert (op.multipliers is None) == (multipliers is None)
    assert multipliers is None or op.multipliers.tolist() == multipliers
    assert op.parameter_count == count
    assert op.stored_bits() == bits


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=5))
def test_packed_bits_hold_the_widest(values):
    bits = packed_bits(values) // len(values)
    assert all(-(1 << bits - 1) <= value < 1 << bits - 1 for value in values)
    assert bits == 1 or not all(-(1 << bits - 2) <= value < 1 << bits - 2 for value in values)


def test_tables_of_an_operation():
    attend, norm = OTHERS["attend"], OTHERS["norm"]
    assert attend.tables == (tuple(numerics.EXP_TABLE), tuple(numerics.RECIPROCAL_TABLE))
    assert norm.tables == (tuple(numerics.RSQRT_TABLE),)
    newest = OTHERS["attend to the newest"]
    assert newest.tables == attend.tables
    assert all(op.tables == () for op in ALL.values() if op not in (attend, norm, newest))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))
def test_products_are_counted(rows, heads, keys, size):
    specs = tensors(
        q=(rows, heads * size, 8),
        k=(keys, heads * size, 6),
        v=(keys, heads * size, 5),
        s=(rows * heads, keys, 8),
        c=(rows, heads * size, 8),
        x=(rows, size, 4),
        y=(rows, 2, 8),
        p=(1, heads * size, 8),
    )
    made = [*itertools.product(range(rows), range(heads), range(keys), range(size))]
    scores = Scores(q="q", k="k", y="s", heads=heads, multiplier=1, shift=0)
    attend = Attend(scores="s", v="v", y="c", heads=heads, shift=0)
    assert scores.macs(specs) == attend.macs(specs) == len(made)
    assert (scores.weight_width(specs), attend.weight_width(specs)) == (6, 5)
    weight = np.ones((2, size), dtype=np.int64)
    linear = Linear(**vars(LINEAR) | {"weight": weight, "weight_bits": 3})
    assert linear.macs(specs) == rows * 2 * size
    assert linear.weight_width(specs) == 3
    pool = Pool(x="v", y="p", multiplier=1, shift=0)
    assert pool.macs(specs) == heads * size
    assert pool.weight_width(specs) == 5
    affine = OTHERS["affine"]
    assert affine.macs(specs) == affine.weight_width(specs) == 0


def ends(spec):
    """A tensor's smallest and largest numbers."""
    return (spec.low, spec.high)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_bound_of_a_linear_layer_is_reached(data):
    """Over all inputs at their ends: no sum is larger, and one is as large."""
    bits, inputs = data.draw(st.integers(2, 8)), data.draw(st.integers(1, 3))
    row = st.lists(st.integers(-7, 7), min_size=inputs, max_size=inputs)
    weight = np.array(data.draw(st.lists(row, min_size=2, max_size=2)), dtype=np.int64)
    bias = integers(*data.draw(st.tuples(st.integers(-99, 99), st.integers(-99, 99))))
    specs = tensors(x=(1, inputs, bits), y=(1, 2, 8))
    op = Linear(**vars(LINEAR) | {"weight": weight, "bias": bias, "weight_bits": 4})
    xs = np.array([*itertools.product(ends(specs["x"]), repeat=inputs)])
    dots = xs @ weight.T
    assert op.bound(specs).dot == np.abs(dots).max()
    # where the bias makes every sum smaller, what is there before it counts
    assert op.bound(specs).total == max(np.abs(dots).max(), np.abs(dots + bias).max())
    assert op.multiplicand_bound(specs, 0) == op.bound(specs).total


@given(st.integers(2, 8), st.integers(2, 8), st.booleans(), st.integers(1, 3), st.integers(1, 2))
def test_bounds_of_products_with_what_was_computed_are_reached(bits, other, narrow, size, heads):
    specs = tensors(q=(1, heads * size, bits), k=(3, heads * size, other), s=(heads, 3, 8))
    specs |= tensors(c=(1, heads * size, 8), p=(1, heads * size, 8))
    specs["k"] = Tensor(**vars(specs["k"]) | {"narrow": narrow})
    largest = max(a * b for a in ends(specs["q"]) for b in ends(specs["k"]))
    smallest = min(a * b for a in ends(specs["q"]) for b in ends(specs["k"]))
    scores = Scores(q="q", k="k", y="s", heads=heads, multiplier=1, shift=0)
    assert scores.bound(specs).dot == size * max(largest, -smallest)
    attend = Attend(scores="s", v="k", y="c", heads=heads, shift=0)
    assert attend.bound(specs).dot == 3 * 255 * max(-specs["k"].low, specs["k"].high)
    pool = Pool(x="k", y="p", multiplier=1, shift=0)
    assert pool.bound(specs).dot == 3 * max(-specs["k"].low, specs["k"].high)
    for op in (scores, attend, pool):
        assert op.bound(specs).total == op.bound(specs).dot == op.multiplicand_bound(specs, 0)


@pytest.mark.parametrize("name", ["subtract", "affine", "norm", "decide", "flag"])
def test_only_dot_products_have_a_bound(name):
    with pytest.raises(TypeError, match=r"must be a matrix operation to have a dot product$"):
        OTHERS[name].bound(TENSORS)


@given(st.integers(2, 16), st.integers(1, 12), st.integers(0, 2**32))
def test_bounds_of_a_layer_norm_hold(bits, features, seed):
    specs = tensors(x=(1, features, bits), y=(1, features, 8))
    rng = np.random.default_rng(seed)
    gamma = rng.integers(-128, 128, features)
    op = LayerNorm(x="x", y="y", shift=0, gamma=gamma, beta=0 * gamma, beta_shift=0)
    x = rng.integers(specs["x"].low, specs["x"].high, (50, 1, features), endpoint=True)
    x[0], x[1, ..., ::2] = specs["x"].high, specs["x"].low
    u, multiplier, _ = op.compute({"x": x}, specs)
    assert np.abs(u).max() <= op.multiplicand_bound(specs, bits)
    assert np.abs(multiplier).max() <= op.multiplier_bound(specs)
    # a unit for wider rows as well scales every row by as much more
    more = op.multiplicand_bound(specs, 16) / op.multiplicand_bound(specs, bits)
    wider = LayerNorm(**vars(op) | {"x": "wide"})
    headroom = wider.headroom(specs | tensors(wide=(1, features, 16))) - op.headroom(specs)
    assert more == pytest.approx(2**headroom, rel=0.5)


@given(st.integers(1, 256))
def test_bounds_of_a_reciprocal_hold(keys):
    specs = tensors(s=(1, keys, 8), v=(keys, 1, 8), y=(1, 1, 8))
    op = Attend(scores="s", v="v", y="y", heads=1, shift=17)
    totals = np.unique(np.linspace(255, 255 * keys, 2000).astype(np.int64))
    made = numerics.reciprocal(totals, keys)
    assert made.max() <= op.multiplier_bound(specs) < 2 * made.max() + 2
    assert op.headroom(specs) == numerics.reciprocal_headroom(keys)


def test_bounds_of_fixed_multipliers():
    assert ALL["linear"].multiplier_bound(TENSORS) == 6
    assert OTHERS["affine"].multiplier_bound(TENSORS) == 4
    assert OTHERS["scores"].multiplier_bound(TENSORS) == 9
    assert OTHERS["pool"].multiplier_bound(TENSORS) == 21
    assert all(op.headroom(TENSORS) == 0 for op in ALL.values() if op.multipliers is not None)


def test_bounds_of_what_is_added():
    assert ALL["linear"].added_bound(TENSORS) == 0
    assert ALL["linear that adds"].added_bound(TENSORS) == 32 << 2
    assert ALL["linear that adds the last"].added_bound(TENSORS) == 16 << 1
    assert OTHERS["affine"].added_bound(TENSORS) == 9 << 2
    assert OTHERS["norm"].added_bound(TENSORS) == 30 << 3
    assert OTHERS["affine"].multiplicand_bound(TENSORS, 0) == 8
    assert OTHERS["pool"].added_bound(TENSORS) == 0


@pytest.mark.parametrize(
    ("start", "inputs", "flat"), [(0, 3, False), (3, 3, False), (1, 3, True), (0, 2, True)]
)
def test_a_row_that_is_no_row_of_its_input_is_flat(start, inputs, flat):
    weight = np.ones((2, inputs), dtype=np.int64)
    assert Linear(**vars(LINEAR) | {"weight": weight, "start": start}).is_flat(TENSORS) is flat


def test_a_column_of_rows_is_not_flat():
    weight = np.ones((2, 2), dtype=np.int64)
    op = Linear(**vars(LINEAR) | {"weight": weight, "transposed": True})
    assert not op.is_flat(TENSORS)


@pytest.mark.parametrize(
    ("zero", "relu", "low"), [(3, True, 3), (-128, True, -128), (3, False, -128)]
)
def test_relu_is_where_results_are_clamped(zero, relu, low):
    specs = TENSORS | {"y": Tensor(**vars(TENSORS["y"]) | {"zero": zero})}
    op = Linear(**vars(LINEAR) | {"relu": relu})
    assert op.lowest(specs) == low
    x = np.full((1, 2, 3), -8)
    x[0, 0, 1] = 7
    # dot products of -2 * 7 - 32 + 5 and 7 + 8 - 7, and of -8 * 2 + 5 and -7
    expected = np.floor(np.array([[-41 * 3, 8 * 6], [-11 * 3, -7 * 6]]) / 16 + 0.5) + zero
    assert op.run({"x": x}, specs)[0].tolist() == np.maximum(expected, low).tolist()


def test_masked_scores_are_the_lowest_number():
    specs = tensors(q=(3, 1, 4), k=(3, 1, 4), s=(3, 3, 8))
    op = Scores(q="q", k="k", y="s", heads=1, multiplier=1, shift=0, causal=True)
    x = np.ones((1, 3, 1), dtype=np.int64)
    low = specs["s"].low
    assert op.run({"q": x, "k": 2 * x}, specs)[0].tolist() == [
        [2, low, low],
        [2, 2, low],
        [2, 2, 2],
    ]
