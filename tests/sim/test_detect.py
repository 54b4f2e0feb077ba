# amaranth: UnusedElaboratable=no
"""A detector's flag on the chip: exact over windows, from a reset on, in the predicted cycles."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.hw import timing
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.sim.run import simulate

KINDS = {
    "one number": {"horizon": 1},
    "a row": {"inputs": 3, "patch": 2, "window": 6, "horizon": 3},
    "steps": {"subtract_last": True, "horizon": 5, "output_bits": 12},
    "filled up, with the hour": {"inputs": 2, "horizon": 3, "calendar": ("hour",)},
    "several targets": {"inputs": 3, "targets": 3, "horizon": 2, "subtract_last": True},
    "two of three": {"inputs": 3, "targets": 2, "horizon": 1, "linear_path": True},
    "reconstruction": {"inputs": 2, "horizon": 2, "block": "mlp", "linear_path": True},
}


def judging(model, **changes):
    """The model with another flag."""
    *before, judge = model.operations
    return replace(model, operations=(*before, replace(judge, **changes)))


def sharp(model, x, **changes):
    """The model with a threshold that about half of the windows are above."""
    count = model.results.size
    model = judging(model, smoothing=2, weight=np.arange(1, count + 1), threshold=0, **changes)
    low, high = 0, model.detector.score_bound(model.tensors)
    quiet = judging(model, hold=0)
    while low < high:
        threshold = (low + high) // 2
        flags = reference.run(judging(quiet, threshold=threshold), x)["answer"]
        low, high = (threshold + 1, high) if flags.mean() > 0.5 else (low, threshold)
    return judging(model, threshold=low)


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_and_the_flag_are_exact(small_model, run, inputs_of, kind):
    model = small_model(task="detect", **KINDS[kind])
    x = inputs_of(model, samples=8, seed=2)
    model = sharp(model, x, hold=len(kind) % 2, absolute=kind == "steps")
    _, result = run(model, x, lanes=4)
    flags = reference.run(model, x)["answer"].ravel()
    assert result.outputs.ravel().tolist() == flags.tolist()
    assert {*flags} == {0, 1}
    assert {"output", "answer"} <= {*result.tensors}
    run(model, x, lanes=4, back_pressure=0.7)


def test_the_flag_adds_its_own_cycles_and_no_row(small_model):
    """A window has a row more, which is waited for; the flag comes behind the last forecast."""
    shape = {"horizon": 3, "subtract_last": True, "inputs": 3}
    detector = lower(small_model(task="detect", **shape))
    forecaster = lower(small_model(**shape))
    assert detector.latency == forecaster.latency + 3 + timing.JUDGE
    assert detector.interval == forecaster.interval
    assert len(detector.program.operations) == len(forecaster.program.operations)


@pytest.fixture(scope="module")
def model(small_model, inputs_of):
    made = small_model(task="detect", inputs=3, horizon=3, window=3)
    return sharp(made, inputs_of(made, samples=12, seed=4), hold=1)


@pytest.fixture(scope="module")
def x(model, inputs_of):
    return inputs_of(model, samples=12, seed=4)


@pytest.fixture(scope="module")
def design(model):
    return lower(model, lanes=4)


def first_difference(design, x, mutant=None, **options):
    result = simulate(design, x, accelerator=mutant or Accelerator(design=design), **options)
    return result.difference and result.difference.tensor


@pytest.mark.parametrize(
    "changes",
    [
        {"smoothing": 1},
        {"hold": 0},
        {"hold": 2},
        {"absolute": True},
        {"weight": np.array([1, 2, 4])},
    ],
    ids=str,
)
def test_another_flag_is_found_in_the_answer_alone(design, model, x, changes):
    assert first_difference(design, x) is None
    other = judging(model, **changes)
    assert (reference.run(other, x)["answer"] != reference.run(model, x)["answer"]).any()
    mutant = lower(other, lanes=4)
    assert first_difference(design, x, Accelerator(design=mutant)) == "answer"


def test_a_window_is_not_left_before_all_that_is_judged_is_there(design, x):
    """Without the wait for it, rows of the next window begin in the middle of this one's."""
    operations = tuple(replace(op, whole=False) for op in design.program.operations)
    assert operations != design.program.operations
    mutant = replace(design, program=replace(design.program, operations=operations))
    try:
        found = first_difference(design, x, Accelerator(design=mutant), back_pressure=0.95)
    except RuntimeError:  # it never answers
        found = "nothing"
    assert found is not None


def test_two_windows_of_judged_numbers_are_not_enough(design, x):
    """Under back-pressure three wait: in the queue, computed, and taken in."""
    stores = {**design.stores, "judged": replace(design.stores["judged"], depth=4)}
    mutant = Accelerator(design=replace(design, stores=stores))
    assert first_difference(design, x, mutant, back_pressure=0.9) == "answer"


@pytest.mark.needs("compiler")
def test_many_windows_natively(small_model, run_design, inputs_of):
    """The state goes on over all chunks of the comparison."""
    model = small_model(task="detect", horizon=2, window=3, d_model=2, ffn=2)
    x = inputs_of(model, samples=700)
    design = lower(sharp(model, x, hold=2), lanes=2)
    result = run_design(design, x, engine="native")
    assert 0.2 < result.outputs.mean() < 1
    run_design(design, x[:200], engine="native", back_pressure=0.5)


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_the_netlist_has_the_detector(design, x):
    from bitformer.synth.synthesize import synthesized_netlist

    netlist = synthesized_netlist(design)
    for back_pressure in (0.0, 0.4):
        result = simulate(design, x, engine="netlist", netlist=netlist, back_pressure=back_pressure)
        assert result.bit_exact
        assert result.cycles_as_predicted in (True, None)
