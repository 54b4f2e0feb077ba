"""AMD's 7 series, as Yosys and Vivado build for it.

Sources: UG479 (DSP48E1), UG473 (block RAM), UG474 (LUTs, memories in LUTs), UG953 (primitives).
"""

from bitformer.hw.families.adder import AdderCells, LutAdder
from bitformer.hw.families.family import (
    BlockRam,
    Carry,
    Family,
    JoinCells,
    Kind,
    LutRam,
    Luts,
    Multiplier,
    PinPatterns,
    Primitive,
    Script,
)
from bitformer.hw.families.figures import PowerModel, RoutedElsewhere

__all__ = ["SERIES7"]

_CARRY4 = Carry(
    below="CI",
    inputs={("CYINIT",): 0, ("S",): 0, ("DI",): 1},
    carries=("CO",),
    sums=("O",),
)

#: A LUT with two outputs of five inputs, and the carry behind it.
_ADDER = LutAdder(
    terms=3,
    cells=AdderCells(
        lut="LUT6_2",
        inputs=tuple(f"I{number}" for number in range(6)),
        outputs=("O6", "O5"),
        table="INIT",
        carry="CARRY4",
        bits=4,
        below="CI",
        begin="CYINIT",
        select="S",
        data="DI",
        sums="O",
        carries="CO",
    ),
)

_SHIFT_READS = tuple((pin, "Q") for pin in ("A", "A0", "A1", "A2", "A3"))
_QUAD_READS = tuple((f"ADDR{letter}", f"DO{letter}") for letter in "ABCD")
_ADDRESS = ("A", *(f"A{bit}" for bit in range(8)))
_SINGLE_READS = tuple((pin, "O") for pin in _ADDRESS)
_DUAL_READS = (
    *((pin, "SPO") for pin in _ADDRESS),
    *((pin, "DPO") for pin in ("DPRA", *(f"DPRA{bit}" for bit in range(7)))),
)


def _lut_ram(luts: int, reads: tuple[tuple[str, str], ...]) -> Primitive:
    return Primitive(kind=Kind.LUT_RAM, size=luts, reads=reads)


_PRIMITIVES = {
    **{f"LUT{inputs}": Primitive(kind=Kind.LUT) for inputs in range(1, 7)},
    "LUT6_2": Primitive(kind=Kind.LUT, tables=("INIT", (("O6", 64), ("O5", 32)))),
    "INV": Primitive(kind=Kind.INVERTER),
    **dict.fromkeys(("MUXF7", "MUXF8"), Primitive(kind=Kind.MULTIPLEXER)),
    "CARRY4": Primitive(kind=Kind.CARRY, size=0, carry=_CARRY4),
    **dict.fromkeys(("BUF", "BUFG", "IBUF", "OBUF"), Primitive(kind=Kind.BUFFER)),
    **dict.fromkeys(
        (
            *(f"FD{kind}E{edge}" for kind in "CPRS" for edge in ("", "_1")),
            *("LDCE", "LDPE"),
        ),
        Primitive(kind=Kind.REGISTER),
    ),
    **dict.fromkeys(
        ("SRL16", "SRL16E", "SRLC16", "SRLC16E", "SRLC32E"),
        Primitive(kind=Kind.SHIFT_REGISTER, reads=_SHIFT_READS),
    ),
    **dict.fromkeys(("RAM32M", "RAM64M"), _lut_ram(4, _QUAD_READS)),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D"), _lut_ram(2, _DUAL_READS)),
    "RAM128X1D": _lut_ram(4, _DUAL_READS),
    **dict.fromkeys(("RAM32X1S", "RAM64X1S"), _lut_ram(1, _SINGLE_READS)),
    "RAM128X1S": _lut_ram(2, _SINGLE_READS),
    "RAM256X1S": _lut_ram(4, _SINGLE_READS),
    "RAMB18E1": Primitive(kind=Kind.BLOCK_RAM),
    "RAMB36E1": Primitive(kind=Kind.BLOCK_RAM, size=2),
    "DSP48E1": Primitive(kind=Kind.MULTIPLIER, late=("PREG", "0")),
}

#: Nets are split before LUTs are mapped, without which ABC9 can give two nets one name
#: (YosysHQ/yosys, issue 4349). To ABC9 a wire takes 700 ps: what 150 MHz leaves for each of those
#: around six LUTs. With 300 ps, its default, a block RAM's slow output is as long as many LUTs, and
#: any path may have as many.
_COMMANDS = """\
scratchpad -set synth_xilinx.abc9.W 700
synth_xilinx -family xc7 -top {top} {options}-run begin:map_luts
splitnets
synth_xilinx -family xc7 -top {top} {options}-run map_luts:check
"""

SERIES7 = Family(
    name="7 series",
    multiplier=Multiplier(
        name="DSP48E1", long_bits=25, short_bits=18, accumulator_bits=48, adder=_ADDER
    ),
    block_ram=BlockRam(
        name="RAMB18",
        shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        stacked=3,
        enable_bits=9,
        saves=32,
    ),
    # 64 x 3 bits and 32 x 6 bits are RAM64M and RAM32M; MUXF7 and MUXF8 join the LUTs of a slice
    luts=Luts(
        inputs=6,
        joined=4,
        join=JoinCells(kinds=("MUXF7", "MUXF8"), low="I0", high="I1", select="S", output="O"),
        rams=(LutRam(words=32, bits=6, luts=4), LutRam(words=64, bits=3, luts=4)),
    ),
    primitives=_PRIMITIVES,
    pins=PinPatterns(
        clock=r"(C|CLK|WCLK|CLK\w*)$",
        enable=r"(CE\w*|WE\w*|EN\w*|REGCE\w*)$",
        reset=r"(R|S|CLR|PRE|RST\w*)$",
    ),
    script=Script(commands=_COMMANDS, without_pads="-noiopad -noclkbuf ", flatten="-flatten "),
    # Energies of a cycle are orders of magnitude for 28 nm logic, not fitted on any report. Of the
    # three designs whose energy arXiv 2410.03294 gives for the XC7S15, the model says 10, 17 and
    # 7 % less.
    power=PowerModel(
        luts_pj=0.03,
        ffs_pj=0.02,
        ramb18_pj=7.0,
        dsps_pj=5.0,
        static_w=0.07,
        configuration_w=0.1,
        configuration_hz=4 * 50e6,
        factor=1.3,
        source=(
            "static power from Vivado's reports; energies of a cycle assumed, held against three"
            " published designs; 0.1 W of a configuration assumed"
        ),
    ),
    # Of an earlier day's hardware; on a whole XC7S50, and the first two also in a window of it as
    # large as an XC7S15. LUT levels (5), carry chains (1) and steps of paths that begin late (5)
    # were the same in all three, and tell nothing.
    routed=RoutedElsewhere(
        designs={
            "etth1-96-24": (96, (135.2, 142.0, 143.9, 141.0, 143.9, 127.3)),
            "grid-12-32-4": (192, (141.5, 147.1, 128.4, 120.7, 133.3, 127.1)),
            "grid-12-64-6": (659, (106.9, 105.2)),
        },
        source=(
            "a place-and-route estimate by nextpnr-xilinx, public delays of speed grade -1, 150 MHz"
            " asked; neither Vivado's word nor hardware"
        ),
    ),
)
