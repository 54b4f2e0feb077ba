"""Switching activity for Vivado's power report, from the waves of our own simulation.

A SAIF file says of every bit how long it was 0 and 1, and how often it changed. It is made of a VCD
file of a simulated accelerator; the names are put where the accelerator stands in a board's design.
"""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bitformer.model.errors import UserError
from bitformer.model.files import open_regular, whole_file
from bitformer.model.plain import shown

__all__ = ["SIMULATED_HZ", "STRIP_PATH", "model_of", "rescaled", "write_saif"]

#: The clock of our simulations.
SIMULATED_HZ = 100_000_000

#: The instances around the design's top, which Vivado has to strip.
ROOT = ("bitformer", "top")
STRIP_PATH = "/".join(ROOT)
#: Where the accelerator stands under the top.
ACCELERATOR = ("shell", "accelerator")

#: Names that Verilog has too: no field of a structure, none made unique with a number.
_PLAIN = re.compile(r"[A-Za-z_]\w*\Z")
#: Scopes within each other, and bits of all signals: far more than any accelerator has.
_MOST_SCOPES, _MOST_BITS = 100, 1 << 22
#: Characters among which the header of a SAIF file is.
_HEADER = 1000
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15}


@dataclass(slots=True)
class _Net:
    """One signal: its value; of each bit the last change, the time at 1, and the changes."""

    name: str
    width: int
    value: int = 0
    since: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.since, self.high, self.changes = ([0] * self.width for _ in range(3))

    def change(self, value: int, time: int) -> None:
        changed = self.value ^ value
        while changed:
            low = changed & -changed
            bit = low.bit_length() - 1
            if self.value & low:
                self.high[bit] += time - self.since[bit]
            self.since[bit] = time
            self.changes[bit] += time > 0  # taking the first value is no change
            changed ^= low
        self.value = value

    def lines(self, end: int, second: int) -> Iterator[str]:
        for bit in range(self.width):
            high = self.high[bit] + (end - self.since[bit]) * (self.value >> bit & 1)
            name = self.name if self.width == 1 else rf"{self.name}\[{bit}\]"
            low = _picoseconds(end - high, second)
            high = _picoseconds(high, second)
            yield f"({name} (T0 {low}) (T1 {high}) (TX 0) (TC {self.changes[bit]}) (IG 0))"


def _picoseconds(time: int, second: int) -> int:
    return time * 10**12 // second


@dataclass
class _Scope:
    nets: dict[str, _Net] = field(default_factory=dict)
    inside: dict[str, "_Scope"] = field(default_factory=dict)


def write_saif(vcd: Path, saif: Path, *, model: str) -> int:
    """Write `saif` from the VCD file `vcd` of an accelerator; return the number of nets.

    `model` is the hash of the accelerator's computation, in hexadecimal; see :func:`model_of`.

    Durations are in picoseconds of the simulation's time, whose clock has 100 MHz; see
    :func:`rescaled`. Values are 0 and 1: our simulators know no others.

    Raises
    ------
    UserError
        If `vcd` holds no waves, or a file cannot be read or written.
    """
    try:
        with io.TextIOWrapper(open_regular(vcd), encoding="utf-8") as lines:
            top, end, fraction = _read(lines)
    except UnicodeDecodeError:
        raise UserError(f"VCD file {vcd} must be text in UTF-8, which it is not") from None
    except OSError as error:
        raise UserError(f"VCD file {vcd} cannot be read: {error.strerror}") from None
    except UserError as error:
        raise UserError(f"VCD file {vcd} must hold waves of a simulation: {error}") from None
    second = 10**fraction
    while not top.nets and len(top.inside) == 1:
        (top,) = top.inside.values()  # what stands around the accelerator has no signals
    if not end or not (top.nets or top.inside):
        raise UserError(f"VCD file {vcd} holds no waves")
    count = 0

    def instance(name: str, scope: _Scope) -> Iterator[str]:
        nonlocal count
        yield f"(INSTANCE {name}"
        if scope.nets:
            yield "(NET"
            for net in scope.nets.values():
                count += net.width
                yield from net.lines(end, second)
            yield ")"
        for inner, within in scope.inside.items():
            yield from instance(inner, within)
        yield ")"

    for name in reversed((*ROOT[1:], *ACCELERATOR)):
        top = _Scope(inside={name: top})
    with whole_file(saif) as part, part.open("w", encoding="utf-8") as out:
        out.write('(SAIFILE\n(SAIFVERSION "2.0")\n(DIRECTION "backward")\n')
        out.write(f'(DESIGN "{model}")\n')
        out.write('(PROGRAM_NAME "bitformer")\n(DIVIDER / )\n(TIMESCALE 1 ps)\n')
        out.write(f"(DURATION {_picoseconds(end, second)})\n")
        out.writelines(f"{line}\n" for line in instance(ROOT[0], top))
        out.write(")\n")
    return count


