"""Times in words: they are seconds since 1970, or plain numbers where a file has those."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["in_words", "iso", "moment", "offset_name", "place_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offset_name(seconds: float) -> str:
    """Return the name of a clock that is ``seconds`` ahead of UTC, as ``+02:00``."""
    return datetime.fromtimestamp(0, timezone(timedelta(seconds=seconds))).isoformat()[19:]


def place_of(zone: str) -> tzinfo:
    """Return what a zone's name, or an offset's of :func:`offset_name`, stands for."""
    if zone[0] in "+-":
        return datetime.fromisoformat(f"1970-01-01T00:00{zone}").tzinfo or UTC
    return ZoneInfo(zone)


def moment(time: float, zone: str | None = None) -> datetime:
    """Return the date of seconds since 1970 in a zone; without one as a clock shows it."""
    found = _EPOCH + timedelta(seconds=float(time))
    return found.replace(tzinfo=None) if zone is None else found.astimezone(place_of(zone))


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
