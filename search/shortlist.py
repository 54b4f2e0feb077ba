"""The choice of what a search trains: predicted, filtered, ranked, and written down to stay."""

from pathlib import Path
from typing import Any

import numpy as np

from bitformer.estimate.predictor import Predictor
from bitformer.model.errors import UserError
from bitformer.model.precision import AddedErrors
from bitformer.model.progress import Progress
from bitformer.model.sealed_json import digest_of, read_sealed, write_sealed
from bitformer.search.candidates import CandidateSet, component_candidates, tensor_candidates
from bitformer.search.limits import RESOURCES, energy_of, within
from bitformer.search.pareto import pareto
from bitformer.search.request import SearchRequest
from bitformer.search.selection import Selected, choose, nearest_miss
from bitformer.study.workers import WorkerPool

__all__ = ["shortlist"]

#: After so many designs were lowered, the others keep their space-wide estimates.
_MOST_LOWERED = 120


def shortlist(
    request: SearchRequest,
    added: AddedErrors,
    folder: Path,
    predictor: Predictor,
    pool: WorkerPool,
    progress: Progress,
) -> dict[str, Any]:
    """Return what is to be trained, as plain data: read from the folder, or found and written down.

    Raises
    ------
    UserError
        If nothing is within the limits; it names the tightest and the nearest miss.
    """
    asked = request.to_dict()
    for name in ("windows", "synthesis", "route"):
        del asked[name]
    asked["sensitivity"] = {n: {str(b): e for b, e in own.items()} for n, own in added.items()}
    path, digest = folder / "choice.json", digest_of(asked)
    try:
        data = read_sealed(path)
        if data["digest"] == digest:
            return data
    except UserError:
        pass  # not there, or not whole
    progress(0, 1, "")
    candidates = _candidates(request, added, predictor, pool, progress)
    data = write_sealed(path, {"digest": digest, **_chosen(request, candidates, progress)})
    progress(1, 1, "")
    return data


def _candidates(
    request: SearchRequest,
    added: AddedErrors,
    predictor: Predictor,
    pool: WorkerPool,
    progress: Progress,
) -> CandidateSet:
    common = (request.config, request.bits, added, predictor, request.limits)
    options: dict[str, Any] = {"engines": request.tried, "baselines": request.compared}
    if request.enumerated:
        return component_candidates(*common, **options, pool=pool)
    return tensor_candidates(
        *common,
        **options,
        by=request.score,
        tries=request.tries,
        seed=request.seed,
        progress=progress,
    )


def _settled(
    request: SearchRequest, candidates: CandidateSet, progress: Progress
) -> list[Selected]:
    """Choose until all that is chosen, and uniform bits, are predicted from their own designs.

    What turns out to cost more than the space-wide estimate makes room for the next.
    """
    score = candidates.loss if request.score == "loss" else -candidates.bits
    lowered = 0
    own = np.full(len(score), candidates.lowered is None)
    while True:
        chosen = choose(
            candidates.outcomes,
            request.limits,
            score,
            request.top,
            by=request.score,
            uniform=candidates.uniform,
            out=candidates.out,
            same=candidates.same,
            own=own,
        )
        numbers = np.array(
            [*candidates.uniform.values(), *(one.number for one in chosen)], dtype=np.int64
        )
        wanted = np.unique(numbers[~own[numbers]])
        if not len(wanted):
            return chosen
        for number in wanted:
            candidates.refine(int(number))
        own[wanted] = True
        lowered += len(wanted)
        progress(min(lowered, _MOST_LOWERED), _MOST_LOWERED, "designs")
        if lowered >= _MOST_LOWERED:
            own[:] = True  # as they are, from here on


def _chosen(request: SearchRequest, candidates: CandidateSet, progress: Progress) -> dict[str, Any]:
    """Choose among the candidates, and describe what is chosen as plain data."""
    limits, outcomes = request.limits, candidates.outcomes
    chosen = _settled(request, candidates, progress)
    kept = within(outcomes, limits)
    free = kept.copy()
    free[list(candidates.out)] = False
    if not kept.any():
        number, sentence = nearest_miss(outcomes, limits)
        name = candidates.config_of(number).name
        raise UserError(f"No design is within the limits; {sentence} ({name})")
    energy = energy_of(vars(outcomes), limits)

    def described(number: int, why: str, baseline: bool) -> dict[str, Any]:
        predicted: dict[str, Any] | None = None
        if outcomes.possible[number]:
            names = (*RESOURCES, "latency", "interval")
            predicted = {name: int(getattr(outcomes, name)[number]) for name in names}
            predicted["energy_j"] = float(energy[number])
        return {
            "config": candidates.config_of(number).to_dict(),
            "engine": candidates.engine_of(number).options,
            "why": why,
            "baseline": baseline,
            "within": bool(kept[number]),
            "loss": float(candidates.loss[number]),
            "total_bits": float(candidates.bits[number]),
            "predicted": predicted,
        }

    there = np.flatnonzero(kept)
    points = np.column_stack([candidates.loss, outcomes.latency, energy])[there]
    return {
        "space": {
            "kind": candidates.kind,
            "combinations": candidates.combinations,
            "seen": candidates.seen,
            "engines": len(request.tried),
            "within": int(free.sum()),
            "pareto": points[pareto(points)].tolist(),
        },
        "designs": [
            *(described(one.number, one.why, False) for one in chosen),
            *(described(number, name, True) for name, number in candidates.uniform.items()),
        ],
    }
