"""What place and route made of a design: its clocks, its worst path, what it takes of the chip."""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bitformer.hw.families.family import Kind
from bitformer.hw.parts import Use
from bitformer.model.errors import UserError
from bitformer.model.plain import built
from bitformer.synth.netlist import Bit, Cell, Netlist, signal_of
from bitformer.synth.primitives import is_clock, pin_role
from bitformer.synth.router import Chip

__all__ = ["Clock", "NetNames", "Routed", "RoutedPath", "Routing", "read_report"]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A clock in megahertz: what the routed design reaches, and what it was asked for."""

    name: str
    reached_mhz: float
    asked_mhz: float

    @property
    def met(self) -> bool:
        """Whether it reaches what it was asked for."""
        return self.reached_mhz >= self.asked_mhz


@dataclass(frozen=True, kw_only=True)
class RoutedPath:
    """A path between registers, in nanoseconds.

    ``start`` and ``end`` are registers, or memories and multipliers with their pin, by unit and
    signal; ``through`` are the named nets between. ``levels`` are LUTs and carries.
    """

    start: str
    end: str
    delay_ns: float
    logic_ns: float
    routing_ns: float
    levels: int
    through: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Routed:
    """A design that was placed and routed with one seed.

    Parameters
    ----------
    seed : of nextpnr's random numbers.
    clocks : the clock that was asked for, first, and others.
    path : the worst path of that clock; None if it has none.
    used, available : counts of each kind of cell on the chip, by nextpnr's names.
    seconds : that it took.
    again : whether nextpnr died without a word first, and was run a second time.
    crossing_ns, crossing_most_ns : the longest path from one clock to another, and how long one may
        be, in nanoseconds.
    """

    seed: int
    clocks: tuple[Clock, ...]
    path: RoutedPath | None
    used: Mapping[str, int]
    available: Mapping[str, int]
    seconds: float = 0.0
    again: bool = False
    crossing_ns: float = 0.0
    crossing_most_ns: float = 0.0

    @property
    def mhz(self) -> float:
        """Megahertz that the clock reaches."""
        return self.clocks[0].reached_mhz

    @property
    def met(self) -> bool:
        """Whether clocks reach what they were asked for, and what crosses between is in time."""
        in_time = self.crossing_ns <= self.crossing_most_ns
        return in_time and all(clock.met for clock in self.clocks)


@dataclass(frozen=True, kw_only=True)
class Routing:
    """The same netlist, placed and routed with several seeds.

    Parameters
    ----------
    part : str
        ``"lfe5u-25f"``; ``package`` and ``speed`` are the target's.
    tool : str
        Name and version.
    asked_hz : float
        The clock that was asked for.
    seeds : tuple of Routed
        One at least, in the order of their numbers.
    failed : mapping of str to str
        Why seeds could not be routed.
    counted : mapping of str to str
        nextpnr's names of what people count, by theirs.
    """

    part: str
    package: str
    speed: str
    tool: str
    asked_hz: float
    seeds: tuple[Routed, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        target: Chip,
        tool: str,
        asked_hz: float,
        seeds: Sequence[Routed],
        failed: Mapping[int, str],
    ) -> "Routing":
        """Return the seeds of a target as one."""
        return cls(
            part=target.part,
            package=target.package,
            speed=target.speed,
            tool=tool,
            asked_hz=asked_hz,
            seeds=tuple(seeds),
            failed={str(seed): why for seed, why in failed.items()},
            counted=target.router.counted,
        )

    @property
    def best(self) -> Routed:
        """The seed that meets every clock, and of several the one that reaches most."""
        return max(self.seeds, key=lambda seed: (seed.met, seed.mhz))

    @property
    def best_mhz(self) -> float:
        """Megahertz of the best seed."""
        return self.best.mhz

    @property
    def median_mhz(self) -> float:
        """Megahertz of the seed in the middle."""
        return statistics.median(seed.mhz for seed in self.seeds)

    @property
    def worst_mhz(self) -> float:
        """Megahertz of the worst seed."""
        return min(seed.mhz for seed in self.seeds)

    @property
    def uses(self) -> tuple[Use, ...]:
        """What the best seed takes of what people count."""
        best = self.best
        return tuple(
            Use(resource=name, used=best.used[cell], available=best.available[cell])
            for name, cell in self.counted.items()
            if cell in best.used
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """What is against the best seed: the clocks that it misses, and what is late between."""
        best = self.best
        found = tuple(
            f"clock {clock.name} reaches {clock.reached_mhz:.1f} MHz of the"
            f" {clock.asked_mhz:.1f} MHz asked for"
            for clock in best.clocks
            if not clock.met
        )
        if best.crossing_ns <= best.crossing_most_ns:
            return found
        return (
            *found,
            f"paths from one clock to the other take {best.crossing_ns:.1f} ns of the"
            f" {best.crossing_most_ns:.1f} ns that half a cycle leaves",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, with what follows from it."""
        return {
            **asdict(self),
            "best_mhz": self.best_mhz,
            "median_mhz": self.median_mhz,
            "worst_mhz": self.worst_mhz,
            "met": self.best.met,
            "best_seed": self.best.seed,
            "problems": self.problems,
            "resources": [asdict(use) for use in self.uses],
            "seeds": [{**asdict(seed), "mhz": seed.mhz, "met": seed.met} for seed in self.seeds],
        }

    @classmethod
    def from_dict(cls, data: object, where: str = "routing") -> "Routing":
        """Return the inverse of :meth:`to_dict`.

        Raises
        ------
        UserError
            For what is missing, or of another type.
        """
        found = built(cls, _known(cls, data), where)
        if not found.seeds or not all(seed.clocks for seed in found.seeds):
            raise UserError(f"{where} must have a seed, and each a clock")
        return found


