"""Amaranth's own simulator as an engine: slow, exact, with waves."""

import random
from contextlib import ExitStack, nullcontext

import numpy as np
from amaranth.sim import Simulator

from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.files import whole_file
from bitformer.model.progress import Progress, silent
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
    progress: Progress = silent,
) -> None:
    """Drive ``samples`` [N, values] through both streams and report what is seen to ``comparison``.

    Raises :class:`RuntimeError` when the design stops answering: cycles are bounded, and waves are
    kept.
    """
    design = accelerator.design
    dut = accelerator
    flat = [int(value) for value in samples.reshape(-1)]
    chance = random.Random(seed)
    limit = cycle_limit(design, len(samples), back_pressure)

    # Ticks are iterated over, and not waited for by `until`: that one complains when it is given up
    # in the middle, on Ctrl-C or a full disk.
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
                if len(comparison.outputs) > finished:
                    finished = len(comparison.outputs)
                    progress(finished, len(samples), "simulating")
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
