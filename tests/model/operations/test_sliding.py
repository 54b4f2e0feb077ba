"""Operations of streams over windows: each token sees the newest ones, and what precedes it."""

import numpy as np
import pytest

from bitformer.model import numerics
from bitformer.model.errors import UserError
from bitformer.model.operations import Pool, SlidingAttend, SlidingScores, SubtractPreceding
from bitformer.model.tensor import Tensor


def tensors(**shapes):
    """Tensors of (rows, features, bits), by name."""
    return {
        name: Tensor(name=name, rows=rows, features=features, bits=bits, exponent=0)
        for name, (rows, features, bits) in shapes.items()
    }


def integers(*values):
    return np.array(values, dtype=np.int64)


def newest(**changes):
    """Logits of three tokens, each of which sees two."""
    names = {"q": "q", "k": "k", "y": "s", "heads": 1, "multiplier": 1, "shift": 0}
    return SlidingScores(**names, **{"causal": True, "bias": integers([5, -3])} | changes)


def test_scores_of_the_newest_have_a_bias_for_each_distance():
    specs = tensors(q=(3, 1, 4), k=(3, 1, 4), s=(3, 3, 8))
    x = np.ones((1, 3, 1), dtype=np.int64)
    low = specs["s"].low
    assert newest().run({"q": x, "k": 2 * x}, specs)[0].tolist() == [
        [7, low, low],
        [-1, 7, low],
        [low, -1, 7],
    ]
    bound = newest().bound(specs)
    assert (bound.dot, bound.total) == (64, 69)


def test_the_newest_alone_are_attended_to():
    specs = tensors(s=(3, 3, 8), v=(3, 1, 8), y=(3, 1, 8))
    op = SlidingAttend(scores="s", v="v", y="y", heads=1, shift=17, causal=True, reach=2)
    assert op.bound(specs).dot == 2 * 255 * 128
    assert op.headroom(specs) == numerics.reciprocal_headroom(2)
    v = np.array([[[100], [40], [-20]]])
    shift = 17 + op.headroom(specs)
    scores = np.array([[[0, 127, 127], [0, 0, 127], [127, 0, 0]]])
    found = SlidingAttend(**vars(op) | {"shift": shift}).run({"s": scores, "v": v}, specs)
    assert found[0, :, 0].tolist() == [100, 70, 10]


def test_what_precedes_a_patch_is_subtracted_from_it():
    op = SubtractPreceding(x="input", y="y", shift=0, patch=2)
    specs = tensors(input=(6, 1, 8), y=(6, 1, 8))
    x = np.array([[[1], [4], [9], [16], [25], [36]]])
    found = op.run({"input": x}, specs)[0, :, 0].tolist()
    assert found == [1 - 4, 0, 9 - 4, 16 - 4, 25 - 16, 36 - 16]


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (
            newest(causal=False),
            r"^here: causal must be true, as a key that comes later is in no ri",
        ),
        (newest(bias=integers([1, 2, 3, 4])), r"^here: reach must be 1 to 3, the rows of its keys"),
        (newest(bias=integers(1, 2)), r"^here: bias must be of shape \(1, 2\), not \(2,\)$"),
        (newest(bias=np.zeros((1, 2))), r"^here: bias must be an int64 array, not float64$"),
        (
            SlidingAttend(scores="s", v="k", y="q", heads=1, shift=0, causal=True, reach=0),
            r"^here: reach must be 1 to 3, the rows of its keys, not 0$",
        ),
        (
            SubtractPreceding(x="q", y="k", shift=0, patch=2),
            r"^here: patch must be a divisor of 3, the rows of x, not 2$",
        ),
        (
            Pool(x="q", y="p", shift=0, multiplier=1, newest=4),
            r"^here: newest must be 0 to 3, the rows of x, not 4$",
        ),
    ],
)
def test_operations_on_the_newest_that_there_are_not(op, message):
    specs = tensors(q=(3, 1, 4), k=(3, 1, 4), s=(3, 3, 8), p=(1, 1, 8))
    specs["s"] = Tensor(**vars(specs["s"]) | {"exponent": -3})
    with pytest.raises(UserError, match=message):
        op.check("here", specs, {"q", "k", "s"})
