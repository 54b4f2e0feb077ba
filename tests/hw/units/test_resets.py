# amaranth: UnusedElaboratable=no
"""What was on its way at a reset comes to nothing, in whatever cycle the reset comes."""

import random
from functools import reduce

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, Value
from amaranth.lib.wiring import In
from amaranth.sim import Simulator
from unit_harness import COMPONENTS, GOOD

#: What says that a unit's other outputs count.
CONTROL = {
    "AddressGenerator": ("o_valid",),
    "BlockWriter": ("o_en",),
    "Drain": ("o_slot.valid",),
    "InputPort": ("o_en", "o_judged_en", "o_time_en", "o_last_en", "o_count"),
    "KeyValueWriter": ("o_en", "o_write"),
    "Operands": ("o_valid", "o_weight_valid"),
    "RowMaximum": ("o_done",),
    "Sequencer": ("o_issue", "o_matrix", "o_vector", "o_start", "o_phase"),
    "VectorSlots": ("o_slot.valid",),
}
#: Cycles of noise before a reset at most, of silence behind it, and how often.
NOISE, SILENCE, TIMES = 40, 24, 40


def behind_resets(unit, outputs, *, noise):
    """What the outputs are in silence behind each reset, after random inputs or after none."""
    chance = random.Random(1)
    reset, found = Signal(), []
    inputs = [
        Value.cast(getattr(unit, name))
        for name, member in unit.signature.members.items()
        if member.is_port and member.flow == In
    ]
    shown = [Value.cast(reduce(getattr, name.split("."), unit)) for name in outputs]

    async def bench(ctx):
        for _ in range(TIMES):
            for _ in range(chance.randrange(1, NOISE)):
                for port in inputs:
                    ctx.set(port, noise * chance.getrandbits(len(port)))
                await ctx.tick()
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            for port in inputs:
                ctx.set(port, 0)
            for _ in range(SILENCE):
                found.append([ctx.get(value) for value in shown])
                await ctx.tick()

    m = Module()
    m.submodules.unit = ResetInserter(reset)(unit)
    m.d.sync += Signal(name="clocked").eq(1)
    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("name", CONTROL)
def test_a_reset_ends_what_was_on_its_way(name):
    found, expected = (
        behind_resets(COMPONENTS[name](**GOOD[name]()), CONTROL[name], noise=noise)
        for noise in (1, 0)
    )
    assert found == expected
