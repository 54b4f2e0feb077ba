"""What a family is like is said in its own files: no other names one of its primitives or parts."""

import ast
import re

import pytest
from test_house import product

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.family import Kind
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.parts import PARTS
from bitformer.sim.netlist.models import MODELLED

#: A family's own files: its facts, the models of its cells, and the boards and tools made for it.
OWN = {
    "hw/families/ecp5.py",
    "hw/families/ice40.py",
    "hw/families/series7.py",
    "hw/parts.py",
    "sim/netlist/ecp5_blocks.py",
    "sim/netlist/ecp5_slices.py",
    "synth/output_registers.py",
    "sim/netlist/ice40_blocks.py",
    "sim/netlist/ice40_multiplier.py",
    "sim/netlist/ice40_slices.py",
    "sim/netlist/series7_blocks.py",
    "sim/netlist/series7_slices.py",
    "boards/build/ecp5_platform.py",
    "boards/build/ice40_platform.py",
    "boards/build/open_platform.py",
    "boards/build/vivado_platform.py",
    "boards/catalog.py",
    "boards/clock.py",
    "boards/ice40_pll.py",
    "boards/pinouts.py",
    "boards/pll.py",
    "boards/reports/vivado/utilization.py",
    "synth/router.py",
}
#: Files that say which families there are.
REGISTERED = {
    "series7": {
        *("hw/parts.py", "sim/netlist/models.py"),
        *("boards/board.py", "boards/build/open_platform.py", "boards/build/platforms.py"),
    },
    "ecp5": {
        *("hw/parts.py", "sim/netlist/models.py", "boards/board.py", "synth/output_registers.py"),
        *("boards/build/ecp5_platform.py", "boards/build/platforms.py"),
    },
    "ice40": {
        *("hw/parts.py", "sim/netlist/models.py", "boards/board.py"),
        *("boards/build/ice40_platform.py", "boards/build/platforms.py"),
    },
}

FACT = re.compile(
    r"DSP48|RAMB(18|36)|RAM(32|64|128|256)[MX]|SRL(16|C)|\bLUT[1-6]\b|CARRY4|MUXF[78]|FD[CPRS]E"
    r"|synth_xilinx|STARTUPE2|BUFG|MMCM|SLICEM|\b7[- ]series|Spartan-7|UG4[0-9]{2}|PORT_BITS"
    r"|MULT18X18|DP16K|PDPW16K|TRELLIS_|CCU2C|PFUMX|L6MUX21|\bEBR\b|synth_ecp5"
    r"|\bECP5['\" ]|FPGA-[DT]|\bSB_[A-Z]|synth_ice40|\biCE40"
)


def facts(source: str) -> list[str]:
    """Lines that name a primitive, or compare with or default to a part."""
    lines = [line for line in source.splitlines() if FACT.search(line)]
    tree = ast.parse(source)
    lines += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in PARTS
    ]
    return lines


def test_only_a_familys_own_files_name_its_facts():
    found = {path: facts(source) for path, source in product().items()}
    assert {path: lines for path, lines in found.items() if lines and path not in OWN} == {}


def test_every_file_that_may_name_facts_does():
    sources = product()
    assert {path for path in OWN if not facts(sources[path])} == set()


@pytest.mark.parametrize("name", REGISTERED)
def test_a_family_is_imported_by_what_registers_it(name):
    naming = {path for path, source in product().items() if f"families.{name}" in source}
    assert naming == REGISTERED[name]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = 1  # one LUT, a shift register, a block RAM", 0),
        ('"""On ``xc7s15``."""', 0),
        ("# a DSP48E1", 1),
        ('kind = "RAMB36E1"', 1),
        ('part = "xc7s15"', 1),
        ('"""LUT6 only."""', 1),
        ("# its TRELLIS_FF", 1),
        ('part = "lfe5u-25f"', 1),
    ],
)
def test_facts_are_found(source, count):
    assert len(facts(source)) == count


@pytest.mark.parametrize(
    ("family", "missing"),
    [
        (SERIES7, set()),
        (ECP5, {Kind.INVERTER, Kind.SHIFT_REGISTER}),
        (ICE40UP, {Kind.INVERTER, Kind.MULTIPLEXER, Kind.SHIFT_REGISTER, Kind.LUT_RAM}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_models_are_of_primitives(family, missing):
    """The witness models cells that synthesis is known to make, by the same names."""
    models = MODELLED[family]
    assert models.keys() <= family.primitives.keys()
    kinds = {family.primitives[name].kind for name in models}
    assert kinds == set(Kind) - {Kind.BUFFER, Kind.OTHER} - missing
    for name, model in models.items():
        primitive = family.primitives[name]
        carry = primitive.carry
        pins = {pin for read in primitive.reads for pin in read}
        if carry is not None:
            pins |= carry.pins
            assert pins == set(model.pins)
        assert not primitive.reads or pins & set(model.pins)
