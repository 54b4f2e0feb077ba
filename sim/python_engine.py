"""Amaranth's own simulator as an engine: slow, exact, with waves."""

import random
from contextlib import nullcontext

import numpy as np
from amaranth.sim import Simulator

from bitformer.hw.accelerator import Accelerator

from .compare import Comparison, cycle_limit

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
    progress=None,
) -> None:
    """Drive ``samples`` [N, values] through both streams and report what is seen to ``comparison``.

    Raises :class:`RuntimeError` when the design stops answering: cycles are bounded.
    """
    design = accelerator.design
    dut = accelerator
    flat = [int(value) for value in samples.reshape(-1)]
    chance = random.Random(seed)
    limit = cycle_limit(design, len(samples), back_pressure)

    async def feed(ctx):
        for value in flat:
            while chance.random() < back_pressure:
                ctx.set(dut.i.valid, 0)
                ctx.set(dut.i.payload, chance.getrandbits(design.model.input.bits - 1))
                await ctx.tick()
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, value)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def watch(ctx):
        cycle, finished = 0, 0
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
                if progress and len(comparison.outputs) > finished:
                    finished = len(comparison.outputs)
                    progress(finished)
            cycle += 1
            if cycle > limit:
                return
            if back_pressure:
                ctx.set(dut.o.ready, chance.random() >= back_pressure)

    simulator = Simulator(dut)
    simulator.add_clock(_PERIOD)
    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(watch)
    with simulator.write_vcd(str(vcd)) if vcd else nullcontext():
        simulator.run()
    if not comparison.done:
        raise RuntimeError(f"design must answer within {limit} cycles")
