"""Names of classes and groups: which texts of a column name one, and in which order they stand."""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bitformer.model.data.cell_numbers import Numbers
from bitformer.model.data.labelling import MOST_CLASSES
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = [
    "CLASS",
    "GROUP",
    "class_numbers",
    "in_natural_order",
    "named_rows",
    "numbered",
    "require_names",
]

#: What the columns of classes and of groups are called among the texts of a ``Series``.
CLASS, GROUP = "label", "group"
#: Letters of the longest name of a class or a group.
LONGEST_NAME = 60
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


def named_rows(
    texts: np.ndarray,
    where: Callable[[int], str],
    *,
    column: str,
    name: str,
    reading: Reading,
) -> np.ndarray:
    """Return the class of each row, str [rows]; empty where the cell is missing.

    Whole numbers are names: ``1.0`` is ``1``.

    Parameters
    ----------
    texts
        Of the cells.
    where
        What the line of a row is called.
    column, name
        Of the classes, and of the data.
    reading
        What stands for a missing value.

    Raises
    ------
    UserError
        If all are numbers, and some are not whole; or if one is no name.
    """
    own = [text.removeprefix(f"{column}=") for text in reading.missing]
    numbers = Numbers.of(reading).also_missing(own)
    found, place = np.unique(texts, return_inverse=True)
    require_names(found, place, where, what=f"Label column {column!r} of {name}")
    known = ["" if _missing(str(text), numbers) else str(text) for text in found]
    values = [_number(text) for text in known if text]
    if values and None not in values:
        for row, text in enumerate(known):
            if not text:
                continue
            if not _WHOLE.fullmatch(text):
                line = where(int(np.argmax(place == row)))
                raise UserError(
                    f"Label column {column!r} of {name} must hold names or whole numbers, but"
                    f" {line} has {shown(text)}: name a column of classes with --label, or forecast"
                    f" these numbers with --target {column}"
                )
            known[row] = str(int(text.partition(".")[0]))
    return np.array(known, str)[place] if len(known) else texts


def require_names(
    found: np.ndarray, place: np.ndarray, where: Callable[[int], str], *, what: str
) -> None:
    """Raise :class:`UserError` unless texts can be names, which reports and firmware show.

    Parameters
    ----------
    found, place
        The different texts, and of each row the place of its own among them.
    where
        What the line of a row is called.
    what
        What holds them.
    """
    for i, text in enumerate(found.tolist()):
        if len(text) > LONGEST_NAME or not text.isprintable():
            raise UserError(
                f"{what} must hold names of at most {LONGEST_NAME} letters, but"
                f" {where(int(np.argmax(place == i)))} has {shown(text)}: correct it, or name"
                " another column"
            )


def _missing(text: str, numbers: Numbers) -> bool:
    return text.lower() in numbers.missing or _number(text) in numbers.missing_values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def in_natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names in order, numbers in them by their size: a2 before a10, -1 before 0."""

    def key(name: str) -> tuple:
        if re.fullmatch(r"-?\d+", name):
            return (0, int(name), name)
        parts = re.split(r"(\d+)", name)
        return (1, [int(one) if i % 2 else one for i, one in enumerate(parts)], name)

    return tuple(sorted(names, key=key))


def class_numbers(
    rows: np.ndarray,
    usable: np.ndarray,
    parts: Sequence[np.ndarray],
    *,
    name: str,
    label: str,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the classes of the training rows, and the number of each row's class.

    Parameters
    ----------
    rows
        The class of each row, str [rows], empty without one.
    usable
        Which rows have all inputs, bool [rows].
    parts
        Which rows are training, validation and test rows, bool [rows] each.
    name, label
        Of the data, and what its classes are called.

    Raises
    ------
    UserError
        If there is one class only, or more than 256, or one that no training row has.
    """
    found = [set(np.unique(rows[part & usable]).tolist()) - {""} for part in parts]
    classes = in_natural_order(found[0])
    for part, own in zip(("validation", "test"), found[1:], strict=True):
        unknown = in_natural_order(own - found[0])
        if unknown:
            s = "" if len(unknown) == 1 else "es"
            raise UserError(
                f"Class{s} {', '.join(unknown[:5])} of {name} must have training rows, but"
                f" {'has' if not s else 'have'} {part} rows alone: name what is one recording with"
                " --series COLUMN, of which each is split by itself, or whole groups with"
                " --test-groups and --val-groups, or leave out the rows of"
                f" {'this class' if not s else 'these classes'}"
            )
    if len(classes) < 2:
        raise UserError(
            f"Label {label!r} of {name} must have two classes or more in the training rows, but"
            f" has {classes[0] if classes else 'none'}{' alone' if classes else ''}: name another"
            " column with --label, or give rows of other classes"
        )
    if len(classes) > MOST_CLASSES:
        raise UserError(
            f"Label {label!r} of {name} must have at most {MOST_CLASSES} classes, not"
            f" {len(classes)} ({', '.join(classes[:3])}, …): name another column with --label, or"
            f" forecast it with --target if it is a quantity"
        )
    return classes, numbered(rows, classes)


def numbered(rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the place of each row's name among ``names``, int64 [rows]; -1 for no such name."""
    found, place = np.unique(rows, return_inverse=True)
    numbers = {name: i for i, name in enumerate(names)}
    return np.array([numbers.get(str(one), -1) for one in found], np.int64)[place]
