"""What a finished model is scored on: its own test windows, or all windows of another file."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from bitformer import Model, load
from bitformer._samples import samples_of
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.seen_rows import end_of_seen
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.reference import predict
from bitformer.model.training_run import describe

ROWS, WINDOW, HORIZON = 200, 24, 6
INTERVAL = {"percent": 80, "low": [-1.5] * 6, "high": [1.0] * 6}


def series(rows, *, seed, level=10.0):
    """Power with a daily cycle, and wind."""
    rng = np.random.default_rng(seed)
    hours = np.arange(rows)
    power = level + 2 * np.sin(2 * np.pi * hours / 24) + 0.1 * rng.normal(size=rows)
    return np.stack([power.round(3), rng.uniform(0, 6, rows).round(2)], axis=1)


def write(path, values, *, names=("power", "wind"), order=(0, 1), first=0):
    lines = [",".join(["when", *(names[i] for i in order)])]
    for row, one in enumerate(values):
        hour = first + row
        time = f"2024-{hour // 720 + 1:02d}-{hour // 24 % 30 + 1:02d} {hour % 24:02d}:00"
        # months of 30 days, as no window needs the 31st
        lines.append(",".join([time, *(str(one[i]) for i in order)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with a file, and an untrained model that knows it as its own."""
    folder = tmp_path_factory.mktemp("own")
    path = write(folder / "old.csv", series(ROWS, seed=0))
    columns = {"target": "power", "inputs": ["power", "wind"], "time": "when"}
    dataset = load_dataset(str(path), window=WINDOW, horizon=HORIZON, **columns)
    model = initialize(named_config("tiny").replace(inputs=2))
    meta = {
        "dataset": describe(dataset),
        "source": {"data": str(path), **columns},
        "intervals": [INTERVAL],
    }
    save_model(dataclasses.replace(model, meta=meta), folder / "m.safetensors")
    return folder


@pytest.fixture
def model(own):
    return load(own / "m.safetensors")


def windows(values, ends):
    """Inputs and targets after ``ends`` rows."""
    x = np.stack([values[end - WINDOW : end] for end in ends])
    return x, np.stack([values[end : end + HORIZON, 0] for end in ends])


