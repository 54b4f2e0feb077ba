"""Files that appear whole or not at all: until a new one is complete, the old one stays.

Every file that a user may find is written here, so that a full disk, Ctrl-C or a kill leave no half
of one, and every refusal of the system is one sentence.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bitformer.model.errors import UserError

__all__ = [
    "PART",
    "is_of_disk",
    "is_of_writing",
    "open_regular",
    "ready_file",
    "temporary_folder",
    "unwritable",
    "whole_file",
    "write_whole",
]

#: Beginning of the names of files that are not whole yet. Only a kill leaves one.
PART = ".bitformer-part-"
#: Errors of a disk, not of one file.
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
#: Errors of file systems that cannot force content to the disk.
_WITHOUT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
#: Seconds that a pipe waits for its reader.
_PATIENCE = 5.0
#: The longest suffix that is taken over; longer ones are names with a dot in them.
_LONGEST_SUFFIX = 16


def unwritable(path, error: OSError) -> UserError:
    """Return the mistake of a file or folder that the system refuses to write."""
    return UserError(f"{path} cannot be written: {error.strerror or error}")


def ready_file(path: Path) -> Path:
    """Return the path of a file to write, whose folder is made.

    Raises
    ------
    UserError
        If it is a folder, or its own cannot be made.
    """
    if path.is_dir():
        raise UserError(f"Output {path} must be a file, not a directory")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Folder {path.parent} cannot be made: {error.strerror}") from None
    return path


def open_regular(path) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises OSError for any other: nobody may write to a pipe, and a device may have no end.
    """
    more = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, os.O_RDONLY | more)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(handle, "rb")


def write_whole(path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, by :func:`whole_file`."""
    data = content if isinstance(content, bytes) else content.encode()
    with whole_file(path) as part:
        part.write_bytes(data)


@contextlib.contextmanager
def whole_file(path) -> Iterator[Path]:
    """Yield an empty file, of the same suffix, that replaces ``path`` when the block ends.

    The block writes the file by its name. If the block raises, Ctrl-C included, ``path`` is as it
    was and nothing else is left. A new file has the permissions of the umask, an old one keeps its
    own; a symbolic link stays and its target is written; a device or pipe is written directly. The
    content is on the disk before the name, so that neither a network's disk that refuses late nor
    a power cut leaves a part of a file. Folders above it are made.

    Raises
    ------
    UserError
        If the system refuses, here or in the block, as without space or permission.
    """
    path = Path(path)
    part: Path | None = None
    try:
        target = Path(os.path.realpath(path))
        kept = _mode(path)
        if kept is not None and not stat.S_ISREG(kept):
            part = path
            with _read_elsewhere(path, kept):
                yield path
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
        part = target.with_name(f"{PART}{os.urandom(8).hex()}{suffix}")
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            if kept is None:
                mode = stat.S_IMODE(part.stat().st_mode)
            else:
                mode = stat.S_IMODE(kept)
                if not os.access(target, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(part))
            yield part
            _finish(part, mode)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if part is None or is_of_writing(error, part):
            raise unwritable(path, error) from None
        raise


@contextlib.contextmanager
def _read_elsewhere(path: Path, mode: int) -> Iterator[None]:
    """Hold a pipe open for writing; raise OSError if nobody comes to read it."""
    if not stat.S_ISFIFO(mode):
        yield
        return
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > end:
                raise
        time.sleep(0.02)
    try:
        yield
    finally:
        os.close(handle)


def _mode(path: Path) -> int | None:
    """Return kind and permissions of the file at ``path``, through links; None without one."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return found


def _finish(part: Path, mode: int) -> None:
    """Set permissions, as the block may have made another file; force the content to the disk."""
    if stat.S_IMODE(part.stat().st_mode) != mode:
        part.chmod(mode)
    handle = os.open(part, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _WITHOUT_SYNC:
            raise
    finally:
        os.close(handle)


def is_of_disk(error: OSError) -> bool:
    """Return True if the disk refuses: it is full, read-only or broken, and that is no defect."""
    return error.errno in _OF_THE_DISK


def is_of_writing(error: OSError, where: Path) -> bool:
    """Return True for an error of writing the file ``where``, or a file in that folder."""
    if is_of_disk(error):
        return True
    return error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(where)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is gone afterwards; :class:`UserError` where none can be made."""
    import tempfile  # late: --help should not wait for it

    try:
        folder = tempfile.TemporaryDirectory(prefix="bitformer-")
    except OSError as error:
        raise UserError(
            f"A temporary folder must be possible (TMPDIR), and gave: {error.strerror or error}"
        ) from None
    with folder as name:
        try:
            yield Path(name)
        except OSError as error:
            if is_of_writing(error, Path(name)):
                raise unwritable(f"Temporary folder {name}", error) from None
            raise
