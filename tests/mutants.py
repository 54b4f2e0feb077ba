"""Changes of the hardware and of its integer reference, one at a time: which do tests notice?

    python tests/mutants.py                        200 mutants of seed 1, one process for each core
    python tests/mutants.py --count 40 --seed 7
    python tests/mutants.py --files hw/units/softmax.py
    python tests/mutants.py --again --limit 200    what survived, with more of its tests

A mutant is drawn by the seed alone. Each is made in a copy of the repository as it was committed,
and the tests that cover its file run until one fails. What was run is kept in build/mutants, and
the same command goes on; report.md there lists what survived. The exit code is 1 if a mutant
survived that is not among tests/mutation/equivalents.py.
"""

import hashlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import click
from mutation.copies import Copy
from mutation.equivalents import EQUIVALENTS
from mutation.rules import Place, places

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
T = TypeVar("T")
#: What is mutated: gateware and what it follows from, and the arithmetic of the reference.
FOLDERS = (
    "hw/*.py",
    "hw/units/*.py",
    "hw/lowering/**/*.py",
    "boards/shell/**/*.py",
    "model/numerics.py",
    "model/gelu.py",
    "model/operations/*.py",
)


def drawn(count: int, seed: int, files: tuple[str, ...]) -> list[Place]:
    """Return mutants: files by how much is in them, and places by chance."""
    every = [
        place
        for file in sorted({path for pattern in FOLDERS for path in ROOT.glob(pattern)})
        if not files or file.relative_to(ROOT).as_posix() in files
        for place in places(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


def _equivalent(result: dict[str, object]) -> str | None:
    """Return why a mutant is equal to the original, if it is."""
    return EQUIVALENTS.get((str(result["file"]), str(result["was"]), str(result["becomes"])))


def report(results: list[dict[str, object]], asked: int, seed: int, commit: str) -> str:
    """Return the report as Markdown."""
    verdicts = [str(result["verdict"]) for result in results]
    killed = verdicts.count("killed")
    survived = [result for result in results if result["verdict"] == "survived"]
    equal = [result for result in survived if _equivalent(result)]
    counted = killed + len(survived) - len(equal)
    lines = [
        "# Mutants",
        "",
        f"Seed {seed}, {commit}: {asked} drawn, {len(results)} run, {killed} killed, "
        f"{len(survived)} survived, {len(equal)} of these equal to the original, "
        f"{verdicts.count('unfinished')} not finished in time.",
        "",
        f"Score: {100 * killed / max(1, counted):.1f} % of {counted}.",
        "",
        "| file | line | was | becomes | equal because |",
        "|---|---|---|---|---|",
    ]
    for result in sorted(survived, key=lambda one: str(one["key"])):
        row = [str(result[name]) for name in ("file", "line", "was", "becomes")]
        row.append(_equivalent(result) or "")
        cells = (" ".join(cell.split()).replace("|", "\\|")[:160] for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _each(left: queue.Queue[T], stop: threading.Event) -> Iterator[T]:
    """Yield what is left until there is none, or it is to stop."""
    while not stop.is_set():
        try:
            yield left.get_nowait()
        except queue.Empty:
            return


@click.command(help=__doc__)
@click.option("--count", default=200, type=click.IntRange(1), help="Mutants.")
@click.option("--seed", default=1, help="Which are drawn.")
@click.option("--jobs", default=os.cpu_count() or 1, type=click.IntRange(1), help="Copies.")
@click.option("--limit", default=30.0, help="Seconds of the processor for a turn of tests.")
@click.option("--again", is_flag=True, help="Those, too, that survived tests cut short by --limit.")
@click.option("--files", default="", help="Only of these, with commas between.")
@click.option("--work", default=ROOT / "build" / "mutants", type=click.Path(path_type=Path))
def main(
    count: int, seed: int, jobs: int, limit: float, again: bool, files: str, work: Path
) -> None:
    """Draw, run, report."""
    # a shell's background job is born without it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    chosen = tuple(part for part in files.split(",") if part)
    mutants = drawn(count, seed, chosen)
    record = work / f"results-{seed}-{hashlib.sha256(files.encode()).hexdigest()[:6]}.jsonl"
    known = {}
    if record.exists():
        rows = record.read_text(encoding="utf-8").splitlines()
        known = {row["key"]: row for row in map(json.loads, rows)}
        if again:
            known = {
                key: row
                for key, row in known.items()
                if row["verdict"] == "killed" or not row["left out"] or _equivalent(row)
            }
    left: queue.Queue[Place] = queue.Queue()
    for place in mutants:
        if place.key not in known:
            left.put(place)
    lock, stop = threading.Lock(), threading.Event()

    def show() -> list[dict[str, object]]:
        results = [known[place.key] for place in mutants if place.key in known]
        text = report(results, len(mutants), seed, commit)
        (work / "report.md").write_text(text, encoding="utf-8")
        return results

    def judge(copy: Copy, place: Place) -> None:
        result = copy.run(place, limit)
        with lock, record.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(result) + "\n")
            known[place.key] = result
            show()
            click.echo(f"{result['verdict']:10} {result['seconds']:6} s {place.key} {result['by']}")

    ended: queue.Queue[int] = queue.Queue()

    def worker(number: int) -> None:
        try:
            copy = Copy(work / f"copy-{number}")
            try:
                for place in _each(left, stop):
                    judge(copy, place)
            finally:
                copy.close()
        finally:
            stop.set()
            ended.put(number)

    count_of_workers = min(jobs, left.qsize())
    for number in range(count_of_workers):
        threading.Thread(target=worker, args=(number,)).start()
    # not by joining threads: once interrupted, that takes them for ended
    for _ in range(count_of_workers):
        try:
            ended.get()
        except KeyboardInterrupt:
            stop.set()
            click.echo("the mutants in hand are run to their end; the same command goes on")
            ended.get()
    results = show()
    click.echo((work / "report.md").read_text(encoding="utf-8"))
    bad = [r for r in results if r["verdict"] == "survived" and not _equivalent(r)]
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
