"""Logic depth: LUT levels and carry chains between registers, and the nets with many loads.

A path begins at a flip-flop, DSP, block RAM, memory or shift register in LUTs, or at a port of the
design, and ends at one. Each LUT on it is a level; a multiplexer of LUTs' outputs belongs to the
LUT before it; carries in a row are one chain; an asynchronous read of a memory in LUTs is a level,
and so is the longer clock-to-output time of such a memory. Wires count nothing, so depth is no
timing: it bounds what placement can make of a design.

Of paths that begin late, at a memory or shift register in LUTs or at a multiplier that is not
registered behind its product, steps are counted apart: a LUT, a carry chain and a net with many
loads are one each, and so is the late start itself, that of a multiplier two.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from bitformer.hw.families.family import Kind
from bitformer.synth.longest import Cost, Longest, in_order
from bitformer.synth.netlist import Cell, Netlist, signal_of
from bitformer.synth.primitives import (
    Arc,
    arcs,
    is_clock,
    late_steps,
    pin_role,
    start_levels,
)

__all__ = [
    "MOST_CHAINS",
    "MOST_LATE_STEPS",
    "MOST_LEVELS",
    "MOST_LOADS",
    "WIDE",
    "Depth",
    "Fanout",
    "LogicPath",
    "depth",
    "fanouts",
]

#: What a part of speed grade -1 does in 6.7 ns (150 MHz): LUT levels and carry chains of a path.
MOST_LEVELS, MOST_CHAINS = 6, 1
#: Steps of a path that begins late: with 4 and 5, routed ones took 6.7 to 7.4 ns.
MOST_LATE_STEPS = 3
#: Loads of a net beyond which it is a step.
WIDE = 32
#: Loads of a control net: one with 768 alone cost 7.4 ns in a trial.
MOST_LOADS = 128

#: Orders of costs: by levels, by chains, by both together, by all steps.
_LEVELS, _CHAINS = itemgetter(0, 1, 2), itemgetter(1, 0, 2)
_BOTH, _STEPS = lambda c: (c[0] + c[1], *c[1:3]), lambda c: (c[0] + c[1] + c[3], *c[1:])


@dataclass(frozen=True, kw_only=True)
class LogicPath:
    """A path between registers.

    ``levels`` are LUTs, ``chains`` carry chains and ``carries`` the cells in them. ``start`` and
    ``end`` are nets or memories with their port; ``through`` are the named nets between. ``wide``
    are its nets with more than ``WIDE`` loads. ``late`` are the steps by which its start is late:
    0 among paths of all starts, where these are among the levels.
    """

    levels: int
    chains: int
    carries: int
    start: str
    end: str
    through: tuple[str, ...] = ()
    wide: int = 0
    late: int = 0

    @property
    def steps(self) -> int:
        """LUTs, chains and nets with many loads, and what its start is late by."""
        return self.levels + self.chains + self.wide + self.late


@dataclass(frozen=True, kw_only=True)
class Depth:
    """``levels`` and ``chains``: the most on any path. ``paths``: the worst of each end, sorted.

    ``late`` : the worst path to each end of those that begin late, most steps first.
    """

    levels: int
    chains: int
    paths: tuple[LogicPath, ...]
    late: tuple[LogicPath, ...] = ()

    @property
    def late_steps(self) -> int:
        """The most steps of a path that begins late; 0 if there is none."""
        return self.late[0].steps if self.late else 0

    @property
    def short_enough(self) -> bool:
        """Whether every path keeps to ``MOST_LEVELS``, ``MOST_CHAINS`` and ``MOST_LATE_STEPS``."""
        levels, chains = self.levels <= MOST_LEVELS, self.chains <= MOST_CHAINS
        return levels and chains and self.late_steps <= MOST_LATE_STEPS


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
    loads: Counter[int] = Counter()
    for cell in netlist.cells:
        for arc in arcs(netlist, cell):
            incoming.setdefault(arc.end, []).append(arc)
            through.add((cell.name, arc.start))
        loads.update(bit for bits in cell.inputs.values() for bit in bits if isinstance(bit, int))
    ends = list(_sequential_ends(netlist, through))
    nets = in_order(netlist, incoming)
    nets += list({bit for bit, _ in ends}.difference(nets))
    wide = {net for net, number in loads.items() if number > WIDE}

    def begin(net: int) -> Cost | None:
        if net in incoming:
            return None
        driver = netlist.driver.get(net)
        return (start_levels(netlist, driver[0]) if driver else 0, 0, 0, int(net in wide))

    def begin_late(net: int) -> Cost | None:
        late = _late(netlist, net)
        return (0, 0, 0, late + (net in wide)) if late else None

    levels, chains, both = (
        Longest(incoming, nets, order, begin, wide) for order in (_LEVELS, _CHAINS, _BOTH)
    )
    late = Longest(incoming, nets, _STEPS, begin_late, wide)
    return Depth(
        levels=max((levels.cost[bit][0] for bit, _ in ends), default=0),
        chains=max((chains.cost[bit][1] for bit, _ in ends), default=0),
        paths=_worst(netlist, both, ends, _BOTH, worst),
        late=_worst(netlist, late, [end for end in ends if end[0] in late.cost], _STEPS, worst),
    )


def _late(netlist: Netlist, net: int) -> int:
    """Return the steps by which a net is late after the clock."""
    driver = netlist.driver.get(net)
    return late_steps(netlist, driver[0]) if driver else 0


def _worst(
    netlist: Netlist,
    longest: Longest,
    ends: Iterable[tuple[int, str]],
    order: Callable[[Cost], Any],
    number: int,
) -> tuple[LogicPath, ...]:
    """Return the longest way to each end, so many of them; of a register's bits the worst."""
    found: dict[str, LogicPath] = {}
    for bit, name in sorted(ends, key=lambda end: order(longest.cost[end[0]]), reverse=True):
        group = signal_of(name)
        if group not in found and len(found) < number:
            found[group] = _path(netlist, longest, bit, name)
    return tuple(found.values())


def _path(netlist: Netlist, longest: Longest, bit: int, end: str) -> LogicPath:
    nets, cost = longest.way(bit), longest.cost[bit]
    late = longest.cost[nets[0]][3] - (nets[0] in longest.wide)
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
        wide=cost[3] - late,
        late=late,
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
