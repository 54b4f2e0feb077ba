"""Times in words: they are seconds since 1970, or plain numbers where a file has those."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["in_words", "iso", "moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time: float, zone: str | None = None) -> datetime:
    """Return the date of seconds since 1970 in a zone; without one as a clock shows it."""
    found = _EPOCH + timedelta(seconds=float(time))
    return found.replace(tzinfo=None) if zone is None else found.astimezone(ZoneInfo(zone))


def iso(time: float, *, dated: bool, zone: str | None = None) -> str | float:
    """Return a date as ISO 8601 has it, with the offset of a zone; a plain number as it is."""
    return moment(time, zone).isoformat() if dated else float(time)


def in_words(time: float, *, dated: bool, zone: str | None = None, days: bool = False) -> str:
    """Return a time for people: a date without what is zero in it, and of days that alone."""
    if not dated:
        return f"{time:.10g}"
    one = moment(time, zone)
    if days:
        return f"{one:%Y-%m-%d}"
    exact = "auto" if one.second or one.microsecond else "minutes"
    return one.isoformat(sep=" ", timespec=exact)
