"""What a proof asks: a circuit, a bit of it that must never be set, and the proof's mutant."""

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal, Value
from amaranth.lib.wiring import Component

__all__ = ["Change", "Induction", "Proof", "Question", "Reach", "inside", "past"]


@dataclass(frozen=True)
class Reach:
    """The bit is clear ``steps`` cycles after any state, whatever comes: 0 for logic alone.

    Each state is an earlier one's ``steps`` cycles later, and so all cycles are covered from then
    on. ``reset``: the state is that of power-up instead, and the cycles up to ``steps`` are.
    """

    steps: int = 0
    from_reset: bool = False


@dataclass(frozen=True)
class Induction:
    """The bit is clear from power-up on, for ever: after ``most`` cycles of it so is the next."""

    most: int = 1


@dataclass
class Question:
    """A circuit with ``inputs`` that are free; wherever ``given`` is set, ``bad`` never is."""

    module: Module
    bad: Value
    inputs: list[Signal]
    method: Reach | Induction = field(default_factory=Reach)
    given: Value | None = None
    #: Whether a reset may come at any time; else there is none.
    resets: bool = False
    #: Verilog of cells that are instantiated, from Yosys' share.
    cells: str = ""
    platform: object = None


@dataclass(frozen=True)
class Change:
    """A mutant: one piece of a module's text in place of another."""

    module: str
    old: str
    new: str

    @contextmanager
    def made(self) -> Iterator[None]:
        """Inside, what is imported from hardware and gateware is the mutant's."""
        module = importlib.util.find_spec(self.module)
        assert module is not None
        assert module.origin is not None
        with open(module.origin, encoding="utf-8") as file:
            text = file.read()
        if text.count(self.old) < 1:
            raise ValueError(f"{self.module} has no text {self.old!r}: the mutant needs another")
        finder = _Finder(self.module, module.origin, text.replace(self.old, self.new, 1))
        loaded = set(sys.modules)
        before = _forget()
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            _forget()
            for name in [n for n in sys.modules if n not in loaded and n.startswith(_PROJECT)]:
                del sys.modules[name]  # imported meanwhile, it is bound to the mutant's
            for name, known in before.items():
                sys.modules[name] = known
                parent, _, own = name.rpartition(".")
                if parent in sys.modules:
                    setattr(sys.modules[parent], own, known)


class _Finder:
    """Finds one module, whose text is another."""

    def __init__(self, name: str, origin: str, text: str):
        self._name, self._origin, self._text = name, origin, text

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=self._origin)

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        module.__file__ = self._origin
        exec(compile(self._text, self._origin, "exec"), module.__dict__)


_OWN = (
    "bitformer.hw",
    "bitformer.boards",
    "bitformer.sim",
    "bitformer.synth",
    "proofs.units",
    "postprocessor_harness",
)


_PROJECT = "bitformer."


def _forget() -> dict[str, object]:
    """Take out all modules that a mutant can be in, or whose names are bound to it."""
    names = [n for n in sys.modules if n in _OWN or n.startswith(tuple(f"{o}." for o in _OWN))]
    return {name: sys.modules.pop(name) for name in names}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A property of a unit, for all that its bound says, and the mutant that it must refuse.

    ``make`` names a function of ``proofs.units`` and gives its arguments: so the mutant is made of
    the mutant's modules.
    """

    name: str
    unit: str
    property: str
    bound: str
    make: tuple[str, str, dict[str, object]]
    mutant: Change
    change: str
    slow: bool = False

    def question(self) -> Question:
        """Return what is asked of the unit as it is imported now."""
        module, function, arguments = self.make
        return getattr(importlib.import_module(f"proofs.units.{module}"), function)(**arguments)

    def mutant_question(self) -> Question:
        """Return what is asked of the mutant."""
        with self.mutant.made():
            return self.question()


class Whole(Elaboratable):
    """A module that is made already, so that what is inside it can be named beside it."""

    def __init__(self, module: Module):
        self._module = module

    def elaborate(self, platform):
        return self._module


def inside(unit: Component, platform: object = None) -> tuple[Elaboratable, Callable[..., Any]]:
    """Return a unit to be added in its own place, and what its methods call by a name.

    Where several calls have the name, its number says which is meant, in the order of their ends.
    """
    found: dict[str, list[object]] = {}
    codes = set()
    left = [part.__code__ for part in vars(type(unit)).values() if hasattr(part, "__code__")]
    while left:
        codes.add(code := left.pop())
        left += [one for one in code.co_consts if isinstance(one, types.CodeType)]

    def profile(frame, event, _):
        if event == "return" and frame.f_code in codes:
            for name, value in frame.f_locals.items():
                found.setdefault(name, []).append(value)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        unit._MustUse__used = True
        module = unit.elaborate(platform)
    finally:
        sys.setprofile(before)

    def named(name: str, number: int = 0) -> Any:
        if name not in found:
            raise KeyError(f"{type(unit).__name__}: no {name!r} in {sorted(found)}")
        return found[name][number]

    return Whole(module), named


def past(m: Module, value: Value, cycles: int, *, known: bool = False) -> Value:
    """Return a value of so many cycles before; ``known``: it is 0 before power-up."""
    value = Value.cast(value)
    for _ in range(cycles):
        stage = Signal(value.shape(), name="past", reset_less=not known)
        m.d.sync += stage.eq(value)
        value = stage
    return value
