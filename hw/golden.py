"""Golden vectors: windows with the results that the integer reference gives for them."""

import numpy as np

from bitformer.model import ir, reference
from bitformer.model.calendar import with_clock
from bitformer.model.operations.judge import Judge
from bitformer.model.stream import StepModel, StreamSteps

__all__ = ["golden_vectors"]


def golden_vectors(
    model: ir.IntegerModel, count: int, *, seed: int = 0
) -> list[tuple[list[int], list[int]]]:
    """Return ``count`` pairs of a window's words, step by step, and its results, as they are sent.

    Of a stream, windows are patches, one behind another from its beginning, of its phases in turn.

    Windows are random over the whole input range: every bit of every sample is at work. Of a
    detector, the first half of them judges what the network forecasts, and the others what is as
    far from that as can be: its flag is down, and then up, wherever so few windows raise it.
    """
    if model.config.stream and not isinstance(model, StepModel):
        model = StepModel.of(model)
    x = model.random_windows(np.random.default_rng(seed), count)
    if model.detector is not None and count > 1:
        x = _quiet_then_loud(model, model.detector, x)
    if isinstance(model, StepModel):
        steps = StreamSteps(model.source, x, phases=model.phases)
        y = steps.values(x)[model.output.name]
    else:
        y = reference.run(model, x)[model.output.name]
    return [
        (window.ravel().tolist(), result.ravel().tolist())
        for window, result in zip(model.words(x), model.words(y), strict=True)
    ]


def _quiet_then_loud(model: ir.IntegerModel, judge: Judge, x: np.ndarray) -> np.ndarray:
    """Return a detector's windows with other numbers to be judged."""
    spec, result, config = model.input, model.tensors[judge.x], model.config
    forecast = reference.run(model, x)[judge.x].reshape(len(x), -1) - result.zero
    near = np.rint(np.ldexp(forecast.astype(float), result.exponent - spec.exponent))
    middle = (spec.low + spec.high) / 2
    far = np.where(near.mean(axis=0) > middle, spec.low, spec.high)  # of one sign in all
    quiet = np.arange(len(x))[:, None] < (len(x) + 1) // 2
    judged = np.where(quiet, np.clip(near, spec.low, spec.high), far).astype(np.int64)
    return with_clock(x[:, : config.window + config.clock_rows], judged)
