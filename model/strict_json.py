"""JSON from outside; ambiguous or enormous data are refused in a sentence."""

import json
import math
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.files import open_regular

__all__ = ["MAX_BYTES", "MAX_DEPTH", "parse_json", "read_json"]

#: Lists and objects within each other; the project's own files have fewer than ten.
MAX_DEPTH = 64
#: Bytes of a file.
MAX_BYTES = 1 << 28
_INTEGERS = (-(1 << 63), (1 << 64) - 1)


def read_json(path, what: str = "", *, finite: bool = True) -> Any:
    """Return the value in the JSON file at ``path``; ``what`` precedes its name in a sentence.

    Raises :class:`UserError` if it cannot be read, or as :func:`parse_json` does.
    """
    where = f"{what} {path}" if what else str(path)
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{where} must be at most {MAX_BYTES} bytes, which it is not")
    return parse_json(data, where, finite=finite)


def parse_json(text: str | bytes, where: str, *, finite: bool = True) -> Any:
    """Return the value of a JSON text: dicts, lists, strings, numbers, booleans and None.

    Parameters
    ----------
    text
        The text, or its bytes in UTF-8, with a byte order mark or without.
    where
        What the text is: the subject of a sentence.
    finite
        False accepts ``NaN``, ``Infinity`` and ``-Infinity``, which Python writes and JSON has not.

    Raises
    ------
    UserError
        If it is not JSON; if a name comes twice in an object; if it is nested deeper than
        ``MAX_DEPTH``; if an integer has more than 64 bits, or a number is not finite; if a string
        has a NUL or half a surrogate pair in it, which no file's name and no terminal takes.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_finite if finite else float,
            parse_constant=_constant if finite else float,
        )
        _check(value, escapes="\\u" in text)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where} must be text in UTF-8, which its byte {error.start} is not"
        ) from None
    except RecursionError:
        raise UserError(f"{where} must be JSON, which it is not: {_TOO_DEEP}") from None
    except ValueError as error:
        raise UserError(f"{where} must be JSON, which it is not: {error}") from None
    return value


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        left = iter(made)  # the names, each once: the first that is out of step came before
        twice = next(name for name, _ in pairs if name != next(left, None))
        raise ValueError(f"name {_short(twice)} twice in an object")
    return made


def _short(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "…")


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 20 else _INTEGERS[1] + 1
    if not _INTEGERS[0] <= value <= _INTEGERS[1]:
        raise ValueError(f"integer {_short(text)} of more than 64 bits")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"number {_short(text)} beyond float64")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _check(value: Any, escapes: bool) -> None:
    """Check levels without recursion; ``escapes`` : whether strings can hold odd characters."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        nested = False
        for one in level:
            if isinstance(one, dict):
                nested = True
                below += one.values()
                if escapes:
                    below += one
            elif isinstance(one, list):
                nested = True
                below += one
            elif escapes and isinstance(one, str):
                _check_string(one)
        level, depth = below, depth + nested
        if depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)


def _check_string(text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"string {_short(text)} with a character that is no text")
