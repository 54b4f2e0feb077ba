"""Integer arithmetic of the number contract, shared by the reference, training and hardware.

Reals become integers in :func:`round_half_up`; every other function takes integers (numpy int64
arrays or Python ints) and returns integers. All round half up: ``floor(x + 0.5)``. The tables are
plain lists; the hardware has them as ROMs.
"""

import math

import numpy as np

from bitformer.model.errors import UserError

__all__ = [
    "EXP_TABLE",
    "MULTIPLIER_BITS",
    "RECIPROCAL_TABLE",
    "RSQRT_TABLE",
    "SCORE_BITS",
    "SCORE_FRACTION_BITS",
    "deviation",
    "exp2_weights",
    "norm_width",
    "normalized_bound",
    "reciprocal",
    "reciprocal_headroom",
    "requantize",
    "round_half_up",
    "round_shift",
    "row_statistics",
    "rsqrt",
    "scaled",
    "standardised",
]

#: Softmax logits are integers in units of ``2**-SCORE_FRACTION_BITS`` octaves.
SCORE_FRACTION_BITS = 3
#: Width of a stored softmax logit, signed.
SCORE_BITS = 8
#: Width of a requantizer's multiplier, signed: a short port of common DSP blocks.
MULTIPLIER_BITS = 18

#: Up to here a float64 holds every integer.
_EXACT = 1 << 53
_LARGEST_WEIGHT = 255
#: ``EXP_TABLE[i] = round(255 * 2**(-i / 8))``.
EXP_TABLE = [
    math.floor(_LARGEST_WEIGHT * 2 ** (-i / (1 << SCORE_FRACTION_BITS)) + 0.5)
    for i in range(1 << SCORE_FRACTION_BITS)
]
#: ``RECIPROCAL_TABLE[i] = round(2**17 / (256 + i + 0.5))``, 9 bits.
RECIPROCAL_TABLE = [math.floor(2**17 / (256 + i + 0.5) + 0.5) for i in range(256)]
#: ``RSQRT_TABLE[i] = round(2**12 / sqrt(64 + i + 0.5))``, 9 bits.
RSQRT_TABLE = [math.floor(2**12 / math.sqrt(64 + i + 0.5) + 0.5) for i in range(192)]

_EXP = np.array(EXP_TABLE, dtype=np.int64)
_RECIPROCAL = np.array(RECIPROCAL_TABLE, dtype=np.int64)
_RSQRT = np.array(RSQRT_TABLE, dtype=np.int64)


def round_half_up(x, exponent=0, low: int = -_EXACT, high: int = _EXACT) -> np.ndarray:
    """Return ``floor(x / 2**exponent + 0.5)`` of reals, as int64 within ``low``..``high``.

    Numbers beyond are clipped as floats: as integers they would wrap. ``low`` and ``high`` are
    within 2**53; ``exponent`` is an integer, or an array that broadcasts. Raises
    :class:`UserError` for NaN.
    """
    with np.errstate(over="ignore"):  # to an infinity, which is clipped
        steps = np.floor(np.ldexp(np.asarray(x, dtype=np.float64), np.negative(exponent)) + 0.5)
    if np.isnan(steps).any():
        raise UserError("numbers that are rounded must be numbers, not nan")
    return np.clip(steps, low, high).astype(np.int64)


def standardised(values, mean, std) -> np.ndarray:
    """Return ``(values - mean) / std`` of readings, at most the largest float.

    An absurd reading remains absurd and is clipped later; only infinities are refused.
    """
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        return np.clip((values - mean) / std, -largest, largest)


def round_shift(x, shift: int):
    """Return ``x / 2**shift`` rounded half up; ``shift`` is not negative."""
    return (x + ((1 << shift) >> 1)) >> shift


def scaled(x, power) -> np.ndarray:
    """Return ``x * 2**power`` of integers that a negative power divides; arrays broadcast."""
    return np.where(power >= 0, x << np.maximum(power, 0), x >> np.maximum(np.negative(power), 0))


