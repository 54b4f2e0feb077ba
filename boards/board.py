"""A board as plain data: a part, a clock, a host link, and how it is configured."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bitformer.boards.checks import check_int
from bitformer.boards.pinouts import PACKAGES, Package
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.family import Family
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.parts import PARTS, Part

__all__ = ["LINKS", "Board", "JtagLoader", "Pin", "SpiFlash", "SpiPins", "UartPins", "part_of"]

#: The kinds of host link. ``elastic`` is the Elastic Node's own protocol, on the pins of ``spi``.
LINKS = ("uart", "spi", "elastic")

#: The rates in megahertz at which an FPGA can read its configuration from a flash, by family.
_CONFIG_RATES: dict[Family, tuple[float, ...]] = {
    SERIES7: (3, 6, 9, 12, 16, 22, 26, 33, 40, 50, 66),
    ECP5: (2.4, 4.8, 9.7, 19.4, 38.8, 62.0),
    ICE40UP: (10,),  # what its packer sets
}

#: The supply voltage that an I/O standard needs in its bank.
_BANK_VOLTS = {
    "LVCMOS33": 3.3,
    "LVCMOS25": 2.5,
    "LVCMOS18": 1.8,
    "SSTL135": 1.35,
    "SSTL135_I": 1.35,
}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One FPGA ball in use.

    Parameters
    ----------
    ball : str
        ``"H4"``.
    standard : str
        The I/O standard, as the maker's tools name it.
    inverted : bool
        Whether a low level on the ball means true (an active-low button or LED).
    pull : str or None
        What holds the ball while nothing drives it: ``"UP"``, ``"DOWN"``, ``"NONE"``, or None for
        what the tools do by themselves.
    """

    ball: str
    standard: str = "LVCMOS33"
    inverted: bool = False
    pull: str | None = None


@dataclass(frozen=True, kw_only=True)
class UartPins:
    """A serial line, named from the FPGA's side: the host talks to `rx`."""

    rx: Pin
    tx: Pin


@dataclass(frozen=True, kw_only=True)
class SpiPins:
    """An SPI bus on which the FPGA is the slave: `mosi` comes from the host, `miso` goes to it."""

    sck: Pin
    cs: Pin
    mosi: Pin
    miso: Pin


@dataclass(frozen=True, kw_only=True)
class SpiFlash:
    """A flash from which the FPGA configures itself: `width` data lines, nominally `rate_mhz`."""

    width: int
    rate_mhz: float


