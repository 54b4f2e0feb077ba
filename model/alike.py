"""Names that are likely meant where one is not known, for the end of a sentence."""

import difflib
from collections.abc import Collection, Iterable

from bitformer.model.plain import shown

__all__ = ["alike", "meant", "none_of"]

#: How alike two names must be, from 0 to 1, as difflib counts: a letter that is wrong in a short
#: name is enough, a part of another maker's is not.
_CLOSE = 0.75
#: The most names that are proposed.
_MOST = 3


def alike(name: str, known: Iterable[str], *, close: float = _CLOSE) -> list[str]:
    """Return the known names that begin with ``name``, or else the one most alike.

    Upper and lower case count as the same.

    Parameters
    ----------
    name
        What was typed.
    known
        Names that there are; of several that differ in case alone the first counts.
    close
        The ratio of :mod:`difflib` from which on a name is alike.
    """
    own = {one.lower(): one for one in reversed(list(known)) if one}
    low = name.lower()
    begin = [own[one] for one in sorted(own) if len(low) > 1 and one.startswith(low)]
    return (begin or [own[one] for one in difflib.get_close_matches(low, own, 1, close)])[:_MOST]


def meant(name: str, known: Iterable[str]) -> str:
    """Return ``": did you mean 'tiny'?"`` where a known name is alike, else nothing."""
    found = [repr(one) for one in alike(name, known)]
    if not found:
        return ""
    *others, last = found
    return f": did you mean {', '.join(others)} or {last}?" if others else f": did you mean {last}?"


def none_of(what: str, name: str, known: Collection[str], *, more: str = "") -> str:
    """Return the sentence that refuses a name: ``what`` must be a ``known`` one, or ``more``."""
    return f"{what} must be one of {', '.join(known)}{more}, not {shown(name)}{meant(name, known)}"
