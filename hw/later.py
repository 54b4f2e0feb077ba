"""Fields that came after the first designs: nothing is said of one at its default.

So what is derived of designs without them, hashes that bitstreams carry among it, is what it was.
"""

from dataclasses import fields
from typing import Any

__all__ = ["said", "shown"]


def said(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without later ones that are their default."""
    named = [(field, getattr(value, field.name)) for field in fields(value)]
    return {f.name: one for f, one in named if "later" not in f.metadata or one != f.default}


def shown(value: Any) -> str:
    """Return the ``repr`` of a dataclass, of the fields that are :func:`said`."""
    of = said(value)
    parts = (
        f"{field.name}={of[field.name]!r}"
        for field in fields(value)
        if field.name in of and field.repr
    )
    return f"{type(value).__qualname__}({', '.join(parts)})"
