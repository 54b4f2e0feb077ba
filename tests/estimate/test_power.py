"""The model of power: what it says of designs whose power was published."""

from pathlib import Path

import pytest

from bitformer.estimate.power import inference_j, power_w, static_w
from bitformer.hw.parts import PARTS

#: Of each published design: milliseconds and millijoules of an inference (arXiv 2410.03294).
REPORTED = {(6, 64, 8): (2.82, 0.212), (12, 64, 6): (4.61, 0.364), (12, 32, 4): (1.33, 0.084)}


@pytest.fixture
def published(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import published

    return published


@pytest.mark.parametrize("shape", REPORTED)
def test_published_designs(published, shape):
    milliseconds, millijoules = REPORTED[shape]
    cycles, part = published.CYCLES[shape], PARTS["xc7s15"]
    clock_hz = cycles / milliseconds * 1e3
    taken = published.RESOURCES[shape]
    # Yosys knows no part: what is over would be in LUTs
    counts = {
        "luts": taken.luts,
        "ffs": taken.ffs,
        "ramb18": min(taken.ramb18, part.ramb18),
        "dsps": min(taken.dsps, part.dsps),
        "latency": cycles,
    }
    said = inference_j(part.name, counts, clock_hz=clock_hz)
    assert said * 1e3 == pytest.approx(millijoules, rel=0.2)


def test_static_power():
    idle = {"luts": 0, "ffs": 0, "ramb18": 0, "dsps": 0}
    assert power_w("xc7s15", idle) == static_w("xc7s15") == PARTS["xc7s15"].static_w
    assert PARTS["xc7s6"].static_w is None
    assert static_w("xc7s6") == PARTS["xc7s6"].family.power.static_w == 0.07


def test_power_grows_with_the_clock_alone_if_something_switches():
    taken = {"luts": 1000, "ffs": 1000, "ramb18": 10, "dsps": 10}
    slow, fast = (power_w("xc7s15", taken, clock_hz=hertz) for hertz in (50e6, 100e6))
    assert fast - static_w("xc7s15") == pytest.approx(2 * (slow - static_w("xc7s15")))
