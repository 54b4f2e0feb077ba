"""How wide and deep a detector's unit and its stores are: each as its bound, and no more."""

from bitformer.hw.widths import signed_bits
from bitformer.model.ir import IntegerModel, Judge
from bitformer.model.operations.judge import LARGEST_WEIGHT, MOST_HELD

__all__ = ["HOLD_BITS", "judged_depth", "level_bits", "limits_word", "score_bits", "weight_bits"]

#: Bits of the windows for which a flag stays up.
HOLD_BITS = MOST_HELD.bit_length()
#: Windows whose judged numbers wait: of forecasts in their queue, computed, and taken in.
_WINDOWS = 3


def judged_depth(numbers: int) -> int:
    """Return the words of the store of what is judged, of ``numbers`` a window."""
    return 1 << (_WINDOWS * numbers - 1).bit_length()


def level_bits(judge: Judge, model: IntegerModel) -> int:
    """Return the bits of a level, with its sign."""
    largest = judge.residual_bound(model.tensors) << judge.smoothing
    return signed_bits(-largest, largest)


def weight_bits(judge: Judge, *, any_weights: bool = False) -> int:
    """Return the bits of a weight, of this detector's or of ``any_weights``."""
    largest = LARGEST_WEIGHT if any_weights else int(judge.weight.max())
    return max(1, largest.bit_length())


def score_bits(judge: Judge, model: IntegerModel, *, any_weights: bool = False) -> int:
    """Return the bits of a score, and of a threshold, for this detector's weights or any."""
    total = LARGEST_WEIGHT * judge.weight.size if any_weights else int(judge.weight.sum())
    largest = (judge.residual_bound(model.tensors) << judge.smoothing) * total
    return max(1, largest.bit_length())


def limits_word(judge: Judge, bits: int) -> int:
    """Return a word of the threshold, of ``bits`` bits, and above it the windows of the hold."""
    return judge.threshold | judge.hold << bits