def _known(kind: Any, data: Any) -> Any:
    """Return the fields of a class, and of its seeds, without what follows from them."""
    if not isinstance(data, Mapping):
        return data
    known = {one.name for one in fields(kind)}
    found = {name: value for name, value in data.items() if name in known}
    if isinstance(found.get("seeds"), list):
        found["seeds"] = [_known(Routed, seed) for seed in found["seeds"]]
    return found


#: What nextpnr puts behind a cell's name, and behind a net's.
_PACKED = re.compile(r"\$[A-Za-z_0-9$]+$")
#: What it puts behind a cell's name where it makes one of a LUT and the register behind it.
_JOINED = re.compile(r"_(DFFLC|LC|RAM|DSP)$")


class NetNames:
    """The names of units and signals behind those of nextpnr.

    Parameters
    ----------
    netlist : Netlist
        What was placed and routed.
    nets : mapping
        ``netnames`` of its module in Yosys' JSON: all names, hidden ones too.
    inside : str
        Scopes that are left out where a name begins with them: ``"shell.accelerator."``.
    """

    def __init__(self, netlist: Netlist, nets: Mapping[str, Any], *, inside: str = ""):
        self._netlist, self._inside = netlist, inside
        self._cells = {cell.name: cell for cell in netlist.cells}
        # names that Yosys makes of a net's or a cell's name and a primitive's
        self._derived = re.compile(f"_(?:{'|'.join(map(re.escape, netlist.family.primitives))})_")
        self._registers = dict(_registers(netlist))
        self._bits: dict[str, int] = {}
        for name, net in nets.items():
            bits, first = net["bits"], int(net.get("offset", 0))
            for number, bit in enumerate(bits, first):
                if isinstance(bit, int):
                    self._bits.setdefault(f"{name}[{number}]" if len(bits) > 1 else name, bit)

    def net(self, name: str) -> str:
        """Return the clearest name of a net."""
        bit = self._bit(name)
        return self._short(self._plain(name) if bit is None else self._netlist.name(bit))

    def _bit(self, name: str) -> int | None:
        bare = _PACKED.sub("", name.removeprefix("$glbnet$"))
        return self._bits.get(name, self._bits.get(bare))

    def clock(self, name: str) -> str:
        """Return the name of a clock without that of a unit: every unit has a net of it."""
        bit = self._bit(name)
        known = () if bit is None else self._netlist.names.get(bit, ())
        own = (found.rpartition(".")[2] for found in (*known, self._plain(name)))
        return min(own, key=lambda text: ("$" in text, len(text), text))

    def place(self, cell: str, port: str) -> str:
        """Return a register's name by its net, another cell's by its own with the pin.

        A LUT at which a path begins or ends is one with the register behind it.
        """
        known = (pattern.sub("", cell) for pattern in (_JOINED, _PACKED))
        found = next((self._cells[name] for name in (cell, *known) if name in self._cells), None)
        if found is None:
            return f"{self._short(self._plain(cell))}/{port}"
        if self._netlist.family.primitive(found.kind).kind is Kind.LUT:
            outputs = (bit for bits in found.outputs.values() for bit in bits)
            found = next((self._registers[b] for b in outputs if b in self._registers), found)
        if self._netlist.family.primitive(found.kind).kind is Kind.REGISTER:
            outputs = (bit for bits in found.outputs.values() for bit in bits)
            bit = next((bit for bit in outputs if isinstance(bit, int)), None)
            return self._short(self._plain(cell) if bit is None else self._netlist.name(bit))
        return f"{self._short(self._netlist.title(found))} ({found.kind})/{port}"

    def _plain(self, name: str) -> str:
        bare = _PACKED.sub("", name.removeprefix("$glbnet$").removeprefix("$flatten\\"))
        return self._derived.split(bare)[0].lstrip("\\$") or name

    def _short(self, name: str) -> str:
        return self._derived.split(name)[0].removeprefix(self._inside)


