"""The script that routes: its rows, what it says of them, and that it goes on where it was."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The script's folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import routing

    return routing


def record(row, *, cycles, mhz):
    path = {"start": "engine.a[1]", "end": "engine.m", "levels": 3}
    path |= {"delay_ns": 8.25, "logic_ns": 3.0, "routing_ns": 5.25}
    seeds = [
        {"seed": number, "mhz": one, "seconds": 30.0, "path": path}
        for number, one in enumerate(mhz, 1)
    ]
    names = ("LUT", "FF", "block RAM", "multiplier")
    routing = {
        "best_mhz": max(mhz),
        "median_mhz": sorted(mhz)[len(mhz) // 2],
        "worst_mhz": min(mhz),
        "best_seed": mhz.index(max(mhz)) + 1,
        "asked_hz": 150e6,
        "speed": "6",
        "tool": "nextpnr-ecp5 0.99",
        "seeds": seeds,
        "resources": [{"resource": name, "used": 5_000, "available": 24_288} for name in names],
    }
    return {
        "design": row.name,
        "part": row.part,
        "products": 32,
        "cycles": cycles,
        "routing": routing,
    }


def test_every_row_has_the_cycles_that_were_set(script):
    for row in script.ROWS:
        assert row.design().latency <= row.cycles


def test_a_page_and_what_is_not_reached(script):
    good, slow = script.ROWS[:2]
    records = [
        record(good, cycles=3_184, mhz=[118.0, 124.0, 121.0]),
        record(slow, cycles=9_800, mhz=[130.0, 119.9, 100.0]),
    ]
    lacking = [one for row, found in zip(script.ROWS, records, strict=False) for one in
               script.shortfalls(row, found)]  # fmt: skip
    assert lacking == [
        "grid-12-32-4 on lfe5u-25f: 9800 cycles, at most 9700",
        "grid-12-32-4 on lfe5u-25f: 119.9 MHz in the median, at least 120",
    ]
    page = script.page(records, lacking, ["grid-24-64-4 on lfe5u-45f"])
    row = "| etth1-96-24 | lfe5u-25f | 32 | 3 184 | 124.0 | 121.0 | 118.0 | 26.3 | 5 000 |"
    assert row in page
    assert "| etth1-96-24 | `engine.a[1]` | `engine.m` | 8.25 | 3.00 | 5.25 | 3 |" in page
    assert "* grid-12-32-4 on lfe5u-25f: 119.9 MHz" in page
    assert "Not measured yet, of this hardware: grid-24-64-4 on lfe5u-45f." in page
    assert "3 seeds each, 150 MHz asked, the slowest speed grade (6)" in page


def test_what_was_routed_is_not_routed_again(script, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.setattr(script, "RESULTS", tmp_path / "results.jsonl")
    calls = []

    def measured(row, seeds, asked_hz):
        calls.append((row.name, seeds, asked_hz))
        return record(row, cycles=3_184, mhz=[118.0, 124.0, 121.0])

    monkeypatch.setattr(script, "measured", measured)
    for _ in range(2):
        said = CliRunner(catch_exceptions=False).invoke(script.main, ["--design", "etth1-96-24"])
        assert said.exit_code == 0
        assert "121.0" in said.output
    assert calls == [("etth1-96-24", 3, 150e6)]
    monkeypatch.setattr(script, "REPORT", tmp_path / "page.md")
    said = CliRunner().invoke(script.main, ["--design", "etth1-96-24", "--seeds", "5", "--write"])
    assert said.exit_code == 0
    assert "hardware: grid-12-32-4 on lfe5u-25f, grid" in (tmp_path / "page.md").read_text()
    assert calls[1:] == [("etth1-96-24", 5, 150e6)]
