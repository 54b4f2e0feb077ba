"""What a step of a stream sums ahead: of which products, in which parts, and where."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitformer.hw.lowering import ahead
from bitformer.hw.lowering.lower import lower
from bitformer.hw.program import Addend, Destination, MachineOperation
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


def model_of(tokens=4, **forms):
    """A model whose operations read rings of so many rows, in order or not."""
    found = SimpleNamespace(config=SimpleNamespace(tokens=tokens), phases=1)
    found.forms = {
        name: SimpleNamespace(ordered=ordered, rings={f"{name}.ring": rows} if rows else {})
        for name, (rows, ordered) in forms.items()
    }
    return found


@pytest.mark.parametrize(
    ("rows", "ordered", "tokens", "so"),
    [
        (4, True, 4, True),
        (4, False, 4, False),  # sums over tokens, in any order: attention, the mean
        (8, True, 4, False),  # several rows a token
        (1, True, 1, False),  # nothing is old
        (0, True, 4, False),
    ],
)
def test_products_over_a_ring_in_order_are_summed_ahead(rows, ordered, tokens, so):
    model = model_of(tokens, y=(rows, ordered))
    assert ahead.sums_ahead(model.forms["y"], model) == so


def test_of_a_named_stream_the_head_and_the_path_are_summed_ahead():
    design = lower(initialize(named_config("etth1-96-24-stream"), seed=1))
    assert ahead.summed_ahead(design.model) == ["path", "output"]
    assert ahead.summed_ahead(design.model.source) == []


@pytest.mark.parametrize(
    ("tokens", "sizes"), [(2, [1]), (3, [2, 1]), (4, [3, 2, 1]), (12, [11, 6, 5, 4, 3])]
)
def test_parts_are_a_third_of_old_tokens_at_least(monkeypatch, tokens, sizes):
    model = model_of(tokens, y=(tokens, True))
    monkeypatch.setattr(ahead, "summed_ahead", lambda model: [*model.forms])
    part = SimpleNamespace(family=SimpleNamespace(luts=SimpleNamespace(rams=True)))
    plan = SimpleNamespace(model=model, part=part)
    assert ahead.part_sizes(plan) == sizes
    model.phases = 2
    assert ahead.part_sizes(plan) == sizes[:1]
    model.forms.clear()
    assert ahead.part_sizes(plan) == []


def test_families_without_memories_in_luts_sum_nothing_ahead():
    model = initialize(named_config("etth1-96-24-stream"), seed=1)
    assert "sums" in lower(model, part="lfe5u-25f").stores
    found = lower(model, part="ice40up5k")
    assert "sums" not in found.stores
    assert not any(op.resumes for op in found.program.operations)


@given(tokens=st.integers(0, 30), size=st.integers(1, 31))
def test_parts_are_all_old_tokens_once_and_the_oldest_first(tokens, size):
    parts = list(ahead.parts_ahead(tokens, size))
    ages = [age - n for age, count in parts for n in range(count)]
    assert ages == [*range(tokens)][::-1]
    assert all(count == size for _, count in parts[:-1])


def row(tensor="y", features=5, parameters=0, **fields):
    operation = MachineOperation(tensor=tensor, matrix=True, parameters=parameters, **fields)
    reads = Read(tensor="ring", passed=9), Read(tensor="path", row=2, post=True)
    return RowTask(
        operation=operation, tensor=tensor, row=0, first=0, features=features, reads=reads
    )


@pytest.mark.parametrize("summed", [False, True])
def test_what_is_summed_takes_the_place_of_the_bias(summed):
    given = row(bias=True, wait_output=True, addend=Addend.ACTIVATION, addend_shift=3)
    found = ahead.goes_on(given, summed)
    assert (found.operation.bias, found.operation.resumes) == (not summed, summed)
    assert found.operation.wait_output
    assert found.reads == given.reads


@pytest.mark.parametrize("summed", [False, True])
def test_sums_are_no_results(summed):
    """They wait for no room at the output, are added to nothing, and are of no statistics."""
    given = row(
        bias=True,
        wait_output=True,
        addend=Addend.ACTIVATION,
        addend_shift=3,
        statistics=True,
        gelu=4,
        wide=True,
    )
    op = (found := ahead.sums_of(given, summed)).operation
    assert op.destination is Destination.SUMS
    assert (op.bias, op.resumes, op.wide) == (not summed, summed, True)
    nothing = MachineOperation()
    for field in ("wait_output", "addend", "addend_shift", "statistics", "gelu"):
        assert getattr(op, field) == getattr(nothing, field) != getattr(given.operation, field)
    # what they read is there already, but for the newest token
    assert found.reads == (Read(tensor="ring"),)


@pytest.mark.parametrize(
    ("rows", "bases", "depth"),
    [
        ([], {}, 0),
        ([row()], {"y": 0}, 0),  # no sums
        ([ahead.sums_of(row(features=1), False)], {"y": 7}, 1),
        ([ahead.sums_of(row(features=8), False)], {"y": 6}, 4),
        # five results are three words of two; in a wide operation a word each
        ([ahead.sums_of(row(), False)], {"y": 0}, 4),
        ([ahead.sums_of(row("w"), False)], {"w": 0}, 8),
        # a part of a tensor has parameters of its own
        ([ahead.sums_of(row(parameters=n, features=4), False) for n in (0, 2)], {"y": 1}, 4),
        # words 0 to 3 and 8 to 9: by three bits, 8 would be 0
        (
            [ahead.sums_of(row(name, features), False) for name, features in (("y", 8), ("z", 4))],
            {"y": 0, "z": 8},
            16,
        ),
        # by two bits, words 4 and 5 would be 0 and 1
        (
            [ahead.sums_of(row(name, features), False) for name, features in (("y", 4), ("z", 4))],
            {"y": 0, "z": 4},
            8,
        ),
    ],
)
def test_no_two_sums_are_kept_in_one_word(rows, bases, depth):
    plan = SimpleNamespace(geometry=SimpleNamespace(ways=2, wide={"w"}))
    assert ahead.sums_depth({"rows": rows}, plan, bases) == depth
