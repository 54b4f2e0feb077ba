"""``--config auto``: what is chosen, why, and that the same question has the same answer."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from bitformer.model.config import read_config
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.search import auto
from bitformer.search.auto import CONFIG_FILE, propose, write_config

WEEK = 168


def table(path, values, *, step: float = 1.0):
    begin = datetime(2024, 1, 1)
    rows = [f"{begin + timedelta(hours=step * n)},{value:.5f}" for n, value in enumerate(values)]
    path.write_text("\n".join(["time,load", *rows]) + "\n")
    return str(path)


@pytest.fixture
def hourly(tmp_path):
    values = np.random.default_rng(0).normal(size=1500)
    return table(tmp_path / "hourly.csv", values)


def asked(data, folder, **options):
    notes = []
    sizes = {name: options.pop(name, None) for name in ("window", "horizon", "patch", "block")}
    columns = {"target": "load", "time": "time", **options.pop("columns", {})}
    found = propose(
        data,
        folder=folder,
        sizes=sizes,
        note=notes.append,
        **{"part": "xc7s15", "kinds": {}, **options, **columns},
    )
    return found, notes


@pytest.fixture
def errors(monkeypatch):
    """Errors by what is said of a proposal's configuration, instead of trainings.

    A design takes as many cycles as a model has products, unless it is to be ``lowered``.
    """
    asked = []

    def give(of, *, lowered=False):
        def error(self, config, windows):
            asked.append(config)
            return of(config)

        monkeypatch.setattr(auto._Bench, "_error", error)
        if not lowered:
            taken = staticmethod(lambda config: ({"latency": config.macs}, None))
            monkeypatch.setattr(auto._Bench, "_taken", taken)
        return asked

    return give


def test_the_least_error_is_chosen_and_said(hourly, tmp_path, errors):
    trained = errors(lambda config: 1 / config.window + config.patch * 1e-5)
    found, notes = asked(hourly, tmp_path / "run")
    assert (found.config.window, found.config.patch) == (168, 12)
    assert len(trained) == len(found.tried) == 8
    assert notes == ["Horizon 24, a day: say --horizon for another"]
    assert found.sentence.startswith("Chose window 168, patch 12, width")
    assert "of 8 trained shortly" in found.sentence
    assert "it fits the xc7s15" in found.sentence
    assert [one.what for one in found.tried][:4] == ["1 day", "2 days", "7 days", "7 days"]


def test_of_errors_alike_the_cheapest_is_chosen(hourly, tmp_path, errors):
    errors(lambda config: 0.504 if config.patch == 24 else 0.5)  # seven tokens
    found, _ = asked(hourly, tmp_path / "run", block="attention", window=168)
    assert found.config.patch == 24
    assert "within 1 % of the least (0.5)" in found.sentence
    errors(lambda config: 0.506 if config.patch == 24 else 0.5)
    other, _ = asked(hourly, tmp_path / "other", block="attention", window=168)
    assert other.config.patch == 12


def test_what_does_not_fit_is_not_trained_and_not_chosen(hourly, tmp_path, errors):
    trained = errors(lambda config: 1 / (config.window * config.d_model), lowered=True)
    large, _ = asked(hourly, tmp_path / "large", part="xc7s100", horizon=48)
    assert large.config.d_model == max(one.config.d_model for one in large.tried)
    trained.clear()
    small, _ = asked(hourly, tmp_path / "small", part="xc7s6", horizon=48)
    out = [one for one in small.tried if one.against]
    assert out
    assert not [one for one in out if one.config in trained]
    assert all(one.error is None for one in out)
    assert any("3752 LUT, and a shell of a board takes more" in str(one.against) for one in out)
    assert small.config not in [one.config for one in out]


def test_nothing_fits(hourly, tmp_path, errors):
    errors(lambda config: 1.0, lowered=True)
    with pytest.raises(UserError, match=r"nothing that fits the xc7s6 \(window .* larger --part$"):
        asked(hourly, tmp_path / "run", part="xc7s6", horizon=240)


def test_of_a_long_cycle_fewer_rows_are_proposed(tmp_path, errors):
    """A row a minute: as proposed, a day is half hours, and something fits."""
    errors(lambda config: 1.0, lowered=True)
    values = np.random.default_rng(0).normal(size=9000)
    minutes = table(tmp_path / "minutes.csv", values, step=1 / 60)
    question = {"part": "xc7s6", "horizon": 240}
    with pytest.raises(UserError, match=r"--every 30 to take one row of 30, or a larger --part$"):
        asked(minutes, tmp_path / "run", **question)
    with pytest.raises(UserError, match=r"fewer --inputs, or a larger --part$"):
        asked(minutes, tmp_path / "other", **question, columns={"every": 2})
    found, _ = asked(minutes, tmp_path / "third", part="xc7s6", columns={"every": 30})
    assert found.config.window in (48, 96)


def test_too_few_rows_for_some_windows_or_for_all(tmp_path, errors):
    trained = errors(lambda config: 1.0)
    few = table(tmp_path / "few.csv", np.random.default_rng(1).normal(size=300))
    found, _ = asked(few, tmp_path / "run", horizon=12)
    assert {one.config.window for one in found.tried if one.against == "too few rows"} == set()
    fewer = table(tmp_path / "fewer.csv", np.random.default_rng(1).normal(size=200))
    trained.clear()
    found, _ = asked(fewer, tmp_path / "other", horizon=24)
    out = {one.config.window for one in found.tried if one.against == "too few rows"}
    assert out == {168}
    assert {config.window for config in trained} <= {24, 48}
    with pytest.raises(UserError, match="too few rows for a window of 24 and a horizon of 100"):
        asked(fewer, tmp_path / "none", horizon=100)


def test_what_else_is_wrong_with_rows_is_said_as_it_is(hourly, tmp_path, errors, monkeypatch):
    """The mutant of before: rows were too few, whatever the refusal was."""
    errors(lambda config: 1.0)
    whole = auto.load_dataset

    def refuses(data, *, window, **options):
        if window > 100:
            raise UserError(f"Target must change within {window} rows")
        return whole(data, window=window, **options)

    monkeypatch.setattr(auto, "load_dataset", refuses)
    found, _ = asked(hourly, tmp_path / "run")
    against = {one.config.window: one.against for one in found.tried}
    assert against[168] == "Target must change within 168 rows"
    assert against[24] is None
    with pytest.raises(UserError, match=r"width \d+: Target must change within 168 rows"):
        asked(hourly, tmp_path / "other", window=168)


def test_a_training_that_diverges_is_not_chosen(hourly, tmp_path, errors):
    def of(config):
        if config.window == 168:
            raise TrainingDivergedError("no number")
        return 1.0

    errors(of)
    found, _ = asked(hourly, tmp_path / "run")
    assert found.config.window < 168
    assert "the training diverged" in {one.against for one in found.tried}


def test_the_same_question_is_answered_from_the_folder(hourly, tmp_path, errors):
    trained = errors(lambda config: 1 / config.window)
    first, _ = asked(hourly, tmp_path / "run")
    trained.clear()
    again, _ = asked(hourly, tmp_path / "run")
    assert again == first
    assert trained == []
    for other in ({"horizon": 12}, {"part": "xc7s25", "kinds": {"weights": 8}}):
        trained.clear()
        asked(hourly, tmp_path / "run", **other)
        assert trained, other
    asked(hourly, tmp_path / "run")
    record = tmp_path / "run" / "auto" / "auto.json"
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))
    trained.clear()
    asked(hourly, tmp_path / "run", seed=1)
    assert trained, "a record that was changed does not count"


def test_what_is_given_holds(hourly, tmp_path, errors):
    trained = errors(lambda config: 1.0)
    asked(hourly, tmp_path / "run", window=96, horizon=5, kinds={"weights": 2}, block="attention")
    assert {one.window for one in trained} == {96}
    assert {one.horizon for one in trained} == {5}
    assert {one.default.weights for one in trained} == {2}
    assert {one.block for one in trained} == {"attention"}


def test_rows_without_a_cycle_have_windows_of_powers_of_two(tmp_path, errors):
    trained = errors(lambda config: 1.0)
    path = tmp_path / "plain.csv"
    values = np.random.default_rng(2).normal(size=900)
    path.write_text("load\n" + "\n".join(map(str, values)) + "\n")
    found, notes = asked(str(path), tmp_path / "run", columns={"time": None})
    assert {one.config.window for one in found.tried} <= {32, 64, 128}
    assert found.config.window == 32
    assert "no cycle is known" in notes[0]
    assert {one.horizon for one in trained} == {8}


def test_a_sensor_is_chosen(tmp_path, errors):
    trained = errors(lambda config: 1 / config.window)
    found, notes = asked(
        "synthetic",
        tmp_path / "run",
        columns={"sense": "synthetic", "target": None, "time": None},
    )
    assert {(one.horizon, one.inputs, one.subtract_last) for one in trained} == {(1, 6, False)}
    assert found.config.window == 168
    assert notes == []


def test_the_configuration_can_be_named_again(hourly, tmp_path, errors):
    errors(lambda config: 1 / config.window)
    found, _ = asked(hourly, tmp_path / "run")
    for one in found.tried:
        path = write_config(tmp_path / "run", one.config)
        assert path.name == CONFIG_FILE
        assert read_config(str(path)) == one.config


def test_only_a_week_knows_a_week(tmp_path, monkeypatch):
    """A pattern without order, week by week: trained in earnest, if shortly."""
    monkeypatch.setattr(auto, "_SEEN", 3000)
    monkeypatch.setattr(auto, "MOST", 4)
    pattern = np.random.default_rng(3).normal(size=WEEK)
    noise = np.random.default_rng(4).normal(0, 0.1, size=8 * WEEK)
    data = table(tmp_path / "weeks.csv", np.tile(pattern, 8) + noise)
    steps = []
    found, _ = asked(
        data,
        tmp_path / "run",
        horizon=2,
        patch=24,
        progress=lambda done, total, what: steps.append((done, what)),
    )
    assert found.config.window == WEEK
    by_window = {one.config.window: one.error for one in found.tried[:3]}
    assert by_window[WEEK] < 0.3 < 0.6 < by_window[24]
    assert steps[0] == (0, "auto: 1 day")
    assert len(steps) == len(found.tried)
    results = list((tmp_path / "run" / "auto" / "results").glob("*.json"))
    assert len(results) == sum(one.error is not None for one in found.tried)
    # what was interrupted reads the trainings that were done
    (tmp_path / "run" / "auto" / "auto.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in results}
    again, _ = asked(data, tmp_path / "run", horizon=2, patch=24)
    assert json.dumps(again.to_dict()) == json.dumps(found.to_dict())
    assert {path: path.stat().st_mtime_ns for path in results} == before


def test_what_rows_do_not_have_is_refused_before_a_training(tmp_path, errors):
    trained = errors(lambda config: 1.0)
    path = tmp_path / "plain.csv"
    path.write_text("load\n" + "\n".join(map(str, range(900))) + "\n")
    kinds = {"calendar": ("hour",)}
    with pytest.raises(UserError, match=r"plain\.csv must have dates, as the model takes the hour"):
        asked(str(path), tmp_path / "run", kinds=kinds, columns={"time": None})
    assert trained == []


def test_bits_of_the_difference_keep_the_last_value_subtracted(hourly, tmp_path, errors):
    def of(config):
        return 1.0 if config.subtract_last else 0.5

    trained = errors(of)
    asked(hourly, tmp_path / "plain")
    assert {one.subtract_last for one in trained} == {True, False}
    trained.clear()
    found, _ = asked(hourly, tmp_path / "run", kinds={"delta": 16})
    assert {(one.subtract_last, one.tensors["delta"]) for one in trained} == {(True, 16)}
    assert found.config.subtract_last


def test_windows_of_classes_may_be_fewer_where_they_are_long(tmp_path, errors, monkeypatch):
    """Each lies within the part of a recording: 145 of 16 rows validate, 97 of 64."""
    errors(lambda config: 1 / config.window)
    path = tmp_path / "turns.csv"
    rows = [f"{np.sin(n / 3):.3f},{'ab'[n // 400]}" for n in range(800)]
    path.write_text("v,kind\n" + "\n".join(rows) + "\n")
    columns = {"label": "kind", "target": None, "time": None}
    found, _ = asked(str(path), tmp_path / "run", columns=columns)
    assert (found.config.task, found.config.horizon) == ("classify", 2)
    assert found.config.window == 64
    monkeypatch.setattr(auto, "_MOST_OF_CLASSES", auto._MOST_WINDOWS)
    found, _ = asked(str(path), tmp_path / "other", columns=columns)
    against = {one.config.window: one.against for one in found.tried}
    assert against[64] == "too few windows within a recording's part"
    assert (against[16], against[32]) == (None, None)
    assert found.config.window == 32
