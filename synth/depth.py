"""Logic depth: LUT levels and carry chains between registers, and the nets with many loads.

A path begins at a flip-flop, DSP, block RAM, memory or shift register in LUTs, or at a port of the
design, and ends at one. Each LUT on it is a level; a multiplexer of LUTs' outputs belongs to the
LUT before it; carries in a row are one chain; an asynchronous read of a memory in LUTs is a level,
and so is the longer clock-to-output time of such a memory. Wires count nothing, so depth is no
timing: it bounds what placement can make of a design.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from operator import itemgetter

from bitformer.hw.families.family import Kind
from bitformer.synth.netlist import Cell, Netlist, NetlistError, signal_of
from bitformer.synth.primitives import Arc, arcs, is_clock, pin_role, start_levels

__all__ = [
    "MOST_CHAINS",
    "MOST_LEVELS",
    "MOST_LOADS",
    "Depth",
    "Fanout",
    "LogicPath",
    "depth",
    "fanouts",
]

#: What a part of speed grade -1 does in 6.7 ns (150 MHz): LUT levels and carry chains of a path.
MOST_LEVELS, MOST_CHAINS = 6, 1
#: Loads of a control net: one with 768 alone cost 7.4 ns in a trial.
MOST_LOADS = 128

#: LUT levels, carry chains and carries of a way.
_Cost = tuple[int, int, int]
#: Orders of costs: by levels, by chains, by both together.
_LEVELS, _CHAINS, _BOTH = itemgetter(0, 1, 2), itemgetter(1, 0, 2), lambda c: (c[0] + c[1], *c[1:])


@dataclass(frozen=True, kw_only=True)
class LogicPath:
    """A path between registers.

    ``levels`` are LUTs, ``chains`` carry chains and ``carries`` the cells in them. ``start`` and
    ``end`` are nets or memories with their port; ``through`` are the named nets between.
    """

    levels: int
    chains: int
    carries: int
    start: str
    end: str
    through: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Depth:
    """``levels`` and ``chains``: the most on any path. ``paths``: the worst of each end, sorted."""

    levels: int
    chains: int
    paths: tuple[LogicPath, ...]

    @property
    def short_enough(self) -> bool:
        """Whether every path keeps to ``MOST_LEVELS`` and ``MOST_CHAINS``."""
        return self.levels <= MOST_LEVELS and self.chains <= MOST_CHAINS


@dataclass(frozen=True, kw_only=True)
class Fanout:
    """A net and the input pins that it drives: enables, resets, inputs of logic, and others."""

    name: str
    loads: int
    enables: int
    resets: int
    logic: int
    data: int

    @property
    def control(self) -> bool:
        """Whether it is a control net: no address, and not only operands of memories and DSPs.

        The address of a ROM in LUTs drives their inputs.
        """
        return "addr" not in self.name and self.enables + self.resets + self.logic > 0


def _sequential_ends(netlist: Netlist, through: set[tuple[str, int]]) -> Iterable[tuple[int, str]]:
    """Yield the bits where paths end, and the name of each end: a pin, or an output."""
    for cell in netlist.cells:
        for port, bits in cell.inputs.items():
            if is_clock(netlist, cell, port):
                continue
            for bit in bits:
                if isinstance(bit, int) and (cell.name, bit) not in through:
                    yield bit, f"{_place(netlist, cell)}/{port}"
    for name, bits in netlist.outputs.items():
        for number, bit in enumerate(bits):
            if isinstance(bit, int):
                yield bit, f"output {name}[{number}]"


def _place(netlist: Netlist, cell: Cell) -> str:
    """Return a register's name by its net, another cell's by its own."""
    kind = netlist.family.primitive(cell.kind).kind
    if kind not in (Kind.REGISTER, Kind.SHIFT_REGISTER):
        return f"{netlist.title(cell)} ({cell.kind})"
    outputs = (bit for bits in cell.outputs.values() for bit in bits)
    name = next(netlist.name(bit) for bit in outputs if isinstance(bit, int))
    return name if kind is Kind.REGISTER else f"{name} ({cell.kind})"


class _Longest:
    """The longest way to each net, by an order of costs, and the arc by which it comes."""

    def __init__(
        self, netlist: Netlist, incoming: dict[int, list[Arc]], nets: list[int], order: Callable
    ):
        self._netlist = netlist
        self.cost: dict[int, _Cost] = {}
        self.by: dict[int, Arc] = {}
        for net in nets:
            for arc in incoming.get(net, ()):
                levels, chains, carries = self.of(arc.start)
                cost = (levels + arc.levels, chains + arc.chains, carries + arc.carries)
                if net not in self.cost or order(cost) > order(self.cost[net]):
                    self.cost[net], self.by[net] = cost, arc

    def of(self, net: int) -> _Cost:
        """Return the cost of the longest way to a net."""
        if net not in self.cost:
            driver = self._netlist.driver.get(net)
            self.cost[net] = (start_levels(self._netlist, driver[0]) if driver else 0, 0, 0)
        return self.cost[net]

    def way(self, net: int) -> list[int]:
        """Return the nets of the longest way, from its start to ``net``."""
        nets = [net]
        while nets[-1] in self.by:
            nets.append(self.by[nets[-1]].start)
        return nets[::-1]


def _in_order(netlist: Netlist, incoming: dict[int, list[Arc]]) -> list[int]:
    """Return the nets, each after those that it depends on."""
    before = {net: [arc.start for arc in arcs_in] for net, arcs_in in incoming.items()}
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        name = netlist.name(error.args[1][0])
        raise NetlistError(f"netlist must have no combinational loop, as through {name}") from None


def depth(netlist: Netlist, *, worst: int = 20) -> Depth:
    """Return the logic depth of a netlist, and the ``worst`` ends with the deepest way to each.

    Paths are sorted by levels and chains together; of the bits of one register the worst is shown.

    Raises
    ------
    NetlistError
        If there is a combinational loop.
    """
    incoming: dict[int, list[Arc]] = {}
    through = set()
    for cell in netlist.cells:
        for arc in arcs(netlist, cell):
            incoming.setdefault(arc.end, []).append(arc)
            through.add((cell.name, arc.start))
    ends = list(_sequential_ends(netlist, through))
    nets = _in_order(netlist, incoming)
    levels, chains, both = (
        _Longest(netlist, incoming, nets, order) for order in (_LEVELS, _CHAINS, _BOTH)
    )
    found: dict[str, LogicPath] = {}
    for bit, name in sorted(ends, key=lambda end: _BOTH(both.of(end[0])), reverse=True):
        group = signal_of(name)
        if group not in found and len(found) < worst:
            found[group] = _path(netlist, both, bit, name)
    return Depth(
        levels=max((levels.of(bit)[0] for bit, _ in ends), default=0),
        chains=max((chains.of(bit)[1] for bit, _ in ends), default=0),
        paths=tuple(found.values()),
    )


def _path(netlist: Netlist, longest: _Longest, bit: int, end: str) -> LogicPath:
    nets, cost = longest.way(bit), longest.of(bit)
    start = netlist.driver.get(nets[0])
    if start is None or netlist.family.primitive(start[0].kind).kind is Kind.REGISTER:
        name = netlist.name(nets[0])
    else:
        name = f"{_place(netlist, start[0])}/{start[1]}"
    through = dict.fromkeys(netlist.name(bit) for bit in nets[1:] if bit in netlist.names)
    return LogicPath(
        levels=cost[0],
        chains=cost[1],
        carries=cost[2],
        start=name,
        end=end,
        through=tuple(through),
    )


def fanouts(
    netlist: Netlist, *, least: int = 1, apart: Iterable[str] = ("clk", "rst")
) -> tuple[Fanout, ...]:
    """Return the nets with ``least`` loads or more, most loads first.

    Clocks are left out, and so are the design's inputs named in ``apart``. A load is an input pin.
    """
    excluded = {bit for port in apart for bit in netlist.inputs.get(port, ())}
    loads: dict[int, dict[str, int]] = {}
    for cell in netlist.cells:
        for port, bits in cell.inputs.items():
            if is_clock(netlist, cell, port):
                excluded.update(bits)
                continue
            role = pin_role(netlist, cell, port)
            for bit in bits:
                if isinstance(bit, int):
                    roles = loads.setdefault(bit, {})
                    roles[role] = roles.get(role, 0) + 1
    nets = (
        Fanout(
            name=netlist.name(bit),
            loads=sum(roles.values()),
            enables=roles.get("enable", 0),
            resets=roles.get("reset", 0),
            logic=roles.get("logic", 0),
            data=roles.get("data", 0),
        )
        for bit, roles in loads.items()
        if bit not in excluded and sum(roles.values()) >= least
    )
    return tuple(sorted(nets, key=lambda net: (-net.loads, net.name)))
