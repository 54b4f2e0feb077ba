"""Widths of the numbers in a post-processor."""

from dataclasses import dataclass

__all__ = ["PostProcessorWidths"]

_MAY_BE_0 = (
    "pack_shift",
    "norm_features",
    "norm_bits",
    "factor_signed",
    "upper_bits",
    "gamma_block",
    "apart",
    "extension",
    "broad",
)


@dataclass(frozen=True, kw_only=True)
class PostProcessorWidths:
    """Widths of a post-processor's numbers, signed, in bits.

    Parameters
    ----------
    product_bits, pack_shift : int
        A drained accumulator, and the distance of the two results in a packed one.
    accumulator_bits, narrow_bits : int
        The result of way 0 and of way 1.
    value_bits, scale_bits : int
        The fields that a parameter word has for each way, the value in the lower bits.
    activation_bits, position_bits : int
        An element of the words that hold stored rows and positions.
    last_bits : int
        A value of the last step.
    factor_bits : int
        A multiplier.
    low_bits, high_bits, sum_bits : int
        The sum of way 0, of way 1, and of both in a wide operation.
    shifted_bits, result_bits : int
        A sum after its shift, and after its clamp.
    norm_features, norm_bits : int
        Elements of a row that LayerNorm reads, and the width of each; 0 without.
    factor_signed : int
        0 where no multiplier is negative.
    upper_bits : int
        The upper part of a wide multiplicand where it takes several multipliers, else 0.
    gamma_block : int
        Not 0 where one multiplier makes those of a LayerNorm, for both ways.
    apart, extension : int
        Not 0 where a drained accumulator has the sums of its two products apart, and the bits of
        the first above ``product_bits`` then. Where it is 2, the first is also the only sum of what
        is not packed.
    broad : int
        Not 0 where the low sum of a column of LUTs is also the only one of what is not packed.
    """

    product_bits: int
    pack_shift: int
    accumulator_bits: int
    narrow_bits: int
    value_bits: int
    scale_bits: int
    activation_bits: int
    position_bits: int
    last_bits: int
    factor_bits: int
    low_bits: int
    high_bits: int
    sum_bits: int
    shifted_bits: int
    result_bits: int
    norm_features: int = 0
    norm_bits: int = 0
    factor_signed: int = 1
    upper_bits: int = 0
    gamma_block: int = 0
    apart: int = 0
    extension: int = 0
    broad: int = 0

    def __post_init__(self):
        for name, value in vars(self).items():
            least = int(name not in _MAY_BE_0)
            if type(value) is not int or value < least:
                error = ValueError if type(value) is int else TypeError
                label, noun = name.replace("_", " ").capitalize(), ("a non-negative", "a positive")
                raise error(f"{label} must be {noun[least]} integer, not {value!r}")
