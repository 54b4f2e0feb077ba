"""Searching: models that fit a part within limits."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bitformer._estimates import predictor_of
from bitformer._models import Model, Note, load, unheard
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent

__all__ = ["Candidate", "Found", "find"]

#: File of the picture, in the folder of a search.
_PICTURE = "pareto.png"


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
    picture : errors against latency and energy; None without matplotlib.
    facts : everything that came out, as in ``search.json``.
    """

    folder: Path
    candidates: tuple[Candidate, ...]
    best: Candidate | None
    picture: Path | None
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what came out as plain data, as in ``search.json``."""
        return {
            "output": str(self.folder),
            "model": None if self.best is None else str(self.best.path),
            "picture": None if self.picture is None else str(self.picture),
            **self.facts,
        }

    def __repr__(self) -> str:
        best = "none fits" if self.best is None else f"best {self.best.path.name}"
        return f"<Found {len(self.candidates)} candidates in {self.folder}: {best}>"


def _tool(synthesis: str, note: Note) -> str:
    """Return the Yosys there is; tell where there is none."""
    from bitformer.synth.yosys import find_tool

    if synthesis == "none":
        return ""
    try:
        return find_tool().version
    except UserError as error:
        note(f"Nothing is synthesized, and predicted figures are kept. {error}")
        return ""


def _router(part: str, tool: str, route: str, note: Note) -> str:
    """Return the nextpnr that routes a part here; tell where it is not here."""
    from bitformer.synth.router import router_of
    from bitformer.synth.tools import find_program

    router = router_of(part)
    if router is None or not tool or route == "none":
        return ""
    try:
        return find_program(router.program).version
    except UserError as error:
        note(f"Nothing is placed and routed, and clocks are predicted ones. {error}")
        return ""


def _picture(facts: dict[str, Any], folder: Path, note: Note) -> Path | None:
    from bitformer.search.plot import plot_search

    try:
        plot_search(facts, folder / _PICTURE)
    except UserError as error:
        note(f"No picture: {error}")
        return None
    return folder / _PICTURE


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return what of the options is a limit, a field of the request, and a training's setting."""
    from bitformer.model.train_settings import TrainSettings
    from bitformer.search.limits import Limits
    from bitformer.search.request import SearchRequest

    kinds = [{one.name for one in dataclasses.fields(kind)} for kind in (Limits, SearchRequest)]
    kinds.append({one.name for one in dataclasses.fields(TrainSettings)})
    known = set().union(*kinds) - {"config", "source", "limits", "settings"}
    if unknown := sorted(set(options) - known):
        raise UserError(f"limits must be among {', '.join(sorted(known))}, not {unknown[0]}")
    limits, asked = ({n: options.pop(n) for n in names & set(options)} for names in kinds[:2])
    return limits, asked, options


