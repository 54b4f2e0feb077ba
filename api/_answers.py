"""What a model answers for the rows of a file: forecasts, classes or flags."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bitformer._engines import computed
from bitformer.model.task import require_task

if TYPE_CHECKING:
    import numpy as np

    from bitformer.model.forecasts.classes import Classes
    from bitformer.model.forecasts.flags import Flags
    from bitformer.model.forecasts.result import Forecast
    from bitformer.model.forecasts.several import Forecasts
    from bitformer.model.ir import IntegerModel
    from bitformer.model.progress import Progress

__all__ = ["SIMULATED", "classes_of", "flags_of", "forecast_of"]

#: Windows that Amaranth's simulator evaluates or judges unless more are asked for: it is slow.
SIMULATED = 8


def _said(
    model: "IntegerModel",
    engine: "str | Callable[..., np.ndarray]",
    windows: "tuple[Any, ...]",
    *,
    note: Callable[[str], None],
    progress: "Progress",
    **named: Any,
) -> "tuple[str, np.ndarray]":
    """Return the name of an engine, and what it says of windows; a function takes ``named``."""
    if callable(engine):
        return getattr(engine, "name", "function"), engine(windows[0], **named)
    return engine, computed(model, windows, engine=engine, note=note, progress=progress)


def forecast_of(
    model: "IntegerModel",
    data: str | None,
    *,
    engine: "str | Callable[..., np.ndarray]",
    note: Callable[[str], None],
    progress: "Progress",
    **asked: Any,
) -> "Forecast | Forecasts":
    """Forecast what comes after the rows of a file; see :meth:`bitformer.Model.forecast`."""
    from bitformer.model.clipping import clipped, clipped_sentences
    from bitformer.model.forecasts.forecasting import prepared

    require_task(model.config, "forecast")
    question = prepared(model, data, **asked)
    for sentence in question.notes:
        note(sentence)
    x, scales = question.x, question.rows.scales
    timed = {"clock": question.clock} if model.config.calendar else {}
    name, forecasts = _said(
        model, engine, (x, question.clock), note=note, progress=progress, **timed
    )
    beyond = clipped(model, x, scales, forecast=forecasts)
    for sentence in clipped_sentences(beyond, scales):
        note(sentence)
    return question.answered(forecasts, engine=name, clipped=beyond)


def classes_of(
    model: "IntegerModel",
    data: str | None,
    *,
    windows: int,
    at: int | str | None,
    inputs: str | Sequence[str] | None,
    engine: "str | Callable[..., np.ndarray]",
    note: Callable[[str], None],
    progress: "Progress",
    reading: dict[str, Any],
) -> "Classes":
    """Tell the classes of a file's newest windows; see :meth:`bitformer.Model.classify`."""
    from bitformer.model.clipping import clipped, clipped_sentences
    from bitformer.model.forecasts.classes import asked_classes

    require_task(model.config, "classify")
    asked: dict[str, Any] = {"windows": windows, "at": at, "inputs": inputs}
    question = asked_classes(model, data, reading=reading, **asked)
    x, scales = question.recent.x, question.rows.scales
    beyond = clipped(model, x, scales)
    for sentence in (*question.notes, *clipped_sentences(beyond, scales)):
        note(sentence)
    name, numbers = _said(model, engine, (x,), note=note, progress=progress)
    return question.answered(numbers, engine=name, clipped=beyond)


def flags_of(
    model: "IntegerModel",
    data: str | None,
    *,
    windows: int | None,
    engine: "str | Callable[..., np.ndarray]",
    note: Callable[[str], None],
    progress: "Progress",
    **asked: Any,
) -> "Flags":
    """Judge the windows of a file; see :meth:`bitformer.Model.detect`."""
    from bitformer.model.clipping import clipped, clipped_sentences
    from bitformer.model.forecasts.flags import asked_flags

    require_task(model.config, "detect")
    if windows is None and engine == "python":
        windows = SIMULATED
    question = asked_flags(model, data, windows=windows, **asked)
    some, scales = question.windows, question.rows.scales
    beyond = clipped(model, some.x, scales)
    for sentence in (*question.notes, *clipped_sentences(beyond, scales)):
        note(sentence)
    named = {"judged": some.y} | ({"clock": some.clock} if model.config.calendar else {})
    name, flags = _said(
        model, engine, (some.x, some.clock, some.y), note=note, progress=progress, **named
    )
    return question.answered(flags, engine=name, clipped=beyond)
