"""Searching: models that fit a part within limits."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitformer._models import Model, load
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent

__all__ = ["Candidate", "Found", "find"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Candidate:
    """A trained model of a search.

    Parameters
    ----------
    rank : its place by validation error, from 1.
    path : its file.
    facts : everything that came out, as in ``search.json``.
    """

    rank: int
    path: Path
    facts: dict[str, Any]

    def load(self) -> Model:
        """Load the integer model."""
        return load(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Return what came out as plain data."""
        return dict(self.facts)

    def __repr__(self) -> str:
        return f"<Candidate {self.rank}: {self.path.name}>"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Found:
    """What a search came to.

    Parameters
    ----------
    folder : where everything lies.
    candidates : trained models, the best validation error first.
    best : the one that fits, bit for bit, with the least error; None if none does.
    """

    folder: Path
    candidates: tuple[Candidate, ...]
    best: Candidate | None
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what came out as plain data, as in ``search.json``."""
        return dict(self.facts)

    def __repr__(self) -> str:
        best = "none fits" if self.best is None else f"best {self.best.path.name}"
        return f"<Found {len(self.candidates)} candidates in {self.folder}: {best}>"


def find(
    data: str,
    *,
    part: str = DEFAULT_PART,
    config: str | TransformerConfig = "etth1-96-24",
    target: str | None = None,
    inputs: Sequence[str] | None = None,
    time: str | None = None,
    bits: Sequence[str] = ("4", "4/8", "6", "8"),
    top: int = 5,
    seed: int = 0,
    synthesize: bool = True,
    workers: int | None = None,
    to: str | Path = "runs/search",
    progress: Progress = silent,
    **limits: Any,
) -> Found:
    """Search for bits with which a model fits a part and errs least.

    Every combination of the components' bits is predicted, the best are trained, simulated bit for
    bit and, where there is a Yosys, synthesized. An interrupted search goes on from its folder.

    Parameters
    ----------
    data, target, inputs, time, config : as of :func:`bitformer.train`.
    bits : choices of each component: ``"4"``, or weights and activations apart, ``"4/8"``.
    top : how many are trained, beside those with the same bits everywhere.
    synthesize : whether what was trained is synthesized, too.
    workers : processes; by default one for each core.
    to : folder of the search.
    progress : called with what is done, of how much, and what it is.
    limits : ``latency_us``, ``energy_j``, ``luts``, ``lutram``, ``ffs``, ``ramb18``, ``dsps``,
        ``clock_hz``.

    Raises
    ------
    UserError
        If nothing can be within the limits, or data or limits will not do.
    """
    from bitformer.estimate.knowledge import known_entries
    from bitformer.estimate.predictor import Predictor
    from bitformer.model.own_data import suited
    from bitformer.model.precision import Precision
    from bitformer.model.torch_installed import require_torch
    from bitformer.search.limits import Limits
    from bitformer.search.request import SearchRequest
    from bitformer.search.run import run_search
    from bitformer.study.trials import DataSource
    from bitformer.study.workers import open_pool
    from bitformer.synth.yosys import find_tool

    require_torch()
    known = {field.name for field in dataclasses.fields(Limits)} - {"part"}
    if unknown := sorted(set(limits) - known):
        raise UserError(f"limits must be among {', '.join(sorted(known))}, not {unknown[0]}")
    source = DataSource(
        data=str(Path(data).resolve()) if Path(data).is_file() else data,
        target=target,
        inputs=None if inputs is None else tuple(inputs),
        time=time,
    )
    chosen = named_config(config) if isinstance(config, str) else config
    chosen, _ = suited(chosen, source.load(chosen))
    question = SearchRequest(
        config=chosen,
        source=source,
        limits=Limits(part=part, **limits),
        bits=tuple(Precision.parse(one) for one in bits),
        top=top,
        seed=seed,
        synthesis="all" if synthesize else "none",
    )
    folder = Path(to)
    with open_pool(workers, None) as pool:
        facts = run_search(
            question,
            folder,
            pool,
            Predictor(known_entries(None)),
            tool=find_tool().version if synthesize else "",
            progress=progress,
        )
    facts.pop("entries")
    candidates = tuple(
        Candidate(rank=one["rank"], path=folder / one["model"], facts=one)
        for one in facts["candidates"]
        if one["model"] is not None
    )
    winner = facts["chosen"]
    best = None
    if winner is not None:
        best = next(one for one in candidates if one.rank == winner["rank"])
    return Found(folder=folder, candidates=candidates, best=best, facts=facts)
