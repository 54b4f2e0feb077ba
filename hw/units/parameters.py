"""Parameters of components: checked when they are given, read-only afterwards."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

__all__ = ["Flag", "Integer", "Items", "Parameter"]

T = TypeVar("T")


class Parameter(Generic[T]):
    """Read-only attribute of a component that must be of one type.

    Declared in the class, given once by ``__init__``, before the component's own ``__init__``::

        class Counter(wiring.Component):
            limit = Integer(1)

            def __init__(self, *, limit: int):
                self.limit = limit
                super().__init__({"o_count": Out(range(limit))})

    Parameters
    ----------
    kind : type
        What it must be an instance of.
    noun : str
        The same in words, for the sentence that refuses anything else.
    """

    def __init__(self, kind: type[T], noun: str):
        self._kind, self._noun = kind, noun

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        found: Any = self if instance is None else getattr(instance, f"_{self._name}")
        return found

    def __set__(self, instance: Any, value: Any) -> None:
        if hasattr(instance, f"_{self._name}"):
            raise AttributeError(f"{self._label} cannot be changed")
        setattr(instance, f"_{self._name}", self.checked(value))

    @property
    def _label(self) -> str:
        return self._name.replace("_", " ").capitalize()

    def refuse(self, error: type[Exception], value: Any) -> Exception:
        """Return ``error`` with the sentence that says what the parameter must be."""
        return error(f"{self._label} must be {self._noun}, not {value!r}")

    def checked(self, value: Any) -> T:
        """Return ``value`` as it is kept.

        Raises
        ------
        TypeError
            If its type is not the parameter's.
        """
        if not isinstance(value, self._kind):
            raise self.refuse(TypeError, value)
        return value


class Flag(Parameter[bool]):
    """Read-only attribute of a component that is True or False."""

    def __init__(self):
        super().__init__(bool, "True or False")


class Integer(Parameter[int]):
    """Read-only attribute of a component that is an integer from ``low`` to ``high``.

    ``high`` is None where there is no limit.
    """

    def __init__(self, low: int, high: int | None = None):
        self._low, self._high = low, high
        unlimited = {0: "a non-negative integer", 1: "a positive integer"}
        limited = f"an integer from {low} to {high}"
        super().__init__(
            int,
            limited if high is not None else unlimited.get(low, f"an integer of at least {low}"),
        )

    def checked(self, value: Any) -> int:
        """Return ``value``; refuse what is no integer, then what is out of range."""
        if isinstance(value, bool):
            raise self.refuse(TypeError, value)
        if super().checked(value) < self._low or (self._high is not None and value > self._high):
            raise self.refuse(ValueError, value)
        return value


class Items(Parameter[tuple[T, ...]]):
    """Read-only attribute of a component that is a tuple of things of one type, one at least."""

    def __init__(self, kind: type[T], noun: str):
        super().__init__(tuple, f"a sequence of one or more {noun}")
        self._item = kind

    def checked(self, value: Any) -> tuple[T, ...]:
        """Return ``value`` as a tuple; refuse other types, then an empty sequence."""
        if not isinstance(value, Iterable):
            raise self.refuse(TypeError, value)
        items = tuple(value)
        if not all(isinstance(item, self._item) for item in items):
            raise self.refuse(TypeError, value)
        if not items:
            raise self.refuse(ValueError, value)
        return items
