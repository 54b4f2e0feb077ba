"""Attention, number by number, and what its operations refuse."""

import numpy as np
import pytest

from bitformer.model import numerics
from bitformer.model.errors import UserError
from bitformer.model.operations import Attend, Scores
from bitformer.model.operations.checks import LARGEST_MULTIPLIER
from bitformer.model.tensor import Tensor


def tensor(name, rows, features, bits=8, exponent=0):
    return Tensor(name=name, rows=rows, features=features, bits=bits, exponent=exponent)


def tensors(rows=3, keys=4, features=6, heads=2):
    logits = {"bits": numerics.SCORE_BITS, "exponent": -numerics.SCORE_FRACTION_BITS}
    return {
        "q": tensor("q", rows, features),
        "k": tensor("k", keys, features, 6),
        "v": tensor("v", keys, features, 5),
        "s": tensor("s", rows * heads, keys, **logits),
        "y": tensor("y", rows, features),
    }


def scores(**fields):
    return Scores(
        **{"q": "q", "k": "k", "y": "s", "heads": 2, "multiplier": 9, "shift": 3} | fields
    )


def attend(**fields):
    return Attend(**{"scores": "s", "v": "v", "y": "y", "heads": 2, "shift": 17} | fields)


def refusal(op, there):
    try:
        op.check("here", there, {"q", "k", "v", "s"})
    except UserError as error:
        return str(error).removeprefix("here: ")
    return None


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_scores_are_dot_products_of_each_head(causal, heads):
    rows, keys = (4, 4) if causal else (3, 4)
    there = tensors(rows, keys, heads=heads)
    op = scores(heads=heads, causal=causal, multiplier=1, shift=0)
    rng = np.random.default_rng(1)
    q, k = (rng.integers(-3, 4, (2, n, 6)) for n in (rows, keys))
    assert refusal(op, there) is None
    found = op.run({"q": q, "k": k}, there)
    size, low = 6 // heads, there["s"].low
    for batch in range(2):
        for row in range(rows):
            for head in range(heads):
                part = slice(head * size, (head + 1) * size)
                one = q[batch, row, part].tolist()
                expected = [
                    sum(a * b for a, b in zip(one, k[batch, key, part].tolist(), strict=True))
                    for key in range(keys)
                ]
                if causal:
                    expected[row + 1 :] = [low] * (keys - row - 1)
                assert found[batch, row * heads + head].tolist() == expected


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_means_of_values_have_the_weights_of_their_logits(causal, heads):
    rows, keys = (4, 4) if causal else (3, 4)
    there = tensors(rows, keys, heads=heads)
    op = attend(heads=heads, causal=causal)
    rng = np.random.default_rng(1)
    logits = rng.integers(-128, 128, (2, rows * heads, keys))
    v = rng.integers(-16, 16, (2, keys, 6))
    assert refusal(op, there) is None
    u, multiplier, added = op.compute({"s": logits, "v": v}, there)
    assert added == 0
    size = 6 // heads
    for batch in range(2):
        for row in range(rows):
            for feature in range(6):
                own = logits[batch, row * heads + feature // size].tolist()
                seen = own[: row + 1] if causal else own
                e = [numerics.EXP_TABLE[max(seen) - n & 7] >> (max(seen) - n >> 3) for n in seen]
                total = sum(n * int(v[batch, key, feature]) for key, n in enumerate(e))
                assert u[batch, row, feature] == total
                assert multiplier[batch, row, feature] == numerics.reciprocal(
                    np.array(sum(e)), keys
                )
    assert op.keys(keys) == keys
    assert op.headroom(there) == numerics.reciprocal_headroom(keys)


@pytest.mark.parametrize(
    ("fields", "sizes", "said"),
    [
        ({"multiplier": 1}, {}, None),
        ({"multiplier": LARGEST_MULTIPLIER}, {}, None),
        ({"multiplier": 0}, {}, "multiplier must be 1 to"),
        ({"multiplier": LARGEST_MULTIPLIER + 1}, {}, "multiplier must be 1 to"),
        ({"heads": 1}, {"heads": 1}, None),
        ({"heads": 0}, {}, "heads must be a divisor of the features of q and k (6), not 0"),
        ({"heads": 4}, {"heads": 4}, "heads must be a divisor"),
        ({}, {"heads": 1}, "y must be of shape (6, 4), not (3, 4)"),
        ({"causal": True}, {}, "k must be of 3 rows, as q, to be causal, not 4"),
        ({"causal": True}, {"keys": 3}, None),
    ],
)
def test_scores_refused(fields, sizes, said):
    found = refusal(scores(**fields), tensors(**sizes))
    assert found is None if said is None else found.startswith(said)


@pytest.mark.parametrize(("bits", "exponent"), [(7, -3), (9, -3), (8, -2), (8, -4)])
def test_scores_have_bits_of_their_own(bits, exponent):
    assert (numerics.SCORE_BITS, numerics.SCORE_FRACTION_BITS) == (8, 3)
    there = tensors() | {"s": tensor("s", 6, 4, bits, exponent)}
    assert refusal(scores(), there) == f"y must be 8 bits in 1/8 octaves, not {bits} bits"


def test_features_of_queries_and_keys_are_the_same():
    there = tensors() | {"k": tensor("k", 4, 4)}
    assert refusal(scores(), there).startswith("heads must be a divisor of the features")


@pytest.mark.parametrize(
    ("fields", "sizes", "sound"),
    [
        ({}, {}, True),
        ({}, {"keys": 256}, True),
        ({}, {"keys": 257}, False),
        ({"heads": 0}, {}, False),
        ({"heads": 4}, {"heads": 4}, False),
        ({"heads": 1}, {"heads": 2}, False),
    ],
)
def test_means_refused(fields, sizes, sound):
    assert (refusal(attend(**fields), tensors(**sizes)) is None) == sound


def test_logits_are_of_all_values():
    there = tensors() | {"v": tensor("v", 5, 6)}
    assert refusal(attend(), there) == "scores must be a feature for each of v's 5 rows, not 4"


@pytest.mark.parametrize("keys", [1, 2, 3, 64, 256])
def test_bounds_of_means(keys):
    op, there = attend(), tensors(keys=keys)
    # numerators are 0 to 255: of 9 signed bits
    assert op.operand_width(there) == 9
    assert op.term_bound(there) == 255 * 16
    assert op.bound(there).dot == op.bound(there).total == keys * 255 * 16
    totals = np.arange(255, 255 * keys + 1)
    assert numerics.reciprocal(totals, keys).max() <= op.multiplier_bound(there)


def test_bounds_of_scores():
    op, there = scores(), tensors()
    assert op.term_bound(there) == 128 * 32
    assert op.bound(there).dot == op.bound(there).total == 3 * 128 * 32
