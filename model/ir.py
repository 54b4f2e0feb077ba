"""The integer model: a list of operations on named integer tensors, int64 arrays throughout."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from bitformer.model import numerics
from bitformer.model.calendar import ROWS, check_clock, clock_at, with_clock
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.operations import (
    Affine,
    Attend,
    Bound,
    Decide,
    Judge,
    LayerNorm,
    Linear,
    Operation,
    Pool,
    Residual,
    Scores,
    SlidingAttend,
    SlidingScores,
    SubtractLast,
    SubtractPreceding,
)
from bitformer.model.operations.checks import check_array, fail
from bitformer.model.operations.decide import decision_of
from bitformer.model.operations.endings import check_ending
from bitformer.model.operations.judge import JUDGED, detector_of
from bitformer.model.power_of_two import are_powers
from bitformer.model.precision import POWER_OF_TWO, UNIFORM
from bitformer.model.structure import graph
from bitformer.model.tensor import Tensor
from bitformer.model.window_scaling import scaled, turned_back

__all__ = [
    "Affine",
    "Attend",
    "Decide",
    "IntegerModel",
    "Judge",
    "LayerNorm",
    "Linear",
    "Operation",
    "Pool",
    "Residual",
    "Scores",
    "SlidingAttend",
    "SlidingScores",
    "SubtractLast",
    "SubtractPreceding",
    "Tensor",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerModel:
    """An integer-only Transformer: data, not code.

    ``operations`` are in an order in which they can run; ``constants`` are tensors with fixed
    values (the position table). ``meta`` is free JSON (scaling of the data, training results).
    Raises :class:`UserError`, naming the field, unless it is consistent.
    """

    config: TransformerConfig
    tensors: Mapping[str, Tensor]
    operations: tuple[Operation, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        _check(self)

    @property
    def identified(self) -> "IntegerModel":
        """The model that a file holds, of which this is all or a part."""
        return self

    @property
    def phases(self) -> int:
        """Streams that take steps in turn, in hardware; 1 of windows."""
        return 1

    @property
    def input(self) -> Tensor:
        """The tensor of samples."""
        return self.tensors["input"]

    @property
    def window_shape(self) -> tuple[int, int]:
        """(steps, channels) of the integers of a window, with the time and what is judged."""
        config = self.config
        rows = self.input.rows + config.clock_rows + config.judged_rows
        return rows, self.input.features

    @property
    def window_size(self) -> int:
        """Integers of a window, the time and what is judged behind the samples included."""
        return math.prod(self.window_shape)

    @property
    def clocks(self) -> dict[str, int]:
        """The number of the time that selects a row, by the tensor that a table is added to."""
        return {op.y: op.clock for op in self.linears if op.clock is not None}

    @property
    def output(self) -> Tensor:
        """The tensor that leaves the device: results, or what is decided of them."""
        return self.tensors[self.operations[-1].y]

    @cached_property
    def decision(self) -> Decide | None:
        """The operation that makes a class of scores on the way out, if there is one."""
        return decision_of(self.operations)

    @property
    def results(self) -> Tensor:
        """The tensor of what the network makes: a forecast, or the scores of classes."""
        last = self.operations[-1]
        return self.tensors[last.reads[0]] if last.at_output else self.output

    @cached_property
    def detector(self) -> Judge | None:
        """The operation that compares forecasts with what came, if there is one."""
        return detector_of(self.operations)

    @cached_property
    def writers(self) -> dict[str, Operation]:
        """The operation that writes each tensor; inputs and constants have none."""
        return {op.y: op for op in self.operations}

    @cached_property
    def linears(self) -> list[Linear]:
        """The operations with weights of their own."""
        return [op for op in self.operations if isinstance(op, Linear)]

    @cached_property
    def weight_schemes(self) -> dict[str, str]:
        """The scheme of each linear layer's weights by ``config``, by the tensor that it writes."""
        kinds = {one.scheme for one in (self.config.default, *self.config.precision.values())}
        if kinds == {UNIFORM}:
            return {op.y: UNIFORM for op in self.linears}
        own = {layer.y: layer.weights for layer in graph(self.config) if layer.weights}
        return {
            op.y: self.config.weight_scheme(own[op.y]) if op.y in own else UNIFORM
            for op in self.linears
        }

    @cached_property
    def bounds(self) -> dict[str, Bound]:
        """Bounds of the engine's dot products, by the tensor that they make."""
        return {op.y: op.bound(self.tensors) for op in self.operations if op.matrix}

    @cached_property
    def multiplicand_bounds(self) -> dict[str, int]:
        """Largest magnitudes of what is multiplied to requantize it, by the tensor written."""
        return {
            op.y: op.multiplicand_bound(self.tensors, self.norm_bits)
            for op in self.operations
            if not op.at_port
        }

    @cached_property
    def norm_bits(self) -> int:
        """Bits of the widest row that an operation normalises; 0 without one."""
        norms = (op.reads[0] for op in self.operations if op.normalizes)
        return max((self.tensors[name].bits for name in norms), default=0)

    @cached_property
    def subtraction(self) -> SubtractLast | None:
        """The operation that subtracts the last step on the way in, if there is one."""
        return next((op for op in self.operations if isinstance(op, SubtractLast)), None)

    @property
    def steps(self) -> Tensor:
        """The window as layers read it: the input, or what SubtractLast makes of it."""
        return self.tensors[self.subtraction.y if self.subtraction else "input"]

    @property
    def whole_window(self) -> bool:
        """Return True if results need the window's last step from the first on."""
        added = any(op.adds_channels for op in self.operations)
        return added or self.subtraction is not None

    def words(self, numbers: np.ndarray) -> np.ndarray:
        """Return integers of the input or the output as the accelerator takes or gives them.

        An ADC's words begin at 0: they are the integers with the highest bit inverted.
        """
        return np.asarray(numbers) + self._offset

    def numbers(self, words: np.ndarray) -> np.ndarray:
        """Inverse of :meth:`words`."""
        return np.asarray(words) - self._offset

    @property
    def _offset(self) -> int:
        return 1 << (self.input.bits - 1) if self.config.adc_words else 0

    def quantize_input(self, x, clock=None, judged=None) -> np.ndarray:
        """Round standardised floats [..., steps, channels] to the integers of the input.

        What is beyond the input's range becomes its nearest end. ``clock``, of a model with a
        calendar alone, is the time of each window [N, numbers], which is put behind its samples.
        ``judged``, of a detector alone, are standardised floats [N, horizon], put behind both.
        Raises :class:`UserError`, with the place, for what is no finite number.
        """
        x = np.asarray(x)
        _check_finite(x)
        x = self.scaled(x)
        found, calendar = self._rounded(x), self.config.calendar
        if clock is not None or calendar:
            found = with_clock(found, check_clock(calendar, clock, len(found)))
        if judged is not None or self.config.judged_rows:
            found = with_clock(found, self._rounded(self._judged(judged, len(found))))
        return found

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Return windows as the input's words hold them, where each is scaled by itself."""
        return scaled(x, self.config.window_scaling)

    def _rounded(self, x: np.ndarray) -> np.ndarray:
        """Return finite floats as integers of the input; its zero point is 0."""
        return numerics.round_half_up(x, self.input.exponent, self.input.low, self.input.high)

    def _judged(self, judged, count: int) -> np.ndarray:
        """Return what a detector judges, or raise :class:`UserError` where it cannot be that."""
        if not self.config.judged_rows:
            raise UserError(
                f"judged must be left out with task {self.config.task}: only a detector compares"
                " what came with its forecasts"
            )
        shape = (count, self.config.outputs)
        if judged is None:
            raise UserError(
                f"judged must be given to a detector: what came, standardised, of shape {shape}"
            )
        found = np.asarray(judged)
        if found.shape != shape:
            raise UserError(f"judged must have shape {shape}, not {found.shape}")
        _check_finite(found[:, None], "judged")
        return found

    def clock_at(self, times: "datetime | Sequence[datetime]") -> np.ndarray:
        """Return the numbers of the calendar at each window's last step, int64 [N, numbers].

        ``times`` are what the clock shows then, the clock of the data that it was trained on.
        """
        data = self.meta.get("dataset")
        step = data.get("step") if isinstance(data, Mapping) else None
        return clock_at(self.config.calendar, times, step)

    def random_windows(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return ``count`` windows over the whole range of the input, at any time."""
        spec, config = self.input, self.config
        x = rng.integers(spec.low, spec.high, (count, *spec.shape), endpoint=True)
        if config.calendar:
            sizes = [ROWS[name] for name in config.calendar]
            x = with_clock(x, rng.integers(0, sizes, (count, len(sizes))))
        if config.judged_rows:
            shape = count, config.outputs
            x = with_clock(x, rng.integers(spec.low, spec.high, shape, endpoint=True))
        return x

    def dequantize_output(self, y, x=None) -> np.ndarray:
        """Return integers of the output tensor [N, outputs] as real (standardised) values.

        ``x``, of a model whose windows are scaled alone: the windows that they are forecasts of,
        standardised floats [N, window, 1].
        """
        found = (np.asarray(y) - self.output.zero) * 2.0**self.output.exponent
        if not self.config.window_scaling or self.results is not self.output:
            return found
        if x is None:
            raise UserError(
                f"windows must be given with results of {self.config.name}, whose forecasts are in"
                " deviations of their windows"
            )
        return turned_back(found, x, self.config.window_scaling)


def _check_finite(x: np.ndarray, what: str = "input") -> None:
    """Refuse readings [..., steps, channels] that are infinite or no numbers."""
    finite = np.isfinite(x)
    if finite.all():
        return
    first = np.argwhere(~finite)[0].tolist()
    axes = ("sample", "step", "channel")[-x.ndim :]
    place = ", ".join(f"{axis} {at}" for axis, at in zip(axes, first, strict=False))
    raise UserError(f"{what} must be finite numbers, not {x[tuple(first)]}: {place}")


def _check_tensor(name: str, spec: Tensor) -> None:
    where = f"tensor {name}"
    if spec.name != name:
        fail(where, "name", repr(name), repr(spec.name))
    if spec.rows < 1 or spec.features < 1:
        fail(where, "shape", "positive", spec.shape)
    if not 2 <= spec.bits <= 16:
        fail(where, "bits", "2 to 16", spec.bits)
    if not spec.low <= spec.zero <= spec.high:
        fail(where, "zero", f"within {spec.low}..{spec.high}", spec.zero)
    if not -40 <= spec.exponent <= 40:
        fail(where, "exponent", "within -40..40", spec.exponent)


def _check(model: IntegerModel) -> None:
    """Raise :class:`UserError`, naming the field, unless the model is consistent."""
    tensors, config = model.tensors, model.config
    for name, spec in tensors.items():
        _check_tensor(name, spec)
    for name in ("input", *model.constants):
        if name not in tensors:
            raise UserError(f"tensors must contain {name!r}, which is missing")
    shape = (config.rows_seen, config.inputs)
    if model.input.shape != shape:
        fail("tensor input", "shape", f"{shape} as in config", model.input.shape)
    if model.input.zero:
        fail("tensor input", "zero", "0", model.input.zero)
    for name, array in model.constants.items():
        spec = tensors[name]
        check_array(f"constant {name}", "values", array, spec.shape, spec.low, spec.high)
    if not model.operations:
        raise UserError("operations must not be empty")
    schemes = model.weight_schemes
    written = {"input", *model.constants}
    places = [
        f"operation {n} ({type(op).__name__} -> {op.y})" for n, op in enumerate(model.operations)
    ]
    for where, op in zip(places, model.operations, strict=True):
        for name in op.reads:
            if name not in written:
                fail(where, "input", "a tensor written before", repr(name))
        if op.y not in tensors or op.y in written:
            fail(where, "y", "a declared tensor written once", repr(op.y))
        op.check(where, tensors, written)
        if isinstance(op, Linear) and schemes[op.y] == POWER_OF_TWO:
            others = op.weight[~are_powers(op.weight)]
            if others.size:
                fail(where, "weight", "0 or a power of two, as config says", others[0])
        written.add(op.y)
    for where, op in zip(places, model.operations, strict=True):
        for name in op.reads:
            if tensors[name].zero and name not in op.absorbs:
                fail(where, f"zero point of {name}", "0", tensors[name].zero)
    if unwritten := set(tensors) - written:
        raise UserError(f"tensors must each be written by an operation, not {sorted(unwritten)}")
    _check_calendar(model)
    check_ending(config.task, places, model.operations)
    rows = config.decoder_tokens
    shape = (config.targets * rows, config.horizon // rows)
    if model.results.shape != shape:
        fail("output", "shape", f"{shape} as in config", model.results.shape)
    if config.adc_words and model.output.bits != model.input.bits:
        must = f"{model.input.bits} as the input's, for an ADC's words"
        fail("output", "bits", must, model.output.bits)


def _check_calendar(model: IntegerModel) -> None:
    """Raise :class:`UserError` unless each table has a row for each of its clock's numbers."""
    calendar = model.config.calendar
    if model.config.judged_rows and JUDGED in model.tensors:
        raise UserError(f"tensors must not be named {JUDGED} in a detector, whose numbers are")
    if calendar and "clock" in model.tensors:
        raise UserError("tensors must not be named clock beside a calendar, whose numbers are")
    most = max((ROWS[name] for name in calendar), default=0) - 1
    if model.input.high < most:
        fail("tensor input", "bits", f"enough for {most}, of its calendar", model.input.bits)
    for op in model.linears:
        if op.clock is None:
            continue
        where = f"operation {op.y}"
        if op.clock >= len(calendar):
            fail(where, "clock", f"below {len(calendar)}, as in config's calendar", op.clock)
        rows = ROWS[calendar[op.clock]]
        if len(op.bias) != rows:
            fail(where, "bias", f"of {rows} rows, as {calendar[op.clock]} has", len(op.bias))
