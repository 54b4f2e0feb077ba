"""Lists of names and texts as a user types them: separated by commas, with CSV's quotes."""

import csv
import io
import shlex
from collections.abc import Iterable, Sequence

from bitformer.model.plain import shown

__all__ = ["listed", "names_among", "quoted", "split_texts"]

#: Names that a sentence lists.
_SHOWN = 30


def split_texts(text: str) -> tuple[str, ...]:
    """Return the texts of ``A,B``; one with a comma in it is quoted, as in ``'"A, kW",B'``."""
    row = next(csv.reader(io.StringIO(text), skipinitialspace=True), [])
    return tuple(one.strip() for one in row if one.strip())


def names_among(asked: str | Sequence[str], header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are asked for: what is a column's name as it stands is that column.

    Parameters
    ----------
    asked
        Names; or one text, which is a name in ``header`` or a list for :func:`split_texts`.
    header
        The names that there are.
    """
    if not isinstance(asked, str):
        return tuple(asked)
    name = asked.strip()
    return (name,) if name in header else split_texts(asked)


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence: at most 30, whatever letters they have; none for unnamed."""
    named = [one if one.isprintable() else shown(one) for one in names if one]
    return ", ".join(named[:_SHOWN]) + (", …" if len(named) > _SHOWN else "")


def quoted(texts: Iterable[str]) -> str:
    """Return texts as a shell takes them for one option that :func:`split_texts` reads."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(texts)
    return shlex.quote(out.getvalue())
