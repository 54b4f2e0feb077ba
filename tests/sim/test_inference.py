"""Whole inferences: every tensor equal to the reference's, every cycle predicted."""

from dataclasses import replace

import numpy as np
import pytest
from model_changes import with_operations, with_tensor, with_zero

from bitformer.hw.memory import PLACEMENTS
from bitformer.model import ir
from bitformer.model.precision import Precision

MIXED = {
    "Linput": Precision(weights=8, activations=6),
    "MHA": Precision(weights=2, activations=5),
    "AddMHA": Precision(weights=3, activations=8),
    "BNMHA": Precision(weights=4, activations=7),
    "FFN": Precision(weights=6, activations=4),
    "AddFFN": Precision(weights=8, activations=8),
    "BNFFN": Precision(weights=4, activations=5),
    "GAP": Precision(weights=4, activations=6),
    "Loutput": Precision(weights=3, activations=7),
}
W2A4 = {"default": Precision(weights=2, activations=4)}
W4A8 = {"default": Precision(weights=4, activations=8)}
STORES = (
    *("program", "weights", "parameters", "position"),
    *("activations", "scores", "dynamic", "input", "output"),
)


def test_tiny(small_model, run):
    run(small_model("tiny"))


def test_published_family(small_model, run):
    run(small_model("grid-6-8-4"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("grid-6-8-8", "grid-12-8-6", "grid-12-32-4", "grid-6-64-8"),
        *("etth1-96-24", "etth1-48-24"),
    ],
)
def test_published_sizes(small_model, run, name):
    run(small_model(name))


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("pooling", ["mean", "flatten"])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("subtract_last", [False, True])
def test_kinds_of_model(small_model, run, norm, pooling, patch, subtract_last):
    model = small_model(norm=norm, pooling=pooling, patch=patch, subtract_last=subtract_last)
    run(model)


@pytest.mark.parametrize(
    ("layers", "heads", "changes"),
    [
        (1, 2, {"d_model": 8}),
        (1, 4, {"d_model": 4, "pooling": "mean"}),
        (1, 4, {"d_model": 8, "norm": "batch"}),
        (2, 1, {"norm": "batch", **W4A8}),
        (2, 2, {"norm": "layer", "pooling": "mean"}),
    ],
)
def test_layers_and_heads(small_model, run, layers, heads, changes):
    run(small_model(layers=layers, heads=heads, **changes))


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("pooling", ["mean", "flatten"])
@pytest.mark.parametrize("default", [W2A4, W4A8, {}], ids=["w2a4", "w4a8", "w8a8"])
def test_grid_of_models(small_model, run, norm, layers, heads, pooling, default):
    run(
        small_model(d_model=8, norm=norm, layers=layers, heads=heads, pooling=pooling, **default),
        back_pressure=0.2,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": 3, "subtract_last": True, "target_channel": 2},
        {"inputs": 7, "norm": "batch", "pooling": "mean"},
        {"inputs": 7, "patch": 2, "subtract_last": True, "target_channel": 3},
        {"window": 3, "horizon": 3},
        {"window": 5, "horizon": 5, "pooling": "mean", **W4A8},
        {"window": 7, "horizon": 1, "norm": "batch", "d_model": 2, **W4A8},
        {"window": 1, "horizon": 1},
        {"window": 2, "patch": 2, "horizon": 3, "pooling": "mean"},
        {"ffn": 1},
        {"ffn": 5, **W4A8},
        {"d_model": 3, "horizon": 3, **W4A8},
        {"input_bits": 4, "output_bits": 12},
        {"input_bits": 12, "output_bits": 4, "subtract_last": True},
    ],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items() if isinstance(v, int)),
)
def test_odd_shapes(small_model, run, changes):
    run(small_model(**changes))


@pytest.mark.parametrize(
    ("name", "zero"),
    [("delta", -32), ("delta", -3), ("delta", 31), ("layers.0.context", 5), ("output", -4)],
)
def test_zero_points(small_model, inputs_of, run, name, zero):
    model = small_model(window=3, subtract_last=True, **W2A4 | {"input_bits": 6})
    model = with_zero(with_tensor(model, name, bits=6), name, zero)
    run(model, np.concatenate([inputs_of(model), inputs_of(model, "alternating", samples=1)]))


@pytest.mark.parametrize("name", ["embedding", "layers.0.k"])
def test_last_value_is_there_before_it_is_added(small_model, run, name):
    """Rows that need the first steps alone do not begin while the last is still to come."""
    last = ir.Residual(source="input", shift=8, channel=1)
    model = small_model(window=60, patch=20, inputs=2, pooling="mean")
    model = with_operations(model, lambda op: replace(op, residual=last) if op.y == name else op)
    run(model)
    run(model, back_pressure=0.7)


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("pooling", ["mean", "flatten"])
def test_mixed_precision(small_model, run, norm, pooling):
    run(small_model(precision=MIXED, norm=norm, pooling=pooling, heads=2, subtract_last=True))


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_weights_of_every_width(small_model, run, bits):
    run(small_model(default=Precision(weights=bits, activations=min(8, bits + 3))))


