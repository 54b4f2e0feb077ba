"""What rounding does to each tensor: signal-to-quantization-noise ratios, and what it costs.

The reference is the model's own arithmetic without rounding: its weights are what their integers
stand for, and every tensor, softmax and norm is computed in float64. So noise is what storing
tensors in few bits does. What few bits of weights cost is no noise: training chose the integers.
With everything rounded, the reference must give the model's own integers, which is checked.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bitformer.model import reference
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.sliding import within_reach
from bitformer.model.progress import Progress, silent
from bitformer.model.restore import other_operations, restored, round_only
from bitformer.model.structure import graph
from bitformer.model.transformer import Transformer

__all__ = ["Noise", "TensorNoise", "decibels", "measure_noise"]


#: Numbers that are computed at once.
_NUMBERS = 1 << 22


class _Powers(NamedTuple):
    """Mean squares of a tensor, of noise in it and of errors by it; and what is clipped."""

    signal: float
    own: float
    total: float
    trained: float
    drift: float
    clipped: float
    forecast: float
    moved: float


class _Batch(NamedTuple):
    """Windows, targets, and the time of each window for a model with a calendar."""

    x: np.ndarray
    y: np.ndarray
    clock: np.ndarray | None


def decibels(signal: float, noise: float) -> float:
    """Return the ratio of two powers, ``10 log10(signal / noise)``; infinite without noise."""
    if noise == 0.0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


@dataclass(frozen=True, kw_only=True)
class TensorNoise:
    """What rounding does to one tensor, and by it to the forecast.

    Parameters
    ----------
    name, component, bits : of the tensor.
    own : signal-to-noise ratio in dB where it alone is rounded.
    total : where everything is, and softmax and norms are the integer ones.
    trained : of the integers against the float model that was trained before rounding; None
        without the run. It counts what training with rounding changed, too.
    clipped : share of its values that are beyond its range.
    forecast : mean square of what rounding it alone changes in the standardised forecast.
    added : change of the forecast's mean squared error by that.
    """

    name: str
    component: str
    bits: int
    own: float
    total: float
    trained: float | None
    clipped: float
    forecast: float
    added: float


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise of every tensor of a model, in the order of computation.

    ``windows`` : how many were looked at. ``mse`` : of the reference's forecasts, ``integer_mse``
    of the integers', both standardised. ``forecast`` : mean square of the difference between the
    two forecasts.
    """

    tensors: tuple[TensorNoise, ...]
    windows: int
    mse: float
    integer_mse: float
    forecast: float

    @property
    def worst(self) -> TensorNoise:
        """The tensor that costs most: whose rounding alone changes the forecast most."""
        return max(self.tensors, key=lambda one: one.forecast)

    @property
    def shares(self) -> dict[str, float]:
        """Share of each tensor in what all of them, each rounded alone, change in the forecast."""
        total = sum(one.forecast for one in self.tensors) or 1.0
        return {one.name: one.forecast / total for one in self.tensors}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        shares = self.shares
        return {
            "worst": self.worst.name,
            "windows": self.windows,
            "float_mse": self.mse,
            "integer_mse": self.integer_mse,
            "forecast": self.forecast,
            "tensors": [{**asdict(one), "share": shares[one.name]} for one in self.tensors],
        }

    def __str__(self) -> str:
        one = self.worst
        return (
            f"{one.name} costs most: {one.bits} bits of it alone change the forecast by"
            f" {one.forecast:.3g} (mean square), {self.shares[one.name]:.0%} of what all tensors do"
        )


