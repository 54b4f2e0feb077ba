"""The integer model: a list of operations on named integer tensors.

Real value of a stored integer: ``2**exponent * (q - zero)``. Every operation ends in the same
requantization (:func:`bitformer.model.numerics.requantize`), with int64 arrays throughout:

    y = clamp(((u * multiplier + (r << residual_shift) + 2**(shift - 1)) >> shift) + zero)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bitformer.model import numerics
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError

__all__ = [
    "Affine",
    "Attend",
    "IntegerModel",
    "LayerNorm",
    "Linear",
    "Operation",
    "Pool",
    "Residual",
    "Scores",
    "SubtractLast",
    "Tensor",
]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A stored tensor of ``rows`` x ``features`` signed integers of ``bits`` bits.

    ``narrow`` leaves out the lowest number, as for weights: keys and values play their part.
    """

    name: str
    rows: int
    features: int
    bits: int
    exponent: int
    zero: int = 0
    component: str = ""
    narrow: bool = False

    @property
    def low(self) -> int:
        return -(1 << (self.bits - 1)) + self.narrow

    @property
    def high(self) -> int:
        return (1 << (self.bits - 1)) - 1

    @property
    def shape(self) -> tuple[int, int]:
        return (self.rows, self.features)

    @property
    def size(self) -> int:
        """Numbers in it, of all rows: what travels of an input or an output."""
        return self.rows * self.features


@dataclass(frozen=True, kw_only=True)
class Residual:
    """What a linear layer adds before it rounds: ``r << shift``.

    ``source`` names a tensor or a constant of the output's shape; with ``channel`` set, it is one
    value: that channel of the source's last row.
    """

    source: str
    shift: int
    channel: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """Reads tensors, writes tensor ``y``."""

    y: str

    @property
    def reads(self) -> tuple[str, ...]:
        raise TypeError("an operation class must list its reads")


