"""Ways to damage a file: bytes, lines, cells, JSON values, and what stands in the file's place.

Each function takes a ``random.Random`` and what is to be damaged, and returns what is left of it.
"""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = [
    "VALUES",
    "Damage",
    "damaged_bytes",
    "damaged_json",
    "damaged_table",
    "damaged_text",
    "encoded",
    "stand_in",
]

#: What is left of a file's content, drawn at random.
Damage = Callable[[random.Random, bytes], bytes]

#: JSON values that no reader may take for granted: each type, and the odd ones of each.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2.0, 1e30, -1e308, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0),
    *(float("nan"), float("inf"), float("-inf")),
    *("", "0", "x", "../../../escaped/x", "/escaped", "a\nb", "\x1b[31m", "\u202e", "é" * 300),
    *("nul\0nul", "half \ud800", "-", "-o", "%s", "{0}", "x" * 100_000),
    *([], [[]], {}, [None], {"": ""}, [1, 2, 3], {"op": {}}, ["a", 1, None], {"weights": 4}),
)


def _pick(rng: random.Random, data: bytes) -> tuple[int, int]:
    """A span, short as a rule."""
    start = rng.randrange(len(data) + 1)
    longest = rng.choice((1, 2, 8, 64, len(data) + 1))
    return start, min(len(data), start + rng.randrange(longest + 1))


def damaged_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bits flipped; spans lost, doubled, moved, zeroed or made of noise; the end broken off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        start, end = _pick(rng, changed)
        span = bytes(changed[start:end])
        match rng.randrange(9):
            case 0 | 1 | 2 if changed:
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            case 3:
                del changed[start:end]
            case 4:
                changed[start:start] = span * rng.choice((1, 1, 3))
            case 5:
                del changed[start:]
            case 6:
                changed[start:end] = rng.randbytes(end - start)
            case 7:
                changed[start:end] = bytes(end - start)
            case _:
                del changed[start:end]
                place = rng.randrange(len(changed) + 1)
                changed[place:place] = span
    return bytes(changed)


def encoded(rng: random.Random, data: bytes) -> bytes:
    """Text as another program may have saved it: other encodings, marks, ends of line, NULs."""
    text = data.decode("utf-8", errors="replace")
    match rng.randrange(8):
        case 0:
            return b"\xef\xbb\xbf" + data
        case 1:
            return text.encode("utf-16")
        case 2:
            return text.replace("e", "é").encode("latin-1", errors="replace")
        case 3:
            return data.replace(b"\n", b"\r\n")
        case 4:
            return data.replace(b"\n", b"\r")
        case 5:
            return data.replace(b"\n", b"\0", 1) + bytes(rng.randrange(5))
        case 6:
            return data.replace(b" ", "\u00a0".encode())
        case _:
            return text.encode("utf-32")


#: Words that take the place of a number or a name in a text.
_WORDS = (
    *("", "NaN", "inf", "-inf", "1e400", "-1", "0", "1_000", "1,5", "٣", "9" * 5000, "0x10"),
    *("--", "NA", "null", "'", '"', '"""', "\x1b[31m", "\u2028", "x" * 20_000, "1e-400", "-0"),
    *("999999999999999999999", "2024-13-45", "0001-01-01", "9999-12-31T23:59:59+14:00"),
)


def damaged_text(rng: random.Random, data: bytes) -> bytes:
    """Lines lost, doubled, swapped, joined or cut; a word replaced; or damage to the bytes."""
    how = rng.randrange(10)
    if how == 0:
        return encoded(rng, data)
    if how <= 2:
        return damaged_bytes(rng, data)
    lines = data.decode("utf-8", errors="replace").split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not lines:
            break
        one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                del lines[one]
            case 1:
                lines.insert(other, lines[one])
            case 2:
                lines[one], lines[other] = lines[other], lines[one]
            case 3:
                lines[one : one + 2] = ["".join(lines[one : one + 2])]
            case 4:
                lines[one] = lines[one][: rng.randrange(len(lines[one]) + 1)]
            case _:
                lines[one] = _another_word(rng, lines[one])
    return "\n".join(lines).encode("utf-8", errors="surrogatepass")


def _another_word(rng: random.Random, line: str) -> str:
    words = line.split(" ")
    filled = [place for place, word in enumerate(words) if word] or [0]
    words[rng.choice(filled)] = rng.choice(_WORDS)
    return " ".join(words)


