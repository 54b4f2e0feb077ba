"""The table of accuracies: which models are trained, and what is written of them."""

from pathlib import Path

import pytest

from bitformer.study.trials import Outcome

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def accuracy(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import accuracy

    return accuracy


def outcomes(trials, first):
    return [
        Outcome(
            trial=trial,
            float_val=0.0,
            float_test=0.02 + first / 100,
            val=0.0,
            test=0.03 + (first + number % 3) / 100,
            warnings=(),
            model=None,
        )
        for number, trial in enumerate(trials)
    ]


def test_every_model_has_its_seeds_and_one_float_origin_for_each(accuracy):
    for _, data, configs in accuracy.TASKS:
        trials = accuracy.trials_of(data, configs)
        assert len({trial.key for trial in trials}) == len(configs) * len(accuracy.SEEDS)
        shapes = {(c.window, c.d_model, c.decoder_layers) for c in configs}
        origins = {trial.origin.key for trial in trials}
        assert len(origins) == len(shapes) * len(accuracy.SEEDS)


def test_the_table_has_medians_of_seeds_and_baselines(accuracy, monkeypatch):
    monkeypatch.setattr(accuracy, "baselines", lambda _: {"repeat last": 0.5, "linear": None})
    monkeypatch.setattr(accuracy, "load_source", lambda *_: None)
    _, data, configs = accuracy.TASKS[0]
    lines = list(accuracy.table(data, outcomes(accuracy.trials_of(data, configs), first=1)))
    assert len(lines) == 2 + len(configs) + 1
    name = "| etth1-96-24-w2a4 | 2 bit | 4 bit | 0.0300 (0.0300, 0.0300, 0.0300) |"
    assert lines[4] == name + " 0.0500 (0.0400, 0.0500, 0.0600) |"
    assert lines[5] == "| repeat last | – | – | 0.5000 | – |"
