"""A space on engines of several token rows says what the designs say."""

import numpy as np
import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.search.engine import Engine, engines_of_rows
from bitformer.search.space.components import ComponentSpace
from bitformer.search.space.outcomes import NEVER, Outcomes
from bitformer.search.space.several import alike, outcomes_of_several

BITS = tuple(Precision.parse(bits) for bits in ("2/8", "8"))
COUNTS = ("latency", "interval", "luts", "lutram", "ffs", "ramb18", "dsps")
ENGINES = (Engine(rows=2, posts=2), Engine(rows=4, posts=2, soft=4))


@pytest.fixture(scope="module")
def space():
    return ComponentSpace(named_config("tiny"), bits=BITS)


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_cycles_and_multipliers_are_those_of_the_designs(space, engine, predictor):
    outcomes = space.on(engine).outcomes(predictor)
    assert outcomes.possible.all()
    off = []
    for number in np.random.default_rng(3).choice(len(space), 10, replace=False):
        said = predictor.predict(lower(initialize(space.config_of(number)), **engine.options))
        assert (outcomes.latency[number], outcomes.interval[number], outcomes.dsps[number]) == (
            said.latency,
            said.interval,
            said.dsps,
        )
        off.append(abs(outcomes.luts[number] / said.luts.value - 1))
        assert abs(outcomes.ramb18[number] - said.ramb18) <= 2
    assert np.mean(off) < 0.05


def test_models_are_alike_where_as_much_is_packed(space):
    kinds = alike(space.batch, space.part.family.multiplier)
    assert 1 < kinds.max() + 1 < len(space) // 10
    latencies = {}
    for number in np.random.default_rng(4).choice(len(space), 12, replace=False):
        design = lower(initialize(space.config_of(number)), **ENGINES[1].options)
        assert latencies.setdefault(kinds[number], design.latency) == design.latency


def test_what_cannot_be_built_needs_never_enough(space):
    plain = Outcomes(
        possible=np.array([True, True, False, True]),
        **dict.fromkeys(COUNTS, np.array([5, 7, NEVER, 9])),
    )
    kinds = np.array([0, 0, 1, 2])
    asked = []

    class Said:
        counts = dict(zip(COUNTS, (3, 2, 6, 5, 0, 4, 8), strict=True))

    def predicted(number):
        asked.append(number)
        return Said if number == 0 else None

    found = outcomes_of_several(plain, kinds, predicted)
    assert asked == [0, 3]
    assert found.possible.tolist() == [True, True, False, False]
    assert found.latency.tolist() == [3, 3, NEVER, NEVER]
    assert found.luts.tolist() == [6, 8, NEVER, NEVER]
    assert found.ffs.tolist() == [0, 2, NEVER, NEVER]
    assert found.dsps.tolist() == [8, 8, NEVER, NEVER]
    assert plain.luts.tolist() == [5, 7, NEVER, 9]


def test_engines_of_several_rows_are_those_that_lowering_chooses():
    config = named_config("tiny")
    engines = engines_of_rows(config, BITS, "xc7s15")
    assert engines
    for bits in BITS:
        model = initialize(config.replace(precision=dict.fromkeys(config.components, bits)))
        (engine,) = engines_of_rows(config, [bits], "xc7s15")
        best = lower(model, rows="auto", soft="auto")
        assert lower(model, **engine.options).latency == best.latency
        assert engine in engines
    # a family that has no columns of LUTs to ask for
    assert {engine.soft for engine in engines_of_rows(config, BITS, "ice40up5k")} <= {None, 0}
