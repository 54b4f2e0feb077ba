"""GELU on integers: what is above 0 stays, less a small correction from a table.

GELU is ``x * P(X <= x)`` of a normal X (Hendrycks and Gimpel, 2016). With ``c(x) = x * P(X > x)``
it is ``max(x, 0) - c(|x|)``, and c is small: at most 0.17, and all but 0 from 4 on. Results of so
many bits always have the same scale, so that one table serves all layers of a width, and new
weights need no other one.
"""

import functools
import math

import numpy as np

__all__ = ["GELU_BITS", "corrections", "gelu_exponent", "gelu_steps", "gelu_zero"]

#: Bits that results may have, least and most: a table of 16 bits would be long.
GELU_BITS = (2, 8)
#: From here on a correction is less than 2**-52.
_END = 9


def gelu_exponent(bits: int) -> int:
    """Return the exponent of results of ``bits`` bits: they reach 3 to 4, from 7 bits on 7.75."""
    return 2 - bits + (bits > 6)


@functools.cache
def corrections(bits: int) -> tuple[int, ...]:
    """Return c(i) for i steps from 0, in steps, up to the last that is not 0; at least c(0).

    In 2 and 3 bits all are 0: GELU is ReLU.
    """
    step = 2.0 ** gelu_exponent(bits)
    reals = (n * math.erfc(n * step / math.sqrt(2)) / 2 for n in range(1 + math.ceil(_END / step)))
    found = [math.floor(real + 0.5) for real in reals]
    last = max((n for n, value in enumerate(found) if value), default=0)
    return tuple(found[: last + 1])


def gelu_zero(bits: int) -> int:
    """Return the zero point of results: the least of them is the lowest number."""
    return max(corrections(bits)) - (1 << (bits - 1))


def gelu_steps(q: np.ndarray, bits: int) -> np.ndarray:
    """Return GELU of whole steps ``q``, any integers, in steps."""
    table = np.array([*corrections(bits), 0])
    return np.maximum(q, 0) - table[np.minimum(np.abs(q), len(table) - 1)]
