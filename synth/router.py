"""What places and routes a part here, as plain data: nextpnr's program and its options."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitformer.model.errors import UserError

__all__ = ["ROUTERS", "Chip", "Router", "router_of", "target_of"]


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
    constraints, result : str
        The options that name the file of pins, and the file that the packer reads.
    options : tuple of str
        Others.
    without_pins : tuple of str
        Options for a design whose ports may lie anywhere.
    luts, ffs, block_rams, multipliers : str
        What its report calls them.
    """

    program: str
    packer: str
    parts: Mapping[str, str]
    packages: Mapping[str, str]
    speeds: tuple[str, ...]
    constraints: str
    result: str
    options: tuple[str, ...] = ()
    without_pins: tuple[str, ...] = ()
    counted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A part in a package, of a speed grade; ``router`` is what places and routes it."""

    router: Router
    part: str
    package: str
    speed: str

    @property
    def options(self) -> tuple[str, ...]:
        """The options of nextpnr that say which it is."""
        router = self.router
        package = router.packages[self.package]
        return (router.parts[self.part], "--package", package, "--speed", self.speed)

    def __str__(self) -> str:
        return f"{self.part} {self.package}, speed grade {self.speed}"


#: For the ECP5 of Lattice.
_ECP5 = Router(
    program="nextpnr-ecp5",
    packer="ecppack",
    parts={f"lfe5u-{size}f": f"--{size}k" for size in (25, 45, 85)},
    packages={"BG381": "CABGA381", "BG256": "CABGA256", "MG285": "CSFBGA285"},
    speeds=("6", "7", "8"),
    constraints="--lpf",
    result="--textcfg",
    without_pins=("--lpf-allow-unconstrained",),
    counted={
        "LUT": "TRELLIS_COMB",
        "FF": "TRELLIS_FF",
        "block RAM": "DP16KD",
        "multiplier": "MULT18X18D",
        "PLL": "EHXPLLL",
    },
)

ROUTERS = (_ECP5,)


def router_of(part: str) -> Router | None:
    """Return what places and routes a part here; None if nothing does."""
    return next((router for router in ROUTERS if part in router.parts), None)


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
        raise UserError(f"speed must be {' or '.join(router.speeds)}, not {speed!r}")
    return Chip(router=router, part=part, package=package, speed=speed)
