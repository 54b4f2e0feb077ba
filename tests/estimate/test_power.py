"""The model of power: what it says of designs whose power was published."""

from pathlib import Path

import numpy as np
import pytest

from bitformer.estimate.power import busy_cycles, inference_j, power_w, static_w
from bitformer.hw.parts import PARTS

#: By how much the model is off, of each published design (arXiv 2410.03294).
OFF_BY = {(6, 64, 8): -0.175, (12, 64, 6): -0.067, (12, 32, 4): -0.101}


@pytest.fixture
def published_power(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import published_power

    return published_power


@pytest.mark.parametrize("shape", OFF_BY)
def test_published_designs(published_power, shape):
    assert published_power.off_by(shape, "xc7s15") == pytest.approx(OFF_BY[shape], abs=0.001)


def test_measured_currents(published_power):
    """Within the error bar, and within a third: the model follows from some of them."""
    assert PARTS["ice40up5k"].family.power.factor == 3
    for name, one in published_power.MEASURED.items():
        off = published_power.off_by_of_currents(one, "ice40up5k")
        assert abs(off) < 0.33, name
    halted = published_power.MEASURED["a counter, clock halted"]
    assert halted.power_w == pytest.approx(146e-6, rel=0.01)


def test_static_power():
    idle = {"luts": 0, "ffs": 0, "ramb18": 0, "dsps": 0}
    assert power_w("xc7s15", idle) == static_w("xc7s15") == PARTS["xc7s15"].static_w
    assert PARTS["xc7s6"].static_w is None
    assert static_w("xc7s6") == 0.02  # its bitstream is as long as the xc7s15's
    assert PARTS["xc7s75"].bitstream_bits == PARTS["xc7s100"].bitstream_bits
    assert PARTS["xc7s75"].static_w is PARTS["xc7s100"].static_w is None
    assert static_w("xc7s75") == PARTS["xc7s75"].family.power.static_w == 0.07
    assert static_w("ice40up5k") == PARTS["ice40up5k"].family.power.static_w


def test_power_grows_with_the_clock_alone_if_something_switches():
    taken = {"luts": 1000, "ffs": 1000, "ramb18": 10, "dsps": 10}
    slow, fast = (power_w("xc7s15", taken, clock_hz=hertz) for hertz in (50e6, 100e6))
    assert fast - static_w("xc7s15") == pytest.approx(2 * (slow - static_w("xc7s15")))


@pytest.mark.parametrize(("latency", "interval", "busy"), [(387, 558, 558), (573, 556, 573)])
def test_a_step_that_works_on_behind_its_forecast_takes_energy_as_long(latency, interval, busy):
    taken = {"luts": 3000, "ffs": 2800, "ramb18": 9, "dsps": 19}
    cycles = {"latency": latency, "interval": interval}
    assert busy_cycles(cycles) == busy
    joules = inference_j("xc7s15", taken | cycles, clock_hz=50e6)
    assert joules == pytest.approx(power_w("xc7s15", taken, clock_hz=50e6) * busy / 50e6)
    # and so of many at once
    both = {name: np.array([value, 1]) for name, value in cycles.items()}
    assert busy_cycles(both).tolist() == [busy, 1]
