# amaranth: UnusedElaboratable=no
"""LayerNorm's parts against the number contract, at the extremes and back to back."""

import random

import numpy as np
import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.timing import LONG_STATISTICS, NORM_DELAY, STATISTICS
from bitformer.hw.units.layernorm import Normalizer, RowStatistics, statistics_layout
from bitformer.hw.widths import is_long
from bitformer.model import numerics

MULTIPLIER = SERIES7.multiplier


def model(row, bits):
    """(sum, exponent, factor) of a row."""
    row = np.array(row)
    total = int(row.sum())
    variance = len(row) * int((row * row).sum()) - total * total
    exponent, factor = numerics.rsqrt(np.array(variance), numerics.norm_width(len(row), bits))
    return total, int(exponent), int(factor)


def statistics(play, rows, *, bits, ways, gap=0, shift=0):
    """The statistics of each row, taken `STATISTICS` (and `shift`) cycles after its last word."""
    features = len(rows[0])
    dut = RowStatistics(features=features, bits=bits, ways=ways, multiplier=MULTIPLIER)
    script, ends = [], []
    for row in rows:
        for start in range(0, features, ways):
            part = row[start : start + ways]
            step = {f"i_x_{way}": x for way, x in enumerate(part)}
            step |= {f"i_x_{way}": (1 << (bits - 1)) - 1 for way in range(len(part), ways)}
            step |= {"i_valid": (1 << len(part)) - 1, "i_first": start == 0}
            script.append(step | {"i_last": start + ways >= features})
        ends.append(len(script) - 1)
        script += [{"i_x_0": -1, "i_first": 1, "i_last": 1}] * gap
    wait = STATISTICS + (LONG_STATISTICS if is_long(features, bits, MULTIPLIER) else 0) + shift
    script += [{} for _ in range(wait)]
    takes = [end + wait for end in ends]
    for cycle in takes:
        script[cycle] = script[cycle] | {"i_take": 1}
    shown = play(dut, script, ["o_statistics"])
    return [
        (shown[cycle][0].total, shown[cycle][0].exponent, shown[cycle][0].factor) for cycle in takes
    ]


def random_rows(features, bits, count, seed):
    chance = random.Random(seed)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    spread = [chance.randint(1, high) for _ in range(count)]
    return [[chance.randint(max(low, -s), min(high, s)) for _ in range(features)] for s in spread]


def extreme_rows(features, bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return [
        [low] * features,
        [high] * features,
        [0] * features,
        [1] * features,
        [low if n % 2 else high for n in range(features)],
        [high] + [low] * (features - 1),
        [low] + [high] * (features - 1),
        [1] + [0] * (features - 1),
        [-1] + [0] * (features - 1),
    ]


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize(("features", "bits"), [(2, 4), (3, 8), (4, 8), (5, 5), (8, 7), (16, 8)])
@pytest.mark.parametrize("gap", [0, 2])
def test_statistics(play, ways, features, bits, gap):
    rows = extreme_rows(features, bits) + random_rows(features, bits, 12, features)
    found = statistics(play, rows, bits=bits, ways=ways, gap=gap)
    assert found == [model(row, bits) for row in rows]


@pytest.mark.parametrize(("features", "bits"), [(64, 8), (256, 8), (32, 16), (256, 16)])
def test_statistics_of_many_features(play, features, bits):
    rows = extreme_rows(features, bits)[:7] + random_rows(features, bits, 2, 0)
    assert statistics(play, rows, bits=bits, ways=2) == [model(row, bits) for row in rows]


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize(("features", "long"), [(2, False), (4, True), (6, True)])
def test_statistics_of_rows_of_16_bits(play, ways, features, long):
    """Variances of every magnitude, each row right after the one before."""
    rows = extreme_rows(features, 16)
    rows += [[1 << bit, *[0] * (features - 2), -(1 << bit)] for bit in range(15)]
    rows += random_rows(features, 16, 12, features)
    assert is_long(features, 16, MULTIPLIER) == long
    found = statistics(play, rows, bits=16, ways=ways)
    assert found == [model(row, 16) for row in rows]


def test_statistics_wait_in_order(play):
    rows = random_rows(4, 8, 7, 5)
    # all rows but the first wait for the ones before to be taken
    assert statistics(play, rows, bits=8, ways=1, shift=25) == [model(row, 8) for row in rows]


def test_a_cycle_earlier_there_are_none(play):
    row = random_rows(4, 8, 1, 6)[0]
    assert statistics(play, [row], bits=8, ways=1) == [model(row, 8)]
    assert statistics(play, [row], bits=8, ways=1, shift=-1) != [model(row, 8)]


def test_a_wrong_table_is_found(play, monkeypatch):
    row = random_rows(4, 8, 1, 7)[0]
    expected = model(row, 8)
    monkeypatch.setattr(numerics, "RSQRT_TABLE", [entry ^ 1 for entry in numerics.RSQRT_TABLE])
    assert statistics(play, [row], bits=8, ways=1) != [expected]


@pytest.mark.parametrize(
    ("features", "bits", "gamma_bits"), [(2, 4, 4), (4, 8, 8), (16, 8, 8), (32, 16, 8)]
)
def test_normalised_values(play, features, bits, gamma_bits):
    rows = extreme_rows(features, bits) + random_rows(features, bits, 10, 1)
    chance = random.Random(2)
    low, high = -(1 << (gamma_bits - 1)), (1 << (gamma_bits - 1)) - 1
    script, expected = [], []
    layout = statistics_layout(features, bits)
    for row in rows:
        total, exponent, factor = model(row, bits)
        packed = layout.const({"total": total, "exponent": exponent, "factor": factor})
        for x in row:
            gamma = chance.choice([low, high, 0, 1, chance.randint(low, high)])
            script.append({"i_x": x, "i_gamma": gamma, "i_statistics": packed.as_bits()})
            expected.append(((features * x - total) << exponent, gamma * factor))
            assert abs(expected[-1][0]) <= numerics.normalized_bound(features, bits)
    dut = Normalizer(features=features, bits=bits, gamma_bits=gamma_bits, multiplier=MULTIPLIER)
    assert dut.latency == NORM_DELAY == 2
    shown = play(dut, script + [{}] * dut.latency, ["o_u", "o_multiplier"])
    assert shown[dut.latency :] == expected
