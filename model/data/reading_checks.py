"""Checks of what a user says of a file, before it is opened; nothing heavy is loaded for them."""

import re
from datetime import UTC, datetime

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["EPOCHS", "check_encoding", "check_format", "check_zone"]

#: Names for numbers since 1970, and how many of them are a second.
EPOCHS = {"epoch": 1.0, "epoch-ms": 1e3, "epoch-us": 1e6, "epoch-ns": 1e9}


def check_encoding(name: str) -> None:
    """Raise :class:`UserError` unless ``name`` is an encoding of text."""
    try:
        "a".encode(name).decode(name)
    except (LookupError, ValueError, UnicodeError):
        raise UserError(
            f"encoding must be one that Python knows, such as utf-8, utf-16, cp1252 or shift_jis,"
            f" not {shown(name)}"
        ) from None


def check_format(pattern: str) -> None:
    """Raise :class:`UserError` unless ``pattern`` is one of :data:`EPOCHS` or has a year."""
    if pattern in EPOCHS:
        return
    try:
        datetime.strptime(datetime(2000, 12, 31, tzinfo=UTC).strftime(pattern), pattern)
        told = bool(re.search("%[YyGcxD]", pattern))
    except ValueError:
        told = False
    if not told:
        raise UserError(
            f"time_format must be {', '.join(EPOCHS)} or directives with a year such as"
            f" '%d/%m/%Y %H:%M', not {shown(pattern)}"
        )


def check_zone(name: str) -> None:
    """Raise :class:`UserError` unless ``name`` is a time zone that is known here."""
    from zoneinfo import ZoneInfo, available_timezones  # late: not for --help

    try:
        ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError, and its cause varies
        found = False
    except KeyError:
        found = False
    else:
        found = True
    if not found:
        known = available_timezones()
        more = "" if known else ", whose data 'pip install tzdata' brings"
        alike = sorted(one for one in known if one.lower().endswith("/" + name.lower()))
        example = alike[0] if alike else "Europe/Berlin"
        raise UserError(
            f"time_zone must be the name of a zone, such as {example} or UTC{more}, not"
            f" {shown(name)}"
        )
