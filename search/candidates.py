"""What a search chooses from: configurations, what each is predicted to take and to lose.

A component space is looked at as a whole. Where it is too large for that, or each tensor is to have
bits of its own, NSGA-II draws designs, and what it ends with is the field.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import UNIFORM, AddedErrors, Precision
from bitformer.model.progress import Progress, silent
from bitformer.model.structure import tensor_components, weight_components
from bitformer.search.engine import Engine
from bitformer.search.evolve import evolve, tensor_names
from bitformer.search.limits import Limits
from bitformer.search.pareto import predicted_loss
from bitformer.search.space.choices import LARGEST, combinations_of
from bitformer.search.space.components import ComponentSpace, code_of
from bitformer.search.space.outcomes import NEVER, Outcomes
from bitformer.study.sensitivity import existing
from bitformer.study.workers import WorkerPool

__all__ = ["CandidateSet", "component_candidates", "enumerable", "tensor_candidates"]


@dataclass(frozen=True, kw_only=True)
class CandidateSet:
    """Configurations on engines, by number.

    ``kind`` : ``"components"`` or ``"tensors"``, which have bits of their own. ``combinations`` :
    how many the space has, ``seen`` how many were looked at. ``loss`` : predicted added error.
    ``bits`` : the published sum. ``uniform`` : those with the same bits everywhere, by name, on the
    first engine; ``out`` : they and their like on other engines, which are no candidates.
    ``same`` : a number that equal designs have in common.
    ``lowered`` : a combination's own prediction, where ``outcomes`` are those of the whole space.
    """

    kind: str
    combinations: int
    seen: int
    config_of: Callable[[int], TransformerConfig]
    engine_of: Callable[[int], Engine]
    outcomes: Outcomes
    loss: np.ndarray
    bits: np.ndarray
    uniform: Mapping[str, int]
    out: frozenset[int]
    same: np.ndarray | None = None
    lowered: Callable[[int], Prediction | None] | None = None

    def refine(self, number: int) -> None:
        """Replace a combination's space-wide estimate by one from its own lowered design."""
        if self.lowered is not None:
            own = _outcomes([self.lowered(number)])
            for name in Outcomes.__dataclass_fields__:
                getattr(self.outcomes, name)[number] = getattr(own, name)[0]


def enumerable(config: TransformerConfig, bits: Sequence[Precision]) -> bool:
    """Return whether the component space is small enough to be enumerated."""
    return combinations_of(config, list(dict.fromkeys(bits))) <= LARGEST


def _title(bits: Precision) -> str:
    return f"uniform {bits}"


def component_candidates(
    config: TransformerConfig,
    bits: Sequence[Precision],
    added: AddedErrors,
    predictor: Predictor,
    limits: Limits,
    *,
    engines: Sequence[Engine] = (Engine(),),
    baselines: Sequence[Precision] | None = None,
    pool: WorkerPool | None = None,
) -> CandidateSet:
    """Return all combinations of ``bits`` on each engine, followed by the other baselines."""
    first = ComponentSpace(config, bits=bits, part=limits.part, engine=engines[0])
    count, loss = len(first), predicted_loss(first, added)
    asked = json.dumps(config.to_dict(), sort_keys=True)
    tasks = {
        str(engine): (asked, tuple(bits), limits.part, engine, predictor) for engine in engines
    }
    seen = dict((pool or WorkerPool()).run(_space_outcomes, tasks))
    outcomes = [seen[name] for name in tasks]
    uniform: dict[str, int] = {}
    out: set[int] = set()
    more: list[TransformerConfig] = []
    for one in bits if baselines is None else baselines:
        if one in first.bits:
            uniform[_title(one)] = first.uniform(one)
            out.update(first.uniform(one) + count * place for place in range(len(engines)))
        else:
            uniform[_title(one)] = count * len(engines) + len(more)
            more.append(_uniform(config, one))
    own = _outcomes([_predicted(same, engines[0], predictor, limits) for same in more])
    total_of = [
        sum((same.bits(n).weights + same.bits(n).activations) / 2 for n in first.components)
        for same in more
    ]

    def config_of(number: int) -> TransformerConfig:
        if number >= count * len(engines):
            return more[number - count * len(engines)]
        return first.config_of(number % count)

    def engine_of(number: int) -> Engine:
        place = number // count
        return engines[place] if place < len(engines) else engines[0]

    return CandidateSet(
        kind="components",
        combinations=count,
        seen=count,
        config_of=config_of,
        engine_of=engine_of,
        outcomes=joined(*outcomes, own),
        loss=np.concatenate(
            [np.tile(loss, len(engines)), [component_loss(same, added) for same in more]]
        ),
        bits=np.concatenate([np.tile(first.total_bits, len(engines)), total_of]),
        uniform=uniform,
        out=frozenset(out | set(uniform.values())),
        same=np.concatenate(
            [
                *(first.same + count * place for place in range(len(engines))),
                np.arange(len(more)) + count * len(engines),
            ]
        ),
        lowered=lambda number: _predicted(config_of(number), engine_of(number), predictor, limits),
    )


