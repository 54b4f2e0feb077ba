"""A board as plain data: a part, a clock, a host link, and how it is configured."""

import re
from dataclasses import dataclass

from bitformer.boards.checks import check_int
from bitformer.boards.packages import PACKAGES, Package
from bitformer.hw.parts import PARTS, Part

__all__ = ["Board", "Pin"]

#: The supply voltage that an I/O standard needs in its bank.
_BANK_VOLTS = {"LVCMOS33": 3.3, "LVCMOS25": 2.5, "LVCMOS18": 1.8, "SSTL135": 1.35}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One FPGA ball in use.

    Parameters
    ----------
    ball : str
        ``"H4"``.
    standard : str
        The Vivado ``IOSTANDARD``.
    inverted : bool
        Whether a low level on the ball means true (an active-low button or LED).
    """

    ball: str
    standard: str = "LVCMOS33"
    inverted: bool = False


@dataclass(frozen=True, kw_only=True)
class Board:
    """What a build has to know of a board.

    Parameters
    ----------
    name : str
        Lower case, as typed on a command line: ``"arty-s7-50"``.
    title : str
        As its maker calls it.
    part, package, speed : str
        ``"xc7s15"``, ``"ftgb196"``, ``"1"``.
    clock_hz : int
        The oscillator, in hertz. It clocks the design through a global buffer: an MMCM would cost
        0.1 W, five times the static power of an XC7S15.
    clock : Pin
        Where it arrives.
    uart_rx, uart_tx : Pin
        The host link, named from the FPGA's side: the host talks to `uart_rx`.
    alive, fault : Pin or None
        LEDs for the heartbeat and for a fault of the host link.
    reset : Pin or None
        A button that restarts the design.
    cfgbvs, config_voltage : str
        The Vivado properties of these names.
    constraints : tuple of str
        Further lines for the XDC file.
    loader : str
        How a bitstream gets onto the board, in plain sentences.
    notes : str
        What a user has to know before wiring it up.

    Raises
    ------
    TypeError, ValueError
        If the part or the package is unknown, a ball is no user I/O or is used twice, the clock's
        ball cannot take a clock, or two standards in a bank need different supplies.
    """

    name: str
    title: str
    part: str
    package: str
    speed: str
    clock_hz: int
    clock: Pin
    uart_rx: Pin
    uart_tx: Pin
    alive: Pin | None = None
    fault: Pin | None = None
    reset: Pin | None = None
    cfgbvs: str = "VCCO"
    config_voltage: str = "3.3"
    constraints: tuple[str, ...] = ()
    loader: str
    notes: str = ""

    def __post_init__(self):
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.name):
            raise ValueError(
                f"Board name must be lower-case letters, digits and hyphens, not {self.name!r}"
            )
        check_int(f"Board {self.name}: clock_hz", self.clock_hz)
        if self.part not in PARTS:
            raise ValueError(f"Board {self.name}: part {self.part!r} is unknown")
        if (self.part, self.package) not in PACKAGES:
            raise ValueError(f"Board {self.name}: package {self.package!r} is unknown")
        if self.cfgbvs not in ("VCCO", "GND"):
            raise ValueError(f"Board {self.name}: cfgbvs must be VCCO or GND, not {self.cfgbvs!r}")
        self._check_pins()

    def _check_pins(self):
        package = self.package_data
        users: dict[str, str] = {}
        bank_volts: dict[int, float] = {}
        for use, pin in self.pins.items():
            where = f"Board {self.name}: {use}"
            if pin.ball not in package.balls:
                raise ValueError(f"{where} is on {pin.ball}, no user I/O of {self.package}")
            if pin.ball in users:
                raise ValueError(f"{where} is on {pin.ball}, which {users[pin.ball]} has taken")
            users[pin.ball] = use
            if pin.standard not in _BANK_VOLTS:
                raise ValueError(f"{where} has the unknown I/O standard {pin.standard!r}")
            bank, volts = package.bank_of(pin.ball), _BANK_VOLTS[pin.standard]
            if bank_volts.setdefault(bank, volts) != volts:
                raise ValueError(
                    f"{where} needs {volts} V in bank {bank}, which has {bank_volts[bank]} V"
                )
        if self.clock.ball not in package.clock_balls:
            raise ValueError(
                f"Board {self.name}: clock is on {self.clock.ball}, which cannot take a clock"
            )

    @property
    def pins(self) -> dict[str, Pin]:
        """Every pin in use, by what it is used for."""
        uses = ("clock", "reset", "uart_rx", "uart_tx", "alive", "fault")
        return {use: pin for use in uses if (pin := getattr(self, use)) is not None}

    @property
    def vivado_part(self) -> str:
        """The full part name: ``"xc7s15ftgb196-1"``."""
        return f"{self.part}{self.package}-{self.speed}"

    @property
    def resources(self) -> Part:
        """What the die offers."""
        return PARTS[self.part]

    @property
    def package_data(self) -> Package:
        """The balls of the die in its package."""
        return PACKAGES[self.part, self.package]
