# amaranth: UnusedElaboratable=no
"""ECP5's multiplier and block RAM, against what Lattice's technical notes say of them."""

import copy
import random

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.units.multiplier import Product
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.netlist import NetlistError
from bitformer.synth.synthesize import synthesized_netlist


def one_cell(kind, parameters, *, tied, **widths):
    """A cell whose numbered pins are ports, of these ``widths``; a negative one is an output's."""
    ports, pins, net = {"clk": {"direction": "input", "bits": [2]}}, {}, 3
    directions = {}
    for name, width in widths.items():
        direction = "output" if width < 0 else "input"
        bits = list(range(net, net + abs(width)))
        net += abs(width)
        ports[name] = {"direction": direction, "bits": bits}
        own = (
            {name: bits}
            if name.startswith(("WE", "CE"))
            else {f"{name}{k}": [bit] for k, bit in enumerate(bits)}
        )
        pins |= own
        directions |= dict.fromkeys(own, direction)
    pins |= {pin: [value] for pin, value in tied.items()}
    directions |= dict.fromkeys(tied, "input")
    cell = {
        "type": kind,
        "parameters": parameters,
        "port_directions": directions,
        "connections": pins,
    }
    return {"modules": {"top": {"ports": ports, "cells": {"x": cell}}}}


REGISTERS = ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")


def multiplier(registers, *, signs=("1", "1"), **tied):
    parameters = {f"REG_{name}_CLK": "CLK0" for name in registers}
    known = {"SIGNEDA": signs[0], "SIGNEDB": signs[1], "CE0": "1", "RST0": "0", "CLK0": 2}
    return NetlistSimulator(
        one_cell("MULT18X18D", parameters, tied=known | tied, A=18, B=18, P=-36), ECP5
    )


def as_signed(word, bits):
    return word - (1 << bits) if word >> bits - 1 else word


@pytest.mark.parametrize("signs", [("1", "1"), ("0", "0"), ("1", "0")], ids="".join)
@pytest.mark.parametrize(
    "registers", [(), REGISTERS, ("INPUTA", "INPUTB", "OUTPUT"), ("INPUTB",), ("PIPELINE",)]
)
def test_multiplier(registers, signs):
    mult, chance = multiplier(registers, signs=signs), random.Random(str(registers))
    a_late, b_late = ("INPUTA" in registers), ("INPUTB" in registers)
    behind = ("PIPELINE" in registers) + ("OUTPUT" in registers)
    given, found = [], []
    for _ in range(80):
        edges = [0, (1 << 18) - 1, 1 << 17, (1 << 17) - 1]
        a, b = (chance.choice([*edges, chance.getrandbits(18)]) for _ in range(2))
        given.append((a, b))
        found.append(mult.step(A=a, B=b)["P"])
    for cycle in range(4, 80):
        factors = (given[cycle - behind - late][pin] for pin, late in enumerate((a_late, b_late)))
        a, b = (as_signed(x, 18) if s == "1" else x for x, s in zip(factors, signs, strict=True))
        assert found[cycle] == a * b % (1 << 36)


@pytest.mark.parametrize(
    ("tied", "message"),
    [
        ({"CE0": "0"}, r"^pin CE0 of cell x \(MULT18X18D\) must be 1$"),
        ({"RST0": "1"}, r"^pin RST0 of cell x \(MULT18X18D\) must be 0$"),
        ({"SIGNEDA": 2}, r"^pin SIGNEDA of cell x \(MULT18X18D\) must be constant$"),
        ({"SOURCEA": "1"}, r"^pin SOURCEA of cell x \(MULT18X18D\) must be 0$"),
        ({"C3": "1"}, r"^pin C3 of cell x \(MULT18X18D\) must be 0$"),
    ],
)
def test_multipliers_that_are_not_modelled(tied, message):
    with pytest.raises(NetlistError, match=message):
        multiplier(REGISTERS, **tied)