def damaged_table(rng: random.Random, data: bytes, delimiter: str = ",") -> bytes:
    """A table of which cells, or a whole column or row, are not what they were."""
    if rng.randrange(3) == 0:
        return damaged_text(rng, data)
    rows = [line.split(delimiter) for line in data.decode().split("\n")]
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows)
        column = rng.randrange(len(rows[0]) or 1)
        match rng.randrange(8):
            case 0:
                for one in rows:
                    del one[column : column + 1]
            case 1:
                for one in rows:
                    one.insert(column, one[column] if column < len(one) else "")
            case 2:
                word = rng.choice(_WORDS)
                for one in rows[1:]:
                    one[column : column + 1] = [word]
            case 3:
                row.append(rng.choice(_WORDS))
            case 4:
                del row[column:]
            case 5:
                delimiter = rng.choice((";", "\t", "|", ", ", ""))
            case _:
                row[column : column + 1] = [rng.choice(_WORDS)]
    text = "\n".join(delimiter.join(row) for row in rows)
    return text.encode("utf-8", errors="surrogatepass")


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key or index) within a value, in order."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            _places(value[key], found)
    return found


def _another(rng: random.Random, value: Any) -> Any:
    """Something else in the place of a value: near it, of another type, or anything."""
    if rng.randrange(2):
        return json.loads(json.dumps(rng.choice(VALUES)))  # a copy
    match value:
        case bool() | None:
            return rng.choice((int(bool(value)), str(value), not value, None))
        case int():
            near = (value + 1, value - 1, -value, value * 2 ** rng.randrange(40), 0)
            return rng.choice((*near, float(value), str(value), [value], value == 1))
        case float():
            return rng.choice((value * 1.0001, -value, value * 1e300, str(value), int(value)))
        case str():
            return rng.choice((value + "x", value[:-1], value.upper(), [value], {value: value}))
        case list():
            shuffled = rng.sample(value, len(value))
            return rng.choice((value + value, value[:-1], dict(enumerate(value)), shuffled, "x"))
        case _:
            return rng.choice((list(value.items()), list(value), [value], str(value)))


def damaged_value(rng: random.Random, value: Any) -> Any:
    """A JSON value of which a few parts are changed, lost, renamed, moved or wrapped."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = _places(value, []) if isinstance(value, dict | list) else []
        if not places or rng.randrange(40) == 0:
            return _another(rng, value)
        inside, key = rng.choice(places)
        match rng.randrange(7):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[rng.choice((f"{key}x", "", key.upper(), "Name"))] = inside.pop(key)
            case 2:
                other, there = rng.choice(places)
                try:
                    inside[key], other[there] = other[there], inside[key]
                    json.dumps(value)
                except (KeyError, IndexError, ValueError):  # one is within the other, or gone
                    inside[key] = None
            case 3 if isinstance(inside, dict):
                inside[rng.choice(("extra", "format", "0"))] = rng.choice(VALUES[:20])
            case _:
                inside[key] = _another(rng, inside[key])
    return value


def damaged_json(rng: random.Random, data: bytes) -> bytes:
    """A JSON text: of a damaged value, ambiguous, endless, not JSON at all, or damaged bytes."""
    how = rng.randrange(20)
    if how == 0:
        return encoded(rng, data)
    if how <= 3:
        return damaged_bytes(rng, data)
    value = json.loads(data)
    match how:
        case 4:
            deep = rng.choice((100, 1_000, 100_000))
            return b"[" * deep + (b"]" * deep if rng.randrange(2) else b"")
        case 5:
            deep = rng.choice((70, 20_000))
            return b'{"a":' * deep + data + b"}" * deep
        case 6:
            return data + rng.choice((data, b"{}", b",", b"\0", b"// a remark"))
        case 7 | 8:
            return _doubled(rng, value)
        case 9:
            return rng.choice((b"", b" ", b"null", b"[]", b"{}", b"0", b'""', b"true", b"NaN"))
        case _:
            return json.dumps(damaged_value(rng, value), indent=rng.choice((None, 1))).encode()


def _doubled(rng: random.Random, value: Any) -> bytes:
    """A name twice in an object, with another value."""
    objects = [one for one in _walk(value) if isinstance(one, dict) and one]
    if not objects:
        return b'{"a": 1, "a": 2}'
    chosen = rng.choice(objects)
    name = rng.choice(list(chosen))
    chosen["\0marked"] = _another(rng, chosen[name])
    text = json.dumps(value)
    return text.replace(json.dumps("\0marked"), json.dumps(name)).encode()


def _walk(value: Any):
    yield value
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _walk(one)


def stand_in(rng: random.Random, path: Path) -> str | None:
    """Seldom, put something else in a file's place; says what, or None."""
    how = rng.randrange(60)
    if how >= 5:
        return None
    path.unlink()
    match how:
        case 0:
            path.mkdir()
            return "a directory"
        case 1:
            path.symlink_to(path.name)
            return "a loop of links"
        case 2:
            path.write_bytes(b"")
            return "an empty file"
        case 3:
            os.mkfifo(path)
            return "a pipe that nobody writes to"
        case _:
            return "nothing"
