"""Random models and designs, for properties that hold for every one."""

from hypothesis import HealthCheck, Phase, reject, settings
from hypothesis import strategies as st

from bitformer.hw.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision

__all__ = ["designs", "models", "several"]

PRECISIONS = st.builds(
    Precision,
    weights=st.sampled_from([1, 2, 3, 4, 6, 8, 16]),
    activations=st.sampled_from([2, 3, 4, 6, 8, 16]),
)


@st.composite
def models(draw):
    heads = draw(st.sampled_from([1, 2, 4]))
    patch = draw(st.sampled_from([1, 2, 3]))
    inputs = draw(st.sampled_from([1, 3]))
    tokens = draw(st.integers(1, 7))
    decoder_layers = draw(st.sampled_from([0, 0, 1, 2]))
    decoded = patch * draw(st.integers(1, tokens))
    config = TransformerConfig(
        name="random",
        window=patch * tokens,
        inputs=inputs,
        horizon=decoded if decoder_layers else draw(st.integers(1, 5)),
        decoder_layers=decoder_layers,
        patch=patch,
        d_model=heads * draw(st.integers(1, 4)) * draw(st.sampled_from([1, 2])),
        layers=draw(st.integers(1, 2)),
        heads=heads,
        ffn=draw(st.integers(1, 12)),
        norm=draw(st.sampled_from(["layer", "batch"])),
        pooling="flatten" if decoder_layers else draw(st.sampled_from(["mean", "flatten"])),
        subtract_last=draw(st.booleans()),
        target_channel=draw(st.integers(0, inputs - 1)),
        default=draw(PRECISIONS),
        precision={name: draw(PRECISIONS) for name in ("MHA", "FFN", "Loutput")},
    )
    try:
        return initialize(config, seed=draw(st.integers(0, 3)), samples=8)
    except UserError:
        # a channel that is always 0, in so small a model, has no scale
        reject()


@st.composite
def designs(draw):
    return lower(
        draw(models()),
        lanes=draw(st.sampled_from([None, 1, 2, 3, 4, 6, 8, 32])),
        pack=draw(st.booleans()),
    )


def several(count):
    # a failure is shown as it was found: shrinking would lower hundreds of models
    phases = [Phase.explicit, Phase.generate]
    return settings(
        phases=phases,
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
