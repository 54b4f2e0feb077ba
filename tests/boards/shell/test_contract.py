"""What a contract holds, at the ends of what it may, and where a shell's memory is for it."""

import pytest

from bitformer.boards.shell.contract import Contract, contract_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

VECTOR = ((0,), (0,))


@pytest.mark.parametrize(
    ("field", "last", "beyond", "error"),
    [
        ("inputs", 1, 0, "inputs must be"),
        ("inputs", 65535, 65536, "inputs must be at most 65535, not 65536"),
        ("results", 1, 0, "results must be"),
        ("results", 65535, 65536, "results must be at most 65535, not 65536"),
        ("latency", 0, -1, "latency must be"),
        ("latency", (1 << 24) - 1, 1 << 24, "latency must be below 16777216 cycles"),
        ("model_hash", bytes(8), bytes(7), "model_hash must have 8 bytes, not 7"),
        ("structure", bytes(4), bytes(5), "structure must have 4 bytes, not 5"),
        ("vectors", (VECTOR,) * 254, (VECTOR,) * 255, "vectors must be at most 254, not 255"),
        ("classes", 0, -1, "classes must be"),
        ("ramb18", 0, -1, "ramb18 must be"),
    ],
)
def test_what_is_just_taken_and_just_refused(field, last, beyond, error):
    assert getattr(Contract(**{field: last}), field) == last
    with pytest.raises(ValueError, match=f"^Contract: {error}"):
        Contract(**{field: beyond})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"vectors": (((0, 1), (0,)),)}, "vectors must have 1 inputs and 1 results, not 2 and 1"),
        ({"vectors": (((0,), ()),)}, "vectors must have 1 inputs and 1 results, not 1 and 0"),
        ({"results": 2, "classes": 3}, "results must be 1 of a classifier, a class, not 2"),
        ({"image": ((2, 3),)}, "vectors must be 1 at least where new weights are taken"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, error):
    with pytest.raises(ValueError, match=rf"^Contract: {error}$"):
        Contract(**changes)


def test_a_memory_is_a_block_as_far_as_blocks_are_left():
    assert Contract(ramb18=1).memory(2048).placement == "block"
    assert Contract(ramb18=1).memory(2049).placement == "distributed"
    assert Contract(ramb18=0).memory(1).placement == "distributed"
    # without memories in LUTs there is no other place
    family = PARTS["ice40up5k"].family
    assert Contract(family=family).memory(9).placement == "block"
    assert [Contract(family=f).all_in_blocks for f in (family, Contract().family)] == [True, False]
    assert [Contract(family=f).pipelined for f in (family, Contract().family)] == [True, False]


def test_a_designs_own():
    model = initialize(named_config("tiny"), samples=8)
    design = lower(model)
    made = contract_of(design, vectors=3)
    assert (made.inputs, made.results) == (model.window_size, model.output.size)
    assert (made.latency, len(made.vectors), made.image) == (design.latency, 3, ())
    assert (made.classes, made.remembers, made.unsigned) == (0, False, False)
    assert contract_of(design, vectors=0).vectors == ()
    assert 0 < made.ramb18 < PARTS[design.part].ramb18
    again = contract_of(lower_reloadable(model))
    assert [words for words, _ in again.image] == [
        len(lower_reloadable(model).images[name]) for name in ("weights", "parameters", "position")
    ]
    assert again.structure != bytes(4) == made.structure
