"""Splits a store between memories: which of its tensors lie in which, and what that takes.

Tensors of one memory share its words as they share a store's, so each memory is as deep as the rows
that live at once in it. A memory has the read ports that its tensors are read by: what the engine
alone reads is kept once, and not once for the post-processor, too.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from bitformer.hw.families.family import Family
from bitformer.hw.lowering.allocate import MemoryBlock, allocate
from bitformer.hw.lowering.place import placed, places_of, taken
from bitformer.hw.memory import SPLIT, StorePart, StoreSpec
from bitformer.hw.timetable import Event

__all__ = ["Lie", "Splitter", "readers"]

#: States that a search looks at, at most.
_TRIES = 600
#: Ways that are handed on, at most.
_MOST = 48

#: Block RAMs, LUTs as memory, and all LUTs.
Taken = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Lie:
    """A way in which a store's rows lie: its memories, and the word at which each row begins."""

    spec: StoreSpec
    addresses: Mapping[tuple[str, int], int]


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """Tensors of a store that lie together: where they may, and the ports that read them."""

    tensors: tuple[str, ...]
    kinds: tuple[str, ...]
    ports: tuple[int, ...]


_Key = TypeVar("_Key")
#: The kind of each unit, and the kinds of which units of the same ports have memories of their own.
_State = tuple[tuple[str, ...], frozenset[str]]


def readers(events: Iterable[Event]) -> dict[str, set[int]]:
    """Return the ports that read each tensor: 0 the engine's, 1 the post-processor's."""
    found: dict[str, set[int]] = {}
    for event in events:
        for read in event.row.reads:
            found.setdefault(read.tensor, set()).add(int(read.post))
    return found


