"""Test errors of models, beside those of forecasts that need no network."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bitformer.model.baselines import baseline_forecasts, off_device
from bitformer.model.calendar import ROWS
from bitformer.model.clipping import Clipped
from bitformer.model.data.targets import each_output, in_parts
from bitformer.model.data.windows import Dataset
from bitformer.model.intervals import ForecastInterval
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known as known_meta
from bitformer.model.reference import predict
from bitformer.model.trained_baselines import TrainedBaseline
from bitformer.model.verdict import Verdict, compare, mse_in_words

if TYPE_CHECKING:
    from bitformer.model.training_run import TrainResult

__all__ = ["Evaluation", "mse", "scored", "with_stopped_clock"]

#: What the model that was trained without rounding is called, by its kind of layers.
_FLOAT_NAMES = {"attention": "float Transformer", "mixer": "float mixer", "mlp": "float MLP"}


def mse(forecast: np.ndarray, dataset: Dataset) -> float:
    """Return the mean squared error of standardised forecasts of the test windows."""
    return float(((forecast - dataset.test.y) ** 2).mean())


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation:
    """Test MSE, in units of the target's variance over the training rows, by forecast.

    None stands where a baseline does not exist for the data. ``verdict`` compares the last model
    whose forecasts are known with the best baseline; None where there is nothing to compare. It
    leaves out those of ``off_device``, which see what the model's device does not.
    ``clipped`` : numbers of the windows and forecasts beyond what words hold; None if not counted.
    ``mae`` : mean absolute errors, by forecast, of those whose forecasts are known. ``coverage`` :
    share of test values inside the model's intervals, by their percent. ``stopped_clock`` : test
    MSE of a model with a calendar whose clock stands still, over all times at which it may.
    ``trained`` : how each baseline that was trained came to be, by its name. ``by_target`` : of
    several targets, the evaluation of each by itself, of models whose forecasts are known; what is
    said of all of them is in deviations.
    """

    dataset: Dataset
    models: Mapping[str, float]
    baselines: Mapping[str, float | None]
    verdict: Verdict | None = None
    clipped: tuple[Clipped, ...] | None = None
    mae: Mapping[str, float] = dataclasses.field(default_factory=dict)
    coverage: Mapping[int, float] = dataclasses.field(default_factory=dict)
    trained: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    stopped_clock: float | None = None
    by_target: "tuple[Evaluation, ...]" = ()

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        models: Mapping[str, float | np.ndarray],
        *,
        advice: Callable[[float], Sequence[str]] | None = None,
        intervals: Iterable[ForecastInterval] = (),
        trained: Sequence[TrainedBaseline] = (),
    ) -> "Evaluation":
        """Return the errors of ``models`` beside the baselines of the data set.

        ``models`` : by name, the MSE or the standardised forecasts [N, outputs] of the test
        windows. ``advice`` : returns what to try if the model loses to a baseline, whose
        error it is given. ``intervals`` : those of the last model whose forecasts are known.
        ``trained`` : more baselines, with forecasts of the test windows.
        """
        known = {name: one for name, one in models.items() if isinstance(one, np.ndarray)}
        intervals = tuple(intervals)
        forecasts = baseline_forecasts(dataset) | {one.name: one.forecasts for one in trained}
        verdict, coverage = None, {}
        if known:
            name, forecast = list(known.items())[-1]
            verdict = compare(
                model=name,
                forecast=forecast,
                baselines={n: one for n, one in forecasts.items() if n not in off_device(dataset)},
                windows=dataset.test,
                advice=advice,
            )
            scales = each_output((one.std for one in dataset.target_scales), dataset.test.outputs)
            off = (dataset.test.y - forecast) * scales
            coverage = {one.percent: one.inside(off) for one in intervals}
        absolute = {
            name: float(np.abs(one - dataset.test.y).mean())
            for name, one in {**known, **forecasts}.items()
            if one is not None
        }
        return cls(
            dataset=dataset,
            models={
                name: mse(one, dataset) if isinstance(one, np.ndarray) else one
                for name, one in models.items()
            },
            baselines={
                name: None if one is None else mse(one, dataset) for name, one in forecasts.items()
            },
            verdict=verdict,
            mae=absolute,
            coverage=coverage,
            trained={one.name: one.facts for one in trained},
            by_target=cls._of_each(dataset, known, intervals, trained) if dataset.targets else (),
        )

    @classmethod
    def _of_each(
        cls,
        dataset: Dataset,
        models: Mapping[str, np.ndarray],
        intervals: Iterable[ForecastInterval],
        trained: Sequence[TrainedBaseline],
    ) -> "tuple[Evaluation, ...]":
        """Return the evaluation of each of several targets."""
        count = len(dataset.targets)
        parts = {name: in_parts(forecast, count) for name, forecast in models.items()}
        baselines = [in_parts(one.forecasts, count) for one in trained]
        return tuple(
            cls.of(
                one,
                {name: own[number] for name, own in parts.items()},
                intervals=[interval.of_target(number, count) for interval in intervals],
                trained=[
                    TrainedBaseline(name=its.name, forecasts=own[number], facts=its.facts)
                    for its, own in zip(trained, baselines, strict=True)
                ],
            )
            for number, one in enumerate(dataset.by_target)
        )

    @property
    def off_device(self) -> frozenset[str]:
        """Baselines that see what the model's device does not: a target that is no input."""
        return off_device(self.dataset)

    @property
    def skill(self) -> dict[str, float | None]:
        """What of each baseline's MSE the last model saves: 1 where it has none, 0 where as much.

        None stands where a baseline does not exist or has no error.
        """
        ours = list(self.models.values())[-1]
        return {
            name: None if not theirs else 1 - ours / theirs
            for name, theirs in self.baselines.items()
        }

    @property
    def clock_sentence(self) -> str | None:
        """What a model with a calendar loses without a clock, in a sentence; None for others."""
        if self.stopped_clock is None:
            return None
        ours = list(self.models.values())[-1]
        numbers = " and the ".join(self.dataset.calendar)
        return (
            f"It takes the {numbers} of each window: without a clock (one that stands still, at"
            f" whatever time) its test MSE is {mse_in_words(self.stopped_clock)}, not"
            f" {mse_in_words(ours)}"
        )

    def rmse(self, error: float) -> float:
        """Return the root of an error in the target's own unit."""
        return error**0.5 * self.dataset.target_std

    def _in_units(self) -> dict[str, dict[str, float]]:
        """Return MSE, RMSE and MAE of each forecast in the target's own unit, squared for MSE."""
        found: dict[str, dict[str, float]] = {}
        for name, error in {**self.models, **self.baselines}.items():
            if error is not None:
                found[name] = {
                    "mse": error * self.dataset.target_std**2,
                    "rmse": self.rmse(error),
                }
                if name in self.mae:
                    found[name]["mae"] = self.mae[name] * self.dataset.target_std
        return found

    def _errors_of_one(self) -> dict[str, object]:
        """Return what is said of one of several targets as plain data."""
        whole = self.to_dict()
        shared = ("data", "test_windows", "trained_baselines", "stopped_clock_mse")
        own = {name: value for name, value in whole.items() if name not in shared}
        return {"target": self.dataset.target, "target_std": self.dataset.target_std, **own}

    def __repr__(self) -> str:
        errors = {**self.models, **self.baselines}
        said = ", ".join(f"{n} {mse_in_words(e)}" for n, e in errors.items() if e is not None)
        return f"<Evaluation, test MSE of {self.dataset.name}: {said}>"

    def to_dict(self) -> dict[str, object]:
        """Return errors, baselines and the data's names as plain data."""
        counted, several = self.clipped is not None, bool(self.dataset.targets)
        return {
            "data": {
                "name": self.dataset.name,
                "target": self.dataset.target,
                "inputs": list(self.dataset.inputs),
                "notes": list(self.dataset.notes),
                "target_std": self.dataset.target_std,
                **({"targets": [one.to_dict() for one in self.dataset.targets]} if several else {}),
            },
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
            "test_windows": len(self.dataset.test),
            "test_mse": dict(self.models),
            "test_rmse": {name: self.rmse(error) for name, error in self.models.items()},
            "baseline_mse": dict(self.baselines),
            "trained_baselines": {name: dict(facts) for name, facts in self.trained.items()},
            "baselines_off_device": sorted(self.off_device & self.baselines.keys()),
            "mae": dict(self.mae),
            "in_units": self._in_units(),
            "skill": self.skill,
            "interval_coverage": {str(percent): share for percent, share in self.coverage.items()},
            "stopped_clock_mse": self.stopped_clock,
            **({"by_target": [one._errors_of_one() for one in self.by_target]} if several else {}),
            **({"clipped": [one.to_dict() for one in self.clipped or ()]} if counted else {}),
        }


