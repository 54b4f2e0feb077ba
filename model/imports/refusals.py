"""What the hardware has no unit for, by its name elsewhere, and what would replace it."""

from collections.abc import Mapping
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["ACTIVATIONS", "check_activation", "check_fields", "rotary"]

#: Functions between the two layers of a feed-forward network.
ACTIVATIONS = ("relu", "gelu")


def check_activation(what: str, name: object) -> None:
    """Raise :class:`UserError` for a function that has no unit."""
    if name not in ACTIVATIONS:
        raise UserError(
            f"{what} must be relu or gelu (the exact one), not {shown(name)}, which the hardware"
            " has no unit for: change it to gelu and train on for some epochs"
        )


def rotary(what: str) -> UserError:
    """Return the refusal of positions that turn queries and keys."""
    return UserError(
        f"{what} must be a table that is added to the tokens, not rotary: the hardware has no unit"
        " that turns queries and keys; train with a learned or a sinusoidal table"
    )


def check_fields(
    where: str,
    fields: Mapping[str, Any],
    allowed: Mapping[str, tuple[tuple[Any, ...], str]],
) -> None:
    """Raise :class:`UserError` for a field with another value than the ``allowed`` ones.

    ``allowed`` has for each field the values, and what would replace all others.
    """
    for name, (values, instead) in allowed.items():
        value = fields[name]
        if any(value == one and type(value) is type(one) for one in values):
            continue
        choices = " or ".join(map(repr, values))
        raise UserError(f"{where}: {name} must be {choices}, not {shown(value)}: {instead}")