def requantize(u, multiplier, addend, shift: int, zero: int, low: int, high: int):
    """Return ``clamp(((u * multiplier + addend + 2**(shift-1)) >> shift) + zero)``."""
    return np.clip(round_shift(u * multiplier + addend, shift) + zero, low, high)


def bit_length(x) -> np.ndarray:
    """Return the number of bits of each non-negative integer below 2**53 (0 for 0)."""
    return np.frexp(np.asarray(x, dtype=np.float64))[1].astype(np.int64)


def exp2_weights(scores, visible=np.True_):
    """Return softmax numerators: ``EXP_TABLE[frac] >> int`` of the distance to the row's maximum.

    ``scores`` : logits in units of 1/8 octave, keys in the last axis. ``visible`` : keys that take
    part; the others get 0. Numerators are integers 0 to 255.
    """
    lowest = -(1 << (SCORE_BITS - 1))
    distance = np.where(visible, scores, lowest).max(axis=-1, keepdims=True) - scores
    fraction = distance & ((1 << SCORE_FRACTION_BITS) - 1)
    return np.where(visible, _EXP[fraction] >> np.maximum(distance >> SCORE_FRACTION_BITS, 0), 0)


def reciprocal_headroom(keys: int) -> int:
    """Return the largest exponent ``e`` of a sum of ``keys`` numerators: :func:`reciprocal`."""
    return max(0, (_LARGEST_WEIGHT * keys).bit_length() - 9)


def reciprocal(total, keys: int):
    """Return the multiplier ``r << (E - e)``: ``1 / total ~ multiplier * 2**-(17 + E)``.

    ``total = mantissa * 2**e`` with a 9-bit mantissa (``e`` is -1 for 255), ``r`` is the table's
    entry of the mantissa and ``E = reciprocal_headroom(keys)``. ``total`` is at least 255: the
    largest numerator of a row always is.
    """
    exponent = bit_length(total) - 9
    mantissa = np.where(exponent < 0, total << 1, total >> np.maximum(exponent, 0))
    return _RECIPROCAL[mantissa - 256] << (reciprocal_headroom(keys) - exponent)


def norm_width(features: int, bits: int) -> int:
    """Return the even width W of a variance for N features of ``bits`` bits.

    ``N * sum(x^2) - sum(x)^2 < 2**W``.
    """
    bound = (features << (bits - 1)) ** 2
    return max(8, bound.bit_length() + bound.bit_length() % 2)


def normalized_bound(features: int, bits: int) -> int:
    """Return the largest magnitude of ``(N*x - sum(x)) << e`` for N features of ``bits`` bits.

    It is at most ``sqrt((N - 1) * D * 4**e)``, ``e`` as in :func:`rsqrt`.
    """
    return math.ceil(math.sqrt(features) * 2 ** (norm_width(features, bits) // 2))


def rsqrt(variance, width: int):
    """Return the reciprocal square root of ``variance`` < ``2**width`` as exponent and mantissa.

    ``1 / sqrt(variance) ~ r * 2**(e - 12 - (width - 8) / 2)`` for (e, r); both are 0 where
    ``variance`` is 0.
    """
    exponent = np.where(variance > 0, (width - bit_length(variance)) >> 1, 0)
    index = ((variance << (2 * exponent)) >> (width - 8)) - 64
    found = variance > 0
    return exponent, np.where(found, _RSQRT[np.where(found, index, 0)], 0)


def row_statistics(x, bits: int):
    """Return the sum of rows, and :func:`rsqrt` of their variances: [..., 1] each.

    ``x`` has N features of ``bits`` bits in its last axis, ``N*sum(x^2) - sum(x)^2`` is a variance.
    """
    features = x.shape[-1]
    total = x.sum(axis=-1, keepdims=True)
    variance = features * (x * x).sum(axis=-1, keepdims=True) - total * total
    return total, *rsqrt(variance, norm_width(features, bits))


def deviation(x, total, exponent, features: int):
    """Return ``(N*x - total) << exponent`` of features with their rows' statistics."""
    return (features * x - total) << exponent
