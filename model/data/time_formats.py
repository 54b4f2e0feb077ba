"""Times as texts: what of them is year, month and day, and where the clock stands.

A date is year-month-day (``2016-07-01``, ``2016/07/01``, ``20160701``, ``2016-07``), day and month
before a year of four digits (``01.07.2016``, ``1/7/2016``), or has the month's English name
(``1 Jul 2016``). A clock may follow after a space, a comma or ``T``: hours and minutes, seconds,
their fractions, AM or PM, and a zone (``Z``, ``+02:00``). Everything is found once for each
different date and clock, so that a long column is quick.

Times become seconds since 1970 as if their clocks showed UTC, and the offset of those with a zone.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from bitformer.model.data.cells import UnreadableCellError

__all__ = [
    "DAY",
    "EXAMPLES",
    "Clocks",
    "by_directives",
    "from_parts",
    "kind_of",
    "looks_like_time",
    "month_first",
    "parsed",
]

DAY = 86400.0
#: What a refusal shows.
EXAMPLES = "2016-07-01 13:00, 2016/07/01 13:00, 01.07.2016 13:00, 7/1/2016 1:00 PM"

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_CLOCK = r"(?:(?:[Tt]|,? +|,)(?P<clock>\d{1,2}[:.]\d{2}.*|\d{1,2} ?[AaPp]\.?[Mm]\.?))?"
#: Dates by how they are written; ``iso`` is read by Python and takes what is left.
_KINDS = {
    "ymd": re.compile(r"(?P<date>(\d{4})([-/.])(\d{1,2})(?:\3(\d{1,2}))?)" + _CLOCK),
    "dmy": re.compile(r"(?P<date>(\d{1,2})([-/.])(\d{1,2})\3(\d{4}))" + _CLOCK),
    "d name y": re.compile(r"(?P<date>(\d{1,2})[-/. ]+([A-Za-z]{3,9})\.?[-/, ]+(\d{4}))" + _CLOCK),
    "name d y": re.compile(r"(?P<date>([A-Za-z]{3,9})\.?[- ]+(\d{1,2})(?:,? +|-)(\d{4}))" + _CLOCK),
    "name y": re.compile(r"(?P<date>([A-Za-z]{3,9})\.?[-/, ]+(\d{4}))" + _CLOCK),
}
_TIME = re.compile(
    r"(\d{1,2})(?:([:.])(\d{2})(?:\2(\d{2})(?:[.,](\d+))?)?)?"
    r" ?([AaPp])?(?(6)\.?[Mm]\.?)"
    r" ?(?:([Zz]|UTC|GMT)|([+-])(\d{2}):?(\d{2})?)?"
)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Times of a column, as clocks show them.

    Parameters
    ----------
    local : float64 [rows]; seconds since 1970 if the clocks showed UTC.
    offsets : float64 [rows]; seconds that each clock is before UTC, NaN where none is given.
    """

    local: np.ndarray
    offsets: np.ndarray


def looks_like_time(text: str) -> bool:
    """Tell whether a text is a time that is read without being told how."""
    return kind_of(text) is not None


def kind_of(text: str) -> str | None:
    """Return the name of the way in which a time is written; None for no way that is known."""
    for kind in (*_KINDS, "iso"):
        for first in (False, True) if kind == "dmy" else (False,):
            try:
                parsed([text], kind, month_first=first)
            except UnreadableCellError:
                continue
            return kind
    return None


def parsed(texts: Sequence[str], kind: str, *, month_first: bool = False) -> Clocks:
    """Return the times of a column that are all written in one way.

    Parameters
    ----------
    texts
        Times, without blanks around them.
    kind
        As :func:`kind_of` gives it.
    month_first
        Whether month stands before day, where kind is ``"dmy"``.

    Raises
    ------
    UnreadableCellError
        For the first text that is none.
    """
    local, offsets = list[float](), list[float]()
    dates: dict[str, float] = {}
    clocks: dict[str | None, tuple[float, float]] = {None: (0.0, math.nan)}
    pattern = _KINDS.get(kind)
    for row, text in enumerate(texts):
        try:
            if pattern is None:
                day_begins, (seconds, offset) = 0.0, _python(datetime.fromisoformat(text))
            else:
                found = pattern.fullmatch(text)
                if found is None:
                    raise ValueError
                day, clock = found["date"], found["clock"]
                if day not in dates:
                    dates[day] = _date(found, kind, month_first)
                if clock not in clocks:
                    clocks[clock] = _clock(clock)
                day_begins, (seconds, offset) = dates[day], clocks[clock]
            local.append(day_begins + seconds)
            offsets.append(offset)
        except (ValueError, OverflowError):
            raise UnreadableCellError(row) from None
    return Clocks(local=np.array(local), offsets=np.array(offsets))


