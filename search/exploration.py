"""A search from a question to trained, proved designs: measure, filter, rank, train, prove.

The folder of a search holds

    results/, runs/      its trainings (:mod:`.trials`)
    choice.json          what was chosen to be trained, and what was predicted of it
    proofs/              simulation and synthesis of each trained candidate
    N-NAME.safetensors   the candidates, the best validation error first
    search.json          what came out

Each step reads what is there, so that a search that was killed comes to what it would have come to.
What was chosen stays chosen, although the knowledge base grows by what the search synthesizes.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision

from .choice import Choice, choose, nearest_miss
from .field import Added, Field, component_field, tensor_field
from .findings import Finding, conclusion
from .predict import Predictor
from .proof import Bench, prove_all
from .question import Question
from .rank import RESOURCES, energy_of, pareto, within
from .sensitivity import alone_trials
from .trials import run_trials
from .workers import Pool

__all__ = ["explore"]

#: After so many designs were lowered, the others are taken as the space says.
_MOST_LOWERED = 120
#: Called with (done, in all, what).
Report = Callable[[int, int, str], None]


def _measured(
    question: Question, trials: Path, pool: Pool, report: Report
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
    outcomes = run_trials(wanted.values(), trials, pool, report)
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
    report: Report = lambda _done, _total, _text: None,
) -> dict[str, Any]:
    """Search, and leave in ``folder`` what came out; returned as plain data, as in search.json.

    Parameters
    ----------
    predictor : not asked when the choice was made before.
    added : sensitivities; None measures them.
    trials : a folder of trainings that searches share; by default the search's own.
    tool : name and version of the Yosys that synthesizes, empty for none.

    Raises
    ------
    UserError
        If nothing is within the limits, which names the tightest and the nearest miss.
    """
    trials = trials or folder
    known = added or _measured(question, trials, pool, _stage(report, "sensitivity"))
    choice = _choice(question, known, folder, predictor, _stage(report, "ranking"))
    findings = _trained(question, choice, trials, pool, _stage(report, "training"))
    _proved(question, findings, folder, pool, tool, _stage(report, "proving"))
    result = {
        "question": question.to_dict(),
        "sensitivity": {n: {str(b): e for b, e in own.items()} for n, own in known.items()},
        "space": choice["space"],
        **conclusion(findings, question.limits),
    }
    _hand_over(result, findings, folder)
    entries = [entry for one in findings for entry in (one.proof or {}).get("entries", ())]
    return result | {"entries": entries}


def _stage(report: Report, name: str) -> Report:
    return lambda done, total, text: report(done, total, f"{name} {text}".strip())


def _choice(
    question: Question,
    added: Added,
    folder: Path,
    predictor: Predictor,
    report: Report,
) -> dict[str, Any]:
    """What is to be trained: read, or found and written down."""
    asked = question.to_dict()
    for name in ("windows", "synthesis"):
        del asked[name]
    asked["sensitivity"] = {n: {str(b): e for b, e in own.items()} for n, own in added.items()}
    text = json.dumps(asked, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = folder / "choice.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["digest"] == digest:
            return data
    except (OSError, ValueError, TypeError, KeyError):
        pass
    report(0, 1, "")
    found = _chosen(question, _field(question, added, predictor, report), report)
    data = json.loads(json.dumps({"digest": digest, **found}))
    _write(path, json.dumps(data, indent=1))
    report(1, 1, "")
    return data


def _field(question: Question, added: Added, predictor: Predictor, report: Report) -> Field:
    common = (question.config, question.bits, added, predictor, question.limits)
    options: dict[str, Any] = {"lanes": question.lanes, "baselines": question.compared}
    if question.enumerated:
        return component_field(*common, **options)
    return tensor_field(
        *common,
        **options,
        by=question.score,
        tries=question.tries,
        seed=question.seed,
        progress=lambda done: report(done, question.tries, ""),
    )


def _settled(question: Question, field: Field, report: Report) -> list[Choice]:
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
        report(min(lowered, _MOST_LOWERED), _MOST_LOWERED, "designs")
        if lowered >= _MOST_LOWERED:
            own[:] = True  # as they are, from here on


def _chosen(question: Question, field: Field, report: Report) -> dict[str, Any]:
    """The choice of a field, as plain data."""
    limits, outcomes = question.limits, field.outcomes
    chosen = _settled(question, field, report)
    kept = within(outcomes, limits)
    free = kept.copy()
    free[list(field.uniform.values())] = False
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
            "within": int(free.sum()),
            "pareto": points[pareto(points)].tolist(),
        },
        "designs": [
            *(described(one.number, one.why, False) for one in chosen),
            *(described(number, name, True) for name, number in field.uniform.items()),
        ],
    }


def _trained(
    question: Question, choice: Mapping[str, Any], trials: Path, pool: Pool, report: Report
) -> list[Finding]:
    configs = [TransformerConfig.from_dict(one["config"]) for one in choice["designs"]]
    outcomes = run_trials([question.trial(one) for one in configs], trials, pool, report)
    return [
        Finding(config=config, outcome=outcome, **{n: v for n, v in one.items() if n != "config"})
        for config, outcome, one in zip(configs, outcomes, choice["designs"], strict=True)
    ]


def _proved(
    question: Question,
    findings: list[Finding],
    folder: Path,
    pool: Pool,
    tool: str,
    report: Report,
) -> None:
    """Simulate every candidate and the baselines that fit; synthesize what is to be."""
    val = question.source.load(question.config).val
    spread = np.linspace(0, len(val) - 1, min(question.windows, len(val)))
    bench = Bench(
        windows=val.take(np.unique(spread.round().astype(int))).x,
        part=question.limits.part,
        lanes=question.lanes,
        tool="" if question.synthesis == "none" else tool,
    )
    by_name = {
        one.config.name: one
        for one in findings
        if one.outcome.model is not None and (one.within or not one.baseline)
    }
    models = {name: one.outcome.model for name, one in by_name.items() if one.outcome.model}
    everything = question.synthesis == "all"

    def prove(names: list[str], synthesized: bool) -> None:
        records = prove_all(
            {name: models[name] for name in names},
            bench,
            folder / "proofs",
            pool,
            synthesized=synthesized,
            report=report,
        )
        for name, record in records.items():
            by_name[name].proof = record

    prove(list(models), everything)
    if everything or not bench.tool:
        return
    best = sorted((one for one in by_name.values() if not one.baseline), key=Finding.order)
    for one in best:
        if one.sound(question.limits):
            prove([one.config.name], True)
            if one.sound(question.limits):
                return


def _hand_over(result: dict[str, Any], findings: list[Finding], folder: Path) -> None:
    """Models under their ranks' names, and search.json; those of an earlier answer go."""
    path = folder / "search.json"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["candidates"]
        for one in before:
            if re.fullmatch(r"\d+-[^/\\]+\.safetensors", str(one["model"])):
                (folder / one["model"]).unlink(missing_ok=True)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    models = {one.config.name: one.outcome.model for one in findings}
    for one in result["candidates"]:
        if one["model"] is not None and (source := models[one["name"]]) is not None:
            _write(folder / one["model"], source.read_bytes())
    _write(path, json.dumps(result, indent=1))


def _write(path: Path, content: str | bytes) -> None:
    """A file that appears whole or not at all."""
    data = content if isinstance(content, bytes) else (content + "\n").encode()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
