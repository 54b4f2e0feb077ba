"""Anomalies that a column marks: a detector is scored by them, and learns nothing of them."""

import math

import numpy as np
import pytest
from class_harness import load, table_of

from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError

#: Rows of anomalies, all of the test part.
MARKED = [*range(1020, 1040), *range(1130, 1145)]
FAST = ["--window", "16", "--patch", "4", "--horizon", "1", "--epochs", "8", "--qat-epochs", "2"]


def rows_of(marked=MARKED, count=1200):
    """A sine with some noise that is far off where rows are marked."""
    noise = np.random.default_rng(1).normal(scale=0.2, size=count)
    return [
        (
            f"2024-01-01 {row // 60:02d}:{row % 60:02d}",
            f"{math.sin(row / 5) + noise[row] + 5 * (row in marked):.3f}",
            int(row in marked),
        )
        for row in range(count)
    ]


@pytest.fixture(scope="module")
def trained(bitformer, tmp_path_factory):
    """A detector of a file whose anomalies are marked, and what was said."""
    place = tmp_path_factory.mktemp("anomaly")
    path = table_of(place / "my.csv", rows_of(), "when,v,bad")
    asked = ["--data", path, "--target", "v", "--time", "when", "--anomaly", "bad"]
    line = ["train", *asked, "--config", "tiny", *FAST, "-o", place / "run", "--json"]
    return place, bitformer(*line)


def test_a_detector_is_scored_by_marks(trained):
    _, said = trained
    assert said.code == 0
    assert "Task: detect, as column bad marks anomalies" in said.err
    assert "35 rows are marked as anomalies" in said.err
    events, rows = said.data["events"], said.data["rows"]
    assert (events["found"], events["windows"]) == (2, 2)
    assert rows["hits"] + rows["missed"] == len(MARKED)
    assert rows["hits"] > 20
    assert rows["precision"] > 0.3


def test_the_marks_are_kept(trained, bitformer):
    place, said = trained
    again = bitformer("evaluate", place / "run" / "model.safetensors", "--json")
    assert (again.data["events"], again.data["rows"]) == (said.data["events"], said.data["rows"])


def test_another_file_with_marks_and_without(trained, bitformer):
    place, _ = trained
    model = place / "run" / "model.safetensors"
    other = table_of(place / "new.csv", rows_of([*range(300, 320)], 600), "when,v,bad")
    found = bitformer("evaluate", model, "--data", other, "--json")
    assert (found.data["events"]["found"], found.data["events"]["windows"]) == (1, 1)
    bare = table_of(place / "bare.csv", [row[:2] for row in rows_of(count=600)], "when,v")
    unknown = bitformer("evaluate", model, "--data", bare, "--json")
    assert unknown.code == 0
    assert unknown.data["events"] is None


def test_marks_are_no_input_and_change_no_window(tmp_path):
    path = table_of(tmp_path / "my.csv", rows_of(), "when,v,bad")
    asked = {"target": "v", "time": "when"}
    marked = load(path, **asked, anomaly="bad", inputs="all")
    plain = load(path, **asked, task="detect")
    assert marked.task == plain.task == "detect"
    assert marked.inputs == ("v",)
    assert (marked.train.x == plain.train.x).all()
    assert np.flatnonzero(marked.test.anomaly).tolist() == MARKED
    assert plain.test.anomaly is None
    assert DataSource.of(data=path, anomaly="bad").to_dict()["anomaly"] == "bad"


def test_marks_in_rows_that_count_as_clean_are_told(tmp_path):
    path = table_of(tmp_path / "my.csv", rows_of([5, 6, 800]), "when,v,bad")
    notes = load(path, target="v", time="when", anomaly="bad").notes
    told = "among them 2 training rows and 1 validation rows, which a detector takes as clean"
    assert any(note.startswith(f"3 rows are marked as anomalies, {told}") for note in notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"anomaly": "flag"},
            r"^anomaly must name a column of .*, one of when, v, bad, not 'flag':",
        ),
        (
            {"anomaly": "v"},
            r"^Column 'v' of my\.csv must mark anomalies by 1 and 0, .* but line 2 has",
        ),
        (
            {"anomaly": "bad", "task": "forecast"},
            r"^anomaly is for a detector, and the task is forecast, but it is bad: leave --anomaly"
            r" out, or say --task detect$",
        ),
        (
            {"anomaly": "bad", "label": "bad"},
            r"^anomaly is for a detector, and the task is classify",
        ),
    ],
)
def test_mistakes(tmp_path, options, message):
    path = table_of(tmp_path / "my.csv", rows_of(), "when,v,bad")
    with pytest.raises(UserError, match=message):
        load(path, **{"target": "v", "time": "when", **options})


def test_made_data_have_no_marks():
    with pytest.raises(UserError, match=r"^anomaly must name a column of synthetic, one of"):
        load("synthetic", anomaly="synthetic")
