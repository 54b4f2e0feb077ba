"""The torch model in evaluation mode equals the integer reference, tensor by tensor."""

import numpy as np
import pytest
import torch

from bitformer.model import exact, fake_quant, layers, ranges
from bitformer.model.activations import Activation
from bitformer.model.calibrate import calibrate
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.export import export, parameters
from bitformer.model.precision import Precision, keep_precise
from bitformer.model.quantize import quantize_model
from bitformer.model.reference import run
from bitformer.model.transformer import Transformer

torch.set_num_threads(1)  # many workers, tiny tensors
_SHAPE = {"window": 12, "inputs": 3, "horizon": 4, "patch": 2, "d_model": 8, "ffn": 20}
CONFIGS = {
    **{n: named_config(n) for n in ("tiny", "etth1-96-24", "grid-12-32-4", "grid-6-64-8")},
    "deep": TransformerConfig(name="deep", **_SHAPE, layers=2, heads=4),
    "batch-flatten": TransformerConfig(
        name="batch-flatten", **_SHAPE, norm="batch", subtract_last=True, target_channel=2
    ),
    "layer-mean-learned": TransformerConfig(
        name="layer-mean-learned", **_SHAPE, pooling="mean", position="learned", heads=2
    ),
    "mixed": TransformerConfig(
        name="mixed",
        **_SHAPE,
        subtract_last=True,
        target_channel=1,
        input_bits=10,
        output_bits=12,
        default=Precision(weights=4, activations=6),
        precision={
            "Linput": Precision(weights=8, activations=8),
            "MHA": Precision(weights=2, activations=7),
            "FFN": Precision(weights=3, activations=4),
            "AddFFN": Precision(weights=6, activations=5),
            "Loutput": Precision(weights=6, activations=8),
        },
    ),
    "odd": TransformerConfig(
        name="odd", window=5, horizon=1, d_model=9, heads=3, ffn=7, norm="batch", pooling="mean"
    ),
    "mixer": TransformerConfig(name="mixer", **_SHAPE, block="mixer", mixing=7, norm="batch"),
    "overlapping": TransformerConfig(
        name="overlapping", **_SHAPE | {"window": 13, "patch": 4}, patch_stride=3, pooling="last"
    ),
    "final-norm": TransformerConfig(
        name="final-norm", **_SHAPE, pre_norm=True, final_norm=True, norm_eps=1e-3
    ),
    "one-token": TransformerConfig(name="one-token", window=4, patch=4, d_model=4, ffn=4),
    "decoder": TransformerConfig(
        name="decoder",
        **_SHAPE,
        heads=2,
        layers=2,
        decoder_layers=2,
        subtract_last=True,
        target_channel=1,
        input_bits=12,
        output_bits=12,
        default=Precision(weights=2, activations=8),
        precision=keep_precise({}, 16),
        tensors={"decoder.layers.0.ffn1.weight": 1, "layers.1.v": 5},
        weight_scales="tensor",
        asymmetric=True,
    ),
}


