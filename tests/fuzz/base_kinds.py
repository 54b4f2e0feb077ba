"""Knowledge bases, as SQLite and as JSON, and tables of sensitivities."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

from fuzz.case import Case, Kind
from fuzz.damage import VALUES, damaged_bytes, damaged_json
from fuzz.data_kinds import SMALL, series, small_model
from fuzz.judge import Verdict

from bitformer.estimate.knowledge import Entry, KnowledgeBase, shipped_entries, write_entries
from bitformer.study.sensitivity import existing

__all__ = ["BASE_KINDS", "few_entries"]


def few_entries() -> list[Entry]:
    """Few enough to be quick, of every kind, and more designs than a fit needs."""
    found = shipped_entries()
    designs = [one for one in found if one.kind == "design"][:40]
    return designs + [one for one in found if one.kind != "design"][:20]


def _make(folder: Path) -> None:
    small_model(folder / "m.safetensors")
    entries = few_entries()
    KnowledgeBase(folder / "kb.sqlite").add(entries)
    write_entries(folder / "kb.json", entries)
    (folder / "small.json").write_text(json.dumps(SMALL.to_dict()))
    (folder / "s.csv").write_text(series())
    added = {name: {"4": 0.01, "8": 0.0, "2/8": 0.02} for name in existing(SMALL)}
    (folder / "added.json").write_text(json.dumps(added))
    printed = {"float_val": 0.5, "alone": {name: {"4": 0.6, "8": 0.5} for name in added}}
    (folder / "printed.json").write_text(json.dumps(printed | {"low_bits": 4, "spared": {}}))


def _changed_table(rng: random.Random, path: Path) -> None:
    """A base of which a value, a column, the table or a mark is not what it was."""
    value = rng.choice(VALUES)
    if isinstance(value, list | dict) or (isinstance(value, int) and abs(value) >= 2**63):
        value = rng.choice((json.dumps(value), b"\xff\xfe", b""))
    if isinstance(value, str):
        value = value.encode("utf-8", errors="replace").decode()
    columns = list(Entry.__dataclass_fields__)
    column, other = rng.sample(columns, 2)
    with closing(sqlite3.connect(path)) as base, base:
        keys = [row[0] for row in base.execute("SELECT key FROM entries ORDER BY key")]
        match rng.randrange(9):
            case 0:
                base.execute(f"ALTER TABLE entries RENAME COLUMN {column} TO {column}x")
            case 1:
                base.execute("ALTER TABLE entries RENAME TO others")
            case 2:
                base.execute(f"PRAGMA {rng.choice(('application_id', 'user_version'))} = 99")
            case 3:
                base.execute(f"UPDATE OR IGNORE entries SET {column} = {other}")
            case 4:
                base.execute("CREATE TABLE more (a)")
            case _:
                key = rng.choice(keys)
                base.execute(
                    f"UPDATE OR IGNORE entries SET {column} = ? WHERE key = ?", (value, key)
                )


def _sqlite(case: Case) -> Verdict:
    path = case.copy("kb.sqlite")
    if case.rng.randrange(2):
        _changed_table(case.rng, path)
        case.done.append("kb.sqlite: its table")
    else:
        case.damage(path, damaged_bytes)
    return _used(case, path)


def _used(case: Case, path: Path) -> Verdict:
    """Show, export, merge a base, or estimate by it."""
    model = case.originals / "m.safetensors"
    out = case.folder / "out.json"
    # what is empty holds nothing that could be lost, and becomes a base
    free = (path.name,) if path.is_file() and not path.stat().st_size else ()
    match case.rng.randrange(5):
        case 0:
            return case.run(
                "kb", "show", "--kb", path, *case.rng.choice(((), ("--json",))), changes=free
            )
        case 1:
            return case.run("kb", "export", out, "--kb", path, changes=free)
        case 2:
            return case.run("kb", "merge", path, "--kb", case.folder / "new.sqlite", changes=free)
        case 3:
            return case.run("doctor", model, "--kb", path, "--json", changes=free)
        case _:
            return case.run("estimate", model, "--kb", path, "--json", changes=free)


def _exported(case: Case) -> Verdict:
    path = case.damage(case.copy("kb.json"), damaged_json)
    base = case.folder / "kb.sqlite"
    merged = case.run("kb", "merge", path, "--kb", base)
    # what was taken can be used
    return merged if merged.outcome != "exit 0" else _used(case, base)


def _sensitivity(case: Case) -> Verdict:
    case.copy("small.json", "s.csv")
    path = case.damage(case.copy(case.rng.choice(("added.json", "printed.json"))), damaged_json)
    if case.rng.randrange(4) == 0:
        return case.run("doctor", case.originals / "m.safetensors", "--sensitivity", path)
    line = "search --config small.json --data s.csv --target power --workers 1 --bits 4,8 -o new"
    # nothing is so small: the table is used, and nothing is trained
    line += " --max-luts 1 --sensitivity"
    # what it lacks is measured, and kept
    return case.run(*line.split(), path, changes=("new/*", "new/*/*", "new/*/*/*"))


BASE_KINDS = {
    "kb-sqlite": Kind(share=700, make=_make, case=_sqlite),
    "kb-json": Kind(share=700, make=_make, case=_exported),
    "sensitivity": Kind(share=400, make=_make, case=_sensitivity),
}
