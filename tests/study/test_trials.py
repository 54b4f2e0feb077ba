"""Trials are run once, from one float model, and kept."""

import json
from dataclasses import replace

import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.data.datasets import load_source
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.precision import Precision
from bitformer.model.reference import predict
from bitformer.study import trials as module
from bitformer.study.trials import Trial, known_outcomes, run_trials
from bitformer.study.workers import WorkerPool, open_pool


@pytest.fixture(scope="module")
def pair(fast, config, source):
    """The same shape at two precisions, one of them with floats."""
    kept = config.replace(precision={"Loutput": Precision(weights=32, activations=32)})
    return [Trial(config=one, source=source, settings=fast) for one in (config, kept)]


@pytest.fixture(scope="module")
def done(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")
    seen = []
    outcomes = run_trials(pair, folder, WorkerPool(), lambda *said: seen.append(said[:2]))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    return folder, outcomes


def test_all_start_from_one_float_model(pair, done):
    _, outcomes = done
    assert pair[0].origin == pair[1].origin
    assert pair[0].origin.origin == pair[0].origin
    assert len({(one.float_val, one.float_test) for one in outcomes}) == 1
    assert outcomes[0].val != outcomes[1].val


def test_integer_models_are_kept(done, source):
    _, (whole, floats) = done
    assert floats.model is None
    model = load_model(whole.model)
    test = load_source(source, model.config).test
    assert ((predict(model, test.x) - test.y) ** 2).mean() == pytest.approx(whole.test, rel=1e-12)


def test_nothing_is_run_twice(pair, done, monkeypatch):
    folder, outcomes = done
    monkeypatch.setattr(module, "_train", None)
    assert run_trials(pair, folder, WorkerPool()) == outcomes


def test_what_is_known_is_read_and_nothing_is_run(pair, done, monkeypatch, tmp_path):
    folder, outcomes = done
    monkeypatch.setattr(module, "_train", None)
    assert known_outcomes(pair[::-1], folder) == outcomes[::-1]
    assert known_outcomes(pair, tmp_path / "other") == [None, None]


def test_a_damaged_result_is_made_again(pair, done):
    folder, outcomes = done
    record = folder / "results" / f"{pair[0].key}.json"
    record.write_text(record.read_text()[:40])
    again = run_trials(pair, folder, WorkerPool())
    assert [(one.val, one.test) for one in again] == [(one.val, one.test) for one in outcomes]
    assert json.loads(record.read_text())["val"] == outcomes[0].val


def test_another_machine_gets_the_float_model(pair, done, tmp_path):
    """A worker without the folder is sent the run it starts from."""
    folder, outcomes = done
    key = pair[0].origin.key
    files = {name: (folder / "runs" / key / name).read_bytes() for name in module._RUN_FILES}
    (result,) = module._train([(pair[0].description, (key, files))], str(tmp_path))
    assert result["record"]["val"] == outcomes[0].val
    assert result["model"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_any_number_of_workers(pair, done, tmp_path):
    _, outcomes = done
    with open_pool(2) as pool:
        found = run_trials(pair, tmp_path, pool)
    assert [replace(one, model=None) for one in found] == [
        replace(one, model=None) for one in outcomes
    ]


def test_keys_are_of_the_description(fast, pair, config, source):
    same = Trial(config=config, source=source, settings=dict(reversed(fast.items())))
    assert same.key == pair[0].key
    others = [{**fast, "seed": 1}, {**fast, "method": "ptq"}]
    keys = {Trial(config=config, source=source, settings=one).key for one in others}
    assert len({*keys, pair[0].key, pair[1].key}) == 4


def test_a_folder_that_cannot_be(pair, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^Folder .*file/results cannot be made: "):
        run_trials(pair, tmp_path / "file", WorkerPool())


def test_a_training_that_diverges_is_an_outcome(pair, done, monkeypatch):
    folder, outcomes = done
    monkeypatch.setattr(
        "bitformer.model.train.train_together", lambda *_: [TrainingDivergedError("It diverged")]
    )
    other = replace(pair[0], settings={**pair[0].settings, "qat_lr": 3.0})
    (outcome,) = run_trials([other], folder, WorkerPool())
    assert outcome.val == outcome.test == float("inf")
    assert outcome.model is None
    assert outcome.warnings == ("It diverged",)
    assert outcome.float_val == outcomes[0].float_val


def test_seeds_are_trained_together_and_come_to_the_same(pair, tmp_path, monkeypatch):
    """Three seeds of two trials are tasks of three; each trial alone gives the same."""
    seeds = [replace(one, settings={**one.settings, "seed": n}) for n in range(3) for one in pair]
    train, sizes = module._train, []

    def counted(asked, folder):
        sizes.append(len(asked))
        return train(asked, folder)

    monkeypatch.setattr(module, "_train", counted)
    together = run_trials(seeds, tmp_path / "together", WorkerPool())
    assert sizes == [3, 3, 3]  # the float models, and those of each trial
    monkeypatch.setattr(module, "_TOGETHER", 1)
    alone = run_trials(seeds, tmp_path / "alone", WorkerPool())
    assert sizes[3:] == [1] * 9
    assert len({one.val for one in alone}) == 6
    for one, other in zip(together, alone, strict=True):
        assert replace(one, model=None) == replace(other, model=None)
        if one.model is not None:
            assert one.model.read_bytes() == other.model.read_bytes()


def test_every_worker_has_a_task(pair):
    """Of six trials of two kinds, as many together as leave each worker some."""
    seeds = [replace(one, settings={**one.settings, "seed": n}) for n in range(3) for one in pair]
    sizes = {n: [len(group) for group in module._groups(seeds, n)] for n in (1, 2, 3, 4, 6, 9)}
    assert sizes == {
        1: [3, 3],
        2: [3, 3],
        3: [2, 1, 2, 1],
        4: [2, 1, 2, 1],
        6: [1] * 6,
        9: [1] * 6,
    }
    assert [one.key for group in module._groups(seeds, 3) for one in group] == [
        one.key for one in (*seeds[::2], *seeds[1::2])
    ]
    many = [replace(pair[0], settings={"seed": n}) for n in range(20)]
    assert [len(group) for group in module._groups(many, 1)] == [8, 8, 4]


def test_float_models_learn_from_windows_that_change_too(
    pair, fast, config, source, done, tmp_path
):
    settings = {**fast, "augment": "noise=0.5"}
    changed = Trial(config=config, source=source, settings=settings)
    assert changed.origin.settings["augment"] == "noise=0.5"
    (found,) = run_trials([changed], tmp_path, WorkerPool())
    assert found.float_val != done[1][0].float_val
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/run.json")]
    assert [run["settings"]["augment"] for run in runs] == ["noise=0.5"] * 2
    assert "augment" not in pair[0].origin.settings


def test_float_models_weigh_classes_as_their_trials_do(fast, config, source):
    balanced = Trial(config=config, source=source, settings={**fast, "class_weights": "balanced"})
    assert balanced.origin.settings["class_weights"] == "balanced"
    assert "class_weights" not in Trial(config=config, source=source, settings=fast).origin.settings
