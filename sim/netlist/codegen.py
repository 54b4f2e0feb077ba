"""The Python that simulates the cells of a netlist."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bitformer.synth.netlist import Bit, Cell, NetlistError

__all__ = [
    "Lines",
    "Modelled",
    "hidden",
    "inside",
    "join_bits",
    "number",
    "split_bits",
    "target",
    "variable",
]


@dataclass(kw_only=True)
class Lines:
    """Python of a netlist, in the parts of a clock cycle.

    ``logic`` has, for each group of lines, the nets that it gives and those that it needs.
    ``sample`` works out what registers become, from values before the edge; ``commit`` makes it so.
    """

    setup: list[str] = field(default_factory=list)
    logic: list[tuple[list[int], list[int], list[str]]] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)
    commit: list[str] = field(default_factory=list)
    clocks: set[Bit] = field(default_factory=set)
    memories: dict[str, list[int]] = field(default_factory=dict)

    def give(self, gives: Iterable[Bit], needs: Iterable[Bit], lines: list[str]) -> None:
        """Add a group of lines that gives bits and needs others."""
        self.logic.append((_nets(gives), _nets(needs), lines))

    def register(self, name: str, value: str, *, enable: Bit, reset: Bit = "0") -> None:
        """Add a register that becomes ``value``, or 0 with a reset, at the clock's edge."""
        if enable != "1":
            value = f"({value}) if {variable(enable)} else {name}"
        if reset != "0":
            value = f"0 if {variable(reset)} else {value}"
        self.sample.append(f"x{name} = {value}")
        self.commit.append(f"{name} = x{name}")


def _nets(bits: Iterable[Bit]) -> list[int]:
    return [bit for bit in bits if isinstance(bit, int)]


def variable(bit: Bit) -> str:
    """Return a bit as a Python expression."""
    return f"n{bit}".replace("-", "_") if isinstance(bit, int) else bit


def join_bits(bits: Sequence[Bit]) -> str:
    """Return bits, lowest first, as the expression of a number."""
    constant = sum(1 << k for k, bit in enumerate(bits) if bit == "1")
    terms = [f"n{b} << {k}" if k else f"n{b}" for k, b in enumerate(bits) if isinstance(b, int)]
    return " | ".join([*terms, *([str(constant)] if constant or not terms else [])])


def split_bits(bits: Sequence[Bit], value: str) -> list[str]:
    """Return lines that give bits their part of a number."""
    return [f"n{b} = {value} >> {k} & 1" for k, b in enumerate(bits) if isinstance(b, int)]


def number(cell: Cell, parameter: str) -> int:
    """Return the value of a parameter that is a number, 0 where it is left out."""
    value = cell.parameters.get(parameter, 0)
    if not isinstance(value, int):
        raise NetlistError(
            f"{parameter} of cell {cell.name} ({cell.kind}) must be a number, not {value!r}"
        )
    return value


def inside(cell: Cell, suffix: str) -> str:
    """Return a name of its own for something inside a cell."""
    return f"c{cell.number}_{suffix}"


def hidden(cell: Cell, k: int) -> int:
    """Return the number of a net, one of four, that leads nowhere outside a cell."""
    return -(4 * cell.number + k + 1)


def target(bit: Bit) -> str:
    """Return the variable of an output, which goes nowhere when it is not connected."""
    return variable(bit) if isinstance(bit, int) else "_"


@dataclass(frozen=True, kw_only=True)
class Modelled:
    """A primitive as far as it is modelled.

    ``fixed`` has the values that parameters may have, and must be given; ``optional`` those of
    parameters that may be left out; parameters in ``free`` have any value. ``tied`` has pins that
    may carry that constant only, or be left open, ``pins`` the others. ``emit`` writes the lines.
    """

    emit: Callable[[Cell, Lines], None]
    pins: tuple[str, ...]
    free: tuple[str, ...] = ()
    fixed: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    optional: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
