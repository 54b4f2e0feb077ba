"""The files of named data sets, and how they are used.

One ships with bitformer. The others are looked for in the folder that the environment variable
``BITFORMER_DATA`` names, then in the user's cache, and are then downloaded. A file counts only if
its SHA-256 is the published one.
"""

import dataclasses
import hashlib
import os
from pathlib import Path

from bitformer.model.cache import user_folder
from bitformer.model.data.splits import Splitter, before, by_ett_months, by_fractions
from bitformer.model.errors import UserError

__all__ = ["ENVIRONMENT", "SOURCES", "PublishedFile", "ShippedFile", "find"]

ENVIRONMENT = "BITFORMER_DATA"
#: Beside this file, with their licences.
_SHIPPED = Path(__file__).with_name("shipped")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _NamedFile:
    """A file with a name, and how it is used unless the caller says otherwise."""

    filename: str
    sha256: str
    target: str
    inputs: tuple[str, ...]
    time: tuple[str, ...]
    split: Splitter


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShippedFile(_NamedFile):
    """A file that ships with bitformer.

    Parameters
    ----------
    filename, sha256 : the file and its digest.
    target, inputs : columns.
    time : the column of times, or several that make one.
    split : where training and validation end.
    """


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedFile(_NamedFile):
    """A published file that is found or downloaded.

    Parameters
    ----------
    folder : sub-folder of ``BITFORMER_DATA`` that may hold the file.
    url : where it is downloaded from, up to the file's name.

    The others are those of a :class:`ShippedFile`.
    """

    folder: str
    url: str


def _ett(filename: str, sha256: str) -> PublishedFile:
    return PublishedFile(
        folder="etth",
        url="https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/",
        filename=filename,
        sha256=sha256,
        target="OT",
        inputs=("OT",),
        time=("date",),
        split=by_ett_months,
    )


SOURCES: dict[str, ShippedFile | PublishedFile] = {
    "nyc-taxi": ShippedFile(
        filename="nyc_taxi.csv.xz",
        sha256="512859e3564a0e69d0308176a508eebfb6638bbb128812be51ba9e44292687af",
        target="value",
        inputs=("value",),
        time=("timestamp",),
        split=by_fractions,
    ),
    "etth1": _ett("ETTh1.csv", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"),
    "etth2": _ett("ETTh2.csv", "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b"),
    # Ozone from what a small station measures beside it: seven inputs, as the published family
    # has. SO2, RAIN and PRES are left out; dew point (with the temperature: humidity) and wind
    # say more about ozone.
    "beijing-air": PublishedFile(
        folder="beijing_air",
        url="https://raw.githubusercontent.com/roccohsia/stats131group10/147dff44db784e1b5039dc1ae9c9d052c1e79e12/",
        filename="PRSA_Data_Dongsi_20130301-20170228.csv",
        sha256="9c0020214425e5ee2a64d42f97a1f632e1d8f6b53ad50edd85a686cc7999f27e",
        target="O3",
        inputs=("PM2.5", "PM10", "NO2", "CO", "TEMP", "DEWP", "WSPM"),
        time=("year", "month", "day", "hour"),
        split=before(2016, 3, 1),
    ),
}


def find(source: ShippedFile | PublishedFile, *, cache: Path | None = None) -> Path:
    """Return the path of a file; a published one that is nowhere is downloaded to ``cache``."""
    if isinstance(source, ShippedFile):
        return _checked(_SHIPPED / source.filename, source)
    given = os.environ.get(ENVIRONMENT)
    if given:
        folder = Path(given)
        if not folder.is_dir():
            raise UserError(f"{ENVIRONMENT} must name a folder with data sets, not {given!r}")
        for path in (folder / source.folder / source.filename, folder / source.filename):
            if path.is_file():
                return _checked(path, source)
    return _download(source, user_folder() if cache is None else cache)


def _checked(path: Path, source: _NamedFile) -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != source.sha256:
        raise UserError(
            f"{path} must be the published {source.filename} with SHA-256 {source.sha256},"
            f" not {digest}"
        )
    return path


def _download(source: PublishedFile, cache: Path | None) -> Path:
    if cache is None:
        raise UserError(
            f"Data set file {source.filename} must be in a folder that ${ENVIRONMENT} names, as"
            f" this user has no home: download {source.url}{source.filename} into one"
        )
    path = cache / source.filename
    if path.is_file():
        return _checked(path, source)
    import pooch  # late: it imports requests

    try:
        pooch.retrieve(
            source.url + source.filename,
            known_hash=f"sha256:{source.sha256}",
            fname=source.filename,
            path=cache,
        )
    except (OSError, ValueError) as error:  # no network or space; another file
        why = "its checksum is wrong" if isinstance(error, ValueError) else "the download failed"
        raise UserError(
            f"Data set file {source.filename} is not in ${ENVIRONMENT} or {cache} and {why}:"
            f" download {source.url}{source.filename} into a folder and set {ENVIRONMENT} to it"
        ) from None
    return path
