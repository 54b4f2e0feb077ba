"""Plain data: every annotation that a class of ours has takes what it says, and nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.plain import built, checked, shown


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int

    def __post_init__(self):
        if self.size < 0:
            raise UserError(f"size must not be negative, but is {self.size}")
        if self.size > 99:
            raise TrainingDivergedError("size is lost")


class Facts(TypedDict):
    name: str
    board: NotRequired[str]


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = Inner(size=1)
    more: Mapping[str, Inner] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    made: int = field(init=False, default=0)


#: Annotation -> what it takes, and what becomes of it; and what it refuses, with the words.
TAKEN: list[tuple[Any, object, object]] = [
    (int, 3, 3),
    (float, 3, 3),
    (float, 0.5, 0.5),
    (str, "", ""),
    (bool, False, False),
    (None | int, None, None),
    (int | None, 4, 4),
    (int | str, "x", "x"),
    (Literal["a", 1], 1, 1),
    (list[int], [1, 2], [1, 2]),
    (tuple[str, ...], ["a"], ("a",)),
    (Sequence[float], [1, 2.5], [1, 2.5]),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Mapping[str, list[bool]], {"a": [True]}, {"a": [True]}),
    (Inner, {"size": 3}, Inner(size=3)),
    (Inner | None, {"size": 3}, Inner(size=3)),
    (Facts, {"name": "x"}, {"name": "x"}),
    (Facts, {"name": "x", "board": "b"}, {"name": "x", "board": "b"}),
    (Any, [None], [None]),
]
REFUSED: list[tuple[Any, object, str]] = [
    (int, True, "it must be an integer, not True"),
    (int, 3.0, "it must be an integer, not 3.0"),
    (int, "3", "it must be an integer, not '3'"),
    (float, True, "it must be a number, not True"),
    (float, None, "it must be a number, not None"),
    (str, 3, "it must be text, not 3"),
    (bool, 1, "it must be true or false, not 1"),
    (int | None, "x", "it must be an integer, not 'x'"),
    (Literal["a", 1], True, r"it must be one of ('a', 1), not True"),
    (Literal["a", 1], [], r"it must be one of ('a', 1), not []"),
    (list[int], "ab", "it must be a list, not 'ab'"),
    (list[int], {"0": 1}, "it must be a list, not {'0': 1}"),
    (tuple[int, ...], [1, None], "it [1] must be an integer, not None"),
    (dict[str, int], [["a", 1]], "it must be an object, not [['a', 1]]"),
    (dict[str, int], {"a": {}}, "it: a must be an integer, not {}"),
    (Inner, {"size": -1}, "it: size must not be negative, but is -1"),
    (Inner | None, {"size": "x"}, "it: size must be an integer, not 'x'"),
    (Inner, [], "it must be an object, not []"),
    (Facts, {}, "it must have a field 'name', which is missing"),
    (Facts, {"name": "x", "link": 1}, "it has an unknown field 'link'"),
    (Outer, {"name": "x", "made": 1}, "it has an unknown field 'made'"),
    (Outer, {"name": "x", "inner": {}}, "it: inner must have a field 'size', which is missing"),
    (Outer, {"name": "x", "more": {"a": {"size": 1.0}}}, "it: more: a: size must be an integer"),
]


@pytest.mark.parametrize(("kind", "value", "made"), TAKEN)
def test_what_an_annotation_takes(kind, value, made):
    found = checked(kind, value, "it")
    assert found == made
    assert type(found) is type(made)


@pytest.mark.parametrize(("kind", "value", "sentence"), REFUSED)
def test_what_it_refuses(kind, value, sentence):
    with pytest.raises(UserError, match="^" + re.escape(sentence)):
        checked(kind, value, "it")


def test_a_whole_object():
    data = {"name": "x", "inner": {"size": 2}, "more": {"a": {"size": 3}}, "sizes": [1]}
    made = Outer(name="x", inner=Inner(size=2), more={"a": Inner(size=3)}, sizes=(1,))
    assert built(Outer, data, "it") == made


def test_a_class_that_refuses_does_so_as_itself():
    with pytest.raises(TrainingDivergedError, match=r"^it: size is lost$"):
        built(Inner, {"size": 100}, "it")


@pytest.mark.parametrize("value", ["x" * 10**6, [list(range(10**5))] * 9, 10**400, {"a": "\x1b"}])
def test_what_is_shown_is_short_and_plain(value):
    text = shown(value)
    assert len(text) < 300
    assert text.isprintable()
