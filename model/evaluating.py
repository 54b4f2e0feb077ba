"""The evaluation of a model by its task: errors of forecasts, or scores of classes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bitformer.model.class_evaluation import ClassEvaluation
from bitformer.model.data.windows import Dataset
from bitformer.model.detection_evaluation import DetectionEvaluation
from bitformer.model.evaluation import Evaluation, scored, with_stopped_clock
from bitformer.model.intervals import ForecastInterval
from bitformer.model.ir import IntegerModel
from bitformer.model.reference import predict
from bitformer.model.trained_baselines import TrainedBaseline

if TYPE_CHECKING:
    from bitformer.model.train import TrainResult

__all__ = ["AnyEvaluation", "evaluated", "evaluated_training"]

#: That of a model of any task.
AnyEvaluation = Evaluation | ClassEvaluation | DetectionEvaluation

Advised = Callable[[float], Sequence[str]]


def evaluated(
    model: IntegerModel,
    dataset: Dataset,
    models: Mapping[str, np.ndarray],
    *,
    advice: Advised | None = None,
    intervals: Iterable[ForecastInterval] = (),
    trained: Sequence[TrainedBaseline] = (),
) -> AnyEvaluation:
    """Return the evaluation of what a model, or hardware made of it, says of test windows.

    ``models`` : by name, standardised forecasts [N, horizon], classes' numbers or flags [N, 1]. The
    others as of :meth:`bitformer.model.evaluation.Evaluation.of`.
    """
    if model.config.task == "classify":
        return ClassEvaluation.of(dataset, models, advice=advice, trained=trained)
    if model.config.task == "detect":
        return DetectionEvaluation.of(dataset, models)
    more: dict[str, Any] = {"advice": advice, "intervals": intervals, "trained": trained}
    return with_stopped_clock(Evaluation.of(dataset, models, **more), model)


def evaluated_training(
    result: "TrainResult",
    model: IntegerModel | None,
    dataset: Dataset,
    *,
    block: str = "attention",
    method: str = "qat",
    advice: Advised | None = None,
    trained: Sequence[TrainedBaseline] = (),
) -> AnyEvaluation:
    """Return the evaluation of a finished training.

    The parameters are those of :func:`bitformer.model.evaluation.scored`.
    """
    more: dict[str, Any] = {"advice": advice, "trained": trained}
    if dataset.task == "detect" and model is not None:
        test = dataset.test
        flags = {"integer": predict(model, test.x, test.clock, test.y)}
        errors = {
            "float": result.float_test,
            f"quantized ({method.upper()})": result.quantized_test,
        }
        return DetectionEvaluation.of(dataset, flags, errors=errors)
    if dataset.task != "classify":
        return scored(result, model, dataset, block=block, method=method, **more)
    test, rounded = dataset.test, f"quantized ({method.upper()})"
    entropies = {"float": result.float_test, rounded: result.quantized_test}
    if model is not None:
        answers = {"integer": predict(model, test.x)}
    else:
        from bitformer.model.export import load_run  # late: they import torch
        from bitformer.model.trainer import predict as in_torch

        answers = {rounded: in_torch(load_run(result.run_dir)[0], test.x).argmax(axis=1)}
    return ClassEvaluation.of(dataset, answers, entropies=entropies, **more)
