"""Random shapes, widths and quantizers: torch in evaluation mode equals the integer reference."""

import numpy as np
import pytest
import torch
from design_strategies import configs, several
from hypothesis import given, reject
from hypothesis import strategies as st

from bitformer.model.calendar import ROWS
from bitformer.model.calibrate import MovingRanges, calibrate
from bitformer.model.errors import UserError
from bitformer.model.export import export
from bitformer.model.precision import FLOAT_BITS
from bitformer.model.reference import run
from bitformer.model.structure import weight_components
from bitformer.model.transformer import Transformer
from bitformer.model.window_scaling import turned_back

torch.set_num_threads(1)  # many workers, tiny tensors


def trained(config, seed, ranges):
    """A model some steps into training with rounding, away from where it was calibrated."""
    torch.manual_seed(seed)
    model = Transformer(config)
    x = 0.3 * torch.randn(16, config.window, config.inputs).cumsum(dim=1)
    y = torch.randn(16, config.outputs)
    clock = times(config, 16)
    model(x, clock=clock)  # running statistics of a BatchNorm
    calibrate(model, x, y, clock=clock, ranges=ranges)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(2):
        loss = (model(x, clock=clock) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if ranges == "moving-average":
        with MovingRanges(model):
            model(3 * x, clock=clock)
    return model.eval(), x


def times(config, count):
    """Times of windows, int64 [count, numbers], that go through every row of the tables."""
    columns = [torch.arange(count) * 5 % ROWS[name] for name in config.calendar]
    return torch.stack(columns, dim=1) if columns else torch.zeros(count, 0, dtype=torch.int64)


RANGES = st.sampled_from(["learned", "minmax", "moving-average"])


def check(config, seed, ranges):
    model, x = trained(config, seed, ranges)
    margin = model.margin = seed % 5 if config.task == "classify" else 0
    try:
        integer = export(model)
    except UserError:
        reject()  # so small a model can want a scale that the accelerator does not have
    x = torch.cat([x, 20 * x, torch.zeros_like(x[:1])]).to(torch.float64)
    trace: dict[str, torch.Tensor] = {}
    clock = times(config, len(x))
    with torch.no_grad():
        forecast = model(x, trace, clock=clock)
    judged = None
    if config.task == "detect":
        judged = np.random.default_rng(seed).normal(size=(len(x), config.outputs))
    values = run(integer, integer.quantize_input(x.numpy(), clock.numpy(), judged))
    if config.task == "detect":  # it is no part of the network
        assert values.pop("answer").shape == (len(x), 1, 1)
    differing = {n for n in values if not np.array_equal(trace[n].numpy(), values[n])}
    assert not differing
    assert set(trace) == set(values)
    spec = integer.results
    output = ((values["output"] - spec.zero) * 2.0**spec.exponent).reshape(len(x), -1)
    if config.task != "classify":
        output = turned_back(output, x.numpy(), config.window_scaling)
    assert np.array_equal(forecast.numpy(), output)
    if config.task == "classify":
        leads = np.sort(values["output"].reshape(len(x), -1))[:, -2:]
        chosen = np.where(leads[:, 1] - leads[:, 0] < margin, config.horizon, forecast.argmax(1))
        assert values["answer"].ravel().tolist() == chosen.tolist()


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
    forecast = model(x.to(torch.float64), trace, clock=times(config, len(x)))
    assert torch.isfinite(forecast).all()
    if config.task == "classify":
        answer = trace.pop("answer")
        assert answer.shape == (len(x), 1, 1)
        assert answer.ravel().tolist() == forecast.argmax(dim=1).tolist()
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
