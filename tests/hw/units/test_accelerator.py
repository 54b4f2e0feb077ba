# amaranth: UnusedElaboratable=no
"""The accelerator as a unit: its model, and what it is made from."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Fragment
from registers_harness import registers
from reload_harness import SMALL, other_weights

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable, new_images
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate


@pytest.fixture(scope="module")
def design():
    return lower(initialize(named_config("tiny")))


def test_results_are_those_of_the_model(design):
    spec = design.model.input
    shape = (2, spec.rows, spec.features)
    windows = np.random.default_rng(0).integers(spec.low, spec.high, shape, endpoint=True)
    windows[1] = spec.low
    unit = Accelerator(design=design)
    result = simulate(design, windows, accelerator=unit)
    assert result.outputs.reshape(2, -1).tolist() == unit.model(windows).tolist()
    assert result.latency[0] == design.latency
    assert result.interval == [design.interval]


def test_words_are_loaded_with_two_banks_only(design):
    loads = {"i_bank", "i_load_addr", "i_load_data", "i_load_en"}
    reloadable = Accelerator(design=lower_reloadable(design.model))
    assert loads <= {*reloadable.signature.members}
    assert reloadable.reloaded == ["weights", "parameters", "position"]
    assert not loads & {*Accelerator(design=design).signature.members}


async def load(ctx, dut, images):
    """Write a word a cycle, each at the end of the port, with ones in all bits that are not its."""
    for number, name in enumerate(dut.reloaded):
        width = dut.design.stores[name].width
        spare, every = -width % 8, len(dut.i_load_data)
        ctx.set(dut.i_load_en, 1 << number)
        for address, word in enumerate(images[name]):
            above = ((1 << spare) - 1) << width | word
            ctx.set(dut.i_load_addr, address)
            ctx.set(
                dut.i_load_data, above << every - width - spare | (1 << every - width - spare) - 1
            )
            await ctx.tick()
    ctx.set(dut.i_load_en, 0)


async def answer(ctx, dut, values, count):
    """Give a window and take so many results."""
    results, left = [], list(values)
    while len(results) < count:
        ctx.set(dut.i.valid, bool(left))
        ctx.set(dut.i.payload, left[0] if left else 0)
        _, _, taken, valid, result = await ctx.tick().sample(
            dut.i.ready & dut.i.valid, dut.o.valid, dut.o.payload
        )
        left = left[1:] if taken else left
        results += [result] if valid else []
    return results


def test_weights_are_loaded_beside_those_in_use(streams):
    first = initialize(SMALL, samples=8)
    models = [first, other_weights(first, 1), other_weights(first, 2)]
    design = lower_reloadable(first)
    dut = Accelerator(design=design)
    windows = np.random.default_rng(1).integers(-128, 128, (3, 4, 1))
    found = []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        for bank, model, window in zip((0, 1, 0), (*models[1:], None), windows, strict=True):
            ctx.set(dut.i_bank, bank)
            if model is not None:
                await load(ctx, dut, new_images(design, model))
            found.append(await answer(ctx, dut, window.ravel().tolist(), first.output.size))

    streams.run(dut, bench)
    units = (Accelerator(design=replace(design, model=model)) for model in models)
    answers = [unit.model(windows).tolist() for unit in units]
    assert found == [answers[n][n] for n in range(3)]
    assert answers[0] != answers[1] != answers[2] != answers[0]


@pytest.mark.parametrize(("rows", "posts"), [(1, 1), (4, 2)])
def test_a_trace_has_what_every_post_processor_gives_and_every_row_is_given(design, rows, posts):
    geometry = lower(design.model, rows=rows, posts=posts).geometry
    unit = Accelerator(design=lower(design.model, rows=rows, posts=posts))
    assert (geometry.rows, geometry.posts, geometry.ways) == (rows, posts, 2)
    assert len(unit.o_trace_y) == 2 * posts * geometry.activation_bits
    assert len(unit.o_trace_valid) == 2 * posts
    assert len(unit.o_trace_x) == rows * geometry.operand_bits


def test_every_other_token_row_takes_keys_and_values_by_registers_of_its_own(design):
    unit = Accelerator(design=lower(design.model, rows=4, posts=2))
    found = (signal.name for _, signal in registers(Fragment.get(unit, None)))
    taken = [name for name in found if name.startswith("takes_kept")]
    plain = ["takes_kept_d1", "takes_kept_complement_d1"]
    assert taken == 2 * [*plain, "takes_kept_ones", "takes_kept_complement_ones"]


def test_what_is_no_design_is_refused():
    with pytest.raises(TypeError, match=r"^Design must be a Design, not 3$"):
        Accelerator(design=3)
