"""Designs with several token rows: every tensor, every cycle, and faults in what is new of them."""

import pytest
from amaranth.hdl import Const

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units import assembly as assembly_module
from bitformer.hw.units import reads as reads_module
from bitformer.hw.units import row_results as results_module
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate
from bitformer.synth.synthesize import synthesized_netlist

W4A8 = Precision(weights=4, activations=8)
#: Patches, a path, LayerNorm, two heads; six rows of tokens.
FORECAST = {
    "window": 12,
    "patch": 2,
    "horizon": 4,
    "d_model": 8,
    "ffn": 12,
    "heads": 2,
    "subtract_last": True,
    "linear_path": True,
    "input_bits": 16,
    "output_bits": 16,
    "default": W4A8,
    "precision": {"Loutput": Precision(weights=8, activations=8)},
}
MODELS = {
    "forecast": FORECAST,
    #: Its path and its output have single weights of 8 bits, which columns of LUTs take too. Sums
    #: over all token rows go beyond their field.
    "ends": {
        **FORECAST,
        "window": 24,
        "d_model": 16,
        "horizon": 12,
        "input_bits": 8,
        "output_bits": 8,
        "precision": {
            "Lpath": Precision(weights=8, activations=8),
            "Loutput": Precision(weights=8, activations=8),
        },
    },
    #: Only its output has; the sums of its path are longer.
    "output": {
        **FORECAST,
        "horizon": 12,
        "precision": {
            "Lpath": Precision(weights=6, activations=16),
            "Loutput": Precision(weights=8, activations=8),
        },
    },
    #: Its keys and values are packed, so four token rows may have two columns each.
    "short": {**FORECAST, "default": Precision(weights=4, activations=4)},
    "batch": {**FORECAST, "norm": "batch", "pooling": "mean", "linear_path": False},
    "classify": {
        **FORECAST,
        "task": "classify",
        "subtract_last": False,
        "linear_path": False,
        "input_bits": 8,
        "output_bits": 8,
    },
    "decoder": {
        **FORECAST,
        "window": 8,
        "horizon": 8,
        "decoder_layers": 1,
        "linear_path": False,
    },
    "fused": {**FORECAST, "heads": 1, "fused": True},
    "gelu": {**FORECAST, "activation": "gelu", "pre_norm": True},
    "calendar": {**FORECAST, "calendar": ("hour", "weekday")},
    "targets": {**FORECAST, "inputs": 3, "targets": 2, "target_channels": (2, 0)},
}


@pytest.fixture(scope="module")
def make(small_model):
    def one(name, rows, posts, *, columns=2, **options):
        model = small_model(None, **MODELS[name])
        lanes = rows * columns * (2 if options.get("pack", True) else 1)
        return lower(model, rows=rows, posts=posts, lanes=lanes, **options)

    return one


@pytest.mark.parametrize(
    ("name", "rows", "posts", "columns", "options", "kind"),
    [
        ("forecast", 2, 1, 2, {}, "random"),
        ("forecast", 2, 2, 4, {}, "lowest"),
        ("forecast", 4, 2, 4, {"soft": 2}, "random"),
        ("forecast", 4, 4, 4, {"part": "lfe5u-85f"}, "highest"),
        ("short", 4, 4, 2, {"part": "xc7s100"}, "random"),
        ("batch", 4, 1, 4, {"soft": 1, "immediate": False}, "alternating"),
        ("classify", 4, 2, 8, {}, "random"),
        ("decoder", 2, 2, 2, {}, "random"),
        ("fused", 2, 1, 4, {"pack": False}, "random"),
        ("gelu", 2, 2, 2, {"soft": 3}, "random"),
        ("calendar", 4, 2, 4, {}, "random"),
        ("targets", 2, 1, 2, {"effort": 12}, "random"),
        ("ends", 4, 2, 4, {"soft": 4, "broad": 4}, "random"),
        ("ends", 2, 1, 2, {"soft": 4, "broad": 2}, "lowest"),
        ("output", 1, 1, 2, {"soft": 2, "broad": 2}, "highest"),
    ],
)
def test_designs_are_exact(make, run_design, inputs_of, name, rows, posts, columns, options, kind):
    design = make(name, rows, posts, columns=columns, **options)
    geometry = design.geometry
    assert (geometry.rows, geometry.posts, geometry.hard) == (rows, posts, columns)
    assert geometry.weights.broad == options.get("broad", 0)
    run_design(design, inputs_of(design.model, kind), back_pressure=0.3 * (kind == "random"))