def _registers(netlist: Netlist) -> Iterator[tuple[Bit, Cell]]:
    """Yield each net that a register takes, and that register."""
    for cell in netlist.cells:
        if netlist.family.primitive(cell.kind).kind is Kind.REGISTER:
            for pin, bits in cell.inputs.items():
                if not is_clock(netlist, cell, pin) and pin_role(netlist, cell, pin) == "data":
                    yield from ((bit, cell) for bit in bits if isinstance(bit, int))


def read_report(
    report: Mapping[str, Any], names: NetNames, *, seed: int, asked_hz: float, **more: Any
) -> Routed:
    """Return what nextpnr's JSON report says of a seed; ``more`` are fields of :class:`Routed`.

    Raises
    ------
    UserError
        If it is no such report, or has no clock.
    """
    try:
        # the one that was asked for is constrained to it; others may be faster or slower
        order = sorted(
            report["fmax"].items(),
            key=lambda item: (
                abs(float(item[1]["constraint"]) * 1e6 / asked_hz - 1) > 1e-3,
                float(item[1]["achieved"]),
            ),
        )
        clocks = tuple(
            Clock(
                name=names.clock(name),
                reached_mhz=float(found["achieved"]),
                asked_mhz=float(found["constraint"]),
            )
            for name, found in order
        )
        if not clocks:
            raise UserError("nextpnr's report must have a clock, and has none: is it connected?")
        used = {name: int(found["used"]) for name, found in report["utilization"].items()}
        available = {name: int(found["available"]) for name, found in report["utilization"].items()}
        path = _worst(report["critical_paths"], order[0][0], names)
        crossing = _crossing(report["critical_paths"], [*report["fmax"]])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"nextpnr's report is not as nextpnr 0.4 and later write it: {error}"
        ) from None
    return Routed(
        seed=seed,
        clocks=clocks,
        path=path,
        used=used,
        available=available,
        crossing_ns=crossing,
        **more,
    )


def _delay(path: Mapping[str, Any]) -> float:
    return sum(step["delay"] for step in path["path"])


def _crossing(paths: Any, clocks: Sequence[str]) -> float:
    """Return the longest path from one clock to another."""

    def clock(end: str) -> str | None:
        name = end.partition("edge ")[2]
        return name if name in clocks else None

    ends = [(path, clock(path["from"]), clock(path["to"])) for path in paths]
    found = [_delay(path) for path, a, b in ends if a is not None and b is not None and a != b]
    return round(max(found, default=0.0), 3)


def _worst(paths: Any, clock: str, names: NetNames) -> RoutedPath | None:
    """Return the worst path from a clock to itself."""
    edges = {f"posedge {clock}", f"negedge {clock}"}
    own = [path for path in paths if path["from"] in edges and path["to"] in edges]
    if not own:
        return None
    # between a clock's two edges there is half a cycle
    steps = max(own, key=lambda path: _delay(path) * (1 + (path["from"] != path["to"])))["path"]
    routing = [step for step in steps if step["type"] == "routing"]
    first, last = steps[0]["from"], steps[-1]["to"]
    delay = sum(step["delay"] for step in steps)
    wires = sum(step["delay"] for step in routing)
    through = dict.fromkeys(signal_of(names.net(step["net"])) for step in routing[1:])
    return RoutedPath(
        start=names.place(first["cell"], first["port"]),
        end=names.place(last["cell"], last["port"]),
        delay_ns=round(delay, 3),
        logic_ns=round(delay - wires, 3),
        routing_ns=round(wires, 3),
        levels=sum(step["type"] == "logic" for step in steps),
        through=tuple(name for name in through if not name.startswith(("logic of ", "$"))),
    )
