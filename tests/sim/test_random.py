"""Random designs, inputs and pressures: every tensor equal, and in the predicted cycles.

What is drawn is every field of a model, as tests/test_design_strategies.py measures.
"""

import pytest
from design_strategies import DRAWN, designs, row_designs, several, short_designs
from hypothesis import given, seed
from hypothesis import strategies as st

from bitformer.hw.parts import DEFAULT_PART

KINDS = ("random", "random", "lowest", "highest", "alternating")
#: Designs of a test.
COUNT = 8


@pytest.fixture
def check(run_design, inputs_of):
    """Draws ``count`` designs, others for each number, and runs them."""

    def many(
        number, count=COUNT, samples=2, tasks=DRAWN, drawn=designs, part=DEFAULT_PART, **options
    ):
        @seed(number)
        @several(count)
        @given(
            case=drawn(tasks, part=part),
            kind=st.sampled_from(KINDS),
            back_pressure=st.sampled_from([0.0, 0.0, 0.3, 0.7]),
            draws=st.integers(0, 100),
        )
        def one(case, kind, back_pressure, draws):
            design = case.make()
            x = inputs_of(design.model, kind, samples=samples, seed=draws)
            run_design(design, x, back_pressure=back_pressure, seed=draws, **options)

        one()

    return many


@pytest.mark.parametrize("number", range(40 // COUNT))
def test_any_design_is_exact(check, number):
    check(number)


def test_any_classifier_is_exact(check):
    check(2000, count=6, samples=3, tasks=("classify",))


def test_any_detector_is_exact(check):
    check(3000, count=6, samples=5, tasks=("detect",))


@pytest.mark.parametrize("number", range(4000, 4002))
def test_any_design_of_16_bit_multipliers_is_exact(check, number):
    check(number, part="ice40up5k")


@pytest.mark.parametrize("number", range(5000, 5002))
def test_any_pairs_of_short_products_are_exact(check, number):
    check(number, part="ice40up5k", drawn=short_designs)


@pytest.mark.parametrize("number", range(6000, 6004))
def test_any_design_of_token_rows_is_exact(check, number):
    check(number, count=4, drawn=row_designs)


@pytest.mark.needs("compiler")
def test_any_compiled_design_is_exact(check):
    check(1000, count=1, samples=64, engine="native")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(100, 100 + 300 // COUNT + 1))
def test_many_designs_are_exact(check, number):
    check(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6100, 6140))
def test_many_designs_of_token_rows_are_exact(check, number):
    check(number, drawn=row_designs)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4100, 4120))
def test_many_designs_of_16_bit_multipliers_are_exact(check, number):
    check(number, part="ice40up5k")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5100, 5120))
def test_many_pairs_of_short_products_are_exact(check, number):
    check(number, part="ice40up5k", drawn=short_designs)


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("number", range(5200, 5203))
def test_many_compiled_pairs_of_short_products_are_exact(check, number):
    check(number, count=3, samples=500, part="ice40up5k", drawn=short_designs, engine="native")


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("task", ["classify", "detect"])
@pytest.mark.parametrize("number", range(2001, 2005))
def test_many_compiled_decisions_are_exact(check, number, task):
    check(number, count=3, samples=500, tasks=(task,), engine="native")


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("number", range(1001, 1011))
def test_many_compiled_designs_are_exact(check, number):
    check(number, count=3, samples=500, engine="native")
