"""A board's pins as Amaranth's resources, whatever tools build for it."""

from collections.abc import Mapping

from amaranth.build import Attrs, Clock, Pins, Resource, Subsignal

from bitformer.boards.board import LINKS, Board, Pin
from bitformer.boards.clock import Mmcm
from bitformer.boards.ice40_pll import IcePll
from bitformer.boards.pll import Pll
from bitformer.synth.router import Chip, target_of

__all__ = ["INPUTS", "ByNextpnr", "OnBoard", "resources_of"]

#: What the FPGA listens to, or the wire of a link that it does; it drives the others.
INPUTS = ("clock", "reset", "rx", "sck", "cs", "mosi")


def resources_of(
    board: Board, *, standard: str, pull: str, values: Mapping[str, object] | None = None
) -> list[Resource]:
    """Return ``clock``, the links, ``reset``, ``alive``, ``fault`` and ``held_...`` of a board.

    Parameters
    ----------
    board : Board
        Whose pins they are.
    standard, pull : str
        What the tools call the attributes of an I/O standard, and of what holds a ball.
    values : mapping or None
        What they call a standard or a pull, where that is not a `Pin`'s own word.
    """
    called = values or {}

    def io_of(use: str, pin: Pin) -> tuple[Pins, Attrs]:
        direction = "i" if use in INPUTS else "o"
        words = {standard: pin.standard} | ({} if pin.pull is None else {pull: pin.pull})
        attrs = Attrs(**{name: called.get(word, word) for name, word in words.items()})
        return Pins(pin.ball, dir=direction, invert=pin.inverted), attrs

    pins = board.pins
    links = [
        Resource(
            link,
            0,
            *(Subsignal(wire, *io_of(wire, pin)) for wire, pin in board.wires(link).items()),
        )
        for link in LINKS
        if link in board.links
    ]
    held = [f"held_{name}" for name in board.held]
    singles = [
        Resource(use, 0, *io_of(use, pins[use]))
        for use in ("reset", "alive", "fault", *held)
        if use in pins
    ]
    clock = board.clock
    clocks = (
        []
        if clock is None
        else [Resource("clock", 0, *io_of("clock", clock), Clock(board.clock_hz))]
    )
    return [*clocks, *links, *singles]


class OnBoard:
    """What a platform knows by its board and by what makes its clock, whatever tools build for it.

    A platform sets ``_board``, and ``_generator``: None where the oscillator alone makes the clock.
    """

    _board: Board
    _generator: Mmcm | Pll | IcePll | None

    @property
    def board(self) -> Board:
        return self._board

    @property
    def generator(self) -> Mmcm | Pll | IcePll | None:
        """What makes the clock, where the oscillator alone does not."""
        return self._generator

    @property
    def clock_hz(self) -> int:
        """The frequency of ``sync``."""
        return self._generator.output_hz if self._generator else self._board.clock_hz

    @property
    def device(self) -> str:
        return self._board.part

    @property
    def package(self) -> str:
        return self._board.package

    @property
    def speed(self) -> str:
        return self._board.speed


class ByNextpnr(OnBoard):
    """What platforms have in common whose parts nextpnr places and routes here."""

    #: nextpnr times no skew between two clock nets.
    clocks_apart = True

    @property
    def target(self) -> Chip:
        """The chip as nextpnr knows it."""
        return target_of(self._board.part, self._board.package, self._board.speed)

    @property
    def can_stop_clock(self) -> bool:
        """Whether half a cycle is enough for what crosses between shell and accelerator."""
        return self.clock_hz <= self._board.family.stopped_hz
