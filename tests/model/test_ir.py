"""The integer model's checks: each inconsistency is refused in a sentence that names it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.operations import linear
from bitformer.model.quantize import quantize_model

L0 = "layers.0."


def make(norm="layer", **changes):
    fields = {"name": "m", "window": 4, "horizon": 2, "d_model": 4, "heads": 2, "ffn": 6}
    config = TransformerConfig(**fields | {"norm": norm, "pooling": "mean"} | changes)
    return initialize(config, samples=8)


MODEL = make(subtract_last=True)
BATCH = make("batch")
MIXER = make(block="mixer", patch=2)


def tensor(name, model=MODEL, /, **changes):
    """A copy with a tensor changed."""
    return lambda: replace(
        model, tensors={**model.tensors, name: replace(model.tensors[name], **changes)}
    )


def operation(y, model=MODEL, /, **changes):
    """A copy with the operation changed that writes `y`."""
    return lambda: replace(
        model,
        operations=tuple(replace(op, **changes) if op.y == y else op for op in model.operations),
    )


def op(y, model=MODEL):
    return next(op for op in model.operations if op.y == y)


def residual(**changes):
    return replace(op(L0 + "add1").residual, **changes)


BAD = {
    "name": (tensor("output", name="out"), r"^tensor output: name must be 'output', not 'out'$"),
    "shape": (tensor("delta", rows=0), r"^tensor delta: shape must be positive, not \(0, 1\)$"),
    "bits": (tensor("delta", bits=17), r"^tensor delta: bits must be 2 to 16, not 17$"),
    "few bits": (tensor("delta", bits=1), r"^tensor delta: bits must be 2 to 16, not 1$"),
    "zero": (
        tensor(L0 + "hidden", zero=-129),
        r"^tensor layers\.0\.hidden: zero must be within -128\.\.127, not -129$",
    ),
    "exponent": (
        tensor("delta", exponent=41),
        r"^tensor delta: exponent must be within -40\.\.40, not 41$",
    ),
    "input": (
        lambda: replace(MODEL, tensors={k: v for k, v in MODEL.tensors.items() if k != "input"}),
        r"^tensors must contain 'input', which is missing$",
    ),
    "input shape": (
        tensor("input", rows=5),
        r"^tensor input: shape must be \(4, 1\) as in config, not \(5, 1\)$",
    ),
    "input zero": (tensor("input", zero=3), r"^tensor input: zero must be 0, not 3$"),
    "no operations": (
        lambda: replace(MODEL, operations=()),
        r"^operations must not be empty$",
    ),
    "order": (
        lambda: replace(MODEL, operations=MODEL.operations[::-1]),
        r"^operation 0 \(Linear -> output\): input must be a tensor written before, not 'pooled'$",
    ),
    "twice": (
        lambda: replace(MODEL, operations=MODEL.operations[:1] * 2),
        r"^operation 1 \(SubtractLast -> delta\): y must be a declared tensor written once, not "
        r"'delta'$",
    ),
    "unwritten": (
        lambda: replace(
            MODEL, tensors={**MODEL.tensors, "extra": replace(MODEL.output, name="extra")}
        ),
        r"^tensors must each be written by an operation, not \['extra'\]$",
    ),
    "output shape": (
        lambda: replace(MODEL, config=MODEL.config.replace(horizon=3)),
        r"^output: shape must be \(1, 3\) as in config, not \(1, 2\)$",
    ),
    "an ADC's words": (
        lambda: replace(
            MODEL,
            config=MODEL.config.replace(adc_words=True, input_bits=8, output_bits=8),
            tensors={**MODEL.tensors, "output": replace(MODEL.output, bits=9)},
        ),
        r"^output: bits must be 8 as the input's, for an ADC's words, not 9$",
    ),
    "constant": (
        lambda: replace(MODEL, constants={"position": np.full((4, 4), 128)}),
        r"^constant position: values must be within -128\.\.127, not 128\.\.128$",
    ),
    "constant shape": (
        lambda: replace(MODEL, constants={"position": np.zeros((3, 4), dtype=int)}),
        r"^constant position: values must be of shape \(4, 4\), not \(3, 4\)$",
    ),
    "float constant": (
        lambda: replace(MODEL, constants={"position": np.zeros((4, 4))}),
        r"^constant position: values must be an int64 array, not float64$",
    ),
    "shift": (
        operation(L0 + "q", shift=49),
        r"^operation 4 \(Linear -> layers\.0\.q\): shift must be 0 to 48, not 49$",
    ),
    "weight bits": (
        operation(L0 + "q", weight_bits=17),
        r"-> layers\.0\.q\): weight_bits must be 1 to 16, not 17$",
    ),
    "start": (
        operation(L0 + "q", start=99),
        r"-> layers\.0\.q\): start must be below \d+, not 99$",
    ),
    "start of columns": (
        operation(L0 + "mix1", MIXER, start=4),
        r"-> layers\.0\.mix1\): start must be 0 where x is read transposed, not 4$",
    ),
    "columns": (
        operation(L0 + "hidden", MIXER, transposed=True),
        r"-> layers\.0\.hidden\): y must be of 4 rows, as x has features, not 2$",
    ),
    "inputs of columns": (
        operation(L0 + "mix1", MIXER, weight=np.zeros((6, 4), dtype=int)),
        r"-> layers\.0\.mix1\): weight must be of 2 inputs, not 4$",
    ),
    "binary weight": (
        operation(L0 + "q", weight_bits=1, weight=np.zeros((4, 4), dtype=np.int64)),
        r"-> layers\.0\.q\): weight must be -1 or 1 in one bit, not 0$",
    ),
    "weight range": (
        operation(L0 + "q", weight=np.full((4, 4), -128)),
        r"-> layers\.0\.q\): weight must be within -127\.\.127, not -128\.\.-128$",
    ),
    "weight of few bits": (
        operation(L0 + "q", weight=np.ones((4, 4), dtype=np.int8)),
        r"-> layers\.0\.q\): weight must be an int64 array, not int8$",
    ),
    "weight outputs": (
        operation(L0 + "q", weight=np.zeros((5, 4), dtype=int)),
        r"-> layers\.0\.q\): weight must be of shape \(4, 4\), not \(5, 4\)$",
    ),
    "weight inputs": (
        operation(L0 + "q", weight=np.zeros((4, 5), dtype=int)),
        r"-> layers\.0\.q\): weight must be of 4 inputs, not 5$",
    ),
    "weight dimensions": (
        operation(L0 + "q", weight=np.zeros(4, dtype=int)),
        r"-> layers\.0\.q\): weight must be two-dimensional, not \(4,\)$",
    ),
    "bias": (
        operation(L0 + "q", bias=np.full(4, (1 << 40) + 1)),
        r"-> layers\.0\.q\): bias must be within -1099511627776\.\.1099511627776, not ",
    ),
    "multiplier": (
        operation(L0 + "q", multiplier=np.full(4, 1 << 17)),
        r"-> layers\.0\.q\): multiplier must be within 0\.\.131071, not ",
    ),
    "multiplier of scores": (
        operation(L0 + "scores", multiplier=0),
        r"\(Scores -> layers\.0\.scores\): multiplier must be 1 to 131071, not 0$",
    ),
    "residual": (
        operation(L0 + "add1", residual=residual(source=L0 + "norm2")),
        r"-> layers\.0\.add1\): input must be a tensor written before, not 'layers\.0\.norm2'$",
    ),
    "residual shape": (
        operation(L0 + "add1", residual=residual(source="delta")),
        r"-> layers\.0\.add1\): residual must be of shape \(4, 4\), not \(4, 1\)$",
    ),
    "residual shift": (
        operation(L0 + "add1", residual=residual(shift=-1)),
        r"-> layers\.0\.add1\): residual shift must be 0 to 48, not -1$",
    ),
    "residual channel": (
        operation("output", residual=replace(op("output").residual, channel=1)),
        r"-> output\): residual channel must be below 1, not 1$",
    ),
    "heads": (
        operation(L0 + "scores", heads=3),
        r"-> layers\.0\.scores\): heads must be a divisor of the features of q and k \(4\), not 3$",
    ),
    "score bits": (
        tensor(L0 + "scores", bits=7),
        r"-> layers\.0\.scores\): y must be 8 bits in 1/8 octaves, not 7 bits$",
    ),
    "context": (
        operation(L0 + "context", heads=4),
        r"-> layers\.0\.context\): y must be of shape \(2, 4\), not \(4, 4\)$",
    ),
    "gamma": (
        operation(L0 + "norm1", gamma=np.full(4, 128)),
        r"\(LayerNorm -> layers\.0\.norm1\): gamma must be within -128\.\.127, not 128\.\.128$",
    ),
    "beta shift": (
        operation(L0 + "norm1", beta_shift=49),
        r"\(LayerNorm -> layers\.0\.norm1\): beta_shift must be 0 to 48, not 49$",
    ),
    "offset": (
        operation(L0 + "norm1", BATCH, offset=np.zeros(3, dtype=int)),
        r"\(Affine -> layers\.0\.norm1\): offset must be of shape \(4,\), not \(3,\)$",
    ),
    "norm shape": (
        operation(L0 + "norm1", x=L0 + "scores"),
        r"\(LayerNorm -> layers\.0\.norm1\): y must be of shape \(8, 4\), not \(4, 4\)$",
    ),
    "pool": (
        operation("pooled", x="delta"),
        r"\(Pool -> pooled\): y must be of shape \(1, 1\), not \(1, 4\)$",
    ),
    "zero point": (
        tensor(L0 + "q", zero=1),
        r"^operation 5 \(Scores -> layers\.0\.scores\): zero point of layers\.0\.q must be 0, not",
    ),
}


@pytest.mark.parametrize(("build", "message"), BAD.values(), ids=BAD)
def test_inconsistencies_are_named(build, message):
    with pytest.raises(UserError, match=message):
        build()


def _wide(shift):
    """A residual of 16 bits, at a shift."""
    wide = {"embedding": replace(MODEL.tensors["embedding"], bits=16)}
    return replace(
        operation(L0 + "add1", residual=residual(shift=shift))(), tensors=MODEL.tensors | wide
    )


def test_a_sum_that_could_wrap_is_refused():
    assert _wide(45)
    said = r"-> layers\.0\.add1\): sum before it is rounded must be at most 230584300921\d+, not"
    with pytest.raises(UserError, match=said):
        _wide(47)
    most = np.full(4, 2**15 - 1)
    norm = op(L0 + "norm1")
    assert operation(norm.y, beta=most, beta_shift=46)()
    with pytest.raises(UserError, match=r"-> layers\.0\.norm1\): sum before it is rounded must"):
        operation(norm.y, beta=-most, beta_shift=47)()
    assert operation(norm.y, BATCH, offset=most, offset_shift=45)()
    with pytest.raises(UserError, match=r"-> layers\.0\.norm1\): sum before it is rounded must"):
        operation(norm.y, BATCH, offset=most, offset_shift=47)()


def test_a_dot_product_that_float64_rounds_is_refused(monkeypatch):
    monkeypatch.setattr(linear, "LARGEST_DOT", 100)
    with pytest.raises(UserError, match=r"embedding\): dot product must be at most 100, not \d+$"):
        make(subtract_last=True)


def test_a_copy_is_as_good():
    assert replace(MODEL).operations == MODEL.operations


def test_ranges_of_a_tensor():
    spec = ir.Tensor(name="t", rows=2, features=3, bits=4, exponent=0)
    assert (spec.low, spec.high, spec.shape) == (-8, 7, (2, 3))
    assert replace(spec, narrow=True).low == -7


def test_floats_to_integers_and_back():
    spec = MODEL.input
    step = 2.0**spec.exponent
    x = np.array([0.5, -0.5, 1.49, 1e9, -1e9])[:, None] * step
    assert MODEL.quantize_input(x)[:, 0].tolist() == [1, 0, 1, spec.high, spec.low]
    y = np.arange(-3, 4)
    assert np.array_equal(MODEL.dequantize_output(y), y * 2.0**MODEL.output.exponent)


@pytest.mark.parametrize("scale", [-40, 0, 40])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_huge_readings_saturate_at_their_own_end(bits, scale):
    config = replace(MODEL.config, inputs=1, input_bits=bits)
    spec = replace(MODEL.input, bits=bits, exponent=scale)
    delta = replace(MODEL.tensors["delta"], bits=bits, exponent=scale)
    tensors = {**MODEL.tensors, "input": spec, "delta": delta}
    model = replace(MODEL, config=config, tensors=tensors)
    high = [1e300, 1e19 * 2.0**scale, 2.0 ** (63 + scale), np.finfo(np.float64).max]
    x = np.array([*high, *np.negative(high)]).reshape(2, 4, 1)
    assert model.quantize_input(x)[..., 0].tolist() == [[spec.high] * 4, [spec.low] * 4]
    narrow = np.array([3e38, -3e38], dtype=np.float32)[:, None]
    assert model.quantize_input(narrow)[:, 0].tolist() == [spec.high, spec.low]


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_with_its_place(value, kind):
    model = make(inputs=3)
    x = np.zeros((5, 4, 3), dtype=kind)
    assert not model.quantize_input(x).any()
    x[2, 1, 0] = x[3, 0, 2] = value
    for window, place in ((x, "sample 2, step 1, channel 0"), (x[3], "step 0, channel 2")):
        with pytest.raises(
            UserError, match=rf"^input must be finite numbers, not {value}: {place}$"
        ):
            model.quantize_input(window)


def test_parameters_are_finite_and_saturate_at_their_own_end(monkeypatch):
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(
            "bitformer.model.initialize.quantize_model", lambda *given: seen.append(given)
        )
        initialize(MODEL.config, samples=8)
    config, params, exponents, _ = seen[0]
    signs = np.where(np.arange(16).reshape(4, 4) % 3, 1e300, -1e300)
    huge = {L0 + "q.weight": signs, "position": signs, L0 + "norm1.scale": signs[0]}
    model = quantize_model(config, params | huge, exponents)
    assert np.array_equal(op(L0 + "q", model).weight, np.sign(signs) * 127)
    assert np.array_equal(model.constants["position"], np.where(signs > 0, 127, -128))
    assert np.array_equal(op(L0 + "norm1", model).gamma, np.where(signs[0] > 0, 127, -128))
    for value in (np.nan, np.inf):
        name = L0 + "norm1.offset"
        with pytest.raises(
            UserError, match=rf"^{re.escape(name)} must be finite numbers, not {value}$"
        ):
            quantize_model(config, params | {name: np.array([0.0, 0.0, value, 0.0])}, exponents)


def test_an_operation_lists_its_reads():
    with pytest.raises(TypeError, match=r"abstract .*reads"):
        ir.Operation(y="y", shift=0)
