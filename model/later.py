"""Fields that came after the first models and designs: nothing is said of one at its default.

So what is derived of those that do without them is what it was: files, and the hashes that models
and bitstreams carry.
"""

from dataclasses import field, fields
from typing import Any

__all__ = ["later", "said", "shown"]


def later(default: Any) -> Any:
    """Return such a field of a dataclass; ``default`` is a number, a truth value or None."""
    return field(default=default, metadata={"later": True})


def said(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without later ones that are their default."""
    named = [(f, getattr(value, f.name)) for f in fields(value)]
    return {f.name: one for f, one in named if "later" not in f.metadata or one != f.default}


def shown(value: Any) -> str:
    """Return the ``repr`` of a dataclass, of the fields that are :func:`said`."""
    of = said(value)
    parts = (f"{f.name}={of[f.name]!r}" for f in fields(value) if f.name in of and f.repr)
    return f"{type(value).__qualname__}({', '.join(parts)})"
