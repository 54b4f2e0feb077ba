"""A picture of the noise of each tensor, and of what each does to the forecast."""

import math

from bitformer.model.noise import Noise
from bitformer.model.picture import picture

__all__ = ["plot_noise"]

#: Without noise a bar ends here, in dB.
_MOST = 110.0


def plot_noise(noise: Noise, path, *, title: str) -> None:
    """Write two rows of bars to ``path``, whose suffix chooses the format.

    On the left the signal-to-noise ratio of each tensor, rounded alone and with all others; on the
    right its share of what rounding changes in the forecast, the largest in another colour. Raises
    :class:`UserError` without matplotlib, or for a format or a file it cannot write.
    """
    names = [f"{one.name}  {one.bits}" for one in noise.tensors]
    places, worst, shares = range(len(names)), noise.worst, noise.shares
    size = (10, 1.4 + 0.26 * len(names))
    with picture(path, figsize=size, ncols=2, sharey=True) as (figure, (ratios, effects)):
        own = [_bounded(one.own) for one in noise.tensors]
        ratios.barh(places, own, color="0.85", label="it alone rounded")
        ratios.barh(
            places,
            [_bounded(one.total) for one in noise.tensors],
            height=0.4,
            color="C0",
            label="all rounded",
        )
        if any(one.trained is not None for one in noise.tensors):
            drift = [math.nan if one.trained is None else one.trained for one in noise.tensors]
            label = "all rounded, against the model trained in floats"
            ratios.plot(drift, places, "|", color="black", label=label)
        ratios.set_yticks(places, names, fontsize=8)
        ratios.invert_yaxis()
        ratios.set_xlabel("signal to quantization noise, dB")
        colours = ["C3" if one is worst else "C1" for one in noise.tensors]
        effects.barh(places, [100 * shares[one.name] for one in noise.tensors], color=colours)
        effects.set_xlabel("share of the change of the forecast, %")
        effects.set_title(f"{worst.name} costs most", fontsize=9, color="C3")
        figure.suptitle(title, fontsize=10)
        figure.legend(fontsize=8, loc="outside lower left", ncols=3)


def _bounded(ratio: float) -> float:
    return min(max(ratio, 0.0), _MOST)