def model_of(text: str) -> str | None:
    """Return the `model` that a SAIF file was written with; None if it names none."""
    match = re.search(r'^\(DESIGN "([0-9a-f]{16})"\)$', text[:_HEADER], re.M)
    return match[1] if match else None


def rescaled(text: str, *, from_hz: int, to_hz: int) -> str:
    """Return a SAIF file of ours as if the simulation had run with another clock."""

    def scale(match: re.Match) -> str:
        return f"({match[1]} {int(match[2]) * from_hz // to_hz})"

    return text if from_hz == to_hz else re.sub(r"\((DURATION|T0|T1) (\d+)\)", scale, text)


class _Reader:
    """Reads the lines of a VCD file, one after another.

    Raises ValueError, KeyError or IndexError for a line that our simulators do not write.
    """

    def __init__(self):
        self.top = _Scope()
        self.time = self.digits = 0
        self._path = [self.top]
        self._by_code: dict[str, list[_Net]] = {}
        self._words: list[str] = []
        self._bits = 0

    def take(self, line: str) -> None:
        first = line[:1]
        if first in ("0", "1"):
            for net in self._by_code.get(line[1:].strip(), ()):
                net.change(int(first), self.time)
        elif first == "b":
            value, code = line[1:].split()
            for net in self._by_code.get(code, ()):
                net.change(int(value, 2), self.time)
        elif first == "#":
            before, self.time = self.time, int(line[1:])
            if not before <= self.time < 2**63:
                raise ValueError(line)
        elif first == "$" or self._words:
            self._words += line.split()
            if self._words[-1] == "$end":
                self._declare(self._words)
                self._words = []

    def _declare(self, words: list[str]) -> None:
        match words:
            case ["$timescale", *number, "$end"]:
                match = re.fullmatch(r"(10*)\s*([a-z]+)", " ".join(number))
                self.digits = -1 if match is None else _DIGITS[match[2]] - len(match[1]) + 1
                if self.digits < 0:
                    raise ValueError(words)
            case ["$scope", _, name, "$end"] if len(self._path) < _MOST_SCOPES:
                self._path.append(self._path[-1].inside.setdefault(name, _Scope()))
            case ["$scope", *_]:
                raise ValueError(words)
            case ["$upscope", "$end"]:
                self._path.pop()
            case ["$var", _, width, code, name, *_] if _PLAIN.match(name):
                self._bits += int(width)
                if not 0 <= int(width) <= self._bits <= _MOST_BITS:
                    raise ValueError(words)
                net = _Net(name=name, width=int(width))
                self._path[-1].nets[name] = net
                self._by_code.setdefault(code, []).append(net)


def _read(lines: Iterable[str]) -> tuple[_Scope, int, int]:
    """Return the signals by scope, the last time, and the digits of a second that it counts."""
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            reader.take(line)
        except (ValueError, KeyError, IndexError):
            raise UserError(f"line {number} is {shown(line.rstrip())}") from None
    return reader.top, reader.time, reader.digits
