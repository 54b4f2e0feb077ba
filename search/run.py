"""A search from a question to trained, proved designs: measure, filter, rank, train, prove.

The folder of a search holds

    results/, runs/      its trainings (:mod:`bitformer.study.trials`)
    proofs/              simulation and synthesis of what was trained (:mod:`.verification`)
    choice.json          what was chosen to be trained, and what was predicted of it
    predicted.json       what is predicted of the trained designs
    N-NAME.safetensors   the candidates, the best validation error first
    search.json          what came out

Each step reads what is there, so that a search that was killed comes to what it would have come to.
What was chosen stays chosen, although the knowledge base grows by what the search synthesizes.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from bitformer.estimate.predictor import Predictor
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.plain import checked
from bitformer.model.precision import Precision
from bitformer.model.progress import Progress, silent
from bitformer.model.strict_json import read_json
from bitformer.search.candidates import Added
from bitformer.search.engine import Engine
from bitformer.search.request import Question
from bitformer.search.results import Finding, conclusion
from bitformer.search.shortlist import shortlist
from bitformer.search.verification import Bench, prove_all
from bitformer.study.sensitivity import alone_trials
from bitformer.study.trials import run_trials
from bitformer.study.workers import Pool

__all__ = ["explore"]


def _measured(
    question: Question, trials: Path, pool: Pool, progress: Progress
) -> dict[str, dict[Precision, float]]:
    """What each choice of bits adds to the validation error of each component alone."""
    wanted = alone_trials(
        question.config,
        question.source,
        question.measured,
        seed=question.seed,
        method=question.method,
        settings=question.settings,
    )
    outcomes = run_trials(wanted.values(), trials, pool, progress)
    added: dict[str, dict[Precision, float]] = {}
    for (name, bits), outcome in zip(wanted, outcomes, strict=True):
        added.setdefault(name, {})[bits] = outcome.val - outcome.float_val
    return added


def explore(
    question: Question,
    folder: Path,
    pool: Pool,
    predictor: Predictor,
    *,
    added: Added | None = None,
    trials: Path | None = None,
    tool: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Search, and leave in ``folder`` what came out; returned as plain data, as in search.json.

    Parameters
    ----------
    predictor : not asked when all that it is asked for was written down before.
    added : sensitivities; None measures them.
    trials : a folder of trainings and proofs that searches share; by default the search's own.
    tool : name and version of the Yosys that synthesizes, empty for none.

    Raises
    ------
    UserError
        If nothing is within the limits, which names the tightest and the nearest miss.
    """
    trials = trials or folder
    known = added or _measured(question, trials, pool, _stage(progress, "sensitivity"))
    choice = shortlist(question, known, folder, predictor, pool, _stage(progress, "ranking"))
    findings = _trained(question, choice, trials, pool, _stage(progress, "training"))
    counted = _Counted(folder / "predicted.json", predictor)
    _proved(question, findings, trials, pool, tool, counted, _stage(progress, "proving"))
    result = {
        "question": question.to_dict(),
        "sensitivity": {n: {str(b): e for b, e in own.items()} for n, own in known.items()},
        "space": choice["space"],
        **conclusion(findings, question.limits),
    }
    _hand_over(result, findings, folder)
    entries = [entry for one in findings for entry in (one.proof or {}).get("entries", ())]
    return result | {"entries": entries}


def _stage(progress: Progress, name: str) -> Progress:
    return lambda done, total, text: progress(done, total, f"{name} {text}".strip())


def _trained(
    question: Question, choice: Mapping[str, Any], trials: Path, pool: Pool, progress: Progress
) -> list[Finding]:
    configs = [TransformerConfig.from_dict(one["config"]) for one in choice["designs"]]
    outcomes = run_trials([question.trial(one) for one in configs], trials, pool, progress)
    made = zip(configs, outcomes, choice["designs"], strict=True)
    return [
        Finding(**{**one, "config": config, "engine": Engine(**one["engine"]), "outcome": outcome})
        for config, outcome, one in made
    ]


class _Counts(TypedDict):
    luts: int
    lutram: int
    ffs: int


class _Counted:
    """LUTs and flip-flops predicted of trained designs, written down: the base grows meanwhile."""

    def __init__(self, path: Path, predictor: Predictor):
        self._path, self._predictor = path, predictor
        try:
            self._known: dict[str, dict[str, int]] = checked(
                dict[str, _Counts], read_json(path), str(path)
            )
        except UserError:
            self._known = {}

    def of(self, quantities: Mapping[str, int]) -> dict[str, int]:
        """For the quantities of a design."""
        text = json.dumps(quantities, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        if key not in self._known:
            found = self._predictor.counts(quantities)
            self._known[key] = {name: int(value) for name, value in found.items()}
            write_whole(self._path, json.dumps(self._known, sort_keys=True) + "\n")
        return self._known[key]


def _proved(
    question: Question,
    findings: list[Finding],
    folder: Path,
    pool: Pool,
    tool: str,
    counted: _Counted,
    progress: Progress,
) -> None:
    """Simulate everything that was trained; synthesize what is to be."""
    val = question.source.load(question.config).val
    spread = np.linspace(0, len(val) - 1, min(question.windows, len(val)))
    bench = Bench(
        windows=val.take(np.unique(spread.round().astype(int))).x,
        part=question.limits.part,
        tool="" if question.synthesis == "none" else tool,
    )
    by_name = {one.title: one for one in findings if one.outcome.model is not None}
    models = {
        name: (one.outcome.model, one.engine)
        for name, one in by_name.items()
        if one.outcome.model is not None
    }
    everything = question.synthesis == "all"

    def prove(names: list[str], synthesized: bool) -> None:
        records = prove_all(
            {name: models[name] for name in names},
            bench,
            folder / "proofs",
            pool,
            synthesized=synthesized,
            progress=progress,
        )
        for name, record in records.items():
            by_name[name].proof = record
            if record["error"] is None:
                by_name[name].counts = counted.of(record["quantities"])

    worth = [n for n, one in by_name.items() if everything and (one.within or not one.baseline)]
    prove([name for name in models if name not in worth], False)
    prove(worth, True)
    if everything or not bench.tool:
        return
    best = sorted((one for one in by_name.values() if not one.baseline), key=Finding.order)
    for one in best:
        if one.sound(question.limits):
            prove([one.title], True)
            if one.sound(question.limits):
                return


def _hand_over(result: dict[str, Any], findings: list[Finding], folder: Path) -> None:
    """Models under their ranks' names, and search.json; those of an earlier answer go."""
    path = folder / "search.json"
    try:
        before = read_json(path, finite=False)["candidates"]
        for one in before:
            if re.fullmatch(r"\d+-[^/\\]+\.safetensors", str(one["model"])):
                (folder / one["model"]).unlink(missing_ok=True)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    models = {one.config.name: one.outcome.model for one in findings}  # of any engine
    for one in result["candidates"]:
        if one["model"] is not None and (source := models[one["name"]]) is not None:
            write_whole(folder / one["model"], source.read_bytes())
    write_whole(path, json.dumps(result, indent=1) + "\n")
