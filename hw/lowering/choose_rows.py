"""How many token rows and post-processors an engine has, where a design leaves that open."""

from collections.abc import Callable

from bitformer.hw.design import Design
from bitformer.hw.lowering.place import crowding
from bitformer.hw.lowering.soft_columns import AUTO, room
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError

__all__ = ["asked_rows"]

#: Token rows that are tried, and post-processors for each: powers of two.
_ROWS = (1, 2, 4, 8)
#: A further row or post-processor must save this share of the cycles.
_WORTH = 0.01


def asked_rows(
    rows: int | str, posts: int, lower_with: Callable[[int, int], Design]
) -> tuple[int, int]:
    """Return the token rows and post-processors that are asked for.

    With ``auto`` rows they are those of the design of fewest cycles that fits its part, or is least
    over, among those that ``lower_with`` lowers with so many rows and post-processors. Then
    ``posts`` above 1 are kept. Raises :class:`UserError` for what is neither a number nor ``auto``.
    """
    if rows != AUTO:
        if type(rows) is not int:
            raise UserError(f"rows must be {AUTO} or a power of two, not {rows!r}")
        return rows, posts
    found: list[tuple[tuple[float, ...], tuple[int, int]]] = []
    for count in _ROWS:
        for own in [one for one in _ROWS if one <= count] if posts == 1 else [posts]:
            try:
                design = lower_with(count, own)
            except UserError:
                if count == own == 1:
                    raise
                continue
            found.append((_value(design, count + own), (count, own)))
    if not found:
        raise UserError(f"posts must be at most the rows of a model's engine, not {posts}")
    return min(found)[1]


def _value(design: Design, units: int) -> tuple[float, ...]:
    """Return what is least of the best design: what is too much of it, then its cycles."""
    part = PARTS[design.part]
    multipliers = max(0, design.geometry.dsps - part.dsps)
    memories = crowding(design.stores.values(), part)[0]
    return multipliers, memories, max(0, -room(design)), design.latency * (1 + _WORTH * units)
