"""What a search trains: predicted, filtered, ranked, and written down, so that it stays chosen."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from bitformer.estimate.predictor import Predictor
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.plain import checked
from bitformer.model.progress import Progress
from bitformer.model.strict_json import read_json
from bitformer.search.candidates import Added, Field, component_field, tensor_field
from bitformer.search.engine import Engine
from bitformer.search.limits import RESOURCES, energy_of, within
from bitformer.search.pareto import pareto
from bitformer.search.request import Question
from bitformer.search.selection import Choice, choose, nearest_miss
from bitformer.study.workers import Pool

__all__ = ["shortlist"]

#: After so many designs were lowered, the others are taken as the space says.
_MOST_LOWERED = 120


class _Predicted(TypedDict):
    """Of a design: resources, cycles and joules."""

    luts: int
    lutram: int
    ffs: int
    ramb18: int
    dsps: int
    latency: int
    interval: int
    energy_j: float


class _Design(TypedDict):
    config: TransformerConfig
    engine: Engine
    why: str
    baseline: bool
    within: bool
    loss: float
    total_bits: float
    predicted: _Predicted | None


class _Space(TypedDict):
    kind: str
    combinations: int
    seen: int
    engines: int
    within: int
    pareto: list[list[float]]


class _Shortlist(TypedDict):
    """What is written down, as JSON."""

    digest: str
    space: _Space
    designs: list[_Design]


def shortlist(
    question: Question,
    added: Added,
    folder: Path,
    predictor: Predictor,
    pool: Pool,
    progress: Progress,
) -> dict[str, Any]:
    """What is to be trained, as plain data: read from the folder, or found and written down.

    Raises :class:`UserError` if nothing is within the limits, which names the tightest and the
    nearest miss.
    """
    asked = question.to_dict()
    for name in ("windows", "synthesis"):
        del asked[name]
    asked["sensitivity"] = {n: {str(b): e for b, e in own.items()} for n, own in added.items()}
    text = json.dumps(asked, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = folder / "choice.json"
    try:
        data = read_json(path, finite=False)
        checked(_Shortlist, data, str(path))
        if data["digest"] == digest:
            return data
    except UserError:
        pass  # not there, or not whole
    progress(0, 1, "")
    found = _chosen(question, _field(question, added, predictor, pool, progress), progress)
    data = json.loads(json.dumps({"digest": digest, **found}))
    write_whole(path, json.dumps(data, indent=1) + "\n")
    progress(1, 1, "")
    return data


def _field(
    question: Question, added: Added, predictor: Predictor, pool: Pool, progress: Progress
) -> Field:
    common = (question.config, question.bits, added, predictor, question.limits)
    options: dict[str, Any] = {"engines": question.engines, "baselines": question.compared}
    if question.enumerated:
        return component_field(*common, **options, pool=pool)
    return tensor_field(
        *common,
        **options,
        by=question.score,
        tries=question.tries,
        seed=question.seed,
        progress=progress,
    )


def _settled(question: Question, field: Field, progress: Progress) -> list[Choice]:
    """The choice, when all that is chosen, and uniform bits, are predicted from their own designs.

    What turns out to cost more than the space said makes room for the next.
    """
    score = field.loss if question.score == "loss" else -field.bits
    lowered = 0
    own = np.full(len(score), field.lowered is None)
    while True:
        chosen = choose(
            field.outcomes,
            question.limits,
            score,
            question.top,
            by=question.score,
            uniform=field.uniform,
            out=field.out,
            same=field.same,
            own=own,
        )
        numbers = np.array([*field.uniform.values(), *(one.number for one in chosen)])
        wanted = np.unique(numbers[~own[numbers]])
        if not len(wanted):
            return chosen
        for number in wanted:
            field.refine(int(number))
        own[wanted] = True
        lowered += len(wanted)
        progress(min(lowered, _MOST_LOWERED), _MOST_LOWERED, "designs")
        if lowered >= _MOST_LOWERED:
            own[:] = True  # as they are, from here on


def _chosen(question: Question, field: Field, progress: Progress) -> dict[str, Any]:
    """The choice of a field, as plain data."""
    limits, outcomes = question.limits, field.outcomes
    chosen = _settled(question, field, progress)
    kept = within(outcomes, limits)
    free = kept.copy()
    free[list(field.out)] = False
    if not kept.any():
        number, sentence = nearest_miss(outcomes, limits)
        name = field.config_of(number).name
        raise UserError(f"No design is within the limits; {sentence} ({name})")
    energy = energy_of(outcomes, limits)

    def described(number: int, why: str, baseline: bool) -> dict[str, Any]:
        predicted: dict[str, Any] | None = None
        if outcomes.possible[number]:
            names = (*RESOURCES, "latency", "interval")
            predicted = {name: int(getattr(outcomes, name)[number]) for name in names}
            predicted["energy_j"] = float(energy[number])
        return {
            "config": field.config_of(number).to_dict(),
            "engine": field.engine_of(number).options,
            "why": why,
            "baseline": baseline,
            "within": bool(kept[number]),
            "loss": float(field.loss[number]),
            "total_bits": float(field.bits[number]),
            "predicted": predicted,
        }

    there = np.flatnonzero(kept)
    points = np.column_stack([field.loss, outcomes.latency, energy])[there]
    return {
        "space": {
            "kind": field.kind,
            "combinations": field.combinations,
            "seen": field.seen,
            "engines": len(question.engines),
            "within": int(free.sum()),
            "pareto": points[pareto(points)].tolist(),
        },
        "designs": [
            *(described(one.number, one.why, False) for one in chosen),
            *(described(number, name, True) for name, number in field.uniform.items()),
        ],
    }
