"""Random configurations, models and designs: the one home of what is drawn, every field of it."""

import itertools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import HealthCheck, Phase, reject, settings
from hypothesis import strategies as st
from model_changes import renamed, varied

from bitformer.hw.lowering.asked_places import results_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.memory import PLACEMENTS
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.gelu import GELU_BITS
from bitformer.model.initialize import initialize
from bitformer.model.precision import (
    ACTIVATION_BITS,
    COMPONENTS,
    DECODER_COMPONENTS,
    FLOAT_BITS,
    PATH_COMPONENTS,
    SCHEMES,
    TOKEN_COMPONENTS,
    UNIFORM,
    WEIGHT_BITS,
    Precision,
    has_powers,
)
from bitformer.model.shape import BLOCKS
from bitformer.model.structure import graph, tensor_components, weight_components

__all__ = [
    "DRAWN",
    "RandomModel",
    "configs",
    "designs",
    "models",
    "row_designs",
    "several",
    "short_designs",
    "split",
    "streams",
]

SEEDS = st.integers(0, 100)
#: Tasks of models.
DRAWN = ("forecast", "forecast", "classify", "detect")
#: Classes, from the fewest to the most.
CLASSES = (2, 2, 3, 4, 5, 9, 40, 256)
CALENDARS = [(), (), ("hour",), ("weekday",), ("hour", "weekday")]
#: What ``lower`` may say of a random model: widths of numbers that no part has.
_REFUSALS = (
    "must fit 48 bits",
    "must stay within 48 bits",
    "must fit 18 bits",
    "must have an even number of features to be flat",
    "rows must ",
)


def _widths(choices, floats):
    return [bits for bits in choices if floats or bits != FLOAT_BITS]


@st.composite
def precisions(draw, *, floats=False):
    weights = draw(st.sampled_from(_widths(WEIGHT_BITS, floats)))
    return Precision(
        weights=weights,
        activations=draw(st.sampled_from(_widths(ACTIVATION_BITS, floats))),
        scheme=draw(st.sampled_from(SCHEMES)) if has_powers(weights) else UNIFORM,
    )


@st.composite
def configs(draw, *, floats=False, tasks=DRAWN):
    """Small ones of every kind and task; ``floats``: what is kept in float32 too."""
    task = draw(st.sampled_from(tasks))
    classifies, forecasts = task == "classify", task == "forecast"
    heads, patch = draw(st.sampled_from([1, 1, 2, 4])), draw(st.sampled_from([1, 1, 2, 3]))
    inputs, decoder = draw(st.sampled_from([1, 1, 3, 7])), draw(st.sampled_from([0, 0, 1, 2]))
    decoder = decoder if forecasts else 0
    rows = draw(st.integers(1, 4))
    results = st.sampled_from(CLASSES) if classifies else st.integers(1, 5)
    path = not decoder and draw(st.booleans())
    block = "attention" if decoder else draw(st.sampled_from(["attention", *BLOCKS]))
    left_out = TOKEN_COMPONENTS if block == "mlp" else ()
    names = tuple(name for name in COMPONENTS if name not in left_out)
    names += DECODER_COMPONENTS if decoder else ()
    names += PATH_COMPONENTS if path else ()
    targets = 1 if classifies else draw(st.sampled_from([1, 1, 2, 3]))
    channels = st.tuples(*[st.integers(0, inputs - 1)] * targets)
    fused = heads == 1 and block == "attention" and draw(st.booleans())
    kinds, pre_norm = precisions(floats=floats), draw(st.booleans())
    subtract = draw(st.booleans())
    alone = inputs == targets == 1 and not subtract and task != "detect"
    config = TransformerConfig(
        name=draw(st.sampled_from(["random", "other"])),
        window=patch * (rows + draw(st.integers(0, 2))),
        inputs=inputs,
        horizon=patch * rows if decoder else draw(results),
        patch=patch,
        d_model=heads * draw(st.sampled_from([1, 2, 2, 3, 4])),
        layers=draw(st.sampled_from([1, 1, 2])),
        decoder_layers=decoder,
        linear_path=path,
        block=block,
        mixing=draw(st.sampled_from([0, 2, 3, 4, 6, 8])) if block == "mixer" else 0,
        heads=heads,
        fused=fused,
        ffn=draw(st.integers(1, 9)),
        norm=draw(st.sampled_from(["layer", "batch"])),
        pre_norm=pre_norm,
        final_norm=pre_norm and not decoder and draw(st.booleans()),
        norm_eps=draw(st.sampled_from([1e-5, 1e-3])),
        patch_stride=0 if decoder else draw(st.sampled_from([0, 0, 0, 1, patch + 1])),
        pooling="flatten" if decoder else draw(st.sampled_from(["mean", "flatten", "last"])),
        position=draw(st.sampled_from(["sinusoidal", "learned"])),
        subtract_last=subtract,
        window_scaling=draw(st.sampled_from([0.0, 0.0, 1e-3])) if alone else 0.0,
        target_channel=draw(st.integers(0, inputs - 1)),
        targets=targets,
        target_channels=draw(channels) if targets > 1 else (),
        input_bits=draw(st.sampled_from([4, 8, 10, 12, 16])),
        output_bits=draw(st.sampled_from([4, 8, 12, 16])),
        default=draw(kinds),
        precision=draw(st.dictionaries(st.sampled_from(names), kinds, max_size=4)),
        weight_scales=draw(st.sampled_from(["channel", "tensor"])),
        asymmetric=draw(st.booleans()),
        task=task,
    )
    tensors = [t for t in tensor_components(config) if t not in ("input", "output")]
    tensors = [t for t in tensors if not t.endswith(".scores")]
    weights = [layer + ".weight" for layer in weight_components(config)]
    bits = st.sampled_from(_widths(ACTIVATION_BITS, floats))
    single = draw(st.dictionaries(st.sampled_from(tensors), bits, max_size=2))
    bits = st.sampled_from(_widths(WEIGHT_BITS, floats))
    other = draw(st.dictionaries(st.sampled_from(weights), bits, max_size=2))
    as_words = 8 <= config.input_bits == config.output_bits and draw(st.booleans())
    as_words = as_words and forecasts
    timed = config.input_bits >= 6 and not classifies
    times = draw(st.sampled_from(CALENDARS)) if timed else ()
    config = config.replace(tensors={**single, **other}, adc_words=as_words, calendar=times)
    if draw(st.booleans()):
        return config
    hidden = [layer.y for layer in graph(config) if layer.nonlinearity]
    wide = [name for name in hidden if config.tensor_bits(name) == 16]
    narrowed = {name: draw(st.integers(*GELU_BITS)) for name in wide}
    return config.replace(activation="gelu", tensors={**config.tensors, **narrowed})


