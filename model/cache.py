"""The user's cache of results that took long, by what they were made from.

Compiled designs, netlists and Yosys itself are loaded as code. So nobody else may write the folder,
and an entry counts only if it is this user's and its digest is the one in its name; else it is made
anew. Without a cache, everything works, only slower.
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
#: What this process has said already.
_SAID: set[str] = set()


def user_folder(kind: str = "", *, data: bool = False) -> Path | None:
    """Return the folder of bitformer in the user's cache, or with ``data`` among the user's data.

    ``kind`` names a folder inside. None for a user without a home, as some containers have.

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

    Without such a folder, entries are kept in a temporary one until this process ends. Several
    processes may use a folder at a time.

    Parameters
    ----------
    folder : Path or None
        Made if it is missing. None for a user without a home.
    """

    def __init__(self, folder: Path | None):
        self._folder = folder

    def find(self, key: str, suffix: str) -> Path | None:
        """Return the file of an entry; None if there is none, or none to be trusted."""
        found = self._look(key, suffix)
        return None if found is None else found[0]

    def read(self, key: str, suffix: str) -> bytes | None:
        """Return the content of an entry; None if there is none, or none to be trusted."""
        found = self._look(key, suffix)
        return None if found is None else found[1]

    def keep(self, key: str, suffix: str, data: bytes) -> Path | None:
        """Make an entry and return its file; None where there is no place to write it.

        ``key`` : SHA-256, in hexadecimal, of everything it was made from. An entry that another
        process made of the same meanwhile stays.
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
    """Return environment variables for programs in WebAssembly: where their machine code is kept.

    These programs do not run without such a place; their own default is not always there.
    """
    folder = next(_places(user_folder("tools"), entries="*"), None)
    if folder is None:
        return {}
    # of wasmtime, which Amaranth's Yosys uses, and of YoWASP's programs, unless the user says where
    yowasp = os.environ.get("YOWASP_CACHE_DIR", str(folder / "YoWASP"))
    return {"XDG_CACHE_HOME": str(folder), "YOWASP_CACHE_DIR": yowasp}


def _places(folder: Path | None, *, entries: str) -> Iterator[Path]:
    """Yield the folders to use: ``folder`` if it is safe, and a temporary one.

    ``entries`` : pattern of the files in it that are deleted if others could write them.
    """
    if folder is None:
        _say("The cache is not used: this user has no home", about="no cache")
    elif _is_safe(folder, entries=entries):
        yield folder
    with contextlib.suppress(OSError):  # there is no room for it either
        yield _temporary()


def _is_safe(folder: Path, *, entries: str) -> bool:
    """Make a folder and return True if it is this user's and nobody else can write it."""
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
    """Return True if a file or folder is this user's, or the system has no users."""
    return os.name == "nt" or found.st_uid == os.getuid()


def _checked(path: Path, key: str, suffix: str) -> bytes | None:
    """Return the content of a file if it is an entry as it was made; else remove the file."""
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
    """Write an entry, and then give it its name; the digest tells if a part is lost."""
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
    """Make a folder that is deleted when this process ends."""
    folder = tempfile.mkdtemp(prefix="bitformer-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _say(sentence: str, *, about: str | None = None) -> None:
    """Tell the user a sentence, once for each ``about``, by default the sentence itself.

    Worker processes say nothing: many of them would say the same.
    """
    if multiprocessing.parent_process() is None and (about or sentence) not in _SAID:
        _SAID.add(about or sentence)
        logging.getLogger("bitformer").warning(sentence)
