"""Models that the integer model allows and the units cannot run are refused, each in a sentence."""

from dataclasses import replace

import numpy as np
import pytest
from model_changes import with_operations

from bitformer.hw.lowering.lower import lower
from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

L0, L1 = "layers.0.", "layers.1."


@pytest.fixture(scope="module")
def model():
    config = TransformerConfig(
        name="small",
        window=4,
        horizon=4,
        inputs=4,
        d_model=4,
        heads=2,
        ffn=4,
        layers=2,
        subtract_last=True,
    )
    return initialize(config, samples=8)


def changed(model, y, **fields):
    """The model with fields of the operation that writes ``y`` changed."""
    return with_operations(model, lambda op: replace(op, **fields) if op.y == y else op)


def from_embedding(model):
    """The last step of the embedding is subtracted, not the input's."""
    delta, embedding, *others = model.operations
    swapped = replace(embedding, x="input"), replace(delta, x="embedding")
    return replace(model, operations=(*swapped, *others))


def with_heads(model, heads):
    """Attention of the first layer joins other heads than its logits are of."""
    tensors = {**model.tensors, L0 + "context": replace(model.tensors[L0 + "context"], rows=2)}
    weight = find(model, L0 + "add1").weight[:, :2]
    fields = {L0 + "context": {"heads": heads}, L0 + "add1": {"weight": weight}}
    operations = tuple(replace(op, **fields.get(op.y, {})) for op in model.operations)
    return replace(model, tensors=tensors, operations=operations)


def added(model, op, after, **spec):
    """The model with an operation more, whose result is shaped as ``spec``."""
    tensors = {**model.tensors, op.y: replace(model.output, name=op.y, **spec)}
    operations = list(model.operations)
    place = [o.y for o in operations].index(after)
    return replace(
        model, tensors=tensors, operations=(*operations[: place + 1], op, *operations[place + 1 :])
    )


def last(channel, source="input"):
    return ir.Residual(source=source, shift=4, channel=channel)


def row(source):
    return ir.Residual(source=source, shift=4)


def affine(x, y, features):
    ones = np.ones(features, dtype=np.int64)
    return ir.Affine(x=x, y=y, multiplier=ones, offset=ones, offset_shift=0, shift=0)


def find(model, y):
    return next(op for op in model.operations if op.y == y)


CASES = {
    "two windows": (
        lambda m: added(m, replace(find(m, "delta"), y="other"), "delta", rows=4, features=4),
        r"operations must subtract the last step once at most, not in 2 ways",
    ),
    "what is subtracted from": (from_embedding, r"x of delta must be the input, not embedding"),
    "no window": (
        lambda m: changed(m, "embedding", x="position"),
        r"operations must have a linear layer that reads delta",
    ),
    "raw and subtracted": (
        lambda m: changed(m, L0 + "q", x="input"),
        r"x of layers\.0\.q must be the window or an activation, not input, which is the raw input",
    ),
    "last of another": (
        lambda m: changed(m, "output", residual=last(1, "embedding")),
        r"residual of output with a channel must be the input, not embedding",
    ),
    "raw rows added": (
        lambda m: changed(m, L0 + "add1", residual=row("input")),
        r"residual of layers\.0\.add1 must be a table or an activation, not input, which is",
    ),
    "keys added": (
        lambda m: changed(m, L0 + "add1", residual=row(L0 + "k")),
        r"residual of .*add1 must be a table or an activation, not layers\.0\.k, which is keys",
    ),
    "a table multiplied": (
        lambda m: changed(m, L0 + "q", x="position"),
        r"x of layers\.0\.q must be the window or an activation, not position, which is a table",
    ),
    "keys multiplied": (
        lambda m: changed(m, L0 + "hidden", x=L0 + "k"),
        r"x of layers\.0\.hidden must be .*, not layers\.0\.k, which is keys",
    ),
    "keys as queries": (
        lambda m: changed(m, L0 + "scores", q=L0 + "k"),
        r"q of layers\.0\.scores must be an activation, not layers\.0\.k, which is keys",
    ),
    "keys as values": (
        lambda m: changed(m, L0 + "context", v=L0 + "k"),
        r"k of layers\.0\.scores must be keys, not layers\.0\.k, which is values",
    ),
    "a table as keys": (
        lambda m: changed(m, L0 + "scores", k="position"),
        r"k of layers\.0\.scores must be keys, not position, which is a table",
    ),
    "a mask forgotten": (
        lambda m: changed(m, L0 + "scores", causal=True),
        r"causal of layers\.0\.context must be as in layers\.0\.scores, True, not False",
    ),
    "other heads": (
        lambda m: with_heads(m, 4),
        r"heads of layers\.0\.context must be as in layers\.0\.scores, 2, not 4",
    ),
    "a mask that is not computed": (
        lambda m: changed(m, L1 + "context", causal=True),
        r"causal of layers\.1\.context must be as in layers\.1\.scores, False, not True",
    ),
    "logits twice": (
        lambda m: changed(m, L1 + "context", scores=L0 + "scores"),
        r"scores of layers\.1\.context must not be read twice, which layers\.0\.scores are",
    ),
    "keys from attention": (
        lambda m: changed(m, L1 + "scores", k=L0 + "context"),
        r"x of layers\.0\.add1 must be .*, not layers\.0\.context, which is keys",
    ),
    "a norm of a norm": (
        lambda m: changed(m, L0 + "norm2", x=L0 + "norm1"),
        r"x of layers\.0\.norm2 must be a linear layer's own result, not layers\.0\.norm1",
    ),
    "two norms of a row": (
        lambda m: changed(m, L0 + "norm2", x=L0 + "add1"),
        r"x of layers\.0\.norm2 must be a linear layer's own result, not layers\.0\.add1",
    ),
    "columns of the window": (
        lambda m: changed(m, "embedding", transposed=True),
        r"x of embedding must be an activation, not delta, which is the window",
    ),
    "no linear layer last": (
        lambda m: added(m, affine("output", "scaled", 4), "output"),
        r"the last operation must be a linear layer, not Affine",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_units_cannot_run(model, name):
    change, message = CASES[name]
    with pytest.raises(UserError, match=f"^{message}"):
        lower(change(model))


def test_the_model_itself_can_be_lowered(model):
    lower(model)
