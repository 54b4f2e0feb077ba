"""JSON from outside: plain data are read, anything else is one sentence."""

import json

import pytest

from bitformer.model import strict_json
from bitformer.model.errors import UserError
from bitformer.model.strict_json import MAX_DEPTH, parse_json, read_json


def nested(depth, inside=""):
    return "[" * depth + inside + "]" * depth


PLAIN = {
    "object": (
        '{"a": [1, 2.5, "x", true, null], "b": {}}',
        {"a": [1, 2.5, "x", True, None], "b": {}},
    ),
    "scalar": ("-7", -7),
    "float": ("1e300", 1e300),
    "byte order mark": ("\ufeff[]", []),
    "letters": ('["höhe", "\\u00e9", "\\ud83d\\ude00"]', ["höhe", "é", "😀"]),
    "the largest integers": (f"[{-(1 << 63)}, {(1 << 64) - 1}]", [-(1 << 63), (1 << 64) - 1]),
    "same names apart": ('{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
}


@pytest.mark.parametrize(("text", "value"), PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("finite", [True, False])
def test_what_is_plain_is_read(tmp_path, text, value, finite):
    assert parse_json(text, "it", finite=finite) == value
    assert parse_json(text.encode(), "it", finite=finite) == value
    (tmp_path / "f.json").write_text(text, encoding="utf-8")
    assert read_json(tmp_path / "f.json", finite=finite) == value


REFUSED = {
    "no JSON": ("{", "must be JSON, which it is not: Expecting property name"),
    "nothing": ("", "must be JSON, which it is not: Expecting value"),
    "more after it": ("1 2", "must be JSON, which it is not: Extra data"),
    "twice": (
        '{"a": 1, "b": 2, "a": 1}',
        "must be JSON, which it is not: name 'a' twice in an obj",
    ),
    "twice, the second": ('{"a": 1, "b": 2, "b": 1}', "name 'b' twice in an object"),
    "twice, inside": ('[{"x": {"ä": 1, "\\u00e4": 2}}]', r"name '\\xe4' twice in an object"),
    "a long name twice": (f'{{"{"n" * 90}": 1, "{"n" * 90}": 1}}', r"name 'n{40}\\u2026' twice"),
    "NaN": ('{"a": NaN}', "NaN is no number"),
    "infinity": ("[-Infinity]", "-Infinity is no number"),
    "beyond float64": ("[1e400]", "number '1e400' beyond float64"),
    "65 bits": (str(1 << 64), "integer '18446744073709551616' of more than 64 bits"),
    "65 bits, negative": (str(-(1 << 63) - 1), "integer '-9223372036854775809' of more"),
    "more digits than Python converts": ("9" * 5000, r"integer '9{40}\\u2026' of more than 64"),
    "half a pair": ('["\\ud800"]', r"string '\\ud800' with a character that is no text"),
    "half a pair, the other": ('[["\\udc00x"]]', "with a character that is no text"),
    "half a pair as a name": ('{"\\uDC00": 1}', "with a character that is no text"),
    "NUL": ('"a\\u0000b"', r"string 'a\\x00b' with a character that is no text"),
    "a level too many": (nested(MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH} levels"),
    "objects within": ('{"a":' * 65 + "1" + "}" * 65, "nested deeper than 64 levels"),
    "nested without end": (nested(100_000), "nested deeper than 64 levels"),
    "nested, open": ("[" * 100_000, "must be JSON, which it is not: "),
    "objects, open": ('{"a":' * 100_000, "must be JSON, which it is not: "),
    "Latin-1": ('["höhe"]'.encode("latin-1"), "must be text in UTF-8, which its byte 3 is not"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "must be text in UTF-8, which its byte 0 is not"),
    "a surrogate in bytes": (b'["\xed\xa0\x80"]', "must be text in UTF-8, which its byte 2 is"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(text, said):
    with pytest.raises(UserError, match=rf"^The list in m\.json .*{said}"):
        parse_json(text, "The list in m.json")


def test_what_the_project_writes_of_a_failure_is_read_where_it_is_expected():
    value = parse_json("[Infinity, -Infinity, NaN, 1e400]", "it", finite=False)
    assert str(value) == "[inf, -inf, nan, inf]"


@pytest.mark.parametrize("depth", [1, MAX_DEPTH])
@pytest.mark.parametrize("inside", ["", "1", '"a"'])
def test_what_is_nested_no_deeper_is_read(depth, inside):
    text = nested(depth, inside)
    assert parse_json(text, "it") == json.loads(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "gone.json"
    with pytest.raises(UserError, match=r"^Config file .*gone\.json cannot be read: No such file"):
        read_json(path, "Config file")
    with pytest.raises(UserError, match=r"^/.* cannot be read: Is a directory$"):
        read_json(tmp_path)


def test_a_file_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(strict_json, "MAX_BYTES", 100)
    path = tmp_path / "long.json"
    path.write_text(" " * 99 + "1")
    assert read_json(path) == 1
    path.write_text(" " * 100 + "1")
    with pytest.raises(UserError, match=r"long\.json must be at most 100 bytes, which it is not$"):
        read_json(path)
