# amaranth: UnusedElaboratable=no
"""Streams in hardware: every tensor of every step, from empty rings on, and the cycles of each."""

from dataclasses import replace

import pytest
from design_strategies import several, streams
from hypothesis import given, reject
from hypothesis import strategies as st
from stream_harness import SMALL, ResetsAfter, exactly, lowered, patches

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.operations.rings import RingScoresLowering
from bitformer.hw.lowering.steps import StreamProgram
from bitformer.hw.program import Destination
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

CHANGES = [
    {"norm": "batch", "pooling": "mean", "subtract_last": False, "inputs": 3, "heads": 1},
    {"layers": 2, "pooling": "last", "patch": 1, "window": 2},
    {"targets": 2, "inputs": 2, "pre_norm": True, "activation": "gelu"},
    {"window": 2, "norm": "batch", "fused": True, "heads": 1, "horizon": 40},
    {"linear_path": True, "window": 16, "d_model": 8},
    {"linear_path": True, "patch": 1, "window": 4, "pooling": "last", "subtract_last": False},
    {"linear_path": True, "inputs": 3, "patch": 1, "targets": 2, "pooling": "mean"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_every_tensor_of_every_step(changes):
    design = lower(initialize(SMALL.replace(**changes), seed=1))
    exactly(design, 2 * design.model.config.tokens + 2)


def test_back_pressure_and_a_reset_in_the_middle(design):
    resetting = ResetsAfter(design, 5)
    exactly(design, 10, accelerator=resetting, resets=[5], back_pressure=0.3)


def test_a_reset_that_is_not_expected_is_seen(design):
    x = patches(design.model, 6)
    result = simulate(design, x, accelerator=ResetsAfter(design, 5))
    assert result.difference.sample == 5


CASES = {
    "config": streams(),
    "seed": st.integers(0, 100),
    "lanes": st.sampled_from([None, None, 1, 4, 6]),
    "effort": st.sampled_from([0, 0, 8]),
}


@several(3)
@given(**CASES)
def test_random_streams(**case):
    check(**case)


@pytest.mark.slow
@several(60)
@given(**CASES)
def test_many_random_streams(**case):
    check(**case)


def check(config, seed, lanes, effort):
    config = config.replace(window=min(config.window, 4 * config.patch))
    try:
        design = lower(initialize(config, seed=seed, samples=8), lanes=lanes, effort=effort)
    except UserError:
        reject()  # numbers too wide for any part, or an odd number of features
    exactly(design, 2 * config.tokens + 3, back_pressure=0.2 * (seed % 2))


LONG = {"etth1-96-24-stream": 420, "grid-12-32-4-stream": 700, "grid-24-64-4-stream": 2010}


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("name", LONG)
def test_ten_thousand_steps_with_back_pressure_and_a_reset(name):
    design = lower(initialize(named_config(name), seed=1))
    assert design.latency <= LONG[name]
    exactly(design, 300, engine="native")
    options = {"engine": "native", "back_pressure": 0.2}
    exactly(design, 10_000, accelerator=ResetsAfter(design, 5_000), resets=[5_000], **options)


@pytest.fixture(scope="module")
def model():
    return initialize(SMALL, seed=1)


@pytest.fixture(scope="module")
def design(model):
    return lower(model, lanes=4)


@pytest.fixture(scope="module")
def with_path():
    """Of two columns, so that the path waits for its patch."""
    return lower(initialize(SMALL.replace(linear_path=True), seed=1), lanes=4)


#: A lap to fill the rings, another one, and the first step of the next.
STEPS = 2 * SMALL.tokens + 1


def test_the_designs_themselves_are_exact(design, with_path):
    exactly(design, STEPS)
    exactly(with_path, STEPS)


def first_difference(design, mutant):
    """Where a wrong design differs from the right one."""
    x = patches(design.model, STEPS)
    return simulate(design, x, accelerator=Accelerator(design=mutant)).difference


def with_operations(design, change):
    """The design with ``change(operation)`` in the place of each operation of its program."""
    program = replace(design.program, operations=tuple(map(change, design.program.operations)))
    return replace(design, program=program)


def with_instructions(design, change):
    """The design with ``change(number, instruction)`` in the place of each instruction."""
    instructions = tuple(change(*one) for one in enumerate(design.program.instructions))
    program = replace(design.program, instructions=instructions)
    return replace(design, program=program, images={**design.images, "program": program.words()})


def rows_of(design, tensor, *, kept=False):
    """The numbers of the instructions that write a tensor, or whose sums are kept for it."""
    operations = design.program.operations
    return [
        number
        for number, one in enumerate(design.program.instructions)
        if operations[one.op].tensor == tensor
        and (operations[one.op].destination is Destination.SUMS) == kept
    ]


def late_by_a_row(design, tensor):
    """The design with a product over a ring that begins at the slot that was just taken."""
    rows, kept = rows_of(design, tensor), rows_of(design, tensor, kept=True)
    own = rows[SMALL.tokens + 1]
    if kept:
        own = next(one for one in kept if one > rows[SMALL.tokens])
    read = design.model.writers[tensor].x

    def late(number, one):
        features = design.model.tensors[read].features
        return replace(one, act=one.act - features) if number == own else one

    return with_instructions(design, late)


@pytest.mark.parametrize("ahead", [0, SMALL.tokens])
def test_a_ring_that_is_off_by_one_is_seen(model, ahead):
    """The head begins at the slot that the newest token took, not at the oldest one."""
    design = lowered(model, ahead, lanes=4)
    difference = first_difference(design, late_by_a_row(design, "output"))
    assert (difference.tensor, difference.sample) == ("output", SMALL.tokens + 1)


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_patch_too_old_is_seen(ahead):
    """The path begins at the slot that the newest patch took."""
    model = initialize(SMALL.replace(linear_path=True), seed=1)
    with_path = lowered(model, ahead, lanes=4)
    difference = first_difference(with_path, late_by_a_row(with_path, "path"))
    assert (difference.tensor, difference.sample) == ("path", SMALL.tokens + 1)


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("tensor", ["output", "path"])
def test_a_ring_that_ends_elsewhere_is_seen(with_path, tensor, step):
    def other(op):
        own = op.tensor == tensor and op.ring_last
        return replace(op, ring_last=op.ring_last + step) if own else op

    difference = first_difference(with_path, with_operations(with_path, other))
    assert difference.tensor == tensor


@pytest.mark.parametrize(
    ("tensor", "seen"),
    [("layers.0.k", "layers.0.scores"), ("layers.0.v", "layers.0.context"), ("recent", "path")],
)
def test_what_is_stale_is_seen(with_path, tensor, seen):
    """What is newest lies in the slot of the step before, and its own holds an old one."""
    own = rows_of(with_path, tensor)

    def stale(number, one):
        place = own.index(number) if number in own else 0
        last = with_path.program.instructions[own[place - 1]].dst
        return replace(one, dst=last) if place == SMALL.tokens + 1 else one

    difference = first_difference(with_path, with_instructions(with_path, stale))
    assert (difference.tensor, difference.sample) == (seen, SMALL.tokens + 1)


def test_a_token_too_old_is_seen(design, model, monkeypatch):
    """In the first lap, a step sees a token that was there before the reset."""
    original = StreamProgram._task
    monkeypatch.setattr(
        StreamProgram,
        "_task",
        lambda self, task, filled: original(self, task, min(filled + 1, self.slots)),
    )
    difference = first_difference(design, lower(model, lanes=4))
    assert (difference.tensor, difference.sample) == ("layers.0.scores", 0)


def test_a_patch_that_is_not_there_yet_is_seen(with_path, monkeypatch):
    """The path begins when the patch before would be its last."""
    original = StreamProgram._newest_read

    def early(self, read, form, filled):
        found = original(self, read, form, filled)
        return replace(found, passed=100) if read.tensor == "recent" else found

    monkeypatch.setattr(StreamProgram, "_newest_read", early)
    wrong = lower(with_path.model.source, lanes=4)
    assert first_difference(wrong, wrong).tensor == "path"


def test_a_bias_of_another_distance_is_seen(design, model, monkeypatch):
    original = RingScoresLowering.turned
    tokens = SMALL.tokens
    monkeypatch.setattr(
        RingScoresLowering,
        "turned",
        lambda self, plan, row, op, slot: original(self, plan, row, op, (slot + 1) % tokens),
    )
    difference = first_difference(design, lower(model, lanes=4))
    assert (difference.tensor, difference.sample) == ("layers.0.scores", 0)


@pytest.mark.parametrize("previous", [False, True])
def test_the_last_step_of_another_patch_is_seen(design, previous):
    """Of the patch itself, later; of the one before, where there is none."""

    def other(op):
        return replace(op, previous=previous) if op.tensor == "embedding" else op

    difference = first_difference(design, with_operations(design, other))
    assert (difference.tensor, difference.sample) == ("delta", 0 if previous else 1)


def test_a_program_that_begins_anew_is_seen(design):
    """Behind the last step comes the second lap, not the first, in which rings fill."""
    mutant = replace(design, program=replace(design.program, loop=0))
    difference = first_difference(design, mutant)
    assert difference.sample == 2 * SMALL.tokens


def test_a_ring_of_one_token_goes_round_too():
    design = lower(initialize(SMALL.replace(window=SMALL.patch), seed=1))
    assert first_difference(design, design) is None


def test_windows_keep_their_program():
    """Nothing of a stream is in a design of windows."""
    design = lower(initialize(named_config("tiny"), samples=8))
    assert (design.program.loop, design.program.steps, design.first_lap) == (0, 1, ())
    assert design.timelines == (design.schedule,)
    assert not any(
        op.starts or op.previous or op.ring_first or op.ring_last
        for op in design.program.operations
    )
