"""Widths and bounds that the units and the lowering must agree on."""

from amaranth.utils import bits_for

from bitformer.hw.families.family import Multiplier

__all__ = [
    "GAMMA_BITS",
    "is_long",
    "signed_bits",
    "signed_value",
    "soft_sum",
    "squared_in_dsp",
    "sum_bits",
]


def signed_bits(low: int, high: int) -> int:
    """Return the width of the smallest signed number that holds ``low`` and ``high``."""
    return max(bits_for(low, True), bits_for(high, True))


def signed_value(word: int, bits: int) -> int:
    """Return the lowest ``bits`` bits of ``word`` as a two's complement number."""
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


#: Width of a LayerNorm's scale, signed.
GAMMA_BITS = 8
#: Longest magnitude that is squared by a table: a DSP block is for longer ones.
_TABLE_BITS = 9
#: Longest magnitude of a row's sum that is squared in LUTs.
_SOFT_SUM_BITS = 12


def sum_bits(features: int, bits: int) -> int:
    """Return the bits of the sum of a row, with its sign."""
    return bits + (features - 1).bit_length() + 1


def is_long(features: int, bits: int, multiplier: Multiplier) -> bool:
    """Return True if the sum of such a row is too long to be squared at once."""
    return sum_bits(features, bits) > multiplier.short_bits


def soft_sum(features: int, bits: int) -> bool:
    """Return True if LUTs can square the sum of such a row: where DSP blocks are short."""
    return (features << bits - 1).bit_length() <= _SOFT_SUM_BITS


def squared_in_dsp(bits: int) -> bool:
    """Return True if a number of so many bits is squared in a DSP block, not by a table."""
    return bits > _TABLE_BITS
