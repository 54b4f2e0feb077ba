"""Lattice's ECP5, as Yosys builds for it.

Sources: FPGA-TN-02205 (MULT18X18D), FPGA-TN-02204 (block RAM, memories in LUTs), FPGA-DS-02012
(slices, and how many a part has).
"""

from bitformer.hw.families.adder import LutAdder
from bitformer.hw.families.family import (
    BlockRam,
    Carry,
    Family,
    Kind,
    LutRam,
    Luts,
    Multiplier,
    MultiplierCell,
    PinPatterns,
    Primitive,
    Script,
)
from bitformer.hw.families.figures import PowerModel

__all__ = ["ECP5"]

#: Two LUTs, each with a carry: the lower one's goes to the upper one alone.
_CCU2C = Carry(
    below="CIN",
    inputs={(f"{pin}0", f"{pin}1"): 0 for pin in "ABCD"},
    carries=("", "COUT"),
    sums=("S0", "S1"),
)

_PRIMITIVES = {
    **dict.fromkeys(("LUT2", "LUT4"), Primitive(kind=Kind.LUT)),
    "INV": Primitive(kind=Kind.INVERTER),
    **dict.fromkeys(("PFUMX", "L6MUX21"), Primitive(kind=Kind.MULTIPLEXER)),
    "CCU2C": Primitive(kind=Kind.CARRY, size=2, carry=_CCU2C),
    **dict.fromkeys(("IB", "OB", "OBZ", "BB", "TRELLIS_IO", "DCCA"), Primitive(kind=Kind.BUFFER)),
    "TRELLIS_FF": Primitive(kind=Kind.REGISTER),
    # four LUTs hold it, and a slice beside them takes the write port
    "TRELLIS_DPR16X4": Primitive(kind=Kind.LUT_RAM, size=6, reads=(("RAD", "DO"),)),
    **dict.fromkeys(("DP16KD", "PDPW16KD"), Primitive(kind=Kind.BLOCK_RAM)),
    "MULT18X18D": Primitive(kind=Kind.MULTIPLIER, late=("REG_OUTPUT_CLK", "NONE")),
}

#: Only what says so is in block RAM. Its words are not read where they are written (see
#: :class:`bitformer.hw.units.store.Store`), or Yosys would put a LUT behind each bit for that: a
#: block's output is 5.8 ns late already. Nets are split before LUTs are mapped: without, ABC9 can
#: end without a word.
_COMMANDS = """\
setparam -set COLLISION_X_MASK 1'1 *store_*/t:$memrd_v2 r:CLK_ENABLE=1 %i r:COLLISION_X_MASK=1'0 %i
synth_ecp5 -top {top} {options}-nobram -no-rw-check -run begin:map_luts
splitnets
synth_ecp5 -top {top} {options}-nobram -no-rw-check -run map_luts:check
"""

#: Registers before and behind the product, which takes 3.9 ns of a part of speed grade 6. That
#: ``CLK0_DIV`` is enabled divides no clock: each edge of the halved one counts.
_CELL = MultiplierCell(
    long="A",
    short="B",
    product="P",
    clock="CLK0",
    parameters=(
        *((f"REG_{name}_CLK", "CLK0") for name in ("INPUTA", "INPUTB", "OUTPUT")),
        *((f"REG_{name}_CLK", "NONE") for name in ("INPUTC", "PIPELINE")),
        *((f"CLK{number}_DIV", "ENABLED") for number in range(4)),
        ("GSR", "DISABLED"),
        ("MULT_BYPASS", "DISABLED"),
        ("RESETMODE", "SYNC"),
        ("SOURCEB_MODE", "B_SHIFT"),
    ),
    tied=(
        *((pin, 1) for pin in ("SIGNEDA", "SIGNEDB", "CE0", "CE1", "CE2", "CE3")),
        *((pin, 0) for pin in ("SOURCEA", "SOURCEB", "RST0", "RST1", "RST2", "RST3")),
        *((f"C{bit}", 0) for bit in range(18)),
    ),
)

ECP5 = Family(
    name="ECP5",
    # its own accumulator takes two blocks: sums are made in LUTs, as wide as one asks for
    multiplier=Multiplier(
        name="MULT18X18D",
        long_bits=18,
        short_bits=18,
        accumulator_bits=48,
        cell=_CELL,
        adder=LutAdder(terms=2),
    ),
    block_ram=BlockRam(
        name="EBR",
        shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        stacked=3,
        enable_bits=9,
        saves=32,
    ),
    luts=Luts(inputs=4, joined=8, rams=(LutRam(words=16, bits=4, luts=6),)),
    primitives=_PRIMITIVES,
    pins=PinPatterns(
        clock=r"(CLK\w*|WCK)$",
        enable=r"(O?CE\w*|WE\w*|WRE)$",
        reset=r"(LSR|RST\w*)$",
    ),
    script=Script(commands=_COMMANDS, without_pads="-noiopad ", unit_by_unit="-noflatten "),
    # energies of a cycle: the 7 series', times 40 nm / 28 nm and (1.1 V / 1.0 V) squared
    power=PowerModel(
        luts_pj=0.05,
        ffs_pj=0.035,
        ramb18_pj=12.0,
        dsps_pj=9.0,
        static_w=0.125,
        configuration_w=0.2,
        configuration_hz=4 * 50e6,
        factor=2.0,
        source=(
            "static power quoted from memory of the data sheet (typical, 85 °C); energies of a"
            " cycle scaled from 28 nm; no design of ours was measured or reported"
        ),
    ),
    most_columns=32,
    # half a cycle has to be enough for what crosses between the two clocks
    stopped_hz=40e6,
)
