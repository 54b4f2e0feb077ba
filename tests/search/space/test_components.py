"""A space as a whole says what each of its designs says; limits, scores, Pareto sets."""

import numpy as np
import pytest

from bitformer.estimate.features import quantities
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits, energy_of, within
from bitformer.search.pareto import pareto, predicted_loss
from bitformer.search.space.choices import combinations_of
from bitformer.search.space.components import ComponentSpace

FOUR, EIGHT = (Precision(weights=bits, activations=bits) for bits in (4, 8))


@pytest.fixture(scope="module")
def space():
    return ComponentSpace(named_config("grid-6-8-4"), bits=(4, 8))


@pytest.fixture(scope="module")
def outcomes(space, predictor):
    return space.outcomes(predictor)


def test_every_combination_is_there_once(space):
    assert len(space) == 2**10
    assert len(np.unique(space.codes, axis=0)) == 2**10
    config = space.config_of(0)
    assert {config.bits(name).weights for name in config.components} == {4}
    assert space.total_bits.min() == 40
    assert space.total_bits.max() == 80


def test_outcomes_are_those_of_the_designs(space, outcomes, predictor):
    for number in np.random.default_rng(1).choice(len(space), 6, replace=False):
        said = predictor.predict(lower(initialize(space.config_of(number))))
        exact = ("latency", "interval", "ramb18", "dsps")
        assert [getattr(outcomes, n)[number] for n in exact] == [getattr(said, n) for n in exact]
        for name in ("luts", "lutram", "ffs"):
            assert getattr(outcomes, name)[number] == pytest.approx(
                getattr(said, name).value, rel=0.02
            )


class Counted:
    """A predictor of nothing, where no designs are measured: all else is exact."""

    @staticmethod
    def counts(q):
        return dict.fromkeys(("luts", "lutram", "ffs"), 0 * q["latency"])


def test_outcomes_of_short_multipliers():
    """On ports of 16 bits some operations are wide; some designs have columns of LUTs."""
    space = ComponentSpace(named_config("grid-6-8-4"), bits=(4, 8), part="ice40up5k")
    outcomes, seen = space.outcomes(Counted()), set()
    for number in np.random.default_rng(1).choice(len(space), 8, replace=False):
        said = lower(initialize(space.config_of(number)), part="ice40up5k")
        geometry = said.geometry
        found = (said.latency, said.interval, quantities(said)["ramb18"], geometry.dsps)
        assert found == tuple(
            getattr(outcomes, n)[number] for n in ("latency", "interval", "ramb18", "dsps")
        )
        seen |= {("soft", geometry.weights.soft > 0), ("wide", bool(geometry.wide))}
    assert len(seen) >= 3


@pytest.mark.parametrize(
    "pairs",
    [("1/8", "4p/8"), ("2/8", "4/5"), ("2/6", "8"), ("3/4", "6/8"), ("4p/8", "4/8"), ("8p", "8")],
)
def test_weights_and_activations_apart(pairs, predictor):
    bits = [Precision.parse(one) for one in pairs]
    space = ComponentSpace(named_config("tiny"), bits=bits)
    assert "GAP" not in space.components
    assert space.components[-1] == "Lpath"
    assert len(space) == 2**10
    chosen = [space.uniform(one) for one in bits]
    chosen += np.random.default_rng(2).choice(len(space), 5, replace=False).tolist()
    found = space.outcomes(predictor)
    for number in chosen:
        config = space.config_of(number)
        assert [config.bits(name) for name in space.components] == [
            space.bits[code] for code in space.codes[number]
        ]
        said = predictor.predict(lower(initialize(config)))
        exact = ("latency", "interval", "dsps")
        assert [getattr(found, n)[number] for n in exact] == [getattr(said, n) for n in exact]
        assert abs(found.ramb18[number] - said.ramb18) <= 1
        for name in ("luts", "lutram", "ffs"):
            assert getattr(found, name)[number] == pytest.approx(
                getattr(said, name).value, rel=0.02
            )


