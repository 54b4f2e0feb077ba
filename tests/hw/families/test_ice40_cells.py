"""The iCE40UP's logic cells: how many, and how deep logic of its primitives is."""

import pytest

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.parts import PARTS
from bitformer.synth.depth import depth, fanouts
from bitformer.synth.logic_cells import logic_cells
from bitformer.synth.netlist import Cell, Netlist
from bitformer.synth.resources import Resources


def lut(name, output, *inputs):
    pins = {f"I{k}": (bit,) for k, bit in enumerate(inputs)}
    return Cell(name=name, kind="SB_LUT4", inputs=pins, outputs={"O": (output,)})


def register(name, d, q, kind="SB_DFFESR", **pins):
    inputs = {"C": (1,), "D": (d,), **{pin: (bit,) for pin, bit in pins.items()}}
    return Cell(name=name, kind=kind, inputs=inputs, outputs={"Q": (q,)})


def carry(name, one, other, below, above):
    inputs = {"I0": (one,), "I1": (other,), "CI": (below,)}
    return Cell(name=name, kind="SB_CARRY", inputs=inputs, outputs={"CO": (above,)})


def netlist(*cells, family=ICE40UP):
    return Netlist(family=family, cells=cells, inputs={}, outputs={}, names={})


def adder(bits, *, begin="0"):
    """Sums of nets 100 and 200 on, on nets 300 on; carries on nets 400 on."""
    for k in range(bits):
        below = 399 + k if k else begin
        yield lut(f"s{k}", 300 + k, "0", 100 + k, 200 + k, below)
        if k < bits - 1:
            yield carry(f"c{k}", 100 + k, 200 + k, below, 400 + k)


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        # a register behind its LUT, one that others see the LUT's output of, one without a LUT
        ([lut("l", 5, 2), register("a", 5, 6)], 1),
        ([lut("l", 5, 2), register("a", 5, 6), lut("m", 7, 5)], 3),
        ([register("a", 2, 3), register("b", 3, 4)], 2),
        ([register("a", "0", 3)], 1),
        # an enable or a reset that a LUT gives is no way in
        ([lut("l", 5, 2), register("a", 3, 4, E=5)], 2),
        # the sums' LUTs have room for the carries; a signal has to be let into a chain
        (list(adder(4)), 4),
        (list(adder(4, begin=9)), 5),
        # a carry of other operands than those of the LUT above which it is
        ([*adder(4), carry("c9", 100, 777, 401, 500)], 5),
    ],
)
def test_logic_cells(cells, count):
    assert logic_cells(netlist(*cells)) == count


def test_a_family_with_other_ways_into_its_flip_flops_has_none():
    assert logic_cells(netlist(register("a", 2, 3, "TRELLIS_FF"), family=ECP5)) == 0


def test_what_cells_take_of_the_part():
    counts = {"SB_LUT4": 10, "SB_CARRY": 7, "SB_DFF": 3, "SB_DFFNESS": 2}
    counts |= {"SB_RAM40_4K": 5, "SB_RAM40_4KNR": 1, "SB_MAC16": 4, "SB_GB": 2}
    found = Resources.of(counts, ICE40UP)
    assert (found.luts, found.carries, found.ffs, found.ramb18, found.dsps) == (10, 7, 5, 6, 4)
    part = PARTS["ice40up5k"]
    uses = {use.resource: use for use in Resources(luts_as_logic=9, cells=5_281).uses(part)}
    assert (uses["logic cell"].used, uses["logic cell"].over) == (5_281, 1)
    assert "LUT as memory" not in uses
    others = Resources(luts_as_logic=9).uses(PARTS["lfe5u-25f"])
    assert "logic cell" not in {use.resource for use in others}


def of(*cells):
    worst = depth(netlist(*cells)).paths[0]
    return worst.levels, worst.chains, worst.carries


@pytest.mark.parametrize("bits", [2, 3, 9])
def test_carries_in_a_row_are_one_chain_and_end_in_a_lut(bits):
    ends = register("a", "0", 100), register("b", 300 + bits - 1, 600)
    assert of(*ends, *adder(bits)) == (1, 1, bits - 1)


def test_a_sum_depends_on_no_higher_bit():
    piece = [lut("s", 302, "0", 102, "0", "0"), carry("c", 102, "0", "0", 402)]
    above = lut("t", 303, "0", "0", "0", 402)
    start = register("a", "0", 102)
    assert of(start, *piece, above, register("b", 302, 600)) == (1, 0, 0)
    assert of(start, *piece, above, register("b", 303, 600)) == (1, 1, 1)


def test_a_carry_into_logic_and_back_is_two_chains():
    second = [
        lut("back", 700, 402),
        carry("d", 700, "0", "0", 800),
        lut("end", 801, "0", 0, 0, 800),
    ]
    ends = register("a", "0", 100), register("b", 801, 900)
    assert of(*ends, *adder(4), *second) == (2, 2, 4)


def test_roles_of_pins():
    cells = [register(f"r{k}", 2, 10 + k, E=3, R=4) for k in range(3)]
    memory = Cell(
        name="m",
        kind="SB_RAM40_4K",
        inputs={
            **dict.fromkeys(("WE", "RE", "WCLKE", "RCLKE"), (3,)),
            **dict.fromkeys(("WCLK", "RCLK"), (1,)),
            "WDATA": (2,),
        },
        outputs={"RDATA": (50,)},
    )
    block = Cell(
        name="x",
        kind="SB_MAC16",
        inputs={"CLK": (1,), "CE": (3,), "IRSTTOP": (4,), "ORSTBOT": (4,), "A": (2,)},
        outputs={"O": (60,)},
    )
    found = {net.name: net for net in fanouts(netlist(*cells, memory, block, lut("l", 70, 4)))}
    assert set(found) == {"net 2", "net 3", "net 4"}
    enable, reset, data = (found[f"net {k}"] for k in (3, 4, 2))
    assert (enable.enables, enable.loads) == (3 + 4 + 1, 8)
    assert (reset.resets, reset.logic) == (3 + 2, 1)
    assert (data.data, data.control) == (5, False)
