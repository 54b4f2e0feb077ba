"""The knowledge base: measured synthesis results in an SQLite file that many processes may share.

An entry says what was measured (a whole design, or one unit of it), with what, and what came out.
Its key is a digest of the hardware's source and of the tool, so the same measurement is never in a
base twice, and a base's content does not depend on who measured first.
"""

import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from bitformer.model.cache import user_folder
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.plain import built, checked, shown
from bitformer.model.strict_json import parse_json, read_json

__all__ = [
    "KINDS",
    "Entry",
    "KnowledgeBase",
    "default_path",
    "known_entries",
    "read_entries",
    "remember",
    "shipped_entries",
    "write_entries",
]

#: What may be measured.
KINDS = ("design", "unit", "component", "build", "routed")
#: Marks the file as ours (``PRAGMA application_id``): "bitf".
_APPLICATION = 0x62697466
#: Layout of the table; a file with a higher one comes from a newer bitformer.
_VERSION = 2
#: More than any part has of anything.
_MOST = 10**9
#: Seconds to wait for another process that writes.
_PATIENCE = 60.0
#: Entries that come with the project.
_SHIPPED = Path(__file__).with_name("profiled.json")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A measurement.

    Parameters
    ----------
    key : digest of what was measured and of the tool.
    kind : ``"design"``; ``"unit"`` for one unit synthesized by itself; ``"component"`` for what
        one of the model's components adds, its words in the stores; ``"build"`` for a design with
        its board's shell, placed and routed; ``"routed"`` for a design alone, likewise.
    name : of the configuration, of the unit, or of the component.
    part, lanes : that it was lowered for; ``lanes`` is products a cycle.
    widths : bits by component, as ``"4/8"``: weights and activations.
    shape : ``window``, ``d_model`` and the like.
    placement : of each store.
    tool, version : what measured it.
    features : physical quantities that an estimate is fitted on (:mod:`.features`); of a component
        its words in each store; of a build its watts ``power_w``, at ``clock_hz``, the
        ``reached_mhz`` that its slack allows, and ``model``, the model's hash; of a routed design
        the megahertz of its seeds, ``seed_1_mhz`` and so on, ``best_mhz``, ``median_mhz`` and
        ``worst_mhz``, where ``asked_mhz`` were asked for, and how many ``seeds``.
    luts, lutram, srls, ffs, ramb18, dsps : what it takes. ``lutram``, LUTs that serve as memory,
        are among ``luts``; ``srls``, shift registers, are among ``lutram``.
    levels : LUT levels between registers.
    details : more in words: of a design its ``family`` of shapes; of a routed design its
        ``worst_path``, the ``chip``, and the release of the ``synthesis`` before; empty of others,
        and left out of plain data then.
    """

    key: str
    kind: str = "design"
    name: str
    part: str
    lanes: int
    widths: Mapping[str, str] = field(default_factory=dict)
    shape: Mapping[str, int] = field(default_factory=dict)
    placement: Mapping[str, str] = field(default_factory=dict)
    tool: str
    version: str
    features: Mapping[str, float] = field(default_factory=dict)
    luts: int
    lutram: int
    srls: int | None = None
    ffs: int
    ramb18: int
    dsps: int
    levels: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in KINDS:
            kinds = ", ".join(KINDS[:-1])
            raise UserError(f"kind must be {kinds} or {KINDS[-1]}, not {shown(self.kind)}")
        for name in ("lanes", "luts", "lutram", "srls", "ffs", "ramb18", "dsps", "levels"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= _MOST:
                raise UserError(f"{name} must be a count of at most {_MOST}, not {shown(value)}")
        if not all(math.isfinite(value) for value in self.features.values()):
            raise UserError("features must be finite numbers")

    def to_dict(self) -> dict[str, object]:
        """Return the entry as plain data."""
        found = {name: _plain(getattr(self, name)) for name in _COLUMNS}
        return {name: value for name, value in found.items() if value or name not in _LATER}

    @classmethod
    def from_dict(cls, data: object, where: str = "entry") -> "Entry":
        """Inverse of :meth:`to_dict`; refuses what is missing, unknown or of another type."""
        return built(cls, data, where)


_COLUMNS = tuple(f.name for f in fields(Entry))
_MAPPINGS = ("widths", "shape", "placement", "features", "details")
#: Columns that bases of the first version lack, until something is added to them.
_LATER = ("details",)
_TABLE = f"CREATE TABLE IF NOT EXISTS entries ({', '.join(_COLUMNS)}, PRIMARY KEY (key))"


def _plain(value: object) -> object:
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value


def _there(connection: sqlite3.Connection) -> list[str]:
    """Return the columns that a base's file has."""
    return [row[1] for row in connection.execute("PRAGMA table_info(entries)")]


def default_path() -> Path | None:
    """Return the user's own base: ``BITFORMER_KB``, or a file in the user's data folder, if any."""
    if name := os.environ.get("BITFORMER_KB"):
        return Path(name)
    folder = user_folder(data=True)
    return None if folder is None else folder / "knowledge.sqlite"