class Ram:
    """A block RAM by the guide: 2048 bytes of nine bits, of which words are one, two or four."""

    def __init__(self, rng):
        self.bits = [rng.getrandbits(1) for _ in range(2048 * 9)]

    def parameters(self, a, b):
        rows = {}
        for row in range(64):
            words = (self.bits[18 * (16 * row + k) :][:18] for k in range(16))
            rows[f"INITVAL_{row:02X}"] = "".join(
                "00" + "".join(map(str, reversed(word))) for word in reversed(list(words))
            )
        fixed = {f"REGMODE_{side}": "NOREG" for side in "AB"}
        fixed |= {f"CLK{side}MUX": f"CLK{side}" for side in "AB"}
        fixed |= {f"CSDECODE_{side}": "0b000" for side in "AB"}
        widths = {f"DATA_WIDTH_{side}": f"{n:032b}" for side, n in (("A", a), ("B", b))}
        return rows | fixed | widths

    @staticmethod
    def places(address, width):
        """Places of a word's bits: whole bytes, or data bits of one."""
        if width < 9:
            return [(address >> 3) * 9 + (address & 7) // width * width + k for k in range(width)]
        count = width // 9
        first = (address >> 3) // count * width
        return list(range(first, first + width))


def ram(a, b, seed, *, registered=False):
    rng = random.Random(seed)
    contents = Ram(rng)
    tied = {f"CS{side}{k}": "0" for side in "AB" for k in range(3)}
    tied |= {"RSTA": "0", "RSTB": "0", "OCEA": "1", "OCEB": "1", "CLKA": 2, "CLKB": 2, "WEB": "0"}
    pins = {"ADA": 14, "ADB": 14, "DIA": 18, "DIB": 18, "DOB": -min(b, 18), "DOA": -18}
    if a != 36:
        del pins["DOA"]
    parameters = contents.parameters(a, b)
    if registered:
        parameters |= {f"REGMODE_{side}": "OUTREG" for side in "AB"}
    net = one_cell("DP16KD", parameters, tied=tied, WEA=1, CEA=1, CEB=1, **pins)
    return rng, contents, NetlistSimulator(net, ECP5)


@pytest.mark.parametrize(
    ("a", "b"), [(1, 1), (2, 2), (4, 4), (9, 9), (18, 18), (36, 36), (9, 18), (18, 9), (18, 4)]
)
@pytest.mark.parametrize("registered", [False, True])
def test_block_ram(a, b, registered):
    rng, contents, dut = ram(a, b, seed=100 * a + b, registered=registered)
    nothing: tuple[None, set[int]] = (None, set())
    read = before = nothing
    for _ in range(600):
        high, low = rng.randrange(6) << 5, rng.getrandbits(5)
        write, where = (high | low, (rng.randrange(6) << 5) | rng.getrandbits(5))
        we, ce, ceb = (int(rng.random() < 0.7) for _ in range(3))
        data = rng.getrandbits(36)
        into = {"DIA": data & (1 << 18) - 1, "DIB": data >> 18}
        out = dut.step(ADA=write, ADB=where, WEA=we, CEA=ce, CEB=ceb, **into)
        expected, open_bits = before if registered else read
        if expected is not None:
            word = out["DOA"] | out["DOB"] << 18 if b == 36 else out["DOB"]
            for k, bit in enumerate(expected):
                assert k in open_bits or word >> k & 1 == bit
        before = read
        places = contents.places(write, a)
        lanes = max(1, a // 9)
        written = {
            place: data >> k & 1
            for k, place in enumerate(places)
            if we and ce and (lanes == 1 or write >> k // 9 & 1)
        }
        if ceb:
            at = contents.places(where, b)
            held = [contents.bits[place] for place in at]
            read = held, {k for k, place in enumerate(at) if place in written}
        for place, bit in written.items():
            contents.bits[place] = bit


def test_a_word_that_is_read_while_it_is_written_is_nothing_to_rely_on():
    _, contents, dut = ram(9, 9, seed=3)
    old = sum(bit << k for k, bit in enumerate(contents.bits[:9]))
    dut.step(ADA=0, ADB=0, WEA=1, CEA=1, CEB=1, DIA=341)
    assert dut.step(CEB=1)["DOB"] == old ^ 511
    assert dut.step()["DOB"] == 341


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"REGMODE_B": "BOTH"},
            r"^REGMODE_B of cell x \(DP16KD\) must be one of NOREG, OUTREG, not BOTH",
        ),
        ({"DATA_WIDTH_A": "101"}, r"^ports of cell x \(DP16KD\) must not be of \{'A': 5, 'B': 9\}"),
        ({"DATA_WIDTH_A": f"{36:b}"}, r"^ports of cell x \(DP16KD\) must not be of"),
    ],
)
def test_block_rams_that_are_not_modelled(changes, message):
    net = one_cell(
        "DP16KD",
        Ram(random.Random(0)).parameters(9, 9) | changes,
        tied={"CLKA": 2, "CLKB": 2, "WEA": "0", "WEB": "0"},
        CEA=1,
        CEB=1,
    )
    with pytest.raises(NetlistError, match=message):
        NetlistSimulator(net, ECP5)