def windows(config, count=32, seed=0):
    """Random walks, float32."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, config.window, config.inputs, generator=generator)
    return 0.3 * x.cumsum(dim=1)


def trained(config, *, steps=4, qat_steps=4):
    """A model a few steps into training with rounding; its scales have moved off the integers."""
    torch.manual_seed(1)
    model = Transformer(config)
    x = windows(config)
    y = torch.randn(len(x), config.horizon)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for step in range(steps + qat_steps):
        if step == steps:
            calibrate(model, x, y)
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def inputs(config):
    """Ordinary windows, and some that hit every clamp of the input."""
    x = windows(config, seed=7).to(torch.float64)
    generator = torch.Generator().manual_seed(3)
    extreme = torch.randint(0, 2, x.shape, generator=generator).to(torch.float64) * 400 - 200
    constant = torch.zeros_like(x[:2])
    constant[1] += 1e9
    return torch.cat([x, 10 * x, extreme, constant])


def trace_of(model, x):
    trace: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        forecast = model(x, trace)
    return forecast.numpy(), {name: tensor.numpy() for name, tensor in trace.items()}


def differing(trace, values):
    """Names of tensors that are not equal."""
    assert list(trace) == list(dict.fromkeys(trace))
    assert set(trace) == set(values)
    return {name for name in values if not np.array_equal(trace[name], values[name])}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_tensor_equals_the_reference(name):
    config = CONFIGS[name]
    model, x = trained(config), inputs(config)
    integer = export(model)
    values = run(integer, integer.quantize_input(x.numpy()))
    forecast, trace = trace_of(model, x)
    assert differing(trace, values) == set()
    output = integer.dequantize_output(values["output"])
    assert np.array_equal(forecast, output.reshape(len(x), config.horizon))
    for tensor, spec in integer.tensors.items():
        assert trace[tensor].shape == (len(x), *spec.shape)
        assert trace[tensor].dtype == np.int64
    assert (np.ptp(values["output"], axis=0) > 1).all(), "a constant output compares nothing"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (layers, "quantize_to"),
        (layers, "fake_quantize"),
        (fake_quant, "round_scaled"),
    ],
)
def test_a_wrong_rounding_is_seen(monkeypatch, target, name):
    """Half to even instead of half up, or truncation, must not pass."""
    config = CONFIGS["tiny"]
    model, x = trained(config), inputs(config)
    integer = export(model)
    values = run(integer, integer.quantize_input(x.numpy()))
    mutants = {
        "quantize_to": lambda x, *_: x,
        "fake_quantize": lambda x, scale, *_: torch.trunc(x / 2**scale) * 2**scale,
        "round_scaled": lambda x, inverse: torch.round(x * inverse),
    }
    monkeypatch.setattr(target, name, mutants[name])
    _, trace = trace_of(model, x)
    assert differing(trace, values)


@pytest.mark.parametrize("table", ["EXP_TABLE", "RECIPROCAL_TABLE", "RSQRT_TABLE"])
def test_a_wrong_table_is_seen(monkeypatch, table):
    config = CONFIGS["etth1-96-24"]
    model, x = trained(config), inputs(config)
    integer = export(model)
    values = run(integer, integer.quantize_input(x.numpy()))
    entries = getattr(exact.numerics, table)
    monkeypatch.setattr(exact.numerics, table, [entry - entry // 16 for entry in entries])
    _, trace = trace_of(model, x)
    assert differing(trace, values)


@pytest.mark.parametrize("norm", ["batch-flatten", "etth1-96-24"])
def test_a_wrong_exponent_is_seen_from_its_tensor_on(norm):
    config = CONFIGS[norm]
    model, x = trained(config), inputs(config)
    params, exponents = parameters(model)
    exponents["layers.0.add1"] = int(exponents["layers.0.add1"]) + 1  # type: ignore[call-overload]
    integer = quantize_model(config, params, exponents)
    _, trace = trace_of(model, x)
    wrong = differing(trace, run(integer, integer.quantize_input(x.numpy())))
    assert "layers.0.add1" in wrong
    assert not wrong & {"delta", "embedding", "layers.0.q", "layers.0.scores", "layers.0.context"}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_learns_in_both_modes(name):
    config = CONFIGS[name]
    torch.manual_seed(0)
    model = Transformer(config)
    if config.linear_path:  # starts at 0, where no scale makes a difference
        torch.nn.init.normal_(model.linears["path"].weight)
    x, y = windows(config), torch.randn(32, config.horizon)
    for quantized in (False, True):
        if quantized:
            calibrate(model, x, y)
        model.zero_grad()
        (model(x) - y).square().mean().backward()
        for parameter_name, parameter in model.named_parameters():
            scale = parameter_name.endswith(("log2_scale", "activations.offset"))
            if scale and not quantized:
                continue
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name
            # softmax does not see the keys' bias, one token's softmax nothing at all
            blind = ".k.bias" in parameter_name or config.tokens == 1
            assert blind or parameter.grad.abs().max() > 0, parameter_name


def test_float_mode_is_plain_attention():
    """Against torch's own multi-head attention and layer norm."""
    config = CONFIGS["deep"].replace(layers=1)
    torch.manual_seed(0)
    model = Transformer(config).eval()
    x = windows(config)
    trace: dict[str, torch.Tensor] = {}
    model(x, trace)
    layer = model.get_submodule("layers.0")
    attention = torch.nn.MultiheadAttention(config.d_model, config.heads, batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([getattr(layer, n).weight for n in "qkv"]))
        attention.in_proj_bias.copy_(torch.cat([getattr(layer, n).bias for n in "qkv"]))
        attention.out_proj.weight.copy_(layer.o.weight)
        attention.out_proj.bias.copy_(layer.o.bias)
        h = trace["embedding"]
        expected = h + attention(h, h, h)[0]
    assert torch.allclose(trace["layers.0.add1"], expected, atol=1e-5)
    norm = torch.nn.functional.layer_norm(expected, (config.d_model,))
    assert torch.allclose(trace["layers.0.norm1"], norm, atol=1e-4)


