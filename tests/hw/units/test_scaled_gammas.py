# amaranth: UnusedElaboratable=no
"""A LayerNorm's scales times a row's factor, in a multiplier: against plain products."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mac16_harness import instead_of_blocks

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.hw.units import product_pair as module
from bitformer.model import numerics
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

LATENCY = 3


class Scaled(wiring.Component):
    """The multipliers of one way or two, as synthesis has them or as simulators do."""

    def __init__(self, ways, bits, platform):
        self.ways, self.platform = ways, platform
        gammas = {f"g{way}": In(signed(bits)) for way in range(ways)}
        found = {f"o{way}": Out(signed(17)) for way in range(ways)}
        super().__init__(gammas | found | {"factor": In(unsigned(9))})

    def elaborate(self, platform):
        m = Module()
        gammas = [getattr(self, f"g{way}") for way in range(self.ways)]
        found = module.scaled_gammas(m, self.platform, ICE40UP.multiplier, gammas, self.factor)
        m.d.comb += [getattr(self, f"o{way}").eq(found[way]) for way in range(self.ways)]
        return m


@pytest.mark.parametrize("platform", [None, FOR_SYNTHESIS], ids=["plain", "block"])
@pytest.mark.parametrize(("ways", "bits"), [(1, 8), (2, 8), (2, 5), (2, 17)])
def test_they_are_plain_products(play, monkeypatch, platform, ways, bits):
    instead_of_blocks(monkeypatch)
    chance = random.Random(bits)
    low, high = -(1 << min(bits, 8) - 1), (1 << min(bits, 8) - 1) - 1
    script = []
    for factor in [0, *sorted({*numerics.RSQRT_TABLE})]:
        step = {
            f"g{way}": chance.choice([low, high, chance.randint(low, high)]) for way in range(ways)
        }
        script.append(step | {"factor": factor})
    shown = play(Scaled(ways, bits, platform), script, [f"o{way}" for way in range(ways)])
    found = [tuple(step) for step in shown[LATENCY:]]
    expected = [tuple(s[f"g{way}"] * s["factor"] for way in range(ways)) for s in script]
    assert found == expected[:-LATENCY]


def test_a_multiplier_that_is_left_makes_them():
    model = initialize(named_config("tiny"), seed=0)
    design = lower(model, part="ice40up5k")
    assert design.geometry.gamma_block
    assert design.geometry.dsps == replace(design.geometry, gamma_block=False).dsps + 1
    assert design.geometry.dsps <= PARTS["ice40up5k"].dsps
    full = lower(model, part="ice40up5k", lanes=10).geometry
    assert (full.columns, full.gamma_block) == (5, False)
    for part in ("xc7s15", "lfe5u-25f"):
        assert not lower(model, part=part).geometry.gamma_block
    batch = initialize(named_config("grid-12-32-4"), seed=0)
    assert not lower(batch, part="ice40up5k", lanes=4).geometry.gamma_block
