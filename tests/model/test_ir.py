"""The integer model's checks: each inconsistency is refused in a sentence that names it."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

L0 = "layers.0."


def make(norm="layer", **changes):
    fields = {"name": "m", "window": 4, "horizon": 2, "d_model": 4, "heads": 2, "ffn": 6}
    config = TransformerConfig(**fields | {"norm": norm, "pooling": "mean"} | changes)
    return initialize(config, samples=8)


MODEL = make(subtract_last=True)
BATCH = make("batch")


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


def test_an_operation_lists_its_reads():
    with pytest.raises(TypeError, match=r"^an operation class must list its reads$"):
        _ = ir.Operation(y="y").reads
