"""Where the scales of a quantized model start, and how they may follow an observer.

Scales that are not learned cover the extremes of all values seen (``minmax``), or a moving average
of each batch's extremes (``moving-average``), as in Jacob et al. (2018). Those of the input, of the
output and of a wide difference to the last step follow :mod:`bitformer.model.interface_scales`.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bitformer.model.interface_scales import (
    Words,
    delta_exponent,
    input_exponent,
    output_exponent,
)
from bitformer.model.layers import QatBatchNorm
from bitformer.model.ranges import best_exponent, best_offset, covering_exponent
from bitformer.model.sensor_range import AskedRanges
from bitformer.model.transformer import Transformer
from bitformer.model.window_scaling import scale_of

__all__ = ["MovingRanges", "calibrate"]

_BATCH = 64
#: Weight of a batch's extremes in the moving average.
_MOMENTUM = 0.1


def calibrate(
    model: Transformer,
    x: Tensor,
    y: Tensor,
    *,
    clock: Tensor | None = None,
    ranges: str = "learned",
    samples: int = 1024,
    known: Transformer | None = None,
    asked: AskedRanges | None = None,
) -> None:
    """Set the scales of all tensors by their values for training windows; make the model quantized.

    ``x`` [N, window, inputs] and ``y`` [N, outputs] are standardised, the windows in their order;
    a classifier's ``y`` are not looked at, as its scores have scales like any other tensor.
    ``clock`` [N, numbers], of a model with a calendar alone, is their time.
    The scales of the input and the output, and of a wide difference, cover what is ``asked``, or
    else have headroom: by the rule of :mod:`bitformer.model.interface_scales`, over all windows.
    The others have the least squared error, or are an observer's, over ``samples`` of them. With
    ``known``, a quantized model of the same shape at other widths, the values are its own, and
    tensors as wide as there keep their scales.

    Raises :class:`UserError` if a range that is asked for is too wide.
    """
    was_training = model.training

    def new(name: str) -> bool:
        bits = known and known.activations.specs[name].bits
        return bits != model.activations.specs[name].bits

    values = _values(known or model, x, clock, samples)
    if floor := model.config.window_scaling:  # words hold what is scaled
        mean, scale = scale_of(x, floor)
        x = (x - mean) / scale
        y = (y - mean[..., 0]) / scale[..., 0]
    _set_interface(model, x, y, asked or AskedRanges(), new)
    for name in model.activations.settled:  # whatever it was at other widths
        model.activations.set_scale(name, model.activations.specs[name].exponent)
    for name, value in values.items():
        if new(name) and name not in model.activations.fixed:
            _fit(model, name, value, ranges)
    for name, linear in model.linears.items():
        before = None if known is None else known.linears[name]
        if before is None or (before.bits, before.scheme) != (linear.bits, linear.scheme):
            linear.calibrate(ranges)
    for norm in model.norms.values():
        if isinstance(norm, QatBatchNorm) and known is None:
            norm.fold()
    model.quantized = True
    model.train(was_training)


def _set_interface(
    model: Transformer, x: Tensor, y: Tensor, asked: AskedRanges, new: Callable[[str], bool]
) -> None:
    """Set the scales of the input, the output, the difference and the linear path, if not learned.

    The linear path covers what the output does: it is what the network adds to.
    """
    activations, config = model.activations, model.config
    words = {name: Words(low=spec.low, high=spec.high) for name, spec in activations.specs.items()}
    if new("input"):
        activations.set_scale("input", input_exponent(words["input"], x, asked.inputs))
    exponent = activations.exponents()["input"]
    low, high = (2.0**exponent * limit for limit in activations.limits("input"))
    for name in ("output", "path"):
        if name in activations.fixed and new(name):
            added = (low, high) if config.subtract_last else None
            fitted = output_exponent(words[name], y, asked.targets, added=added)
            activations.set_scale(name, fitted)
    if "delta" in activations.fixed and new("delta"):
        patch = config.patch if config.stream else 0
        delta = delta_exponent(words["delta"], x, exponent, high - low, patch=patch)
        activations.set_scale("delta", delta)


def _values(model: Transformer, x: Tensor, clock: Tensor | None, samples: int) -> dict[str, Tensor]:
    """Return the real values of every tensor that is rounded, by name; of settled ones none."""
    was_training = model.training
    model.eval()
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:samples]
    values: dict[str, Tensor] = {}
    model.activations.observer = values.__setitem__
    some = some.to(x.device)
    with torch.no_grad():
        model(x[some], clock=None if clock is None else clock[some])
    model.activations.observer = None
    model.train(was_training)
    skipped = model.activations.floats | model.activations.settled
    return {name: value for name, value in values.items() if name not in skipped}


def _fit(model: Transformer, name: str, value: Tensor, ranges: str) -> None:
    activations = model.activations
    low, high = activations.limits(name)
    if ranges == "moving-average":
        moving = _Moving()
        for batch in value.split(_BATCH):
            moving.add(batch)
        value = torch.tensor([moving.low, moving.high], dtype=torch.float64)
    cover = ranges != "learned"
    if name in activations.movable:
        activations.set_scale(name, *best_offset(value, low, high, cover=cover))
        return
    fit = covering_exponent if cover else best_exponent
    activations.set_scale(name, int(fit(value.reshape(1, -1), low, high)))


class _Moving:
    """Moving average of the extremes of batches."""

    def __init__(self, low: float | None = None, high: float | None = None):
        self.low, self.high = low, high

    def add(self, batch: Tensor) -> None:
        low, high = (float(extreme) for extreme in batch.aminmax())
        if self.low is None or self.high is None:
            self.low, self.high = low, high
            return
        self.low += _MOMENTUM * (low - self.low)
        self.high += _MOMENTUM * (high - self.high)


class MovingRanges:
    """Makes the scales of a quantized model follow its batches while it trains.

    In its context, each forward pass moves the averages and sets the scales from them.
    """

    def __init__(self, model: Transformer):
        self.model = model
        self.ranges: dict[str, _Moving] = {}

    def __enter__(self):
        self.model.activations.observer = self._observe
        return self

    def __exit__(self, *_):
        self.model.activations.observer = None

    def _observe(self, name: str, value: Tensor) -> None:
        activations = self.model.activations
        if name in activations.floats | activations.settled | activations.fixed:
            return
        if name not in self.ranges:
            self.ranges[name] = self._start(name)
        moving = self.ranges[name]
        moving.add(value)
        low, high = activations.limits(name)
        extremes = torch.tensor([[moving.low, moving.high]], dtype=torch.float64)
        if name in activations.movable:
            activations.set_scale(name, *best_offset(extremes, low, high, cover=True))
        else:
            activations.set_scale(name, int(covering_exponent(extremes, low, high)))

    def _start(self, name: str) -> _Moving:
        """Return the range that the calibrated scale covers."""
        activations = self.model.activations
        exponents = activations.exponents()
        low, high = activations.limits(name, activations.zeros(exponents).get(name))
        unit = 2.0 ** exponents[name]
        return _Moving(low * unit, high * unit)

    def state_dict(self) -> dict[str, tuple]:
        """Return the averages as plain data."""
        return {name: (moving.low, moving.high) for name, moving in self.ranges.items()}

    def load_state_dict(self, state: Mapping[str, tuple]) -> None:
        self.ranges = {name: _Moving(*extremes) for name, extremes in state.items()}
