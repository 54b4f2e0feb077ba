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
    small = row.part == "ice40up5k"
    names = ("logic cell",) if small else ("LUT", "FF")
    routing = {
        "part": row.part,
        "best_mhz": max(mhz),
        "median_mhz": sorted(mhz)[len(mhz) // 2],
        "worst_mhz": min(mhz),
        "best_seed": mhz.index(max(mhz)) + 1,
        "asked_hz": 48e6 if small else 150e6,
        "speed": "" if small else "6",
        "tool": f"nextpnr-{'ice40' if small else 'ecp5'} 0.99",
        "seeds": seeds,
        "resources": [
            {"resource": name, "used": 5_000, "available": 24_288}
            for name in (*names, "block RAM", "multiplier")
        ],
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
    ends = "| etth1-96-24 on lfe5u-25f | `engine.a[1]` | `engine.m` | 8.25 | 3.00 | 5.25 | 3 |"
    assert ends in page
    assert "* grid-12-32-4 on lfe5u-25f: 119.9 MHz" in page
    assert "Not measured yet, of this hardware: grid-24-64-4 on lfe5u-45f." in page
    said = "* lfe5u-25f: nextpnr-ecp5 0.99, 150 MHz asked, the slowest speed grade (6), ports anywh"
    assert said in page


def test_a_part_without_pins_for_every_port(script):
    row = script.Row(name="tiny", part="ice40up5k", cycles=5_500, mhz=36)
    assert (row.asked_hz(None), row.asked_hz(30)) == (48e6, 30e6)
    page = script.page([record(row, cycles=4_000, mhz=[38.0, 40.0, 39.0])], [], [])
    assert "* ice40up5k: nextpnr-ice40 0.99, 48 MHz asked, no ports but clk and rst." in page
    # its cells are of a LUT and a flip-flop
    assert "| 4 000 | 40.0 | 39.0 | 38.0 | 102.6 | 5 000 |  | 5 000 | 5 000 | 30 |" in page


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
    words = ["--design", "etth1-96-24", "--part", "lfe5u-45f"]
    said = CliRunner(catch_exceptions=False).invoke(script.main, words)
    assert (said.exit_code, "no row is of that design" in said.output) == (2, True)
    monkeypatch.setattr(script, "REPORT", tmp_path / "page.md")
    said = CliRunner().invoke(script.main, ["--design", "etth1-96-24", "--seeds", "5", "--write"])
    assert said.exit_code == 0
    assert "hardware: grid-12-32-4 on lfe5u-25f, grid" in (tmp_path / "page.md").read_text()
    assert calls[1:] == [("etth1-96-24", 5, 150e6)]