@st.composite
def streams(draw):
    """Small configurations of streams, of every kind that there is."""
    heads, patch = draw(st.sampled_from([1, 1, 2, 4])), draw(st.sampled_from([1, 1, 2, 3]))
    inputs, targets = draw(st.sampled_from([1, 1, 3])), draw(st.sampled_from([1, 1, 2, 3]))
    path, kinds = draw(st.booleans()), precisions()
    channels = st.tuples(*[st.integers(0, inputs - 1)] * targets)
    words = draw(st.sampled_from([(4, 8), (8, 8), (12, 12), (16, 16), (10, 16)]))
    config = TransformerConfig(
        name="random",
        causal=True,
        stream=True,
        position="relative",
        window=patch * draw(st.integers(1, 5)),
        inputs=inputs,
        horizon=draw(st.integers(1, 5)),
        patch=patch,
        d_model=heads * draw(st.sampled_from([1, 2, 3, 4])),
        layers=draw(st.sampled_from([1, 1, 2, 3])),
        heads=heads,
        fused=heads == 1 and draw(st.booleans()),
        ffn=draw(st.integers(1, 9)),
        norm=draw(st.sampled_from(["layer", "batch"])),
        pre_norm=draw(st.booleans()),
        pooling=draw(st.sampled_from(["mean", "flatten", "flatten", "last"])),
        subtract_last=draw(st.booleans()),
        target_channel=draw(st.integers(0, inputs - 1)),
        targets=targets,
        target_channels=draw(channels) if targets > 1 else (),
        linear_path=path,
        activation=draw(st.sampled_from(["relu", "relu", "gelu"])),
        input_bits=words[0],
        output_bits=words[1],
        adc_words=8 <= words[0] == words[1] and draw(st.booleans()),
        weight_scales=draw(st.sampled_from(["channel", "tensor"])),
    )
    names = st.sampled_from([n for n in config.components if n != "FFN"])
    default = draw(kinds)
    if config.activation == "gelu":
        narrow = st.builds(replace, kinds, activations=st.integers(*GELU_BITS))
        default = draw(narrow)
    others = draw(st.dictionaries(names, kinds, max_size=4))
    return config.replace(default=default, precision=others)


@dataclass(frozen=True, kw_only=True)
class RandomModel:
    """A model as it is drawn: short enough to be shown when a test fails."""

    config: TransformerConfig
    seed: int

    def make(self):
        """As ``initialize`` makes it, or with every number and name changed."""
        # what Hypothesis draws repeats itself: the shape is part of the seed
        seed = zlib.crc32(repr(self).encode())
        rng = np.random.default_rng(seed)
        try:
            model = initialize(self.config, seed=seed, samples=8)
        except UserError:
            reject()  # a channel that is always 0, in so small a model, has no scale
        if rng.random() < 0.3:
            return model
        return renamed(varied(model, rng), str(rng.choice(["", "_2"])))


