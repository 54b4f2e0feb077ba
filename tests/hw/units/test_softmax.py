# amaranth: UnusedElaboratable=no
"""Softmax's parts against the number contract: exponentials, reciprocals of sums, maxima."""

import random

import numpy as np
import pytest
from amaranth.hdl import Const, Mux

from bitformer.hw.units import softmax
from bitformer.hw.units.softmax import Exponential, Reciprocal, RowMaximum
from bitformer.model import numerics


def exponentials(play, pairs):
    dut = Exponential()
    script = [{"i_score": score, "i_maximum": maximum} for score, maximum in pairs]
    shown = play(dut, script + [{}] * dut.latency, ["o_weight"])
    return [weight for (weight,) in shown[dut.latency :]]


def expected_weights(pairs):
    return [Exponential().model(*pair) for pair in pairs]


def test_latencies():
    assert (Exponential.latency, Reciprocal.latency, RowMaximum.latency) == (3, 6, 2)


def test_models_are_the_number_contract():
    scores = np.array([5, -128, 127, 0, -3])
    weights = [Exponential().model(score, 127) for score in scores.tolist()]
    assert weights == numerics.exp2_weights(scores).tolist() == [0, 0, 255, 0, 0]
    assert weights[2:] == [255, 0, 0]
    assert [Exponential().model(-n, 0) for n in (0, 1, 7, 8, 63, 64)] == [255, 234, 139, 127, 1, 0]
    total = sum(weights)
    assert Reciprocal(keys=5).model(weights) == numerics.reciprocal(np.array(total), 5)
    assert RowMaximum(ways=2).model([-7, -3, -128]) == -3


def test_exponential_of_every_distance(play):
    pairs = [(maximum - d, maximum) for d in range(256) for maximum in {127, d - 128}]
    assert exponentials(play, pairs) == expected_weights(pairs)


@pytest.mark.slow
def test_exponential_of_every_pair(play):
    pairs = [(s, m) for m in range(-128, 128) for s in range(-128, m + 1)]
    assert exponentials(play, pairs) == expected_weights(pairs)


def test_a_wrong_table_is_found(play, monkeypatch):
    pairs = [(-d, 0) for d in range(64)]
    expected = expected_weights(pairs)
    wrong = list(numerics.EXP_TABLE)
    wrong[3] += 1
    monkeypatch.setattr(numerics, "EXP_TABLE", wrong)
    assert exponentials(play, pairs) != expected


def factors(play, rows, keys):
    """The multiplier `latency` cycles after each row's last weight."""
    dut = Reciprocal(keys=keys)
    chance = random.Random(0)
    script, ends = [], []
    for row in rows:
        for number, weight in enumerate(row):
            script.append(
                {
                    "i_weight": weight,
                    "i_valid": 1,
                    "i_first": number == 0,
                    "i_last": number == len(row) - 1,
                }
            )
        ends.append(len(script) - 1)
        # what is not valid does not count
        script += [{"i_weight": chance.getrandbits(8), "i_last": 1}] * chance.randint(0, 2)
    shown = play(dut, script + [{}] * dut.latency, ["o_factor"])
    return [shown[end + dut.latency][0] for end in ends]


def weights_of(total, keys):
    """A row of weights with a sum, the largest first."""
    row = []
    while total:
        row.append(min(total, 255))
        total -= row[-1]
    return row + [0] * (keys - len(row))


@pytest.mark.parametrize("keys", [1, 2, 3, 6, 9])
def test_reciprocal_of_every_sum(play, keys):
    # whole rows, or, for a row's sum alone, as many weights as it needs
    totals = [*range(255, min(255 * keys, 1100) + 1), *range(1100, 255 * keys + 1, 7), 255 * keys]
    rows = [weights_of(t, 0) for t in totals]
    expected = [Reciprocal(keys=keys).model(row) for row in rows]
    assert expected == numerics.reciprocal(np.array(totals), keys).tolist()
    assert factors(play, rows, keys) == expected


def test_a_wrong_reciprocal_is_found(play, monkeypatch):
    rows = [weights_of(total, 0) for total in range(255, 700, 11)]
    expected = [Reciprocal(keys=3).model(row) for row in rows]
    wrong = [entry ^ 1 for entry in numerics.RECIPROCAL_TABLE]
    monkeypatch.setattr(numerics, "RECIPROCAL_TABLE", wrong)
    assert factors(play, rows, 3) != expected


