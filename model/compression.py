"""How much smaller a quantized model is than its float32 form, counted twice.

*Honestly*: every bit the integer model stores (weights, biases, the scales' multipliers and shifts,
norms, position tables and the tables of softmax and LayerNorm) against every float32 parameter and
table entry of the float model.

*As published* (arXiv 2408.16495): the weights and biases of the linear layers alone, each at the
nominal width of its layer's weights, against float32. Scales, norms and tables are not counted.
"""

from dataclasses import dataclass

import numpy as np

from bitformer.model import ir, numerics
from bitformer.model.config import TransformerConfig
from bitformer.model.structure import linear_shapes, norms

__all__ = ["Compression", "published_ratio", "stored_bits", "stored_size"]

_FLOAT = 32
#: Bits of a requantizing shift.
_SHIFT_BITS = 6


@dataclass(frozen=True, kw_only=True)
class Compression:
    """Bits of a stored model, by what they hold, against ``float_bits``."""

    bits: dict[str, int]
    float_bits: int

    @property
    def total(self) -> int:
        return sum(self.bits.values())

    @property
    def ratio(self) -> float:
        """How many times smaller than float32."""
        return self.float_bits / self.total


def published_ratio(config: TransformerConfig) -> float:
    """Compression as published: linear layers only, at nominal widths. 32 bits stay float32."""
    full = stored = 0
    for name, (outputs, inputs) in linear_shapes(config).items():
        count = outputs * (inputs + 1)
        full += _FLOAT * count
        stored += config.weight_bits(name) * count
    return full / stored


def _float_bits(config: TransformerConfig) -> int:
    """Bits of all parameters and position tables in float32."""
    count = sum(outputs * (inputs + 1) for outputs, inputs in linear_shapes(config).values())
    count += 2 * config.d_model * len(norms(config))
    count += config.d_model * (config.tokens + bool(config.decoder_layers) * config.decoder_tokens)
    return _FLOAT * count


def _width(values) -> int:
    """Bits of the widest of some signed integers."""
    values = np.asarray(values)
    return int(np.maximum(values, ~values).max()).bit_length() + 1


def _packed(values) -> int:
    """Bits of an array whose entries are as wide as the widest."""
    return np.size(values) * _width(values)


def stored_bits(op: ir.Operation) -> dict[str, int]:
    """Bits that one operation stores, by kind: weights, biases, scales, norms."""
    if isinstance(op, ir.SubtractLast):
        return {"scales": _SHIFT_BITS}
    if isinstance(op, ir.Linear):
        residual = _SHIFT_BITS if op.residual else 0
        return {
            "weights": op.weight.size * op.weight_bits,
            "biases": _packed(op.bias),
            "scales": _packed(op.multiplier) + _SHIFT_BITS + residual,
        }
    if isinstance(op, ir.Attend):
        return {"scales": _SHIFT_BITS}
    if isinstance(op, (ir.Scores, ir.Pool)):
        return {"scales": _width(op.multiplier) + _SHIFT_BITS}
    if isinstance(op, ir.Affine):
        return {"norms": _packed(op.multiplier) + _packed(op.offset), "scales": 2 * _SHIFT_BITS}
    if isinstance(op, ir.LayerNorm):
        return {"norms": _packed(op.gamma) + _packed(op.beta), "scales": 2 * _SHIFT_BITS}
    raise TypeError(f"an operation must be one of the IR's, not {type(op).__name__}")


def stored_size(model: ir.IntegerModel) -> Compression:
    """Every bit that ``model`` stores against its float32 form."""
    bits = dict.fromkeys(("weights", "biases", "scales", "norms", "tables"), 0)
    for op in model.operations:
        for kind, count in stored_bits(op).items():
            bits[kind] += count
    tables = []
    if any(isinstance(op, ir.Attend) for op in model.operations):
        tables += [numerics.EXP_TABLE, numerics.RECIPROCAL_TABLE]
    if any(isinstance(op, ir.LayerNorm) for op in model.operations):
        tables.append(numerics.RSQRT_TABLE)
    bits["tables"] = sum(len(table) * max(table).bit_length() for table in tables)
    for name, constant in model.constants.items():
        bits["tables"] += constant.size * model.tensors[name].bits
    return Compression(bits=bits, float_bits=_float_bits(model.config))