def find(
    data: str,
    *,
    config: str | TransformerConfig | None = None,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    sense: str | None = None,
    ahead: int | None = None,
    task: str | None = None,
    time: str | Sequence[str] | None = None,
    bits: Sequence[str] = ("4", "4/8", "6", "8"),
    blocks: Sequence[str] = (),
    baselines: Sequence[str] | None = None,
    sensitivity: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    to: str | Path = "runs/search",
    trials: str | Path | None = None,
    kb: str | Path | None = None,
    note: Note = unheard,
    progress: Progress = silent,
    **options: Any,
) -> Found:
    """Search for bits with which a model fits a part and errs least.

    What errs least has the least mean square of forecasts on validation windows, of a detector's,
    too, or the least cross entropy of classes. Every combination of the components' bits is
    predicted, the best are trained, simulated bit for bit and, where there is a Yosys, synthesized.
    On a part that is routed here, the chosen one is placed and routed, and its latency is that at
    the clock it reaches. An interrupted search goes on from its folder.

    Parameters
    ----------
    data, target, inputs, sense, ahead, task, time, config
        As of :func:`bitformer.train`.
    bits
        Choices of each component: ``"4"``, or weights and activations apart, ``"4/8"``; with
        weights that are powers of two, ``"4p/8"``.
    blocks
        Kinds of layers to choose among, of ``"attention"``, ``"mixer"`` and ``"mlp"``, each of
        about the MACs of ``config``; by default that of ``config`` alone.
    baselines
        Bits that everything has, trained to be compared with; by default ``bits``.
    sensitivity
        A file of sensitivities, instead of measuring them.
    workers, scheduler
        Processes, by default one for each core; or a Dask scheduler's address.
    to
        Folder of the search.
    trials
        Folder of trainings that searches share; by default ``to``.
    kb
        A knowledge base of your own beside the one that ships.
    note
        Told what is remarkable of the data, and what is done without.
    progress
        Called with what is done, of how much, and what it is.
    **options
        Limits, ``part``, ``latency_us``, ``energy_j``, ``luts``, ``lutram``, ``ffs``, ``ramb18``,
        ``dsps``, ``clock_hz``; fields of :class:`bitformer.search.request.SearchRequest` such as
        ``top``, ``seed``, ``synthesis`` and ``route``; settings of training such as ``epochs``;
        fields of :class:`bitformer.model.data.reading.Reading`.

    Raises
    ------
    UserError
        If nothing can be within the limits, or data, limits or options will not do.
    """
    from bitformer.estimate.knowledge import Entry, known_entries, remember
    from bitformer.model.data.reading import without_reading
    from bitformer.model.folder_lock import held
    from bitformer.model.precision import Precision
    from bitformer.search.limits import Limits
    from bitformer.search.request import SearchRequest
    from bitformer.search.run import run_search
    from bitformer.study.sensitivity import read_added
    from bitformer.study.trials import FOLDERS, source_of
    from bitformer.study.workers import open_pool

    reading, options = without_reading(options)
    bounds, asked, settings = _split(options)
    limits = Limits(**bounds)
    asked["bits"], asked["baselines"] = (
        None if choices is None else tuple(map(Precision.parse, choices))
        for choices in (bits, baselines)
    )
    asked["blocks"] = tuple(blocks)
    if sensitivity is not None and len(blocks) > 1:
        raise UserError(
            "--sensitivity must be left out with several kinds of --block, each of which has its"
            " own: leave it out, and they are measured"
        )
    added = None if sensitivity is None else read_added(Path(sensitivity))
    columns = {"target": target, "inputs": inputs, "time": time, **reading}
    columns |= {"sense": sense, "ahead": ahead, "task": task}
    chosen, source = source_of(data, config, note, **columns)
    request = SearchRequest(config=chosen, source=source, limits=limits, settings=settings, **asked)
    if not request.enumerated and not request.per_tensor:
        note(
            "The space is too large to look at all of it: NSGA-II draws bits for each weight and"
            " tensor"
        )
    own = None if kb is None else Path(kb)
    known = known_entries(own)
    predictor = predictor_of(known, request.limits.part, note)
    if predictor is None:
        raise UserError("A search needs measured designs to predict by: 'bitformer profile' first")
    tool = _tool(request.synthesis, note)
    router = _router(request.limits.part, tool, request.route, note)
    folder, shared = Path(to), Path(trials or to)
    with ExitStack() as stack:
        for each in {folder.resolve(), shared.resolve()}:
            stack.enter_context(held(each, inside=(*FOLDERS, "proofs")))
        pool = stack.enter_context(open_pool(workers, scheduler))
        facts = run_search(
            request,
            folder,
            pool,
            predictor,
            added=added,
            trials=shared,
            tool=tool,
            router=router,
            entries=known,
            progress=progress,
        )
    if entries := facts.pop("entries"):
        remember(own, (Entry.from_dict(one) for one in entries), note)
    candidates = tuple(
        Candidate(rank=one["rank"], path=folder / one["model"], facts=one)
        for one in facts["candidates"]
        if one["model"] is not None
    )
    best = None
    if facts["chosen"] is not None:
        best = next(one for one in candidates if one.rank == facts["chosen"]["rank"])
    return Found(
        folder=folder,
        candidates=candidates,
        best=best,
        picture=_picture(facts, folder, note),
        facts=facts,
    )
