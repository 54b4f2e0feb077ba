"""Models of usual and extreme scales, samples that test them, and what Python makes of both."""

import sys
from dataclasses import replace

import numpy as np
from firmware_harness import NAMES, trained

from bitformer.model.forecasts.scaling import scaling_of

MODELS = {
    "usual": trained(),
    "words": trained(bits=(16, 16), words=True, exponents=(-13, -12)),
    "few words": trained(bits=(8, 8), words=True, exponents=(-5, -5)),
    "narrow": trained(bits=(4, 4), exponents=(0, 3), zero=-5),
    "wide": trained(bits=(16, 16), exponents=(-12, -40), zero=77),
    "fine": trained(bits=(12, 16), exponents=(-40, -9), target=(-0.1, 1e-9)),
    "coarse": trained(bits=(8, 8), exponents=(40, 40), target=(1e300, 1e290)),
    "absurd": trained(mean=[0.1, 1e300, -1e-300, 7.0], std=[5e-324, 1e-300, 1e-310, 1e308]),
}

#: A classifier that knows scales, and names of classes that would end a string of C.
CLASSIFIER = trained(task="classify", horizon=len(NAMES), linear_path=False)
CLASSIFIER = replace(CLASSIFIER, meta={**CLASSIFIER.meta, "classes": NAMES})
DETECTOR = trained(task="detect", horizon=1, linear_path=False)


def python_words(model, channel, samples):
    """What `quantize_input` makes of samples of a channel."""
    scaling = scaling_of(model)
    rows = np.zeros((len(samples), 4))
    rows[:, channel] = samples
    return model.words(model.quantize_input(scaling.standardised(rows)))[:, channel]


def python_units(model, words):
    return scaling_of(model).in_units(model.dequantize_output(model.numbers(words)))


def result_words(model):
    """All words of a result."""
    return model.words(np.arange(model.output.low, model.output.high + 1))


def samples_of(model, channel, rng, count=4000):
    """Random samples, those that stand half-way between words, their neighbours, and extremes."""
    scaling, spec = scaling_of(model), model.input
    mean, std = float(scaling.mean[channel]), float(scaling.std[channel])
    steps = rng.integers(spec.low - 3, spec.high + 4, count)
    with np.errstate(over="ignore"):
        near = mean + std * 2.0**spec.exponent * (steps + 0.5)
        spread = mean + std * 2.0**spec.exponent * rng.normal(0, spec.high, count)
    bits = rng.integers(0, 1 << 64, count, dtype=np.uint64).view(np.float64)
    largest = sys.float_info.max
    extremes = [0.0, -0.0, 5e-324, largest, -largest, mean, mean + std, 1e308, -1e308]
    found = [near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), spread, bits, extremes]
    found = np.concatenate(found)
    return found[np.isfinite(found)]
