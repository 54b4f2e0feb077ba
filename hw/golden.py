"""Golden vectors: windows with the results that the integer reference gives for them."""

import numpy as np

from bitformer.model import ir, reference

__all__ = ["golden_vectors"]


def golden_vectors(
    model: ir.IntegerModel, count: int, *, seed: int = 0
) -> list[tuple[list[int], list[int]]]:
    """Return ``count`` pairs of a window's words, step by step, and its results, as they are sent.

    Windows are random over the whole input range: every bit of every sample is at work.
    """
    x = model.random_windows(np.random.default_rng(seed), count)
    y = reference.run(model, x)[model.output.name]
    return [
        (window.ravel().tolist(), result.ravel().tolist())
        for window, result in zip(model.words(x), model.words(y), strict=True)
    ]
