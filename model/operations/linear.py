"""The linear layer: the one operation with weights of its own."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bitformer.model.gelu import GELU_BITS, corrections, gelu_steps, gelu_zero
from bitformer.model.later import later
from bitformer.model.operations.checks import (
    LARGEST_BIAS,
    LARGEST_DOT,
    LARGEST_MULTIPLIER,
    check_array,
    check_shape,
    check_shift,
    fail,
)
from bitformer.model.operations.operation import (
    SHIFT_BITS,
    Bound,
    Operation,
    Step,
    StepForm,
    Tensors,
    Values,
    packed_bits,
)
from bitformer.model.tensor import Tensor

__all__ = ["Linear", "Residual", "rows_of"]


def rows_of(values: np.ndarray, inputs: int, step: int = 0) -> np.ndarray:
    """Return [batch, values] as [batch, rows, inputs], a row every ``step`` values.

    0 stands for ``inputs``.
    """
    if not step:
        return values.reshape(len(values), -1, inputs)
    return sliding_window_view(values, inputs, axis=1)[:, ::step]


@dataclass(frozen=True, kw_only=True)
class Residual:
    """What a linear layer adds before it rounds: ``r << shift``.

    ``source`` names a tensor or a constant of the output's shape; with ``channel`` set, it is one
    value: that channel of the source's last row. A layer in parts has a channel for each.
    """

    source: str
    shift: int
    channel: int | tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(Operation):
    """``u = x @ weight.T + bias``.

    ``x`` is read row-major, from its element ``start`` on, as ``y.rows`` rows of
    ``weight.shape[1]`` values, so that patches, the flattened head and a decoder's steps are views.
    With a ``step``, rows begin so many values apart, and may overlap.
    ``weight`` [out, in], ``bias`` [out], ``multiplier`` [out]. Weights of one bit are -1 and 1.
    With ``relu`` the clamp starts at ``y``'s zero point. With ``gelu`` what is rounded are whole
    steps of :mod:`bitformer.model.gelu`, of which ``y`` is the function, with the zero point and at
    the scale of a tensor of so many bits. With ``clock`` the bias is a table [rows, out], and that
    number of the window's time selects its row. ``transposed`` : ``x`` is read feature by feature
    instead: a row of ``y`` is made of a feature in all rows of ``x``. In ``parts``, so many sets of
    ``y.features`` weights lie one after the other, and each makes rows of ``y`` of all that is
    read: those of the first set come first.
    """

    matrix: ClassVar[bool] = True

    x: str
    weight: np.ndarray
    weight_bits: int
    bias: np.ndarray
    multiplier: np.ndarray
    start: int = 0
    relu: bool = False
    gelu: bool = later(False)
    residual: Residual | None = None
    clock: int | None = later(None)
    transposed: bool = later(False)
    parts: int = later(1)
    step: int = later(0)

    @property
    def reads(self):
        return (self.x, *((self.residual.source,) if self.residual else ()))

    @property
    def absorbs(self):
        return (self.x,)  # the bias does

    def is_flat(self, tensors: Tensors) -> bool:
        """Return True if it reads no row of ``x`` and no column, but a part of all rows in line."""
        features = tensors[self.x].features
        if self.transposed:
            return False
        return self.weight.shape[1] != features or self.start % features != 0

    @property
    def parameters(self):
        if self.parts == 1:
            return self.bias, self.multiplier
        of_each = self.parts, -1
        bias = self.bias.reshape(*self.bias.shape[:-1], *of_each)
        return bias, self.multiplier.reshape(of_each)

    @property
    def adds_tensor(self):
        return None if self.residual is None or self.adds_channels else self.residual.source

    @property
    def adds_channels(self):
        if self.residual is None or self.residual.channel is None:
            return ()
        channel = self.residual.channel
        return channel if isinstance(channel, tuple) else (channel,)

    @property
    def added_shift(self):
        return None if self.residual is None else self.residual.shift

    def added_bound(self, tensors: Tensors) -> int:
        if self.residual is None:
            return 0
        return 1 << (tensors[self.residual.source].bits - 1 + self.residual.shift)

    def at_step(self, own: Tensor, y: Tensor, tokens: int) -> StepForm:
        each, inputs = y.rows // self.parts, self.weight.shape[1]
        rings = {self.x: inputs // own.features} if inputs > own.size else {}
        return StepForm(
            operation=replace(self, start=0),
            y=replace(y, rows=self.parts if each == tokens else y.rows),
            rings=rings,
            ordered=True,
        )

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].rows // self.parts * self.weight.size

    @property
    def parameter_count(self):
        return self.weight.size + self.bias.size  # the multipliers follow from scales

    def stored_bits(self):
        return {
            "weights": self.weight.size * self.weight_bits,
            "biases": packed_bits(self.bias),
            "scales": packed_bits(self.multiplier) + SHIFT_BITS * (2 if self.residual else 1),
        }

    def weight_width(self, tensors: Tensors) -> int:
        return self.weight_bits

    def bound(self, tensors: Tensors) -> Bound:
        x = tensors[self.x]
        positive = np.maximum(self.weight, 0).sum(axis=1)
        negative = np.maximum(-self.weight, 0).sum(axis=1)
        high = positive * x.high - negative * x.low
        low = positive * x.low - negative * x.high
        dot = int(max(high.max(), -low.min()))
        total = int(max(np.abs(high + self.bias).max(), np.abs(low + self.bias).max()))
        return Bound(dot=dot, total=max(dot, total))

    def term_bound(self, tensors: Tensors) -> int:
        return int(np.abs(self.weight).max()) * tensors[self.x].magnitude

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        x, y = tensors[self.x], tensors[self.y]
        if self.weight.ndim != 2:
            fail(where, "weight", "two-dimensional", self.weight.shape)
        if not 0 <= self.start < x.size:
            fail(where, "start", f"below {x.size}", self.start)
        if self.transposed and self.start:
            fail(where, "start", "0 where x is read transposed", self.start)
        if self.parts < 1 or y.rows % self.parts:
            fail(where, "parts", f"a divisor of {y.rows}, the rows of y", self.parts)
        rows, outputs = y.rows // self.parts, self.parts * y.features
        if self.transposed and rows != x.features:
            fail(where, "y", f"of {x.features} rows, as x has features", y.rows)
        inputs, values = self.weight.shape[1], x.size - self.start
        if self.step < 0 or (self.step and self.transposed):
            fail(where, "step", "0 or more, and 0 where x is read transposed", self.step)
        if values != inputs + (rows - 1) * (self.step or inputs):
            fail(where, "weight", f"of {self._row_of(values, rows)} inputs", inputs)
        if not 1 <= self.weight_bits <= 16:
            fail(where, "weight_bits", "1 to 16", self.weight_bits)
        limit = max(1, (1 << (self.weight_bits - 1)) - 1)
        check_array(where, "weight", self.weight, (outputs, inputs), -limit, limit)
        if self.weight_bits == 1 and not self.weight.all():
            fail(where, "weight", "-1 or 1 in one bit", 0)
        times = () if self.clock is None else self.bias.shape[:1]
        if self.clock is not None and (self.clock < 0 or self.bias.ndim != 2):
            fail(where, "bias", "a table, whose row a clock from 0 on selects", self.bias.shape)
        check_array(where, "bias", self.bias, (*times, outputs), -LARGEST_BIAS, LARGEST_BIAS)
        limits = (0, LARGEST_MULTIPLIER)
        check_array(where, "multiplier", self.multiplier, (outputs,), *limits)
        if self.residual is not None:
            self._check_residual(where, self.residual, tensors, written)
        if self.gelu:
            self._check_gelu(where, y)
        if (dot := self._largest_dot(tensors)) > LARGEST_DOT:
            fail(where, "dot product", f"at most {LARGEST_DOT}", dot)

    def _row_of(self, values: int, rows: int) -> int:
        """Return how many values a row must have, of so many that all rows together have."""
        return values - (rows - 1) * self.step if self.step else values // rows

    def _check_residual(
        self, where: str, residual: Residual, tensors: Tensors, written: set[str]
    ) -> None:
        if residual.source not in written:
            fail(where, "residual", "a tensor written before", repr(residual.source))
        source = tensors[residual.source]
        if residual.channel is None:
            check_shape(where, "residual", source.shape, tensors[self.y].shape)
        for channel in self.adds_channels:
            if not 0 <= channel < source.features:
                fail(where, "residual channel", f"below {source.features}", channel)
        if self.adds_channels and len(self.adds_channels) != self.parts:
            count = len(self.adds_channels)
            fail(where, "residual channel", f"one for each of {self.parts} part(s)", count)
        check_shift(where, "residual shift", residual.shift)

    def _largest_dot(self, tensors: Tensors) -> int:
        weights = int(np.abs(self.weight).sum(axis=1).max())
        return weights * -tensors[self.x].low + int(np.abs(self.bias).max())

    def _largest_sum(self, tensors: Tensors) -> int:
        total = self._largest_dot(tensors) * int(self.multiplier.max())
        if self.residual is not None:
            total += -tensors[self.residual.source].low << self.residual.shift
        return total

    def _check_gelu(self, where: str, y: Tensor) -> None:
        if self.relu:
            fail(where, "relu", "false with gelu", self.relu)
        least, most = GELU_BITS
        if not least <= y.bits <= most:
            fail(where, "y", f"of {least} to {most} bits with gelu", f"of {y.bits}")
        if y.zero != gelu_zero(y.bits):
            fail(where, "zero point of y", f"{gelu_zero(y.bits)} with gelu", y.zero)
        if y.narrow:
            fail(where, "narrow of y", "false with gelu", y.narrow)

    def lowest(self, tensors: Tensors) -> int:
        y = tensors[self.y]
        return max(y.low, y.zero) if self.relu else y.low

    def limits(self, tensors: Tensors) -> tuple[int, int, int]:
        if not self.gelu:
            return super().limits(tensors)
        y = tensors[self.y]
        return 0, -len(corrections(y.bits)), y.high - y.zero

    def function(self, tensors: Tensors, clamped: np.ndarray) -> np.ndarray:
        y = tensors[self.y]
        return gelu_steps(clamped, y.bits) + y.zero if self.gelu else clamped

    def compute(self, values: Values, tensors: Tensors) -> Step:
        x = values[self.x].swapaxes(1, 2) if self.transposed else values[self.x]
        # float64 holds every integer below 2**53, and BLAS beats an int64 matmul many times
        flat = x.reshape(len(x), -1)[:, self.start :].astype(np.float64)
        rows = rows_of(flat, self.weight.shape[1], self.step)
        u = (rows @ self.weight.T.astype(np.float64)).astype(np.int64)
        u += self.bias if self.clock is None else self.bias[values["clock"][:, self.clock], None]
        u, multiplier = self._by_part(u), self.multiplier
        if self.parts > 1:
            multiplier = self._by_part(
                np.broadcast_to(multiplier, (1, rows.shape[1], len(multiplier)))
            )
        if self.residual is None:
            return u, multiplier, 0
        residual = values[self.residual.source]
        if self.adds_channels:
            last = residual[:, -1, list(self.adds_channels)]  # [batch, parts]
            residual = np.repeat(last, rows.shape[1], axis=1)[..., None]
        return u, multiplier, residual << self.residual.shift

    def _by_part(self, results: np.ndarray) -> np.ndarray:
        """Return results [batch, rows, parts * features] as [batch, parts * rows, features]."""
        batch, rows, _ = results.shape
        parted = results.reshape(batch, rows, self.parts, -1).swapaxes(1, 2)
        return parted.reshape(batch, self.parts * rows, -1)
