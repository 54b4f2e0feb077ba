"""GELU on integers: its tables against the real function, and what the hardware relies on."""

import math

import numpy as np
import pytest
import torch

from bitformer.model.activations import Keeper, Unit
from bitformer.model.calibrate import calibrate
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.gelu import GELU_BITS, corrections, gelu_exponent, gelu_steps, gelu_zero
from bitformer.model.initialize import initialize
from bitformer.model.nonlinearity import GELU
from bitformer.model.operations import Linear
from bitformer.model.precision import FLOAT_BITS, Precision
from bitformer.model.tensor import Tensor
from bitformer.model.transformer import Transformer, activated

WIDTHS = range(GELU_BITS[0], GELU_BITS[1] + 1)


def real(x):
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def test_values_by_hand():
    assert GELU.numpy(np.array([-1.0, 0.0, 1.0, 3.0])).round(4).tolist() == [
        *(-0.1587, 0.0, 0.8413, 2.996)
    ]
    # steps of 1/32: GELU(-0.75) = -0.17 is 5.44 steps below 0
    assert gelu_steps(np.array([-24, 24, -300, 300]), 8).tolist() == [-5, 19, 0, 300]
    assert (gelu_exponent(8), gelu_zero(8)) == (-5, -128 + 5)
    assert corrections(4) == (0, 0, 1, 1, 1, 1)
    assert (gelu_exponent(4), gelu_zero(4)) == (-2, -8 + 1)
    assert [corrections(bits) for bits in (2, 3)] == [(0,), (0,)]


@pytest.mark.parametrize("bits", WIDTHS)
def test_steps_are_the_real_function_rounded(bits):
    """To within half a step, and the half step that is lost where none is taken from a half."""
    size = 2.0 ** gelu_exponent(bits)
    steps = np.arange(-(1 << bits), 1 << bits)
    exact = np.array([real(step * size) for step in steps.tolist()]) / size
    assert np.abs(gelu_steps(steps, bits) - exact).max() <= 0.5


@pytest.mark.parametrize("bits", WIDTHS)
def test_no_library_rounds_an_entry_otherwise(bits):
    """No correction is near a half, so that any erfc gives the same table."""
    size = 2.0 ** gelu_exponent(bits)
    lost = [n * math.erfc(n * size / math.sqrt(2)) / 2 for n in range(1 << bits + 1)]
    assert min(abs(one % 1 - 0.5) for one in lost) > 1e-3


@pytest.mark.parametrize("bits", WIDTHS)
def test_results_fill_their_bits_and_need_no_clamp(bits):
    """The least is the lowest number, and nothing is taken from the largest."""
    low, high, zero = -(1 << (bits - 1)), (1 << (bits - 1)) - 1, gelu_zero(bits)
    last = high - zero
    assert gelu_steps(np.array(last), bits) == last
    found = gelu_steps(np.arange(-(1 << bits), last + 1), bits) + zero
    assert (found.min(), found.max()) == (low, high)
    assert 3 <= last * 2.0 ** gelu_exponent(bits) < 8


def test_a_layer_by_hand():
    """Dot products of 8, -8 and 400 in units of 1/128, a quarter of a step of 1/32."""
    tensors = {
        "x": Tensor(name="x", rows=1, features=1, bits=8, exponent=-5),
        "y": Tensor(name="y", rows=1, features=3, bits=8, exponent=-5, zero=gelu_zero(8)),
    }
    op = Linear(
        x="x",
        y="y",
        shift=2,
        weight=np.array([[1], [-1], [50]], dtype=np.int64),
        weight_bits=8,
        bias=np.array([0, 0, 8000], dtype=np.int64),
        multiplier=np.ones(3, dtype=np.int64),
        gelu=True,
    )
    op.check("here", tensors, {"x"})
    # 24 and -24 steps; the third is clamped to 250
    y = op.run({"x": np.array([[[96]]])}, tensors)
    assert y[0, 0].tolist() == [-123 + 19, -123 - 5, 127]