@dataclass(frozen=True, kw_only=True)
class Splitter:
    """A store whose tensors may lie in several memories.

    Parameters
    ----------
    free : the store as one memory, not placed.
    blocks : its rows.
    asked : where the store's tensors are to lie, as far as that is asked for.
    store : the same of the others, which lie together.
    ports : read ports of each tensor; of a store with one port, that.
    family : of the part.
    by_size : as of :func:`bitformer.hw.lowering.allocate.allocate`.
    """

    free: StoreSpec
    blocks: Sequence[MemoryBlock]
    asked: Mapping[str, str]
    store: str
    ports: Mapping[str, set[int]]
    family: Family
    by_size: bool = False
    _depths: dict[tuple[int, ...], int] = field(default_factory=dict, init=False)

    @cached_property
    def _units(self) -> tuple[_Unit, ...]:
        names = dict.fromkeys(block.key[0] for block in self.blocks)
        groups: list[tuple[tuple[str, ...], str]] = [
            ((name,), self.asked[name]) for name in names if name in self.asked
        ]
        if rest := tuple(name for name in names if name not in self.asked):
            groups.append((rest, self.store))
        return tuple(
            _Unit(
                tensors=tensors,
                kinds=places_of(self.free, kind, self.family),
                ports=self._ports(tensors),
            )
            for tensors, kind in groups
        )

    def _ports(self, tensors: Iterable[str]) -> tuple[int, ...]:
        if self.free.read_ports == 1:
            return (0,)
        return tuple(sorted(set().union(*(self.ports.get(name, {0}) for name in tensors))))

    @cached_property
    def _alive(self) -> np.ndarray:
        """Words of each unit that live when each row is written: [units, rows]."""
        times = np.array(sorted({block.lives.write for block in self.blocks}))
        numbers = {name: n for n, unit in enumerate(self._units) for name in unit.tensors}
        found = np.zeros((len(self._units), len(times)), dtype=np.int64)
        for block in self.blocks:
            alive = (times >= block.lives.write) & (times <= block.lives.read)
            found[numbers[block.key[0]]] += block.words * alive
        return found

    def _about(self, units: tuple[int, ...]) -> int:
        """Return the words that units need, where no gap is between them."""
        if units not in self._depths:
            self._depths[units] = int(self._alive[list(units)].sum(axis=0).max())
        return self._depths[units]

    def _groups(self, state: _State) -> list[tuple[int, ...]]:
        """Return the numbers of the units in each memory."""
        kinds, divided = state
        found: dict[tuple, list[int]] = {}
        for number, (kind, unit) in enumerate(zip(kinds, self._units, strict=True)):
            key = (kind, unit.ports if kind in divided else ())
            found.setdefault(key, []).append(number)
        return [tuple(units) for units in found.values()]

    def _tensors(self, units: Iterable[int]) -> tuple[str, ...]:
        return tuple(name for number in units for name in self._units[number].tensors)

    def _spec(self, memories: Iterable[tuple[str, tuple[str, ...], int]]) -> StoreSpec:
        """Return the store in memories, each of a kind, for tensors, of so many words."""
        specs = [
            (
                self._ports(tensors),
                tensors,
                placed(replace(self.free, depth=depth), kind, self.family),
            )
            for kind, tensors, depth in memories
        ]
        if len(specs) == 1:
            return specs[0][2]
        parts, end = list[StorePart](), 0
        found = [
            StorePart(base=0, spec=replace(spec, read_ports=len(ports)), ports=ports, tensors=names)
            for ports, names, spec in specs
        ]
        for part in sorted(found, key=lambda one: -one.spec.depth):
            parts.append(replace(part, base=-(-end // part.span) * part.span))
            end = parts[-1].end
        return replace(self.free, depth=end, placement=SPLIT, parts=tuple(parts))

    def _cost(self, state: _State) -> Taken:
        """Return about what a state takes."""
        memories = (
            (state[0][units[0]], self._tensors(units), self._about(units))
            for units in self._groups(state)
        )
        return taken(self._spec(memories), self.family, granules=True)

    def _variants(self, kinds: tuple[str, ...]) -> Iterator[_State]:
        """Yield the states of units in these kinds, those of fewer memories first."""
        ports: dict[str, set[tuple[int, ...]]] = {}
        for kind, unit in zip(kinds, self._units, strict=True):
            ports.setdefault(kind, set()).add(unit.ports)
        several = [kind for kind, found in ports.items() if len(found) > 1]
        for count in range(len(several) + 1):
            for divided in itertools.combinations(several, count):
                yield kinds, frozenset(divided)

    def _front(self) -> list[_State]:
        """Return states of which none takes less than another in all: found by moving units."""
        todo = [tuple(unit.kinds[end] for unit in self._units) for end in (0, -1)]
        seen, kept = set(todo), dict[_State, Taken]()
        while todo and len(seen) < _TRIES:
            kinds, new = todo.pop(0), False
            for state in self._variants(kinds):
                new |= _keep(kept, state, self._cost(state))
            if not new:
                continue
            for number, unit in enumerate(self._units):
                for kind in unit.kinds:
                    moved = (*kinds[:number], kind, *kinds[number + 1 :])
                    if moved not in seen:
                        seen.add(moved)
                        todo.append(moved)
        return list(kept)

    def ways(self) -> list[Lie]:
        """Return those as one memory, if that is asked for, and others that are worth a choice."""
        whole, kept = self._in_one(), dict[int, Taken]()
        found = [*whole, *map(self._lie, self._front())]
        for number, lie in enumerate(found):
            _keep(kept, number, taken(lie.spec, self.family, granules=True))
        others = sorted(number for number in kept if number >= len(whole))
        return [*whole, *(found[number] for number in others[:_MOST])]

    def _in_one(self) -> list[Lie]:
        """Return the ways in which all lies in one memory, as it does where nothing is asked."""
        kinds = [
            kind for kind in self._units[0].kinds if all(kind in unit.kinds for unit in self._units)
        ]
        return [self._lie(((kind,) * len(self._units), frozenset())) for kind in kinds]

    def _lie(self, state: _State) -> Lie:
        return self.lie((state[0][units[0]], self._tensors(units)) for units in self._groups(state))

    def lie(self, memories: Iterable[tuple[str, tuple[str, ...]]]) -> Lie:
        """Return the way in which the tensors of each memory, of a kind, share its words."""
        own = []
        for kind, tensors in memories:
            rows = [block for block in self.blocks if block.key[0] in tensors]
            depth = allocate(rows, by_size=self.by_size)
            places = {key: at for block in rows for key, at in block.addresses.items()}
            own.append((kind, tensors, depth, places))
        spec = self._spec(one[:3] for one in own)
        bases = {name: part.base for part in spec.parts for name in part.tensors}
        addresses = {
            key: at + bases.get(key[0], 0) for *_, places in own for key, at in places.items()
        }
        return Lie(spec=spec, addresses=addresses)


def _keep(kept: dict[_Key, Taken], key: _Key, cost: Taken) -> bool:
    """Keep what takes less than all that is kept in something, and no longer what takes more."""
    if any(all(a <= b for a, b in zip(one, cost, strict=True)) for one in kept.values()):
        return False
    more = [n for n, one in kept.items() if all(a <= b for a, b in zip(cost, one, strict=True))]
    for other in more:
        del kept[other]
    kept[key] = cost
    return True
