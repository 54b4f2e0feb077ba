"""The Transformer in torch: float for pre-training, quantized for training with rounding.

It keeps the tensors that the integer model has, under the same names. Quantized and in ``eval()``
it computes in float64, where all of them are exact, and equals the integer reference bit for bit.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from .activations import Activation, Activations, Keeper
from .config import TransformerConfig
from .exact import attention_weights
from .fake_quant import dyadic_number, straight_through
from .initialize import sinusoidal
from .layers import BatchNorm, LayerNorm, Linear
from .numerics import SCORE_FRACTION_BITS
from .structure import weight_components

__all__ = ["Transformer"]


class EncoderLayer(nn.Module):
    """Multi-head attention and a feed-forward network, each with a residual and a norm after it."""

    def __init__(self, config: TransformerConfig, number: int, dropout: float):
        super().__init__()
        self.config, self.prefix = config, f"layers.{number}."
        d, norm = config.d_model, BatchNorm if config.norm == "batch" else LayerNorm

        def linear(name: str, inputs: int, outputs: int) -> Linear:
            bits = config.weight_bits(self.prefix + name)
            return Linear(inputs, outputs, bits)

        self.q, self.k, self.v, self.o = (linear(name, d, d) for name in "qkvo")
        self.norm1 = norm(d)
        self.ffn1 = linear("ffn1", d, config.ffn)
        self.ffn2 = linear("ffn2", config.ffn, d)
        self.norm2 = norm(d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Activation, keep: Keeper) -> Activation:
        p = self.prefix
        context = self.attention(x, keep)
        x = keep(p + "add1", x.value + self.dropout(self.o(context)))
        x = keep(p + "norm1", self.norm1(x, keep.exponent(p + "norm1")))
        hidden = keep(p + "hidden", self.ffn1(x).relu())
        x = keep(p + "add2", x.value + self.dropout(self.ffn2(hidden)))
        return keep(p + "norm2", self.norm2(x, keep.exponent(p + "norm2")))

    def attention(self, x: Activation, keep: Keeper) -> Activation:
        """Heads are feature slices; ``scores`` has a row for each (query, head)."""
        p, heads = self.prefix, self.config.heads
        batch, rows, features = x.value.shape
        q = keep(p + "q", self.q(x))
        k = keep(p + "k", self.k(x))
        v = keep(p + "v", self.v(x))
        qh, kh, vh = (t.value.view(batch, rows, heads, -1) for t in (q, k, v))
        logits = torch.einsum("bihd,bjhd->bihj", qh, kh).reshape(batch, rows * heads, rows)
        scores = keep(p + "scores", logits * self.octaves(q, k))
        weights = (scores.value * math.log(2.0)).softmax(dim=-1)
        if scores.exponent is not None:
            weights = straight_through(weights, attention_weights(scores.integers()))
        weights = weights.view(batch, rows, heads, rows)
        context = torch.einsum("bihj,bjhd->bihd", weights, vh)
        return keep(p + "context", context.reshape(batch, rows, features))

    def octaves(self, q: Activation, k: Activation) -> float:
        """What a dot product is multiplied by: 1 / sqrt(d_head), and log2(e) for base 2."""
        factor = np.log2(np.e) / np.sqrt(self.config.d_model / self.config.heads)
        if q.exponent is None or k.exponent is None:
            return float(factor)
        unit = 2.0 ** (q.exponent + k.exponent + SCORE_FRACTION_BITS)
        return dyadic_number(factor * unit) / unit


class Transformer(nn.Module):
    """Encoder-only Transformer of ``config``; ``dropout`` acts before each residual in training.

    Starts in float mode; :func:`bitformer.model.calibrate.calibrate` makes it quantized.
    """

    def __init__(self, config: TransformerConfig, dropout: float = 0.0):
        super().__init__()
        self.config = config
        d = config.d_model
        self.activations = Activations(config)
        bits = {name: config.weight_bits(name) for name in weight_components(config)}
        self.input = Linear(config.token_inputs, d, bits["input"])
        table = torch.from_numpy(sinusoidal(config.tokens, d)).to(torch.float32)
        if config.position == "learned":
            self.position = nn.Parameter(0.1 * torch.randn(config.tokens, d))
        else:
            self.register_buffer("position", table)
        self.layers = nn.ModuleList(
            EncoderLayer(config, number, dropout) for number in range(config.layers)
        )
        self.output = Linear(config.head_inputs, config.horizon, bits["output"])

    @property
    def quantized(self) -> bool:
        """Whether tensors are rounded to what the accelerator stores."""
        return self.activations.quantized

    def forward(self, x: Tensor, trace: dict[str, Tensor] | None = None) -> Tensor:
        """Standardised windows [batch, window, inputs] to forecasts [batch, horizon].

        ``trace``, if given, receives every tensor by name: [batch, rows, features], int64 when
        quantized.
        """
        config, keep = self.config, self.activations.keeper(trace)
        if self.quantized and not self.training:
            x = x.to(torch.float64)
        sample = keep("input", x)
        last = sample.value[:, -1:, config.target_channel, None]
        steps = sample
        if config.subtract_last:
            steps = keep("delta", sample.value - sample.value[:, -1:])
        tokens = steps.reshape(config.tokens, config.token_inputs)
        position = keep("position", self.position.to(x.dtype).expand(len(x), -1, -1))
        h = keep("embedding", self.input(tokens) + position.value)
        for layer in self.layers:
            h = layer(h, keep)
        if config.pooling == "mean":
            h = keep("pooled", self.mean(h, keep.exponent("pooled")))
        y = self.output(h.reshape(1, config.head_inputs))
        if config.subtract_last:
            y = y + last
        return keep("output", y).value[:, 0]

    def mean(self, x: Activation, y_exponent: int | None) -> Tensor:
        """Mean over rows, [batch, 1, features]."""
        if x.exponent is None or y_exponent is None:
            return x.value.mean(dim=1, keepdim=True)
        unit = 2.0 ** (x.exponent - y_exponent)
        return x.value.sum(dim=1, keepdim=True) * (dyadic_number(unit / self.config.tokens) / unit)
