"""Runs an integer model in numpy, in batches: the figure every other engine must equal."""

import numpy as np

from bitformer.model.calendar import check_clock
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.judge import JUDGED, DetectorState

__all__ = ["judged_of", "predict", "run"]


def run(model: IntegerModel, x, state: DetectorState | None = None) -> dict[str, np.ndarray]:
    """Return every tensor of the model, by name, for a batch of input windows.

    ``x`` holds integers [batch, steps, channels] within the input tensor's range; of a model with a
    calendar, the time in ``clock_rows`` more steps; of a detector, what is judged in
    ``judged_rows`` more. A detector's windows are in the order of time, and the first one comes
    after a reset, or after those that ``state`` remembers, which is then brought up to date.
    Returns int64 arrays [batch, rows, features]; raises :class:`UserError` when ``x`` does not
    match.
    """
    x, spec = np.asarray(x), model.input
    if x.ndim != 3 or x.shape[1:] != model.window_shape:
        shape = f"(batch, {', '.join(map(str, model.window_shape))})"
        raise UserError(f"input must have shape {shape}, not {x.shape}")
    if x.dtype.kind not in "iu":
        raise UserError(f"input must be integers, not {x.dtype}")
    if x.size and (x.min() < spec.low or x.max() > spec.high):
        raise UserError(f"input must be within {spec.low}..{spec.high}, not {x.min()}..{x.max()}")
    values = {"input": x[:, : spec.rows].astype(np.int64)}
    if calendar := model.config.calendar:
        clock = _behind(x, spec.rows, len(calendar))
        check_clock(calendar, clock, len(x))
        values["clock"] = clock.astype(np.int64)
    if model.config.judged_rows:
        values[JUDGED] = judged_of(model, x)
    for name, constant in model.constants.items():
        values[name] = np.broadcast_to(constant.astype(np.int64), (len(x), *constant.shape))
    for op in model.operations:
        if op is model.detector:
            values[op.y] = op.flags(values, model.tensors, state or DetectorState())
        else:
            values[op.y] = op.run(values, model.tensors)
    for name in ("clock", JUDGED):
        if name not in model.tensors:
            values.pop(name, None)
    return values


def judged_of(model: IntegerModel, x: np.ndarray) -> np.ndarray:
    """Return what a detector judges, int64 [batch, 1, horizon], of its windows' integers."""
    rows = model.input.rows + model.config.clock_rows
    return _behind(x, rows, model.config.outputs).astype(np.int64)[:, None]


def _behind(x: np.ndarray, rows: int, count: int) -> np.ndarray:
    """Return ``count`` numbers of each window, [batch, count], that lie behind ``rows`` rows."""
    return x[:, rows:].reshape(len(x), -1)[:, :count]


def predict(model: IntegerModel, x, clock=None, judged=None, *, batch: int = 512) -> np.ndarray:
    """Return forecasts [N, horizon] from windows [N, steps, channels], standardised floats both.

    A classifier's are the classes' numbers [N, 1], that of all classes for what is rejected. A
    detector's are flags [N, 1], of windows in the order of time from a reset on.

    ``clock``, of a model with a calendar alone: the time of each window, integers [N, numbers].
    ``judged``, of a detector alone: what came, standardised floats [N, horizon].
    """
    q, state = model.quantize_input(x, clock, judged), DetectorState()
    rows = [
        run(model, q[start : start + batch], state)[model.output.name].reshape(
            -1, model.output.size
        )
        for start in range(0, len(q), batch)
    ]
    empty = np.zeros((0, model.output.size))
    return model.dequantize_output(np.concatenate(rows) if rows else empty, x)
