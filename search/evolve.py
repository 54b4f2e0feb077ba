"""Large spaces, of a width for each tensor: an evolutionary search instead of an enumeration.

NSGA-II (Deb et al., 2002) as Optuna has it, with the limits as constraints. A candidate is lowered,
so its cycles, RAMB18 and DSP blocks are exact, and predicted; nothing is trained here.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bitformer.estimate.power import inference_j, power_w
from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.progress import Progress, silent
from bitformer.model.structure import tensor_components, weight_components
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits

__all__ = ["Candidate", "evolve", "tensor_names"]

#: What a candidate that has no design costs, and violates.
_WORST = 1e12
#: Names the choice of an engine among those of bits.
_ENGINE = "engine"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration on an engine: what it is predicted to take, to lose, joules a forecast."""

    config: TransformerConfig
    engine: Engine
    prediction: Prediction
    loss: float
    energy_j: float


def tensor_names(config: TransformerConfig) -> list[str]:
    """Everything that can have bits of its own: ``layers.0.q.weight``, ``layers.0.q``."""
    tensors = [
        name
        for name in tensor_components(config)
        if name not in ("input", "output") and not name.endswith(".scores")
    ]
    return [f"{layer}.weight" for layer in weight_components(config)] + tensors


def _candidate(config, engine: Engine, loss, predictor, limits) -> Candidate:
    design = lower(initialize(config), part=limits.part, **engine.options)
    found = predictor.predict(design)
    power = power_w(
        limits.part,
        luts=found.luts.value,
        ffs=found.ffs.value,
        ramb18=found.ramb18,
        dsps=found.dsps,
        clock_hz=limits.clock_hz,
    )
    joules = inference_j(power, found.latency, clock_hz=limits.clock_hz)
    return Candidate(
        config=config, engine=engine, prediction=found, loss=loss(config), energy_j=joules
    )


def _violations(candidate: Candidate, limits: Limits) -> list[float]:
    """How far over each limit, relative to it; at most 0 where it is kept."""
    found = candidate.prediction
    used = {
        "luts": found.luts.value,
        "lutram": found.lutram.value,
        "ffs": found.ffs.value,
        "ramb18": found.ramb18,
        "dsps": found.dsps,
    }
    over = [value / max(1, limits.of(name)) - 1 for name, value in used.items()]
    microseconds = found.latency / limits.clock_hz * 1e6
    for bound, value in ((limits.latency_us, microseconds), (limits.energy_j, candidate.energy_j)):
        over.append(0.0 if bound is None else value / max(bound, 1e-12) - 1)
    return over


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
) -> list[Candidate]:
    """Candidates within the limits that none is better than in loss, latency and energy.

    Parameters
    ----------
    config : the shape; its own ``tensors`` stay where ``choices`` does not name them.
    loss : predicted loss of a configuration, from sensitivities say.
    choices : bits to choose from, for each name of :func:`tensor_names`.
    engines : to choose from, too.
    trials, seed : how many candidates are looked at, and which: the same seed, the same ones.

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
    seen: dict[tuple[int, ...], Candidate | None] = {}

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
                seen[key] = _candidate(chosen, engines[engine], loss, predictor, limits)
            except UserError:
                seen[key] = None
        found = seen[key]
        progress(trial.number + 1, trials, "")
        if found is None:
            trial.set_user_attr("over", [_WORST])
            return _WORST, _WORST, _WORST
        trial.set_user_attr("over", _violations(found, limits))
        return found.loss, float(found.prediction.latency), found.energy_j

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
    fitting = [
        found
        for found in best.values()
        if found is not None and max(_violations(found, limits)) <= 0
    ]
    return sorted(fitting, key=lambda one: (one.loss, one.prediction.latency))
