"""The benchmark of results placed one by one: its four ways, its rows, its page."""

from pathlib import Path

import pytest
from click.testing import CliRunner

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
GOOD = {"samples": 100, "as_predicted": True, "bit_exact": True, "bit_exact_held": True}
TAKEN = {"luts": 8000, "luts_as_memory": 100, "ffs": 9, "ramb18": 20, "dsps": 20}
TAKEN |= {"levels": 4, "short": True}


@pytest.fixture
def script(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    import result_places

    page = tmp_path / "placement.md"
    page.write_text("a\n<!-- results -->\nold\n<!-- /results -->\nb\n")
    monkeypatch.setattr(result_places, "REPORT", page)
    monkeypatch.setattr(result_places, "ROOT", tmp_path)
    monkeypatch.setattr(result_places, "DESIGNS", (("grid-6-8-4", "xc7s15"),))
    return result_places


def run(script, monkeypatch, *, said=GOOD, taken=TAKEN, kind="all"):
    asked = []

    def measured(config, _store, *, samples, placement, with_synthesis, **_options):
        asked.append((samples, placement))
        simulation, synthesis = said if samples else None, taken if with_synthesis else None
        return {"latency": 1234, "simulation": simulation, "synthesis": synthesis, "error": None}

    monkeypatch.setattr(script, "measure", measured)
    found = CliRunner(catch_exceptions=False).invoke(script.main, ["--synthesize", kind, "--write"])
    return found, asked, script.REPORT.read_text().splitlines()


def test_four_ways_and_the_last_is_simulated(script, monkeypatch):
    found, asked, lines = run(script, monkeypatch)
    assert found.exit_code == 0
    block, luts, stores, results = [placement for _, placement in asked]
    assert set(block.values()) == {"block", "distributed"}
    assert block["weights"] == "block"
    assert set(luts.values()) == {"distributed"}
    assert (stores, results) == ({}, {"results": "auto"})
    assert [samples for samples, _ in asked] == [0, 0, 0, 100]
    assert (lines[0], lines[-1]) == ("a", "b")
    rows = [line for line in lines if line.startswith("| grid-6-8-4")]
    assert [row.split(" | ")[2] for row in rows][2:] == [
        "automatic, by store",
        "automatic, by result",
    ]
    assert rows[3].count(" | ") + 1 == len(script.COLUMNS)
    assert "yes (100)" in rows[3]
    assert rows[3].endswith("| fits |")


def test_of_what_is_not_synthesized_memories_are_counted(script, monkeypatch):
    found, _, lines = run(script, monkeypatch, kind="automatic")
    assert found.exit_code == 0
    rows = [line for line in lines if line.startswith("| grid-6-8-4")]
    assert [row.count("8 000") for row in rows] == [0, 0, 1, 1]
    assert rows[0].endswith("| nothing, of memories alone |")
    assert script.counted("grid-24-64-8", "xc7s15", {"weights": "block", "activations": "block"})
    short = script.counted("grid-24-64-8", "xc7s6", {"weights": "block"})
    assert short.startswith("RAMB18 +")


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        (GOOD | {"bit_exact_held": False}, TAKEN),
        (GOOD | {"as_predicted": False}, TAKEN),
        (GOOD, TAKEN | {"ramb18": 21}),
    ],
)
def test_what_is_wrong_or_too_large_is_not_kept(script, monkeypatch, said, taken):
    found, _, _ = run(script, monkeypatch, said=said, taken=taken)
    assert found.exit_code == 1


def test_what_a_part_has_too_little_of(script):
    assert script.over("xc7s15", TAKEN) == "fits"
    assert script.over("xc7s6", TAKEN) == "LUT +4248, RAMB18 +10, DSP +10"
