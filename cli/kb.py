"""``bitformer kb``: the knowledge base of measured designs."""

import os
from collections import Counter
from pathlib import Path

import click

from bitformer.cli.options import PATH, kb_option
from bitformer.cli.report import Report, json_option
from bitformer.estimate.knowledge import KINDS, Entry
from bitformer.model.errors import UserError
from bitformer.model.files import ready_file

__all__ = ["command"]

#: Entries that people are shown; programs get all.
SHOWN = 40
#: What entries that are in no file of the user's are called.
SHIPPED = "bitformer's own"


def _of(entry: Entry) -> str:
    """Return a component's bits, with the window and width of the model that has it."""
    if entry.kind != "component":
        return ""
    return f"{entry.widths.get(entry.name, '')} {'-'.join(map(str, _shape(entry)))}"


def _shape(entry: Entry) -> tuple[int, ...]:
    return tuple(entry.shape.get(name, 0) for name in ("window", "d_model"))


def _order(entry: Entry) -> tuple[object, ...]:
    return (entry.kind, entry.name, *_shape(entry), entry.part, entry.lanes)


def _sources(kb: Path | None, kind: str | None) -> dict[str, list[Entry]]:
    """Return entries by where they are from: a base, or what ships and the user's own.

    Those of a ``kind``, all where it is None.
    """
    from bitformer.estimate.knowledge import KnowledgeBase, default_path, shipped_entries

    own = kb or default_path()
    found = {}
    if kb is None:
        found[SHIPPED] = [one for one in shipped_entries() if kind in (None, one.kind)]
    if own is not None and (kb is not None or os.path.exists(own)):  # nor where it may not be seen
        base = KnowledgeBase(own)
        found[str(base.path)] = base.entries(kind=kind)
    return found


@click.command("kb")
@click.argument("action", type=click.Choice(["show", "merge", "export"]))
@click.argument("files", nargs=-1, type=PATH)
@click.option("--kind", type=click.Choice(KINDS), help="Show or export only these entries.")
@kb_option
@json_option
def command(
    action: str, files: tuple[Path, ...], kind: str | None, kb: Path | None, report: Report
) -> None:
    """Look into the knowledge base, merge others into it, or write it as JSON.

    It holds what 'synthesize' and 'profile' have measured, and estimates are fitted on its designs.
    Units and components are of a design: what it takes, unit by unit, and what a component adds.
    What comes with bitformer is in no file of yours, and always counts: it is shown and exported
    beside your own base. With --kb it is that file alone.

    \b
    bitformer kb show
    bitformer kb show --kind component
    bitformer kb show --kb build/mine.sqlite
    bitformer kb merge other.sqlite exported.json
    bitformer kb export measured.json
    """
    from bitformer.estimate.knowledge import KnowledgeBase, read_entries, write_entries

    if action == "show" and files:
        raise UserError(f"kb show takes no files, not {files[0]}")
    if action == "merge" and not files:
        raise UserError("kb merge needs at least one base to merge")
    if action == "export" and len(files) != 1:
        raise UserError(f"kb export needs one file to write, not {len(files)}")
    if action == "merge" and kind is not None:
        raise UserError(f"--kind must be given to show or export, not to merge, but was {kind}")
    if action == "merge":
        found = [entry for path in files for entry in read_entries(path)]
        base = KnowledgeBase(kb)
        new = base.add(found)
        report.line(f"{new} of {len(found)} entries are new: {base.path} holds {len(base)}")
        report.data({"path": str(base.path), "new": new, "entries": len(base)})
        return
    sources = _sources(kb, kind)
    own = {entry.key: entry for found in sources.values() for entry in found}
    entries = list(own.values())
    if action == "export":
        write_entries(ready_file(files[0]), entries)
        report.line(f"Wrote {files[0]}: {len(entries)} entries of {' and '.join(sources)}")
        report.data({"path": str(files[0]), "entries": len(entries)})
        return
    for source, found in sources.items():
        kinds = Counter(entry.kind for entry in found)
        tools = ", ".join(sorted({f"{entry.tool} {entry.version}" for entry in found}))
        counts = ", ".join(f"{kinds[one]} {one}s" for one in KINDS if kind in (None, one))
        report.line(f"{source}: {counts}" + (f", by {tools}" if tools else ""))
    columns = (
        "kind",
        "name",
        "of",
        "part",
        "lanes",
        "LUT",
        "as mem.",
        "FF",
        "block RAM",
        "DSP",
        "levels",
    )
    rows = [
        (
            entry.kind,
            entry.name,
            _of(entry),
            entry.part,
            entry.lanes,
            entry.luts,
            entry.lutram,
            entry.ffs,
            entry.ramb18,
            entry.dsps,
            "" if entry.levels is None else entry.levels,
        )
        for entry in sorted(entries, key=_order)
    ]
    if rows:
        report.table(columns, rows[:SHOWN], words=4)
    if len(rows) > SHOWN:
        report.line(f"and {len(rows) - SHOWN} more: --json shows all")
    report.data(
        {
            "sources": {source: len(found) for source, found in sources.items()},
            "entries": [entry.to_dict() for entry in entries],
        }
    )
