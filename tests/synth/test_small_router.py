"""A design with more ports than any package has pins, placed and routed for the iCE40UP5K."""

import json

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.ice40 import ICE40UP
from bitformer.synth.netlist import read_netlist
from bitformer.synth.route import pack, place_and_route
from bitformer.synth.router import target_of
from bitformer.synth.routing import NetNames, Routing, read_report
from bitformer.synth.synthesize import synthesized_netlist

pytestmark = [pytest.mark.slow, pytest.mark.needs("nextpnr-ice40")]

BITS = 30


class Sum(wiring.Component):
    """The sum of two registers, in a third."""

    a: In(BITS)
    b: In(BITS)
    o: Out(BITS)

    def elaborate(self, platform):
        m = Module()
        first, second, total = (Signal(BITS, name=name) for name in ("first", "second", "total"))
        m.d.sync += [first.eq(self.a), second.eq(self.b), total.eq(first + second)]
        m.d.comb += self.o.eq(total)
        return m


def test_a_clock_a_path_and_a_bitstream(tmp_path):
    data, target = synthesized_netlist(Sum(), family=ICE40UP), target_of("ice40up5k")
    placed, failed = place_and_route(
        json.dumps(data), target, clock_hz=48e6, seeds=(1, 2), cache=tmp_path
    )
    assert failed == {}
    names = NetNames(read_netlist(data, family=ICE40UP), data["modules"]["top"]["netnames"])
    seeds = [read_report(one.report, names, seed=one.seed, asked_hz=48e6) for one in placed]
    routing = Routing.of(target, placed[0].tool, 48e6, seeds, failed)
    assert routing.best.clocks[0].name == "clk"
    assert 48 < routing.worst_mhz <= routing.best_mhz < 150
    path = routing.best.path
    assert path.start.partition("[")[0] in ("first", "second")
    assert path.end.startswith("o[")  # the net of the register and of the port
    used = {use.resource: use.used for use in routing.uses}
    # two registers of the sum have no LUT before them; the clock and the reset have pins
    assert 3 * BITS <= used["logic cell"] <= 3 * BITS + 4
    assert routing.best.used["SB_IO"] == 2
    assert len(pack(placed[0].result, target)) == 104_090
