"""Steps of a graph, run by onnxruntime alone, against the number contract."""

import numpy as np
import pytest
from norm_rows import extreme_rows, random_rows
from qonnx_harness import computed

from bitformer.model import numerics

pytestmark = pytest.mark.needs("qonnx")
#: Axes of ReduceMax are an attribute, or an input.
OPSETS = [13, 18]


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 31, 48])
def test_shifts_round_half_up(shift):
    rng = np.random.default_rng(shift)
    half = (1 << shift) >> 1
    ties = half + np.arange(-5, 6) * (1 << shift)
    x = np.concatenate([ties - 1, ties, ties + 1, rng.integers(-(1 << 61), 1 << 61, 200)])
    found = computed(lambda steps, x: steps.rounded_shift(x, shift, "y") if shift else x, x)
    if shift:
        assert (found == numerics.round_shift(x, shift)).all()
        assert found[len(ties)] == -4  # by hand: -5 + 1/2 and rounded up
    else:
        assert (found == x).all()


def test_bits_of_every_length():
    x = np.array([0, 1, *(2**n + d for n in range(1, 60) for d in (-1, 0, 1))])[:, None]
    found = computed(lambda steps, x: steps.bit_length(x, "y"), x)
    assert found[:, 0].tolist() == [int(n).bit_length() for n in x[:, 0]]


def test_exponentials_of_every_distance():
    distance = np.arange(256)
    found = computed(lambda steps, x: steps.exponentials(x, "y"), distance)
    assert found.tolist() == [numerics.EXP_TABLE[d % 8] >> (d // 8) for d in range(256)]
    assert (found[:9] == [255, 234, 214, 197, 180, 165, 152, 139, 127]).all()


@pytest.mark.parametrize("keys", [1, 2, 3, 24, 256])
def test_reciprocals_of_every_sum(keys):
    total = np.arange(255, 255 * keys + 1)[:, None]
    found = computed(lambda steps, x: steps.reciprocal(x, keys, "y"), total)
    assert (found == numerics.reciprocal(total, keys)).all()


@pytest.mark.parametrize("opset", OPSETS)
def test_the_largest_of_rows(opset):
    x = np.random.default_rng(0).integers(-99, 99, (3, 4, 5))
    found = computed(lambda steps, x: steps.largest(x, "y"), x, opset=opset)
    assert (found == x.max(axis=-1, keepdims=True)).all()


@pytest.mark.parametrize(("features", "bits"), [(1, 2), (3, 4), (16, 8), (64, 16)])
def test_reciprocal_roots(features, bits):
    rows = np.array(extreme_rows(features, bits) + random_rows(features, bits, 300, seed=1))
    width = numerics.norm_width(features, bits)
    total = rows.sum(axis=-1, keepdims=True)
    variance = features * (rows * rows).sum(axis=-1, keepdims=True) - total**2
    power, root = computed(lambda steps, x: steps.rsqrt(x, width, "root"), variance)
    exponent, mantissa = numerics.rsqrt(variance, width)
    assert (root == mantissa).all()
    some = variance > 0
    assert (power[some] == 1 << exponent[some]).all()
    assert not some.all()  # a row of equal numbers is among them
