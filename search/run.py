"""A search from a request to trained, proved designs: measure, filter, rank, train, verify.

The folder of a search holds

    results/, runs/      its trainings (:mod:`bitformer.study.trials`)
    proofs/              simulation, synthesis and routing of what was trained
                         (:mod:`.verification`)
    choice.json          what was chosen to be trained, and what was predicted of it
    predicted.json       what is predicted of the trained designs
    clock.json           the clock that is predicted for the part
    N-NAME.safetensors   the candidates, the best validation error first
    search.json          what came out

Each step reads what is there, so that a search that was killed comes to what it would have come to.
What was chosen stays chosen, although the knowledge base grows by what the search synthesizes.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitformer.estimate.knowledge import Entry
from bitformer.estimate.predictor import Predictor
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.precision import AddedErrors, Precision
from bitformer.model.progress import Progress, silent
from bitformer.model.sealed_json import digest_of, read_sealed, write_sealed
from bitformer.model.strict_json import read_json
from bitformer.search.clocks import CandidateClocks
from bitformer.search.engine import Engine
from bitformer.search.kinds import best_of_kinds, kinds_of
from bitformer.search.prover import Prover
from bitformer.search.request import SearchRequest
from bitformer.search.results import SearchResult, conclusion
from bitformer.search.shortlist import shortlist
from bitformer.study.sensitivity import alone_trials
from bitformer.study.trials import run_trials
from bitformer.study.workers import WorkerPool

__all__ = ["run_search"]


def _measured(
    request: SearchRequest, trials: Path, pool: WorkerPool, progress: Progress
) -> tuple[dict[str, dict[Precision, float]], float]:
    """Measure what each choice of bits adds to the validation error, one component at a time.

    The second value is the float model's own.
    """
    wanted = alone_trials(
        request.config,
        request.source,
        request.measured,
        seed=request.seed,
        method=request.method,
        settings=request.settings,
    )
    outcomes = run_trials(wanted.values(), trials, pool, progress)
    added: dict[str, dict[Precision, float]] = {}
    for (name, bits), outcome in zip(wanted, outcomes, strict=True):
        added.setdefault(name, {})[bits] = outcome.val - outcome.float_val
    return added, outcomes[0].float_val


def run_search(
    request: SearchRequest,
    folder: Path,
    pool: WorkerPool,
    predictor: Predictor,
    *,
    added: AddedErrors | None = None,
    trials: Path | None = None,
    tool: str = "",
    router: str = "",
    entries: Sequence[Entry] = (),
    progress: Progress = silent,
) -> dict[str, Any]:
    """Search, leave in ``folder`` what came out, and return it as plain data, as in search.json.

    Parameters
    ----------
    request
        What is asked for.
    folder
        Of the search.
    pool
        Workers.
    predictor
        Not asked when all that it is asked for was written down before.
    added
        Sensitivities; None measures them.
    trials
        A folder of trainings and proofs that searches share; by default the search's own.
    tool
        Name and version of the Yosys that synthesizes, empty for none.
    router
        Name and version of the nextpnr that places and routes, empty for none.
    entries
        Of the knowledge base, by which a clock is known or predicted.
    progress
        Called with what is done of each stage.

    Raises
    ------
    UserError
        If nothing is within the limits, which names the tightest and the nearest miss.
    """
    trials = trials or folder
    known, choice = _shortlisted(request, folder, pool, predictor, added, trials, progress)
    results = _trained(request, choice, trials, pool, _stage(progress, "training"))
    count = _counter(folder / "predicted.json", predictor)
    clocks = CandidateClocks(folder / "clock.json", entries, request.limits.part)
    prover = Prover(
        request,
        trials / "proofs",
        pool,
        tool=tool,
        router=router,
        progress=_stage(progress, "proving"),
    )
    prover.prove(results, count, clocks)
    result = {
        "question": request.to_dict(),
        "sensitivity": known,
        "space": choice["space"],
        **conclusion(results, request.limits),
    }
    _hand_over(result, results, folder)
    new = [entry for one in results for entry in (one.proof or {}).get("entries", ())]
    return result | {"entries": new}


def _shortlisted(
    request: SearchRequest,
    folder: Path,
    pool: WorkerPool,
    predictor: Predictor,
    added: AddedErrors | None,
    trials: Path,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return sensitivities, of several kinds of layers by the kind, and what is to be trained.

    A kind of which nothing is within the limits is left out, unless there is no other.
    """
    kinds = kinds_of(request)
    known: dict[str, Any] = {}
    choices: dict[str, dict[str, Any]] = {}
    errors: dict[str, float] = {}
    refused: list[UserError] = []
    for block, own in kinds.items():
        name = f"{block} " if len(kinds) > 1 else ""
        found: AddedErrors
        if added is not None:
            found, errors[block] = added, 0.0
        else:
            stage = _stage(progress, f"{name}sensitivity")
            found, errors[block] = _measured(own, trials, pool, stage)
        known[block] = {n: {str(b): e for b, e in of.items()} for n, of in found.items()}
        place = folder / "kinds" / block if len(kinds) > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        try:
            choices[block] = shortlist(
                own, found, place, predictor, pool, _stage(progress, f"{name}ranking")
            )
        except UserError as error:
            refused.append(error)
    if not choices:
        raise refused[0]
    choice = best_of_kinds(choices, errors, request.top)
    return (known if len(kinds) > 1 else next(iter(known.values()))), choice


def _stage(progress: Progress, name: str) -> Progress:
    return lambda done, total, text: progress(done, total, f"{name} {text}".strip())


def _trained(
    request: SearchRequest,
    choice: Mapping[str, Any],
    trials: Path,
    pool: WorkerPool,
    progress: Progress,
) -> list[SearchResult]:
    configs = [TransformerConfig.from_dict(one["config"]) for one in choice["designs"]]
    outcomes = run_trials([request.trial(one) for one in configs], trials, pool, progress)
    made = zip(configs, outcomes, choice["designs"], strict=True)
    return [
        SearchResult(
            **{**one, "config": config, "engine": Engine(**one["engine"]), "outcome": outcome}
        )
        for config, outcome, one in made
    ]


def _counter(path: Path, predictor: Predictor) -> Callable[[Mapping[str, int]], dict[str, int]]:
    """Return what predicts LUTs and flip-flops of trained designs.

    Predictions are written down, since the knowledge base grows meanwhile.
    """
    try:
        known = read_sealed(path)
    except UserError:
        known = {}

    def count(quantities: Mapping[str, int]) -> dict[str, int]:
        key = digest_of(quantities)[:16]
        if key not in known:
            found = predictor.counts(quantities)
            known[key] = {name: int(value) for name, value in found.items()}
            write_sealed(path, known)
        return known[key]

    return count


def _hand_over(result: dict[str, Any], results: list[SearchResult], folder: Path) -> None:
    """Write models named by rank, and search.json; those of an earlier answer are removed."""
    path = folder / "search.json"
    try:
        before = read_json(path, finite=False)["candidates"]
        for one in before:
            if re.fullmatch(r"\d+-[^/\\]+\.safetensors", str(one["model"])):
                (folder / one["model"]).unlink(missing_ok=True)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    models = {one.config.name: one.outcome.model for one in results}  # of any engine
    for one in result["candidates"]:
        if one["model"] is not None and (source := models[one["name"]]) is not None:
            write_whole(folder / one["model"], source.read_bytes())
    write_whole(path, json.dumps(result, indent=1) + "\n")
