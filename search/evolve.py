"""Large spaces, of a width for each tensor: an evolutionary search instead of an enumeration.

NSGA-II (Deb et al., 2002) as Optuna has it, with the limits as constraints. A candidate is lowered,
so its cycles, block RAMs and DSP blocks are exact, and predicted; nothing is trained here.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.progress import Progress, silent
from bitformer.model.structure import logits, tensor_components, weight_components
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits, energy_of, excesses

__all__ = ["Individual", "evolve", "tensor_names"]

#: What a candidate that has no design costs, and violates.
_WORST = 1e12
#: Names the choice of an engine among those of bits.
_ENGINE = "engine"


@dataclass(frozen=True, kw_only=True)
class Individual:
    """A configuration on an engine: what it is predicted to take and to lose.

    ``over`` : how far it is over each limit, at most 0 where it is kept.
    """

    config: TransformerConfig
    engine: Engine
    prediction: Prediction
    loss: float
    over: Mapping[str, float]


def tensor_names(config: TransformerConfig) -> list[str]:
    """Return the names of weights and tensors: ``layers.0.q.weight``, ``layers.0.q``."""
    fixed = logits(config) | {"input", "output"}
    tensors = [name for name in tensor_components(config) if name not in fixed]
    return [f"{layer}.weight" for layer in weight_components(config)] + tensors


def evolve(
    config: TransformerConfig,
    loss: Callable[[TransformerConfig], float],
    predictor: Predictor,
    limits: Limits,
    *,
    choices: Mapping[str, Sequence[int]],
    trials: int = 400,
    seed: int = 0,
    engines: Sequence[Engine] = (Engine(),),
    progress: Progress = silent,
) -> list[Individual]:
    """Return the Pareto front of loss, latency and energy within the limits.

    Parameters
    ----------
    config
        The shape; its own ``tensors`` stay where ``choices`` does not name them.
    loss
        Predicted loss of a configuration, from sensitivities say.
    choices
        Bits to choose from, for each name of :func:`tensor_names`.
    engines
        To choose from, too.
    trials, seed
        How many candidates are looked at, and which: the same seed, the same ones.
    predictor
        Of LUTs and flip-flops.
    limits
        What a design may take.
    progress
        Called with the designs that were looked at.

    Raises
    ------
    UserError
        If Optuna is missing, or ``choices`` names what the model has not.
    """
    try:
        import optuna
    except ImportError:
        raise UserError(
            "This search needs Optuna, which is not installed: pip install 'bitformer[search]'"
        ) from None
    known = set(tensor_names(config))
    for name in choices:
        if name not in known:
            raise UserError(f"choices must name tensors of {config.name}, not {name!r}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seen: dict[tuple[int, ...], Individual | None] = {}

    def key_of(bits: Mapping[str, int], engine: int) -> tuple[int, ...]:
        return (*(bits[name] for name in choices), engine)

    def objective(trial) -> tuple[float, float, float]:
        bits = {name: trial.suggest_categorical(name, list(own)) for name, own in choices.items()}
        engine = 0
        if len(engines) > 1:
            engine = trial.suggest_categorical(_ENGINE, list(range(len(engines))))
        key = key_of(bits, engine)
        if key not in seen:
            try:
                chosen = config.replace(tensors={**config.tensors, **bits})
                options = engines[engine].options
                design = lower(initialize(chosen), part=limits.part, **options)
                prediction = predictor.predict(design)
                seen[key] = Individual(
                    config=chosen,
                    engine=engines[engine],
                    prediction=prediction,
                    loss=loss(chosen),
                    over=excesses(prediction.counts, limits),
                )
            except UserError:
                seen[key] = None
        found = seen[key]
        progress(trial.number + 1, trials, "")
        if found is None:
            trial.set_user_attr("over", [_WORST])
            return _WORST, _WORST, _WORST
        trial.set_user_attr("over", list(found.over.values()))
        counts = found.prediction.counts
        return found.loss, float(counts["latency"]), energy_of(counts, limits)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)  # its successor came with Optuna 5
        sampler = optuna.samplers.NSGAIISampler(
            seed=seed, constraints_func=lambda trial: trial.user_attrs["over"]
        )
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    study.optimize(objective, n_trials=trials)
    best = {
        key: seen[key]
        for trial in study.best_trials
        if (key := key_of(trial.params, trial.params.get(_ENGINE, 0))) in seen
    }
    fitting = [found for found in best.values() if found and max(found.over.values()) <= 0]
    return sorted(fitting, key=lambda one: (one.loss, one.prediction.latency))
