"""The user's cache: what took long to make, kept by what it was made from.

Some of it is loaded as code: compiled designs, netlists that are simulated, Yosys itself. So the
folder is one that nobody else can write, and an entry is taken only if it is this user's and
whole, by the digest in its name; else it is made anew. Where no cache can be had, work goes on
without.
"""

import atexit
import contextlib
import functools
import hashlib
import logging
import multiprocessing
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Cache", "tools_environment", "user_folder"]

#: Names of entries, whose key and digest are SHA-256 in hexadecimal.
_ENTRY = "{key}.{digest}{suffix}"
_ENTRIES = f"{'[0-9a-f]' * 64}.{'[0-9a-f]' * 64}.*"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: What this process has told the user.
_SAID: set[str] = set()


def user_folder(kind: str = "", *, data: bool = False) -> Path | None:
    """bitformer's folder in the user's cache, or among the user's data, or one in that.

    None for a user without a home, as some containers have.
    """
    import platformdirs  # late: --help should not wait for it

    find = platformdirs.user_data_dir if data else platformdirs.user_cache_dir
    try:
        folder = Path(find("bitformer"), kind)
    except RuntimeError:  # so new releases say it; old ones leave "~" as it is
        return None
    return folder if folder.is_absolute() else None


class Cache:
    """Entries in a folder that nobody else can write.

    Where that cannot be had, they are kept in a temporary folder for as long as this process runs.
    Several processes may use a folder at a time.

    Parameters
    ----------
    folder : Path or None
        Made when it is not there. None is a user's without a home.
    """

    def __init__(self, folder: Path | None):
        self._folder = folder

    def find(self, key: str, suffix: str) -> Path | None:
        """The file of an entry; None if there is none, or none to be trusted."""
        found = self._look(key, suffix)
        return None if found is None else found[0]

    def read(self, key: str, suffix: str) -> bytes | None:
        """The content of an entry; None if there is none, or none to be trusted."""
        found = self._look(key, suffix)
        return None if found is None else found[1]

    def keep(self, key: str, suffix: str, data: bytes) -> Path | None:
        """Make an entry and return its file; None where there is no place to write it.

        ``key`` is the SHA-256, in hexadecimal, of all that it was made from. What another process
        made of the same meanwhile stays beside it.
        """
        name = _ENTRY.format(key=key, digest=hashlib.sha256(data).hexdigest(), suffix=suffix)
        for folder in _places(self._folder, entries=_ENTRIES):
            try:
                return _write(folder / name, data)
            except OSError as error:
                _say(f"The cache {folder} keeps nothing new: {error.strerror or error}")
        return None

    def _look(self, key: str, suffix: str) -> tuple[Path, bytes] | None:
        folder = next(_places(self._folder, entries=_ENTRIES), None)
        if folder is None:
            return None
        for path in sorted(folder.glob(_ENTRY.format(key=key, digest="*", suffix=suffix))):
            with contextlib.suppress(OSError):  # gone or unreadable: as good as not there
                data = _checked(path, key, suffix)
                if data is not None:
                    return path, data
        return None


def tools_environment() -> dict[str, str]:
    """Variables for programs in WebAssembly: where the machine code made of them is kept.

    Without a place for that, which by default is one of their own, they do not run.
    """
    folder = next(_places(user_folder("tools"), entries="*"), None)
    if folder is None:
        return {}
    # of wasmtime, which Amaranth's Yosys uses, and of YoWASP's programs, unless the user says where
    yowasp = os.environ.get("YOWASP_CACHE_DIR", str(folder / "YoWASP"))
    return {"XDG_CACHE_HOME": str(folder), "YOWASP_CACHE_DIR": yowasp}


def _places(folder: Path | None, *, entries: str) -> Iterator[Path]:
    """Folders that can be used: ``folder`` if it is safe, and a temporary one.

    ``entries`` are files in it that are given up if others could write them.
    """
    if folder is None:
        _say("The cache is not used: this user has no home", about="no cache")
    elif _is_safe(folder, entries=entries):
        yield folder
    with contextlib.suppress(OSError):  # there is no room for it either
        yield _temporary()


def _is_safe(folder: Path, *, entries: str) -> bool:
    """Whether a folder, made if need be, is this user's, can be written, and by nobody else."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if not _is_ours(found):
            raise PermissionError("it must be yours")
        if os.name != "nt" and found.st_mode & _OTHERS_WRITE:
            folder.chmod(0o700)
            _say(f"The cache {folder} could be written by others: it is begun anew")
            for path in folder.glob(entries):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError("it must be a folder that you can write")
    except OSError as error:
        _say(f"The cache {folder} is not used: {error.strerror or error}", about="no cache")
        return False
    return True


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file or folder is this user's, where the system has users."""
    return os.name == "nt" or found.st_uid == os.getuid()


def _checked(path: Path, key: str, suffix: str) -> bytes | None:
    """What a file holds if it is an entry as it was made; else the file is removed."""
    found = path.lstat()
    others = os.name != "nt" and found.st_mode & _OTHERS_WRITE
    if stat.S_ISREG(found.st_mode) and _is_ours(found) and not others:
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if path.name == _ENTRY.format(key=key, digest=digest, suffix=suffix):
            return data
    _say(f"{path} is not as it was made: it is made anew")
    path.unlink()
    return None


def _write(path: Path, data: bytes) -> Path:
    """Write an entry under its name at once. Its digest tells if the system loses some of it."""
    handle, name = tempfile.mkstemp(dir=path.parent)  # with no permission for others
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return path


@functools.cache
def _temporary() -> Path:
    """A folder of this process, gone when it ends."""
    folder = tempfile.mkdtemp(prefix="bitformer-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _say(sentence: str, *, about: str | None = None) -> None:
    """Tell the user, once, ``about`` one thing or this very one.

    Worker processes are silent: what they find, many of them do.
    """
    if multiprocessing.parent_process() is None and (about or sentence) not in _SAID:
        _SAID.add(about or sentence)
        logging.getLogger("bitformer").warning(sentence)
