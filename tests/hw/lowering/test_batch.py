"""A rule of lowering says the same of a model alone and of the same model among others."""

from types import SimpleNamespace

import numpy as np
from design_strategies import models, several
from hypothesis import given
from hypothesis import strategies as st
from model_changes import varied

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lowering.post_widths import post_widths
from bitformer.hw.lowering.shifts import added_shifts, common_shifts
from bitformer.hw.lowering.wide import element_bits
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.search.space.components import ComponentSpace

MULTIPLIER = SERIES7.multiplier


def reads(model):
    """Return what tells graphs apart: a variation may drop a residual, or add one."""
    return [op.reads for op in model.operations]


@several(40)
@given(models(), st.integers(1, 17), st.booleans())
def test_n_together_are_n_alone(case, columns, shares):
    """Models of one graph with other widths, zero points, weights, multipliers and shifts."""
    model = case.make()
    others = [varied(model, np.random.default_rng(seed)) for seed in range(5)]
    together = [model, *(one for one in others if reads(one) == reads(model))]
    names = frozenset(list(model.writers)[::3]) if shares else frozenset()
    wanted = dict.fromkeys(list(model.writers)[::2], 9)
    batch = Batch.of(*together)
    packings = choose_packing(batch, columns, True, MULTIPLIER, names)
    shifts = common_shifts(batch, MULTIPLIER, wanted)
    added = added_shifts(batch, shifts)
    widths = post_widths(batch, shifts, names, MULTIPLIER)
    elements = element_bits(batch, destinations(model), names)
    for number, one in enumerate(together):
        alone = Batch.of(one)
        assert packings[number] == choose_packing(alone, columns, True, MULTIPLIER, names)[0]
        own = common_shifts(alone, MULTIPLIER, wanted)
        assert np.array_equal(shifts[number], own[0])
        assert np.array_equal(added[number], added_shifts(alone, own)[0])
        found = post_widths(alone, own, names, MULTIPLIER)
        assert {n: w[number] for n, w in widths.items()} == {n: w[0] for n, w in found.items()}
        assert elements[number] == element_bits(alone, destinations(one), names)[0]
        for name in ("weight_widths", "dynamic_bits", "norm_bits", "position_bits", "bounds"):
            assert np.array_equal(getattr(batch, name)[number], getattr(alone, name)[0])


def test_a_model_is_put_together_from_its_sources():
    """Of every combination of bits: tensors, weights and widths are those of its own model."""
    space = ComponentSpace(named_config("tiny"), bits=(4, 8))
    for number in np.random.default_rng(0).choice(len(space), 5, replace=False):
        ours, own = space.batch.model(number), initialize(space.config_of(number))
        assert ours.tensors == own.tensors
        for a, b in zip(ours.operations, own.operations, strict=True):
            assert {n: np.asarray(v).tolist() for n, v in vars(a).items() if n != "residual"} == {
                n: np.asarray(v).tolist() for n, v in vars(b).items() if n != "residual"
            }
            assert getattr(a, "residual", None) == getattr(b, "residual", None)
        for name, table in own.constants.items():
            assert np.array_equal(ours.constants[name], table)


def test_what_no_operation_has_takes_no_bits():
    """But for positions, whose words have a bit at least."""
    operation = SimpleNamespace(matrix=False, normalizes=False, negates=False)
    model = SimpleNamespace(operations=[operation], tensors={}, constants={})
    batch = Batch.of(model, model)
    assert len(batch) == 2
    assert batch.kept == batch.matrix == []
    assert batch.dynamic_bits.tolist() == batch.norm_bits.tolist() == [0, 0]
    assert batch.position_bits.tolist() == [1, 1]
    assert batch.negates.tolist() == [False, False]


def test_the_widest_of_a_model_counts():
    def model(keys, rows, positions, negative):
        kinds = {"k": keys, "v": 3, "x": rows, "z": 4, "p": positions, "q": 2}
        operations = [
            SimpleNamespace(matrix=True, normalizes=False, negates=False, weights_from="k"),
            SimpleNamespace(matrix=True, normalizes=False, negates=negative, weights_from="v"),
            SimpleNamespace(matrix=False, normalizes=True, negates=False, reads=("x", "other")),
            SimpleNamespace(matrix=False, normalizes=True, negates=False, reads=("z",)),
        ]
        tensors = {name: SimpleNamespace(bits=bits) for name, bits in kinds.items()}
        return SimpleNamespace(operations=operations, tensors=tensors, constants={"p": 0, "q": 0})

    batch = Batch.of(model(8, 16, 5, True), model(2, 1, 1, False))
    assert batch.matrix == [0, 1]
    assert batch.dynamic_bits.tolist() == [8, 3]
    assert batch.norm_bits.tolist() == [16, 4]
    assert batch.position_bits.tolist() == [5, 2]
    assert batch.negates.tolist() == [True, False]
