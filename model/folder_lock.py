"""One process at a time in a folder: of two runs that write the same files, one is refused."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bitformer.model.errors import UserError
from bitformer.model.files import PART, unwritable

__all__ = ["held"]

#: What the system locks, as long as a process lives that holds it; and who that is, for people.
_LOCK, _HOLDER = ".bitformer-lock", ".bitformer-process"


@contextmanager
def held(folder, *, inside: Sequence[str] = ()) -> Iterator[None]:
    """Make a folder and hold it against every other process that would.

    Files that a killed process left half written in it are removed, and those in its folders that
    match the patterns ``inside``. The lock of a process ends with the process.

    Raises
    ------
    UserError
        If another process holds the folder, or it cannot be written.
    """
    folder = Path(folder)
    lock, holder = FileLock(folder / _LOCK, timeout=0), folder / _HOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Folder {folder} cannot be made: {error.strerror}") from None
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"Folder {folder} is in use by another run{_process(holder)}: wait for its end, or"
            " choose another folder"
        ) from None
    except OSError as error:
        raise unwritable(f"Folder {folder}", error) from None
    try:
        for place in ("", *inside):
            for part in folder.glob(f"{place}/{PART}*" if place else f"{PART}*"):
                part.unlink(missing_ok=True)
        holder.write_text(f"{os.getpid()}", encoding="utf-8")
        yield
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) == holder:
            raise unwritable(f"Folder {folder}", error) from None
        raise
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _process(holder: Path) -> str:
    """Return ``", process 123"``, or nothing if the holder has not written its number yet."""
    try:
        number = holder.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    return f", process {number}" if number.isdecimal() else ""
