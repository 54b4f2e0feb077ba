"""What places and routes a part here, as plain data: nextpnr's program and its options."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitformer.hw.lowering.exact import DEFAULT_CLOCK_HZ
from bitformer.model.errors import UserError

__all__ = ["ROUTERS", "Chip", "Router", "router_of", "target_of", "usual_hz"]


@dataclass(frozen=True, kw_only=True)
class Router:
    """How nextpnr is run for the parts of a family.

    Parameters
    ----------
    program : str
        Of :data:`bitformer.synth.tools.PROGRAMS`.
    packer : str
        The program that makes a bitstream of what it writes, likewise.
    parts : mapping of str to str
        The option that says a part, by the part's name.
    packages : mapping of str to str
        nextpnr's names of packages, by the maker's; the first is meant where none is named.
    speeds : tuple of str
        Speed grades, the slowest first, which is meant where none is named.
    constraints, result : (str, str)
        The option that names the file of pins, and the one for the file that the packer reads, each
        with the name of the file.
    packing : tuple of str
        The packer's words for that file and the bitstream's, ``top.bit``.
    asked_hz : float
        The clock that is aimed at where nobody says one: nextpnr stops trying once it is met.
    options : tuple of str
        Others.
    without_pins : tuple of str
        Options for a design whose ports may lie anywhere.
    ports : tuple of str
        The ports that such a design keeps, where packages have too few pins for all; empty where it
        keeps every one.
    counted : mapping of str to str
        What its report calls the cells that people count, by their names for them.
    """

    program: str
    packer: str
    parts: Mapping[str, str]
    packages: Mapping[str, str]
    speeds: tuple[str, ...]
    constraints: tuple[str, str]
    result: tuple[str, str]
    packing: tuple[str, ...]
    asked_hz: float
    options: tuple[str, ...] = ()
    without_pins: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    counted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A part in a package, of a speed grade; ``router`` is what places and routes it.

    ``speed`` is empty where a part has one grade alone.
    """

    router: Router
    part: str
    package: str
    speed: str

    @property
    def options(self) -> tuple[str, ...]:
        """The options of nextpnr that say which it is."""
        router = self.router
        package = router.packages[self.package]
        speed = ("--speed", self.speed) if self.speed else ()
        return (router.parts[self.part], "--package", package, *speed)

    def __str__(self) -> str:
        speed = f", speed grade {self.speed}" if self.speed else ""
        return f"{self.part} {self.package}{speed}"


#: For the ECP5 of Lattice.
_ECP5 = Router(
    program="nextpnr-ecp5",
    packer="ecppack",
    parts={f"lfe5u-{size}f": f"--{size}k" for size in (25, 45, 85)},
    packages={"BG381": "CABGA381", "BG256": "CABGA256", "MG285": "CSFBGA285"},
    speeds=("6", "7", "8"),
    constraints=("--lpf", "top.lpf"),
    result=("--textcfg", "top.config"),
    packing=("--input", "top.config", "--bit", "top.bit"),
    asked_hz=150e6,
    without_pins=("--lpf-allow-unconstrained",),
    counted={
        "LUT": "TRELLIS_COMB",
        "FF": "TRELLIS_FF",
        "block RAM": "DP16KD",
        "multiplier": "MULT18X18D",
        "PLL": "EHXPLLL",
    },
)

#: For Lattice's iCE40 UltraPlus. It has one speed grade. Without pins a port lies at any of them,
#: and the larger package has 39.
_ICE40UP = Router(
    program="nextpnr-ice40",
    packer="icepack",
    parts={"ice40up5k": "--up5k"},
    packages={"SG48": "sg48", "UWG30": "uwg30"},
    speeds=("",),
    constraints=("--pcf", "top.pcf"),
    result=("--asc", "top.asc"),
    packing=("top.asc", "top.bit"),
    asked_hz=48e6,
    ports=("clk", "rst"),
    counted={
        "logic cell": "ICESTORM_LC",
        "block RAM": "ICESTORM_RAM",
        "multiplier": "ICESTORM_DSP",
        "SPRAM": "ICESTORM_SPRAM",
        "PLL": "ICESTORM_PLL",
    },
)

ROUTERS = (_ECP5, _ICE40UP)


def router_of(part: str) -> Router | None:
    """Return what places and routes a part here; None if nothing does."""
    return next((router for router in ROUTERS if part in router.parts), None)


def usual_hz(part: str) -> float:
    """Return the clock that is meant for a part where nobody says one, in hertz.

    100 MHz, or less where its router aims at less: designs of the slow families do not reach it.
    """
    router = router_of(part)
    return DEFAULT_CLOCK_HZ if router is None else min(DEFAULT_CLOCK_HZ, router.asked_hz)


def target_of(part: str, package: str | None = None, speed: str | None = None) -> Chip:
    """Return a part as a target, by default in its first package and of its slowest grade.

    Raises
    ------
    UserError
        If nothing here places and routes it, or it has no such package or grade.
    """
    router = router_of(part)
    if router is None:
        parts = ", ".join(part for router in ROUTERS for part in router.parts)
        raise UserError(
            f"part must be one that can be routed here, {parts}, not {part}; for it, Vivado's"
            " reports say what is reached: 'bitformer build'"
        )
    package = package or next(iter(router.packages))
    speed = speed or router.speeds[0]
    if package not in router.packages:
        raise UserError(f"package must be {' or '.join(router.packages)}, not {package!r}")
    if speed not in router.speeds:
        grades = " or ".join(router.speeds) or "left out"
        raise UserError(f"speed must be {grades}, not {speed!r}")
    return Chip(router=router, part=part, package=package, speed=speed)