def by_directives(texts: Sequence[str], pattern: str) -> Clocks:
    """Return the times of a column that are all written as ``strptime`` directives say.

    Raises
    ------
    UnreadableCellError
        For the first text that is not.
    """
    local, offsets = np.empty(len(texts)), np.full(len(texts), math.nan)
    day, separator, clock = pattern.partition("T" if "%dT%" in pattern else " ")
    # date and clock apart are few texts, each of which is found once
    names = "aAbB" if separator == "T" else ""
    apart = bool(clock) and not re.search(f"%[HIMSfpzZcXsT{names}]", day)
    apart = apart and not re.search("%[^HIMSfpz]", clock)
    days: dict[str, float] = {}
    clocks: dict[str, tuple[float, float]] = {}
    for row, text in enumerate(texts):
        try:
            if not apart:
                local[row], offsets[row] = _python(datetime.strptime(text, pattern))
                continue
            left, _, right = text.partition(separator)
            if left not in days:
                days[left] = _python(datetime.strptime(left, day))[0]
            if right not in clocks:
                seconds, offset = _python(datetime.strptime("1970 " + right, "%Y " + clock))
                clocks[right] = seconds, offset
            local[row] = days[left] + clocks[right][0]
            offsets[row] = clocks[right][1]
        except (ValueError, OverflowError):
            raise UnreadableCellError(row) from None
    return Clocks(local=local, offsets=offsets)


def month_first(texts: Sequence[str]) -> tuple[bool | None, int | None]:
    """Tell whether month stands before day in a column of kind ``"dmy"``, by numbers past 12.

    Returns
    -------
    None if no number is past 12; and the row of a text that contradicts another, or None.
    """
    seen: dict[str, None] = {}
    decided: bool | None = None
    for row, text in enumerate(texts):
        day = text[:10]
        if day in seen:
            continue
        seen[day] = None
        found = _KINDS["dmy"].fullmatch(text)
        if found is None:
            continue  # it is refused when it is read
        first, second = int(found[2]), int(found[4])
        says = first <= 12 if max(first, second) > 12 else None
        if says is not None and decided not in (None, says):
            return decided, row
        decided = says if decided is None else decided
    return decided, None


def from_parts(names: Sequence[str], columns: Sequence[Sequence[str]]) -> np.ndarray | None:
    """Return seconds of columns of year, month, day, hour, minute and second; None if they are not.

    Raises
    ------
    UnreadableCellError
        For the first row that is no time.
    """
    order = _parts(names)
    first = [column[0] for column in columns]
    if order is None or not all(re.fullmatch(r"\d{1,4}(\.0*)?", text) for text in first):
        return None
    local = np.empty(len(columns[0]))
    days: dict[tuple[str, ...], float] = {}
    for row, texts in enumerate(zip(*columns, strict=True)):
        try:
            texts = tuple(texts[i] for i in order)
            if texts[:3] not in days:
                numbers = [*map(_whole, texts[:3]), 1][:3]
                days[texts[:3]] = (date(*numbers).toordinal() - _EPOCH) * DAY
            hour, minute, second = [*map(_whole, texts[3:]), 0, 0, 0][:3]
            local[row] = days[texts[:3]] + _seconds(hour, minute, second)
        except ValueError:
            raise UnreadableCellError(row) from None
    return local


#: Beginnings of the names of columns that hold a part of a time.
_PARTS = ("y", "mo", "d", "h", "mi", "s")


def _parts(names: Sequence[str]) -> list[int] | None:
    """Return the places of year, month, day … among columns, by their names or their order."""
    places = []
    for part in _PARTS[: len(names)]:
        own = [i for i, name in enumerate(names) if name.strip().lower().startswith(part)]
        if len(own) != 1:
            return list(range(len(names))) if 2 <= len(names) <= len(_PARTS) else None
        places.append(own[0])
    return places


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError
    return int(value)


def _date(found: re.Match, kind: str, month_first: bool) -> float:
    """Return the seconds at which a day begins."""
    if kind == "ymd":
        year, month, day = found[2], int(found[4]), found[5] or 1
    elif kind == "dmy":
        year, month, day = found[5], int(found[4]), found[2]
        if month_first:
            month, day = int(day), str(month)
    else:
        parts = {"d name y": (4, 3, 2), "name d y": (4, 2, 3), "name y": (3, 2, None)}[kind]
        year, month = found[parts[0]], _MONTHS.index(found[parts[1]][:3].lower()) + 1
        day = 1 if parts[2] is None else found[parts[2]]
    return (date(int(year), month, int(day)).toordinal() - _EPOCH) * DAY


def _clock(text: str) -> tuple[float, float]:
    """Return seconds since midnight, and the offset of the zone or NaN."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError
    hour, minute, second = (int(found[i] or 0) for i in (1, 3, 4))
    if half := found[6]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half in "Pp" else 0)
    seconds = _seconds(hour, minute, second) + (float(f"0.{found[5]}") if found[5] else 0.0)
    if found[7]:
        return seconds, 0.0
    if found[8]:
        offset = timedelta(hours=int(found[9]), minutes=int(found[10] or 0)).total_seconds()
        if offset >= DAY:
            raise ValueError
        return seconds, -offset if found[8] == "-" else offset
    return seconds, math.nan


def _seconds(hour: int, minute: int, second: int) -> float:
    """Return seconds since midnight; 24:00 is the next one."""
    within = 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
    if not within and (hour, minute, second) != (24, 0, 0):
        raise ValueError
    return hour * 3600.0 + minute * 60.0 + second


def _python(time: datetime) -> tuple[float, float]:
    """Return seconds since 1970 as the clock shows them, and the offset or NaN."""
    offset = time.utcoffset()
    local = time.replace(tzinfo=UTC).timestamp()
    return local, math.nan if offset is None else offset.total_seconds()
