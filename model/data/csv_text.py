"""The bytes of a data file, unpacked, and the encoding of its text.

What is no text is told by its first bytes, and the refusal says how to make a CSV file of it.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from bitformer.model.errors import UserError
from bitformer.model.files import open_regular
from bitformer.model.plain import shown

__all__ = ["STREAMED", "encoding_of", "read_bytes"]

_PACKED: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\0": ("xz", lzma.decompress),
}
_ZIP = b"PK\x03\x04"
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
#: First bytes of files that hold tables and are no text; what they are, and pandas' reader.
_TABLES = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel file", "read_excel"),
    b"PAR1": ("a Parquet file", "read_parquet"),
    b"ARROW1": ("a Feather file", "read_feather"),
    b"FEA1": ("a Feather file", "read_feather"),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", "read_hdf"),
    b"\x80\x04\x95": ("a pickle", "read_pickle"),
}
_OFFICE = {
    "xl/workbook.xml": "an Excel file",
    "content.xml": "a LibreOffice file",
}
_OTHERS = {
    b"%PDF": "a PDF",
    b"SQLite format 3\0": "an SQLite database",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"7z\xbc\xaf\x27\x1c": "packed by 7-Zip",
    b"Rar!": "packed by RAR",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Encodings that are as strict in pieces as of a whole.
STREAMED = ("utf-8", "utf-8-sig", "cp1252", "latin-1")
#: Letters of a sample.
_SAMPLE = 24


def read_bytes(path: Path) -> bytes:
    """Return what a file holds; gzip, bzip2, xz and a zip archive of one file are unpacked.

    Raises
    ------
    UserError
        If it is not here, cannot be read, or is no table as text.
    """
    try:
        with open_regular(path) as file:
            raw = file.read()
    except FileNotFoundError:
        raise UserError(f"Data file {path} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"Data file {path} must be a CSV file, not a directory") from None
    except OSError as error:
        raise UserError(f"Data file {path} cannot be read: {error.strerror}") from None
    for magic, (name, unpack) in _PACKED.items():
        if raw.startswith(magic):
            raw = _unpacked(path, raw, name, unpack)
            break
    else:
        if raw.startswith(_ZIP):
            raw = _unpacked(path, raw, "zip", lambda packed: _of_archive(path, packed))
    _check_kind(path, raw)
    return raw


def _unpacked(path: Path, raw: bytes, name: str, unpack: Callable[[bytes], bytes]) -> bytes:
    try:
        return unpack(raw)
    except UserError:
        raise
    except _DAMAGED as error:
        raise UserError(
            f"Data file {path} is packed by {name} and damaged ({error}): download or pack it anew"
        ) from None


def _of_archive(path: Path, raw: bytes) -> bytes:
    """Return the one file of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        for inside, kind in _OFFICE.items():
            if inside in names:
                raise _no_text(path, kind, "read_excel")
        if len(names) != 1:
            raise UserError(
                f"Data file {path} must be an archive of one file, not of {len(names)}: unpack it"
                " and name the CSV file"
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise UserError(f"Data file {path} is encrypted: unpack it and name the CSV file")
        try:
            return archive.read(names[0])
        except NotImplementedError as error:  # zipfile's, of a compression that it cannot undo
            raise ValueError(str(error)) from None


def _no_text(path: Path, kind: str, reader: str, more: str = "") -> UserError:
    """Return the refusal of a table that is no text, with what makes a CSV file of it."""
    made = path.with_suffix(".csv").name
    return UserError(
        f"Data file {path} is {kind}, not CSV: export it as CSV, or in Python"
        f" pandas.{reader}({path.name!r}{more}).to_csv({made!r}, index=False)"
    )


def _check_kind(path: Path, raw: bytes) -> None:
    for magic, (kind, reader) in _TABLES.items():
        if raw.startswith(magic):
            raise _no_text(path, kind, reader)
    for magic, kind in _OTHERS.items():
        if raw.startswith(magic):
            what = "unpack it" if kind.startswith("packed") else "export its table as CSV"
            raise UserError(f"Data file {path} is {kind}, not CSV: {what} and name the CSV file")
    start = raw[:200].lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise UserError(
            f"Data file {path} is a web page or XML, not CSV: download the data themselves"
        )
    brackets = start.replace(b" ", b"").replace(b"\n", b"").replace(b"\r", b"")
    if brackets.startswith((b'{"', b"[{", b"[[")):
        many = raw.lstrip().startswith(b"{") and b"}\n{" in raw.replace(b"\r", b"")
        raise _no_text(path, "JSON", "read_json", ", lines=True" if many else "")


def encoding_of(path: Path, raw: bytes, asked: str | None) -> str:
    """Return the encoding that a file's bytes are read by.

    Parameters
    ----------
    path
        The file, for refusals.
    raw
        Its bytes.
    asked
        The encoding that the user names; None for UTF-8, or what a byte order mark says.

    Raises
    ------
    UserError
        If the bytes are no text in it; the sentence names an encoding that reads them.
    """
    name = _marked(raw, asked or "utf-8", whatever=asked is None)
    try:
        text = raw.decode(name)
    except UnicodeDecodeError as error:
        raise _undecodable(path, raw, name, error.start) from None
    if "\0" in text:
        wide = _wide(raw)
        remedy = "" if wide is None or wide == asked else f": say --encoding {wide}"
        raise UserError(
            f"Data file {path} must be text in {name.upper()}, but byte {raw.find(0)} is 0x00"
            + remedy
        )
    if not text.strip():
        raise UserError(f"Data file {path} must have a header and rows, but it is empty")
    return name


def _marked(raw: bytes, name: str, *, whatever: bool) -> str:
    """Return what a byte order mark says, if that is ``name`` or may be another; else ``name``."""
    for mark, marked in _MARKS:
        if raw.startswith(mark):
            same = codecs.lookup(name).name.startswith(marked.removesuffix("-sig"))
            return marked if same or whatever else name
    return name


def _wide(raw: bytes) -> str | None:
    """Return the encoding of text without a mark whose every other byte is zero, mostly."""
    sample = raw[:2000]
    even, odd = (sample[start::2].count(0) * 2 / len(sample) for start in (0, 1))
    if max(even, odd) < 0.7:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _undecodable(path: Path, raw: bytes, name: str, place: int) -> UserError:
    byte = f"byte {place} is {raw[place]:#04x}" if place < len(raw) else "its end is missing"
    told = f"Data file {path} must be text in {name.upper()}, but {byte}"
    if wide := _wide(raw):
        return UserError(f"{told}: say --encoding {wide}")
    for other in ("cp1252", "latin-1"):
        if other == name:
            continue
        try:
            text = raw.decode(other)
        except UnicodeDecodeError:
            continue
        start = max(text.rfind("\n", 0, place), place - _SAMPLE // 2) + 1
        sample = text[start : start + _SAMPLE].splitlines()[0]
        return UserError(
            f"{told}: --encoding {other} reads {shown(sample)} there; if that is wrong, name the"
            " encoding that the file was written in"
        )
    return UserError(f"{told}: name the encoding that the file was written in with --encoding")
