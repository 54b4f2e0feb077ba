"""A folder of files as one table: their names tell the class and the group of their rows.

A pattern such as ``{group}_{label}.csv`` or ``{label}/*.csv`` says where. Each file is a recording,
or several where a column names its series. Files that the pattern does not fit are left out.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bitformer.model.data.csv_source import FILE, Series, read_csv, read_header
from bitformer.model.data.name_lists import listed, quoted
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["RecordedFile", "files_of", "read_files"]

#: Files that a sentence names.
_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedFile:
    """A file of a folder.

    Parameters
    ----------
    path : of the file.
    name : its path from the folder on.
    said : what its name says, by ``"label"`` and ``"group"``.
    """

    path: Path
    name: str
    said: dict[str, str]


def files_of(folder: Path, pattern: str) -> list[RecordedFile]:
    """Return the files of ``folder`` that ``pattern`` fits, in the order of their names.

    Raises
    ------
    UserError
        If there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not here"
        raise UserError(
            f"Data must be a folder where files are named by a pattern, but {folder} {what}: name"
            " the folder with --data, or leave --files out"
        )
    fits = _regex(pattern)
    anything = re.sub(r"(\{\w+\}|\*)+", "*", re.sub(r"[\[?]", r"[\g<0>]", pattern))
    paths = sorted(path for path in folder.glob(anything) if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    found = [
        RecordedFile(path=path, name=name, said=match.groupdict())
        for path, name in zip(paths, names, strict=True)
        if (match := fits.fullmatch(name))
    ]
    if not found:
        names = sorted(path.name for path in folder.iterdir())
        have = listed(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        raise UserError(
            f"Folder {folder} must have files named as {shown(pattern)}, but has"
            f" {have or 'none'}: say with --files where {{label}} and {{group}} stand in their"
            " names"
        )
    return found


def _regex(pattern: str) -> re.Pattern[str]:
    """Return what the paths of files, from the folder on, must be."""
    text = re.escape(pattern).replace(r"\*", "[^/]*")
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", text))


def read_files(
    files: Sequence[RecordedFile],
    *,
    columns: Sequence[str],
    reading: Reading,
    texts: Mapping[str, str] | None = None,
    time: Sequence[str] = (),
) -> Series:
    """Read the same columns of several files, one file after the other.

    Parameters
    ----------
    files
        At least one.
    columns
        Names of columns of numbers.
    reading
        How each is read.
    texts
        Columns of texts to read beside, by what they are called in the result.
    time
        Columns that make a time, where ``reading`` names none.

    Returns
    -------
    Series
        Its ``labels`` are the files' names, with those of the series in them; its ``texts`` have
        what the files' names say, too. Lines are those in each file.

    Raises
    ------
    UserError
        If a file cannot be read, lacks a column, or has no rows or other times than the first.
    """
    parts: list[Series] = []
    beside = texts or {}
    for file in files:
        have = read_header(file.path, reading)
        lacking = [name for name in (*columns, *beside.values()) if name not in have]
        if lacking:
            own = [name for name in columns if name in have]
            fewer = f" --inputs {quoted(own)} takes those that it has, or"
            remedy = fewer if own and not set(lacking) & set(beside.values()) else ""
            raise UserError(
                f"All files must have the same columns, but {file.path} lacks"
                f" {listed(lacking)}, and has {listed(have)}:{remedy} take it out of the"
                " folder, or out of --files"
            )
        found = read_csv(
            file.path, columns=columns, reading=reading, time=time, texts=tuple(beside.values())
        )
        if not len(found.values):
            raise UserError(
                f"{file.path} must have rows, but has a header alone: take it out of the folder, or"
                " out of --files"
            )
        first = parts[0] if parts else found
        if (found.dated, found.naive, found.offsets is None) != (
            first.dated,
            first.naive,
            first.offsets is None,
        ):
            raise UserError(
                f"All files must write times alike, but those of {file.path} are not as those of"
                f" {files[0].path}: say how with --time-format or --time-zone, or leave --time out"
            )
        names = np.full(len(found.values), file.name)
        if found.labels is not None:
            names = np.char.add(np.char.add(names, "/"), found.labels)
        said = {what: np.full(len(names), text) for what, text in file.said.items()}
        said[FILE] = np.full(len(names), file.name)
        said |= {what: found.texts[column] for what, column in beside.items()}
        parts.append(dataclasses.replace(found, labels=names, texts=said))
    return dataclasses.replace(Series.joined(parts), notes=_notes(files, parts))


def _notes(files: Sequence[RecordedFile], parts: Sequence[Series]) -> tuple[str, ...]:
    """Return each sentence once, with the file it is on where it is not on all."""
    where: dict[str, list[str]] = {}
    for file, part in zip(files, parts, strict=True):
        for note in part.notes:
            where.setdefault(note, []).append(file.name)
    return tuple(
        note if len(names) == len(files) else f"{names[0]}{_and_more(len(names) - 1)}: {note}"
        for note, names in where.items()
    )


def _and_more(count: int) -> str:
    return f" and {count} more file{'' if count == 1 else 's'}" if count else ""
