# amaranth: UnusedElaboratable=no
"""Memories of several shapes: synthesized, against Amaranth's own simulation of them."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.synthesize import synthesized_netlist

CYCLES = 400
#: Width, depth, write granularity (None: a ROM), style, further register at the output.
SHAPES = [
    (1, 1500, 1, "block", False),
    (2, 6000, 2, "block", True),
    (4, 4000, None, "block", True),
    (8, 512, 8, "block", True),
    (9, 300, None, "block", True),
    (18, 1024, 9, "block", False),
    (27, 200, 27, "block", True),
    (36, 512, 36, "block", True),
    (36, 512, None, "block", False),
    (70, 400, 70, "block", True),
    (72, 500, None, "block", False),
    (5, 32, 5, "distributed", False),
    (3, 100, 3, "distributed", True),
]


class Memories(wiring.Component):
    """Memories side by side, of which each has its own ports."""

    def __init__(self):
        members = {}
        for number, (width, depth, granularity, *_) in enumerate(SHAPES):
            bits = (depth - 1).bit_length()
            members[f"r{number}"], members[f"o{number}"] = In(bits), Out(width)
            members[f"e{number}"] = In(1)
            if granularity is not None:
                members |= {f"w{number}": In(bits), f"d{number}": In(width)}
                members[f"g{number}"] = In(width // granularity)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for number, (width, depth, granularity, style, registered) in enumerate(SHAPES):
            rng = random.Random(number)
            mem = memory.Memory(
                shape=width,
                depth=depth,
                init=[rng.getrandbits(width) for _ in range(depth)],
                attrs={"ram_style" if granularity else "rom_style": style},
            )
            m.submodules[f"memory_{number}"] = mem
            if granularity is not None:
                write = mem.write_port(granularity=granularity if granularity < width else None)
                m.d.comb += [
                    write.addr.eq(getattr(self, f"w{number}")),
                    write.data.eq(getattr(self, f"d{number}")),
                    write.en.eq(getattr(self, f"g{number}")),
                ]
            read = mem.read_port()
            m.d.comb += [
                read.addr.eq(getattr(self, f"r{number}")),
                read.en.eq(getattr(self, f"e{number}")),
            ]
            o = getattr(self, f"o{number}")
            if registered:
                m.d.sync += o.eq(read.data)
            else:
                m.d.comb += o.eq(read.data)
        return m


def stimuli(*, meet):
    """Values of all inputs, cycle by cycle; few addresses, so that reads meet writes where asked.

    Where they must not, no block RAM is read where it is written.
    """
    rng = random.Random(7)
    for _ in range(CYCLES):
        values = {}
        for number, (width, depth, granularity, style, _) in enumerate(SHAPES):
            low, span = rng.choice([(0, 8), (depth - 8, 8), (0, depth)])
            values[f"r{number}"] = low + rng.randrange(span)
            values[f"e{number}"] = int(rng.random() < 0.8)
            if granularity is not None:
                values[f"w{number}"] = low + rng.randrange(span)
                values[f"d{number}"] = rng.getrandbits(width)
                values[f"g{number}"] = rng.getrandbits(width // granularity)
                same = values[f"w{number}"] == values[f"r{number}"]
                if style == "block" and same and not meet:
                    values[f"g{number}"] = 0
        yield values


#: The cells that memories become, in any family: and of how many widths block RAMs are at least.
CELLS = {SERIES7: {"RAMB18E1", "RAMB36E1", "RAM32M"}, ECP5: {"DP16KD", "TRELLIS_DPR16X4"}}


def widths(family, cells):
    """Different widths of block RAMs; a block of 7 series is of a mode, too, and both occur."""
    blocks = [cell["parameters"] for cell in cells if cell["type"].startswith(("RAMB", "DP"))]
    if family is SERIES7:
        assert {block["RAM_MODE"] for block in blocks} == {"SDP", "TDP"}
        return {int(block[f"READ_WIDTH_{side}"], 2) for block in blocks for side in "AB"} - {0}
    return {int(block[f"DATA_WIDTH_{side}"], 2) for block in blocks for side in "AB"}


@pytest.mark.slow
@pytest.mark.needs("yosys")
@pytest.mark.parametrize("family", CELLS, ids=lambda family: family.name)
def test_as_synthesized(family):
    dut, meet = Memories(), family is SERIES7
    seen = []

    async def play(ctx):
        for values in stimuli(meet=meet):
            for name, value in values.items():
                ctx.set(getattr(dut, name), value)
            _, _, *outputs = await ctx.tick().sample(
                *(getattr(dut, f"o{number}") for number in range(len(SHAPES)))
            )
            seen.append({f"o{number}": value for number, value in enumerate(outputs)})

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()

    synthesized = synthesized_netlist(Memories(), family=family)
    cells = synthesized["modules"]["top"]["cells"].values()
    assert {cell["type"] for cell in cells} >= CELLS[family]
    assert len(widths(family, cells)) >= 5
    netlist = NetlistSimulator(synthesized, family)
    # the first outputs are those of registers that nothing has been read into yet
    for cycle, (values, expected) in enumerate(zip(stimuli(meet=meet), seen, strict=True)):
        assert netlist.step(**values) == expected, cycle