@dataclass(frozen=True, kw_only=True)
class JtagLoader:
    """Arguments by which openFPGALoader reaches a board.

    Parameters
    ----------
    board : str or None
        The board's name there.
    part : str or None
        The part's name there, for a board that it does not know, or can only write the flash of.
    cable : str or None
        The JTAG cable, for a board with its own; None if the user has to name one.
    flash : bool
        Whether the FPGA has a flash that openFPGALoader can write.
    usual_cable : str or None
        The cable that openFPGALoader takes for its board of that name, if it is not `cable`.
    flash_only : bool
        Whether every bitstream goes to the flash, from which the FPGA then loads itself.
    dfu : bool
        Whether a boot loader takes the bitstream over USB (DFU) and writes it to the flash, always.
    before : str
        A sentence: to be done by hand first.
    """

    board: str | None = None
    part: str | None = None
    cable: str | None = None
    usual_cable: str | None = None
    flash: bool = False
    flash_only: bool = False
    dfu: bool = False
    before: str = ""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything that a build needs to know of a board.

    Parameters
    ----------
    name : str
        Lower case, as typed on a command line: ``"arty-s7-50"``.
    title : str
        As its maker calls it.
    part, package, speed : str
        ``"xc7s15"``, ``"ftgb196"``, ``"1"``; or ``"lfe5u-25f"``, ``"BG381"``, ``"6"``. A part that
        comes in one grade has ``""``.
    clock_hz : int
        The oscillator, in hertz. It clocks the design through a global buffer, with no clock
        generator unless one is asked for (see :mod:`.clock`).
    clock : Pin or None
        Where it arrives; None of an oscillator inside the chip.
    uart : UartPins or None
    spi : SpiPins or None
        The host links; one at least.
    busy : Pin or None
        Where an SPI host looks whether an inference is going on; with it the board has the link
        ``elastic``.
    link : str
        The link that is used unless another is asked for: one of ``LINKS``.
    alive, fault : Pin or None
        LEDs for the heartbeat and for a fault of the host link.
    reset : Pin or None
        A button that restarts the design.
    held : mapping of str to Pin
        Balls that are driven, true all the time, for what else is on the board.
    cfgbvs, config_voltage : str
        The Vivado properties of these names.
    flash : SpiFlash or None
        Where the FPGA can load itself from when power comes.
    constraints : tuple of str
        Further lines for the XDC file.
    loader : JtagLoader
        How openFPGALoader loads a bitstream.
    loading : str
        How a bitstream gets onto the board otherwise, in plain sentences; ``{bit}`` stands for it.
    notes : str
        For the user, before wiring it up.

    Raises
    ------
    TypeError, ValueError
        If the part or the package is unknown, a ball is no user I/O or is used twice, the clock's
        ball cannot take a clock, two standards in a bank need different supplies, the link has no
        pins, or the flash cannot be read as it says.
    """

    name: str
    title: str
    part: str
    package: str
    speed: str
    clock_hz: int
    clock: Pin | None
    uart: UartPins | None = None
    spi: SpiPins | None = None
    busy: Pin | None = None
    link: str = "uart"
    alive: Pin | None = None
    fault: Pin | None = None
    reset: Pin | None = None
    held: Mapping[str, Pin] = field(default_factory=dict)
    cfgbvs: str = "VCCO"
    config_voltage: str = "3.3"
    flash: SpiFlash | None = None
    constraints: tuple[str, ...] = ()
    loader: JtagLoader
    loading: str = ""
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
        self.wires(self.link)
        if self.flash is not None:
            if self.flash.width not in (1, 2, 4):
                raise ValueError(
                    f"Board {self.name}: flash width must be 1, 2 or 4, not {self.flash.width}"
                )
            rates = _CONFIG_RATES[self.family]
            if self.flash.rate_mhz not in rates:
                raise ValueError(
                    f"Board {self.name}: flash rate must be one of "
                    f"{', '.join(map(str, rates))} MHz, not {self.flash.rate_mhz}"
                )
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
        if self.clock is not None and self.clock.ball not in package.clock_balls:
            raise ValueError(
                f"Board {self.name}: clock is on {self.clock.ball}, which cannot take a clock"
            )

    @property
    def links(self) -> tuple[str, ...]:
        """The host links that the board has pins for, the usual one first."""
        there = [link for link in LINKS if self._wires(link)]
        return tuple(sorted(there, key=lambda link: link != self.link))

    def _wires(self, link: str) -> dict[str, Pin]:
        if link == "elastic":
            return vars(self.spi) | {"busy": self.busy} if self.spi and self.busy else {}
        found = getattr(self, link) if link in LINKS else None
        return {} if found is None else dict(vars(found))

    def wires(self, link: str) -> dict[str, Pin]:
        """Return the pins of a host link by wire: ``{"rx": …, "tx": …}``.

        Raises
        ------
        ValueError
            If the board has no such link.
        """
        wires = self._wires(link)
        if not wires:
            raise ValueError(
                f"Board {self.name}: link must be {' or '.join(self.links)}, not {link!r}"
            )
        return wires

    @property
    def pins(self) -> dict[str, Pin]:
        """Every pin in use, by its use: ``clock``, ``uart_rx``, ``spi_sck``, and so on."""
        pins = {"clock": self.clock, "reset": self.reset}
        for link in ("uart", "spi"):
            pins |= {f"{link}_{wire}": pin for wire, pin in self._wires(link).items()}
        pins |= {"busy": self.busy, "alive": self.alive, "fault": self.fault}
        pins |= {f"held_{name}": pin for name, pin in self.held.items()}
        return {use: pin for use, pin in pins.items() if pin is not None}

    @property
    def family(self) -> Family:
        """The family of the part."""
        return self.resources.family

    @property
    def full_part(self) -> str:
        """The part in full: ``"xc7s15ftgb196-1"``, ``"LFE5U-25F-6BG381C"``."""
        if self.family is ECP5:
            return f"{self.part.upper()}-{self.speed}{self.package}C"
        if not self.speed:
            return f"{self.part.upper()}-{self.package}"
        return f"{self.part}{self.package}-{self.speed}"

    @property
    def resources(self) -> Part:
        """The resources of the die."""
        return PARTS[self.part]

    @property
    def package_data(self) -> Package:
        """The balls of the die in its package."""
        return PACKAGES[self.part, self.package]


def part_of(device: str) -> Part | None:
    """Return the part whose die a full name begins with, such as ``"xc7s15ftgb196-1"``."""
    return next((part for die, part in PARTS.items() if device.lower().startswith(die)), None)
