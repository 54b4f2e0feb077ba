"""Which rows of recordings are training, validation and test rows, and where windows begin in them.

Each recording is split by itself, in the order of time; or whole groups are in one part, so that no
person or device is in two. A window lies in one part, one recording, and rows of one class.
"""

import math
from collections.abc import Sequence

import numpy as np

from bitformer.model.data.class_names import in_natural_order
from bitformer.model.data.gaps import Clean
from bitformer.model.data.parts import PARTS, Ranges, part_ranges, splits_of
from bitformer.model.data.reading import Reading
from bitformer.model.data.splits import by_fractions
from bitformer.model.errors import TooFewRowsError, UserError

__all__ = ["class_stretches", "first_rows", "parts_of", "require_windows"]


def parts_of(
    cleaned: Clean, groups: np.ndarray | None, reading: Reading
) -> tuple[list[Ranges], str]:
    """Return the row ranges of training, validation and test, and a sentence on the split.

    Parameters
    ----------
    cleaned
        The rows; each of its blocks is of one group.
    groups
        The name of each row's group, str [rows]; None where rows have none.
    reading
        Which groups are in which part.

    Raises
    ------
    UserError
        If a group is named that is not there, or a part has none.
    """
    blocks = cleaned.blocks
    if not reading.test_groups:
        splits = splits_of(cleaned, by_fractions)
        of = "" if len(blocks) == 1 else f" of each of {len(blocks)} recordings"
        return list(part_ranges(cleaned, splits)), f"Split: {splits[0].rule}{of}"
    if groups is None:
        raise UserError(
            "test_groups must name groups of the data, which have none: name the column of groups"
            " with --group, or say with --files where {group} stands in the files' names"
        )
    names = in_natural_order(np.unique(groups).tolist())
    for what, asked in (("test", reading.test_groups), ("val", reading.val_groups)):
        unknown = [name for name in asked if name not in names]
        if unknown:
            raise UserError(
                f"{what}_groups must be groups of the data, {', '.join(names)}, not"
                f" {', '.join(unknown)}: name those with --{what}-groups"
            )
    test, val = set(reading.test_groups), set(reading.val_groups)
    others = [name for name in names if name not in test]
    if not val:  # a quarter of them, the last, as of rows
        val = set(others[len(others) - math.ceil(len(others) / 4) :])
    if not set(others) - val:
        raise UserError(
            f"Groups must be at least one for training beside those for test"
            f" ({', '.join(reading.test_groups)}) and validation"
            f" ({', '.join(sorted(val)) or 'none'}), but the data have {', '.join(names)} alone:"
            " name fewer with --test-groups and --val-groups, or give recordings of others"
        )
    ranges: list[Ranges] = [[], [], []]
    for block in blocks:
        own = str(groups[block.start]) if block.stop > block.start else ""
        part = 2 if own in test else 1 if own in val else 0
        for i, found in enumerate(ranges):
            found.append((block.start, block.stop if i == part else block.start))
    named = ", ".join(one for one in names if one in test)
    return ranges, (
        f"Split by groups: {named} for test, {', '.join(one for one in names if one in val)} for"
        f" validation, {len(set(others) - val)} others for training"
    )


def first_rows(
    cleaned: Clean, ranges: Ranges, numbers: np.ndarray, *, window: int, stride: int
) -> tuple[np.ndarray, int]:
    """Return the first row of each window of a part, int64 [N], and its longest stretch in rows.

    Parameters
    ----------
    cleaned
        The rows.
    ranges
        Those of the part, one in each block.
    numbers
        The number of each row's class, -1 for none.
    window, stride
        Rows of a window, and between the beginnings of two of one stretch.
    """
    stretches = class_stretches(cleaned, ranges, numbers)
    found = [np.arange(start, stop - window + 1, stride) for start, stop in stretches]
    longest = max((stop - start for start, stop in stretches), default=0)
    return np.concatenate([np.empty(0, int), *found]), longest


def class_stretches(cleaned: Clean, ranges: Ranges, numbers: np.ndarray) -> list[tuple[int, int]]:
    """Return the row ranges (start, stop) without a gap, of one class, inside ``ranges``.

    ``numbers`` : of each row's class, int64 [rows]; -1 for none.
    """
    rows = len(numbers)
    inside = np.zeros(rows, bool)
    # a row begins a stretch if it begins a segment or a range, or is of another class
    begins = np.r_[True, numbers[1:] != numbers[:-1]][:rows]
    for start, stop in ranges:
        inside[start:stop] = True
    within = np.zeros(rows, bool)
    for start, stop in cleaned.segments:
        within[start:stop] = True
        begins[start] = True
    begins[[start for start, stop in ranges if start < stop]] = True
    inside &= within & (numbers >= 0)
    edges = np.flatnonzero(begins | np.r_[True, inside[1:] != inside[:-1]][:rows])
    ends = np.r_[edges[1:], rows]
    return [(int(a), int(b)) for a, b in zip(edges, ends, strict=True) if inside[a]]


def require_windows(
    name: str,
    found: Sequence[tuple[np.ndarray, int]],
    numbers: np.ndarray,
    classes: Sequence[str],
    *,
    window: int,
) -> None:
    """Raise :class:`UserError` unless each part has a window, and each class one for training.

    ``found`` : of each part the first rows of windows, and its longest stretch.
    """
    for part, (first, longest) in zip(PARTS, found, strict=True):
        if not len(first):
            raise TooFewRowsError(
                f"{name} must have {window} rows of one class without a gap in each part for a"
                f" window of {window}, but its {part} part holds no window: its longest such"
                f" stretch is {longest}{_remedy(found)}"
            )
    lacking = sorted(set(range(len(classes))) - set(numbers[found[0][0]].tolist()))
    if lacking:
        s = "" if len(lacking) == 1 else "es"
        raise TooFewRowsError(
            f"Class{s} {', '.join(classes[i] for i in lacking)} of {name} must have {window}"
            f" training rows one after the other, without a gap, for a window of {window}, but"
            f" {'has' if not s else 'have'} none such: give a shorter --window, longer recordings"
            f" or fill gaps with --max-fill, or leave out its rows"
        )


def _remedy(found: Sequence[tuple[np.ndarray, int]]) -> str:
    """Return what would do, if something would."""
    shortest = min(longest for _, longest in found)
    if shortest < 1:
        return ": give longer recordings, or other --test-groups and --val-groups"
    return f": --window {shortest} would do, or longer recordings"