WRONG = [
    ({"bits": 16}, r"^here: y must be of 2 to 8 bits with gelu, not of 16$"),
    ({"zero": -128}, r"^here: zero point of y must be -123 with gelu, not -128$"),
    ({"narrow": True}, r"^here: narrow of y must be false with gelu, not True$"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_it_is_not_for(changes, message):
    y = {"name": "y", "rows": 1, "features": 1, "bits": 8, "exponent": -5, "zero": -123}
    tensors = {
        "x": Tensor(name="x", rows=1, features=1, bits=8, exponent=-5),
        "y": Tensor(**y | changes),
    }
    one = np.ones(1, dtype=np.int64)
    layer = {"x": "x", "y": "y", "shift": 0, "weight": one[:, None], "weight_bits": 2}
    layer |= {"bias": 0 * one, "multiplier": one}
    with pytest.raises(UserError, match=message):
        Linear(**layer, gelu=True).check("here", tensors, {"x"})
    with pytest.raises(UserError, match=r"^here: relu must be false with gelu, not True$"):
        Linear(**layer, gelu=True, relu=True).check("here", tensors, {"x"})


def make(**changes):
    return TransformerConfig(
        **{"name": "t", "window": 4, "d_model": 4, "ffn": 6, "activation": "gelu"} | changes
    )


def test_the_scale_of_results_follows_from_their_bits():
    for bits in (2, 5, 8):
        config = make(default=Precision(weights=4, activations=bits))
        spec = initialize(config, samples=8).tensors["layers.0.hidden"]
        assert (spec.exponent, spec.zero) == (gelu_exponent(bits), gelu_zero(bits))


def test_other_widths_have_the_scale_of_their_own():
    """A training goes through falling widths, and takes its state along: not this scale."""
    torch.manual_seed(0)
    wide, narrow = (make(default=Precision(weights=4, activations=bits)) for bits in (8, 4))
    x, y = torch.randn(32, 4, 1), torch.randn(32, 1)
    before = Transformer(wide)
    calibrate(before, x, y)
    assert before.activations.exponents()["layers.0.hidden"] == gelu_exponent(8) == -5
    after = Transformer(narrow)
    after.load_state_dict(before.state_dict())
    calibrate(after, x, y, known=before)
    assert after.activations.exponents()["layers.0.hidden"] == gelu_exponent(4) == -2


def test_the_gradient_is_that_of_the_real_function():
    """It passes the rounding, and ends where results are clamped."""
    torch.manual_seed(0)
    model = Transformer(make(norm="batch"))
    x, y = torch.randn(32, 4, 1), torch.randn(32, 1)
    calibrate(model, x, y)
    z = torch.tensor([-3.0, -0.76, -0.1, 0.4, 2.0, 9.0], dtype=torch.float64, requires_grad=True)
    hidden = activated(GELU, z, Unit.of(-5), 8)
    assert (hidden * 32).detach().tolist() == [0, -5, -1, 9, 63, 288]
    (slope,) = torch.autograd.grad(hidden.sum(), z)
    real_slope = [(real(v + 1e-6) - real(v - 1e-6)) / 2e-6 for v in z.tolist()]
    torch.testing.assert_close(slope, torch.tensor(real_slope, dtype=torch.float64))
    keep = Keeper(model.activations, None)
    kept = keep("layers.0.hidden", hidden.reshape(1, 1, 6)).value
    (slope,) = torch.autograd.grad(kept.sum(), hidden)
    assert slope.flatten().tolist() == [1, 1, 1, 1, 1, 0]


def test_results_of_16_bits_are_refused_with_what_to_do():
    wide = Precision(weights=4, activations=16)
    for changes in ({"default": wide}, {"precision": {"FFN": wide}}):
        with pytest.raises(
            UserError,
            match=r"^activations of component FFN must have 2 to 8 bits with \"activation\":"
            r" \"gelu\", not 16: give them 8, in \"precision\" or with --activations 8, or choose"
            r" \"activation\": \"relu\"$",
        ):
            make(**changes)
    # what is kept in float32 runs in torch only, and needs no table
    assert make(precision={"FFN": Precision(weights=FLOAT_BITS, activations=FLOAT_BITS)})
    with pytest.raises(UserError, match=r"^activation must be one of \('relu', 'gelu'\), not"):
        make(activation="elu")