class Products(wiring.Component):
    """Products of several widths, each of its own ports."""

    shapes = ((7, 5), (18, 18), (20, 18), (36, 9), (15, None))

    def __init__(self):
        members = {}
        for number, (a, b) in enumerate(self.shapes):
            members[f"a{number}"] = In(signed(a))
            members |= {} if b is None else {f"b{number}": In(signed(b))}
            members[f"o{number}"] = Out(a + (a if b is None else b))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for number, (a, b) in enumerate(self.shapes):
            names = (f"{letter}_{number}" for letter in "abp")
            shape = None if b is None else signed(b)
            unit = Product(m, platform, ECP5.multiplier, signed(a), shape, *names)
            m.d[unit.domain] += unit.a.eq(getattr(self, f"a{number}"))
            if b is not None:
                m.d[unit.domain] += unit.b.eq(getattr(self, f"b{number}"))
            m.d.comb += getattr(self, f"o{number}").eq(unit.product)
        return m


def products(netlist):
    """How many products of a run are wrong, cycle by cycle."""
    dut, chance, given, wrong = NetlistSimulator(netlist, ECP5), random.Random(5), [], 0
    for cycle in range(60):
        values = {
            name: chance.choice([1 << bits - 1, (1 << bits) - 1, chance.getrandbits(bits)])
            for name, bits in dut.inputs.items()
            if name != "rst"
        }
        given.append(values)
        out = dut.step(**values)
        if cycle < Product.latency:
            continue
        then = given[cycle - Product.latency]
        for number, (a, b) in enumerate(Products.shapes):
            x = as_signed(then[f"a{number}"], a)
            y = x if b is None else as_signed(then[f"b{number}"], b)
            wrong += out[f"o{number}"] != x * y % (1 << a + (b or a))
    return wrong


@pytest.mark.needs("yosys")
def test_products_as_synthesized():
    """The unit's instances make what its behaviour says; a register less, or a sign, does not."""
    netlist = synthesized_netlist(Products(), family=ECP5)
    cells = netlist["modules"]["top"]["cells"].values()
    kinds = [cell["type"] for cell in cells]
    blocks = [ECP5.multiplier.blocks(a) for a, _ in Products.shapes]
    assert kinds.count("MULT18X18D") == sum(blocks) == 8
    assert "TRELLIS_FF" not in kinds  # all registers are in the blocks
    assert products(netlist) == 0
    for change in ({"REG_OUTPUT_CLK": "NONE"}, {"REG_INPUTB_CLK": "NONE"}):
        mutant = copy.deepcopy(netlist)
        block = next(
            cell
            for cell in mutant["modules"]["top"]["cells"].values()
            if cell["type"] == "MULT18X18D"
        )
        block["parameters"] |= change
        assert products(mutant)