def test_float_mode_is_a_plain_mixer():
    """Against products with transposed tensors."""
    config = CONFIGS["mixer"].replace(norm="layer")
    torch.manual_seed(0)
    model = Transformer(config).eval()
    trace: dict[str, torch.Tensor] = {}
    model(windows(config), trace)
    layer, h = model.get_submodule("layers.0"), trace["embedding"]
    with torch.no_grad():
        hidden = (h.mT @ layer.mix1.weight.T + layer.mix1.bias).relu()
        mixed = hidden @ layer.mix2.weight.T + layer.mix2.bias
        expected = h + mixed.mT @ layer.o.weight.T + layer.o.bias
    assert trace["layers.0.mix2"].shape == (32, config.d_model, config.tokens)
    assert torch.allclose(trace["layers.0.add1"], expected, atol=1e-5)


def test_a_row_of_the_decoder_sees_no_later_step():
    """And the mask is that of torch's own causal attention."""
    config = CONFIGS["decoder"].replace(decoder_layers=1)
    torch.manual_seed(0)
    model = Transformer(config).eval()
    x = windows(config)
    trace: dict[str, torch.Tensor] = {}
    model(x, trace)
    p = "decoder.layers.0."
    q, k, v = (trace[p + name].unflatten(2, (config.heads, -1)).transpose(1, 2) for name in "qkv")
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert torch.allclose(trace[p + "context"], expected.transpose(1, 2).flatten(2), atol=1e-6)
    q, k, v = (trace[p + "cross." + name].unflatten(2, (2, -1)).transpose(1, 2) for name in "qkv")
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    found = trace[p + "cross.context"]
    assert torch.allclose(found, expected.transpose(1, 2).flatten(2), atol=1e-6)
    known = trace["delta"][:, -config.horizon :].reshape(len(x), config.decoder_tokens, -1)
    table = trace["decoder.position"]
    embedding = model.linears["decoder.input"](layers.Activation(value=known)) + table
    assert torch.equal(trace["decoder.embedding"], embedding)


def test_quantized_stays_near_the_float_model():
    """At 8 bits, calibrated and not trained, rounding costs little."""
    config = CONFIGS["deep"]
    torch.manual_seed(0)
    model = Transformer(config).eval()
    x = windows(config, 256)
    with torch.no_grad():
        expected = model(x)
        calibrate(model, x, expected)
        error = (model(x) - expected).std() / expected.std()
    assert error < 0.05


def test_training_forward_is_near_the_evaluated_one():
    config = CONFIGS["etth1-96-24"]
    model, x = trained(config), windows(config)
    with torch.no_grad():
        exact_forecast = model.eval()(x.to(torch.float64))
        forecast = model.train()(x)
    assert torch.allclose(forecast, exact_forecast.to(torch.float32), atol=0.1)


def test_calibration_of_input_and_output_sees_all_windows():
    """Also those outside the windows that the other scales are taken from."""
    config = CONFIGS["deep"]
    x, y = windows(config, 64), torch.randn(64, config.horizon)
    for size in (1.0, 16.0):
        model = Transformer(config)
        calibrate(model, size * x, size * y, samples=1)
        assert model.training
        found = model.activations.exponents()
        for name, values in (("input", x), ("output", y)):
            best = ranges.best_exponent(size * values.reshape(1, -1), -128, 127)
            assert found[name] == best.item()


def test_one_outlier_does_not_take_the_scale():
    """With 4 bits, covering it would leave nothing of the rest."""
    config = named_config("grid-12-32-4")
    model = Transformer(config)
    x, y = torch.randn(512, 12, 7), torch.randn(512, 1)
    x[5, 3, 1], y[60] = -77.0, 17.0
    calibrate(model, x, y)
    exponents = model.activations.exponents()
    assert exponents["input"] <= 0
    assert exponents["output"] <= 0


def test_batch_norm_folds_to_its_running_statistics():
    norm = layers.QatBatchNorm(4)
    with torch.no_grad():
        norm.mean.copy_(torch.tensor([1.0, -2.0, 0.0, 3.0]))
        norm.variance.copy_(torch.tensor([4.0, 0.25, 1.0, 9.0]))
        norm.offset.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    x = torch.randn(5, 3, 4)
    expected = norm.eval()(layers.Activation(value=x), None)
    norm.fold()
    assert torch.allclose(x * norm.scale + norm.offset, expected, atol=1e-5)


def test_export_refuses_a_float_model():
    with pytest.raises(ValueError, match="Model must be quantized before it is exported"):
        export(Transformer(CONFIGS["tiny"]))


def test_a_folded_norm_adds_to_a_variance_what_it_did():
    torch.manual_seed(0)
    norm = layers.QatBatchNorm(3, 0.1).eval()
    norm.mean.copy_(torch.randn(3))
    norm.variance.copy_(0.01 * torch.rand(3))
    x = Activation(value=torch.randn(4, 5, 3))
    before = norm(x, None)
    norm.fold()
    norm.quantized = True
    assert torch.allclose(norm(x, None), before, atol=1e-5)
