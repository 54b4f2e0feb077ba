"""Proofs of what a search trained: which candidates are simulated, synthesized and routed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bitformer.model.data.datasets import load_source
from bitformer.model.own_data import evenly
from bitformer.model.progress import Progress, silent
from bitformer.search.clocks import CandidateClocks
from bitformer.search.request import SearchRequest
from bitformer.search.results import SearchResult
from bitformer.search.verification import Bench, verify_all
from bitformer.study.workers import WorkerPool
from bitformer.synth.router import router_of

__all__ = ["Prover"]


class Prover:
    """Simulates everything that was trained; synthesizes and routes what is to be.

    Parameters
    ----------
    request : SearchRequest
        What is asked for.
    folder : Path
        Of proofs, which are read where they are there.
    pool : WorkerPool
        Workers.
    tool, router : str
        Names and versions of the Yosys that synthesizes and of the nextpnr that places and routes,
        empty for none.
    progress : callable
        Called with what is done.
    """

    def __init__(
        self,
        request: SearchRequest,
        folder: Path,
        pool: WorkerPool,
        *,
        tool: str = "",
        router: str = "",
        progress: Progress = silent,
    ):
        self._request, self._folder, self._pool = request, folder, pool
        self._progress = progress
        val = load_source(request.source, request.config).val
        detects, spaced = request.config.task == "detect", evenly(request.windows, len(val))
        some = val.take(slice(request.windows) if detects else spaced)  # flags follow one another
        self._bench = Bench(
            windows=some.x,
            clock=some.clock,
            judged=some.y if detects else None,
            part=request.limits.part,
            tool="" if request.synthesis == "none" else tool,
            router="" if request.route == "none" else router,
            asked_hz=_asked_hz(request),
        )

    def prove(
        self,
        results: Sequence[SearchResult],
        count: Callable[[Mapping[str, int]], dict[str, int]],
        clocks: CandidateClocks,
    ) -> None:
        """Fill in the proof, the counts and the clock of each result."""
        request, bench = self._request, self._bench

        def verify(those: Sequence[SearchResult], synthesized: bool, routed: bool = False) -> None:
            models = {
                one.title: (one.outcome.model, one.engine) for one in those if one.outcome.model
            }
            records = verify_all(
                models,
                bench,
                self._folder,
                self._pool,
                synthesized=synthesized,
                routed=routed,
                progress=self._progress,
            )
            for one in those:
                one.proof = records[one.title]
                if one.proof["error"] is None:
                    one.counts = count(one.proof["quantities"])
                one.clock = clocks.of(one.proof)

        trained = [one for one in results if one.outcome.model is not None]
        everything, routes = request.synthesis == "all", request.route == "all"
        worth = [one for one in trained if everything and (one.within or not one.baseline)]
        verify([one for one in trained if one not in worth], False)
        verify(worth, True, routes)
        one_more = (not everything, not routes and bool(bench.router))
        if not bench.tool or not any(one_more):
            return
        for one in sorted((one for one in trained if not one.baseline), key=SearchResult.order):
            if one.sound(request.limits):
                verify([one], True, bool(bench.router))
                if one.sound(request.limits):
                    return


def _asked_hz(request: SearchRequest) -> float:
    """Return what is aimed at in place and route: at least the clock of the limits."""
    router = router_of(request.limits.part)
    return (
        request.limits.clock_hz if router is None else max(router.asked_hz, request.limits.clock_hz)
    )