@pytest.mark.parametrize("block", ["mixer", "mlp"])
def test_a_space_of_models_without_attention(predictor, block):
    """No score is stored, nothing takes the weights' place."""
    space = ComponentSpace(named_config("tiny").replace(block=block), bits=(4, 8))
    over_tokens = ("MHA", "AddMHA", "BNMHA") if block == "mixer" else ()
    others = ("FFN", "AddFFN", "BNFFN", "Loutput", "Lpath")
    assert space.components == ("Linput", "AddPE", *over_tokens, *others)
    found = space.outcomes(predictor)
    for number in [0, *np.random.default_rng(4).choice(len(space), 5, replace=False)]:
        said = predictor.predict(lower(initialize(space.config_of(number))))
        for name in ("latency", "interval", "ramb18", "dsps"):
            assert getattr(found, name)[number] == getattr(said, name)
        # of so small a model the weights lie in LUTs, where bits that are equal share one
        for name, near in (("luts", 0.05), ("lutram", 0.02), ("ffs", 0.02)):
            assert getattr(found, name)[number] == pytest.approx(
                getattr(said, name).value, rel=near
            )


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "gelu", "pre_norm": True},
        {"heads": 1, "fused": True, "norm": "batch"},
        {"calendar": ("hour", "weekday")},
        {"task": "classify", "horizon": 5},
    ],
    ids=str,
)
def test_layers_of_other_kinds(changes, predictor):
    """In 2 bits GELU corrects nothing, and is a stage all the same."""
    bits = [Precision.parse(one) for one in ("2", "4/8")]
    space = ComponentSpace(named_config("tiny").replace(**changes), bits=bits)
    found = space.outcomes(predictor)
    chosen = [*map(space.uniform, bits)]
    chosen += np.random.default_rng(4).choice(len(space), 3, replace=False).tolist()
    for number in chosen:
        said = predictor.predict(lower(initialize(space.config_of(number))))
        for name in ("latency", "interval", "dsps"):
            assert getattr(found, name)[number] == getattr(said, name)
        for name in ("luts", "ffs"):
            predicted = getattr(said, name).value
            assert getattr(found, name)[number] == pytest.approx(predicted, rel=0.02)


STREAM = TransformerConfig(
    name="stream",
    causal=True,
    stream=True,
    position="relative",
    window=12,
    patch=3,
    horizon=6,
    d_model=8,
    heads=2,
    ffn=12,
    subtract_last=True,
    pooling="flatten",
)


@pytest.mark.parametrize(
    "changes", [{"linear_path": True}, {"pooling": "last", "norm": "batch"}], ids=str
)
def test_a_space_of_streams_is_of_their_steps(changes, predictor):
    space = ComponentSpace(STREAM.replace(**changes), bits=(4, 6))
    found = space.outcomes(predictor)
    assert found.possible.all()
    for number in np.random.default_rng(2).choice(len(space), 4, replace=False):
        design = lower(initialize(space.config_of(number)))
        said = predictor.predict(design)
        assert design.program.steps == 4
        exact = ("latency", "interval", "ramb18", "dsps")
        assert [getattr(found, n)[number] for n in exact] == [getattr(said, n) for n in exact]
        for name in ("luts", "lutram", "ffs"):
            assert getattr(found, name)[number] == pytest.approx(
                getattr(said, name).value, rel=0.02
            )
    # a window of as many tokens takes more
    window = ComponentSpace(
        STREAM.replace(**changes, stream=False, causal=False, position="sinusoidal"), bits=(4, 6)
    )
    assert (found.latency < window.outcomes(predictor).latency).all()


