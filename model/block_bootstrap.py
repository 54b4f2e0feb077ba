"""Intervals of a ratio of mean errors, from errors of the same windows in pairs.

Windows overlap, and neighbours are alike: their errors are no independent numbers. So blocks of
windows in a row are drawn, with replacement and around the end (circular blocks, Politis and Romano
1992), both models' errors of a window always together. A block is twice as long as windows' targets
overlap, or as the correlation of the errors asks for (Politis and White 2004; Patton, Politis and
White 2009), whichever is more: theirs is the length of the least mean error of a variance, whose
intervals are somewhat narrow. Percentiles of few blocks are narrow, too: their distance from the
ratio is widened by Student's t, with as many degrees of freedom as there are blocks, less one
(Hesterberg 2015).
"""

import math

import numpy as np

from bitformer.model.data.windows import Windows

__all__ = ["block_length", "ratio_interval"]

#: Samples that are drawn. Their seed is fixed: equal errors have equal intervals.
SAMPLES, SEED = 2000, 0
#: Fewest blocks, and most: longer ones than are needed do no harm where there are many.
_FEWEST, _MOST = 4, 1000
#: Student's t at 97.5 % by degrees of freedom, as a multiple of the normal distribution's; beyond,
#: 1 + 1.2 / degrees is as good.
_STUDENT = {3: 1.624, 4: 1.417, 5: 1.312, 6: 1.248, 7: 1.206, 8: 1.177, 9: 1.154, 10: 1.137}


def overlapping(windows: Windows) -> int:
    """Return how many windows in a row have targets that overlap, on average."""
    # what all windows' targets cover, in rows: few windows may lie far apart
    steps = np.minimum(np.abs(np.diff(windows.first)), windows.horizon)
    rows = windows.horizon + int(steps.sum())
    return -(-len(windows) * windows.horizon // rows)


def correlated(series: np.ndarray) -> int:
    """Return the length of blocks that the correlation of ``series`` [N] asks for."""
    count = len(series)
    centered = series - series.mean()
    power = float(centered @ centered)
    if count < 2 * _FEWEST or not power > 0:
        return 1
    run = max(5, math.ceil(math.sqrt(math.log10(count))))
    most = min(math.ceil(math.sqrt(count)) + run, count - 1)
    size = 1 << (count + most).bit_length()
    spectrum = np.abs(np.fft.rfft(centered, size)) ** 2
    covariance = np.fft.irfft(spectrum, size)[: most + 1] / count
    small = np.abs(covariance[1:] / covariance[0]) < 2 * math.sqrt(math.log10(count) / count)
    lags = np.arange(1, most + 1)
    quiet = [lag for lag in lags if small[lag - 1 : lag - 1 + run].all()]
    reach = min(2 * max(1, int(quiet[0]) - 1 if quiet else most), most)
    flat = np.clip(2 * (1 - lags[:reach] / reach), 0, 1)  # a flat-top window
    weighted = flat * covariance[1 : reach + 1]
    spread = covariance[0] + 2 * float(weighted.sum())
    slope = 2 * float((lags[:reach] * weighted).sum())
    if not spread > 0:
        return 1
    return math.ceil((1.5 * (slope / spread) ** 2 * count) ** (1 / 3))


def block_length(windows: Windows, series: np.ndarray) -> int:
    """Return how many windows in a row make a block, for numbers ``series`` [N] of them."""
    count = len(windows)
    length = max(2 * overlapping(windows), 2 * correlated(series), count // _MOST)
    return min(length, count // _FEWEST)


def ratio_interval(
    ours: np.ndarray, theirs: np.ndarray, windows: Windows
) -> tuple[float, float] | None:
    """Return the 95 % interval of mean(ours) / mean(theirs), errors [N] of the windows.

    None for fewer windows than make blocks, or where ``theirs`` are 0 all over.
    """
    count = len(windows)
    if count < _FEWEST or not theirs.mean() > 0:
        return None
    ratio = float(ours.mean() / theirs.mean())
    length = block_length(windows, ours - ratio * theirs)
    blocks = -(-count // length)
    starts = np.random.default_rng(SEED).integers(count, size=(SAMPLES, blocks))
    ends = starts + length
    ends[:, -1] -= blocks * length - count  # the last is cut: as many windows as there are
    sums = []
    for errors in (ours, theirs):
        # scaled, as sums of what is huge have no digits left for what is not
        around = np.concatenate([[0.0], np.cumsum(np.concatenate([errors, errors[:length]]))])
        sums.append((around[ends] - around[starts]).sum(axis=1))
    # a sample without an error of theirs, of classes that are told, has the least that there is
    least = float(theirs[theirs > 0].min())
    drawn = sums[0] / np.where(sums[1] > 0, sums[1], least)
    low, high = np.percentile(drawn, (2.5, 97.5)) - ratio
    wider = _STUDENT.get(blocks - 1, 1 + 1.2 / (blocks - 1)) * math.sqrt(blocks / (blocks - 1))
    return ratio + wider * float(low), ratio + wider * float(high)
