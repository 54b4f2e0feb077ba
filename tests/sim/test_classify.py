# amaranth: UnusedElaboratable=no
"""A classifier's answer on the chip: exact at every margin, in the predicted cycles."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from bitformer.hw import timing
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units import class_choice, decisions
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

CLASSES = 5
KINDS = {
    "window": {"horizon": 2},
    "patches": {"inputs": 3, "patch": 2, "window": 6, "horizon": 3},
    "subtracted": {"subtract_last": True, "horizon": 4, "output_bits": 16},
    "path": {"linear_path": True, "subtract_last": True, "horizon": 7},
    "mixer": {"block": "mixer", "mixing": 5, "activation": "gelu", "horizon": 6},
    "mean, unpacked": {"pooling": "mean", "d_model": 3, "horizon": 5, "output_bits": 4},
    "many": {"horizon": 256, "block": "mlp", "ffn": 2, "d_model": 2, "window": 1},
}


def margins_of(model, x):
    """A model with a margin that rejects about half of some windows, and the answers."""
    scores = np.sort(reference.run(model, x)[model.results.name][:, 0], axis=-1)
    return int(np.median(scores[:, -1] - scores[:, -2])) + 1


def decided(model, margin):
    """The model with another margin."""
    *before, last = model.operations
    return replace(model, operations=(*before, replace(last, margin=margin)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_and_the_answer_are_exact(small_model, run, inputs_of, kind):
    model = small_model(task="classify", **KINDS[kind])
    x = inputs_of(model, samples=6 if kind != "many" else 3, seed=2)
    model = decided(model, margins_of(model, x))
    _, result = run(model, x, lanes=4)
    answers = reference.run(model, x)["answer"].ravel()
    assert result.outputs.ravel().tolist() == answers.tolist()
    assert model.config.horizon in answers
    assert min(answers) < model.config.horizon
    assert {"output", "answer"} <= {*result.tensors}
    run(model, x[:3], lanes=4, back_pressure=0.6)


def test_the_choice_adds_its_own_cycles_and_no_row(small_model):
    """The scores are those of a forecaster of the same shape, and come when its results do."""
    shape = {"horizon": CLASSES, "subtract_last": False}
    classifier = lower(small_model(task="classify", **shape))
    forecaster = lower(small_model(**shape))
    assert classifier.latency == forecaster.latency + timing.CHOICE
    assert classifier.interval == forecaster.interval
    assert classifier.program == forecaster.program
    assert classifier.images == forecaster.images
    assert dict(classifier.stores) == dict(forecaster.stores)
    assert classifier.geometry == forecaster.geometry


@pytest.mark.parametrize("task", ["forecast", "classify"])
def test_many_results_hold_up_the_next_inference(small_model, run, inputs_of, task):
    """Two results a cycle are made, and one a cycle leaves: the next wait for an empty queue."""
    changes = {"horizon": 256, "block": "mlp", "ffn": 2, "d_model": 2, "window": 1}
    narrow = {"default": Precision(weights=4, activations=8)}
    model = small_model(task=task, pooling="mean", **changes, **narrow)
    design, _ = run(model, inputs_of(model, samples=3))
    assert design.geometry.ways == 2
    assert design.interval > design.program.cycles


def test_a_tie_goes_to_the_lowest_class(small_model, run, inputs_of):
    """All weights of the last layer are 0: scores are equal, whatever the window is."""
    model = small_model(task="classify", horizon=CLASSES)

    def level(op):
        if op.y != "output":
            return op
        return replace(op, weight=op.weight * 0, bias=op.bias * 0, multiplier=op.multiplier * 0)

    model = replace(model, operations=tuple(map(level, model.operations)))
    for margin, answer in ((0, 0), (1, CLASSES)):
        _, result = run(decided(model, margin), inputs_of(model))
        assert result.outputs.ravel().tolist() == [answer, answer]


@pytest.fixture(scope="module")
def model(small_model, inputs_of):
    made = small_model(task="classify", horizon=CLASSES)
    return decided(made, margins_of(made, inputs_of(made, samples=8, seed=4)))


@pytest.fixture(scope="module")
def x(model, inputs_of):
    """Windows of which some are rejected."""
    return inputs_of(model, samples=8, seed=4)


@pytest.fixture(scope="module")
def design(model):
    return lower(model)


def first_difference(design, x, mutant=None):
    result = simulate(design, x, accelerator=mutant or Accelerator(design=design))
    return result.difference and result.difference.tensor


@pytest.mark.parametrize("step", [-9, 9])
def test_another_margin_is_found_in_the_answer_alone(design, model, x, step):
    assert first_difference(design, x) is None
    other = decided(model, model.decision.margin + step)
    assert (reference.run(other, x)["answer"] != reference.run(model, x)["answer"]).any()
    mutant = Accelerator(design=replace(design, model=other))
    assert first_difference(design, x, mutant) == "answer"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("score > largest", "score < largest"), ("lead < self.i_margin", "lead > self.i_margin")],
)
def test_a_wrong_choice_is_found(design, x, monkeypatch, right, wrong):
    source = inspect.getsource(class_choice)
    assert right in source
    faulty = {"__name__": "faulty"}
    exec(compile(source.replace(right, wrong), "faulty.py", "exec"), faulty)
    monkeypatch.setattr(decisions, "ClassChoice", faulty["ClassChoice"])
    assert first_difference(design, x) == "answer"


def test_a_wrong_score_is_found_as_one(design, x):
    """It need not change the answer."""
    images = {**design.images, "weights": [*design.images["weights"][:-1], 0]}
    mutant = Accelerator(design=replace(design, images=images))
    assert first_difference(design, x, mutant) == "output"


def test_the_margin_of_either_image_counts(model, x, run_design):
    """A reloadable design reads it from the image that is live."""
    design = lower_reloadable(model)
    assert Accelerator(design=design).reloaded[-1] == "margin"
    assert design.images["margin"] == [model.decision.margin]
    assert design.stores["margin"].depth == 2
    run_design(design, x[:4])
    mutant = replace(design, images={**design.images, "margin": [0]})
    assert first_difference(design, x, Accelerator(design=mutant)) == "answer"


@pytest.mark.needs("compiler")
def test_many_windows_natively(small_model, run_design, inputs_of):
    model = small_model(task="classify", horizon=CLASSES, window=3, d_model=2, ffn=2)
    x = inputs_of(model, samples=800, seed=1)
    design = lower(decided(model, margins_of(model, x)), lanes=2)
    result = run_design(design, x, engine="native")
    assert len(np.unique(result.outputs)) > 2
    run_design(design, x[:60], engine="native", back_pressure=0.5)


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_the_netlist_has_the_choice(model, x):
    from bitformer.synth.synthesize import synthesized_netlist

    design = lower(model, lanes=4)
    netlist = synthesized_netlist(design)
    for back_pressure in (0.0, 0.4):
        result = simulate(design, x, engine="netlist", netlist=netlist, back_pressure=back_pressure)
        assert result.bit_exact
        assert result.tensors == ["answer"]
        assert result.cycles_as_predicted in (True, None)
