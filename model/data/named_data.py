"""Data sets by name: where they are, how their rows are read and split."""

import dataclasses
from pathlib import Path

from bitformer.model.alike import meant
from bitformer.model.data.folders import FOLDERS, find_folder
from bitformer.model.data.reading import Reading
from bitformer.model.data.sources import SOURCES, find
from bitformer.model.data.splits import Splitter, by_fractions
from bitformer.model.errors import UserError

__all__ = [
    "NAMES",
    "SYNTHETIC",
    "named_reading",
    "own_time",
    "path_of",
    "require_own_times",
    "split_of",
]

SYNTHETIC = "synthetic"
NAMES = (*FOLDERS, *SOURCES, SYNTHETIC)
#: Those that a refusal names first.
_USUAL = ("nyc-taxi", "etth1", "etth2", "beijing-air", "metro-traffic", SYNTHETIC)


def own_time(name_or_path: str) -> tuple[str, ...]:
    """Return the columns of times of a data set by name."""
    return SOURCES[name_or_path].time if name_or_path in SOURCES else ()


def require_own_times(name_or_path: str, reading: Reading) -> None:
    """Raise :class:`UserError` if times are named of a data set that has its own."""
    if name_or_path in (*SOURCES, SYNTHETIC) and reading.time is not None:
        raise UserError(
            f"Data set {name_or_path} has its own times: time must not be given, but is"
            f" {reading.time!r}: leave --time out"
        )


def named_reading(name_or_path: str, reading: Reading) -> Reading:
    """Return how the rows of a data set by name are read, where ``reading`` does not say it."""
    source = SOURCES.get(name_or_path) or FOLDERS.get(name_or_path)
    default = Reading()
    own = {} if source is None else source.reading
    return dataclasses.replace(
        reading,
        **{
            name: one
            for name, one in own.items()
            if getattr(reading, name) == getattr(default, name)
        },
    )


def split_of(name: str | None, task: str) -> Splitter:
    """Return where the parts of a data set end, by its name; other data are split by fractions."""
    if name not in SOURCES:
        return by_fractions
    source = SOURCES[name]
    return source.clean or source.split if task == "detect" else source.split


def path_of(name_or_path: str, *, folder: bool = False) -> Path:
    """Return the path of a data set by name, which is downloaded if need be, or of a CSV file.

    ``folder`` : whether it may be a folder.
    """
    if name_or_path in SOURCES:
        return find(SOURCES[name_or_path])
    if name_or_path in FOLDERS:
        return find_folder(FOLDERS[name_or_path])
    path = Path(name_or_path)
    if not path.exists() and not path.suffix:
        raise UserError(
            f"Data must be {', '.join(_USUAL)} or the path of a CSV file, or one of"
            f" {', '.join(one for one in NAMES if one not in _USUAL)}, not"
            f" {name_or_path!r}{meant(name_or_path, NAMES)}"
        )
    if path.is_dir() and not folder:
        raise UserError(
            f"Data file {path} must be a CSV file, not a directory: name a file in it with --data,"
            " or say where the classes stand in its files' names, as --files"
            " '{group}_{label}.csv'"
        )
    return path