@dataclass(frozen=True, kw_only=True, eq=False)
class SubtractLast(Operation):
    """``y = clamp(round_shift(x - x[last row], shift))``."""

    x: str
    shift: int

    @property
    def reads(self):
        return (self.x,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(Operation):
    """``u = x @ weight.T + bias``.

    ``x`` is read row-major, from its element ``start`` on, as ``y.rows`` rows of
    ``weight.shape[1]`` values, so that patches, the flattened head and a decoder's steps are views.
    ``weight`` [out, in], ``bias`` [out], ``multiplier`` [out]. Weights of one bit are -1 and 1.
    With ``relu`` the clamp starts at ``y``'s zero point.
    """

    x: str
    weight: np.ndarray
    weight_bits: int
    bias: np.ndarray
    multiplier: np.ndarray
    shift: int
    start: int = 0
    relu: bool = False
    residual: Residual | None = None

    @property
    def reads(self):
        return (self.x, *((self.residual.source,) if self.residual else ()))


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores(Operation):
    """``u = q[i, head] . k[j, head]``; ``y`` has a row for each (i, head), a feature for each j.

    ``causal`` : only j <= i is computed; the rest of ``y`` is its lowest number, never stored.
    """

    q: str
    k: str
    heads: int
    multiplier: int
    shift: int
    causal: bool = False

    @property
    def reads(self):
        return (self.q, self.k)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attend(Operation):
    """``u = sum_j e[i, head, j] * v[j, head]`` with the multiplier ``reciprocal(sum_j e)``.

    ``causal`` : only j <= i counts.
    """

    scores: str
    v: str
    heads: int
    shift: int
    causal: bool = False

    @property
    def reads(self):
        return (self.scores, self.v)


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(Operation):
    """BatchNorm after a residual: ``u = x``, per-channel ``multiplier`` and ``offset`` as ``r``."""

    x: str
    multiplier: np.ndarray
    offset: np.ndarray
    offset_shift: int
    shift: int

    @property
    def reads(self):
        return (self.x,)


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm(Operation):
    """``u = (N*x - sum(x)) << e``, multiplier ``gamma * r``, with ``(e, r) = rsqrt(D)``."""

    x: str
    gamma: np.ndarray
    beta: np.ndarray
    beta_shift: int
    shift: int

    @property
    def reads(self):
        return (self.x,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool(Operation):
    """``u = sum over rows``; the multiplier holds 1 / rows."""

    x: str
    multiplier: int
    shift: int

    @property
    def reads(self):
        return (self.x,)


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerModel:
    """An integer-only Transformer: data, not code.

    ``operations`` are in an order in which they can run; ``constants`` are tensors with fixed
    values (the position table). ``meta`` is free JSON (scaling of the data, training results).
    """

    config: TransformerConfig
    tensors: Mapping[str, Tensor]
    operations: tuple[Operation, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        check(self)

    @property
    def input(self) -> Tensor:
        return self.tensors["input"]

    @property
    def steps(self) -> Tensor:
        """The window as layers read it: the input, or what SubtractLast makes of it."""
        made = (op.y for op in self.operations if isinstance(op, SubtractLast))
        return self.tensors[next(made, "input")]

    @property
    def whole_window(self) -> bool:
        """Return True if results need the window's last step from the first on."""
        residuals = [op.residual for op in self.operations if isinstance(op, Linear)]
        added = any(one is not None and one.channel is not None for one in residuals)
        return added or self.steps.name != "input"

    @property
    def output(self) -> Tensor:
        return self.tensors[self.operations[-1].y]

    def quantize_input(self, x) -> np.ndarray:
        """Standardised floats [..., steps, channels] to the integers the accelerator is sent.

        What is beyond the input's range becomes its nearest end. Raises :class:`UserError`, with
        the place, for what is no finite number.
        """
        x, spec = np.asarray(x), self.input
        _check_finite(x)
        low, high = spec.low - spec.zero, spec.high - spec.zero
        return numerics.round_half_up(x, spec.exponent, low, high) + spec.zero

    def dequantize_output(self, y) -> np.ndarray:
        """Integers of the output tensor as real (standardised) values."""
        return (np.asarray(y) - self.output.zero) * 2.0**self.output.exponent


def _fail(where: str, what: str, must: str, was) -> None:
    raise UserError(f"{where}: {what} must be {must}, not {was}")


def _check_finite(x: np.ndarray) -> None:
    """``x`` [..., steps, channels] holds readings: an infinity is none, nor is NaN."""
    finite = np.isfinite(x)
    if finite.all():
        return
    first = np.argwhere(~finite)[0].tolist()
    axes = ("sample", "step", "channel")[-x.ndim :]
    place = ", ".join(f"{axis} {at}" for axis, at in zip(axes, first, strict=False))
    raise UserError(f"input must be finite numbers, not {x[tuple(first)]}: {place}")


def _check_array(where: str, name: str, array, shape: tuple[int, ...], low: int, high: int):
    kind = getattr(array, "dtype", type(array).__name__)
    if not isinstance(array, np.ndarray) or kind != np.int64:
        _fail(where, name, "an int64 array", kind)  # sums of fewer bits would wrap
    if array.shape != shape:
        _fail(where, name, f"of shape {shape}", array.shape)
    if array.size and (array.min() < low or array.max() > high):
        _fail(where, name, f"within {low}..{high}", f"{array.min()}..{array.max()}")


_BIAS = 1 << 40
_MULTIPLIER = 1 << (numerics.MULTIPLIER_BITS - 1)


_SHIFTS = range(49)
#: Sums that int64 and, for dot products, float64 hold exactly, with a bit to spare to round.
_DOT, _SUM = 1 << 52, 1 << 61


def _magnitude(array: np.ndarray) -> int:
    return max(-int(array.min()), int(array.max()))


def _check_sums(where: str, op: Operation, model: IntegerModel) -> None:
    """Nothing wraps, whatever the input: neither a dot product nor what is rounded."""
    if isinstance(op, Linear):
        x = model.tensors[op.x]
        dot = int(np.abs(op.weight).sum(axis=1).max()) * -x.low + _magnitude(op.bias)
        if dot > _DOT:
            _fail(where, "dot product", f"at most {_DOT}", dot)
        total = dot * int(op.multiplier.max())
        if op.residual is not None:
            total += -model.tensors[op.residual.source].low << op.residual.shift
    elif isinstance(op, Affine):
        total = -model.tensors[op.x].low * _magnitude(op.multiplier)
        total += _magnitude(op.offset) << op.offset_shift
    elif isinstance(op, LayerNorm):
        total = _magnitude(op.beta) << op.beta_shift  # a normalised row has a width of its own
    else:
        return
    if total > _SUM:
        _fail(where, "sum before it is rounded", f"at most {_SUM}", total)


def _check_requant(where: str, op) -> None:
    for name in ("shift", "offset_shift", "beta_shift"):
        if getattr(op, name, 0) not in _SHIFTS:
            _fail(where, name, f"0 to {_SHIFTS[-1]}", getattr(op, name))
    if isinstance(op, (Scores, Pool)) and not 0 < op.multiplier < _MULTIPLIER:
        _fail(where, "multiplier", f"1 to {_MULTIPLIER - 1}", op.multiplier)


def _check_linear(where: str, op: Linear, model: IntegerModel, written: set[str]) -> None:
    x, y = model.tensors[op.x], model.tensors[op.y]
    if op.weight.ndim != 2:
        _fail(where, "weight", "two-dimensional", op.weight.shape)
    values = x.size
    if not 0 <= op.start < values:
        _fail(where, "start", f"below {values}", op.start)
    if values - op.start != y.rows * op.weight.shape[1]:
        _fail(where, "weight", f"of {(values - op.start) // y.rows} inputs", op.weight.shape[1])
    if not 1 <= op.weight_bits <= 16:
        _fail(where, "weight_bits", "1 to 16", op.weight_bits)
    limit = max(1, (1 << (op.weight_bits - 1)) - 1)
    shape = (y.features, op.weight.shape[1])
    _check_array(where, "weight", op.weight, shape, -limit, limit)
    if op.weight_bits == 1 and not op.weight.all():
        _fail(where, "weight", "-1 or 1 in one bit", 0)
    _check_array(where, "bias", op.bias, (y.features,), -_BIAS, _BIAS)
    _check_array(where, "multiplier", op.multiplier, (y.features,), 0, _MULTIPLIER - 1)
    if op.residual is None:
        return
    source, channel = op.residual.source, op.residual.channel
    if source not in written:
        _fail(where, "residual", "a tensor written before", repr(source))
    spec = model.tensors[source]
    if channel is None and spec.shape != y.shape:
        _fail(where, "residual", f"of shape {y.shape}", spec.shape)
    if channel is not None and not 0 <= channel < spec.features:
        _fail(where, "residual channel", f"below {spec.features}", channel)
    if op.residual.shift not in _SHIFTS:
        _fail(where, "residual shift", f"0 to {_SHIFTS[-1]}", op.residual.shift)


def _check_shapes(where: str, op: Operation, model: IntegerModel) -> None:
    y = model.tensors[op.y]
    shape = model.tensors[op.reads[0]].shape
    if isinstance(op, (SubtractLast, Affine, LayerNorm)) and shape != y.shape:
        _fail(where, "y", f"of shape {shape}", y.shape)
    if isinstance(op, Affine):
        limits = (-_MULTIPLIER, _MULTIPLIER - 1)
        _check_array(where, "multiplier", op.multiplier, (y.features,), *limits)
        _check_array(where, "offset", op.offset, (y.features,), *limits)
    elif isinstance(op, LayerNorm):
        _check_array(where, "gamma", op.gamma, (y.features,), -128, 127)
        _check_array(where, "beta", op.beta, (y.features,), -_MULTIPLIER, _MULTIPLIER - 1)
    elif isinstance(op, Pool):
        if y.shape != (1, model.tensors[op.x].features):
            _fail(where, "y", f"of shape {(1, model.tensors[op.x].features)}", y.shape)
    elif isinstance(op, Scores):
        q, k = model.tensors[op.q], model.tensors[op.k]
        if q.features != k.features or op.heads < 1 or k.features % op.heads:
            _fail(where, "heads", f"a divisor of the features of q and k ({q.features})", op.heads)
        if y.shape != (q.rows * op.heads, k.rows):
            _fail(where, "y", f"of shape {(q.rows * op.heads, k.rows)}", y.shape)
        if op.causal and q.rows != k.rows:
            _fail(where, "k", f"of {q.rows} rows, as q, to be causal", k.rows)
        if (y.bits, y.exponent) != (numerics.SCORE_BITS, -numerics.SCORE_FRACTION_BITS):
            _fail(where, "y", f"{numerics.SCORE_BITS} bits in 1/8 octaves", f"{y.bits} bits")
    elif isinstance(op, Attend):
        scores, v = model.tensors[op.scores], model.tensors[op.v]
        if op.heads < 1 or v.features % op.heads or scores.features != v.rows or v.rows > 256:
            _fail(where, "scores", f"a feature for each of v's {v.rows} rows", scores.features)
        if y.shape != (scores.rows // op.heads, v.features):
            _fail(where, "y", f"of shape {(scores.rows // op.heads, v.features)}", y.shape)


def _check_zero_points(model: IntegerModel) -> None:
    """Only a linear layer's input may be asymmetric: its bias absorbs the zero point."""
    for number, op in enumerate(model.operations):
        for name in op.reads:
            absorbed = isinstance(op, Linear) and name == op.x
            if model.tensors[name].zero and not absorbed:
                where = f"operation {number} ({type(op).__name__} -> {op.y})"
                _fail(where, f"zero point of {name}", "0", model.tensors[name].zero)


def check(model: IntegerModel) -> None:
    """Raise :class:`UserError`, naming the field, unless the model is consistent."""
    for name, spec in model.tensors.items():
        if spec.name != name:
            _fail(f"tensor {name}", "name", repr(name), repr(spec.name))
        if spec.rows < 1 or spec.features < 1:
            _fail(f"tensor {name}", "shape", "positive", spec.shape)
        if not 2 <= spec.bits <= 16:
            _fail(f"tensor {name}", "bits", "2 to 16", spec.bits)
        if not spec.low <= spec.zero <= spec.high:
            _fail(f"tensor {name}", "zero", f"within {spec.low}..{spec.high}", spec.zero)
        if not -40 <= spec.exponent <= 40:
            _fail(f"tensor {name}", "exponent", "within -40..40", spec.exponent)
    for name in ("input", *model.constants):
        if name not in model.tensors:
            raise UserError(f"tensors must contain {name!r}, which is missing")
    shape = (model.config.window, model.config.inputs)
    if model.input.shape != shape:
        _fail("tensor input", "shape", f"{shape} as in config", model.input.shape)
    if model.input.zero:
        _fail("tensor input", "zero", "0", model.input.zero)
    for name, array in model.constants.items():
        spec = model.tensors[name]
        _check_array(f"constant {name}", "values", array, spec.shape, spec.low, spec.high)
    if not model.operations:
        raise UserError("operations must not be empty")
    written = {"input", *model.constants}
    for number, op in enumerate(model.operations):
        where = f"operation {number} ({type(op).__name__} -> {op.y})"
        for name in op.reads:
            if name not in written:
                _fail(where, "input", "a tensor written before", repr(name))
        if op.y not in model.tensors or op.y in written:
            _fail(where, "y", "a declared tensor written once", repr(op.y))
        _check_requant(where, op)
        _check_shapes(where, op, model)
        if isinstance(op, Linear):
            _check_linear(where, op, model, written)
        _check_sums(where, op, model)
        written.add(op.y)
    _check_zero_points(model)
    if unwritten := set(model.tensors) - written:
        raise UserError(f"tensors must each be written by an operation, not {sorted(unwritten)}")
    rows = model.config.decoder_tokens
    shape = (rows, model.config.horizon // rows)
    if model.output.shape != shape:
        _fail("output", "shape", f"{shape} as in config", model.output.shape)
