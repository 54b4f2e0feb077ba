"""Noise of tensors: right ratios, the right culprit, and the model's own integers as reference."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from design_strategies import SEEDS, configs, several
from hypothesis import given, reject
from model_changes import renamed, with_operations

from bitformer.model import ir, reference
from bitformer.model.calendar import ROWS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.noise import decibels, measure_noise
from bitformer.model.noise_plot import plot_noise
from bitformer.model.precision import Precision
from bitformer.model.restore import restored, round_only

torch.set_num_threads(1)  # many workers, tiny tensors

WIDE = named_config("tiny").replace(
    linear_path=False, default=Precision.parse("16"), precision={}, subtract_last=False
)


def windows(config, count=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, config.window, config.inputs))
    return x, rng.normal(size=(count, config.horizon))


@several(25)
@given(config=configs(), seed=SEEDS)
def test_a_restored_model_rounds_to_the_same_integers(config, seed):
    """Every tensor of random models, bit for bit."""
    try:
        model = initialize(config, seed=seed, samples=8)
    except UserError:
        reject()
    x, _ = windows(config, 8, seed)
    columns = [np.arange(8) * 5 % ROWS[name] for name in config.calendar]
    clock = np.array(columns, dtype=np.int64).reshape(len(columns), 8).T
    trace: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        restored(model)(torch.from_numpy(4 * x), trace, clock=torch.from_numpy(clock.copy()))
    judged = np.zeros((8, config.outputs)) if config.judged_rows else None
    values = reference.run(model, model.quantize_input(4 * x, clock, judged))
    if config.judged_rows:  # it is no part of the network
        del values["answer"]
    assert {n for n in values if not np.array_equal(trace[n].numpy(), values[n])} == set()


@pytest.mark.parametrize("name", ["embedding", "layers.0.v", "layers.0.hidden", "layers.0.norm2"])
def test_the_tensor_of_two_bits_costs_most(name, tmp_path):
    model = initialize(WIDE.replace(tensors={name: 2}))
    found = measure_noise(model, *windows(WIDE))
    assert found.worst.name == name
    assert found.shares[name] > 0.99
    assert f"{name} costs most: 2 bits of it alone" in str(found)
    assert found.to_dict()["worst"] == name
    one = found.worst
    assert one.own < 15
    assert all(other.own > 60 for other in found.tensors if other.bits == 16)
    # the forecast inherits it, and what comes before it does not
    before = found.tensors[: min(4, found.tensors.index(one))]
    assert found.tensors[-1].total < 45 < min(other.total for other in before)
    if name == "embedding":
        assert found.forecast == pytest.approx(one.forecast, rel=0.02)
        assert one.added == pytest.approx(found.integer_mse - found.mse, rel=0.1)
        plot_noise(found, tmp_path / "noise.svg", title="noise")
        assert f"{name} costs most" in (tmp_path / "noise.svg").read_text()


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_a_uniform_signal_has_six_decibels_a_bit(bits):
    """Over the whole range, nothing clipped: 20 log10(2**bits)."""
    config = WIDE.replace(input_bits=bits)
    model = initialize(config)
    spec = model.input
    edges = np.array([spec.low - 0.5, spec.high + 0.5]) * 2.0**spec.exponent
    x = np.random.default_rng(0).uniform(*edges, size=(2000, config.window, config.inputs))
    found = {one.name: one for one in measure_noise(model, x, windows(config, 2000)[1]).tensors}
    assert found["input"].own == pytest.approx(6.0206 * bits, abs=0.1)
    assert found["input"].total == found["input"].own
    assert found["input"].clipped == 0


def test_what_is_clipped_is_counted_and_is_noise():
    model = initialize(WIDE.replace(input_bits=8))
    x, y = windows(WIDE, 32)
    x[:, 0] = 1000.0
    found = {one.name: one for one in measure_noise(model, x, y).tensors}
    assert found["input"].clipped == 1 / WIDE.window
    assert found["input"].own < 1


def test_ratios_by_hand():
    """Of a causal attention, the logits that are computed."""
    config = named_config("etth1-48-24-ed").replace(
        window=16, horizon=8, d_model=8, ffn=8, layers=1, precision={}
    )
    model = initialize(config)
    x, y = windows(config, 8)
    found = {one.name: one for one in measure_noise(model, x, y).tensors}
    floats = restored(model)
    round_only(floats, ())
    trace: dict[str, torch.Tensor] = {}
    forecast = floats(torch.from_numpy(x), trace).detach().numpy()
    integers = reference.run(model, model.quantize_input(x))
    seen = np.repeat(np.tri(2, dtype=bool), config.heads, axis=0)
    for name in ("layers.0.k", "decoder.layers.0.scores", "output"):
        shown = seen if name == "decoder.layers.0.scores" else np.True_
        real = trace[name].detach().numpy()
        shown = np.broadcast_to(shown, real.shape)
        spec = model.tensors[name]
        stored = (integers[name] - spec.zero) * 2.0**spec.exponent
        noise = float(np.square(stored - real)[shown].mean())
        signal = float(np.square(real)[shown].mean())
        assert found[name].total == pytest.approx(10 * math.log10(signal / noise))
    round_only(floats, {"layers.0.k"})
    moved = floats(torch.from_numpy(x)).detach().numpy()
    assert found["layers.0.k"].forecast == pytest.approx(np.square(moved - forecast).mean())
    assert set(found) == set(model.tensors) - set(model.constants)


def test_many_windows_are_taken_in_batches(monkeypatch):
    model = initialize(named_config("tiny"))
    x, y = windows(model.config, 50)
    told = []
    whole = measure_noise(model, x, y, progress=lambda *one: told.append(one))
    assert told[0] == (0, 15, "input")
    assert told[-1] == (14, 15, "output")
    monkeypatch.setattr("bitformer.model.noise._NUMBERS", 16 * 1000)
    parts = measure_noise(model, x, y)
    for one, other in zip(whole.tensors, parts.tensors, strict=True):
        assert (one.name, one.bits) == (other.name, other.bits)
        for field in ("own", "total", "clipped", "forecast", "added"):
            assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-9)
    assert parts.windows == 50


def test_a_calendar_comes_with_its_windows():
    config = named_config("tiny").replace(calendar=("hour", "weekday"))
    model = initialize(config)
    x, y = windows(config, 16)
    clock = np.stack([np.arange(16), np.arange(16) % 7], axis=1)
    found = measure_noise(model, x, y, clock=clock)
    forecast = model.dequantize_output(
        reference.run(model, model.quantize_input(x, clock))["output"].reshape(16, -1)
    )
    assert found.integer_mse == pytest.approx(np.square(forecast - y).mean())
    assert found.mse == pytest.approx(found.integer_mse, rel=0.05)


def test_against_another_float_model():
    model = initialize(named_config("tiny"))
    x, y = windows(model.config, 16)
    other = restored(model)
    round_only(other, ())
    found = measure_noise(model, x, y, trained=other)
    assert [one.trained for one in found.tensors] == [one.total for one in found.tensors]


def test_a_model_that_computes_something_else_is_refused():
    model = initialize(named_config("tiny"))

    def changed(op):
        return replace(op, multiplier=op.multiplier + 1) if isinstance(op, ir.Scores) else op

    for other in (with_operations(model, changed), renamed(model, "_2")):
        with pytest.raises(UserError, match="operations of tiny must be those of its config"):
            measure_noise(other, *windows(model.config, 4))


def test_decibels():
    assert decibels(100.0, 1.0) == 20
    assert decibels(1.0, 0.0) == math.inf
    assert decibels(0.0, 1.0) == -math.inf


def test_a_detector_has_the_noise_of_its_network():
    config = WIDE.replace(task="detect", input_bits=8, output_bits=8)
    detector = initialize(config)
    *operations, last = detector.operations
    tensors = {name: one for name, one in detector.tensors.items() if name != last.y}
    network = replace(
        detector,
        config=config.replace(task="forecast"),
        tensors=tensors,
        operations=tuple(operations),
    )
    x, y = windows(config)
    found, alone = measure_noise(detector, x, y), measure_noise(network, x, y)
    assert found.to_dict() == alone.to_dict()
