"""Amaranth's own simulator as an engine: slow, at once, with waves."""

import random
from contextlib import ExitStack, nullcontext

import numpy as np
from amaranth.sim import Simulator

from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.files import whole_file
from bitformer.sim.compare import Comparison, cycle_limit

__all__ = ["run_python"]

_PERIOD = 10e-9


def run_python(
    accelerator: Accelerator,
    samples: np.ndarray,
    comparison: Comparison,
    *,
    vcd=None,
    back_pressure: float = 0.0,
    seed: int = 0,
) -> None:
    """Drive ``samples`` [N, values] through both streams and report each cycle to ``comparison``.

    Raises :class:`RuntimeError` when the design stops answering; waves are kept.
    """
    dut, design = accelerator, accelerator.design
    flat = [int(value) for value in samples.reshape(-1)]
    chance = random.Random(seed)
    limit = cycle_limit(design, len(samples), back_pressure)

    # `until` would complain when it is broken off, by Ctrl-C or a full disk; iteration does not.
    async def feed(ctx):
        ready = aiter(ctx.tick().sample(dut.i.ready))
        for value in flat:
            while chance.random() < back_pressure:
                ctx.set(dut.i.valid, 0)
                ctx.set(dut.i.payload, chance.getrandbits(design.model.input.bits - 1))
                await anext(ready)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, value)
            while not (await anext(ready))[-1]:
                pass
        ctx.set(dut.i.valid, 0)

    async def watch(ctx):
        cycle = 0
        ctx.set(dut.o.ready, chance.random() >= back_pressure)
        ticks = ctx.tick().sample(
            dut.i.valid & dut.i.ready,
            dut.o.valid & dut.o.ready,
            dut.o.payload,
            dut.o_trace_valid,
            dut.o_trace_vector,
            dut.o_trace_y,
            dut.o_trace_input,
            dut.o_trace_x,
        )
        async for _, _, accepted, taken, payload, valid, vector, word, operand, x in ticks:
            if accepted:
                comparison.accept(cycle)
            if operand:
                comparison.operand(cycle, x)
            if valid:
                comparison.slot(cycle, valid, vector, word)
            if taken:
                comparison.take(cycle, payload)
                if comparison.done:
                    return
            cycle += 1
            if cycle > limit:
                return
            if back_pressure:
                ctx.set(dut.o.ready, chance.random() >= back_pressure)

    with nullcontext() if vcd is None else whole_file(vcd) as part:
        simulator = Simulator(dut)
        simulator.add_clock(_PERIOD)
        with ExitStack() as stack:
            if part is not None:
                # opened here, to be closed here when Amaranth cannot write its end
                waves = stack.enter_context(part.open("w", encoding="utf-8"))
                stack.enter_context(simulator.write_vcd(waves))
            simulator.add_testbench(feed, background=True)
            simulator.add_testbench(watch)
            simulator.run()
    if not comparison.done:
        raise RuntimeError(f"design must answer within {limit} cycles")