class KnowledgeBase:
    """A base in a file, made if it is not there; several processes may write to it at a time.

    Raises :class:`UserError` for a file that is damaged, or is not a knowledge base.
    """

    def __init__(self, path: Path | None = None, *, must_exist: bool = False):
        found = path or default_path()
        if found is None:
            raise UserError("A knowledge base must be named (BITFORMER_KB): this user has no home")
        self.path = found
        if must_exist and not self.path.is_file():
            raise UserError(f"Knowledge base {self.path} must be a file, which is not there")
        if self.path.exists() and not self.path.is_file():
            raise UserError(f"Knowledge base {self.path} cannot be used: it is no file")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Folder {self.path.parent} cannot be made: {error.strerror}") from None
        with self._connection() as connection:
            self._open(connection)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one use: safe across forks and kills."""
        name, uri = str(self.path), False
        if self._is_frozen:
            name, uri = f"{self.path.absolute().as_uri()}?immutable=1", True
        try:
            with closing(sqlite3.connect(name, uri=uri, timeout=_PATIENCE)) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise UserError(f"Knowledge base {self.path} cannot be used: {error}") from None
        except (sqlite3.DatabaseError, OverflowError) as error:
            raise UserError(f"Knowledge base {self.path} is damaged or foreign: {error}") from None

    @property
    def _is_frozen(self) -> bool:
        """Whether it can only be read: on a read-only disk, where nobody else writes either."""
        log = self.path.with_name(f"{self.path.name}-wal")
        return self.path.is_file() and not os.access(self.path, os.W_OK) and not log.exists()

    def _open(self, connection: sqlite3.Connection) -> None:
        """Make the table in an empty file. One that is there, anybody's, is only looked at."""
        with connection:
            connection.execute("BEGIN")  # one moment of the file, which another process may make
            made = self._is_made(connection)
        if made:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if self._is_made(connection):  # by another process, meanwhile
                return
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(_TABLE)

    def _is_made(self, connection: sqlite3.Connection) -> bool:
        """Return whether the file holds a base; False for an empty file. Refuse all else."""
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not owner and not tables:
            return False
        if owner != _APPLICATION:
            raise UserError(f"{self.path} must be a knowledge base, which it is not")
        if version > _VERSION:
            raise UserError(f"Knowledge base {self.path} comes from a newer bitformer")
        if set(_there(connection)) not in (set(_COLUMNS), set(_COLUMNS) - set(_LATER)):
            raise UserError(f"Knowledge base {self.path} is damaged: its columns are not a base's")
        return True

    def add(self, entries: Iterable[Entry]) -> int:
        """Insert what is new, all or nothing; how many were."""
        marks = ", ".join("?" * len(_COLUMNS))
        rows = [
            tuple(
                json.dumps(_plain(getattr(entry, name)), sort_keys=True)
                if name in _MAPPINGS
                else getattr(entry, name)
                for name in _COLUMNS
            )
            for entry in entries
        ]
        with self._connection() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            for name in set(_LATER) - set(_there(connection)):
                connection.execute(f"ALTER TABLE entries ADD COLUMN {name} DEFAULT '{{}}'")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            before = connection.total_changes
            names = ", ".join(_COLUMNS)
            connection.executemany(
                f"INSERT OR IGNORE INTO entries ({names}) VALUES ({marks})", rows
            )
            return connection.total_changes - before

    def entries(self, *, kind: str | None = None) -> list[Entry]:
        """Entries in the order of their keys."""
        where, values = ("WHERE kind = ?", (kind,)) if kind else ("", ())
        return self._select(f"{where} ORDER BY key", values)

    def get(self, key: str) -> Entry | None:
        """Return the entry with a key."""
        return next(iter(self._select("WHERE key = ?", (key,))), None)

    def _select(self, rest: str, values: tuple[str, ...]) -> list[Entry]:
        with self._connection() as connection:
            names = _there(connection)
            rows = connection.execute(
                f"SELECT {', '.join(names)} FROM entries {rest}", values
            ).fetchall()
        return [self._entry(names, row) for row in rows]

    def keys(self) -> set[str]:
        """Return the keys of all entries."""
        with self._connection() as connection:
            return {row[0] for row in connection.execute("SELECT key FROM entries")}

    def _entry(self, names: Sequence[str], row: tuple) -> Entry:
        data = dict(zip(names, row, strict=True))
        where = f"entry {shown(data['key'])}"
        try:
            for name in set(_MAPPINGS) & set(names):
                text = checked(str, data[name], f"{where}: {name}")
                data[name] = parse_json(text, f"{where}: {name}")
            return Entry.from_dict(data, where)
        except UserError as error:
            raise UserError(f"Knowledge base {self.path} is damaged: {error}") from None

    def __len__(self) -> int:
        with self._connection() as connection:
            return connection.execute("SELECT count(*) FROM entries").fetchone()[0]


def read_entries(path: Path) -> list[Entry]:
    """Entries of a base, or of what ``kb export`` wrote."""
    if not path.is_file():
        raise UserError(f"Knowledge base {path} must be a file, which is not there")
    if path.suffix != ".json":
        return KnowledgeBase(path, must_exist=True).entries()
    data = read_json(path)
    if not isinstance(data, list):
        raise UserError(f"{path} must be a list of entries, not {shown(data)}")
    try:
        return [Entry.from_dict(one, f"entry {number}") for number, one in enumerate(data)]
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def write_entries(path: Path, entries: Iterable[Entry]) -> None:
    """Entries as JSON, one a line, in the order of their keys."""
    lines = [json.dumps(entry.to_dict()) for entry in sorted(entries, key=lambda one: one.key)]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    write_whole(path, text)


def shipped_entries() -> list[Entry]:
    """Entries that come with the project."""
    return read_entries(_SHIPPED) if _SHIPPED.is_file() else []


def known_entries(path: Path | None) -> list[Entry]:
    """Return the entries that ship, and those of a base: by default the user's, if any."""
    own = default_path()
    if path is None and (own is None or not os.path.exists(own)):  # nor where it may not be seen
        return shipped_entries()
    return shipped_entries() + KnowledgeBase(path, must_exist=True).entries()


def remember(path: Path | None, entries: Iterable[Entry], note: Callable[[str], None]) -> None:
    """Add entries to a base, by default the user's; ``note`` is told why, where that fails."""
    try:
        KnowledgeBase(path).add(entries)
    except UserError as error:
        note(f"Not remembered: {error}")
