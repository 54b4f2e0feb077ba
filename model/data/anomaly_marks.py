"""Marks of anomalies in a column: which rows are marked, and where they follow one another."""

from collections.abc import Mapping, Sequence

import numpy as np

from bitformer.model.data.csv_source import Series
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["marked", "marks_of", "marks_said", "runs_of"]

#: How a row of an anomaly is marked, and one of none.
_MARKS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def marks_of(rows: Series, column: str, name: str) -> np.ndarray:
    """Return which rows are marked, bool [rows].

    Parameters
    ----------
    rows
        With the texts of ``column``.
    column, name
        Of the marks, and of the data.

    Raises
    ------
    UserError
        If a cell is no mark.
    """
    found, place = np.unique(rows.texts[column], return_inverse=True)
    known = [_mark(str(text)) for text in found]
    if None in known:
        row = int(np.argmax(np.isin(place, [i for i, one in enumerate(known) if one is None])))
        raise UserError(
            f"Column {column!r} of {name} must mark anomalies by 1 and 0, true and false, or yes"
            f" and no, but {rows.where(row)} has {shown(str(rows.texts[column][row]))}"
        )
    return np.array(known, bool)[place] if known else np.zeros(0, bool)


def marked(rows: Series, column: str | None, name: str) -> np.ndarray | None:
    """Return the same; None where the rows were read without a column of marks."""
    return None if column is None or column not in rows.texts else marks_of(rows, column, name)


def marks_said(marks: np.ndarray, parts: Mapping[str, Sequence[tuple[int, int]]]) -> str:
    """Say how many rows are marked, and how many in ``parts``, which a detector takes as clean."""
    counts = {
        name: int(sum(marks[start:stop].sum() for start, stop in ranges))
        for name, ranges in parts.items()
    }
    said = f"{int(marks.sum())} rows are marked as anomalies"
    held = " and ".join(f"{count} {name} rows" for name, count in counts.items() if count)
    if not held:
        return said
    return (
        f"{said}, among them {held}, which a detector takes as clean, as nothing is learned of the"
        " marks: leave those rows out of the file"
    )


def _mark(text: str) -> bool | None:
    try:
        text = f"{float(text):g}"
    except ValueError:
        text = text.lower()
    return _MARKS.get(text)


def runs_of(marks: np.ndarray) -> list[tuple[int, int]]:
    """Return the ranges (start, stop) of rows that are marked."""
    edges = np.flatnonzero(np.diff(np.r_[False, marks, False]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