def test_cycles_are_fewer(make):
    """Where a row has fewer results than the engine has lanes, and reads them in split rows."""
    plain = lower(make("forecast", 4, 1, columns=4).model, lanes=32)
    found = [make("forecast", 4, posts, columns=4).latency for posts in (1, 2, 4)]
    assert found[0] < 0.75 * plain.latency
    assert found[2] < found[1] < 0.8 * found[0]


def _kept_too_late(m, units, row, column):
    return column


def _same_part(m, units, row):
    return Const(0)


def _first_round(m, units, word, turn, post):
    return original_of_round(m, units, word, Const(0, 1), post)


original_of_round = reads_module._of_round
original_valid = assembly_module.Units.valid


def _any_round(self, lane):
    return original_valid(self, lane % len(self.posts))


def _first_lane(word, units, lane):
    return word.word_select(0, len(word) // units.design.geometry.rows)


def _only_the_first(m, units, columns):
    return original_sum(m, units, [columns[0], *(Const(0, len(c)) for c in columns[1:])])


original_sum = results_module._sum


@pytest.mark.parametrize(
    ("module", "function", "mutant"),
    [
        (results_module, "_kept", _kept_too_late),
        (results_module, "_sum", _only_the_first),
        (reads_module, "_own_part", _same_part),
        (reads_module, "_of_round", _first_round),
        (reads_module, "_lane", _first_lane),
        (assembly_module.Units, "valid", _any_round),
    ],
)
def test_mutants_are_found(make, inputs_of, monkeypatch, module, function, mutant):
    design = make("forecast", 4, 2, columns=4)
    monkeypatch.setattr(module, function, mutant)
    assert not simulate(design, inputs_of(design.model)).bit_exact


def test_the_sign_of_a_broad_columns_sum_is_missed(make, inputs_of, monkeypatch):
    design = make("ends", 4, 1, columns=4, soft=4, broad=4)
    assert design.geometry.accumulator_bits > design.geometry.pack_shift

    def whole(single, low, term):
        return term

    monkeypatch.setattr(results_module, "extended", whole)
    assert not simulate(design, inputs_of(design.model)).bit_exact


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ({}, {"rows": 3}, "rows must be a power of two, not 3"),
        ({}, {"rows": 2, "posts": 4}, "posts must be at most the 2 rows, not 4"),
        ({}, {"rows": 4, "lanes": 8}, "rows must divide the 1 keys of a word, .* not be 4"),
        ({"block": "mixer", "heads": 1}, {"rows": 2}, "rows must be 1 where .* reads columns"),
        ({"patch": 12}, {"rows": 2}, "rows must be 1 where embedding reads a window of which no"),
        ({"patch_stride": 1}, {"rows": 2}, "rows must be 1 where .* begin 1 numbers apart, not 2"),
    ],
)
def test_models_that_cannot_stand_side_by_side_are_refused(small_model, changes, options, sentence):
    model = small_model(None, **{**FORECAST, **changes})
    with pytest.raises(UserError, match=sentence):
        lower(model, **{"lanes": 16, **options})


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_a_netlist_is_exact(make, inputs_of):
    design = make("forecast", 4, 2, columns=4, soft=2)
    x = inputs_of(design.model, samples=3)
    netlist = synthesized_netlist(design)
    result = simulate(design, x, engine="netlist", netlist=netlist, back_pressure=0.3)
    assert result.bit_exact, str(result.difference)
