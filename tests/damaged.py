"""Damaged inputs by the thousand: every reader refuses in a sentence, or the input is as it was.

    python tests/damaged.py                       10 000 cases of all kinds, on two processes
    python tests/damaged.py --kinds csv,config --count 200
    python tests/damaged.py --case csv-17         one case by its number: what was done, and the end

A case depends on its kind and number alone. What is done is kept in --work, and the same command
goes on. The exit code is 1 if a case ended as it must not.
"""

import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import click

__all__ = ["main"]

#: Seconds after which a process that cannot be interrupted is ended, and its case counts as a hang.
PATIENCE = 100


def _work(pipe, root: str) -> None:
    """A process: takes (kind, number), gives how it ended, until it is given nothing."""
    sys.dont_write_bytecode = True
    os.nice(5)
    os.environ["XDG_CACHE_HOME"] = str(Path(root) / "cache")
    from amaranth.hdl import UnusedElaboratable
    from fuzz.kinds import run_case

    logging.disable()
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", category=UnusedElaboratable)
    warnings.filterwarnings("ignore", category=ResourceWarning)
    while (task := pipe.recv()) is not None:
        verdict, done = run_case(*task, Path(root))
        pipe.send({"outcome": verdict.outcome, "detail": verdict.detail, "done": done})


class _Worker:
    """A process that is started anew when it dies, or has to be ended."""

    def __init__(self, root: Path):
        self._root = root
        self._process: Any = None

    def run(self, kind: str, number: int) -> dict[str, Any]:
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs, str(self._root)))
            self._process.start()
            theirs.close()
        self._pipe.send((kind, number))
        try:
            if self._pipe.poll(PATIENCE):
                return self._pipe.recv()
            ended = {"outcome": "hang", "detail": "it cannot be interrupted", "done": []}
        except EOFError:
            ended = {"outcome": "crash", "detail": "the process died", "done": []}
        self._process.kill()
        self._process.join()
        self._process = None
        return ended

    def close(self) -> None:
        if self._process is not None:
            self._pipe.send(None)
            self._process.join()


def _cases(kinds: dict[str, Any], count: int) -> list[tuple[str, int]]:
    """So many cases, of each kind its share, in a mixed order."""
    whole = sum(kind.share for kind in kinds.values())
    ends = 0
    found = []
    for name, kind in kinds.items():
        begins, ends = ends, ends + kind.share
        own = round(count * ends / whole) - round(count * begins / whole)
        found += [((number + 0.5) / own, name, number) for number in range(own)]
    return [(name, number) for _, name, number in sorted(found)]


def _run_all(
    cases: list[tuple[str, int]], root: Path, record: Path, processes: int
) -> dict[str, dict]:
    """Every case's end by its name; those that the record holds are read."""
    ended: dict[str, dict] = {}
    if record.exists():
        for line in record.read_text().splitlines():
            one = json.loads(line)
            ended[one.pop("case")] = one
    wanted = iter([case for case in cases if f"{case[0]}-{case[1]}" not in ended])
    lock, started = threading.Lock(), time.monotonic()

    def serve() -> None:
        worker = _Worker(root)
        while True:
            with lock:
                case = next(wanted, None)
            if case is None:
                break
            found = worker.run(*case)
            with lock, record.open("a") as out:
                name = f"{case[0]}-{case[1]}"
                ended[name] = found
                out.write(json.dumps({"case": name, **found}) + "\n")
                if len(ended) % 50 == 0:
                    took = time.monotonic() - started
                    click.echo(f"{len(ended)} of {len(cases)} in {took:.0f} s", err=True)
        worker.close()

    threads = [threading.Thread(target=serve) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: ended[name] for name in (f"{kind}-{number}" for kind, number in cases)}


def _table(ended: dict[str, dict], bad: tuple[str, ...]) -> str:
    """Cases by kind and end."""
    counts: dict[str, Counter] = {}
    for name, one in ended.items():
        counts.setdefault(name.rpartition("-")[0], Counter())[one["outcome"]] += 1
    counts["all"] = sum(counts.values(), Counter())
    always = ("traceback", "hang", "silent")
    seen = [outcome for outcome in bad if counts["all"][outcome] or outcome in always]
    columns = ["exit 0", "check failed", "refused", *seen]
    lines = ["| kind | cases | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for kind, count in counts.items():
        cells = [kind, count.total(), *(count[outcome] for outcome in columns)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _one(case: str, root: Path, keep: Path | None) -> bool:
    from fuzz.kinds import run_case

    kind, _, number = case.rpartition("-")
    folder = keep or Path(tempfile.mkdtemp(prefix=f"{case}-"))
    verdict, done = run_case(kind, int(number), root, keep=folder)
    click.echo("\n".join([*done, f"{verdict.outcome}: {verdict.detail}", f"Left in {folder}"]))
    return verdict.bad


@click.command()
@click.option("--kinds", metavar="K,...", help="Only these kinds.")
@click.option("--count", default=10_000, show_default=True, help="Cases of all kinds together.")
@click.option("--processes", default=2, show_default=True)
@click.option("--case", metavar="KIND-NUMBER", help="Run one case, and keep its folder.")
@click.option("--keep", type=click.Path(path_type=Path), help="The folder that --case leaves.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("build/damaged"),
    show_default=True,
    help="Originals, and what is done so far.",
)
@click.option("--restart", is_flag=True, help="Forget what is done so far.")
@click.option("--json", "as_json", is_flag=True)
def main(
    kinds: str | None,
    count: int,
    processes: int,
    case: str | None,
    keep: Path | None,
    work: Path,
    restart: bool,
    as_json: bool,
) -> None:
    """Run damaged inputs through the readers that they are for."""
    from fuzz.judge import BAD
    from fuzz.kinds import KINDS, make

    work = work.resolve()
    if restart:
        shutil.rmtree(work, ignore_errors=True)
    root = work / "originals"
    root.mkdir(parents=True, exist_ok=True)
    if case is not None:
        sys.exit(_one(case, root, keep))
    chosen = KINDS if kinds is None else {name: KINDS[name] for name in kinds.split(",")}
    for name in chosen:
        make(name, root)
    ended = _run_all(_cases(chosen, count), root, work / "done.jsonl", processes)
    wrong = {name: one for name, one in ended.items() if one["outcome"] in BAD}
    if as_json:
        click.echo(json.dumps({"cases": len(ended), "wrong": wrong}, indent=1))
    else:
        for name, one in wrong.items():
            click.echo(f"{name}: {one['outcome']}: {one['done']}\n{one['detail']}\n")
        click.echo(_table(ended, BAD))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
