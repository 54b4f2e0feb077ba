"""Untrained models and quantization: seeded, in range, and as the formulas say."""

import os
import subprocess
import sys

import numpy as np
import pytest

from bitformer.model import ir, numerics
from bitformer.model.config import NAMED_CONFIGS, TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize, sinusoidal
from bitformer.model.precision import Precision
from bitformer.model.quantize import (
    DYADIC_BITS,
    OFFSET_BITS,
    bias_limit,
    dyadic,
    norm_offset,
    quantize_weight,
    tensor_specs,
)
from bitformer.model.reference import run
from bitformer.model.structure import tensor_components, weight_components


def arrays_of(model):
    return [
        value
        for op in model.operations
        for value in vars(op).values()
        if isinstance(value, np.ndarray)
    ]


@pytest.mark.parametrize("name", [*NAMED_CONFIGS, "grid-6-8-4", "grid-12-32-8"])
def test_the_same_seed_is_the_same_model(name):
    one, two, other = (initialize(named_config(name), seed=seed) for seed in (3, 3, 4))
    assert one.tensors == two.tensors
    assert all(map(np.array_equal, arrays_of(one), arrays_of(two)))
    assert not all(map(np.array_equal, arrays_of(one), arrays_of(other)))
    assert one.meta == {"origin": "untrained, seed 3"}


_COST = """
import time
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
config = named_config("grid-192-64-8")
initialize(config)
start = time.process_time()
initialize(config)
print(time.process_time() - start)
"""


@pytest.mark.slow
def test_threads_cost_no_more_than_they_save():
    """A stack of small products wakes BLAS' threads for each: it took 5 to 10 times the time."""

    def cost(**environment):
        command = [sys.executable, "-c", _COST]
        environment = {**os.environ, **environment}
        return float(subprocess.check_output(command, env=environment))

    one, many = (min(cost(**e) for _ in range(3)) for e in ({"OPENBLAS_NUM_THREADS": "1"}, {}))
    assert many < 2.5 * one


NO_SCALE = dict.fromkeys(
    tensor_components(TransformerConfig(name="t", window=4, d_model=4, ffn=6)), 0
)


def test_tensors_use_their_range():
    """Calibrated: no tensor saturates all the time, and none stays near zero."""
    model = initialize(named_config("tiny"))
    x = np.random.default_rng(0).normal(size=(64, 24, 1))
    values = run(model, model.quantize_input(x))
    for op in model.operations:
        spec, value = model.tensors[op.y], values[op.y]
        assert np.abs(value - spec.zero).max() > (spec.high - spec.zero) // 4
        saturated = (value == spec.high) | ((value == spec.low) & (spec.low != spec.zero))
        assert saturated.mean() < 0.05 or isinstance(op, ir.Scores)


def test_position_table():
    table = sinusoidal(5, 4)
    assert table.shape == (5, 4)
    assert np.allclose(table[:, 0], np.sin(np.arange(5)))
    assert np.allclose(table[:, 3], np.cos(np.arange(5) / 100))


@pytest.mark.parametrize(
    "factor", [[1.0], [0.3, -0.7], [1e-6], [1000.0, 0.001], [2.0**-20], [4095.4]]
)
def test_dyadic_is_within_half_a_unit(factor):
    values, shift = dyadic(factor)
    largest = np.abs(values).max()
    assert 1 << (DYADIC_BITS - 1) <= largest <= 1 << DYADIC_BITS or shift == 0
    assert np.abs(values - np.array(factor) * 2.0**shift).max() <= 0.5


def test_dyadic_of_nothing():
    values, shift = dyadic([0.0, 0.0])
    assert (values.tolist(), shift) == ([0, 0], 0)


