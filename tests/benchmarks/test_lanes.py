"""The benchmark of columns of LUTs: its rows, and the tables of its page."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bitformer.model.errors import UserError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def lanes(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import lanes

    return lanes


def test_a_design_is_measured_without_and_with(lanes, monkeypatch, tmp_path):
    page = tmp_path / "lanes.md"
    page.write_text("a\n<!-- designs -->\nold\n<!-- /designs -->\nb\n")
    monkeypatch.setattr(lanes, "REPORT", page)
    monkeypatch.setattr(lanes, "ROOT", tmp_path)
    options = ["--engine", "python", "--samples", "0", "--results", str(tmp_path / "r.jsonl")]
    said = CliRunner(catch_exceptions=False).invoke(
        lanes.main, ["grid-12-32-4", *options, "--write"]
    )
    assert said.exit_code == 0
    lines = page.read_text().splitlines()
    assert lines[0] == "a"
    assert lines[-1] == "b"
    (row,) = [line for line in lines if line.startswith("| grid-12-32-4")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    without, soft, own = (int(cells[n].replace(" ", "")) for n in (2, 3, 4))
    assert soft > 0
    assert own < without
    assert cells[5] == f"{without / own:.2f}"
    assert len(cells) == len(lanes.COLUMNS)


def test_what_is_wrong_is_not_kept(lanes):
    good = {"as_predicted": True, "bit_exact": True, "bit_exact_held": True}
    taken = {"fits": True, "short": True}
    assert lanes.kept({"error": None, "simulation": good, "synthesis": taken})
    assert not lanes.kept({"error": "too wide", "simulation": None, "synthesis": None})
    for name in good:
        said = good | {name: False}
        assert not lanes.kept({"error": None, "simulation": said, "synthesis": None})
    for name in taken:
        row = {"error": None, "simulation": good, "synthesis": taken | {name: False}}
        assert not lanes.kept(row)


def test_a_page_without_a_place_for_a_table_is_refused(lanes):
    with pytest.raises(UserError, match="must have one place for the table designs, not 0"):
        lanes.put("nothing", "designs", [])
