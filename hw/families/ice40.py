"""Lattice's iCE40 UltraPlus, as Yosys builds for it.

Sources: FPGA-TN-02007 (SB_MAC16), FPGA-TN-02002 (EBR), FPGA-TN-02022 (SPRAM), FPGA-DS-02008 (logic
cells, and what the part has), the Lattice ICE technology library (primitives).
"""

from bitformer.hw.families.family import (
    BlockRam,
    Carry,
    Family,
    Kind,
    Luts,
    Multiplier,
    MultiplierCell,
    PinPatterns,
    Primitive,
    Script,
)
from bitformer.hw.families.figures import PowerModel

__all__ = ["ICE40UP"]

#: Its sum is made in the LUT beside it.
_CARRY = Carry(
    below="CI",
    inputs={("I0",): 0, ("I1",): 0},
    carries=("CO",),
    sums=("",),
    beside={"I0": "I1", "I1": "I2", "CI": "I3"},
)

_FLIP_FLOPS = (
    f"SB_DFF{edge}{enable}{reset}"
    for edge in ("", "N")
    for enable in ("", "E")
    for reset in ("", "R", "S", "SR", "SS")
)

_PRIMITIVES = {
    "SB_LUT4": Primitive(kind=Kind.LUT),
    "SB_CARRY": Primitive(kind=Kind.CARRY, size=0, carry=_CARRY),
    **dict.fromkeys(_FLIP_FLOPS, Primitive(kind=Kind.REGISTER)),
    **dict.fromkeys(("SB_IO", "SB_GB", "SB_GB_IO"), Primitive(kind=Kind.BUFFER)),
    **dict.fromkeys(
        (f"SB_RAM40_4K{edges}" for edges in ("", "NR", "NW", "NRNW")),
        Primitive(kind=Kind.BLOCK_RAM),
    ),
    "SB_MAC16": Primitive(kind=Kind.MULTIPLIER),
}

#: Only what says so is in block RAM; what asks for memories in LUTs, of which there are none,
#: becomes registers. Words of a store are not read where they are written (see
#: :class:`bitformer.hw.units.store.Store`), or Yosys would put logic around each block for that.
#: Nets are split before LUTs are mapped: without, ABC9 gives two nets one name, and Yosys stops.
#: Yosys is to make no SB_MAC16: of those that are there it would take the registers out, as soon as
#: there is a sum behind them that it takes in.
_COMMANDS = """\
setattr -set ram_style "logic" a:ram_style=distributed
setparam -set COLLISION_X_MASK 1'1 *store_*/t:$memrd_v2 r:CLK_ENABLE=1 %i r:COLLISION_X_MASK=1'0 %i
synth_ice40 -device u -top {top} {options}-nobram -no-rw-check -run begin:map_luts
splitnets
synth_ice40 -device u -top {top} {options}-nobram -no-rw-check -run map_luts:check
"""


def _cell(*, halves: bool) -> MultiplierCell:
    """Return a block with registers before the product, and behind its four parts' sum.

    Or, with ``halves``, behind the two products of its other mode.
    """
    registers = {"TOP_8x8_MULT_REG": halves, "BOT_8x8_MULT_REG": halves, "MODE_8x8": halves}
    registers |= {"PIPELINE_16x16_MULT_REG1": False, "PIPELINE_16x16_MULT_REG2": not halves}
    return MultiplierCell(
        long="A",
        short="B",
        product="O",
        clock="CLK",
        parameters=(
            *((f"{name}_REG", int(name in "AB")) for name in "ABCD"),
            *((name, int(used)) for name, used in registers.items()),
            *((f"{half}OUTPUT_SELECT", 2 if halves else 3) for half in ("TOP", "BOT")),
            *(
                (f"{half}ADDSUB_{name}", 0)
                for half in ("TOP", "BOT")
                for name in ("LOWERINPUT", "UPPERINPUT", "CARRYSELECT")
            ),
            ("NEG_TRIGGER", 0),
        ),
        tied=(
            ("CE", 1),
            *((name, "0" * 16) for name in "CD"),
            *((f"{name}HOLD", 0) for name in "ABCD"),
            *(
                (f"{name}{half}", 0)
                for name in ("IRST", "ORST", "OLOAD", "ADDSUB", "OHOLD")
                for half in ("TOP", "BOT")
            ),
            *((name, 0) for name in ("CI", "ACCUMCI", "SIGNEXTIN")),
        ),
        signed=("A_SIGNED", "B_SIGNED"),
        vectors=True,
    )


ICE40UP = Family(
    name="iCE40UP",
    # a post-processor's multiplier of 18 bits and its multiplicand of 48 fit any model's numbers
    multiplier=Multiplier(
        name="SB_MAC16",
        long_bits=16,
        short_bits=16,
        accumulator_bits=48,
        cell=_cell(halves=False),
        unsigned=True,
        rows=2,
        uppers=3,
        apart=True,
        half_bits=8,
        half_cell=_cell(halves=True),
        soft=20,
    ),
    block_ram=BlockRam(
        name="EBR",
        shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        stacked=3,
        enable_bits=1,
        saves=64,
        kept=3,
        early=True,
    ),
    # ABC9 finds a table's own LUTs seldom
    luts=Luts(inputs=4, joined=1, holds_register=True, rom_share=1.25),
    primitives=_PRIMITIVES,
    pins=PinPatterns(
        clock=r"(C|CLK|CLOCK|RCLK|WCLK)$",
        enable=r"(E|CE|RE|WE|RCLKE|WCLKE)$",
        reset=r"(R|S|[IO]RST\w*)$",
    ),
    script=Script(commands=_COMMANDS, without_pads="", unit_by_unit="-noflatten "),
    # Measured on an iCE40UP5K, rail by rail (tinyVision.ai, ice40_power): 146 uW with the clock
    # halted; 52 pJ a cycle of any clock, with 28 cells behind it; 0.014 pJ a cycle more for a cell
    # of a long counter, 0.2 pJ for one of a multiplier in LUTs that works in each cycle, of which
    # 0.055 pJ is the geometric mean; 20 pJ for a SB_MAC16 that does so. A block RAM is a quarter of
    # another family's. 46 nAh at 1.2 to 3.3 V in 70 ms of a configuration from flash.
    power=PowerModel(
        luts_pj=0.04,
        ffs_pj=0.015,
        ramb18_pj=4.0,
        dsps_pj=20.0,
        clock_pj=52.0,
        static_w=0.000146,
        configuration_w=0.006,
        configuration_hz=12e6,
        factor=3.0,
        source=(
            "static power, clock, cells and multipliers from currents that tinyVision.ai measured"
            " on an iCE40UP5K; block RAM assumed; cells between a counter's and a busy multiplier's"
        ),
    ),
    any_columns=True,
    soft_columns=4,
    # half a cycle has to be enough for what crosses between the two clocks
    stopped_hz=16e6,
)
