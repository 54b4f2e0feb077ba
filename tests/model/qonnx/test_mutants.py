"""A graph that is wrong in one place is found, and the tensor is named."""

import numpy as np
import pytest
from qonnx_harness import (
    LEAST,
    SMALL,
    STREAM,
    constants,
    graph_of,
    judging,
    made,
    mutant,
    witnessed,
)

from bitformer.model.errors import UserError

pytestmark = pytest.mark.needs("qonnx")


@pytest.fixture(scope="module")
def small():
    """A model, its graph, and what the graph's last tensors are called."""
    model = made(SMALL)
    return model, graph_of(model)


def wrong(small, name, change):
    """What is said of a graph with another constant."""
    model, graph = small
    found = witnessed(model, 20, graph=mutant(graph, name, change))
    assert not found.equal
    return found.difference


def one_entry(place):
    def change(array):
        array.flat[place] += 1
        return array

    return change


def test_rounding_half_down(small):
    said = wrong(small, "delta/half", lambda half: half - 1)
    assert said.startswith("delta of window ")
    assert " must be " in said


def test_a_shift_by_one_more(small):
    said = wrong(small, "layers.0.add1/step", lambda step: step * 2)
    assert said.startswith("layers.0.add1 ")


def test_one_entry_of_a_table(small):
    said = wrong(small, "table/exponential", one_entry(0))
    assert said.startswith("layers.0.context ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("constant", "change", "tensor"),
    [
        ("layers.0.norm1/half", lambda half: 0 * half, "layers.0.norm1"),
        ("layers.0.add1/step", lambda step: step // 2, "layers.0.add1"),
        ("table/powers_of_two", one_entry(0), "layers.0.context"),
        ("table/gelu_8_bits", one_entry(3), "layers.0.hidden"),
        # an entry is 256 to 512: one step of it is seldom seen in 8 bits
        ("table/reciprocal", lambda entries: entries + 6, "layers.0.context"),
        ("table/reciprocal_root", lambda entries: entries + 6, "layers.0.norm1"),
        ("layers.0.add2/weight", one_entry(0), "layers.0.add2"),
        ("quant/bits_12", lambda bits: bits - 1, "output"),
    ],
)
def test_any_constant(small, constant, change, tensor):
    assert wrong(small, constant, change).startswith(f"{tensor} of window ")


def changed(name):
    """A change that is to be noticed.

    No window goes to the ends of all bits, a level forgets where it began, and what is below the
    lowest number, which a hidden key has, becomes that.
    """
    if name.startswith("quant/bits"):
        return lambda bits: 0 * bits + 1
    if name.endswith("/hidden"):
        return lambda lowest: lowest + 1
    if name.endswith("_at_reset"):
        return lambda values: values + (1 << 30)
    return lambda array: ~array if array.dtype == np.bool_ else array * 2 + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        SMALL.replace(norm="batch", pooling="mean", **STREAM),
        LEAST,
        LEAST.replace(name="classes", task="classify", subtract_last=False),
        LEAST.replace(name="timed", calendar=("hour", "weekday")),
        LEAST.replace(name="flags", task="detect"),
    ],
    ids=lambda config: config.name,
)
def test_every_constant_counts(config):
    """Each constant, changed, changes a number of some tensor, or the graph cannot run any more."""
    model = made(config)
    model = judging(model, absolute=True) if model.detector else model
    graph = graph_of(model)
    names = constants(graph)
    equal = [name for name in names if same(model, mutant(graph, name, changed(name)))]
    # what is beyond GELU's ends is clamped behind its table, too
    ends = [f"layers.0.hidden/gelu_{end}" for end in ("low", "high")]
    assert equal == [name for name in names if name in ends]


def same(model, graph):
    try:
        return witnessed(model, graph=graph).equal
    except UserError:
        return False
