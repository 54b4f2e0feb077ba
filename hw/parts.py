"""The FPGA parts bitformer knows: what each offers, as plain data."""

from dataclasses import dataclass

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.family import Family
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.model.alike import none_of
from bitformer.model.errors import UserError

__all__ = ["DEFAULT_PART", "MEASURED", "PARTS", "Part", "Use", "find_part", "known_uses"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """The resources of one die.

    Parameters
    ----------
    name : str
        The die as vendor tools spell it, without package and speed grade: ``"xc7s15"``.
    family : Family
        What its LUTs, block RAMs and multipliers are.
    luts, ffs : int
        Look-up tables and flip-flops.
    lutram_luts : int
        The LUTs among `luts` that can serve as memory; 0 in a family without such.
    ramb18 : int
        Block RAMs, as the family counts them.
    dsps : int
        Multipliers.
    bitstream_bits : int
        The length of an uncompressed bitstream.
    static_w : float or None
        Static power in watts as Vivado reports it (typical process, 25 °C ambient) or the data
        sheet has it, or ``None`` where neither was read.
    verified : bool
        Whether the counts were read in a Vivado report of this part. The others are quoted from
        memory of the data sheet: check them before relying on them.

    Raises
    ------
    ValueError
        If a count is not positive, or more LUTs could be memory than there are LUTs, or any in a
        family without memories in LUTs.
    """

    name: str
    family: Family
    luts: int
    ffs: int
    lutram_luts: int
    ramb18: int
    dsps: int
    bitstream_bits: int
    static_w: float | None
    verified: bool

    def __post_init__(self):
        for field in ("luts", "ffs", "ramb18", "dsps", "bitstream_bits"):
            if getattr(self, field) < 1:
                raise ValueError(
                    f"Part {self.name}: {field} must be positive, not {getattr(self, field)}"
                )
        if (self.lutram_luts > 0) != bool(self.family.luts.rams):
            raise ValueError(
                f"Part {self.name}: lutram_luts must be positive where its family has memories in"
                f" LUTs, else 0, not {self.lutram_luts}"
            )
        if self.lutram_luts > self.luts:
            raise ValueError(
                f"Part {self.name}: lutram_luts must be at most luts ({self.luts}), "
                f"not {self.lutram_luts}"
            )
        if self.static_w is not None and self.static_w <= 0:
            raise ValueError(f"Part {self.name}: static_w must be positive, not {self.static_w}")

    def to_dict(self) -> dict[str, object]:
        """Return the counts, and the family by its name, as plain data."""
        return {**vars(self), "family": self.family.name}


def _part(
    name, family, luts, ffs, lutram_luts, ramb18, dsps, bitstream_bits, static_w=None, *, read=False
):
    return Part(
        name=name,
        family=family,
        luts=luts,
        ffs=ffs,
        lutram_luts=lutram_luts,
        ramb18=ramb18,
        dsps=dsps,
        bitstream_bits=bitstream_bits,
        static_w=static_w,
        verified=read,
    )


#: The part that is meant where none is named.
DEFAULT_PART = "xc7s15"
#: Parts of its family that random designs are drawn for, whose LUTs are measured: smallest first.
MEASURED = ("xc7s6", "xc7s15", "xc7s25", "xc7s50")

#: Every known part by name, smallest first in each family. Lengths of bitstreams: UG470, table 1-1;
#: FPGA-TN-02039. Static power of an ECP5: FPGA-DS-02012, from memory. Of the LUTs of an ECP5 three
#: in four can be memory: two hold it, one writes it.
PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        #                            luts    ffs  lutram ramb18 dsps  bitstream  static
        _part("xc7s6", SERIES7, 3_752, 7_504, 1_120, 10, 10, 4_310_752),
        _part("xc7s15", SERIES7, 8_000, 16_000, 2_400, 20, 20, 4_310_752, 0.020, read=True),
        _part("xc7s25", SERIES7, 14_600, 29_200, 5_000, 90, 80, 9_934_432, 0.064, read=True),
        _part("xc7s50", SERIES7, 32_600, 65_200, 9_600, 150, 120, 17_536_096, 0.072, read=True),
        _part("xc7s75", SERIES7, 48_000, 96_000, 13_312, 180, 140, 29_494_496),
        _part("xc7s100", SERIES7, 64_000, 128_000, 17_600, 240, 160, 29_494_496),
        _part("lfe5u-25f", ECP5, 24_288, 24_288, 18_216, 56, 28, 5_420_000, 0.125),
        _part("lfe5u-45f", ECP5, 43_848, 43_848, 32_886, 108, 72, 9_740_000, 0.170),
        _part("lfe5u-85f", ECP5, 83_640, 83_640, 62_730, 208, 156, 18_290_000, 0.300),
        _part("ice40up5k", ICE40UP, 5_280, 5_280, 0, 30, 8, 833_288),
    )
}


def find_part(name: str) -> Part:
    """Return the part called ``name``; a ``UserError`` has the known names if there is none."""
    if name not in PARTS:
        raise UserError(none_of("part", name, PARTS))
    return PARTS[name]


@dataclass(frozen=True, kw_only=True)
class Use:
    """How much of one resource of the part is used."""

    resource: str
    used: int
    available: int

    @property
    def over(self) -> int:
        """By how much the budget is exceeded; 0 when it is not."""
        return max(0, self.used - self.available)

    def __str__(self):
        return f"{self.resource}: {self.used} of {self.available}, {self.over} too many"


def known_uses(*uses: Use) -> tuple[Use, ...]:
    """Return the uses without those of what a part has not, such as LUTs as memory."""
    return tuple(use for use in uses if use.available or use.used)
