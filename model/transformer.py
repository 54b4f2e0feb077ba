"""The Transformer in torch: float for pre-training, quantized for training with rounding.

It keeps the tensors that the integer model has, under the same names. Quantized and in ``eval()``
it computes in float64, where all of them are exact, and equals the integer reference bit for bit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitformer.model.activations import Activation, Activations, Keeper, Unit
from bitformer.model.config import TransformerConfig
from bitformer.model.exact import attention_weights, stepped
from bitformer.model.fake_quant import (
    dyadic_number,
    quantize_to,
    round_scaled,
    straight_through,
)
from bitformer.model.initialize import sinusoidal
from bitformer.model.layers import DistanceBias, QatBatchNorm, QatLayerNorm, QatLinear
from bitformer.model.nonlinearity import Nonlinearity
from bitformer.model.numerics import SCORE_FRACTION_BITS
from bitformer.model.operations.decide import decided
from bitformer.model.quantize import bias_limit, distance_bias
from bitformer.model.structure import Layer, clocks, distances, graph, linear_shapes, norms
from bitformer.model.window_scaling import scale_of

__all__ = ["Transformer", "activated"]

#: Tensors that a forward pass has stored, by name.
Kept = dict[str, Activation]

#: A logit that is not computed, in octaves: clamped it is the smallest, in floats it weighs 0.
_MASKED = -(2.0**12)


class Transformer(nn.Module):
    """The Transformer of ``config``; ``dropout`` acts in training, where a layer has it.

    Starts in float mode; :func:`bitformer.model.calibrate.calibrate` makes it quantized.
    ``linears`` and ``norms`` have its parts by the names of :mod:`bitformer.model.structure`, which
    are those of the state dict.
    """

    def __init__(self, config: TransformerConfig, dropout: float = 0.0):
        super().__init__()
        self.config, self.dropout = config, dropout
        #: By how many steps a classifier's largest score must lead, or it answers «rejected».
        self.margin = 0
        #: Where each of several models in one has its random numbers from.
        self.generators: Sequence[torch.Generator] = ()
        self.activations = Activations(config)
        self.linears: dict[str, QatLinear] = {}
        self.norms: dict[str, QatBatchNorm | QatLayerNorm] = {}
        self._layers = graph(config)
        per_tensor = config.weight_scales == "tensor"
        times = {name: rows for name, (_, rows) in clocks(config).items()}
        for name, (outputs, inputs) in linear_shapes(config).items():
            self.linears[name] = QatLinear(
                inputs,
                outputs,
                config.weight_bits(name),
                per_tensor=per_tensor,
                times=times.get(name, 0),
                scheme=config.weight_scheme(name),
            )
        if config.linear_path:
            self.linears["path"].clear()
        for linear in self._offset_linears():
            linear.make_centered()
        kind = QatBatchNorm if config.norm == "batch" else QatLayerNorm
        for name in norms(config):
            self.norms[name] = kind(config.d_model, config.norm_eps)
        self.distances = {name: DistanceBias(*of) for name, of in distances(config).items()}
        for name, part in (*self.linears.items(), *self.norms.items(), *self.distances.items()):
            self._place(name, part)
        if config.position != "relative":
            self._place_positions("", config.tokens)
        if config.decoder_layers:
            self._place_positions("decoder", config.decoder_tokens)

    def _offset_linears(self) -> list[QatLinear]:
        """Return the layers that read an ADC's words as they are, which lie anywhere."""
        if not self.config.adc_words:
            return []
        return [
            self.linears[layer.weights]
            for layer in self._layers
            if layer.kind == "linear" and layer.x == ("input",)
        ]

    def center(self, x: Tensor, y: Tensor) -> None:
        """Begin where an ADC's words lie: windows [N, window, inputs] and targets [N, outputs]."""
        for linear in self._offset_linears():
            # few bits: its products with rounded weights are exact in float64
            means = (x.mean(dim=(0, 1)) * 256).round() / 256
            linear.center = means.repeat(linear.weight.shape[1] // len(means))
        if self.config.adc_words and not self.config.subtract_last:
            with torch.no_grad():
                biases = self.linears["output"].bias.chunk(self.config.targets)
                for bias, values in zip(biases, y.chunk(self.config.targets, dim=1), strict=True):
                    bias.add_(values.mean())

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
        """Return the table ``position`` or ``decoder.position``, [rows, d_model]."""
        learned = self.config.position == "learned"
        return self.get_parameter(name) if learned else self.get_buffer(name)

    def forward(
        self, x: Tensor, trace: dict[str, Tensor] | None = None, *, clock: Tensor | None = None
    ) -> Tensor:
        """Return forecasts [batch, outputs] of standardised windows [batch, window, inputs].

        Those of a target after those of another. A classifier returns the scores of its classes. A
        stream's windows may be of any number of patches, from empty rings on.
        ``trace``, if given, receives every tensor by name: [batch, rows, features], int64 where it
        is rounded. ``clock``, of a model with a calendar alone, is the time of each window, int64
        [batch, numbers].
        """
        if self.config.calendar and clock is None:
            raise ValueError("clock must be given to a model with a calendar, not None")
        if self.quantized and not self.training:
            x = x.to(torch.float64)
        windows, x = x, self._scaled(x)
        keep = Keeper(self.activations, trace)
        kept = {"input": keep("input", x)}
        if clock is not None:
            kept["clock"] = Activation(value=clock)
        for layer in self._layers:
            kept[layer.y] = keep(layer.y, getattr(self, f"_{layer.kind}")(layer, kept, keep))
        if trace is not None and self.config.task == "classify":
            trace["answer"] = self._decided(kept["output"])
        y = kept["output"].value.reshape(*x.shape[:-2], self.config.outputs)
        if not self.config.window_scaling or self.config.task == "classify":
            return y
        mean, scale = self._window_scale(windows)
        return y * scale[..., 0] + mean[..., 0]

    def _scaled(self, x: Tensor) -> Tensor:
        """Return windows as the network sees them: those that are scaled one by one, too."""
        if not self.config.window_scaling:
            return x
        mean, scale = self._window_scale(x)
        return (x - mean) / scale

    def _window_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        floor = self.config.window_scaling
        if not self.quantized or self.training:
            return scale_of(x, floor)
        # in the order of numpy's sums, of which the integers are made
        mean, scale = scale_of(x.cpu().numpy(), floor)
        return torch.from_numpy(mean).to(x.device), torch.from_numpy(scale).to(x.device)

    def _decided(self, scores: Activation) -> Tensor:
        """Return the classes [batch, 1, 1] of scores, int64; those in floats reject nothing."""
        exact = scores.unit is not None
        found = (scores.integers() if exact else scores.value.detach()).cpu().numpy()
        answer = decided(found, self.margin if exact else 0)
        return torch.from_numpy(answer[..., None]).to(scores.value.device)

    # The kinds of layers. Each returns real values [batch, *layer.shape], not rounded yet. Of
    # several models in one, these are the first axis of all values.

    def _subtract_last(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Subtract the window's last step from each of its steps."""
        x = kept["input"].value  # [batch, window, inputs]
        return x - x[..., -1:, :]

    def _subtract_preceding(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Subtract from each patch the step before it; of the first one, its own last step."""
        patches = kept["input"].value.unflatten(-2, (-1, self.config.patch))
        before = torch.cat([patches[..., :1, -1, :], patches[..., :-1, -1, :]], dim=-2)
        return (patches - before.unsqueeze(-2)).flatten(-3, -2)

    def _position(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Repeat the position table for each window."""
        x = kept["input"].value
        table = self.position_table(layer.y).to(x.dtype)
        return table.unsqueeze(-3).expand(*x.shape[:-2], -1, -1)

    def _linear(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Multiply rows by weights; then a nonlinearity, or dropout and a residual."""
        x = kept[layer.x[0]]
        # [batch, rows of x, features of x] -> [batch, rows of y, inputs]
        values = x.value.transpose(-2, -1) if layer.transposed else x.value
        if layer.newest:
            flat = _newest(values, layer.newest).flatten(-2)
        else:
            flat = values.flatten(-2)[..., layer.start :]
        if layer.step:
            rows = flat.unfold(-1, layer.inputs, layer.step)
        else:
            rows = flat.unflatten(-1, (-1, layer.inputs))
        if layer.dropout == "inputs":
            rows = self._dropped(rows)
        time = None if layer.clock is None else kept["clock"].value[..., layer.clock]
        y = self.linears[layer.weights](replace(x, value=rows), time)  # [batch, rows of y, outputs]
        if layer.nonlinearity:
            bits = self.activations.specs[layer.y].bits
            y = activated(layer.nonlinearity, y, keep.unit(layer.y), bits)
        if layer.dropout == "results":
            y = self._dropped(y)
        if layer.parts > 1:
            # [batch, rows, parts * features] -> [batch, parts * rows, features]
            y = y.unflatten(-1, (layer.parts, -1)).transpose(-3, -2).flatten(-3, -2)
        if layer.residual is None:
            return y
        residual = kept[layer.residual].value
        if layer.residual == "input":
            last = residual[..., -1, list(self.config.added_channels)]  # [batch, parts]
            each = layer.shape[0] // layer.parts
            residual = last.repeat_interleave(each, dim=-1)[..., None]  # [batch, rows of y, 1]
        return residual + y

    def _dropped(self, values: Tensor) -> Tensor:
        if not (self.training and self.dropout > 0):
            return values
        if not self.generators:
            return functional.dropout(values, self.dropout)
        kept, share = torch.empty_like(values), 1 - self.dropout
        for one, generator in zip(kept, self.generators, strict=True):
            one.bernoulli_(share, generator=generator)
        return values * kept.div_(share)

    def _copy(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Return the rows as they are, for another scale."""
        return kept[layer.x[0]].value

    def _scores(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Multiply queries by keys, in octaves; heads are feature slices."""
        q, k = kept[layer.x[0]], kept[layer.x[1]]
        qh, kh = self._by_head(q.value), self._by_head(k.value)
        logits = torch.einsum("bihd,bjhd->bihj", qh, kh)  # [batch, rows, heads, keys]
        # -> [batch, rows * heads, keys]: a row for each query and head
        logits = logits.reshape(*q.value.shape[:-2], -1, logits.shape[-1])
        if layer.reach:
            logits = logits + self._bias(layer, q, k)
        logits = logits * self.octaves(q, k)
        if not layer.causal:
            return logits
        return logits.masked_fill(~self.visible(logits, layer.reach), _MASKED)

    def _bias(self, layer: Layer, q: Activation, k: Activation) -> Tensor:
        """Return what each logit's distance adds to the dot product, [rows * heads, keys]."""
        bias = distance_bias(self.distances[layer.y].distance.to(q.value.dtype), self.config)
        if q.unit is not None and k.unit is not None:
            limit = bias_limit(k.bits, q.bits)
            units = q.unit.scale * k.unit.scale, q.unit.inverse * k.unit.inverse
            bias = quantize_to(bias, *units, -limit, limit)
        rows = q.value.shape[-2]
        place = torch.arange(rows, device=bias.device)
        distance = (place[:, None] - place).clamp(0, layer.reach - 1)
        # [heads, rows, keys] -> [rows, heads, keys]
        return bias[:, distance].transpose(0, 1).flatten(0, 1)

    def _attend(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Multiply the softmax of scores by values."""
        scores, v = kept[layer.x[0]], kept[layer.x[1]]
        used = self.visible(scores.value, layer.reach) if layer.causal else None
        smooth = scores.value * math.log(2.0)
        if used is not None:
            smooth = smooth.masked_fill(~used, -math.inf)
        weights = smooth.softmax(dim=-1)
        if scores.unit is not None:
            weights = straight_through(weights, attention_weights(scores.steps(), used))
        # [batch, rows * heads, keys] -> [batch, rows, heads, keys]
        by_head = weights.flatten(0, -3).unflatten(1, (-1, self.config.heads))
        context = torch.einsum("bihj,bjhd->bihd", by_head, self._by_head(v.value))
        # [batch, rows, heads, features] -> [batch, rows, heads * features]
        return context.reshape(*weights.shape[:-2], -1, layer.shape[1])

    def _by_head(self, rows: Tensor) -> Tensor:
        """Return [batch, rows, heads * features] as [batch, rows, heads, features]."""
        return rows.flatten(0, -3).unflatten(-1, (self.config.heads, -1))

    def _norm(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Normalise rows or features."""
        return self.norms[layer.y](kept[layer.x[0]], keep.unit(layer.y))

    def _pool(self, layer: Layer, kept: Kept, keep: Keeper) -> Tensor:
        """Take the mean over rows, [batch, 1, features]."""
        x, y = kept[layer.x[0]], keep.unit(layer.y)
        if layer.newest:
            x = replace(x, value=_newest(x.value, layer.newest))
        if x.unit is None or y is None:
            return x.value.mean(dim=-2, keepdim=True)

        def factor(x: int, y: int) -> float:
            unit = 2.0 ** (x - y)
            return dyadic_number(unit / self.config.tokens) / unit

        return x.value.sum(dim=-2, keepdim=True) * _of_each(factor, x.unit, y)

    def visible(self, logits: Tensor, reach: int = 0) -> Tensor:
        """Return which keys causal rows see, bool [rows * heads, keys]: none after themselves.

        With a ``reach``, so many of the newest ones.
        """
        keys = logits.shape[-1]
        mask = torch.ones(keys, keys, dtype=torch.bool, device=logits.device).tril()
        if reach:
            mask = mask.triu(1 - reach)
        return mask.repeat_interleave(self.config.heads, dim=0)

    def octaves(self, q: Activation, k: Activation) -> float | Tensor:
        """Return the factor of a dot product: 1 / sqrt(d_head), and log2(e) for base 2."""
        factor = np.log2(np.e) / np.sqrt(self.config.d_model / self.config.heads)
        if q.unit is None or k.unit is None:
            return float(factor)

        def stored(q: int, k: int) -> float:
            unit = 2.0 ** (q + k + SCORE_FRACTION_BITS)
            return dyadic_number(factor * unit) / unit

        return _of_each(stored, q.unit, k.unit)


def _newest(values: Tensor, rows: int) -> Tensor:
    """Return the last rows of [..., rows, features], which lie in a ring; 0 for those not there."""
    missing = max(0, rows - values.shape[-2])
    return functional.pad(values, (0, 0, missing, 0))[..., -rows:, :]


def _of_each(factor: Callable[[int, int], float], a: Unit, b: Unit) -> float | Tensor:
    """Return a factor by the exponents of two tensors; of several models, that of each.

    These are float32 [models, 1, 1, 1], against values.
    """
    found = list(map(factor, a.exponents, b.exponents))
    return torch.tensor(found)[:, None, None, None] if a.several else found[0]


def activated(function: Nonlinearity, y: Tensor, unit: Unit | None, bits: int) -> Tensor:
    """Apply a nonlinearity; one that is a table takes whole steps of its results."""
    smooth = function.torch(y)
    if unit is None or function.steps is None:
        return smooth
    steps = round_scaled(y.detach(), unit.inverse)
    return straight_through(smooth, stepped(function.steps, steps, bits) * unit.scale)
