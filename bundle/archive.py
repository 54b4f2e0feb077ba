"""The file of a bundle: a zip whose bytes depend on its content alone, read without trust."""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bitformer.bundle.manifest import SUMS
from bitformer.model.errors import UserError
from bitformer.model.files import open_regular, write_whole

__all__ = ["digests", "packed", "sums_of", "unpacked", "write_archive"]

#: More than any bundle has: bytes in all, and files.
_MOST_BYTES, _MOST_FILES = 1 << 28, 1000
#: Names that a file of a bundle may have: no folder above, nothing that a system would obey.
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*")
#: The time that a zip has room for and every file in it has: what it holds decides its bytes.
_THEN = (1980, 1, 1, 0, 0, 0)


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file, in hexadecimal, by its name."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}


def sums_of(files: Mapping[str, bytes]) -> bytes:
    """Return the list of digests, as ``sha256sum -c`` reads it; its own file is not in it."""
    rest = {name: data for name, data in files.items() if name != SUMS}
    return "".join(f"{one}  {name}\n" for name, one in digests(rest).items()).encode()


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a zip of files, in the order of their names."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _THEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return whole.getvalue()


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle with its list of digests, whole or not at all."""
    write_whole(path, packed({**files, SUMS: sums_of(files)}))


def unpacked(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle by their names; nothing is written.

    Raises
    ------
    UserError
        If it is no zip, is damaged, has names twice or such that lead elsewhere, or is too large.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return _read(path, archive)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    # what zipfile raises of a directory that is damaged, encrypted or of another method
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} must be a bundle, a zip that is whole: {error}") from None


def _read(path: Path, archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > _MOST_FILES or sum(one.file_size for one in entries) > _MOST_BYTES:
        raise UserError(
            f"{path} must hold at most {_MOST_FILES} files of {_MOST_BYTES >> 20} MiB together"
        )
    found: dict[str, bytes] = {}
    for one in entries:
        if not _NAME.fullmatch(one.filename):
            raise UserError(f"{path} must hold plain files, not one called {one.filename!r}")
        if one.filename in found:
            raise UserError(f"{path} must hold {one.filename} once, not twice")
        try:
            with archive.open(one) as file:
                # no more than it says, whatever is in it
                data = file.read(one.file_size + 1)
        except Exception as error:  # whatever a decompressor raises
            raise UserError(f"{path} is damaged in {one.filename}: {error}") from None
        if len(data) != one.file_size:
            raise UserError(f"{path} is damaged in {one.filename}: it has another length")
        found[one.filename] = data
    return found
