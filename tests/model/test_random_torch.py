"""Random shapes, widths and quantizers: torch in evaluation mode equals the integer reference."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from bitformer.model.calibrate import MovingRanges, calibrate
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.export import export
from bitformer.model.precision import (
    ACTIVATION_BITS,
    COMPONENTS,
    DECODER_COMPONENTS,
    FLOAT_BITS,
    WEIGHT_BITS,
    Precision,
)
from bitformer.model.reference import run
from bitformer.model.structure import tensor_components, weight_components
from bitformer.model.transformer import Transformer

torch.set_num_threads(1)  # many workers, tiny tensors


def precisions(*, floats):
    return st.builds(
        Precision,
        weights=st.sampled_from([bits for bits in WEIGHT_BITS if floats or bits != FLOAT_BITS]),
        activations=st.sampled_from([b for b in ACTIVATION_BITS if floats or b != FLOAT_BITS]),
    )


@st.composite
def configs(draw, *, floats=False):
    heads, patch = draw(st.sampled_from([1, 2])), draw(st.integers(1, 3))
    inputs, decoder = draw(st.sampled_from([1, 3])), draw(st.integers(0, 2))
    rows = draw(st.integers(1, 4))
    names = COMPONENTS + (DECODER_COMPONENTS if decoder else ())
    kinds = precisions(floats=floats)
    config = TransformerConfig(
        name="random",
        window=patch * (rows + draw(st.integers(0, 2))),
        inputs=inputs,
        horizon=patch * rows if decoder else draw(st.integers(1, 5)),
        patch=patch,
        d_model=heads * draw(st.integers(1, 4)),
        layers=draw(st.sampled_from([1, 1, 2])),
        decoder_layers=decoder,
        heads=heads,
        ffn=draw(st.integers(1, 9)),
        norm=draw(st.sampled_from(["layer", "batch"])),
        pooling="flatten" if decoder else draw(st.sampled_from(["mean", "flatten"])),
        position=draw(st.sampled_from(["sinusoidal", "learned"])),
        subtract_last=draw(st.booleans()),
        target_channel=draw(st.integers(0, inputs - 1)),
        input_bits=draw(st.sampled_from([4, 8, 12, 16])),
        output_bits=draw(st.sampled_from([4, 8, 16])),
        default=draw(kinds),
        precision=draw(st.dictionaries(st.sampled_from(names), kinds, max_size=4)),
        weight_scales=draw(st.sampled_from(["channel", "tensor"])),
        asymmetric=draw(st.booleans()),
    )
    tensors = [t for t in tensor_components(config) if t not in ("input", "output")]
    tensors = [t for t in tensors if not t.endswith(".scores")]
    weights = [layer + ".weight" for layer in weight_components(config)]
    usable = [bits for bits in ACTIVATION_BITS if floats or bits != FLOAT_BITS]
    single = st.dictionaries(st.sampled_from(tensors), st.sampled_from(usable), max_size=2)
    usable = [bits for bits in WEIGHT_BITS if floats or bits != FLOAT_BITS]
    other = st.dictionaries(st.sampled_from(weights), st.sampled_from(usable), max_size=2)
    return config.replace(tensors={**draw(single), **draw(other)})


def several(count):
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def trained(config, seed, ranges):
    """A model some steps into training with rounding, away from where it was calibrated."""
    torch.manual_seed(seed)
    model = Transformer(config)
    x = 0.3 * torch.randn(16, config.window, config.inputs).cumsum(dim=1)
    y = torch.randn(16, config.horizon)
    model(x)  # running statistics of a BatchNorm
    calibrate(model, x, y, ranges=ranges)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(2):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if ranges == "moving-average":
        with MovingRanges(model):
            model(3 * x)
    return model.eval(), x


RANGES = st.sampled_from(["learned", "minmax", "moving-average"])


def check(config, seed, ranges):
    model, x = trained(config, seed, ranges)
    try:
        integer = export(model)
    except UserError:
        reject()  # so small a model can want a scale that the accelerator does not have
    x = torch.cat([x, 20 * x, torch.zeros_like(x[:1])]).to(torch.float64)
    trace: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        forecast = model(x, trace)
    values = run(integer, integer.quantize_input(x.numpy()))
    differing = {n for n in values if not np.array_equal(trace[n].numpy(), values[n])}
    assert not differing
    assert set(trace) == set(values)
    output = integer.dequantize_output(values["output"]).reshape(len(x), -1)
    assert np.array_equal(forecast.numpy(), output)


CASES = {"config": configs(), "seed": st.integers(0, 100), "ranges": RANGES}


@several(25)
@given(**CASES)
def test_every_tensor_equals_the_reference(**case):
    check(**case)


@pytest.mark.slow
@several(300)
@given(**CASES)
def test_every_tensor_of_many_models_equals_the_reference(**case):
    check(**case)


@several(12)
@given(config=configs(floats=True), seed=st.integers(0, 100), ranges=RANGES)
def test_floats_mix_with_any_width(config, seed, ranges):
    """Every parameter learns, and what is rounded holds numbers of its width."""
    model, x = trained(config, seed, ranges)
    trace: dict[str, torch.Tensor] = {}
    forecast = model(x.to(torch.float64), trace)
    assert torch.isfinite(forecast).all()
    for name, value in trace.items():
        bits = 8 if name.endswith(".scores") else config.tensor_bits(name)
        if config.tensor_bits(name) == FLOAT_BITS:
            assert value.dtype == torch.float64
        else:
            assert value.dtype == torch.int64
            assert -(1 << (bits - 1)) <= value.min()
            assert value.max() < 1 << (bits - 1)
    model.zero_grad()
    forecast.square().mean().backward()
    unused = {n + ".log2_scale" for n in weight_components(config) if config.weight_bits(n) == 32}
    if not model.activations.movable:
        unused.add("activations.offset")
    for name, parameter in model.named_parameters():
        if name in unused:
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