def test_phases_of_streams_take_more_memory_and_no_more_cycles(predictor):
    space = ComponentSpace(STREAM.replace(linear_path=True), bits=(4, 6))
    several = space.on(Engine(phases=5))
    found, one = several.outcomes(predictor), space.outcomes(predictor)
    assert np.array_equal(found.latency, one.latency)
    # what does not fit LUTs any more is in blocks
    assert (found.ramb18 >= one.ramb18).all()
    assert (found.ramb18 > one.ramb18).any()
    number = len(space) // 2
    said = predictor.predict(lower(initialize(space.config_of(number)), phases=5))
    for name in ("latency", "interval", "ramb18"):
        assert getattr(found, name)[number] == getattr(said, name)
    assert found.lutram[number] == pytest.approx(said.lutram.value, rel=0.02)
    # the space that it was asked of has one phase still
    assert np.array_equal(space.outcomes(predictor).lutram, one.lutram)


def test_phases_of_windows_are_refused():
    with pytest.raises(UserError, match=r"^phases must be 1 for a model of windows, not 3$"):
        ComponentSpace(named_config("tiny"), bits=(4, 6), engine=Engine(phases=3))


@pytest.mark.parametrize("name", ["tiny", "grid-6-8-4"])
@pytest.mark.parametrize("engine", [Engine(pack=False), Engine(lanes=6), Engine(lanes=10)])
def test_other_engines(engine, name, predictor):
    """Also where some combinations cannot be packed, whose columns are then as many as lanes."""
    space = ComponentSpace(named_config(name), bits=(4, 8)).on(engine)
    found = space.outcomes(predictor)
    chosen = [0, len(space) - 1, *np.random.default_rng(3).choice(len(space), 3, replace=False)]
    for number in chosen:
        said = predictor.predict(lower(initialize(space.config_of(number)), **engine.options))
        for name in ("latency", "interval", "dsps"):
            assert getattr(found, name)[number] == getattr(said, name)
        assert found.luts[number] == pytest.approx(said.luts.value, rel=0.02)


def test_bits_of_nothing_make_no_other_design():
    """Sums and norms have no weights, and the result's width is the model's."""
    bits = [Precision.parse(one) for one in ("2/8", "4", "4/8")]
    space = ComponentSpace(named_config("tiny"), bits=bits)
    weightless = ("AddPE", "AddMHA", "BNMHA", "AddFFN", "BNFFN")
    assert len(np.unique(space.same)) == 3**4 * 2 ** len(weightless) * 2  # Loutput: 2 or 4
    everywhere = space.uniform(bits[0])
    for component, other, alike in (
        ("AddPE", "4/8", True),
        ("AddPE", "4", False),
        ("Loutput", "4/8", False),
        ("Linput", "4/8", False),
        ("Lpath", "4/8", False),
    ):
        codes = space.codes[everywhere].copy()
        codes[space.components.index(component)] = space.bits.index(Precision.parse(other))
        number = int(np.flatnonzero((space.codes == codes).all(axis=1))[0])
        assert (space.same[number] == space.same[everywhere]) == alike
    config = space.config_of(int(np.flatnonzero(space.same == space.same[-1])[0]))
    assert config != space.config_of(len(space) - 1)
    ours, theirs = (lower(initialize(one)) for one in (config, space.config_of(len(space) - 1)))
    assert quantities(ours) == quantities(theirs)


def test_powers_of_two_are_other_models():
    """Where there are weights: in the same words of the same design."""
    bits = [Precision.parse(one) for one in ("4p/8", "4/8")]
    space = ComponentSpace(named_config("tiny"), bits=bits)
    with_weights = ("Linput", "MHA", "FFN", "Loutput", "Lpath")
    assert len(np.unique(space.same)) == 2 ** len(with_weights)
    for name in space.components:
        codes = space.codes[space.uniform(bits[0])].copy()
        codes[space.components.index(name)] = space.bits.index(bits[1])
        number = int(np.flatnonzero((space.codes == codes).all(axis=1))[0])
        alike = space.same[number] == space.same[space.uniform(bits[0])]
        assert alike == (name not in with_weights)
        assert space.config_of(number).bits(name) == bits[1]
    assert space.config_of(space.uniform(bits[0])).name == "tiny-" + ".".join(["4pa8"] * 10)


