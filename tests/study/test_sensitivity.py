"""One component at a time: rounded alone, and spared alone."""

import pytest

from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.study.sensitivity import read_added, sensitivity_trials, tabulate
from bitformer.study.sensitivity_plot import plot_sensitivity
from bitformer.study.trials import Outcome, run_trials
from bitformer.study.workers import WorkerPool


def test_each_component_alone(source):
    config = named_config("etth1-48-24-ed")
    trials = sensitivity_trials(config, source, widths=(4, 1), seeds=(0, 3))
    components = [name for name in config.components if name != "GAP"]
    assert len(trials) == 2 * (3 * len(components) + 1)
    for (what, name, bits, seed), trial in trials.items():
        assert trial.settings == {"seed": seed, "method": "ptq"}
        widths = {one: trial.config.bits(one).weights for one in components}
        own = widths.pop(name, None)
        if what == "alone":
            assert (own, {*widths.values()}) == (bits, {32})
            assert trial.config.bits(name).activations == max(bits, 2)
        else:
            assert (bits, {*widths.values()}) == (1, {1})
            assert own == (32 if what == "spared" else None)
    assert sum(what == "low" for what, *_ in trials) == 2


@pytest.mark.parametrize("bits", [5, 32, 0])
def test_widths_are_those_of_weights(config, source, bits):
    with pytest.raises(UserError, match=rf"^widths must be of \[1, 2, .*\], not {bits}$"):
        sensitivity_trials(config, source, widths=(4, bits))


def test_powers_of_two_are_a_width(config, source):
    trials = sensitivity_trials(config, source, widths=(8, "4p", 4))
    for (what, name, bits, _), trial in trials.items():
        if what == "alone":
            own = {8: "8", 4: "4", "4p": "4p"}[bits]
            assert trial.config.bits(name) == Precision.parse(own)
        else:
            assert bits == "4p"  # as few bits as 4, and fewer numbers
    outcomes = {
        key: Outcome(trial=trial, float_val=1, float_test=0, val=2, test=0, warnings=(), model=None)
        for key, trial in trials.items()
    }
    result = tabulate(outcomes)
    assert result.low_bits == "4p"
    assert result.alone["FFN"] == {8: 2, "4p": 2, 4: 2}


def test_what_is_printed_of_powers_of_two_is_read(tmp_path):
    path = tmp_path / "s.json"
    path.write_text('{"float_val": 1, "alone": {"MHA": {"4p": 1.5, "4": 1.25}}}')
    found = {Precision.parse("4p"): 0.5, Precision.parse("4"): 0.25}
    assert read_added(path) == {"MHA": found}


def test_rows(config, source):
    trials = sensitivity_trials(config, source, widths=(8, 2), seeds=(0, 1))
    outcomes = {}
    for (what, name, bits, seed), trial in trials.items():
        error = {"alone": 10 / bits, "spared": len(name), "low": 7}[what]
        outcomes[what, name, bits, seed] = Outcome(
            trial=trial,
            float_val=1.0 + seed,
            float_test=0,
            val=error + seed,
            test=0,
            warnings=(),
            model=None,
        )
    result = tabulate(outcomes)
    assert (result.base, result.low_bits, result.low) == (1.5, 2, 7.5)
    assert result.alone["FFN"] == {8: 1.75, 2: 5.5}
    assert result.added["FFN"] == {8: 0.25, 2: 4}
    assert result.spared["FFN"] == 3.5


@pytest.mark.slow
def test_measured(fast, config, source, tmp_path):
    trials = sensitivity_trials(config, source, widths=(8, 2), settings=fast)
    outcomes = run_trials(trials.values(), tmp_path, WorkerPool())
    result = tabulate(dict(zip(trials, outcomes, strict=True)))
    assert {*result.alone} == {*config.components} - {"GAP"}
    assert result.low_bits == 2
    assert result.low > result.base
    worst = max(result.added, key=lambda name: result.added[name][2])
    assert result.added[worst][2] > result.added[worst][8]
    assert min(result.spared.values()) < result.low
    path = tmp_path / "picture.png"
    plot_sensitivity(result, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match=r"cannot be written"):
        plot_sensitivity(result, tmp_path / "picture.doc")
