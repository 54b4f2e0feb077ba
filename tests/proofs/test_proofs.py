"""A unit of each kind is proved, and its mutant refused; the prover says no where it must."""

import sys

import pytest
from amaranth.hdl import Module, Signal
from proofs.catalog import PROOFS, proof
from proofs.prover import ask, judge
from proofs.question import Change, Induction, Question, Reach

from bitformer.hw import tiling

pytestmark = [
    pytest.mark.needs("yosys"),
    # AxiStream makes its clock's domain itself, which the circuit around it uses, too
    pytest.mark.filterwarnings("ignore:Domain 'sync' is used in:DeprecationWarning"),
]

#: Of each kind of unit, in a few seconds.
QUICK = (
    "round-12",
    "exponential",
    "reciprocal-sum-6",
    "root-4-4",
    "columns-2-5-7-16",
    "operand-13-4",
    "sums-apart-6-0",
    "lut-column-series7-2-4",
    "lut-adder-series7-3-cells",
    "output-port-4-2-2",
    "sequencer-tiny",
    "uart-link",
    "spi",
    "endpoint-plain",
    "drain-pairs-3",
    "vector-slots-wide",
    "key-values-2-4-3",
    "kept-rows-4-2",
)


@pytest.mark.parametrize("name", QUICK)
def test_unit_is_proved_and_its_mutant_refused(name):
    found = judge(proof(name))
    assert found.unit.proved, found.unit.said
    assert found.mutant.refused, found.mutant.said


@pytest.mark.slow
@pytest.mark.parametrize("name", [one.name for one in PROOFS if not one.slow])
def test_each_short_proof(name):
    assert judge(proof(name)).holds


def test_names_are_different():
    assert len({one.name for one in PROOFS}) == len(PROOFS)


@pytest.mark.parametrize("one", PROOFS, ids=lambda one: one.name)
def test_every_mutant_is_of_todays_text(one):
    with one.mutant.made():
        pass


def counter(bound, method):
    m, count = Module(), Signal(4)
    m.d.sync += count.eq(count + (count < 5))
    return Question(m, count > bound, [], method)


@pytest.mark.parametrize(
    ("bound", "method", "proved"),
    [
        (5, Induction(1), True),
        (4, Induction(8), False),
        # seven is beyond what is reached, but not in every state
        (5, Reach(1), False),
        (5, Reach(9, from_reset=True), True),
        (4, Reach(9, from_reset=True), False),
        (4, Reach(3, from_reset=True), True),
    ],
)
def test_what_is_true_is_proved_and_nothing_else(bound, method, proved):
    answer = ask(counter(bound, method))
    assert (answer.proved, answer.refused) == (proved, not proved)


def test_a_mutant_of_text_that_is_not_there_is_none():
    with (
        pytest.raises(ValueError, match="needs another"),
        Change("bitformer.hw.tiling", "?!", "").made(),
    ):
        pass
    assert sys.modules["bitformer.hw.tiling"] is tiling


def test_what_is_imported_after_a_mutant_is_the_unit():
    from bitformer.hw.units import fixed

    with Change("bitformer.hw.units.fixed", "shift == 0", "shift == 1").made():
        from bitformer.hw.units import fixed as mutant

        assert mutant.round_shift(6, 1) == 6
    from bitformer.hw.units import fixed as again

    assert again is fixed
    assert again.round_shift(6, 1) == 3
