"""What is chosen to be trained: best scores, no dearer than uniform bits, Pareto sets."""

import re

import numpy as np
import pytest

from bitformer.search.limits import Limits, energy_of
from bitformer.search.selection import COSTS, choose, nearest_miss, no_dearer
from bitformer.search.space.outcomes import Outcomes

#: LUTs, RAMB18, cycles and predicted loss; all else is the same.
ROWS = [
    (1000, 5, 2000, 0.050),  # 0 uniform 4
    (1200, 6, 2500, 0.004),  # 1 uniform 6
    (1500, 8, 3000, 0.001),  # 2 uniform 8
    (990, 5, 2000, 0.040),  # 3 better than 0 at no more
    (1200, 6, 2500, 0.003),  # 4 better than 1 at no more
    (1500, 8, 2900, 0.0005),  # 5 best of all
    (1490, 8, 2950, 0.0008),  # 6 better than 2 at no more, but dominated by 5
    (1000, 9, 1900, 0.030),  # 7 faster than all: of the Pareto set
    (9000, 8, 2000, 0.0),  # 8 too large
    (1500, 8, 3000, 0.002),  # 9 dominated
]
UNIFORM = {"uniform 4": 0, "uniform 6": 1, "uniform 8": 2}


@pytest.fixture
def outcomes():
    luts, ramb18, latency, _ = (np.array(column) for column in zip(*ROWS, strict=True))
    same = np.full(len(ROWS), 7)
    return Outcomes(
        possible=np.ones(len(ROWS), dtype=bool),
        latency=latency,
        interval=latency,
        luts=luts,
        lutram=same,
        ffs=same * 100,
        ramb18=ramb18,
        dsps=same,
    )


LOSS = np.array([row[3] for row in ROWS])


def chosen(outcomes, top, limits=None, by="loss", score=LOSS):
    return choose(outcomes, limits or Limits(), score, top, by=by, uniform=UNIFORM)


def test_the_best_then_one_for_each_uniform_then_pareto(outcomes):
    found = chosen(outcomes, 5)
    assert [one.number for one in found] == [5, 3, 4, 6, 7]
    assert [one.why for one in found] == [
        "best score",
        "best at no more than uniform 4",
        "best at no more than uniform 6",
        "best at no more than uniform 8",
        "Pareto set",
    ]


def test_of_many_places_each_uniform_has_a_fifth(outcomes):
    outcomes.latency[9] = 2980
    found = [one for one in chosen(outcomes, 10) if one.why == "best at no more than uniform 8"]
    assert [one.number for one in found] == [6, 9]
    assert [one.number for one in chosen(outcomes, 9)].index(9) > 4


def test_of_the_same_design_there_is_one(outcomes):
    """7 is the same as 4, and 9 as uniform 6: their bits differ where nothing has them."""
    same = np.arange(len(ROWS))
    same[7], same[9] = 4, 1
    found = [one.number for one in choose(outcomes, Limits(), LOSS, 9, uniform=UNIFORM, same=same)]
    assert found == [5, 3, 4, 6]


def test_what_is_left_out_is_never_chosen(outcomes):
    found = choose(outcomes, Limits(), LOSS, 9, uniform=UNIFORM, out={5, 7})
    assert not {one.number for one in found} & {5, 7}


def test_no_more_than_asked_and_none_twice(outcomes):
    assert [one.number for one in chosen(outcomes, 2)] == [5, 3]
    everything = [one.number for one in chosen(outcomes, 9)]
    assert sorted(everything) == [3, 4, 5, 6, 7, 9]
    assert everything[-1] == 9


def test_each_uniform_has_one_in_its_time_and_energy(outcomes):
    """Combination 3, the best at no more resources than uniform 4, would take more energy."""
    outcomes.ffs[3] = 5000
    outcomes.luts[7], outcomes.ramb18[7] = 1001, 5
    found = {one.why: one.number for one in chosen(outcomes, 6)}
    energy = energy_of(vars(outcomes), Limits())
    assert energy[3] > energy[0]
    assert found["best at no more than uniform 4"] == 3
    assert found["best in the time and energy of uniform 4"] == 7
    # those that cost no more than 6 and 8 bits take no more time and energy either
    assert not any(f"best in the time and energy of uniform {n}" in found for n in (6, 8))


def test_limits_hold(outcomes):
    found = chosen(outcomes, 9, Limits(latency_us=25))
    assert [one.number for one in found] == [4, 3, 7]
    joules = float(energy_of(vars(outcomes), Limits())[3])
    assert [one.number for one in chosen(outcomes, 9, Limits(energy_j=joules))] == [3]
    assert [one.number for one in chosen(outcomes, 9, Limits(ramb18=5))] == [3]


def test_by_bits_it_is_the_sum_alone(outcomes):
    bits = np.array([40, 60, 80, 41, 60, 78, 78, 50, 99, 78])
    found = chosen(outcomes, 4, by="bits", score=-bits)
    assert [one.number for one in found] == [5, 6, 9, 4]  # ties: the faster first


def test_sums_of_another_order_tie(outcomes):
    noisy = LOSS.copy()
    noisy[5], noisy[6] = 0.1 + 0.2, 0.3
    assert noisy[5] > noisy[6]
    assert [one.number for one in chosen(outcomes, 9, by="bits", score=noisy)][-2:] == [5, 6]


def test_no_dearer_is_in_every_cost(outcomes):
    cheap = no_dearer(outcomes, 2)
    assert np.flatnonzero(cheap).tolist() == [0, 1, 2, 3, 4, 5, 6, 9]
    for name in COSTS:
        assert (getattr(outcomes, name)[cheap] <= getattr(outcomes, name)[2]).all()


def test_what_is_not_known_exactly_may_be_a_little_over(outcomes):
    """Another one is taken to be no dearer until its own design says that it is."""
    outcomes.luts[2] = 1495  # a little less than those of 5 and 9
    strict = no_dearer(outcomes, 2)
    assert not strict[[5, 9]].any()
    own = np.ones(len(ROWS), dtype=bool)
    own[5] = False
    assert (no_dearer(outcomes, 2, own) != strict).nonzero()[0].tolist() == [5]
    outcomes.latency[5] += 101
    assert not no_dearer(outcomes, 2, own)[5]


@pytest.mark.parametrize(
    ("limits", "number", "sentence"),
    [
        ({"latency_us": 10}, 7, "latency is the tightest .* needs 1900 cycles, not 1000"),
        ({"luts": 900, "latency_us": 25}, 3, "luts is the tightest .* needs 990 luts, not 900"),
        ({"ramb18": 4, "luts": 995}, 3, "ramb18 is the tightest .* needs 5 ramb18, not 4"),
        ({"energy_j": 1e-9}, 3, "energy is the tightest .* J, not 1e-09"),
    ],
)
def test_the_nearest_miss_is_named(outcomes, limits, number, sentence):
    found, said = nearest_miss(outcomes, Limits(**limits))
    assert found == number
    assert re.search(sentence, said), said
