# amaranth: UnusedElaboratable=no
"""What docs/gateware.md promises beyond its example: another clock, crossed by queues."""

import pytest
from amaranth.hdl import DomainRenamer, Module
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


class Crossed(wiring.Component):
    """An accelerator in the domain `model`, its ends in `sync`."""

    def __init__(self, design):
        self._accelerator = Accelerator(design=design)
        payload = self._accelerator.signature.members["i"].signature.members["payload"].shape
        result = self._accelerator.signature.members["o"].signature.members["payload"].shape
        super().__init__({"i": In(stream.Signature(payload)), "o": Out(stream.Signature(result))})

    def elaborate(self, platform):
        m = Module()
        inner = self._accelerator
        m.submodules.accelerator = DomainRenamer("model")(inner)
        m.submodules.into = into = fifo.AsyncFIFO(
            width=len(self.i.payload), depth=4, w_domain="sync", r_domain="model"
        )
        m.submodules.out = out = fifo.AsyncFIFO(
            width=len(self.o.payload), depth=4, w_domain="model", r_domain="sync"
        )
        wiring.connect(m, wiring.flipped(self.i), into.w_stream)
        wiring.connect(m, into.r_stream, inner.i)
        wiring.connect(m, inner.o, out.w_stream)
        wiring.connect(m, out.r_stream, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize("model_clock", [4e-9, 23e-9])
def test_another_clock_changes_no_result(model_clock):
    design = lower(initialize(named_config("tiny")))
    vectors = golden_vectors(design.model, 2)
    expected = [number for _, results in vectors for number in results]
    dut, found = Crossed(design), []

    async def send(ctx):
        for window, _ in vectors:
            for number in window:
                ctx.set(dut.i.payload, number)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def take(ctx):
        ctx.set(dut.o.ready, 1)
        for _ in range(10_000):
            _, _, valid, number = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                found.append(number)
            if len(found) == len(expected):
                return
        raise AssertionError("every forecast must come in time")

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_clock(model_clock, domain="model")
    simulator.add_testbench(take)
    simulator.add_testbench(send, background=True)
    simulator.run()
    assert found == expected
