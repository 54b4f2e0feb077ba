"""Cells of a synthesized netlist, and the Python that simulates them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bitformer.model.errors import UserError

__all__ = [
    "Bit",
    "Cell",
    "Lines",
    "Modelled",
    "NetlistError",
    "join_bits",
    "split_bits",
    "target",
    "variable",
]

#: A net's number, or a constant: ``"0"``, ``"1"``.
Bit = int | str


class NetlistError(UserError):
    """A netlist that is not one of those that can be simulated."""


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

    def give(self, gives: list[Bit], needs: list[Bit], lines: list[str]) -> None:
        self.logic.append(([b for b in gives if isinstance(b, int)], _nets(needs), lines))


def _nets(bits: list[Bit]) -> list[int]:
    return [bit for bit in bits if isinstance(bit, int)]


def variable(bit: Bit) -> str:
    """A bit as a Python expression."""
    return f"n{bit}".replace("-", "_") if isinstance(bit, int) else bit


def join_bits(bits: list[Bit]) -> str:
    """Bits, lowest first, as the expression of a number."""
    constant = sum(1 << k for k, bit in enumerate(bits) if bit == "1")
    terms = [f"n{b} << {k}" if k else f"n{b}" for k, b in enumerate(bits) if isinstance(b, int)]
    return " | ".join([*terms, *([str(constant)] if constant or not terms else [])])


def split_bits(bits: list[Bit], value: str) -> list[str]:
    """Lines that give bits their part of a number."""
    return [f"n{b} = {value} >> {k} & 1" for k, b in enumerate(bits) if isinstance(b, int)]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a netlist: ``number`` is its own, ``pins`` lead to bits, lowest first."""

    name: str
    kind: str
    number: int
    pins: Mapping[str, list[Bit]]
    parameters: Mapping[str, int | str]

    def bits(self, pin: str) -> list[Bit]:
        if not self.pins.get(pin):
            raise NetlistError(f"pin {pin} of cell {self.name} ({self.kind}) must be connected")
        return self.pins[pin]

    def bit(self, pin: str) -> Bit:
        return self.bits(pin)[0]

    def value(self, parameter: str, default: int = 0) -> int:
        value = self.parameters.get(parameter, default)
        if not isinstance(value, int):
            raise NetlistError(
                f"{parameter} of cell {self.name} ({self.kind}) must be a number, not {value!r}"
            )
        return value

    def net(self, suffix: str) -> str:
        """A name of its own for something inside the cell."""
        return f"c{self.number}_{suffix}"

    def hidden(self, k: int) -> int:
        """The number of a net, one of four, that leads nowhere outside the cell."""
        return -(4 * self.number + k + 1)

    def register(self, lines: Lines, name: str, value: str, *, enable: Bit, reset: Bit = "0"):
        """``name`` becomes ``value`` (0 with a reset) at the clock's edge."""
        if enable != "1":
            value = f"({value}) if {variable(enable)} else {name}"
        if reset != "0":
            value = f"0 if {variable(reset)} else {value}"
        lines.sample.append(f"x{name} = {value}")
        lines.commit.append(f"{name} = x{name}")


def target(bit: Bit) -> str:
    """The variable of an output, which goes nowhere when it is not connected."""
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
