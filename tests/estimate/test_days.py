"""Days of a design on a part, by the model of power."""

import pytest

from bitformer.boards.reports.energy import energy
from bitformer.estimate.days import PERIODS, SHELL_FFS, days_of, refill_of
from bitformer.estimate.power import power_w, static_w
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config

TAKEN = {"luts": 2700, "ffs": 2400, "ramb18": 14, "dsps": 19, "latency": 2818, "interval": 2725}


def test_a_day_at_an_inference_a_minute():
    found = days_of("xc7s15", TAKEN, clock_hz=100e6)
    seconds = 2818 / 100e6
    inference_j = seconds * power_w("xc7s15", TAKEN, clock_hz=100e6)
    standing_w = 0.020 + SHELL_FFS * 0.02e-12 * 100e6
    configuration_s = 4_310_752 / 200e6
    assert found.inference_j == pytest.approx(inference_j)
    assert found.standing_w == pytest.approx(standing_w)
    assert found.configuration_s == pytest.approx(configuration_s)
    day = found.days["a minute"]
    assert day.forecasts == 1440
    assert day.idle_j == pytest.approx(1440 * inference_j + standing_w * (86_400 - 1440 * seconds))
    assert day.off_j == pytest.approx(1440 * (inference_j + 0.1 * configuration_s))
    # an XC7S15 that waits for a minute is better switched off
    assert day.best == "off"
    assert found.to_dict()["days"]["a minute"]["best"] == "off"


def test_a_stream_that_was_off_is_fed_again_what_it_had_kept():
    """Twelve tokens in two rings, and the patch before: 23 steps before the one that forecasts."""
    config = named_config("etth1-96-24-stream")
    refill = refill_of(config)
    assert refill == 2 * (config.tokens - 1) + 1 == 23
    assert refill_of(named_config("etth1-96-24")) == 0
    plain = days_of("xc7s15", TAKEN, clock_hz=100e6)
    found = days_of("xc7s15", TAKEN, clock_hz=100e6, refill=refill)
    for pace, day in found.days.items():
        assert day.idle_j == plain.days[pace].idle_j
        more = day.off_j - plain.days[pace].off_j
        assert more == pytest.approx(day.forecasts * 23 * found.inference_j)


def test_an_empty_ring_takes_time_to_fill():
    """Switching off pays later, and not at all where there is no time for the steps before."""
    common = {"total_w": 0.5, "idle_w": 0.25, "cycles": 100, "clock_hz": 100.0}
    common |= {"configuration_s": 2.0, "configuration_w": 0.5}
    found = energy(**common, forecasts=86_400 // 18, refill=15)
    assert found.break_even_s == pytest.approx(1 + (1 + 15 * 0.5) / 0.25)
    assert found.day.off_j == pytest.approx(4800 * (16 * 0.5 + 1))
    assert energy(**common, forecasts=86_400 // 18 + 1, refill=15).day.off_j is None


def test_what_a_clock_that_stands_still_saves():
    found = days_of("xc7s15", TAKEN, clock_hz=100e6)
    assert found.running_w - found.standing_w == pytest.approx(2400 * 0.02e-12 * 100e6)
    slow = days_of("xc7s15", TAKEN, clock_hz=50e6)
    assert slow.running_w - slow.standing_w == pytest.approx(
        (found.running_w - found.standing_w) / 2
    )


@pytest.mark.parametrize(
    ("part", "hertz", "still"),
    [
        ("xc7s15", 400e6, True),
        ("lfe5u-25f", 40e6, True),
        ("lfe5u-25f", 41e6, False),
        ("ice40up5k", 16e6, True),
        ("ice40up5k", 17e6, False),
    ],
)
def test_a_clock_stands_still_where_half_a_cycle_is_long_enough(part, hertz, still):
    found = days_of(part, TAKEN, clock_hz=hertz)
    assert found.stands_still == still
    assert found.idle_w == (found.standing_w if still else found.running_w)
    # idle all day but for an inference each ten minutes
    assert found.days["ten minutes"].idle_j == pytest.approx(found.idle_w * 86_400, rel=1e-3)
    assert found.running_w > found.standing_w


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_days_a_source_and_an_error_bar(part):
    found = days_of(part, TAKEN, clock_hz=50e6)
    assert list(found.days) == list(PERIODS)
    forecasts = [day.forecasts for day in found.days.values()]
    assert forecasts == [86_400, 1440, 144]
    idle = [day.idle_j for day in found.days.values()]
    assert idle == sorted(idle, reverse=True)
    assert min(idle) > static_w(part) * 86_400
    assert found.factor > 1
    assert found.source