@lru_cache(maxsize=16)
def _space_outcomes(
    config: str, bits: tuple[Precision, ...], part: str, engine: Engine, predictor: Predictor
) -> Outcomes:
    """Return the outcomes of a space, which are those of every search in it: a worker's task."""
    shape = TransformerConfig.from_dict(json.loads(config))
    return ComponentSpace(shape, bits=bits, part=part, engine=engine).outcomes(predictor)


def _uniform(config: TransformerConfig, bits: Precision) -> TransformerConfig:
    """Return ``config`` with the same bits everywhere, named as a space names it."""
    components = existing(config)
    return config.replace(
        name=f"{config.name}-{code_of([bits] * len(components))}",
        precision=dict.fromkeys(components, bits),
        tensors={},
    )


def component_loss(config: TransformerConfig, added: AddedErrors) -> float:
    """Predict the error that bits add, component by component."""
    total = 0.0
    for name in existing(config):
        bits = config.bits(name)
        if bits not in added.get(name, {}):
            raise UserError(f"sensitivity of {name} must be given for bits {bits}")
        total += added[name][bits]
    return total


def _bits_of(config: TransformerConfig) -> dict[str, int]:
    """Return the bits of every weight and tensor that may have its own."""
    weights = {f"{layer}.weight": config.weight_bits(layer) for layer in weight_components(config)}
    return {n: weights[n] if n in weights else config.tensor_bits(n) for n in tensor_names(config)}


def tensor_loss(config: TransformerConfig, added: AddedErrors) -> float:
    """Predict the error that bits add, tensor by tensor.

    Each weight and tensor of a component answers for an equal share of what its component was
    measured to lose at that width.
    """
    owner = {f"{layer}.weight": name for layer, name in weight_components(config).items()}
    owner |= tensor_components(config)
    own: dict[str, list[float]] = {}
    for name, width in _bits_of(config).items():
        component = owner[name]
        found = added[component].get(Precision(weights=width, activations=width))
        if found is None:
            raise UserError(f"sensitivity of {component} must be given for {width} bits")
        own.setdefault(component, []).append(found)
    return sum(sum(losses) / len(losses) for losses in own.values())


def joined(*outcomes: Outcomes) -> Outcomes:
    """Concatenate outcomes."""
    names = Outcomes.__dataclass_fields__
    return Outcomes(**{n: np.concatenate([getattr(one, n) for one in outcomes]) for n in names})


def _outcomes(found: Sequence[Prediction | None]) -> Outcomes:
    names = [name for name in Outcomes.__dataclass_fields__ if name != "possible"]
    counts = [dict.fromkeys(names, NEVER) if one is None else one.counts for one in found]
    return Outcomes(
        possible=np.array([one is not None for one in found], dtype=bool),
        **{name: np.array([one[name] for one in counts], dtype=np.int64) for name in names},
    )


def _predicted(
    config: TransformerConfig, engine: Engine, predictor: Predictor, limits: Limits
) -> Prediction | None:
    try:
        return predictor.predict(lower(initialize(config), part=limits.part, **engine.options))
    except UserError:
        return None


def tensor_candidates(
    config: TransformerConfig,
    bits: Sequence[Precision],
    added: AddedErrors,
    predictor: Predictor,
    limits: Limits,
    *,
    engines: Sequence[Engine] = (Engine(),),
    baselines: Sequence[Precision] | None = None,
    by: str = "loss",
    tries: int = 400,
    seed: int = 0,
    progress: Progress = silent,
) -> CandidateSet:
    """Return the Pareto front of an evolutionary search, followed by the uniform ones.

    Raises :class:`UserError` for bits that differ between weights and activations, which tensors
    with bits of their own need not be told.
    """
    for one in (*bits, *(baselines or ())):
        if one.weights != one.activations or one.scheme != UNIFORM:
            raise UserError(f"bits of single tensors must be such as 4, not {one}")
    widths = sorted({one.weights for one in bits})
    plain = config.replace(precision={}, tensors={})
    names = tensor_names(plain)

    def score(candidate: TransformerConfig) -> float:
        if by == "loss":
            return tensor_loss(candidate, added)
        return -float(sum(_bits_of(candidate).values()))

    found = evolve(
        plain,
        score,
        predictor,
        limits,
        choices=dict.fromkeys(names, widths),
        trials=tries,
        seed=seed,
        engines=engines,
        progress=progress,
    )
    configs, chosen = [], [candidate.engine for candidate in found]
    for candidate in found:
        text = json.dumps(candidate.config.tensors, sort_keys=True)
        name = f"{config.name}-t{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        configs.append(candidate.config.replace(name=name))
    predictions: list[Prediction | None] = [one.prediction for one in found]
    uniform = {}
    for one in bits if baselines is None else baselines:
        uniform[_title(one)] = len(configs)
        configs.append(_uniform(config, one))
        chosen.append(engines[0])
        predictions.append(_predicted(configs[-1], engines[0], predictor, limits))
    return CandidateSet(
        kind="tensors",
        combinations=len(widths) ** len(names),
        seen=tries,
        config_of=configs.__getitem__,
        engine_of=chosen.__getitem__,
        outcomes=_outcomes(predictions),
        loss=np.array([tensor_loss(one, added) for one in configs]),
        bits=np.array([sum(_bits_of(one).values()) for one in configs], dtype=np.float64),
        uniform=uniform,
        out=frozenset(uniform.values()),
    )