@dataclass(frozen=True, kw_only=True)
class RandomDesign:
    """A design as it is drawn; ``options`` are those of ``lower``."""

    model: RandomModel
    options: Mapping[str, object]

    def make(self):
        """The design; of numbers too wide for any part there is none."""
        return made(self.model.make(), self.options)


def made(model, options):
    """The design of a model, rejected where ``lower`` refuses what no part has."""
    try:
        return lower(model, **options)
    except UserError as error:
        if not any(refusal in str(error) for refusal in _REFUSALS):
            raise
        reject()


def models(tasks=DRAWN):
    """Random models of ``tasks``, each to be made by ``make()``."""
    return st.builds(RandomModel, config=configs(tasks=tasks), seed=SEEDS)


_PLACEMENTS = st.dictionaries(
    st.sampled_from(["weights", "activations", "input", "program"]),
    st.sampled_from(PLACEMENTS),
    max_size=2,
)


def designs(tasks=DRAWN, **fixed):
    """Random designs of ``tasks``, each to be made by ``make()``.

    ``fixed`` : options of ``lower`` that are not drawn.
    """
    options = {
        "lanes": st.sampled_from([None, 1, 2, 3, 4, 5, 6, 8, 16, 32]),
        "pack": st.booleans(),
        "immediate": st.sampled_from([True, True, False]),
        "placement": _PLACEMENTS,
        "effort": st.sampled_from([0, 0, 12]),
        **{name: st.just(value) for name, value in fixed.items()},
    }
    return st.builds(RandomDesign, model=models(tasks), options=st.fixed_dictionaries(options))


@st.composite
def short_designs(draw, tasks=DRAWN, **fixed):
    """Random designs of short numbers and even rows: most of their products go in pairs."""
    config = draw(configs(tasks=tasks))
    weights = draw(st.sampled_from([1, 2, 3, 4]))
    activations = draw(st.sampled_from([2, 3, 4, 6, 8]))
    ends = st.sampled_from([6, 8])
    config = config.replace(
        default=Precision(weights=weights, activations=activations),
        precision={},
        tensors={},
        input_bits=draw(ends),
        output_bits=draw(ends),
        d_model=config.heads * draw(st.sampled_from([2, 4, 6])),
        ffn=2 * draw(st.integers(1, 12)),
        mixing=config.mixing // 2 * 2,
        adc_words=False,
    )
    lanes = st.sampled_from([None, None, 4, 12, 14, 16, 18, 20])
    options = {"lanes": draw(lanes), "immediate": draw(st.booleans()), **fixed}
    return RandomDesign(model=RandomModel(config=config, seed=draw(SEEDS)), options=options)


@st.composite
def row_designs(draw, tasks=DRAWN, **fixed):
    """Random designs of several token rows, and of models that allow them."""
    config = draw(configs(tasks=tasks))
    kind = draw(st.sampled_from(["attention", "attention", "attention", "mlp"]))
    if config.decoder_layers or config.fused:
        kind = "attention"
    rows = draw(st.sampled_from([2, 2, 4]))
    try:
        config = config.replace(patch_stride=0, block=kind, mixing=0)
    except UserError:
        reject()  # it names a component that this block has not
    options = {
        "rows": rows,
        "posts": draw(st.sampled_from([n for n in (1, 2, 4) if n <= rows])),
        "lanes": 2 * rows * draw(st.sampled_from([2, rows, rows, 2 * rows])),
        "soft": draw(st.sampled_from([None, None, 1, 2, 3])),
        "immediate": draw(st.booleans()),
        "placement": draw(_PLACEMENTS),
        "effort": draw(st.sampled_from([0, 0, 12])),
        **fixed,
    }
    return RandomDesign(model=RandomModel(config=config, seed=draw(SEEDS)), options=options)


@dataclass(frozen=True, kw_only=True)
class SplitDesign:
    """A random design whose results lie where ``places`` says, of each the next, in turns."""

    design: RandomDesign
    places: tuple[str, ...]

    def asked(self, model):
        """Where each result of the model is to lie."""
        return dict(zip(results_of(model), itertools.cycle(self.places), strict=False))

    def make(self):
        model = self.design.model.make()
        placement = {**self.design.options["placement"], **self.asked(model)}
        return made(model, {**self.design.options, "placement": placement})


def split(drawn):
    """Random designs whose results are placed one by one."""
    places = st.lists(st.sampled_from(PLACEMENTS), min_size=1, max_size=7).map(tuple)
    return st.builds(SplitDesign, design=drawn, places=places)


def several(count):
    # a failure is shown as it was found: shrinking would lower or simulate hundreds of models
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
