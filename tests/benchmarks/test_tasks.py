"""The page of tasks: what is trained and kept, what is not trained twice, and what is written."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from class_harness import strides
from rich.console import Console

from bitformer.model.checkpoint import load_model
from bitformer.model.config import TransformerConfig

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
CONFIG = TransformerConfig(
    name="gait", task="classify", window=4, inputs=2, horizon=2, d_model=4, ffn=8, patch=2
)


@pytest.fixture
def tasks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import tasks

    return tasks


@pytest.fixture
def page(tasks):
    import tasks_page

    return tasks_page


@pytest.fixture
def row(tasks, tmp_path):
    """A row of made-up strides, of two folds."""
    data = {"data": str(strides(tmp_path / "data", rows=40)), "files": "{group}_{label}.csv"}
    return dataclasses.replace(
        tasks.ROWS[0],
        key="made",
        data=data,
        folds=({"test_groups": "a"}, {"test_groups": "b"}),
        config=CONFIG,
        settings={"epochs": 1, "qat_epochs": 1, "progress": False},
    )


def test_a_training_is_kept_and_not_done_twice(tasks, row, tmp_path, monkeypatch):
    folder, console = tmp_path / "cells", Console(quiet=True)
    monkeypatch.setattr(tasks, "SEEDS", (5, 0))  # no MLP for seed 0, which is not the first
    tasks.trained(row, 0, 1, folder, console)
    record = tasks.known(row, 0, 1, folder)
    assert set(record["scores"]["integer"]["group_f1"]) == {"b"}
    assert record["baselines"]["majority class"]["accuracy"] == 0.5
    assert tasks.known(row, 0, 0, folder) is None
    assert tasks.found(row, folder)[0] == [None, record]
    monkeypatch.setattr(tasks.bitformer.Training, "run", lambda **_: pytest.fail("trained again"))
    tasks.trained(row, 0, 1, folder, console)
    # other settings are another training
    longer = dataclasses.replace(row, settings={**row.settings, "epochs": 2})
    assert tasks.known(longer, 0, 1, folder) is None
    run = tasks.cell(row, 0, 1, folder)
    assert load_model(run / "model.safetensors").meta["classes"] == ["run", "walk"]


@pytest.mark.slow  # compiles the design
@pytest.mark.needs("compiler")
def test_the_best_model_runs_on_the_part(tasks, row, tmp_path, monkeypatch):
    folder, console = tmp_path / "cells", Console(quiet=True)
    monkeypatch.setattr(tasks, "SEEDS", (5, 0))
    tasks.trained(row, 0, 0, folder, console)
    assert tasks.measured(row, folder, console, compute=False) is None
    found = tasks.measured(row, folder, console, compute=True)
    assert (found["exact"], found["as_predicted"], found["fits"]) == (True, True, True)
    assert found["windows"] == tasks.known(row, 0, 0, folder)["test_windows"]
    assert set(found["answers"]) <= {0, 1}
    assert tasks.measured(row, folder, console, compute=False) == found


def record(group_f1, accuracy=0.8, windows=10, error=0.3):
    scores = {"group_f1": group_f1, "accuracy": accuracy, "weighted_f1": accuracy}
    scores["mean_group_f1"] = float(np.mean(list(group_f1.values())))
    line = {**scores, "group_f1": dict.fromkeys(group_f1, 0.5)}
    return {
        "scores": {"integer": scores},
        "baselines": {"majority class": line, "LightGBM": None},
        "test_windows": windows,
        "validation": {"float": 0.2, "integer": error},
    }


PART = {"exact": True, "as_predicted": True, "windows": 20, "latency": 1753, "energy_uj": 0.734}
PART |= {"macs": 20880, "fits": True}


def test_figures_of_the_page_by_hand(tasks, page):
    row = tasks.ROWS[0]
    seeds = {
        0: [record({"a": 0.8, "b": 0.9}, 0.8), record({"c": 1.0}, 0.5, windows=20)],
        1: [record({"a": 0.7, "b": 0.8}, error=0.2), record({"c": 0.9})],
        2: [record({"a": 0.9, "b": 1.0}), record({"c": 0.8})],
    }
    # means over persons: 0.9, 0.8, 0.9; accuracies by windows: (8 + 10) / 30, 0.8, 0.8
    found = page.table_row(row, seeds, PART)
    assert found[1:6] == [
        "0.867 ± 0.058",
        "≥ 0.83 reached",
        "≥ 0.86 reached",
        "0.800",  # of seed 1
        "0.733 ± 0.115",
    ]
    assert found[6:] == ["all 20 windows, the class too", "1753", "0.73", "20880", "yes"]
    text = page.markdown([(row, seeds, PART)])
    assert "| majority class | 0.500 | 0.600 | 0.600 |" in text
    assert "| LightGBM | not measured | not measured | not measured |" in text
    assert "a 0.80, b 0.90, c 0.90" in text
    assert "\n\n\n" not in text


def test_what_is_missed_or_not_measured_says_so(tasks, page):
    row = tasks.ROWS[0]
    bad = {seed: [record({"a": 0.5})] for seed in (0, 1, 2)}
    found = page.table_row(row, bad, {**PART, "exact": False, "fits": False})
    assert found[2] == "≥ 0.83 **missed**"
    assert (found[6], found[10]) == ("**NO**", "**no**")
    some = page.table_row(row, {0: [record({"a": 0.9})], 1: [None], 2: [None]}, None)
    assert some[1:3] == ["0.900 (1 of 3 seeds)", "≥ 0.83"]
    none = page.table_row(row, {seed: [None] for seed in (0, 1, 2)}, None)
    assert set(none[1:2] + none[4:]) == {"not measured"}


def test_rows_are_what_they_say(tasks):
    keys = [row.key for row in tasks.ROWS]
    assert len(set(keys)) == len(keys)
    unseen = next(row for row in tasks.ROWS if row.key == "strike-unseen")
    tested = [name for fold in unseen.folds for name in fold["test_groups"].split(",")]
    assert sorted(tested, key=int) == [str(n) for n in range(1, 13)]  # each person once
    for row in tasks.ROWS:
        for fold in range(len(row.folds)):
            assert json.loads(json.dumps(tasks.asked(row, 0, fold))) == tasks.asked(row, 0, fold)


def test_seeds_of_a_fold_are_trained_together(tasks, row, tmp_path, monkeypatch):
    folder, asked, console = tmp_path / "cells", [], Console(quiet=True)
    real = tasks.train_together

    def counted(config, dataset, runs):
        asked.append([run["seed"] for run in runs])
        return real(config, dataset, runs)

    monkeypatch.setattr(tasks, "train_together", counted)
    monkeypatch.setattr(tasks, "SEEDS", (5, 0, 1))
    one = dataclasses.replace(row, folds=row.folds[:1])
    tasks.train([one], (0, 1), folder, console)
    assert asked == [[0, 1]]
    first, second = (tasks.known(one, seed, 0, folder) for seed in (0, 1))
    assert first["model"] != second["model"]
    alone = tmp_path / "alone"
    tasks.trained(one, 1, 0, alone, console)
    assert tasks.known(one, 1, 0, alone)["model"] == second["model"]  # the same, bit for bit
    tasks.train([one], (0, 1), folder, console)
    assert asked == [[0, 1]]


def test_what_was_tried_is_told_by_validation(tasks, row, tmp_path, monkeypatch):
    import tasks_choice

    one = tasks_choice.Candidate(
        key="made", title="as made", config=CONFIG, settings={"epochs": 2, "augment": "shift=1"}
    )
    folder, data = tmp_path / "cells", {**row.data}
    found = tasks_choice.choose(one, folder, data)
    assert len(found["cross_entropy"]) == len(found["mean_group_f1"]) == 3
    run = json.loads((folder / "choice" / "made" / "seed-1" / "run.json").read_text())
    assert run["settings"]["augment"] == "shift=1"
    assert found["cross_entropy"][1] == run["results"]["float_val"]
    for mean, groups in zip(found["mean_group_f1"], found["group_f1"], strict=True):
        assert set(groups) == {"a", "b", "c", "d"}
        assert mean == pytest.approx(np.mean(list(groups.values())))
    # not by the windows of the test
    _, dataset = tasks.suited_to(data.pop("data"), CONFIG, lambda _: None, **data)
    model = tasks_choice.float_model(folder / "choice" / "made" / "seed-0", CONFIG).float()
    answers = tasks_choice.predict(model, dataset.val.x).argmax(axis=1)
    scores = tasks_choice.ClassScores.of(answers, dataset.val, classes=2, groups=dataset.groups)
    assert scores.group_f1 == found["group_f1"][0]
    # once, and of these settings alone
    monkeypatch.setattr(tasks_choice, "train_together", lambda *_: pytest.fail("trained again"))
    assert tasks_choice.choose(one, folder, data) == found
    other = dataclasses.replace(one, settings={"epochs": 3})
    assert tasks_choice.known(other, folder) is None
    monkeypatch.setattr(tasks_choice, "CANDIDATES", (one, other))
    *lines, end = tasks_choice.table(folder)
    assert (len(lines), end) == (3, "")
    each = ", ".join(f"{f1:.3f}" for f1 in found["mean_group_f1"])
    assert lines[-1].startswith("| as made | ")
    assert f"({each})" in lines[-1]
    page = tasks.markdown(
        [(tasks.ROWS[0], {0: [None], 1: [None], 2: [None]}, None)], {"strike": lines}
    )
    assert lines[-1] in page
    assert tasks_choice.table(tmp_path / "none") == []
