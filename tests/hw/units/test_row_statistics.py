# amaranth: UnusedElaboratable=no
"""Statistics of rows against their model, at the extremes and back to back."""

import itertools
import random

import numpy as np
import pytest
from norm_rows import extreme_rows, random_rows

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.timing import LONG_STATISTICS, SOFT_STATISTICS, STATISTICS
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.model import numerics

DSP = SERIES7.multiplier


def unit(features, bits, ways=1, **options):
    return RowStatistics(features=features, bits=bits, ways=ways, multiplier=DSP, **options)


def statistics(play, dut, rows, *, gap=0, shift=0):
    """The statistics of each row, taken `latency` (and `shift`) cycles after its last word."""
    script, ends = [], []
    for row in rows:
        for start in range(0, dut.features, dut.ways):
            part = row[start : start + dut.ways]
            # the missing part of a row's last word could be anything
            word = part + [(1 << (dut.bits - 1)) - 1] * (dut.ways - len(part))
            step = {"i_x": word, "i_valid": (1 << len(part)) - 1, "i_first": not start}
            script.append(step | {"i_last": start + dut.ways >= dut.features})
        ends.append(len(script) - 1)
        script += [{"i_x": [-1] * dut.ways, "i_first": 1, "i_last": 1}] * gap
    wait = dut.latency + shift
    script += [{} for _ in range(wait)]
    takes = [end + wait for end in ends]
    for cycle in takes:
        script[cycle] = script[cycle] | {"i_take": 1}
    shown = play(dut, script, ["o_statistics"])
    taken = (shown[cycle][0] for cycle in takes)
    return [(head.total, head.exponent, head.factor) for head in taken]


def models(dut, rows):
    return [dut.model(row) for row in rows]