QUICK = {(1, True), (2, True), (4, True), (6, True), (8, True), (32, True), (3, False), (8, False)}
LANES = (1, 2, 3, 4, 6, 8, 16, 32)


@pytest.mark.parametrize(
    ("lanes", "pack"),
    [
        pytest.param(lanes, pack, marks=() if (lanes, pack) in QUICK else pytest.mark.slow)
        for lanes in LANES
        for pack in (True, False)
    ],
)
def test_lanes(small_model, run, lanes, pack):
    model = small_model(d_model=8, heads=2, horizon=3, **W4A8)
    design, _ = run(model, lanes=lanes, pack=pack)
    assert design.geometry.columns == (lanes // 2 if pack and lanes > 1 else lanes)


@pytest.mark.parametrize("precision", [W2A4, W4A8, {}], ids=["w2a4", "w4a8", "w8a8"])
def test_packing_shortens_the_inference(small_model, run, precision):
    model = small_model(norm="batch", pooling="mean", ffn=16, **precision)
    packed, _ = run(model, lanes=8)
    plain, _ = run(model, lanes=4, pack=False)
    assert packed.geometry.columns == plain.geometry.columns
    assert any(packed.packed.values())
    assert not any(plain.packed.values())
    assert packed.latency < plain.latency


def possible(placement):
    """The stores that can be placed so: results are handed out in the cycle of their address."""
    return [store for store in STORES if (store, placement) != ("output", "block")]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("pack", [True, False])
def test_every_placement_of_every_store(small_model, run, placement, pack):
    model = small_model(norm="batch", pooling="mean", **W4A8)
    design, _ = run(model, pack=pack, placement=dict.fromkeys(possible(placement), placement))
    for store in possible(placement):
        assert design.stores[store].placement == placement or placement == "auto"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("placement", "store"), [(p, store) for p in PLACEMENTS for store in possible(p)]
)
def test_each_store_alone(small_model, run, store, placement):
    run(small_model(heads=2, **W4A8), placement={store: placement})


@pytest.mark.parametrize("part", ["xc7s6", "xc7s50"])
def test_other_parts(small_model, run, part):
    run(small_model(**W4A8), part=part)


def test_samples_follow_back_to_back(small_model, inputs_of, run):
    model = small_model(subtract_last=True, inputs=3, target_channel=1)
    design, result = run(model, inputs_of(model, samples=5))
    assert result.cycles <= design.latency + 4 * design.interval + 10


@pytest.mark.parametrize("kind", ["lowest", "highest", "alternating"])
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_extreme_inputs(small_model, inputs_of, run, kind, norm):
    model = small_model(inputs=3, subtract_last=norm == "layer", norm=norm)
    run(model, inputs_of(model, kind))


def test_extremes_follow_each_other(small_model, inputs_of, run):
    model = small_model(subtract_last=True)
    kinds = ["lowest", "highest", "alternating", "lowest"]
    run(model, [x for kind in kinds for x in inputs_of(model, kind, samples=1)])


@pytest.mark.parametrize(("back_pressure", "seed"), [(0.3, 1), (0.7, 2)])
@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "layer", "subtract_last": True, "inputs": 3, "target_channel": 1},
        {"norm": "batch", "pooling": "mean", **W4A8},
        {"norm": "layer", "heads": 2, "horizon": 5, "inputs": 2, **W4A8},
    ],
    ids=["layer", "batch", "heads"],
)
def test_back_pressure(small_model, inputs_of, run, back_pressure, seed, changes):
    model = small_model(**changes)
    run(model, inputs_of(model, samples=3), back_pressure=back_pressure, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("back_pressure", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["tiny", "grid-6-8-4", "grid-6-8-8"])
def test_much_back_pressure(small_model, inputs_of, run, back_pressure, seed, name):
    model = small_model(name)
    run(model, inputs_of(model, samples=3), back_pressure=back_pressure, seed=seed)


@pytest.mark.parametrize(
    "shape",
    [
        {"window": 16, "patch": 16, "inputs": 8},
        {"window": 32, "patch": 16, "inputs": 8, "subtract_last": False},
        {"window": 16, "patch": 16, "inputs": 8, "linear_path": True},
        {"window": 96, "patch": 96},
        {"window": 96, "patch": 96, "calendar": ("hour", "weekday")},
        {"window": 16, "patch": 16, "inputs": 8, "task": "detect"},
        {"window": 16, "patch": 16, "inputs": 8, "task": "classify"},
    ],
    ids=lambda shape: "-".join(map(str, shape.values())),
)
def test_a_network_that_reads_longest_waits_for_its_next_window(small_model, run, shape):
    """Samples come one a cycle once the last window has been read: that is its interval."""
    sizes = {"d_model": 2, "heads": 1, "ffn": 8, "layers": 1, "horizon": 2, "norm": "batch"}
    design, _ = run(small_model(block="mlp", **sizes, **shape))
    assert design.interval > design.program.cycles
