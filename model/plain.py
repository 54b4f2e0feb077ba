"""Plain data from JSON, checked by the annotations of a class and made into it.

Names and types of fields are checked here, whatever the class; all else is the class's own check.
"""

import dataclasses
import functools
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from bitformer.model.errors import UserError

__all__ = ["FOLLOWS", "built", "checked", "partly", "shown"]

T = TypeVar("T")

#: Default of a field that follows from others until it is given: of the field's type once it does.
FOLLOWS: Any = None

_WORDS: dict[object, str] = {
    int: "an integer",
    float: "a number",
    str: "text",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 60, 60, 40


def shown(value: object) -> str:
    """Return a short form of any value for a sentence."""
    return _SHORT.repr(value)


def built(kind: type[T], data: object, where: str) -> T:
    """Make an instance of the dataclass ``kind`` of ``data``, an object of JSON.

    Every field must have the type of its annotation: ``int`` (no boolean), ``float`` (or an
    integer), ``str``, ``bool``, ``None``, a ``Literal``, a union, a mapping by strings, a sequence,
    another dataclass, a ``TypedDict``, or ``Any``. ``where`` begins the sentence of a mistake.

    Raises
    ------
    UserError
        For a field that is unknown, missing or of another type, and as ``kind`` does.
    """
    found = _fields(data, where, *_annotations(typing.cast(Any, kind)))
    try:
        return kind(**found)
    except UserError as error:
        raise type(error)(f"{where}: {error}") from None


def checked(kind: Any, value: Any, where: str) -> Any:
    """Return ``value``, which must be as annotation ``kind`` says; make dataclasses of objects."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object:
        return value
    if dataclasses.is_dataclass(kind):
        return built(typing.cast(type, kind), value, where)
    if typing.is_typeddict(kind):
        return _fields(value, where, *_annotations(kind))
    if origin in (typing.Union, types.UnionType):
        return _one_of(inside, value, where)
    if origin is typing.Literal:
        if not any(value == one and type(value) is type(one) for one in inside):
            raise UserError(f"{where} must be one of {inside}, not {shown(value)}")
        return value
    if origin in (dict, Mapping):
        _typed(dict, value, where)
        return {name: checked(inside[1], one, f"{where}: {name}") for name, one in value.items()}
    if origin in (list, tuple, Sequence):
        _typed(list, value, where)
        made = [checked(inside[0], one, f"{where} [{n}]") for n, one in enumerate(value)]
        return tuple(made) if origin is tuple else made
    _typed(kind, value, where)
    return value


def partly(kind: Any, data: object, where: str) -> dict[str, Any]:
    """Return ``data``, an object whose fields must be as ``kind``, a ``TypedDict``, says.

    Fields that ``kind`` does not know may hold anything. No field is made into another type.
    """
    _typed(dict, data, where)
    found = typing.cast(dict[str, Any], data)
    known, needed = _annotations(kind)
    _fields({name: found[name] for name in found if name in known}, where, known, needed)
    return found


def _typed(kind: Any, value: Any, where: str) -> None:
    if kind is float and type(value) is int:
        return
    if type(value) is not kind and not (kind is dict and isinstance(value, Mapping)):
        word = _WORDS.get(kind) or f"a {kind.__name__}"
        raise UserError(f"{where} must be {word}, not {shown(value)}")


def _one_of(kinds: tuple, value: object, where: str) -> Any:
    """Return the value as the first of ``kinds`` that takes it; the last one refuses it."""
    if value is None and type(None) in kinds:
        return None
    rest = [kind for kind in kinds if kind is not type(None)]
    for kind in rest[:-1]:
        try:
            return checked(kind, value, where)
        except UserError:
            continue
    return checked(rest[-1], value, where)


@functools.cache
def _annotations(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the types of fields that may be given, and the names of those that must be."""
    found = typing.get_type_hints(kind)
    if typing.is_typeddict(kind):
        return found, vars(kind)["__required_keys__"]
    own = [one for one in dataclasses.fields(kind) if one.init]
    missing = dataclasses.MISSING
    needed = {one.name for one in own if one.default is one.default_factory is missing}
    return {one.name: found[one.name] for one in own}, frozenset(needed)


def _fields(
    data: Any, where: str, known: Mapping[str, Any], needed: frozenset[str]
) -> dict[str, Any]:
    _typed(dict, data, where)
    for name in data:
        if name not in known:
            raise UserError(f"{where} has an unknown field {shown(name)}")
    for name in known:
        if name in needed and name not in data:
            raise UserError(f"{where} must have a field {name!r}, which is missing")
    return {name: checked(known[name], value, f"{where}: {name}") for name, value in data.items()}