@pytest.mark.parametrize("ways", [1, 2, 3])
@pytest.mark.parametrize(
    ("features", "bits"), [(1, 3), (2, 4), (3, 8), (4, 8), (5, 5), (8, 7), (16, 8)]
)
@pytest.mark.parametrize("gap", [0, 2])
def test_statistics(play, ways, features, bits, gap):
    rows = extreme_rows(features, bits) + random_rows(features, bits, 12, features)
    for apart in {1, -(-features // ways) + gap}:
        dut = unit(features, bits, ways, apart=apart)
        assert statistics(play, dut, rows, gap=gap) == models(dut, rows)


@pytest.mark.parametrize(("features", "bits"), [(2, 4), (8, 8), (16, 8), (4, 10)])
@pytest.mark.parametrize("ways", [1, 2])
def test_sums_are_squared_in_luts(play, features, bits, ways):
    rows = extreme_rows(features, bits) + random_rows(features, bits, 12, features)
    dut = unit(features, bits, ways, soft=True)
    assert dut.latency == STATISTICS + SOFT_STATISTICS
    assert statistics(play, dut, rows) == models(dut, rows)


def test_every_sum_is_squared(play):
    """All magnitudes of 12 bits, as a difference to the variance of a row of 16."""
    rows = [
        [min(127, max(-128, total - 128 * n)) for n in range(16)] for total in range(0, 2032, 7)
    ]
    rows += [[min(127, -x) for x in row] for row in rows[::3]]
    dut = unit(16, 8, 2, soft=True)
    assert statistics(play, dut, rows) == models(dut, rows)


def test_longer_sums_are_not_squared_in_luts():
    with pytest.raises(ValueError, match="Soft must be False for rows of 32 elements of 8 bits"):
        unit(32, 8, soft=True)


@pytest.mark.parametrize("rounds", [2, 4])
@pytest.mark.parametrize("soft", [False, True])
def test_rows_that_come_in_turns_have_sums_of_their_own(play, rounds, soft):
    """Of each row two words at a time; they end two words apart."""
    dut = unit(8, 6, 2, rounds=rounds, apart=2, soft=soft)
    rows = random_rows(8, 6, 3 * rounds, rounds)
    script, ends = [], []
    for start in range(0, len(rows), rounds):
        for half, turn in itertools.product(range(2), range(rounds)):
            for word in range(2 * half, 2 * half + 2):
                step = {"i_x": rows[start + turn][2 * word : 2 * word + 2], "i_valid": 3}
                step |= {"i_first": word == 0, "i_last": word == 3, "i_round": turn}
                script.append(step)
            if half:
                ends.append(len(script) - 1)
    script += [{} for _ in range(dut.latency + 1)]
    takes = [end + dut.latency for end in ends]
    for cycle in takes:
        script[cycle] = script[cycle] | {"i_take": 1}
    shown = play(dut, script, ["o_statistics"])
    found = [(shown[c][0].total, shown[c][0].exponent, shown[c][0].factor) for c in takes]
    assert found == models(dut, rows)


@pytest.mark.parametrize(("features", "bits"), [(64, 8), (256, 8), (32, 16), (256, 16)])
def test_statistics_of_many_features(play, features, bits):
    rows = extreme_rows(features, bits)[:7] + random_rows(features, bits, 2, 0)
    dut = unit(features, bits, 2)
    assert statistics(play, dut, rows) == models(dut, rows)


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize(("features", "long"), [(2, False), (4, True), (6, True)])
def test_statistics_of_rows_of_16_bits(play, ways, features, long):
    """Variances of every magnitude, each row right after the one before."""
    rows = extreme_rows(features, 16)
    rows += [[1 << bit, *[0] * (features - 2), -(1 << bit)] for bit in range(15)]
    rows += random_rows(features, 16, 12, features)
    dut = unit(features, 16, ways)
    assert dut.long == long
    assert statistics(play, dut, rows) == models(dut, rows)


@pytest.mark.parametrize(
    ("features", "bits", "gap", "least"), [(4, 8, 3, 5), (6, 8, 1, 2), (4, 16, 6, 8), (6, 16, 1, 4)]
)
def test_rows_that_end_far_enough_apart(play, features, bits, gap, least):
    """Sums are held from ``least`` cycles on; nearer rows would find those of the next."""
    rows = random_rows(features, bits, 8, 7)
    dut = unit(features, bits, apart=features + gap)
    assert features + gap >= least
    assert statistics(play, dut, rows, gap=gap) == models(dut, rows)
    near = unit(features, bits, 2, apart=least + 20)
    assert statistics(play, near, [row[:features] for row in rows]) != models(near, rows)


def test_elements_that_are_narrower(play):
    """The second element of a word has 8 bits; what is above them is not looked at."""
    dut = unit(6, 16, 2, upper_bits=8)
    chance = random.Random(8)
    rows = [
        [chance.randint(*((-128, 127) if n % 2 else (-32768, 32767))) for n in range(6)]
        for _ in range(12)
    ]
    rows += [[-32768, -128] * 3, [32767, 127] * 3]
    assert statistics(play, dut, rows) == models(dut, rows)


@pytest.mark.parametrize(("queue", "shift"), [(32, 25), (5, 16), (3, 8), (2, 4), (1, 0)])
def test_statistics_wait_in_order(play, queue, shift):
    """Those of as many rows as the queue holds: a row ends every four cycles."""
    rows = random_rows(4, 8, 7, 5)
    dut = unit(4, 8, queue=queue)
    assert statistics(play, dut, rows, shift=shift) == models(dut, rows)


def test_latency_is_exact(play):
    """A cycle earlier there are none."""
    for dut, cycles in ((unit(4, 8), STATISTICS), (unit(4, 16), STATISTICS + LONG_STATISTICS)):
        assert dut.latency == cycles
        rows = random_rows(4, dut.bits, 1, 6)
        assert statistics(play, dut, rows) == models(dut, rows)
        assert statistics(play, dut, rows, shift=-1) != models(dut, rows)
    assert (STATISTICS, LONG_STATISTICS) == (11, 3)


def test_model_is_the_number_contract():
    row = [100, -128, 3, 7]
    total, variance = sum(row), 4 * sum(x * x for x in row) - sum(row) ** 2
    exponent, factor = numerics.rsqrt(np.array(variance), numerics.norm_width(4, 8))
    assert unit(4, 8).model(row) == (total, exponent, factor)
    assert unit(4, 8).model([5] * 4) == (20, 0, 0)


def test_a_wrong_table_is_found(play, monkeypatch):
    rows = random_rows(4, 8, 1, 7)
    dut = unit(4, 8)
    expected = models(dut, rows)
    monkeypatch.setattr(numerics, "RSQRT_TABLE", [entry ^ 1 for entry in numerics.RSQRT_TABLE])
    assert statistics(play, dut, rows) != expected


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"features": 0}, ValueError, r"^Features must be a positive integer, not 0$"),
        ({"bits": 8.0}, TypeError, r"^Bits must be a positive integer, not 8\.0$"),
        ({"ways": 0}, ValueError, r"^Ways must be a positive integer, not 0$"),
        ({"upper_bits": 0}, ValueError, r"^Upper bits must be a positive integer, not 0$"),
        ({"upper_bits": 9}, ValueError, r"^Upper bits must be 8 at most, not 9$"),
        ({"multiplier": 18}, TypeError, r"^Multiplier must be a Multiplier, not 18$"),
    ],
)
def test_mistakes_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        RowStatistics(**{"features": 4, "bits": 8, "ways": 2, "multiplier": DSP} | changes)


def test_parameters_can_be_read():
    dut = unit(4, 8, 2)
    assert (dut.features, dut.bits, dut.ways, dut.upper_bits) == (4, 8, 2, 8)
    assert dut.multiplier is DSP
