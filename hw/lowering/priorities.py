"""Which row goes first: what the scheduler prefers, row by row, and how a search changes it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitformer.hw.timetable import RowTask, Schedule

__all__ = ["Priorities"]

#: More cycles than any inference takes.
_NEVER = 1 << 40

#: Rows in a run whose priorities change together, at most; the last stands for a whole layer.
_RUNS = (2, 4, 8, 12, 1 << 16)
#: Cycles by which a row may be issued earlier or later than another.
_CYCLES = (-16, -8, -4, -2, 2, 4, 8, 16)
#: The share of changes that are of cycles, and the spread of those of ranks.
_OF_CYCLES, _SPREAD = 0.1, 12.0


@dataclass(frozen=True, kw_only=True)
class Priorities:
    """What decides between rows that could be issued, by the tensor that they write.

    Parameters
    ----------
    early : mapping of str to tuple of int
        Cycles, one a row: of two rows the one goes first whose earliest issue less these is lower.
    ranks : mapping of str to tuple of float
        One a row: of rows that are equal in this, the highest goes first.
    """

    early: Mapping[str, tuple[int, ...]]
    ranks: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, layers: Mapping[str, Sequence[RowTask]], ranks: Mapping[str, float]):
        """Return those of layers whose rows have a rank in common."""
        return cls(
            early={name: (0,) * len(rows) for name, rows in layers.items()},
            ranks={name: (float(ranks[name]),) * len(rows) for name, rows in layers.items()},
        )

    @classmethod
    def following(
        cls, order: Schedule, layers: Mapping[str, Sequence[RowTask]]
    ) -> "Priorities | None":
        """Return those that issue the rows of layers in an order; None if it has other rows."""
        places: dict[str, list[int]] = {name: [] for name in layers}
        for place, event in enumerate(order.events):
            places.setdefault(event.row.tensor, []).append(place)
        if any(len(own) != len(layers.get(name, ())) for name, own in places.items()):
            return None
        return cls(
            early={name: tuple(-_NEVER * n for n in own) for name, own in places.items()},
            ranks={name: (0.0,) * len(own) for name, own in places.items()},
        )

    def key(self, name: str, row: int, issue: int) -> tuple[float, float]:
        """Return what is least of the row that goes first; ``issue`` is its earliest cycle."""
        return issue - self.early[name][row], -self.ranks[name][row]

    def changed(self, chance: random.Random) -> "Priorities":
        """Return others that differ in one run of rows, chosen by ``chance``."""
        name = chance.choice([name for name, rows in self.ranks.items() for _ in rows])
        rows = self.ranks[name]
        row = chance.randrange(len(rows))
        run = range(row, min(len(rows), row + chance.choice(_RUNS)))
        if chance.random() < _OF_CYCLES:
            by = chance.choice(_CYCLES)
            own = tuple(n + by * (k in run) for k, n in enumerate(self.early[name]))
            return Priorities(early={**self.early, name: own}, ranks=self.ranks)
        rank = chance.gauss(0, _SPREAD)
        other = tuple(n + rank * (k in run) for k, n in enumerate(rows))
        return Priorities(early=self.early, ranks={**self.ranks, name: other})