def scored(
    result: "TrainResult",
    model: IntegerModel | None,
    dataset: Dataset,
    *,
    block: str = "attention",
    method: str = "qat",
    advice: Callable[[float], Sequence[str]] | None = None,
    trained: Sequence[TrainedBaseline] = (),
) -> Evaluation:
    """Return the test errors of the float, rounded and integer models, beside the baselines.

    ``block`` : the kind of the model's layers, which names the float model. ``advice``,
    ``trained`` : as of :meth:`Evaluation.of`.
    """
    rounded = f"quantized ({method.upper()})"
    errors: dict[str, float | np.ndarray] = {_FLOAT_NAMES[block]: result.float_test}
    intervals: Iterable[ForecastInterval] = ()
    if model is not None:
        intervals = known_meta(model.meta).get("intervals", ())
        forecast = predict(model, dataset.test.x, dataset.test.clock)
        errors |= {rounded: result.quantized_test, "integer": forecast}
    else:
        from bitformer.model.export import load_run  # late: they import torch
        from bitformer.model.torch_predict import predict as in_torch

        quantized, test = load_run(result.run_dir)[0], dataset.test
        errors[rounded] = in_torch(quantized, test.x, test.clock)
    more: dict[str, Any] = {"intervals": intervals, "trained": trained}
    scores = Evaluation.of(dataset, errors, advice=advice, **more)
    return scores if model is None else with_stopped_clock(scores, model)


def with_stopped_clock(scores: Evaluation, model: IntegerModel) -> Evaluation:
    """Return the scores of a model with what it loses without a clock, if it has a calendar."""
    test, sizes = scores.dataset.test, [ROWS[name] for name in model.config.calendar]
    if not sizes or not len(test):
        return scores
    # each time as often as any other, in no order
    at = np.random.default_rng(0).permutation(len(test)) % math.prod(sizes)
    clock = np.stack(np.unravel_index(at, sizes), axis=1)
    error = mse(predict(model, test.x, clock), scores.dataset)
    return dataclasses.replace(scores, stopped_clock=error)
