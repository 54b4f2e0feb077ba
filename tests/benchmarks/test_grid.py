"""The benchmark script: published figures, results that are not measured twice, its report."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' folder is where they run."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import grid
    import measure
    import published

    return grid, measure, published


def test_formula_is_within_one_percent_of_what_was_measured(scripts, monkeypatch):
    published = scripts[2]
    measured = dict(published.CYCLES)
    assert published.cycles(24, 64, 4) == 1_204_613
    assert published.cycles(12, 32, 4) == 167_620
    monkeypatch.setattr(published, "CYCLES", {})
    for shape, cycles in measured.items():
        assert published.cycles(*shape) == pytest.approx(cycles, rel=0.01)
        assert published.cycles(*shape) != cycles


def test_the_grid_is_whole(scripts):
    grid = scripts[0]
    assert len(set(grid.GRID)) == 48
    assert {"grid-12-32-4", "grid-24-64-8", "grid-6-8-4"} <= set(grid.GRID)


def test_results_are_kept_and_a_torn_line_is_not(scripts, tmp_path):
    measure = scripts[1]
    path = tmp_path / "new" / "grid.jsonl"
    first = measure.Results(path)
    assert first.get("a", lambda: {"latency": 5}) == {"key": "a", "latency": 5}
    with path.open("a") as file:
        file.write('{"key": "b", "lat')
    again = measure.Results(path)
    assert again.get("a", lambda: pytest.fail("measured twice"))["latency"] == 5
    assert again.get("b", lambda: {"latency": 6})["latency"] == 6
    last = measure.Results(path)
    assert last.get("b", lambda: pytest.fail("measured twice"))["latency"] == 6


def run(scripts, monkeypatch, tmp_path, *args):
    grid = scripts[0]
    monkeypatch.setattr(grid, "REPORT", tmp_path / "docs" / "benchmarks.md")
    options = ["--engine", "python", "--samples", "2", "--results", str(tmp_path / "r.jsonl")]
    return CliRunner(catch_exceptions=False).invoke(grid.main, [*args, *options])


@pytest.mark.slow
def test_measures_once_and_writes_a_report(scripts, monkeypatch, tmp_path):
    said = run(scripts, monkeypatch, tmp_path, "tiny", "--write")
    assert said.exit_code == 0, said.output
    design, record = map(json.loads, (tmp_path / "r.jsonl").read_text().split("\n\n"))
    assert design["kind"] == "design"
    assert record["bit_exact"]
    assert record["bit_exact_held"]
    assert record["as_predicted"]
    report = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "1 of 1 configurations keep every promise" in report
    assert "yes (2)" in report
    monkeypatch.setattr(scripts[1], "simulate", lambda *_a, **_k: pytest.fail("measured twice"))
    monkeypatch.setattr(scripts[1].rtlil, "convert", lambda *_a, **_k: pytest.fail("elaborated"))
    assert run(scripts, monkeypatch, tmp_path, "tiny").exit_code == 0


@pytest.mark.slow
def test_what_is_not_kept_is_exit_code_one(scripts, monkeypatch, tmp_path):
    run(scripts, monkeypatch, tmp_path, "tiny")
    monkeypatch.setitem(scripts[0].TARGETS, "tiny", 10)
    said = run(scripts, monkeypatch, tmp_path, "tiny")
    assert said.exit_code == 1
    assert "NOT kept" in said.stderr


def test_a_configuration_without_a_design_is_a_row(scripts, monkeypatch, tmp_path):
    said = run(scripts, monkeypatch, tmp_path, "grid-6-8-99")
    assert said.exit_code == 1
    assert "grid-6-8-99" in said.stdout
