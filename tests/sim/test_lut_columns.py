"""Designs with columns of LUTs beside multipliers that keep two sums in one number."""

import copy

import pytest
from amaranth.hdl import Const
from netlist_harness import exact, is_caught

from bitformer.hw import column_groups
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units import assembly as assembly_module
from bitformer.hw.units import postprocessor as postprocessor_module
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate
from bitformer.synth.synthesize import synthesize, synthesized_netlist


@pytest.fixture(scope="module")
def mixed(small_model):
    """A design of so many columns, and so many of LUTs, of bits of weights and activations."""

    def make(weights, activations, *, hard=2, soft=2, part="xc7s15", **changes):
        bits = Precision(weights=weights, activations=activations)
        shape = {"d_model": 8, "ffn": 12, "window": 6}
        model = small_model(None, default=bits, **shape | changes)
        return lower(model, part=part, lanes=2 * hard, soft=soft)

    return make


@pytest.mark.parametrize(
    ("weights", "activations", "hard", "soft", "part", "kind"),
    [
        (2, 8, 2, 4, "xc7s15", "lowest"),
        (4, 4, 4, 2, "xc7s15", "random"),
        (4, 8, 2, 2, "lfe5u-25f", "random"),
        (8, 8, 2, 2, "xc7s15", "alternating"),
        (1, 6, 1, 3, "xc7s15", "highest"),
    ],
)
def test_designs_are_exact(
    mixed, run_design, inputs_of, weights, activations, hard, soft, part, kind
):
    design = mixed(weights, activations, hard=hard, soft=soft, part=part)
    geometry = design.geometry
    assert (geometry.hard, geometry.weights.soft) == (hard, soft)
    assert not geometry.apart
    assert any(o.columns > hard or o.last_columns > hard for o in design.program.operations)
    run_design(design, inputs_of(design.model, kind), back_pressure=0.3 * (kind == "random"))


def test_keys_and_values_come_group_by_group_beside_columns_of_luts(
    small_model, inputs_of, run_design, monkeypatch
):
    """Their memories are cut by the multipliers alone; the groups of weights go on behind them."""
    monkeypatch.setattr(column_groups, "_LOADS", 4)
    bits = Precision(weights=4, activations=4)
    model = small_model(None, default=bits, d_model=16, ffn=18, window=6)
    design = lower(model, lanes=8, soft=5, placement={"dynamic": "distributed"})
    assert column_groups.group_of(design) < design.geometry.hard
    run_design(design, inputs_of(model))


@pytest.mark.parametrize("mutant", ["carry everywhere", "carry nowhere", "one column late"])
def test_mutants_are_found(mixed, inputs_of, monkeypatch, mutant):
    design = mixed(4, 8)
    if mutant == "one column late":
        honest = assembly_module.Drain

        def late(*, soft, **options):
            return honest(soft=soft - 1, **options)

        monkeypatch.setattr(assembly_module, "Drain", late)
    else:
        honest = postprocessor_module.drained_sums

        def wrong(m, p, packed, soft, **options):
            if mutant == "carry everywhere":
                return honest(m, p, packed, None, **options)
            return [(total, Const(0, 1)) for total, _ in honest(m, p, packed, soft, **options)]

        monkeypatch.setattr(postprocessor_module, "drained_sums", wrong)
    assert not simulate(design, inputs_of(design.model)).bit_exact


@pytest.mark.slow
@pytest.mark.needs("yosys")
@pytest.mark.parametrize(
    ("weights", "activations", "part"),
    [(2, 8, "xc7s15"), (4, 4, "xc7s15"), (8, 8, "xc7s15"), (4, 8, "lfe5u-25f")],
)
def test_netlists_are_exact(mixed, inputs_of, weights, activations, part):
    design = mixed(weights, activations, part=part)
    netlist = synthesized_netlist(design)
    exact(design, netlist, inputs_of(design.model, samples=2, seed=1), back_pressure=0.0)
    taken = synthesize(design)
    assert taken.short_enough, taken.depth
    assert part != "xc7s15" or taken.cells["LUT6_2"] > 0


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_a_wrong_sum_of_a_netlist_is_found(mixed, inputs_of):
    design = mixed(4, 8)
    netlist = copy.deepcopy(synthesized_netlist(design))
    cells = netlist["modules"]["top"]["cells"].values()
    wrong = next(cell for cell in cells if cell["type"] == "LUT6_2")
    table = int(wrong["parameters"]["INIT"], 2)
    wrong["parameters"]["INIT"] = f"{table ^ (1 << 64) - 1:064b}"
    assert is_caught(design, netlist, inputs_of(design.model, samples=2))
