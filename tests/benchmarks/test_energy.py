"""The page of the model of power: what it is held against, and days as they were measured."""

from pathlib import Path

import pytest

from bitformer.model.errors import UserError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
TAKEN = {"luts": 3_000, "ffs": 2_000, "ramb18": 20, "dsps": 8, "latency": 4_000, "interval": 3_000}


@pytest.fixture
def script(monkeypatch):
    """The script's folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import energy

    return energy


def test_a_page(script, monkeypatch):
    def taken(name, part):
        if part == "lfe5u-25f":
            raise UserError("there is no Yosys")
        return TAKEN

    monkeypatch.setattr(script, "taken", taken)
    days, lacking = script.measured("tiny")
    assert [one.part for one in days] == ["xc7s15", "ice40up5k"]
    assert lacking == ["tiny on lfe5u-25f: there is no Yosys"]
    page = script.markdown({"tiny": days}, lacking, "yosys 9")
    assert "| (12, 64, 6): 0.364 mJ in 4.61 ms | xc7s15 | -7% |" in page
    assert "| a counter, clock halted, 28 cells, 0 MHz: 0.146 mW | ice40up5k | +0% |" in page
    assert "1.2 mW of an empty part at that clock and 12.6 mW of a full one" in page
    # cycles at 12 MHz, by what the model of power says of them
    watts = 0.000146 + 12e6 * (52 + 3_000 * 0.04 + 2_000 * 0.015 + 20 * 4 + 8 * 20) * 1e-12
    assert f"| ice40up5k | {watts * 4_000 / 12e6 * 1e6:.2f} | 0.805 | 0.146 | 0.417 | 3 |" in page
    assert "| xc7s15 | 100 | a minute | 1760 (1400–2300) |" in page
    assert page.endswith("Left out:\n\n* tiny on lfe5u-25f: there is no Yosys\n")
