"""FPGA packages: which balls are user I/O, in which bank, and which can take a clock.

The balls were read in the open prjxray databases (``package_pins.csv`` of xc7s6ftgb196,
xc7s25csga225, xc7s25csga324 and xc7s50csga324). XC7S6 and XC7S15 are footprint-compatible in
FTGB196. Those of the ECP5 are of Project Trellis (``iodb.json`` of LFE5U-25F, -45F and -85F), which
nextpnr brings along. Those of the iCE40UP5K are of Project IceStorm; their banks, quoted from
memory of Lattice's pin list, count on boards with one supply only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PACKAGES", "Package"]


@dataclass(frozen=True, kw_only=True)
class Package:
    """One die in one package.

    Parameters
    ----------
    parts : tuple of str
        The dies it holds for: ``("xc7s15",)``.
    name : str
        The package as vendor tools spell it: ``"ftgb196"``.
    banks : mapping from int to frozenset of str
        The user I/O balls of every I/O bank. Power, ground and configuration balls are in none.
    clock_balls : frozenset of str
        The balls from which a single-ended clock reaches a global buffer: the P side of the
        pairs called MRCC and SRCC.

    Raises
    ------
    ValueError
        If a ball is in two banks, or a clock ball in none.
    """

    parts: tuple[str, ...]
    name: str
    banks: Mapping[int, frozenset[str]]
    clock_balls: frozenset[str]

    def __post_init__(self):
        if len(self.balls) != sum(len(bank) for bank in self.banks.values()):
            raise ValueError(f"Package {self.name}: a ball is in two banks")
        if strays := sorted(self.clock_balls - self.balls):
            raise ValueError(f"Package {self.name}: clock ball {strays[0]} is in no bank")

    @property
    def balls(self) -> frozenset[str]:
        """Every user I/O ball."""
        return frozenset().union(*self.banks.values())

    def bank_of(self, ball: str) -> int:
        """Return the bank that `ball` is in; raise ``KeyError`` if it is no user I/O."""
        for number, bank in self.banks.items():
            if ball in bank:
                return number
        raise KeyError(ball)


def _balls(text: str) -> frozenset[str]:
    """Expand ``"A2-5 B1"`` to the balls A2, A3, A4, A5 and B1."""
    words = text.split()
    return frozenset(word[0] + number for word in words for number in _pins(word[1:]))


def _pins(text: str) -> frozenset[str]:
    """Expand ``"2-5 9"`` to the pins 2, 3, 4, 5 and 9."""
    pins = []
    for word in text.split():
        first, _, last = word.partition("-")
        pins += [str(n) for n in range(int(first), int(last or first) + 1)]
    return frozenset(pins)


_FTGB196 = Package(
    parts=("xc7s6", "xc7s15"),
    name="ftgb196",
    banks={
        14: _balls(
            "A10 A12-13 B10-14 C10-12 C14 D10 D12-14 E11-13 F11-14 G11 G14 "
            "H11-14 J11-14 K11-12 L12-14 M10-14 N10-11 N14 P10-13"
        ),
        34: _balls(
            "A2-5 B1-3 B5-6 C1 C3-5 D1-4 E2 E4 F1-4 G1 G4 H1-4 J1-4 K3-4 L1-3 L5 M1-5 N1 N4 P2-5"
        ),
    },
    clock_balls=_balls("D1 D14 G4 G11 H2 H4 H11 H13"),
)

_CSGA225 = Package(
    parts=("xc7s25",),
    name="csga225",
    banks={
        14: _balls("H14-15 J11-12 J15 K11-15 L10-15 M7-10 M13-15 N6-15 P6-7 P10-12 P14-15 R5-14"),
        15: _balls("A5-14 B6 B9-15 C6-10 C13-15 D7-13 D15 E11-15 F11 F14-15 G11-15 H11-13"),
        34: _balls("A2-4 B1-5 C1 C4-5 D1-4 E1-3 F1-4 G1 G4 H1-4 J1-4 K1-3 L1 M1-4 N1-4 P1-3 R2-4"),
    },
    clock_balls=_balls("A11 A13 B13 C15 F4 H1 H4 J2 M9 N12 P14 R13"),
)

#: What XC7S25 and XC7S50 have in common in CSGA324.
_CSGA324_BANKS = {
    14: _balls("K17-18 L13-18 M13-18 N13-15 N18 P13-18 R11-18 T11-15 T18 U11-12 U15-18 V12-17"),
    15: _balls(
        "A13-17 B13-18 C13-14 C17-18 D12 D14-18 E12-18 F13-15 F18 G13 G15-18 "
        "H13-18 J13-16 K13-14 K16"
    ),
    34: _balls("J6 K1-4 K6 L1 L4-6 M1-6 N1-5 P1-2 P5-7 R1-7 T1-6 U1-3 U6-7 V2-7"),
}
_CSGA324_CLOCKS = _balls("D14 D18 F14 G16 N15 P2 P14 R2-3 R14 R16 T1")

_CSGA324_S25 = Package(
    parts=("xc7s25",), name="csga324", banks=_CSGA324_BANKS, clock_balls=_CSGA324_CLOCKS
)

_CSGA324_S50 = Package(
    parts=("xc7s50",),
    name="csga324",
    banks={
        **_CSGA324_BANKS,
        16: _balls("A9-11 B11 C9-12 D10-11"),
        35: _balls("A2-8 B1-5 B7 C1-5 C7 D1-2 D5-7 E1-6 F1-6 G1-2 G5-6 H2-6 J1-5"),
    },
    clock_balls=_CSGA324_CLOCKS | _balls("A10 B11 C1-2 C10 C12 E1 F4"),
)

#: What every LFE5U has in BG381.
_BG381_BANKS = {
    0: _balls("A6-11 B6 B8-11 C6-8 C10-11 D6-9 E6-9"),
    1: _balls("A12-14 A16-19 B12-13 B15-20 C12-17 D11-16 E11-15"),
    2: _balls("C18 C20 D17-20 E16-20 F16-20 G16 G18-20 H16-18 H20 J16-20 K18-20"),
    3: _balls("L16-20 M17-20 N16-20 P16-20 R16-18 R20 T17-20 U16-20"),
    6: _balls("F1 G1-2 H1-2 J1 J3-5 K1-5 L1-5 M1 M3-4 N1-5 P1-5"),
    7: _balls("A2-5 B1-5 C1-5 D1-3 D5 E1-5 F2-5 G3 G5 H3-5"),
    8: _balls("R1-3 T1-3 U1-2 V1-2 W1-2 Y2"),
}
_MORE_45 = {0: "C9 D10 E10", 1: "A15", 3: "T16", 6: "M5"}


def _bg381(size: int, more: Mapping[int, str]) -> Package:
    return Package(
        parts=(f"lfe5u-{size}f",),
        name="BG381",
        banks={bank: balls | _balls(more.get(bank, "")) for bank, balls in _BG381_BANKS.items()},
        clock_balls=_balls("A10 B11-12 D11 F2 G2-3 H2 J19-20 L19-20"),
    )


#: The same balls in every size.
_MG285 = Package(
    parts=("lfe5u-25f", "lfe5u-45f", "lfe5u-85f"),
    name="MG285",
    banks={
        0: _balls("A10-11 B10-11 C10-11"),
        1: _balls("A8-9 B8-9 C8-9"),
        2: _balls("A2-4 A6-7 B1-2 B4 B6-7 C1-4 C6-7 D1-4 D6"),
        3: _balls("F1-4 G1 G3-4 H1-4 J1-3 K1-4 L1 L3-4 M1-3 N1-4"),
        6: _balls("C18 D17-18 F15-18 G15-16 G18 H15-18 J16-18 K15-18 L15-16 L18 M16-17"),
        7: _balls("A12-13 A15-17 B12-13 B15 B17-18 C12-13 C15-17 D13 D15-16"),
        8: _balls("M18 N15-18 R16-18 T17-18 U17-18 V17"),
    },
    clock_balls=_balls("A9 A11 A17 B9-10 B18 C1 D2 D17-18 F4 H4"),
)

#: Pins have numbers only. Behind a clock's pin is a global buffer: G0, G1, G3 and G6.
_SG48 = Package(
    parts=("ice40up5k",),
    name="SG48",
    banks={
        0: _pins("23 25-28 31-32 34-43"),
        1: _pins("6 9-21"),
        2: _pins("2-4 44-48"),
    },
    clock_balls=_pins("20 35 37 44"),
)

#: Known packages by (die, package).
PACKAGES: dict[tuple[str, str], Package] = {
    (part, package.name): package
    for package in (
        *(_FTGB196, _CSGA225, _CSGA324_S25, _CSGA324_S50),
        *(_bg381(25, {}), _bg381(45, _MORE_45), _bg381(85, {**_MORE_45, 2: "K16-17"}), _MG285),
        _SG48,
    )
    for part in package.parts
}