def test_all_schemes_in_one_space(predictor):
    """Of the bits of weights, components without any have no choice: else they were too many."""
    bits = [Precision.parse(one) for one in ("1/8", "2/8", "4p/8", "4/8")]
    space = ComponentSpace(named_config("tiny"), bits=bits)
    assert len(space) == len(np.unique(space.same)) == 4**5
    found = space.outcomes(predictor)
    for one in bits:
        config = space.config_of(space.uniform(one))
        assert {config.bits(name) for name in space.components} == {one}
    drawn = np.random.default_rng(5).choice(len(space), 2, replace=False).tolist()
    kinds = set()
    for number in [*map(space.uniform, bits), *drawn]:
        config = space.config_of(number)
        chosen = [config.bits(name) for name in ("Linput", "MHA", "FFN", "Loutput", "Lpath")]
        kinds.add(tuple(chosen))
        said = predictor.predict(lower(initialize(config)))
        exact = ("latency", "interval", "dsps")
        assert [getattr(found, n)[number] for n in exact] == [getattr(said, n) for n in exact]
        assert found.luts[number] == pytest.approx(said.luts.value, rel=0.02)
    assert len(kinds) == 6
    more = [*bits[1:], Precision.parse("4")]
    assert combinations_of(space.config, more) == 4**5 * 2**5
    four = [Precision.parse(one) for one in ("3", "4", "6", "8")]
    with pytest.raises(
        UserError, match="at most 300000 combinations to be enumerated, not 1048576"
    ):
        ComponentSpace(named_config("tiny"), bits=four)


def test_limits(outcomes):
    everything = within(outcomes, Limits())
    assert everything.all()
    latency = np.median(outcomes.latency) / 100
    fast = within(outcomes, Limits(latency_us=latency))
    assert 0 < fast.sum() < len(fast)
    assert (outcomes.latency[fast] <= latency * 100).all()
    joules = np.median(energy_of(vars(outcomes), Limits()))
    assert (
        energy_of(vars(outcomes), Limits())[within(outcomes, Limits(energy_j=joules))] <= joules
    ).all()
    assert not within(outcomes, Limits(dsps=17)).any() or (outcomes.dsps <= 17).any()
    with pytest.raises(UserError, match="limit of luts must not be negative"):
        Limits(luts=-1)


def test_predicted_loss(space):
    table = {name: {FOUR: 0.1, EIGHT: 0.0} for name in space.config.components}
    loss = predicted_loss(space, table)
    assert loss[0] == pytest.approx(1.0)
    assert loss[-1] == 0
    with pytest.raises(UserError, match="sensitivity of GAP must be given for bits"):
        predicted_loss(space, {**table, "GAP": {EIGHT: 0.0}})


def test_pareto():
    costs = np.array([[3, 1], [1, 3], [2, 2], [3, 3], [2, 2], [1, 4]])
    assert pareto(costs).tolist() == [1, 2, 0]
    points = np.random.default_rng(0).integers(0, 8, (200, 3))
    kept = points[pareto(points)]
    for one in points:
        assert (kept <= one).all(axis=1).any()
    for n, one in enumerate(kept):
        rest = np.delete(kept, n, axis=0)
        assert not (rest <= one).all(axis=1).any()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"bits": (4, 16)}, "bits of a space must be 2 to 8"),
        ({"bits": (2, 3, 4, 6, 8)}, "at most 300000 combinations"),
        ({"part": "xc7s1"}, "part must be one of"),
    ],
)
def test_mistakes(wanted, message):
    with pytest.raises(UserError, match=message):
        ComponentSpace(named_config("grid-6-8-4"), **wanted)


@pytest.mark.slow
def test_the_published_space_in_seconds(predictor):
    """CPU time, so that a busy machine fails nothing."""
    import time

    started = time.process_time()
    space = ComponentSpace(named_config("grid-12-32-4"))
    assert len(space) == 59049
    space.outcomes(predictor)
    assert time.process_time() - started < 20
