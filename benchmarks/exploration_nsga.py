"""NSGA-II as the architecture search it is: its objective is the error of a trained model."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna

from bitformer.estimate.predictor import Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.search.limits import excesses
from bitformer.search.request import SearchRequest
from bitformer.search.space.components import code_of
from bitformer.study.sensitivity import existing

__all__ = ["POPULATION", "evolved"]

#: Designs of a generation, and the most that are drawn; those over a limit cost no training.
POPULATION, DRAWN = 10, 3000
#: The error of what is not trained.
_WORST = 1e12


def evolved(
    request: SearchRequest,
    predictor: Predictor,
    error_of: Callable[[TransformerConfig], float],
) -> list[TransformerConfig]:
    """Train ``request.top`` different designs within the limits, and return them as they came.

    Objectives are the error (``error_of`` trains) and cycles; limits are constraints, which are
    looked at before a training.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names, choices = existing(request.config), {str(one): one for one in request.bits}
    errors: dict[str, float] = {}
    trained: list[TransformerConfig] = []
    seen: dict[str, tuple[Mapping[str, Any], list[float]] | None] = {}

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        bits = [choices[trial.suggest_categorical(name, list(choices))] for name in names]
        name = f"{request.config.name}-{code_of(bits)}"
        config = request.config.replace(
            name=name, precision=dict(zip(names, bits, strict=True)), tensors={}
        )
        if name not in seen:
            try:
                design = lower(initialize(config), part=request.limits.part)
                counts = predictor.predict(design).counts
                seen[name] = counts, list(excesses(counts, request.limits).values())
            except UserError:
                seen[name] = None
        found = seen[name]
        if found is None:
            trial.set_user_attr("over", [_WORST])
            return _WORST, _WORST
        counts, over = found
        trial.set_user_attr("over", over)
        if max(over) > 0:
            return _WORST, float(counts["latency"])
        if name not in errors:
            errors[name] = error_of(config)
            trained.append(config)
            if len(trained) == request.top:
                trial.study.stop()
        return errors[name], float(counts["latency"])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)  # its successor came with Optuna 5
        sampler = optuna.samplers.NSGAIISampler(
            population_size=POPULATION,
            seed=request.seed,
            constraints_func=lambda trial: trial.user_attrs["over"],
        )
    study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)
    study.optimize(objective, n_trials=DRAWN)
    if len(trained) < request.top:
        raise UserError(f"NSGA-II drew {DRAWN} designs; {len(trained)} are within the limits")
    return trained
