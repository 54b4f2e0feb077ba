"""Which rows lie an element a word, and which results come one by one."""

from types import SimpleNamespace

import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.wide import (
    element_bits,
    one_by_one,
    stored_activations,
    wide_operations,
    wide_rows,
)
from bitformer.hw.program import Destination

ACTIVATION = Destination.ACTIVATION


def model_of(*tensors, ports=()):
    """Tensors (name, bits, size), of which each operation writes one; ``ports`` at either end."""
    return SimpleNamespace(
        operations=[
            SimpleNamespace(y=name, at_port=name in ports, requantizer_reads=())
            for name, _, _ in tensors
        ],
        tensors={n: SimpleNamespace(name=n, bits=bits, size=size) for n, bits, size in tensors},
        multiplicand_bounds={},
    )


def stored(model, **others):
    return {op.y: others.get(op.y, ACTIVATION) for op in model.operations}


def test_only_results_that_are_kept_as_activations_are_stored():
    model = model_of(("in", 16, 1), ("a", 8, 1), ("s", 16, 1), ("out", 16, 1), ports=("in",))
    where = stored(model, s=Destination.SCORE, out=Destination.OUTPUT)
    assert [spec.name for spec in stored_activations(model, where)] == ["a"]
    assert wide_rows(model, where) == frozenset()


@pytest.mark.parametrize(
    ("bits", "few", "most", "found"),
    [(9, 4, 4, True), (9, 5, 4, False), (16, 3, 5, True), (8, 1, 5, False)],
)
def test_rows_above_8_bits_are_wide_while_they_are_at_most_half(bits, few, most, found):
    model = model_of(("long", bits, few), ("short", 8, most))
    assert wide_rows(model, stored(model)) == (frozenset({"long"}) if found else frozenset())


@pytest.mark.parametrize(("limit", "found"), [(11, {"long"}), (12, set())])
def test_the_limit_is_the_longest_that_is_not_wide(limit, found):
    model = model_of(("long", 12, 1), ("short", 4, 1))
    assert wide_rows(model, stored(model), limit) == found


def test_an_element_holds_half_of_a_wide_row():
    model = model_of(("a", 13, 1), ("b", 4, 1), ("in", 16, 1), ports=("in",))
    batch = Batch.of(model)
    assert element_bits(batch, stored(model)).tolist() == [13]
    assert element_bits(batch, stored(model), frozenset({"a"})).tolist() == [7]
    model.tensors["b"].bits = 8
    assert element_bits(batch, stored(model), frozenset({"a"})).tolist() == [8]
    nothing = stored(model, a=Destination.SCORE, b=Destination.KEY)
    assert element_bits(batch, nothing).tolist() == [1]


def test_what_is_wide_or_added_to_it_comes_one_by_one():
    model = model_of(("a", 16, 1), ("b", 8, 1), ("c", 8, 1))
    model.operations[1].requantizer_reads = ("a",)
    assert one_by_one(model, frozenset({"a"})) == {"a", "b"}
    assert one_by_one(model, frozenset()) == frozenset()


def test_a_multiplicand_beyond_the_port_is_wide():
    multiplier = SERIES7.multiplier
    model = model_of(("a", 8, 1), ("b", 8, 1))
    limit = 1 << multiplier.long_bits - 1
    model.multiplicand_bounds = {"a": limit - 1, "b": limit}
    assert wide_operations(model, frozenset(), multiplier) == {"b"}
    assert wide_operations(model, frozenset({"a"}), multiplier) == {"a", "b"}
