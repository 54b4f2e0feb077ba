"""The Transformer in torch: float for pre-training, quantized for training with rounding.

It keeps the tensors that the integer model has, under the same names. Quantized and in ``eval()``
it computes in float64, where all of them are exact, and equals the integer reference bit for bit.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitformer.model.activations import Activation, Activations, Keeper
from bitformer.model.config import TransformerConfig
from bitformer.model.exact import attention_weights
from bitformer.model.fake_quant import dyadic_number, straight_through
from bitformer.model.initialize import sinusoidal
from bitformer.model.layers import QatBatchNorm, QatLayerNorm, QatLinear
from bitformer.model.numerics import SCORE_FRACTION_BITS
from bitformer.model.structure import (
    Sublayer,
    decoder_sublayers,
    encoder_sublayers,
    linear_shapes,
    norms,
)

__all__ = ["Transformer"]

#: A logit that is not computed, in octaves: clamped it is the smallest, in floats it weighs 0.
_MASKED = -(2.0**12)


class Transformer(nn.Module):
    """The Transformer of ``config``; ``dropout`` acts before each residual in training.

    Starts in float mode; :func:`bitformer.model.calibrate.calibrate` makes it quantized.
    ``linears`` and ``norms`` have its parts by the names of :mod:`bitformer.model.structure`, which
    are those of the state dict.
    """

    def __init__(self, config: TransformerConfig, dropout: float = 0.0):
        super().__init__()
        self.config, self.dropout = config, dropout
        self.activations = Activations(config)
        self.linears: dict[str, QatLinear] = {}
        self.norms: dict[str, QatBatchNorm | QatLayerNorm] = {}
        self._encoder, self._decoder = encoder_sublayers(config), decoder_sublayers(config)
        per_tensor = config.weight_scales == "tensor"
        for name, (outputs, inputs) in linear_shapes(config).items():
            bits = config.weight_bits(name)
            self.linears[name] = QatLinear(inputs, outputs, bits, per_tensor=per_tensor)
        kind = QatBatchNorm if config.norm == "batch" else QatLayerNorm
        for name in norms(config):
            self.norms[name] = kind(config.d_model)
        for name, part in (*self.linears.items(), *self.norms.items()):
            self._place(name, part)
        self._place_positions("", config.tokens)
        if config.decoder_layers:
            self._place_positions("decoder", config.decoder_tokens)

    def _place(self, name: str, part: nn.Module) -> None:
        """Make ``part`` a submodule under its dotted name."""
        parent: nn.Module = self
        *path, leaf = name.split(".")
        for step in path:
            if step not in dict(parent.named_children()):
                parent.add_module(step, nn.Module())
            parent = parent.get_submodule(step)
        parent.add_module(leaf, part)

    def _place_positions(self, parent: str, rows: int) -> None:
        features, owner = self.config.d_model, self.get_submodule(parent)
        if self.config.position == "learned":
            table = nn.Parameter(0.1 * torch.randn(rows, features))
            owner.register_parameter("position", table)
        else:
            fixed = torch.from_numpy(sinusoidal(rows, features))
            owner.register_buffer("position", fixed.to(torch.float32))

    @property
    def quantized(self) -> bool:
        """Whether what is stored is rounded to what the accelerator stores."""
        return self.activations.quantized

    @quantized.setter
    def quantized(self, value: bool) -> None:
        self.activations.quantized = value
        for part in (*self.linears.values(), *self.norms.values()):
            part.quantized = value

    def position_table(self, name: str) -> Tensor:
        """The position table ``position`` or ``decoder.position``, [rows, d_model]."""
        learned = self.config.position == "learned"
        return self.get_parameter(name) if learned else self.get_buffer(name)

    def forward(self, x: Tensor, trace: dict[str, Tensor] | None = None) -> Tensor:
        """Standardised windows [batch, window, inputs] to forecasts [batch, horizon].

        ``trace``, if given, receives every tensor by name: [batch, rows, features], int64 where it
        is rounded.
        """
        config, keep = self.config, self.activations.keeper(trace)
        if self.quantized and not self.training:
            x = x.to(torch.float64)
        sample = keep("input", x)
        last = sample.value[:, -1:, config.target_channel, None]
        steps = sample
        if config.subtract_last:
            steps = keep("delta", sample.value - sample.value[:, -1:])
        h = encoded = self.embed("", steps, keep)
        for sublayer in self._encoder:
            h = encoded = self.sublayer(sublayer, h, h, keep)
        if config.decoder_layers:
            known = steps.with_value(steps.value[:, -config.horizon :])
            h = self.embed("decoder.", known, keep)
            for sublayer in self._decoder:
                h = self.sublayer(sublayer, h, encoded, keep)
        if config.pooling == "mean":
            h = keep("pooled", self.mean(h, keep.exponent("pooled")))
        rows = h.value.reshape(len(x), config.decoder_tokens, config.head_inputs)
        y = self.linears["output"](h.with_value(rows))
        if config.subtract_last:
            y = y + last
        return keep("output", y).value.reshape(len(x), config.horizon)

    def embed(self, prefix: str, steps: Activation, keep: Keeper) -> Activation:
        """Steps in patches, each a row, with positions."""
        value = steps.value
        rows = steps.with_value(value.reshape(len(value), -1, self.config.token_inputs))
        table = self.position_table(prefix + "position").to(value.dtype).expand(len(value), -1, -1)
        position = keep(prefix + "position", table)
        y = self.linears[prefix + "input"](rows)
        return keep(prefix + "embedding", y + position.value)

    def sublayer(
        self, sublayer: Sublayer, x: Activation, encoded: Activation, keep: Keeper
    ) -> Activation:
        """Attention or a feed-forward network, with a residual and a norm after it."""
        linears, p = self.linears, sublayer.prefix
        if sublayer.attention:
            y = linears[p + "o"](
                self.attention(sublayer, x, encoded if sublayer.cross else x, keep)
            )
        else:
            y = linears[p + "ffn2"](keep(p + "hidden", linears[p + "ffn1"](x).relu()))
        if self.training and self.dropout:
            y = functional.dropout(y, self.dropout)
        x = keep(sublayer.add, x.value + y)
        return keep(sublayer.norm, self.norms[sublayer.norm](x, keep.exponent(sublayer.norm)))

    def attention(self, sublayer: Sublayer, x: Activation, source: Activation, keep: Keeper):
        """Heads are feature slices; ``scores`` has a row for each (query, head)."""
        p, heads, batch = sublayer.prefix, self.config.heads, len(x.value)
        k = keep(p + "k", self.linears[p + "k"](source))
        v = keep(p + "v", self.linears[p + "v"](source))
        q = keep(p + "q", self.linears[p + "q"](x))
        qh, kh, vh = (t.value.view(batch, t.value.shape[1], heads, -1) for t in (q, k, v))
        logits = torch.einsum("bihd,bjhd->bihj", qh, kh)
        logits = logits.reshape(batch, sublayer.rows * heads, sublayer.keys) * self.octaves(q, k)
        used = self.visible(sublayer, logits.device) if sublayer.causal else None
        if used is not None:
            logits = logits.masked_fill(~used, _MASKED)
        scores = keep(p + "scores", logits)
        smooth = scores.value * math.log(2.0)
        if used is not None:
            smooth = smooth.masked_fill(~used, -math.inf)
        weights = smooth.softmax(dim=-1)
        if scores.exponent is not None:
            weights = straight_through(weights, attention_weights(scores.steps(), used))
        weights = weights.view(batch, sublayer.rows, heads, sublayer.keys)
        context = torch.einsum("bihj,bjhd->bihd", weights, vh)
        return keep(p + "context", context.reshape(batch, sublayer.rows, -1))

    def visible(self, sublayer: Sublayer, device: torch.device) -> Tensor:
        """Which keys a causal row sees: itself and those before it, bool [rows * heads, keys]."""
        mask = torch.ones(sublayer.rows, sublayer.keys, dtype=torch.bool, device=device).tril()
        return mask.repeat_interleave(self.config.heads, dim=0)

    def octaves(self, q: Activation, k: Activation) -> float:
        """What a dot product is multiplied by: 1 / sqrt(d_head), and log2(e) for base 2."""
        factor = np.log2(np.e) / np.sqrt(self.config.d_model / self.config.heads)
        if q.exponent is None or k.exponent is None:
            return float(factor)
        unit = 2.0 ** (q.exponent + k.exponent + SCORE_FRACTION_BITS)
        return dyadic_number(factor * unit) / unit

    def mean(self, x: Activation, y_exponent: int | None) -> Tensor:
        """Mean over rows, [batch, 1, features]."""
        if x.exponent is None or y_exponent is None:
            return x.value.mean(dim=1, keepdim=True)
        unit = 2.0 ** (x.exponent - y_exponent)
        return x.value.sum(dim=1, keepdim=True) * (dyadic_number(unit / self.config.tokens) / unit)
