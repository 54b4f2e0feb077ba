"""Changes of the hardware and of its integer reference, one at a time: which do tests notice?

    python tests/mutants.py                        200 mutants of seed 1, one process for each core
    python tests/mutants.py --count 40 --seed 7
    python tests/mutants.py --files hw/units/softmax.py

A mutant is drawn by the seed alone. Each is made in a copy of the repository as it was committed,
and the tests that cover its file run until one fails. What was run is kept in build/mutants, and
the same command goes on; report.md there lists what survived. The exit code is 1 if a mutant
survived that is not among tests/mutation/equivalents.py.
"""

import functools
import hashlib
import json
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import click
from mutation.equivalents import EQUIVALENTS
from mutation.rules import Place, places

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
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
#: Whole inferences, for whatever has no test of its own that fails.
_GENERAL = (
    "tests/sim/test_inference.py",
    "tests/sim/test_blocks.py",
    "tests/sim/test_verilog.py",
    "tests/benchmarks/test_hardware.py",
)
_SHELL = ("tests/boards/shell", "tests/boards/host/test_end_to_end.py")
_OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib")


def drawn(count: int, seed: int, files: tuple[str, ...]) -> list[Place]:
    """Return mutants: files by how much is in them, and places by chance."""
    every = [
        place
        for file in sorted({path for pattern in FOLDERS for path in ROOT.glob(pattern)})
        if not files or file.relative_to(ROOT).as_posix() in files
        for place in places(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


@functools.cache
def _texts() -> dict[Path, str]:
    """Return the tests that may cover a file, with their text."""
    return {
        path: path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if path.parts[-2] not in ("cli", "examples", "api", "estimate", "search", "mutation")
    }


def covering(file: str) -> list[list[str]]:
    """Return the tests of a file in stages: of its name, those that import it, inferences."""
    path = Path(file)
    module = "bitformer." + ".".join(path.with_suffix("").parts)
    named = [test for test in _texts() if test.stem == f"test_{path.stem}"]
    parent = re.escape(module.rpartition(".")[0])
    importing = re.compile(
        rf"^\s*(from|import) {re.escape(module)}\b|^\s*from {parent} import .*\b{path.stem}\b",
        re.MULTILINE,
    )
    near = [
        test.relative_to(ROOT).as_posix()
        for test, text in _texts().items()
        if test not in named and importing.search(text)
    ]
    stages = [[test.relative_to(ROOT).as_posix() for test in named]]
    proofs = _proofs_of(path)
    if proofs:
        stages.append(proofs)
    stages.append(near)
    stages.append(list(_SHELL if file.startswith("boards") else _GENERAL))
    return [stage for stage in stages if stage]


def _proofs_of(path: Path) -> list[str]:
    """Return the proofs of a file's units, as tests."""
    from proofs.catalog import PROOFS

    test = "tests/proofs/test_proofs.py::test_each_short_proof"
    return [f"{test}[{p.name}]" for p in PROOFS if f"`{path.stem}." in p.unit and not p.slow]


class Copy:
    """A copy of the repository that takes one mutant after another."""

    def __init__(self, folder: Path):
        self.folder = folder
        if folder.exists():
            subprocess.run(
                ["git", "worktree", "remove", "--force", folder], cwd=ROOT, capture_output=True
            )
            shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(
            ["git", "worktree", "add", "--detach", "--force", folder, "HEAD"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        self._link()

    def _link(self) -> None:
        """Give the copy's folders the names that they are imported by, ahead of what is installed.

        `make types` does the same; it would also set up the repository's own environment anew.
        """
        links = self.folder / "build" / "types" / "bitformer"
        links.mkdir(parents=True, exist_ok=True)
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        folders = settings["tool"]["setuptools"]["package-dir"]
        top = {name.split(".")[1] for name in folders if "." in name}
        for name in top:
            (links / name).symlink_to(self.folder / folders[f"bitformer.{name}"])
        for file in (self.folder / folders["bitformer"]).iterdir():
            (links / file.name).symlink_to(file)

    def close(self) -> None:
        """Remove the copy."""
        subprocess.run(
            ["git", "worktree", "remove", "--force", self.folder], cwd=ROOT, capture_output=True
        )

    def run(self, place: Place, limit: float) -> dict[str, object]:
        """Return what became of a mutant."""
        path, start = self.folder / place.file, time.monotonic()
        original = path.read_text(encoding="utf-8")
        path.write_text(place.changed(original), encoding="utf-8")
        verdict, by = "survived", ""
        try:
            for stage in covering(place.file):
                verdict, by = self._tests(stage, start + limit - time.monotonic())
                if verdict != "survived":
                    break
        finally:
            path.write_text(original, encoding="utf-8")
        return {
            "key": place.key,
            "file": place.file,
            "line": place.line,
            "rule": place.rule,
            "before": place.before,
            "after": place.after,
            "verdict": verdict,
            "by": by,
            "seconds": round(time.monotonic() - start, 1),
        }

    def _tests(self, tests: list[str], left: float) -> tuple[str, str]:
        """Run tests for so many seconds; return the verdict, and what noticed."""
        if left <= 0:
            return "unfinished", ""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "build" / "types"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        marker = [] if "::" in tests[0] else ["-m", "not slow"]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *_OPTIONS, *marker, *tests],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return "unfinished", " ".join(tests)[:200]
        if process.returncode in (0, 5):
            return "survived", ""
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
        return "killed", failed[1] if failed else said.strip().splitlines()[-1][:200]


def _equivalent(result: dict[str, object]) -> str | None:
    """Return why a mutant is equal to the original, if it is."""
    file, rule, before, after = (str(result[n]) for n in ("file", "rule", "before", "after"))
    return EQUIVALENTS.get((file, rule, before, after))


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
        "| file | line | rule | before | after | equal because |",
        "|---|---|---|---|---|---|",
    ]
    for result in sorted(survived, key=lambda one: str(one["key"])):
        row = [str(result[name]) for name in ("file", "line", "rule", "before", "after")]
        row.append(_equivalent(result) or "")
        cells = (" ".join(cell.split()).replace("|", "\\|")[:160] for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


@click.command(help=__doc__)
@click.option("--count", default=200, type=click.IntRange(1), help="Mutants.")
@click.option("--seed", default=1, help="Which are drawn.")
@click.option("--jobs", default=os.cpu_count() or 1, type=click.IntRange(1), help="Copies.")
@click.option("--limit", default=600.0, help="Seconds for one mutant.")
@click.option("--files", default="", help="Only of these, with commas between.")
@click.option("--work", default=ROOT / "build" / "mutants", type=click.Path(path_type=Path))
def main(count: int, seed: int, jobs: int, limit: float, files: str, work: Path) -> None:
    """Draw, run, report."""
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

    def worker(number: int) -> None:
        copy = Copy(work / f"copy-{number}")
        try:
            while not stop.is_set():
                try:
                    place = left.get_nowait()
                except queue.Empty:
                    return
                result = copy.run(place, limit)
                with lock, record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
                    known[place.key] = result
                    show()
                    click.echo(
                        f"{result['verdict']:10} {result['seconds']:6} s {place.key} {result['by']}"
                    )
        finally:
            copy.close()

    workers = [threading.Thread(target=worker, args=(n,)) for n in range(min(jobs, left.qsize()))]
    for one in workers:
        one.start()
    try:
        for one in workers:
            one.join()
    except KeyboardInterrupt:
        stop.set()
        click.echo("the mutants in hand are run to their end; the same command goes on")
        for one in workers:
            one.join()
    results = show()
    click.echo((work / "report.md").read_text(encoding="utf-8"))
    bad = [r for r in results if r["verdict"] == "survived" and not _equivalent(r)]
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
