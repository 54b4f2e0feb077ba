"""Plain data that is kept: read as it was written, or not at all."""

import json
import math

import pytest

from bitformer.model.errors import UserError
from bitformer.model.sealed_json import digest_of, read_sealed, write_sealed


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "kept.json"
    data = {"b": (1, 2.5), "a": {"lost": math.inf, "none": None}, 3: "ü"}
    plain = write_sealed(path, data)
    assert plain == {"b": [1, 2.5], "a": {"lost": math.inf, "none": None}, "3": "ü"}
    assert read_sealed(path) == plain


def test_the_digest_is_of_content(tmp_path):
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 1.5})


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data | {"a": 2},
        lambda data: data | {"b": 1},
        lambda data: {name: value for name, value in data.items() if name != "sha256"},
        lambda data: {"sha256": data["sha256"]},
        lambda data: [data],
    ],
)
def test_what_was_changed_does_not_count(tmp_path, change):
    path = tmp_path / "kept.json"
    write_sealed(path, {"a": 1})
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(UserError, match="must be as it was written, which it is not"):
        read_sealed(path)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_sealed(tmp_path / "none.json")
