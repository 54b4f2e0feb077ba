"""Proofs of the hardware by Yosys' SAT solver, each beside a mutant that it must refuse.

    python tests/prove.py                      all of them, on two processes
    python tests/prove.py --fast               those that take a few seconds each
    python tests/prove.py --only uart,spi      those whose names begin so
    python tests/prove.py --write              and write the table of docs/verification.md, with
                                               what came of the others when last run

The exit code is 1 if a proof fails, or accepts its mutant.
"""

import json
import multiprocessing
import sys
import time
import traceback
import warnings
from pathlib import Path

import click

__all__ = ["main"]

_PAGE = Path(__file__).parent.parent / "docs" / "verification.md"
_RECORD = Path(__file__).parent.parent / "build" / "proofs.json"
_BEGIN, _END = "<!-- proofs: written by tests/prove.py -->\n", "<!-- end of proofs -->\n"


def _work(name: str) -> tuple[str, bool, bool, float, float, str]:
    """Judge a proof; return its name, both verdicts, both times and what was said."""
    from amaranth.hdl import UnusedElaboratable

    warnings.filterwarnings("ignore", category=UnusedElaboratable)
    from proofs.catalog import proof
    from proofs.prover import judge

    try:
        found = judge(proof(name))
    except Exception:  # of one proof: it is told beside the others, and counts as not proved
        return name, False, False, 0.0, 0.0, traceback.format_exc()
    said = "" if found.holds else f"{found.unit.said}\n{found.mutant.said}"
    unit, mutant = found.unit, found.mutant
    return name, unit.proved, mutant.refused, unit.seconds, mutant.seconds, said


def _kept() -> dict[str, tuple[bool, bool, float]]:
    """Return what came of each proof when it last ran."""
    if not _RECORD.exists():
        return {}
    return {name: tuple(row) for name, row in json.loads(_RECORD.read_text()).items()}


def _keep(name: str, result: tuple[bool, bool, float]) -> None:
    """Keep what came of a proof, for the table."""
    _RECORD.parent.mkdir(exist_ok=True)
    _RECORD.write_text(json.dumps({**_kept(), name: result}))


def _table(results: dict[str, tuple[bool, bool, float]]) -> str:
    """Return the proofs as a table of Markdown."""
    from proofs.catalog import PROOFS

    lines = [
        "| unit | property | inputs | seconds | its mutant, refused |",
        "|---|---|---|---|---|",
    ]
    for one in PROOFS:
        if one.name not in results:
            lines.append(f"| {one.unit} | {one.property} | {one.bound} | not run | {one.change} |")
            continue
        proved, refused, seconds = results[one.name]
        verdict = "" if proved and refused else " **not proved**"
        lines.append(
            f"| {one.unit} | {one.property}{verdict} | {one.bound} | {seconds:.1f} | {one.change} |"
        )
    return "\n".join(lines) + "\n"


@click.command(help=__doc__)
@click.option("--fast", is_flag=True, help="Only those that take a few seconds.")
@click.option("--only", default="", help="Beginnings of names, with commas between.")
@click.option("--jobs", default=2, type=click.IntRange(1), help="Processes.")
@click.option("--write", is_flag=True, help="Write the table of docs/verification.md.")
def main(fast: bool, only: str, jobs: int, write: bool) -> None:
    """Prove, print a line for each, and count."""
    from proofs.catalog import PROOFS

    beginnings = tuple(part for part in only.split(",") if part)
    chosen = [
        one.name
        for one in PROOFS
        if not (fast and one.slow) and (not beginnings or one.name.startswith(beginnings))
    ]
    # the short ones first: what is wrong shows soon
    slow = {one.name for one in PROOFS if one.slow}
    chosen.sort(key=lambda name: name in slow)
    start, failed, results = time.monotonic(), [], {}
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for name, proved, refused, unit, mutant, said in pool.imap_unordered(_work, chosen):
            results[name] = proved, refused, unit
            _keep(name, results[name])
            verdict = "proved" if proved else "NOT PROVED"
            verdict += ", mutant refused" if refused else ", MUTANT ACCEPTED"
            click.echo(f"{name:32} {verdict:36} {unit:6.1f} s {mutant:6.1f} s")
            if not (proved and refused):
                failed.append(name)
                click.echo(said)
    took = time.monotonic() - start
    click.echo(f"{len(chosen) - len(failed)} of {len(chosen)} proofs hold, in {took:.0f} s")
    if write:
        page = _PAGE.read_text(encoding="utf-8")
        before, rest = page.split(_BEGIN)
        after = rest.split(_END)[1]
        _PAGE.write_text(before + _BEGIN + _table(_kept()) + _END + after, encoding="utf-8")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
