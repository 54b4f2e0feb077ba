"""What turns samples into a model's input words, and its result words into units, as plain data."""

from typing import Any

import numpy as np

from bitformer.model.data.targets import whole_target
from bitformer.model.forecasts.scaling import Scaling, scaling_of
from bitformer.model.identity import model_hash
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.own_data import rows_ahead, trained_on
from bitformer.model.tensor import Tensor

__all__ = ["class_labels", "scaling_data"]


def scaling_data(model: IntegerModel) -> dict[str, Any]:
    """Return all that turns samples into input words and result words into units, as plain data.

    A sample's word is ``floor((sample - mean) / std / 2**exponent + 0.5) + zero``, at least ``low``
    and at most ``high``; a result is ``(word - zero) * 2**exponent * std + mean``. ``columns`` are
    those of a step, in their order, and ``target`` that of a forecast; an untrained model has
    neither. Several ``targets`` have ``horizon`` of all ``results`` each, one after the other.
    Behind the samples of a window, up to all its ``words``, stand the numbers of the time that
    ``calendar`` names, each more than 0 by the word of ``zero``, and that word to fill a step.
    Behind them stand the ``judged`` numbers of a detector, in whole steps likewise. A forecast
    begins ``ahead`` steps after a window's last. The one result of a classifier is a place in its
    ``classes``, or how many these are, which says that the window is rejected. ``step_seconds`` is
    None where it is not known or no fixed number, as of months.

    A window of a stream is a patch; after ``warm_up`` of them no forecast depends on empty rings.
    Its ``phases`` take them in turn.

    With a ``window_scaling``, the host makes ``(sample - m) / sqrt(v + window_scaling)`` of samples
    first, by the mean m and the variance v of their window, and turns results back by the same two.
    """
    config = model.config
    # an answer that is decided of them is one, whatever it is of
    targets = config.targets if model.results is model.output else 1
    found: dict[str, Any] = {
        "format": 1,
        "name": config.name,
        "model": model_hash(model).hex(),
        "window": config.patch if config.stream else config.window,
        "channels": config.inputs,
        "horizon": model.output.size // targets,
        "results": model.output.size,
        "calendar": list(config.calendar),
        "words": model.window_size,
        "ahead": rows_ahead(model),
        "step_seconds": _step_seconds(model),
        "input": _words(model, model.input),
        "output": _words(model, model.output),
    }
    if (scaling := _scaling(model)) is not None:
        columns = zip(scaling.inputs, scaling.mean, scaling.std, strict=True)
        found["columns"] = [_column(*column) for column in columns]
        if targets > 1:
            scales = scaling.target_scales
            found["targets"] = [_column(one.name, one.mean, one.std) for one in scales]
        else:
            one = whole_target(scaling.target_scales)
            found["target"] = _column(one.name, one.mean, one.std)
    if scaling is not None and config.window_scaling:
        std, own = float(scaling.std[0]), {"mean": 0.0, "std": 1.0}
        found["window_scaling"] = config.window_scaling * std**2
        found["columns"] = [one | own for one in found["columns"]]
        found["target"] |= own
    if config.stream:
        found["warm_up"] = config.tokens_seen * model.phases
        found["phases"] = model.phases
    if model.detector is not None:
        found["judged"] = model.results.size
    if labels := class_labels(model):
        found["classes"] = list(labels)
    return found


def class_labels(model: IntegerModel) -> tuple[str, ...]:
    """Return the names of a classifier's classes, in the order of their numbers.

    They are the numbers themselves where the model knows no names. Other models have no classes.
    """
    if model.decision is None:
        return ()
    names = known(model.meta).get("classes")
    return tuple(map(str, names or range(model.results.features)))


def _scaling(model: IntegerModel) -> Scaling | None:
    return scaling_of(model) if "dataset" in model.meta else None


def _step_seconds(model: IntegerModel) -> float | None:
    data = trained_on(model)
    if not data.get("dated", True) or data.get("step_unit", "even") != "even":
        return None
    step = data.get("step")
    return float(step) if step else None


def _words(model: IntegerModel, spec: Tensor) -> dict[str, Any]:
    ends = {"zero": spec.zero, "low": spec.low, "high": spec.high}
    return {
        "bits": spec.bits,
        "exponent": spec.exponent,
        **{name: int(model.words(np.asarray(number))) for name, number in ends.items()},
        "unsigned": model.config.adc_words,
    }


def _column(name: str, mean: float, std: float) -> dict[str, Any]:
    return {"name": name, "mean": float(mean), "std": float(std)}
