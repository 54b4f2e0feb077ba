"""Place and route with nextpnr: several seeds at once, of which the best counts.

What was routed is kept by what it was made of: a run that was broken off goes on with the seeds
that are missing.
"""

import contextlib
import gzip
import hashlib
import json
import logging
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitformer.model.cache import Cache, tools_environment, user_folder
from bitformer.model.errors import UserError
from bitformer.model.process import cores, end_children, run_child
from bitformer.model.progress import Progress, silent
from bitformer.model.strict_json import parse_json
from bitformer.synth.router import Chip
from bitformer.synth.tools import Tool, find_program, last_lines, reason_of

__all__ = ["SEEDS", "Placed", "default_cache", "pack", "place_and_route"]

#: Seeds that are tried unless it is said how many.
SEEDS = 3

_SUFFIX = ".route.gz"
_NETLIST, _REPORT, _LOG, _BITS = "top.json", "report.json", "log.txt", "top.bit"
#: Lines of nextpnr's log that begin its stages, for the progress.
_STAGES = (
    "Packing constants",
    "initial placer iter",
    "simulated annealing",
    "Routing",
    "histogram",
)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What nextpnr wrote with one seed: its ``report``, its ``log``, and the ``result`` to pack.

    ``again`` says that it died without a word first; ``tool`` is its name and version.
    """

    seed: int
    tool: str
    report: Mapping[str, Any]
    log: str
    result: str
    seconds: float
    again: bool


def default_cache() -> Path | None:
    """Return bitformer's folder of routed designs in the user's cache, if there can be one."""
    return user_folder("routing")


class _GivenUpError(Exception):
    """Another thread was interrupted."""


def place_and_route(
    netlist: str,
    target: Chip,
    *,
    clock_hz: float,
    pins: str | None = None,
    seeds: Sequence[int] = tuple(range(1, SEEDS + 1)),
    cache: Path | None = None,
    progress: Progress = silent,
) -> tuple[list[Placed], dict[int, str]]:
    """Place and route a netlist with several seeds, as many at a time as there are cores.

    Where nextpnr dies and does not say why, it is run once more, and the log of bitformer says so.
    On Ctrl-C, every nextpnr is ended, and nothing is left but the seeds that are finished.

    Parameters
    ----------
    netlist : str
        Yosys' JSON, of one module.
    target : Chip
        The chip.
    clock_hz : float
        What to aim at, for clocks that ``pins`` do not constrain.
    pins : str or None
        Pins and clocks in nextpnr's language; None lets ports lie anywhere, or leaves them out
        where the target's router keeps but a few.
    seeds : sequence of int
        Of nextpnr's random numbers: positive, each once.
    cache : Path or None
        Folder of seeds that are finished; by default bitformer's in the user's cache.
    progress : callable
        Called with stages done, of all, and what goes on.

    Returns
    -------
    list of Placed
        By seed; one at least.
    dict of int to str
        Why others failed.

    Raises
    ------
    UserError
        If there is no nextpnr, ``seeds`` will not do, or every seed fails.
    """
    if not seeds or min(seeds) < 1 or len(set(seeds)) != len(seeds):
        raise UserError(f"seeds must be different numbers from 1 on, not {list(seeds)}")
    tool = find_program(target.router.program)
    job = _Job(tool, target, netlist, pins, clock_hz, Cache(cache or default_cache()))
    done = {seed: placed for seed in sorted(seeds) if (placed := job.kept(seed)) is not None}
    left = [seed for seed in sorted(seeds) if seed not in done]
    failed: dict[int, str] = {}
    if left:
        _prepare(tool, progress)
        new, failed = job.run(left, progress)
        done |= new
    if not done:
        raise UserError(next(iter(failed.values())))
    return [done[seed] for seed in sorted(done)], failed


def _prepare(tool: Tool, progress: Progress) -> None:
    """Have a program in WebAssembly compiled once, before several of it run."""
    if len(tool.command) > 1:
        progress(0, None, f"preparing {tool.version} (a minute or so, once)")
        with (
            tempfile.TemporaryDirectory(prefix="bitformer-") as folder,
            Path(folder, _LOG).open("wb") as output,
        ):
            command = [*tool.command, "--version"]
            run_child(command, cwd=Path(folder), output=output, variables=_variables(folder))


def _variables(folder: str | Path) -> dict[str, str]:
    """Return the environment of a tool whose own temporary files go with ``folder``."""
    return {**tools_environment(), "TMPDIR": str(folder)}


class _Job:
    """A netlist, the target, and what is to be reached."""

    def __init__(
        self,
        tool: Tool,
        target: Chip,
        netlist: str,
        pins: str | None,
        clock_hz: float,
        cache: Cache,
    ):
        self._tool, self._cache = tool, cache
        router = target.router
        option, named = router.constraints
        if pins is None and router.ports:
            netlist = _without_ports(netlist, router.ports)
        self._result = router.result[1]
        self._files = {_NETLIST: netlist} | ({} if pins is None else {named: pins})
        self._command = (
            *(*target.options, "--json", _NETLIST, "--freq", f"{clock_hz / 1e6:.6f}"),
            *(router.without_pins if pins is None else (option, named)),
            *("--report", _REPORT, "--log", _LOG, "--quiet", "--timing-allow-fail"),
            *(*router.result, *router.options),
        )
        self._digest = hashlib.sha256(
            "\0".join([tool.version, *self._command, netlist, pins or ""]).encode()
        )
        self._stop = threading.Event()

    def _key(self, seed: int) -> str:
        digest = self._digest.copy()
        digest.update(f"\0{seed}".encode())
        return digest.hexdigest()

    def kept(self, seed: int) -> Placed | None:
        """Return what was routed before; None if it was not."""
        found = self._cache.read(self._key(seed), _SUFFIX)
        return None if found is None else Placed(**json.loads(gzip.decompress(found)))

    def run(
        self, seeds: Sequence[int], progress: Progress
    ) -> tuple[dict[int, Placed], dict[int, str]]:
        """Route seeds; return those that came out, and why the others failed."""
        done: dict[int, Placed] = {}
        failed: dict[int, str] = {}
        with tempfile.TemporaryDirectory(prefix="bitformer-") as folder:
            folders = {seed: Path(folder, str(seed)) for seed in seeds}
            pool = ThreadPoolExecutor(min(len(seeds), cores()))
            try:
                running = {pool.submit(self._seed, seed, folders[seed]): seed for seed in seeds}
                waiting: set[Future] = set(running)
                while waiting:
                    total = len(seeds) * len(_STAGES)
                    progress(_stages(folders.values()), total, f"placing and routing, {_of(seeds)}")
                    ready, waiting = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
                    for future in ready:
                        try:
                            done[running[future]] = future.result()
                        except UserError as error:
                            failed[running[future]] = str(error)
                progress(total, total, f"placing and routing, {_of(seeds)}")
            finally:
                self._stop.set()
                self._end(running.keys())
                pool.shutdown(wait=True, cancel_futures=True)
        return done, dict(sorted(failed.items()))

    def _end(self, futures: Iterable[Future]) -> None:
        """End what still runs, after an interrupt: also what starts while we look."""
        for future in futures:
            future.cancel()
        while any(future.running() for future in futures):
            end_children()
            time.sleep(0.02)

    def _seed(self, seed: int, folder: Path) -> Placed:
        folder.mkdir()
        for name, text in self._files.items():
            (folder / name).write_text(text, encoding="utf-8")
        started, again = time.monotonic(), False
        status, said = self._once(seed, folder)
        if self._died(status, folder) and reason_of(said) is None:
            logging.getLogger("bitformer").warning(
                f"{self._tool.version} ended with exit status {status} and did not say why, with"
                f" seed {seed}: once more"
            )
            again = True
            status, said = self._once(seed, folder)
        if self._died(status, folder):
            why = reason_of(said)
            raise UserError(
                f"{self._tool.version} failed with exit status {status}, with seed {seed}"
                + (last_lines(said) if why is None else f": {why}")
            )
        placed = Placed(
            seed=seed,
            tool=self._tool.version,
            report=parse_json(_said(folder, _REPORT), "nextpnr's report"),
            log=said,
            result=(folder / self._result).read_text(encoding="utf-8"),
            seconds=time.monotonic() - started,
            again=again,
        )
        data = gzip.compress(json.dumps(vars(placed)).encode(), 6, mtime=0)
        self._cache.keep(self._key(seed), _SUFFIX, data)
        return placed

    def _once(self, seed: int, folder: Path) -> tuple[int, str]:
        """Run nextpnr and return its exit status, and what it said."""
        for name in (_REPORT, self._result, _LOG):
            (folder / name).unlink(missing_ok=True)
        if self._stop.is_set():
            raise _GivenUpError
        with (folder / "said.txt").open("wb") as output:
            status = run_child(
                [*self._tool.command, *self._command, "--seed", str(seed)],
                cwd=folder,
                output=output,
                variables=_variables(folder),
            )
        if self._stop.is_set():
            raise _GivenUpError
        return status, _said(folder, _LOG) or _said(folder, "said.txt")

    def _died(self, status: int, folder: Path) -> bool:
        return status != 0 or not all((folder / name).is_file() for name in (_REPORT, self._result))


def _without_ports(netlist: str, kept: Sequence[str]) -> str:
    """Return a netlist whose modules have no other ports than these: others lead nowhere.

    Logic that serves a port stays: nextpnr removes none.
    """
    data = json.loads(netlist)
    for module in data["modules"].values():
        ports = module.get("ports", {})
        module["ports"] = {name: port for name, port in ports.items() if name in kept}
    return json.dumps(data)


def _said(folder: Path, name: str) -> str:
    with contextlib.suppress(OSError):
        return (folder / name).read_text(encoding="utf-8", errors="replace")
    return ""


def _stages(folders: Iterable[Path]) -> int:
    """Return how many stages the logs in the folders have reached."""
    return sum(
        stage in text for folder in folders for text in [_said(folder, _LOG)] for stage in _STAGES
    )


def _of(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds"


def pack(result: str, target: Chip, options: Sequence[str] = ()) -> bytes:
    """Return the bitstream of what nextpnr wrote.

    Raises
    ------
    UserError
        If the packer is not here, or fails.
    """
    tool = find_program(target.router.packer)
    with tempfile.TemporaryDirectory(prefix="bitformer-") as name:
        folder = Path(name)
        (folder / target.router.result[1]).write_text(result, encoding="utf-8")
        command = [*tool.command, *options, *target.router.packing]
        with (folder / _LOG).open("wb") as output:
            status = run_child(command, cwd=folder, output=output, variables=_variables(folder))
        bitstream = folder / _BITS
        if status != 0 or not bitstream.is_file():
            said = _said(folder, _LOG)
            why = reason_of(said)
            ending = last_lines(said) if why is None else f": {why}"
            raise UserError(f"{tool.version} failed with exit status {status}{ending}")
        return bitstream.read_bytes()