def measure_noise(
    model: IntegerModel,
    x: np.ndarray,
    y: np.ndarray,
    *,
    clock: np.ndarray | None = None,
    trained: Transformer | None = None,
    progress: Progress = silent,
) -> Noise:
    """Measure the noise of every tensor that is rounded.

    Parameters
    ----------
    model
        Its operations must be those of its configuration.
    x, y
        Standardised windows [N, window, inputs] and targets [N, horizon].
    clock
        Of a model with a calendar, the time of each window, integers [N, numbers].
    trained
        The float model that the training ended with, to be compared with as well.
    progress
        Called with how many tensors were rounded alone, and which.
    """
    floats = restored(model)
    size = max(1, _NUMBERS // sum(spec.size for spec in model.tensors.values()))
    starts = range(0, len(x), size)
    names = _order(model)
    sums = {name: np.zeros(len(_Powers._fields)) for name in names}
    whole = np.zeros(3)
    for place, start in enumerate(starts):
        some = slice(start, start + size)

        def told(number: int, name: str, place: int = place) -> None:
            progress(place * len(names) + number, len(starts) * len(names), name)

        time = clock[some] if clock is not None and model.config.calendar else None
        batch = _Batch(x=x[some], y=y[some], clock=time)
        own, all_rounded = _measured(model, floats, trained, batch, told)
        for name, powers in own.items():
            sums[name] += np.array(powers) * len(x[some])
        whole += np.array(all_rounded) * len(x[some])
    mse, integer_mse, forecast = (whole / len(x)).tolist()
    found = []
    for name in _order(model):
        power, spec = _Powers(*(sums[name] / len(x)).tolist()), model.tensors[name]
        found.append(
            TensorNoise(
                name=name,
                component=spec.component,
                bits=spec.bits,
                own=decibels(power.signal, power.own),
                total=decibels(power.signal, power.total),
                trained=None if trained is None else decibels(power.trained, power.drift),
                clipped=power.clipped,
                forecast=power.forecast,
                added=power.moved - mse,
            )
        )
    return Noise(
        tensors=tuple(found),
        windows=len(x),
        mse=mse,
        integer_mse=integer_mse,
        forecast=forecast,
    )


def _order(model: IntegerModel) -> list[str]:
    """Return the names of tensors that are rounded, in the order of computation."""
    return ["input", *(op.y for op in model.operations if not op.at_output)]


def _measured(
    model: IntegerModel,
    floats: Transformer,
    trained: Transformer | None,
    batch: _Batch,
    told: Callable[[int, str], None],
) -> tuple[dict[str, _Powers], tuple[float, float, float]]:
    """Return the powers of each tensor for a batch; and errors and noise of the forecasts."""
    round_only(floats, ())
    plain, forecast = _run(floats, batch)
    judged = batch.y if model.config.judged_rows else None
    integers = reference.run(model, model.quantize_input(batch.x, batch.clock, judged))
    if model.detector is not None:
        del integers[model.output.name]  # a flag is no part of the network
    round_only(floats, model.tensors)
    same = _run(floats, batch)[0]
    if not all(np.array_equal(same[name], values) for name, values in integers.items()):
        raise other_operations(model)
    stored = {name: _reals(model, name, values) for name, values in integers.items()}
    others = {} if trained is None else _run(trained, batch)[0]
    seen, found = _seen(model), {}
    for number, name in enumerate(_order(model)):
        told(number, name)
        round_only(floats, {name})
        alone, moved = _run(floats, batch)
        spec, value = model.tensors[name], plain[name]
        shown = np.broadcast_to(seen.get(name, np.True_), value.shape)
        steps = value * 2.0**-spec.exponent + spec.zero
        beyond = (steps < spec.low - 0.5) | (steps >= spec.high + 0.5)
        other = others.get(name, value)
        found[name] = _Powers(
            signal=_power(value[shown]),
            own=_power((_reals(model, name, alone[name]) - value)[shown]),
            total=_power((stored[name] - value)[shown]),
            trained=_power(other[shown]),
            drift=_power((stored[name] - other)[shown]),
            clipped=float(beyond[shown].mean()),
            forecast=_power(moved - forecast),
            moved=_power(moved - batch.y),
        )
    exact = stored[model.results.name].reshape(forecast.shape)
    errors = _power(forecast - batch.y), _power(exact - batch.y)
    return found, (*errors, _power(exact - forecast))


def _run(model: Transformer, batch: _Batch) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the traced tensors and the forecasts [N, horizon]."""
    trace: dict[str, Tensor] = {}
    with torch.no_grad():
        x = torch.from_numpy(np.array(batch.x, dtype=np.float64))
        clock = None if batch.clock is None else torch.from_numpy(np.array(batch.clock))
        forecast = model(x, trace, clock=clock)
    return {name: value.numpy() for name, value in trace.items()}, forecast.numpy()


def _reals(model: IntegerModel, name: str, values: np.ndarray) -> np.ndarray:
    """Return what a tensor's integers stand for."""
    spec = model.tensors[name]
    return (values - spec.zero) * 2.0**spec.exponent


def _power(values: np.ndarray) -> float:
    """Return the mean square."""
    return float(np.square(values).mean())


def _seen(model: IntegerModel) -> Mapping[str, np.ndarray]:
    """Return which logits of causal attentions are computed, bool [rows * heads, keys]."""
    heads = model.config.heads
    return {
        layer.y: np.repeat(within_reach(keys, layer.reach or keys), heads, axis=0)
        for layer in graph(model.config)
        if layer.kind == "scores" and layer.causal
        for keys in layer.shape[1:]
    }
