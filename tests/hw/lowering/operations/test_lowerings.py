"""The hardware's side of each operation: a class for each, its tensors' stores, its rows."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.layouts import weight_layouts
from bitformer.hw.lowering.operations import lowering_of
from bitformer.hw.lowering.operations.attention import _pieces
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Addend, Destination, Factor, Source
from bitformer.hw.timetable import Read
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.operations import (
    OPERATIONS,
    SlidingAttend,
    SlidingScores,
    SubtractPreceding,
)
from bitformer.model.precision import Precision

L0 = "layers.0."
SMALL = {"name": "small", "window": 4, "horizon": 2, "d_model": 4, "heads": 2, "ffn": 6}


def plan_of(columns=4, **changes):
    model = initialize(TransformerConfig(**SMALL | changes), samples=8)
    packing = choose_packing(Batch.of(model), columns, True, PARTS["xc7s15"].family.multiplier)[0]
    return Plan(
        model=model,
        part=PARTS["xc7s15"],
        destinations=destinations(model),
        packing=packing,
        weights=next(weight_layouts(model, packing, columns, columns)),
    )


def rows_of(plan, tensor):
    return lowering_of(plan.model.writers[tensor]).rows(plan)


@pytest.fixture(scope="module")
def plan():
    return plan_of(subtract_last=True, default=Precision(weights=4, activations=6))


@pytest.fixture(scope="module")
def pooled():
    return plan_of(norm="batch", pooling="mean")


@pytest.fixture(scope="module")
def decided():
    return [plan_of(task=task) for task in ("classify", "detect")]


def test_every_operation_has_its_lowering(plan, pooled, decided):
    drawn = {type(op): op for one in (plan, pooled, *decided) for op in one.model.operations}
    # those of streams are lowered as steps: tests/sim/test_streams.py
    streamed = {SlidingScores, SlidingAttend, SubtractPreceding}
    assert {*drawn} == {*OPERATIONS.values()} - streamed
    for kind, op in drawn.items():
        assert type(lowering_of(op)).__name__ == kind.__name__ + "Lowering"
        assert lowering_of(op).op is op


def test_every_tensor_has_a_store(plan, pooled):
    found = plan.destinations
    assert found[L0 + "q"] is found[L0 + "context"] is Destination.ACTIVATION
    assert found[L0 + "k"] is Destination.KEY
    assert found[L0 + "v"] is Destination.VALUE
    assert found[L0 + "scores"] is Destination.SCORE
    assert found["output"] is Destination.OUTPUT
    assert pooled.destinations[L0 + "norm2"] is Destination.VALUE
    assert pooled.destinations["pooled"] is Destination.ACTIVATION


def test_what_is_at_the_input_is_no_row(plan):
    assert rows_of(plan, "delta") == []


def test_rows_of_the_first_layer(plan):
    rows = rows_of(plan, "embedding")
    op = rows[0].operation
    assert (op.source, op.addend, op.wait_input) == (Source.INPUT, Addend.POSITION, True)
    assert [row.start for row in rows] == [0, 1, 2, 3]
    # the last step is subtracted from all
    assert [row.needed_inputs for row in rows] == [4] * 4
    assert all(row.reads == () for row in rows)


def test_a_residual_is_read_when_results_are_requantized(plan):
    rows = rows_of(plan, L0 + "add1")
    assert rows[2].operation.addend is Addend.ACTIVATION
    assert rows[2].operation.statistics
    assert rows[2].reads == (
        Read(tensor=L0 + "context", row=2),
        Read(tensor="embedding", row=2, post=True),
    )


def test_the_flattened_head_reads_all_rows(plan):
    (row,) = rows_of(plan, "output")
    assert row.reads == (Read(tensor=L0 + "norm2", rows=4),)
    assert (row.start, row.operation.length, row.operation.wait_output) == (0, 16, True)
    assert row.operation.addend is Addend.LAST
    assert row.operation.addend_shift == (
        plan.model.writers["output"].residual.shift + plan.power(plan.model.writers["output"])
    )


def test_rows_of_attention(plan):
    scores, context = rows_of(plan, L0 + "scores"), rows_of(plan, L0 + "context")
    assert [row.row for row in scores] == [*range(8)]
    assert [row.start for row in scores] == [0, 2] * 4
    assert {row.operation.weight_base for row in scores} == {0, 2}
    assert scores[5].reads == (Read(tensor=L0 + "q", row=2), Read(tensor=L0 + "k", rows=4))
    assert context[5].reads == (Read(tensor=L0 + "scores", row=5), Read(tensor=L0 + "v", rows=4))
    assert {row.operation.factor for row in context} == {Factor.RECIPROCAL}
    assert [(row.row, row.first, row.begins, row.completes) for row in context[:2]] == [
        (0, 0, True, False),
        (0, 2, False, True),
    ]


def test_a_causal_row_sees_no_key_behind_it():
    plan = plan_of(decoder_layers=1, window=4, horizon=3)
    scores = rows_of(plan, "decoder." + L0 + "scores")
    assert [row.features for row in scores] == [1, 1, 2, 2, 3, 3]
    assert [row.operation.length for row in rows_of(plan, "decoder." + L0 + "context")][::2] == [
        *(1, 2, 3),
    ]


@pytest.mark.parametrize(
    ("slots", "first", "features", "pieces"),
    [
        (4, 0, 8, [(0, 8)]),
        (4, 4, 4, [(4, 4)]),
        (4, 2, 4, [(2, 2), (4, 2)]),
        (4, 3, 6, [(3, 1), (4, 4), (8, 1)]),
        (8, 2, 2, [(2, 2)]),
    ],
)
def test_a_head_is_cut_at_words_of_values(slots, first, features, pieces):
    assert _pieces(slots, first, features) == pieces


def test_norms_go_past_the_engine(plan, pooled):
    for one, factor in ((plan, Factor.NORM), (pooled, Factor.PARAMETER)):
        row = rows_of(one, L0 + "norm1")[1]
        op = row.operation
        assert (op.matrix, op.factor, op.addend) == (False, factor, Addend.PARAMETER)
        assert op.normalize is (factor is Factor.NORM)
        assert op.slots == -(-4 // one.geometry.ways)
        assert row.reads == (Read(tensor=L0 + "add1", row=1, post=True),)


def test_the_mean_is_one_row_of_ones(pooled):
    (row,) = rows_of(pooled, "pooled")
    assert (row.operation.source, row.operation.length) == (Source.ONE, 4)
    assert row.reads == (Read(tensor=L0 + "norm2", rows=4),)


def test_a_shared_multiplier_is_a_constant_of_the_hardware(plan):
    q = replace(plan.model.writers[L0 + "q"], y="q")
    own = q.multiplier
    same, different = (
        replace(q, multiplier=0 * own + 4),
        replace(q, multiplier=own + np.eye(4, dtype=int)[0]),
    )
    assert plan.is_uniform(same)
    assert not plan.is_uniform(different)
    reloadable = replace(plan, immediate=False)
    assert not reloadable.is_uniform(same)
    norm = plan_of(norm="batch").model.writers[L0 + "norm1"]
    assert not plan.is_uniform(replace(norm, multiplier=0 * norm.multiplier + 4))


def test_parameters_are_at_the_shift_of_the_hardware(pooled):
    tables = pooled.parameters
    for op in pooled.model.operations:
        if op.parameters is None:
            assert op.y not in tables
            continue
        values, factors = tables[op.y].T
        assert values.tolist() == op.parameters[0].tolist()
        power = pooled.shifts[op.y] - op.shift
        expected = 0 if pooled.is_uniform(op) else op.multipliers * 2.0**power
        assert (factors == expected).all()
