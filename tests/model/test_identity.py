"""What identifies a model: bitstreams that were built carry its hash, which must not change."""

from dataclasses import replace

import numpy as np

from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.identity import HASH_BYTES, model_hash

TENSORS = {
    name: ir.Tensor(name=name, rows=rows, features=1, bits=8, exponent=-4)
    for name, rows in (("input", 2), ("output", 1))
}
MODEL = ir.IntegerModel(
    config=TransformerConfig(name="m", window=2, d_model=1, ffn=1),
    tensors=TENSORS,
    operations=(
        ir.Linear(
            x="input",
            y="output",
            weight=np.array([[3, -2]]),
            weight_bits=4,
            bias=np.array([5]),
            multiplier=np.array([1]),
            shift=2,
            residual=ir.Residual(source="input", shift=1, channel=0),
        ),
    ),
)


def test_the_hash_of_a_model_stays():
    assert model_hash(MODEL).hex() == "d73231d95574c8db"
    assert len(model_hash(MODEL)) == HASH_BYTES


def test_the_hash_is_of_the_computation_alone():
    told = replace(MODEL, meta={"mine": 1}, config=MODEL.config.replace(name="other"))
    assert model_hash(told) == model_hash(MODEL)
    op = replace(MODEL.operations[0], bias=np.array([6]))
    assert model_hash(replace(MODEL, operations=(op,))) != model_hash(MODEL)
