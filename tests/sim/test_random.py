"""Random models, engines and pressures: bit-exact, and in the predicted cycles."""

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import COMPONENTS, DECODER_COMPONENTS, Precision

PRECISIONS = st.builds(
    Precision,
    weights=st.sampled_from([1, 2, 3, 4, 6, 8, 16]),
    activations=st.sampled_from([2, 3, 4, 5, 6, 7, 8, 16]),
)


@st.composite
def configs(draw, decoder=False):
    heads = draw(st.sampled_from([1, 2, 4]))
    patch = draw(st.sampled_from([1, 1, 2, 3]))
    inputs = draw(st.sampled_from([1, 1, 3, 7]))
    norm = draw(st.sampled_from(["layer", "batch"]))
    tokens = draw(st.integers(1, 5))
    decoded = patch * draw(st.integers(1, tokens))
    components = COMPONENTS + (DECODER_COMPONENTS if decoder else ())
    precision = draw(st.dictionaries(st.sampled_from(components), PRECISIONS, max_size=3))
    return TransformerConfig(
        name="random",
        window=patch * tokens,
        inputs=inputs,
        horizon=decoded if decoder else draw(st.integers(1, 5)),
        decoder_layers=draw(st.sampled_from([1, 1, 2])) if decoder else 0,
        patch=patch,
        d_model=heads * draw(st.integers(1, 3)),
        layers=draw(st.sampled_from([1, 1, 2])),
        heads=heads,
        ffn=draw(st.integers(1, 9)),
        norm=norm,
        pooling="flatten" if decoder else draw(st.sampled_from(["mean", "flatten"])),
        subtract_last=draw(st.booleans()),
        target_channel=draw(st.integers(0, inputs - 1)),
        input_bits=draw(st.sampled_from([4, 8, 10, 12, 16])),
        output_bits=draw(st.sampled_from([4, 8, 12, 16])),
        default=draw(PRECISIONS),
        precision=precision,
    )


def several(count):
    # a failure is shown as it was found: shrinking would simulate for hours
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


CASES = {
    "seed": st.integers(0, 100),
    "lanes": st.sampled_from([None, 1, 2, 3, 4, 5, 6, 8, 16, 32]),
    "pack": st.booleans(),
    "back_pressure": st.sampled_from([0.0, 0.0, 0.3, 0.7]),
    "kind": st.sampled_from(["random", "random", "lowest", "highest", "alternating"]),
}


def check(run, inputs_of, *, config, seed, lanes, pack, back_pressure, kind):
    try:
        model = initialize(config, seed=seed, samples=16)
    except UserError:
        # a channel that is always 0, in so small a model, has no scale
        reject()
    x = inputs_of(model, kind, seed=seed)
    run(model, x, lanes=lanes, pack=pack, back_pressure=back_pressure, seed=seed)


@several(5)
@given(config=configs(), **CASES)
def test_any_model_is_exact(run, inputs_of, **case):
    check(run, inputs_of, **case)


@several(4)
@given(config=configs(decoder=True), **CASES)
def test_any_decoder_is_exact(run, inputs_of, **case):
    check(run, inputs_of, **case)


@pytest.mark.slow
@several(150)
@given(config=configs(), **CASES)
def test_many_models_are_exact(run, inputs_of, **case):
    check(run, inputs_of, **case)


@pytest.mark.slow
@several(150)
@given(config=configs(decoder=True), **CASES)
def test_many_decoders_are_exact(run, inputs_of, **case):
    check(run, inputs_of, **case)
