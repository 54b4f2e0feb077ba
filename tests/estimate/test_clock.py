"""The clock that a design reaches: who is believed before whom, and by how much it may be off."""

import pytest
from clock_harness import PART, routed

from bitformer.estimate.calibrated_clock import calibrated
from bitformer.estimate.clock import CALIBRATED, MEASURED, PREDICTED, reached
from bitformer.estimate.knowledge import Entry
from bitformer.hw.parts import PARTS

ROUTED = PARTS["xc7s15"].family.routed


def build(mhz, version="v2022.1", model=7, part="xc7s15ftgb196"):
    features = {"model": model, "clock_hz": 100e6}
    features |= {} if mhz is None else {"reached_mhz": mhz}
    counts = {"luts": 1, "lutram": 0, "ffs": 1, "ramb18": 0, "dsps": 0, "lanes": 0}
    return Entry(
        key=f"{version}-{mhz}-{model}-{part}",
        kind="build",
        name="net",
        part=part,
        tool="Vivado",
        version=version,
        features=features,
        **counts,
    )


OTHERS = [routed("a", 100.0), routed("b", 110.0, 112.0, 90.0), routed("c", 120.0)]


def test_the_very_design_with_most_seeds_is_believed():
    own = [routed("d", 150.0), routed("d", 90.0, 125.0, 100.0)]
    found = reached([*OTHERS, *own], PART, digest="d")
    assert (found.mhz, found.low, found.high, found.by) == (100.0, 90.0, 125.0, MEASURED)
    assert found.microseconds(2_000) == 20.0
    assert found.sentence(2_000) == (
        "Measured clock: 100.0 MHz (90 to 125), so 20.00 us; nextpnr-ecp5 0.99 routed this very"
        " design, the median of 3 seeds"
    )
    # "d" begins the key of "da", too
    assert reached([*OTHERS, routed("da", 90.0)], PART, digest="d").by == PREDICTED


def test_another_design_is_predicted_from_those_of_its_part_with_their_spread():
    found = reached([*OTHERS, routed("b", 140.0)], PART, digest="d")
    assert (found.by, found.mhz) == (PREDICTED, 110.0)
    margin = 1.96 * 10 * (4 / 3) ** 0.5
    assert (found.low, found.high) == pytest.approx((110 - margin, 110 + margin))
    assert "3 routed designs of the lfe5u-25f reach 100 to 120" in found.source


@pytest.mark.parametrize(
    "third",
    [routed("b", 140.0), routed("c", 120.0, part="lfe5u-45f"), routed("c", 120.0, version=1)],
    ids=["the same design", "another part", "hardware of another day"],
)
def test_two_routed_designs_predict_nothing(third):
    assert reached([*OTHERS[:2], third], PART) is None


def test_vivado_is_believed_before_the_calibration():
    entries = [build(120.0), build(118.0, "v2025.1"), build(200.0, model=8), build(None, "v2026.1")]
    found = reached(entries, "xc7s15", model=7, loads=96)
    assert (found.mhz, found.low, found.high, found.by) == (118.0, 118.0, 118.0, MEASURED)
    assert "Vivado v2025.1 reported a build of this model" in found.source
    assert reached(entries, "xc7s15", model=9, loads=96).by == CALIBRATED
    assert reached(entries, "xc7s50", model=7, loads=96).by == CALIBRATED
    assert "neither Vivado's word nor hardware" in reached([], "xc7s15").source


def test_the_calibration_is_a_line_over_loads():
    for loads, each in ROUTED.designs.values():
        found = calibrated(ROUTED, loads)
        period = sum(1e3 / mhz for mhz in each) / len(each)
        assert 1e3 / found.mhz == pytest.approx(period, rel=0.02)
        within = [mhz for mhz in each if found.low <= mhz <= found.high]
        assert len(within) >= len(each) - 1
    assert calibrated(ROUTED, 300).mhz == pytest.approx(1e3 / (6.816 + 300 * 0.003949), rel=1e-3)


def test_without_a_synthesis_the_error_bar_is_wider():
    blind, known = calibrated(ROUTED, None), calibrated(ROUTED, 96)
    assert blind.high - blind.low > 1.5 * (known.high - known.low)
    assert blind.low < 107 < 147 < blind.high
