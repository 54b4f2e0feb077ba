"""``bitformer kb``: the knowledge base of measured designs."""

from collections import Counter
from pathlib import Path

import click

from bitformer.model.errors import UserError

from .options import PATH, kb_option, ready_file
from .report import Report, json_option

__all__ = ["command"]

#: Entries that people are shown; programs get all.
SHOWN = 40


@click.command("kb")
@click.argument("action", type=click.Choice(["show", "merge", "export"]))
@click.argument("files", nargs=-1, type=PATH)
@kb_option
@json_option
def command(action: str, files: tuple[Path, ...], kb: Path | None, report: Report) -> None:
    """Look into the knowledge base, merge others into it, or write it as JSON.

    It holds what 'synthesize' and 'profile' have measured, and estimates are fitted on it. What
    comes with bitformer is not in the file: it is always there.

    \b
    bitformer kb show
    bitformer kb merge other.sqlite exported.json
    bitformer kb export measured.json
    """
    from bitformer.search.knowledge import KnowledgeBase, read_entries, write_entries

    if action == "show" and files:
        raise UserError(f"kb show takes no files, not {files[0]}")
    if action == "merge" and not files:
        raise UserError("kb merge needs at least one base to merge")
    if action == "export" and len(files) != 1:
        raise UserError(f"kb export needs one file to write, not {len(files)}")
    if action == "merge":
        found = [entry for path in files for entry in read_entries(path)]
        base = KnowledgeBase(kb)
        new = base.add(found)
        report.line(f"{new} of {len(found)} entries are new: {base.path} holds {len(base)}")
        report.data({"path": str(base.path), "new": new, "entries": len(base)})
        return
    base = KnowledgeBase(kb)
    entries = base.entries()
    if action == "export":
        write_entries(ready_file(files[0]), entries)
        report.line(f"Wrote {files[0]}: {len(entries)} entries of {base.path}")
        report.data({"path": str(files[0]), "entries": len(entries)})
        return
    kinds = Counter(entry.kind for entry in entries)
    tools = ", ".join(sorted({f"{entry.tool} {entry.version}" for entry in entries}))
    report.line(
        f"{base.path}: {kinds['design']} designs, {kinds['unit']} units,"
        f" {kinds['build']} builds" + (f", by {tools}" if tools else "")
    )
    columns = ("kind", "name", "part", "lanes", "LUT", "as mem.", "FF", "RAMB18", "DSP", "levels")
    rows = [
        (
            entry.kind,
            entry.name,
            entry.part,
            entry.lanes,
            entry.luts,
            entry.lutram,
            entry.ffs,
            entry.ramb18,
            entry.dsps,
            "" if entry.levels is None else entry.levels,
        )
        for entry in sorted(entries, key=lambda one: (one.kind, one.name, one.part, one.lanes))
    ]
    if rows:
        report.table(columns, rows[:SHOWN], words=3)
    if len(rows) > SHOWN:
        report.line(f"and {len(rows) - SHOWN} more: --json shows all")
    report.data({"path": str(base.path), "entries": [entry.to_dict() for entry in entries]})
