"""The longest ways through a netlist's logic."""

from collections.abc import Callable, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bitformer.synth.netlist import Netlist, NetlistError
from bitformer.synth.primitives import Arc

__all__ = ["Cost", "Longest", "in_order"]

#: LUT levels, carry chains and carries of a way, and its steps that are none of these.
Cost = tuple[int, int, int, int]


class Longest:
    """The longest way to each net, by an order of costs, and the arc by which it comes.

    ``wide`` are nets that are a step. Ways begin where ``begin`` gives a net's cost; where it gives
    None, none does.
    """

    def __init__(
        self,
        incoming: Mapping[int, list[Arc]],
        nets: list[int],
        order: Callable[[Cost], Any],
        begin: Callable[[int], Cost | None],
        wide: Set[int] = frozenset(),
    ):
        self.wide, self.cost = wide, dict[int, Cost]()
        self.by: dict[int, Arc] = {}
        for net in nets:
            first = begin(net)
            if first is not None:
                self.cost[net] = first
            for arc in incoming.get(net, ()):
                if arc.start not in self.cost:
                    continue
                levels, chains, carries, loads = self.cost[arc.start]
                cost = (
                    levels + arc.levels,
                    chains + arc.chains,
                    carries + arc.carries,
                    loads + (net in wide),
                )
                if net not in self.cost or order(cost) > order(self.cost[net]):
                    self.cost[net], self.by[net] = cost, arc

    def way(self, net: int) -> list[int]:
        """Return the nets of the longest way, from its start to ``net``."""
        nets = [net]
        while nets[-1] in self.by:
            nets.append(self.by[nets[-1]].start)
        return nets[::-1]


def in_order(netlist: Netlist, incoming: dict[int, list[Arc]]) -> list[int]:
    """Return the nets, each after those that it depends on."""
    before = {net: [arc.start for arc in arcs_in] for net, arcs_in in incoming.items()}
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        name = netlist.name(error.args[1][0])
        raise NetlistError(f"netlist must have no combinational loop, as through {name}") from None
