"""Weights that are powers of two: which there are, how reals round to them, who refuses others."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from model_changes import with_operations

from bitformer.model import ir
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.fake_quant import fake_quantize_to_powers, nearest_power
from bitformer.model.initialize import initialize
from bitformer.model.layers import QatLinear
from bitformer.model.power_of_two import are_powers, edge, levels, nearest
from bitformer.model.precision import WEIGHT_BITS, Precision
from bitformer.model.quantize import quantize_weight
from bitformer.model.ranges import weight_exponent

torch.set_num_threads(1)  # many workers, tiny tensors

BITS = [bits for bits in WEIGHT_BITS if 3 <= bits <= 16]
TINY = named_config("tiny").replace(default=Precision.parse("4p/8"))


def test_they_are_the_powers_that_fit_the_bits():
    assert levels(3) == (-2, -1, 0, 1, 2)
    assert levels(4) == (-4, -2, -1, 0, 1, 2, 4)
    for bits in BITS:
        limit = (1 << (bits - 1)) - 1
        every = np.arange(-limit, limit + 1)
        assert tuple(every[are_powers(every)]) == levels(bits)


@pytest.mark.parametrize("bits", BITS)
def test_reals_round_to_the_nearest_and_up_where_two_are(bits):
    """By exact fractions, at every threshold and a float's breadth beside it; torch and numpy."""
    known = levels(bits)
    middles = [(low + high) / 2 for low, high in itertools.pairwise(known)]
    x = [*map(float, known), *middles, 0.0, -0.0, 1e300, -1e300, math.inf, -math.inf]
    x += [math.nextafter(one, way) for one in [*middles, *known] for way in (-1e9, 1e9)]
    expected = [
        max(known, key=lambda level, one=one: (-abs(Fraction(level) - Fraction(one)), level))
        for one in (min(max(one, -(2.0**20)), 2.0**20) for one in x)
    ]
    assert nearest(np.array(x), bits).tolist() == expected
    assert nearest_power(torch.tensor(x, dtype=torch.float64), bits).tolist() == expected
    single = torch.tensor(x, dtype=torch.float32)
    assert nearest_power(single, bits).tolist() == nearest(single.numpy(), bits).tolist()


def test_torch_stores_what_is_exported():
    torch.manual_seed(0)
    for bits, per_tensor, ranges in itertools.product(BITS, (False, True), ("learned", "minmax")):
        layer = QatLinear(9, 5, bits, per_tensor=per_tensor, scheme="power-of-two")
        layer.calibrate(ranges)
        layer.log2_scale.data += 0.7 * torch.randn_like(layer.log2_scale)
        layer.weight.data[0, :2] = torch.tensor([1.5, -1.5]) * 2.0 ** layer.exponents()[0]
        stored, *_ = layer.rounded(torch.float64)
        exponents = layer.exponents().expand(5).numpy()
        weight = layer.weight.detach().to(torch.float64).numpy()
        integers = quantize_weight(weight, exponents, bits, "power-of-two")
        assert integers[0, :2].tolist() == [2, -1]
        assert np.array_equal(stored.detach().numpy(), np.ldexp(integers, exponents[:, None]))
        assert are_powers(integers).all()


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_the_calibrated_exponent_has_the_least_error_of_all(bits):
    x = torch.randn(6, 40, generator=torch.Generator().manual_seed(bits)).to(torch.float64)
    x[1] *= 100
    options = {"per_tensor": False, "scheme": "power-of-two"}
    found = weight_exponent(x, bits, ranges="learned", **options)
    errors = {
        e: (nearest(np.ldexp(x.numpy(), -e), bits) * 2.0**e - x.numpy()) for e in range(-20, 12)
    }
    for row, exponent in enumerate(found.tolist()):
        least = min(errors, key=lambda e, row=row: float(np.square(errors[e][row]).sum()))
        assert exponent == least
    covering = weight_exponent(x, bits, ranges="minmax", **options)
    steps = x.abs().amax(dim=1) * 2.0**-covering
    assert (steps <= edge(bits)).all()
    assert (2 * steps > edge(bits)).all()
    # the scale of uniform weights is another
    assert (found != weight_exponent(x, bits, ranges="learned", per_tensor=False)).any()


def test_gradients():
    """They pass to what is kept; the scale learns by the rule of uniform weights."""
    x = torch.tensor([-7.0, -5.9, 0.4, 1.6, 3.0, 99.0], requires_grad=True)
    log2_scale = torch.tensor([0.0], requires_grad=True)
    y = fake_quantize_to_powers(x, log2_scale, 4, torch.tensor([1.0]), torch.tensor([1.0]))
    assert y.tolist() == [-4, -4, 0, 2, 4, 4]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]
    slopes = [-4, -4 + 5.9, 0 - 0.4, 2 - 1.6, 4 - 3, 4]
    assert log2_scale.grad is not None
    expected = math.log(2) * sum(slopes) / math.sqrt(6 * 4)
    assert log2_scale.grad.item() == pytest.approx(expected)


def test_a_weight_that_is_no_power_is_refused():
    model = initialize(TINY)
    for op in model.linears:
        powers = op.y not in ("output", "path")
        assert are_powers(op.weight).all() == powers
        changed = op.weight.copy()
        changed[0, 0] = 3

        def change(other, op=op, changed=changed):
            return replace(other, weight=changed) if other is op else other

        if powers:
            message = rf"-> {op.y}\): weight must be 0 or a power of two, as config says, not 3"
            with pytest.raises(UserError, match=message):
                with_operations(model, change)
        else:
            with_operations(model, change)


def test_files_keep_the_scheme_and_others_do_not_know_it(tmp_path):
    """What is uniform is written as before there were schemes."""
    model = initialize(TINY)
    save_model(model, tmp_path / "m.safetensors")
    found = load_model(tmp_path / "m.safetensors")
    assert found.config == TINY
    assert found.weight_schemes == model.weight_schemes
    assert set(found.weight_schemes.values()) == {"uniform", "power-of-two"}
    assert TINY.to_dict()["default"] == {
        "weights": 4,
        "activations": 8,
        "scheme": "power-of-two",
    }
    for name in ("tiny", "etth1-48-24-ed"):
        plain = named_config(name).to_dict()
        assert TransformerConfig.from_dict(plain) == named_config(name)
        assert "scheme" not in str(plain)


def test_a_single_weight_keeps_its_components_scheme():
    """In one and two bits there is but one."""
    names = {"layers.0.q.weight": 6, "layers.0.k.weight": 2, "layers.0.v.weight": 1}
    config = TINY.replace(tensors=names)
    assert [config.weight_scheme(f"layers.0.{one}") for one in "qkvo"] == [
        *("power-of-two", "uniform", "uniform", "power-of-two")
    ]
    weights = {op.y: op for op in initialize(config).linears}
    assert np.abs(weights["layers.0.q"].weight).max() == 16
    assert are_powers(weights["layers.0.q"].weight).all()
    assert set(np.unique(weights["layers.0.k"].weight)) <= {-1, 0, 1}
    assert isinstance(weights["layers.0.v"], ir.Linear)
    assert set(np.unique(weights["layers.0.v"].weight)) == {-1, 1}
