"""How much smaller a quantized model is than its float32 form, counted twice.

*Honestly*: every bit the integer model stores (weights, biases, the scales' multipliers and shifts,
norms, position tables and the tables of softmax, LayerNorm and GELU) against every float32
parameter and table entry of the float model.

*As published* (arXiv 2408.16495): the weights and biases of the linear layers alone, each at the
nominal width of its layer's weights, against float32. Scales, norms and tables are not counted.
"""

import math
from dataclasses import dataclass

from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.gelu import corrections
from bitformer.model.structure import distances, linear_shapes, norms

__all__ = ["Compression", "published_ratio", "stored_size"]

_FLOAT = 32


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
    """Count the bits of all parameters and position tables in float32."""
    count = sum(outputs * (inputs + 1) for outputs, inputs in linear_shapes(config).values())
    count += 2 * config.d_model * len(norms(config))
    if config.position != "relative":
        rows = config.tokens + bool(config.decoder_layers) * config.decoder_tokens
        count += config.d_model * rows
    count += sum(math.prod(sizes) for sizes in distances(config).values())
    return _FLOAT * count


def stored_size(model: ir.IntegerModel) -> Compression:
    """Count every bit that ``model`` stores against its float32 form."""
    bits = dict.fromkeys(("weights", "biases", "scales", "norms", "tables"), 0)
    for op in model.operations:
        for kind, count in op.stored_bits().items():
            bits[kind] += count
    tables = {table for op in model.operations for table in op.tables}
    tables |= {corrections(model.tensors[op.y].bits) for op in model.linears if op.gelu}
    bits["tables"] = sum(len(table) * max(table).bit_length() for table in tables)
    for name, constant in model.constants.items():
        bits["tables"] += constant.size * model.tensors[name].bits
    return Compression(bits=bits, float_bits=_float_bits(model.config))
