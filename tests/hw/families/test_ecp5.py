"""The ECP5: its facts, and how deep and large logic of its primitives is."""

import pytest

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.synth.depth import depth
from bitformer.synth.netlist import Cell, Netlist
from bitformer.synth.resources import Resources

DIES = [part for part in PARTS.values() if part.family is ECP5]


def test_parts():
    assert [(p.name, p.luts, p.dsps, p.ramb18) for p in DIES] == [
        ("lfe5u-25f", 24_288, 28, 56),
        ("lfe5u-45f", 43_848, 72, 108),
        ("lfe5u-85f", 83_640, 156, 208),
    ]
    for part in DIES:
        # half of the LUTs hold 16 bits each
        assert part.lutram_luts // ECP5.luts.rams[0].luts * 64 == part.luts // 2 * 16
    assert ECP5.block_ram.bits == 18 * 1024
    assert (ECP5.luts.words, ECP5.luts.selected) == (16, 2)
    assert (ECP5.multiplier.split, ECP5.multiplier.short_split) == (17, 17)


@pytest.mark.parametrize(
    ("name", "part", "columns", "most"),
    [
        ("etth1-96-24", "lfe5u-25f", 24, 3_214),
        ("grid-12-32-4", "lfe5u-25f", 24, 9_700),
        ("grid-24-64-4", "lfe5u-45f", 32, 41_000),
    ],
)
def test_columns_and_cycles(name, part, columns, most):
    """As many columns as the part's multipliers allow, and no more cycles than are asked of it."""
    design = lower(initialize(named_config(name)), part=part)
    assert design.geometry.columns == columns
    assert design.geometry.dsps <= PARTS[part].dsps
    assert design.interval <= design.latency <= most


def test_a_multiplicand_of_more_than_two_ports_is_refused():
    """A wide layer's sum is multiplied in two parts, of 17 bits and of 18."""
    sixteen = Precision(weights=16, activations=16)
    config = named_config("tiny").replace(default=sixteen, precision={}, d_model=64, ffn=128)
    with pytest.raises(UserError, match=r"^multiplicand of \S+ must fit 35 bits, not need 3[6-9]$"):
        lower(initialize(config), part="lfe5u-25f")


def test_what_cells_take():
    counts = dict.fromkeys(("TRELLIS_FF", "PFUMX", "L6MUX21"), 4)
    counts |= {"LUT4": 10, "CCU2C": 3, "TRELLIS_DPR16X4": 2}
    counts |= {"DP16KD": 5, "PDPW16KD": 1, "MULT18X18D": 8}
    found = Resources.of(counts, ECP5)
    assert (found.luts_as_logic, found.luts_as_memory, found.luts) == (16, 12, 28)
    assert (found.carries, found.ffs, found.ramb18, found.ramb36, found.dsps) == (3, 4, 6, 0, 8)


def piece(name, base, *, cin="0", **inputs):
    """A CCU2C with sums on nets base and base + 1 and its carry on base + 2."""
    pins = {f"{pin}{half}": ("0",) for pin in "ABCD" for half in "01"}
    pins |= {pin: (net,) for pin, net in inputs.items()} | {"CIN": (cin,)}
    outputs = {"S0": (base,), "S1": (base + 1,), "COUT": (base + 2,)}
    return Cell(name=name, kind="CCU2C", inputs=pins, outputs=outputs)


def register(name, d, q):
    inputs = {"CLK": (1,), "DI": (d,), "CE": ("1",), "LSR": ("0",)}
    return Cell(name=name, kind="TRELLIS_FF", inputs=inputs, outputs={"Q": (q,)})


def of(*cells):
    found = depth(Netlist(family=ECP5, cells=cells, inputs={}, outputs={}, names={}))
    worst = found.paths[0]
    return worst.levels, worst.chains, worst.carries


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_pieces_in_a_row_are_one_chain(pieces):
    chain = [piece("c0", 1000, A0=100)]
    chain += [piece(f"c{n}", 1000 + 3 * n, cin=999 + 3 * n) for n in range(1, pieces)]
    last = 1000 + 3 * (pieces - 1) + 1
    assert of(register("a", "0", 100), *chain, register("b", last, 200)) == (0, 1, pieces)


def test_a_carry_into_logic_and_back_is_two_chains():
    lut = Cell(name="l", kind="LUT4", inputs={"A": (1002,)}, outputs={"Z": (300,)})
    chain = [piece("c0", 1000, B1=100), lut, piece("c1", 1003, A0=300)]
    assert of(register("a", "0", 100), *chain, register("b", 1004, 200)) == (1, 2, 2)


def test_a_sum_depends_on_no_higher_bit():
    ends = register("a", "0", 100), piece("c0", 1000, A1=100)
    assert of(*ends, register("b", 1000, 200)) == (0, 0, 0)
    assert of(*ends, register("b", 1001, 200)) == (0, 1, 1)
    assert of(*ends, register("b", 1002, 200)) == (0, 1, 1)


def test_wide_multiplexers_are_part_of_their_luts():
    lut = Cell(name="l", kind="LUT4", inputs={"A": (100,)}, outputs={"Z": (101,)})
    pair = Cell(
        name="p",
        kind="PFUMX",
        inputs={"ALUT": (101,), "BLUT": ("0",), "C0": (102,)},
        outputs={"Z": (103,)},
    )
    four = Cell(
        name="m", kind="L6MUX21", inputs={"D0": (103,), "D1": ("0",)}, outputs={"Z": (104,)}
    )
    assert of(register("a", "0", 100), lut, pair, four, register("b", 104, 200)) == (1, 0, 0)


def test_a_read_of_a_memory_in_luts_is_a_level():
    memory = Cell(
        name="r",
        kind="TRELLIS_DPR16X4",
        inputs={"RAD": (100, "0", "0", "0"), "WRE": ("0",), "WCK": (1,)},
        outputs={"DO": (101, 102, 103, 104)},
    )
    assert of(register("a", "0", 100), memory, register("b", 103, 200)) == (1, 0, 0)