def scored(model, values, ends, old):
    """Errors in the target's units of the integer model, by the scales of the old rows."""
    train = old[: len(old) * 3 // 5]
    mean, std = train.mean(axis=0), train.std(axis=0)
    x, y = windows(values, ends)
    forecast = predict(model.integer, (x - mean) / std) * std[0] + mean[0]
    return y - forecast, y, x, std[0]


def test_of_its_own_data_the_test_windows(model, own):
    old = series(ROWS, seed=0)
    # the last fifth of the rows, all of which are targets
    ends = range(ROWS * 4 // 5, ROWS - HORIZON + 1)
    off, _, _, std = scored(model, old, ends, old)
    for data in (None, str(own / "old.csv")):
        found = model.evaluate(data)
        assert len(found.dataset.test) == len(ends)
        (error,) = found.models.values()
        assert error * std**2 == pytest.approx(np.mean(off**2), rel=1e-9)


def test_a_copy_of_its_own_data_is_its_own(model, own, tmp_path):
    shutil.copy(own / "old.csv", tmp_path / "copy.csv")
    assert model.evaluate(str(tmp_path / "copy.csv")).models == model.evaluate().models
    # in another order of columns, too
    path = write(tmp_path / "turned.csv", series(ROWS, seed=0), order=(1, 0))
    assert model.evaluate(str(path)).models == model.evaluate().models


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_another_file_all_windows_by_the_models_scales(model, tmp_path, order):
    old, new = series(ROWS, seed=0), series(90, seed=1, level=11.0)
    path = write(tmp_path / "new.csv", new, order=order, first=2000)
    notes = []
    found = model.evaluate(str(path), note=notes.append)
    ends = range(WINDOW, 90 - HORIZON + 1)
    off, y, x, std = scored(model, new, ends, old)
    assert len(found.dataset.test) == len(ends) == 61
    said = found.to_dict()
    name = f"{model.name} (integer)"
    units = said["in_units"][name]
    assert units["mse"] == pytest.approx(np.mean(off**2), rel=1e-9)
    assert units["rmse"] == pytest.approx(np.mean(off**2) ** 0.5, rel=1e-9)
    assert units["mae"] == pytest.approx(np.mean(np.abs(off)), rel=1e-9)
    assert said["mae"][name] == pytest.approx(np.mean(np.abs(off)) / std, rel=1e-9)
    last = y - x[:, -1:, 0]
    assert said["in_units"]["repeat last value"]["mse"] == pytest.approx(np.mean(last**2), rel=1e-9)
    assert said["in_units"]["repeat last value"]["mae"] == pytest.approx(
        np.mean(np.abs(last)), rel=1e-9
    )
    skill = 1 - np.mean(off**2) / np.mean(last**2)
    assert said["skill"]["repeat last value"] == pytest.approx(skill, rel=1e-9)
    assert said["interval_coverage"]["80"] == np.mean((off >= -1.5) & (off <= 1.0))
    assert "All 61 windows of " in " ".join(notes)
    assert "(old.csv)" in " ".join(notes)


def test_linear_baselines_are_fitted_to_the_models_own_data(model, own, tmp_path):
    """The level of the other file is another: who fits to it would know that."""
    old, new = series(ROWS, seed=0), series(90, seed=1, level=15.0)
    found = model.evaluate(str(write(tmp_path / "new.csv", new, first=2000)))
    train = old[: ROWS * 3 // 5]
    mean, std = train.mean(axis=0), train.std(axis=0)
    x, y = windows((old - mean) / std, range(WINDOW, ROWS * 3 // 5 - HORIZON + 1))
    features = np.c_[x.reshape(len(x), -1), np.ones(len(x))]
    after, truth = windows((new - mean) / std, range(WINDOW, 90 - HORIZON + 1))
    best = []
    for penalty in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1):
        weight = np.r_[np.full(features.shape[1] - 1, penalty * len(x)), 0.0]
        fitted = np.linalg.solve(features.T @ features + np.diag(weight), features.T @ y)
        forecast = np.c_[after.reshape(len(after), -1), np.ones(len(after))] @ fitted
        best.append(np.mean((forecast - truth) ** 2))
    error = found.baselines["linear"]
    assert min(abs(error / one - 1) for one in best) < 1e-6


def test_without_its_own_data_there_is_no_linear_baseline(model, own, tmp_path):
    path = write(tmp_path / "new.csv", series(90, seed=1), first=2000)
    lost = dataclasses.replace(
        model.integer, meta={**model.integer.meta, "source": {"data": str(tmp_path / "gone.csv")}}
    )
    notes = []
    found = type(model)(lost).evaluate(str(path), time="when", note=notes.append)
    assert (found.baselines["linear"], found.skill["linear"]) == (None, None)
    assert found.baselines["repeat last day"] is not None
    assert any("Linear baselines are not scored" in one for one in notes)


def test_of_data_that_have_grown_only_what_the_model_has_not_seen(model, own, tmp_path):
    old, more = series(ROWS, seed=0), series(50, seed=3)
    grown = np.r_[old, more]
    notes = []
    found = model.evaluate(str(write(tmp_path / "old.csv", grown)), note=notes.append)
    # four fifths of the old rows trained and selected
    ends = range(ROWS * 4 // 5, ROWS + 50 - HORIZON + 1)
    off, _, _, std = scored(model, grown, ends, old)
    assert len(found.dataset.test) == len(ends)
    (error,) = found.models.values()
    assert error * std**2 == pytest.approx(np.mean(off**2), rel=1e-9)
    assert f"after line {ROWS * 4 // 5 + 1} are scored" in " ".join(notes)
    # whatever it is called, and wherever it begins
    path = write(tmp_path / "late.csv", grown[100:])
    assert model.evaluate(str(path)).models == pytest.approx(found.models)
    with pytest.raises(UserError, match=r"must have 6 rows or more after line 161, .* and has 5"):
        model.evaluate(str(write(tmp_path / "early.csv", old[: ROWS * 4 // 5 + 5])))


def test_of_several_series_that_have_grown_it_is_said(model, tmp_path):
    """Only of one of them is it known where what was seen ends."""
    grown, other = np.r_[series(ROWS, seed=0), series(50, seed=3)], series(90, seed=4)

    def said(name, first):
        path = tmp_path / name
        rows = [
            f"{label},2024-{k // 720 + 1:02d}-{k // 24 % 30 + 1:02d} {k % 24:02d}:00,{a},{b}"
            for label, values in (("first", first), ("second", other))
            for k, (a, b) in enumerate(values)
        ]
        path.write_text("\n".join(["site,when,power,wind", *rows]) + "\n")
        notes = []
        model.evaluate(str(path), series="site", note=notes.append)
        return " ".join(notes)

    assert "holds rows that the model was trained on, and they are among" in said("a.csv", grown)
    assert "was trained on, and" not in said("b.csv", series(120, seed=5))


def test_other_rows_under_the_name_of_its_own_are_said_to_have_changed(model, tmp_path):
    path = write(tmp_path / "old.csv", series(90, seed=3))
    notes = []
    found = model.evaluate(str(path), note=notes.append)
    assert len(found.dataset.test) == 61
    assert any("has changed since the training: rows that the model was" in one for one in notes)


@pytest.mark.parametrize(
    ("values", "seen", "end"),
    [
        (range(100), range(40, 72), 72),
        (range(100), [*range(40, 71), 70], None),
        (range(100), range(80, 112), None),
        (range(100), range(56, 71), None),  # 15 values are too few to tell
        (range(100), range(56, 72), 72),
        ([0.0] * 100, [0.0] * 32, None),  # could be any
        ([*range(40)] * 3, range(8, 40), None),  # could be any of three
        (range(20), range(32), None),
        (range(20), [], None),
    ],
)
def test_where_what_was_seen_ends(values, seen, end):
    assert end_of_seen(np.array(values, float), list(seen)) == end


def test_a_file_too_short_says_how_many_rows_it_takes(model, tmp_path):
    path = write(tmp_path / "new.csv", series(29, seed=1), first=2000)
    with pytest.raises(UserError, match=r"must have 30 rows .* longest stretch of 29 rows is 29"):
        model.evaluate(str(path))
    path = write(tmp_path / "new.csv", series(30, seed=1), first=2000)
    assert len(model.evaluate(str(path)).dataset.test) == 1


def test_the_target_is_needed(own, model, tmp_path):
    """Its column may have another name."""
    values = series(90, seed=1)
    path = write(tmp_path / "new.csv", values, names=("kw", "wind"), first=2000)
    with pytest.raises(UserError, match=r"lacks power; it has when, kw, wind: .* with --inputs"):
        model.evaluate(str(path))
    found = model.evaluate(str(path), inputs=["kw", "wind"])
    same = model.evaluate(str(write(tmp_path / "same.csv", values, first=2000)))
    assert found.models == same.models
    assert found.dataset.target == "kw"


def test_words(model, own, tmp_path):
    from click.testing import CliRunner

    from bitformer.cli.main import cli

    path = write(tmp_path / "new.csv", series(90, seed=1, level=11.0), first=2000)
    result = CliRunner().invoke(cli, ["evaluate", str(own / "m.safetensors"), "--data", str(path)])
    found = model.evaluate(str(path))
    assert result.exit_code == 0
    line = next(
        one for one in result.stdout.splitlines() if one.strip().startswith("repeat last v")
    )
    error = found.baselines["repeat last value"]
    assert line.split()[-4:] == [
        f"{error:.4f}",
        f"{found.rmse(error):.4g}",
        f"{found.mae['repeat last value'] * found.dataset.target_std:.4g}",
        f"{found.skill['repeat last value']:.3g}",
    ]
    assert f"80 % interval covers {100 * found.coverage[80]:.3g} % of test values" in result.stdout


def test_of_other_rows_the_advice_is_the_range_and_not_what_rounding_cost(own, tmp_path):
    """What the floats' error on its own data was says nothing of others."""
    old = load(own / "m.safetensors").integer
    meta = {**old.meta, "results": {"float_test": 0.0}, "settings": {"qat_epochs": 3}}
    model = Model(dataclasses.replace(old, meta=meta))
    assert model.evaluate().verdict.remedies[0] == "--qat-epochs 6"
    path = write(tmp_path / "new.csv", series(90, seed=1, level=1e5), first=2000)
    verdict = model.evaluate(str(path)).verdict
    assert verdict.outcome == "loses"
    assert re.match("--range .* and a new -o", verdict.remedies[0])
    assert not any("--qat-epochs" in one or "--activations" in one for one in verdict.remedies)


def test_what_is_simulated_of_another_file_is_by_the_models_scales(model, tmp_path):
    old, new = series(ROWS, seed=0), series(90, seed=1, level=1e5)
    path, notes = write(tmp_path / "new.csv", new, first=2000), []
    found = samples_of(model.integer, 2, 0, notes.append, data=str(path))
    train = old[: ROWS * 3 // 5]
    x, _ = windows((new - train.mean(axis=0)) / train.std(axis=0), [WINDOW, 90 - HORIZON])
    assert np.array_equal(found.values, model.integer.quantize_input(x))
    assert next(one.column for one in found.clipped) == "power"
    assert len(notes) == 1
