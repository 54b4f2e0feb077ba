"""Which rows stand side by side, and which layers cannot have them so."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.hw.lowering.token_rows import (
    blocks,
    check_rows,
    is_split,
    lane_dot,
    lane_features,
    patch_of,
)
from bitformer.model.errors import UserError
from bitformer.model.operations.linear import Linear, Residual
from bitformer.model.tensor import Tensor


@dataclass(kw_only=True)
class Shape:
    """A layer by its shape: ``rows`` of ``length`` terms of ``x``, whose shape is ``of``."""

    x: str = "x"
    y: str = "y"
    rows: int = 4
    length: int = 6
    of: tuple = (4, 6)
    parts: int = 1
    start: int = 0
    step: int = 0
    adds: bool = False
    bits: int = 8
    transposed: bool = False

    def linear(self):
        weight = np.ones((self.parts * 2, self.length), dtype=np.int64)
        return Linear(
            y=self.y,
            shift=4,
            x=self.x,
            weight=weight,
            weight_bits=self.bits,
            bias=np.zeros(len(weight), dtype=np.int64),
            multiplier=np.ones(len(weight), dtype=np.int64),
            start=self.start,
            step=self.step,
            parts=self.parts,
            transposed=self.transposed,
            residual=Residual(source="added", shift=0) if self.adds else None,
        )


def model_of(*shapes, stream=False, weights_from=None):
    """A model of such layers; the window is the tensor ``steps``."""
    linears = [shape.linear() for shape in shapes]

    def tensor(name, rows, features):
        return Tensor(name=name, rows=rows, features=features, bits=8, exponent=0)

    tensors = {shape.x: tensor(shape.x, *shape.of) for shape in shapes}
    tensors |= {shape.y: tensor(shape.y, shape.rows, 2) for shape in shapes}
    return SimpleNamespace(
        linears=linears,
        operations=[SimpleNamespace(weights_from=weights_from)],
        tensors=tensors,
        steps=SimpleNamespace(name="steps"),
        bounds={op.y: SimpleNamespace(dot=-1) for op in linears},
        config=SimpleNamespace(stream=stream),
    )


#: Patches of the window: three steps of two numbers each.
PATCHES = Shape(x="steps", y="patches", rows=4, length=6, of=(12, 2))
ROWS = Shape()
FLAT = Shape(y="flat", rows=1, length=24)


@pytest.mark.parametrize("together", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("rows", range(10))
def test_blocks_cover_all_rows_in_order(rows, together):
    found = blocks(rows, together)
    assert [n for first, count in found for n in range(first, first + count)] == [*range(rows)]
    assert [count for _, count in found[:-1]] == [together] * (len(found) - 1)
    assert all(count >= 1 for _, count in found)


def test_a_lane_has_a_patch_of_the_window():
    assert patch_of(model_of(PATCHES, ROWS)) == 6
    # what reads the window as a whole has no patch
    whole = Shape(x="steps", y="whole", rows=1, length=24, of=(12, 2))
    assert patch_of(model_of(PATCHES, whole)) == 6
    assert patch_of(model_of(whole)) == patch_of(model_of(ROWS)) == 0
    # nor have rows of two lengths; in parts, each part's rows count
    other = Shape(x="steps", y="other", rows=2, length=12, of=(12, 2))
    assert patch_of(model_of(PATCHES, other)) == 0
    parts = Shape(x="steps", y="parts", rows=2, parts=2, length=24, of=(12, 2))
    assert patch_of(model_of(parts)) == 0
    two = Shape(x="steps", y="two", rows=4, parts=2, length=12, of=(12, 2))
    assert patch_of(model_of(two)) == 12


@pytest.mark.parametrize(
    ("shape", "split"),
    [
        (ROWS, False),
        (FLAT, True),
        (PATCHES, False),
        # one row of the window that is one patch is a single row
        (Shape(x="steps", rows=1, length=6, of=(12, 2)), False),
        (Shape(x="steps", rows=1, length=12, of=(12, 2)), True),
        (Shape(x="steps", rows=2, parts=2, length=6, of=(12, 2)), True),
        (Shape(rows=2, parts=2), True),
        (Shape(rows=4, parts=2), False),
        (Shape(rows=1, parts=1), False),
    ],
)
def test_a_row_that_reads_several_is_split(shape, split):
    model = model_of(PATCHES, shape)
    assert is_split(model, model.linears[1]) == split


def test_terms_of_a_row_lie_in_a_lane():
    model = model_of(PATCHES, FLAT)
    assert [lane_features(model, op) for op in model.linears] == [6, 6]
    wide = model_of(PATCHES, Shape(y="f", rows=1, length=20, of=(4, 5)))
    assert [lane_features(wide, op) for op in wide.linears] == [6, 5]


@pytest.mark.parametrize("rows", [2, 4])
def test_a_split_sum_is_as_long_as_that_of_the_fullest_lane(rows):
    """Of rows of 6 terms, row n in lane n % rows."""
    model = model_of(PATCHES, FLAT)
    op = model.linears[1]
    op.weight[0] = [3 ** (n // 6) + n % 2 for n in range(24)]
    found = lane_dot(model, op, rows)
    lanes = [
        sum(int(op.weight[0, n]) for n in range(24) if n // 6 % rows == lane) * 128
        for lane in range(rows)
    ]
    assert found == max(lanes)
    # of others, and of one token row, it is the whole sum
    assert lane_dot(model, op, 1) == lane_dot(model, model.linears[0], rows) == -1


def refused(sentence, *shapes, rows=2, posts=1, slots=8, **fields):
    with pytest.raises(UserError, match=sentence):
        check_rows(model_of(*shapes, **fields), rows, posts, slots)
    return True


@pytest.mark.parametrize("number", [-2, 0, 3, 6])
def test_numbers_of_units_are_powers_of_two(number):
    assert refused(rf"^rows must be a power of two, not {number}$", ROWS, rows=number)
    assert refused(rf"^posts must be a power of two, not {number}$", ROWS, rows=8, posts=number)


def test_what_may_stand_side_by_side():
    for rows, posts in ((1, 1), (2, 1), (2, 2), (4, 2), (4, 4)):
        check_rows(model_of(PATCHES, ROWS, FLAT), rows, posts, 8)
    assert refused(r"^posts must be at most the 2 rows, not 4$", ROWS, posts=4)
    assert refused(r"^posts must be at most the 1 rows, not 2$", ROWS, rows=1, posts=2)


def test_keys_of_a_word_are_so_many_for_each_row():
    check_rows(model_of(ROWS, weights_from="k"), 4, 1, 8)
    check_rows(model_of(ROWS), 4, 1, 6)
    check_rows(model_of(ROWS, weights_from="k"), 1, 1, 7)
    assert refused(
        "^rows must divide the 6 keys of a word", ROWS, rows=4, slots=6, weights_from="k"
    )


WINDOW = {"x": "steps", "y": "z"}


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        ([Shape(transposed=True)], "reads columns of rows"),
        ([Shape(step=1)], "reads rows that begin 1 numbers apart"),
        ([Shape(**WINDOW, rows=1, length=24, of=(12, 2))], "reads a window of which no layer"),
        (
            [Shape(**WINDOW, rows=4, length=6, of=(8, 3)), Shape(x="steps", length=6, of=(6, 4))],
            "reads patches of 6 numbers, of steps of 4",
        ),
        ([PATCHES, Shape(**WINDOW, rows=1, length=8, of=(12, 2))], "begins to read inside a block"),
        ([PATCHES, Shape(**WINDOW, rows=1, start=6, of=(12, 2))], "begins to read inside a block"),
        ([Shape(start=6)], "begins to read inside a block of 2 rows"),
        ([Shape(rows=1, length=18, bits=1)], "has weights of 1 bit for 3 rows"),
        ([Shape(rows=2, length=12)], None),
        ([Shape(rows=4, parts=2, adds=True)], None),
        ([Shape(rows=6, parts=2, adds=True)], "adds rows of other lanes than those that it reads"),
        ([Shape(rows=6, parts=2)], None),
        ([Shape(rows=3, adds=True)], None),
        ([Shape(step=6)], None),
        ([Shape(start=12, rows=2)], None),
        ([Shape(rows=1, length=12, bits=1)], None),
        ([Shape(rows=1, length=18, bits=2)], None),
        ([PATCHES, Shape(**WINDOW, rows=1, length=12, start=12, of=(12, 2))], None),
    ],
)
def test_layers_that_are_refused(shapes, why):
    if why is None:
        check_rows(model_of(*shapes), 2, 1, 8)
    else:
        assert refused(rf"^rows must be 1 where \w+ {why}.*, not 2$", *shapes)
    # with one row a layer is as it may be
    check_rows(model_of(*shapes), 1, 1, 8)


def test_a_window_that_is_read_twice_in_rows_is_read_by_one_patch():
    rows = Shape(x="steps", y="z", rows=2, length=12, of=(12, 2))
    assert refused("reads a window of which no layer", PATCHES, rows)


def test_a_stream_has_a_token_at_a_time():
    assert refused(r"^rows must be 1 for a stream, .* not 2$", ROWS, stream=True)
    check_rows(model_of(ROWS, stream=True), 1, 1, 8)
