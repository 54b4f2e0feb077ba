"""The page of accuracies: which models are trained, which count, and what is written of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.data.reading import DataSource
from bitformer.model.float_run import float_model
from bitformer.model.initialize import initialize
from bitformer.model.torch_predict import predict
from bitformer.study.trials import Outcome
from bitformer.study.workers import open_pool

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def here(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture
def accuracy(here):
    import accuracy

    return accuracy


@pytest.fixture
def page(here):
    import accuracy_page

    return accuracy_page


@pytest.fixture
def cells(here):
    import accuracy_cells

    return accuracy_cells


def row_of(accuracy, key):
    return next(row for row in accuracy.ROWS if row.key == key)


def outcome(trial, *, val=0.0, float_test=0.02, model=None):
    return Outcome(
        trial=trial,
        float_val=0.0,
        float_test=float_test,
        val=val,
        test=0.03,
        warnings=(),
        model=model,
    )


def record(test, verdict="ties"):
    return {
        "test": test,
        "verdict": {"outcome": verdict, "relative": test / 0.25 - 1},
        "baselines": {"repeat last value": 0.5, "linear": 0.25, "repeat last day": None},
        "target_seen": False,
    }


PART = {
    "windows": 10,
    "exact": True,
    "as_predicted": True,
    "latency": 2443,
    "interval": 2400,
    "fits": True,
    "energy_uj": 1.5,
    "parameters": 77,
    "macs": 1,
}


def measured(page, row, tests, **changes):
    candidate = row.candidates[0]
    seeds = [
        (outcome(row.trial(candidate, seed), float_test=0.02 + seed / 1000), record(test))
        for seed, test in enumerate(tests)
    ]
    found = page.Measured(row=row, candidate=candidate, seeds=seeds, part=PART)
    return dataclasses.replace(found, **changes)


def texts(page, found):
    return dict(zip(page.COLUMNS, page.table_row(found), strict=True))


def test_every_row_has_its_candidates_and_widths_share_a_float_model(accuracy):
    keys = [row.trial(one, 0).key for row in accuracy.ROWS for one in row.candidates]
    shared = 1 + 4  # what is a candidate for its task's Transformer and for its best
    assert len(set(keys)) == len(keys) - shared
    assert len({row.key for row in accuracy.ROWS}) == len(accuracy.ROWS)
    four, two, coarse = (row_of(accuracy, f"etth1-96-{bits}") for bits in ("w4", "w2", "w2a4"))
    origins = {row.trial(row.candidates[0], 1).origin.key for row in (four, two, coarse)}
    assert len(origins) == 1
    assert {row.candidates[0].config.default.weights for row in (four, two)} == {4, 2}


@pytest.mark.parametrize(
    ("key", "must", "aim"),
    [
        ("etth1-96-w4", 0.0266, 0.0262),
        ("etth1-96-w2", 0.0268, 0.0262),
        ("etth1-336-w4", 0.0261, 0.0256),
        ("etth2-48-hour", 0.0640, 0.0625),
        ("ozone-w4", 0.140, 0.132),
        ("ozone-w2", 0.146, 0.132),
        ("traffic-w4", 0.0500, None),
        ("traffic-best", None, 0.0450),
        ("taxi-w4", 0.175, None),
        ("taxi-best", None, 0.155),
    ],
)
def test_figures_are_those_that_were_set_beforehand(accuracy, key, must, aim):
    row = row_of(accuracy, key)
    assert (row.must, row.aim) == (must, aim)


def test_a_row_says_what_was_reached_and_what_was_missed(accuracy, page):
    row = row_of(accuracy, "etth1-96-w4")
    said = texts(page, measured(page, row, (0.0262, 0.0266, 0.0267)))
    assert said["model"] == "etth1-96-24"
    assert said["weights, activations"] == "4, 8 bit"
    assert said["integers"] == "0.0265 ± 0.0003"
    assert said["float32"] == "0.0210 ± 0.0010"
    assert said["must"] == "≤ 0.0266 reached"
    assert said["aim"] == "≤ 0.0262 **missed**"
    assert said["against the best line"] == "ties (-89.4 %)"
    assert said["bit-exact"] == "all 10 windows"
    assert [said[name] for name in ("cycles", "µJ", "parameters", "fits XC7S15")] == [
        *("2443", "1.50", "77", "yes")
    ]
    worse = texts(page, measured(page, row, (0.0266, 0.0267, 0.0268)))
    assert worse["must"] == "≤ 0.0266 **missed**"


def test_nothing_is_said_of_what_was_not_measured(accuracy, page):
    row = row_of(accuracy, "ozone-w4")
    none = texts(page, measured(page, row, (), part=None))
    for name in ("integers", "float32", "against the best line", "bit-exact", "cycles", "µJ"):
        assert none[name] == "not measured"
    assert none["must"] == "≤ 0.1400"
    some = texts(page, measured(page, row, (0.13, 0.13)))
    assert some["integers"] == "0.1300 (2 of 3 seeds)"
    assert some["must"] == "≤ 0.1400"
    free = texts(page, measured(page, row_of(accuracy, "etth1-48-w4"), (0.1, 0.1, 0.1)))
    assert free["must"] == free["aim"] == "–"
    best = texts(page, measured(page, row_of(accuracy, "taxi-best"), (0.1, 0.1, 0.1)))
    assert best["model"] == "taxi-48-12, the best of 1 by validation (7 more not measured)"
    row = row_of(accuracy, "ozone-w2")
    whole = texts(page, measured(page, row, (0.1, 0.1, 0.1), tried=2))
    assert whole["model"] == "beijing-24-1-w2a8, the best of 2 by validation"


@pytest.mark.parametrize("fault", ["exact", "as_predicted"])
def test_what_is_not_exact_is_loud(accuracy, page, fault):
    row = row_of(accuracy, "ozone-w4")
    said = texts(page, measured(page, row, (0.1,), part=PART | {fault: False, "fits": False}))
    assert said["bit-exact"] == "**NO**"
    assert said["fits XC7S15"] == "**no**"
    refused = texts(page, measured(page, row, (0.1,), part={"error": "lanes must be 1"}))
    assert refused["cycles"] == "lanes must be 1"


def test_seeds_of_several_verdicts_say_all_of_them(accuracy, page):
    row = row_of(accuracy, "ozone-w4")
    found = measured(page, row, (0.1, 0.1, 0.1))
    seeds = [
        (one, record(0.1, verdict))
        for (one, _), verdict in zip(found.seeds, ("wins", "ties", "wins"), strict=True)
    ]
    said = texts(page, dataclasses.replace(found, seeds=seeds))
    assert said["against the best line"] == "wins, ties, wins (-60.0 %)"


def test_the_page_has_baselines_settings_and_what_was_tried(accuracy, page):
    rows = [row_of(accuracy, key) for key in ("ozone-w4", "ozone-w2", "traffic-w4")]
    recipe, first = accuracy.RECIPES[0], accuracy.RECIPE_ROWS[0]
    tried = {(recipe.name, first.key): 0.012361}
    text = page.markdown([measured(page, row, (0.1, 0.2, 0.3)) for row in rows], tried)
    assert text.count("## Beijing") == 1
    line = (
        "Without a network of ours: MLP of 13.7 k MACs, 13.8 k parameters 0.1610 (measured before),"
        " LightGBM 0.1740 (measured before), linear 0.2500, repeat last value (of the target's"
        " past, which the model does not see) 0.5000."
    )
    assert line in text.splitlines()
    assert "traffic-168-24 is trained with " in text
    assert f"| {recipe.name} | 0.01236 | {' | '.join(['not measured'] * 3)} |" in text
    plain = next(one for one in accuracy.RECIPES if one.settings == {"distill": 0.0})
    assert plain.of(first).key == recipe.of(first).key  # nothing is distilled by default
    assert "| last value subtracted | – | – | not measured | not measured |" in text


@pytest.fixture
def two(accuracy):
    """A row of two candidates, which differ in their rate, and their validation errors by seed."""
    row = row_of(accuracy, "ozone-w4")
    config = row.candidates[0].config
    candidates = tuple(
        accuracy.Candidate(config=config, settings={"lr": lr}) for lr in (0.001, 0.002)
    )
    return dataclasses.replace(row, candidates=candidates)


def knowing(errors):
    """Outcomes of what ``errors`` has by rate and seed; a model that is better is worse in test."""

    def known(trials, _folder):
        found = [errors.get((trial.settings["lr"], trial.settings["seed"])) for trial in trials]
        return [
            None if val is None else dataclasses.replace(outcome(trial, val=val), test=1 - val)
            for trial, val in zip(trials, found, strict=True)
        ]

    return known


def test_validation_of_the_first_seed_chooses(accuracy, two, monkeypatch, tmp_path):
    slow, fast = two.candidates
    errors = {}
    monkeypatch.setattr(accuracy, "known_outcomes", knowing(errors))
    assert accuracy.chosen(two, tmp_path) == (slow, [])
    errors |= {(0.002, 0): 0.15, (0.001, 1): 0.01}
    candidate, there = accuracy.chosen(two, tmp_path)
    assert candidate is fast
    assert [one.val for one in there] == [0.15]
    errors |= {(0.001, 0): 0.1, (0.001, 1): 0.4}
    candidate, there = accuracy.chosen(two, tmp_path)
    assert candidate is slow
    assert [one.val for one in there] == [0.1, 0.4]


def test_all_candidates_are_trained_once_and_the_best_with_all_seeds(
    accuracy, two, monkeypatch, tmp_path
):
    errors, ran = {}, []

    def run(trials, *_):
        for trial in trials:
            key = trial.settings["lr"], trial.settings["seed"]
            if key not in errors:
                ran.append(key)
                errors[key] = 0.2 - 10 * key[0]

    monkeypatch.setattr(accuracy, "known_outcomes", knowing(errors))
    monkeypatch.setattr(accuracy, "run_trials", run)
    accuracy.train([two], accuracy.SEEDS, tmp_path, None)
    assert ran == [(0.001, 0), (0.002, 0), (0.002, 1), (0.002, 2)]


def test_a_record_is_kept_and_made_again_for_another_model(accuracy, cells, monkeypatch, tmp_path):
    row = row_of(accuracy, "etth1-96-w4")
    counted = []

    def measure(model, _dataset):
        counted.append(model.name)
        return {"latency": len(counted)}

    monkeypatch.setattr(cells, "_measured", measure)
    store = cells.Cells(tmp_path, lambda _: None)
    monkeypatch.setattr(store, "dataset", lambda _trial: None)

    def made(name):
        path = tmp_path / "model.safetensors"
        path.unlink(missing_ok=True)
        save_model(initialize(named_config(name)), path)
        return outcome(row.trial(row.candidates[0], 0), model=path)

    one = made("tiny")
    assert store.measured(one, compute=False) is None
    found = store.measured(one, compute=True)
    assert found is not None
    assert found["latency"] == 1
    assert store.measured(one, compute=False) == found
    assert store.measured(one, compute=True) == found
    other = made("etth1-48-24")
    assert store.measured(other, compute=False) is None
    assert store.measured(other, compute=True) == {**found, "latency": 2} | {
        "model": store.measured(other, compute=True)["model"]
    }
    assert counted == ["tiny", "etth1-48-24"]


def test_tables_of_the_calendar_count_as_parameters(cells):
    config = named_config("tiny")  # 4 in, 8 wide, 16 in the FFN, 6 tokens, 24 steps to 6
    linears = 8 * 5 + 4 * 8 * 9 + 16 * 9 + 8 * 17 + 6 * 49 + 6 * 25
    assert cells.parameters(initialize(config)) == linears + 2 * 2 * 8
    timed = initialize(config.replace(calendar=("hour",)))
    assert cells.parameters(timed) == linears + 2 * 2 * 8 + 23 * (8 + 6)


def test_showing_trains_nothing(accuracy, monkeypatch, tmp_path):
    monkeypatch.setattr(accuracy, "run_trials", lambda *_: pytest.fail("it trains"))
    report = tmp_path / "accuracy.md"
    monkeypatch.setattr(accuracy, "REPORT", report)
    options = ["--show", "--folder", str(tmp_path / "none"), "--write"]
    result = CliRunner().invoke(accuracy.main, options)
    assert result.exit_code == 0, result.output
    text = report.read_text(encoding="utf-8")
    assert text.count(" bit | not measured | not measured | ") == len(accuracy.ROWS)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--row", "ozone-w4", "--seed", "1"], 1),
        (["--row", "etth1-96-w4", "--row", "etth1-96-w2"], 6),
        (["--row", "taxi-w4", "--recipes"], "recipes"),
    ],
)
def test_a_cell_alone_can_be_trained(accuracy, monkeypatch, tmp_path, options, count):
    ran, taught = [], []
    monkeypatch.setattr(accuracy, "run_trials", lambda trials, *_: ran.extend(trials))
    monkeypatch.setattr(accuracy, "measure", lambda *_, **__: None)
    monkeypatch.setattr(accuracy, "markdown", lambda *_: "")
    monkeypatch.setattr(accuracy, "train_ensembles", lambda rows, *_: taught.extend(rows))
    options = [*options, "--workers", "1", "--folder", str(tmp_path)]
    assert CliRunner().invoke(accuracy.main, options).exit_code == 0
    recipes = sum("taxi-w4" in recipe.rows for recipe in accuracy.RECIPES)
    assert len(ran) == (recipes if count == "recipes" else count)
    assert [row.key for row in taught] == (["taxi-w4"] if count == "recipes" else [])
    if count == 1:
        assert ran[0].settings["seed"] == 1


def test_what_improves_all_sets_is_named_and_what_improves_three_is_not(accuracy, page):
    first, second = accuracy.RECIPES[0].name, accuracy.RECIPES[2].name
    keys = [row.key for row in accuracy.RECIPE_ROWS]
    errors = {(first, key): 0.2 for key in keys} | {(second, key): 0.1 for key in keys}
    assert page.markdown([], errors).endswith(f"all four sets. That is {second}.\n")
    for error in (0.2, None):
        told = {**errors, (second, keys[2]): error}
        text = page.markdown([], {key: one for key, one in told.items() if one is not None})
        assert text.endswith("all four sets. That is nothing of it.\n")


@pytest.mark.slow
def test_an_ensemble_teaches_what_its_models_forecast_on_the_average(
    accuracy, here, monkeypatch, tmp_path
):
    import accuracy_ensembles as ensembles

    row = dataclasses.replace(
        row_of(accuracy, "etth1-96-w4"),
        source=DataSource(data="synthetic"),
        candidates=(
            accuracy.Candidate(
                config=named_config("tiny").replace(linear_path=False),
                settings={"epochs": 1, "qat_epochs": 1, "batch": 512},
            ),
        ),
    )
    trainers = []

    class Watched(ensembles._EnsembleTrainer):
        def next_stage(self):
            super().next_stage()
            trainers.append(self)

    monkeypatch.setattr(ensembles, "RECIPE_ROWS", (row,))
    monkeypatch.setattr(ensembles, "ENSEMBLES", {"half": 0.5})
    monkeypatch.setattr(ensembles, "_EnsembleTrainer", Watched)
    with open_pool(1, None) as pool:
        ensembles.train_ensembles([row], tmp_path, pool)
        ensembles.train_ensembles([row], tmp_path, pool)
    (trainer,) = trainers  # once
    forecasts = [
        predict(
            float_model(tmp_path / "runs" / trial.origin.key, trial.config), trainer.dataset.train.x
        )
        for trial in ensembles._trials(row, 0.5)
    ]
    assert not np.allclose(forecasts[0], forecasts[1], atol=1e-3)
    np.testing.assert_allclose(trainer.taught.numpy(), np.mean(forecasts, axis=0), atol=1e-5)
    assert ensembles.ensemble_errors(tmp_path) == {("half", row.key): trainer.best_error}