@pytest.mark.parametrize("keys", [24, 96, 256])
def test_reciprocal_of_long_rows(play, keys):
    chance = random.Random(keys)
    totals = [255, 256, 511, 512, 255 * keys - 1, 255 * keys]
    totals += [chance.randint(255, 255 * keys) for _ in range(6)]
    rows = [weights_of(t, keys) for t in totals]
    assert factors(play, rows, keys) == [Reciprocal(keys=keys).model(row) for row in rows]


def test_reciprocal_stays_until_the_next(play):
    dut = Reciprocal(keys=2)
    row = [{"i_weight": 255, "i_valid": 1, "i_first": 1, "i_last": 1}]
    shown = play(dut, row + [{}] * 20, ["o_factor"])
    assert {factor for (factor,) in shown[dut.latency :]} == {
        int(numerics.reciprocal(np.array(255), 2))
    }


def maxima(play, dut, rows, gap=0):
    """(cycles after the last word, `o_maximum`) of each row, as `o_done` says it."""
    ways, script, ends = dut.ways, [], []
    for row in rows:
        for start in range(0, len(row), ways):
            part = row[start : start + ways]
            # the missing part of a row's last word could be anything
            word = part + [127] * (ways - len(part))
            last = start + ways >= len(row)
            valid = (1 << len(part)) - 1
            script.append({"i_score": word, "i_valid": valid, "i_first": not start, "i_last": last})
        ends.append(len(script) - 1)
        script += [{"i_score": [127] * ways, "i_last": 1}] * gap
    shown = play(dut, script + [{}] * dut.latency, ["o_maximum", "o_done"])
    found = [(cycle, maximum) for cycle, (maximum, done) in enumerate(shown) if done]
    return [(cycle - end, m) for end, (cycle, m) in zip(ends, found, strict=True)]


@pytest.mark.parametrize("ways", [1, 2, 3])
@pytest.mark.parametrize("lengths", [[1], [2, 1, 3], [4, 5, 1, 1, 6], [7] * 4])
@pytest.mark.parametrize("gap", [0, 1])
def test_maximum_of_rows(play, ways, lengths, gap):
    chance = random.Random(sum(lengths))
    rows = [[chance.randint(-128, 127) for _ in range(length)] for length in lengths]
    rows += [[-128] * 3, [127, -128, 127], [-128], [-1, -2]]
    dut = RowMaximum(ways=ways)
    assert maxima(play, dut, rows, gap) == [(dut.latency, dut.model(row)) for row in rows]


def test_a_maximum_of_all_ways_is_found(play, monkeypatch):
    """The mutant: elements count whatever their valid bits are."""
    rows = [[-5, -7, -9]]
    dut = RowMaximum(ways=2)
    assert maxima(play, dut, rows)[0][1] == dut.model(rows[0])

    def unmasked(condition, value, other):
        return value if isinstance(other, Const) else Mux(condition, value, other)

    monkeypatch.setattr(softmax, "Mux", unmasked)
    assert maxima(play, RowMaximum(ways=2), rows)[0][1] != dut.model(rows[0])


def test_scores_one_way_at_a_time(play):
    """An operation that is not packed fills the ways in turn."""
    dut = RowMaximum(ways=2)
    row = [-5, -90, -3, -7]
    script = [
        {
            "i_score": [score, 100] if n % 2 == 0 else [100, score],
            "i_valid": 1 << n % 2,
            "i_first": n == 0,
            "i_last": n == 3,
        }
        for n, score in enumerate(row)
    ]
    assert play(dut, script + [{}] * 3, ["o_maximum"])[5] == (dut.model(row),)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Reciprocal(keys=0), ValueError, r"^Keys must be a positive integer, not 0$"),
        (lambda: Reciprocal(keys=2.0), TypeError, r"^Keys must be a positive integer, not 2\.0$"),
        (lambda: RowMaximum(ways=-1), ValueError, r"^Ways must be a positive integer, not -1$"),
        (lambda: RowMaximum(ways="2"), TypeError, r"^Ways must be a positive integer, not '2'$"),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_parameters_can_be_read():
    assert (Reciprocal(keys=7).keys, RowMaximum(ways=2).ways) == (7, 2)
