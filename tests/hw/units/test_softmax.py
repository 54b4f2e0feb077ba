# amaranth: UnusedElaboratable=no
"""Softmax's parts against the number contract: exponentials, reciprocals of sums, maxima."""

import random

import numpy as np
import pytest

from bitformer.hw.units.softmax import Exponential, Reciprocal, RowMaximum
from bitformer.model import numerics


def exponentials(play, pairs):
    dut = Exponential()
    script = [{"i_score": score, "i_maximum": maximum} for score, maximum in pairs]
    shown = play(dut, script + [{}] * dut.latency, ["o_weight"])
    return [weight for (weight,) in shown[dut.latency :]]


def expected_weights(pairs):
    return [int(numerics.exp2_weights(np.array(pair))[0]) for pair in pairs]


def test_exponential_takes_three_cycles():
    assert Exponential.latency == 3


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
    expected = numerics.reciprocal(np.array(totals), keys).tolist()
    assert factors(play, [weights_of(t, 0) for t in totals], keys) == expected


@pytest.mark.parametrize("keys", [24, 96, 256])
def test_reciprocal_of_long_rows(play, keys):
    chance = random.Random(keys)
    totals = [255, 256, 511, 512, 255 * keys - 1, 255 * keys]
    totals += [chance.randint(255, 255 * keys) for _ in range(6)]
    expected = numerics.reciprocal(np.array(totals), keys).tolist()
    assert factors(play, [weights_of(t, keys) for t in totals], keys) == expected


def test_reciprocal_stays_until_the_next(play):
    dut = Reciprocal(keys=2)
    row = [{"i_weight": 255, "i_valid": 1, "i_first": 1, "i_last": 1}]
    shown = play(dut, row + [{}] * 20, ["o_factor"])
    assert {factor for (factor,) in shown[dut.latency :]} == {
        int(numerics.reciprocal(np.array(255), 2))
    }


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("lengths", [[1], [2, 1, 3], [4, 5, 1, 1, 6], [7] * 4])
@pytest.mark.parametrize("gap", [0, 1])
def test_maximum_of_rows(play, ways, lengths, gap):
    chance = random.Random(sum(lengths))
    rows = [[chance.randint(-128, 127) for _ in range(length)] for length in lengths]
    rows += [[-128] * 3, [127, -128, 127], [-128], [-1, -2]]
    dut = RowMaximum(ways=ways)
    script, ends = [], []
    for row in rows:
        for start in range(0, len(row), ways):
            part = row[start : start + ways]
            step = {f"i_score_{way}": score for way, score in enumerate(part)}
            # the missing half of an odd row's last word could be anything
            step |= {f"i_score_{way}": 127 for way in range(len(part), ways)}
            step |= {"i_valid": (1 << len(part)) - 1, "i_first": start == 0}
            script.append(step | {"i_last": start + ways >= len(row)})
        ends.append(len(script) - 1)
        script += [{"i_score_0": 127, "i_last": 1}] * gap
    shown = play(dut, script + [{}] * 2, ["o_maximum", "o_done"])
    assert [shown[end + 2][0] for end in ends] == [max(row) for row in rows]
    assert [cycle for cycle, (_, done) in enumerate(shown) if done] == [end + 2 for end in ends]


def test_scores_one_way_at_a_time(play):
    """An operation that is not packed fills the ways in turn."""
    dut = RowMaximum(ways=2)
    row = [-5, -90, -3, -7]
    script = [
        {
            f"i_score_{n % 2}": score,
            f"i_score_{1 - n % 2}": 100,
            "i_valid": 1 << n % 2,
            "i_first": n == 0,
            "i_last": n == 3,
        }
        for n, score in enumerate(row)
    ]
    assert play(dut, script + [{}] * 3, ["o_maximum"])[5] == (-3,)


def test_keys_must_be_positive():
    with pytest.raises(ValueError, match=r"^Keys must be a positive integer, not 0$"):
        Reciprocal(keys=0)
