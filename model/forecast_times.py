"""Times in words: they are seconds since 1970, or plain numbers where a file has those."""

from datetime import UTC, datetime, timedelta

__all__ = ["in_words", "iso", "moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time: float) -> datetime:
    """Return the date of seconds since 1970, by clocks that show UTC."""
    return _EPOCH + timedelta(seconds=float(time))


def iso(time: float, *, dated: bool) -> str | float:
    """Return a date as ISO 8601 has it, without a zone; a plain number as it is."""
    if not dated:
        return float(time)
    return moment(time).replace(tzinfo=None).isoformat()


def in_words(time: float, *, dated: bool) -> str:
    """Return a time for people: a date without what is zero in it."""
    if not dated:
        return f"{time:.10g}"
    one = moment(time)
    if one.second or one.microsecond:
        return one.replace(tzinfo=None).isoformat(sep=" ")
    return f"{one:%Y-%m-%d %H:%M}"