@pytest.mark.parametrize("offset", [[0.0], [0.25, -3.0], [1e6, 1.0]])
def test_norm_offsets_fit(offset):
    values, left = norm_offset(np.array(offset), -3, 10)
    assert np.abs(values).max() <= 1 << OFFSET_BITS
    exact = np.array(offset) * 2.0**13
    assert np.abs((values << left) - exact).max() <= 2.0**left / 2


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_weights_are_narrow_and_rounded_half_up(bits):
    limit = (1 << (bits - 1)) - 1
    weight = np.array([[-1000.0, -1.5, -0.5, 0.5, 1000.0]])
    q = quantize_weight(weight, np.array([0]), bits)
    assert q.tolist() == [[-limit, -1, 0, 1, limit]]
    assert quantize_weight(weight, np.array([-1]), 8).tolist() == [[-127, -3, -1, 1, 127]]


@pytest.mark.parametrize(("bits", "values"), [(1, {-1, 1}), (2, {-1, 0, 1})])
@pytest.mark.parametrize("scales", ["channel", "tensor"])
def test_binary_and_ternary_weights(bits, values, scales):
    default = Precision(weights=bits, activations=8)
    config = TransformerConfig(
        name="t", window=4, d_model=8, ffn=6, default=default, weight_scales=scales
    )
    for op in initialize(config).operations:
        if isinstance(op, ir.Linear):
            assert {*np.unique(op.weight)} <= values
            assert scales == "channel" or len({*op.multiplier}) == 1


def test_zero_points_only_where_linear_layers_alone_read():
    config = TransformerConfig(name="t", window=4, d_model=4, ffn=6, asymmetric=True)
    assert tensor_specs(config, {**NO_SCALE, "layers.0.context.zero": 5})["layers.0.context"].zero
    with pytest.raises(UserError, match=r"^layers.0.norm1.zero must be 0 in config t, not 5$"):
        tensor_specs(config, {**NO_SCALE, "layers.0.norm1.zero": 5})
    changed = config.replace(asymmetric=False)
    with pytest.raises(UserError, match=r"^layers.0.context.zero must be 0 in config t, not 5$"):
        tensor_specs(changed, {**NO_SCALE, "layers.0.context.zero": 5})


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"layers.0.q.weight": 32}, r"^weights of layers.0.q must be integers of at most 16 bits"),
        ({"layers.0.q": 32}, r"^tensor layers.0.q must have at most 16 bits, not be kept in float"),
    ],
)
def test_floats_are_refused(tensors, message):
    with pytest.raises(UserError, match=message):
        initialize(TransformerConfig(name="t", window=4, d_model=4, ffn=6, tensors=tensors))


def test_zero_points_are_folded_into_biases():
    """The layer behind a ReLU takes its input's zero point out of the loop."""
    model = initialize(named_config("tiny"))
    op = next(op for op in model.operations if op.y == "layers.0.add2")
    zero = model.tensors[op.x].zero
    assert zero == -128
    assert np.abs(op.bias + zero * op.weight.sum(axis=1)).max() < np.abs(op.bias).max() + 1
    assert np.abs(op.bias).max() <= bias_limit(4, 8)


def test_biases_leave_room_in_what_is_multiplied():
    """Narrow layers' biases have 24 bits with their sign, and those of longer products 41."""
    assert bias_limit(4, 8) == 2**23 - 1
    assert bias_limit(4, 16) == 2**23 - 1
    assert bias_limit(16, 8) == 2**40 - 1


def test_components_of_tensors_and_weights():
    config = TransformerConfig(
        name="t", window=4, d_model=4, ffn=6, layers=2, pooling="mean", subtract_last=True
    )
    names = [*initialize(config).tensors]
    specs = tensor_specs(config, dict.fromkeys(names, 0))
    assert [*specs] == names
    assert specs["layers.1.scores"].bits == numerics.SCORE_BITS
    assert specs["layers.1.hidden"].zero == -128
    assert {specs[f"layers.0.{n}"].narrow for n in "kv"} == {True}
    assert not specs["layers.0.q"].narrow
    assert (specs["layers.0.norm2"].narrow, specs["layers.1.norm2"].narrow) == (False, True)
    components = weight_components(config)
    assert len(components) == 2 + 2 * 6
    assert components["layers.1.ffn2"] == "FFN"
    assert components["output"] == "Loutput"
