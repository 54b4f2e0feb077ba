"""Places a design's stores, and in those that hold results each tensor where it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bitformer.hw.lowering.allocate import MemoryBlock
from bitformer.hw.lowering.asked_places import asked_places
from bitformer.hw.lowering.place import crowding, place
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.split import Lie, Splitter, readers
from bitformer.hw.memory import StoreSpec
from bitformer.hw.timetable import Schedule

__all__ = ["ResultPlaces"]

#: LUTs as memory that queues take.
_QUEUES = 64


@dataclass(frozen=True, kw_only=True)
class ResultPlaces:
    """The ways in which a design's results may lie.

    Parameters
    ----------
    plan : the choices that the rows were made from.
    blocks : the rows of each store that holds results.
    timeline : what reads them.
    specs : all memories of the design, each as one, not placed.
    placement : what is asked of stores and of results, by name.
    like : stores of another design of the same rows: where these have parts, its own has the same.
    """

    plan: Plan
    blocks: Mapping[str, Sequence[MemoryBlock]]
    timeline: Schedule
    specs: Sequence[StoreSpec]
    placement: Mapping[str, str]
    like: Mapping[str, StoreSpec]

    @cached_property
    def _asked(self) -> tuple[dict[str, str], dict[str, str]]:
        names = [spec.name for spec in self.specs]
        return asked_places(self.placement, names, self.plan.model)

    @cached_property
    def _ways(self) -> dict[str, list[Lie]]:
        """Of each store whose tensors are placed by themselves, the ways in which they may lie."""
        stores, asked = self._asked
        free = {spec.name: spec for spec in self.specs}
        found = {}
        for name, blocks in self.blocks.items():
            like = self.like[name].parts if name in self.like else ()
            if not like and not any(block.key[0] in asked for block in blocks):
                continue
            splitter = Splitter(
                free=free[name],
                blocks=blocks,
                asked=asked,
                store=stores.get(name, "auto"),
                ports=readers(self.timeline.events),
                family=self.plan.part.family,
                by_size=name == "dynamic",
            )
            same = [(part.spec.placement, part.tensors) for part in like]
            found[name] = [splitter.lie(same)] if same else splitter.ways()
        return found

    def _place(
        self, specs: Sequence[StoreSpec], ways: Mapping[str, Sequence[Lie]]
    ) -> dict[str, StoreSpec]:
        options = {name: [lie.spec for lie in lies] for name, lies in ways.items()}
        return place(specs, self.plan.part, self._asked[0], options, self._spare if ways else 0)

    @property
    def _spare(self) -> int:
        """LUTs as memory that are no store's: what delays weights on their way along the columns.

        And queues: in the designs of the knowledge base that ships these take 40 to 90.
        """
        geometry = self.plan.geometry
        return geometry.rows * geometry.hard * geometry.column_bits + _QUEUES

    def chosen(self) -> tuple[dict[str, StoreSpec], dict[str, Lie]]:
        """Return all stores, placed, and how the rows lie in those that are split."""
        stores = self._place(self.specs, self._ways)
        split = {
            name: lie
            for name, lies in self._ways.items()
            for lie in lies
            if lie.spec is stores[name] and lie.spec.parts
        }
        return stores, split

    def placed(
        self, specs: Sequence[StoreSpec], split: Mapping[str, Lie]
    ) -> tuple[dict[str, StoreSpec], bool]:
        """Return the memories of the same design with its rows so, placed, and True.

        Or none of them split, and False, where those exceed the part by more: addresses of more
        bits make the program larger.
        """
        ways = {name: [split[name]] if name in split else lies for name, lies in self._ways.items()}
        found, whole = self._place(specs, ways), self._unsplit
        if whole is None or self._over(found) <= self._over(whole):
            return found, True
        return whole, False

    def _over(self, stores: Mapping[str, StoreSpec]) -> int:
        """Return how far placed stores exceed the part's memories."""
        return crowding(stores.values(), self.plan.part, spare=self._spare, granules=True)[0]

    @cached_property
    def _unsplit(self) -> dict[str, StoreSpec] | None:
        """All stores, none of them split; None where what is asked for does not allow that."""
        whole = {
            name: [lie for lie in lies if not lie.spec.parts] for name, lies in self._ways.items()
        }
        return self._place(self.specs, whole) if all(whole.values()) else None
