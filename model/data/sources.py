"""The files of named data sets, and how they are used.

One ships with bitformer. The others are looked for in the folder that the environment variable
``BITFORMER_DATA`` names, then in the user's cache, and are then downloaded. A file counts only if
its SHA-256 is the published one.
"""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitformer.model.cache import user_folder
from bitformer.model.data.splits import Splitter, before, by_ett_months, by_fractions, first_part
from bitformer.model.errors import UserError

__all__ = [
    "ENVIRONMENT",
    "SOURCES",
    "PublishedFile",
    "ShippedFile",
    "download",
    "find",
    "given_folder",
    "require_digest",
]

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
    clean: Splitter | None = None
    licence: str = ""
    reading: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShippedFile(_NamedFile):
    """A file that ships with bitformer.

    Parameters
    ----------
    filename, sha256 : the file and its digest.
    target, inputs : columns.
    time : the column of times, or several that make one.
    split : where training and validation end.
    clean : the same where a detector is trained, on rows of which no label is used; by default as
        ``split``.
    licence : a sentence on what they may be used for, where that is not anything.
    reading : how its rows are read, unless the caller says otherwise.
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


def _nab(filename: str, sha256: str, folder: str = "realKnownCause") -> PublishedFile:
    return PublishedFile(
        folder="nab",
        url=f"https://raw.githubusercontent.com/numenta/NAB/ea702d7/data/{folder}/",
        filename=filename,
        sha256=sha256,
        target="value",
        inputs=("value",),
        time=("timestamp",),
        split=by_fractions,
        clean=first_part,
        reading={"repeats": "mean"},  # one clock is set back in autumn, two rows have one time
    )


SOURCES: dict[str, ShippedFile | PublishedFile] = {
    "nyc-taxi": ShippedFile(
        filename="nyc_taxi.csv.xz",
        sha256="512859e3564a0e69d0308176a508eebfb6638bbb128812be51ba9e44292687af",
        target="value",
        inputs=("value",),
        time=("timestamp",),
        split=by_fractions,
        clean=first_part,
    ),
    "machine-temperature": _nab(
        "machine_temperature_system_failure.csv",
        "92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4",
    ),
    "ambient-temperature": _nab(
        "ambient_temperature_system_failure.csv",
        "230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581",
    ),
    "ec2-request-latency": _nab(
        "ec2_request_latency_system_failure.csv",
        "98378580aa80157e057c61d59d81daddccc6c65a2c0c800e3f01f603b8215c3f",
    ),
    "art-daily-flatmiddle": _nab(
        "art_daily_flatmiddle.csv",
        "ea5df125947e9ee2b977ac3d341f3c2a029588862af97cae4a654fc56e838702",
        folder="artificialWithAnomaly",
    ),
    "art-daily-jumpsup": _nab(
        "art_daily_jumpsup.csv",
        "f79f92b93ee4f9c10e2dc552505e8880b0c618639ed5e0f9816e044b75c26456",
        folder="artificialWithAnomaly",
    ),
    # A water circuit without a fault; what has faults is for detection alone. GPL-3: never ships.
    "skab": PublishedFile(
        folder="skab/anomaly-free",
        url="https://raw.githubusercontent.com/waico/SKAB/b2c0d46/data/anomaly-free/",
        filename="anomaly-free.csv",
        sha256="7641a8742957100ef424dd97adfb3eeab27d4d180645fe2b3c49b7f7146ae9a6",
        target="Volume Flow RateRMS",
        inputs=(
            "Accelerometer1RMS",
            "Accelerometer2RMS",
            "Current",
            "Pressure",
            "Temperature",
            "Thermocouple",
            "Voltage",
            "Volume Flow RateRMS",
        ),
        time=("datetime",),
        split=by_fractions,
        licence="SKAB v0.9: GPL-3.0, github.com/waico/SKAB",
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
    # Two rows of an hour are several kinds of weather, and have one count. From July 2015 on, 1 984
    # hours are missing, up to 92 in a row: they take the value before. Before is a gap of ten
    # months, so the reading begins behind it, and the line of names is not read.
    "metro-traffic": PublishedFile(
        folder="metro",
        url="https://raw.githubusercontent.com/madhavs128/Vehicular-to-Vehicular-Traffic-prediction/56f74c72cee3595c694aee13d066d9176a2d5f4b/",
        filename="Metro_Interstate_Traffic_Volume.csv",
        sha256="d4f5c4b67de273ec5b4975adb562c7d0d273bad296e4542d6154953e4ed5003c",
        target="traffic_volume",
        inputs=("traffic_volume",),
        time=("date_time",),
        split=by_fractions,
        reading={
            "time_format": "%d-%m-%Y %H:%M",
            "repeats": "first",
            "max_fill": 92,
            "skip": 16158,
            "header": (
                *("holiday", "temp", "rain_1h", "snow_1h", "clouds_all", "weather_main", "day"),
                *("weather_description", "date_time", "traffic_volume"),
            ),
        },
    ),
}


def find(source: ShippedFile | PublishedFile, *, cache: Path | None = None) -> Path:
    """Return the path of a file; a published one that is nowhere is downloaded to ``cache``."""
    if isinstance(source, ShippedFile):
        return _checked(_SHIPPED / source.filename, source)
    folder = given_folder()
    if folder is not None:
        for path in (folder / source.folder / source.filename, folder / source.filename):
            if path.is_file():
                return _checked(path, source)
    return _download(source, user_folder() if cache is None else cache)


def given_folder() -> Path | None:
    """Return the folder that ``BITFORMER_DATA`` names; None where it names none."""
    given = os.environ.get(ENVIRONMENT)
    if not given:
        return None
    folder = Path(given)
    if not folder.is_dir():
        raise UserError(f"{ENVIRONMENT} must name a folder with data sets, not {given!r}")
    return folder


def _checked(path: Path, source: _NamedFile) -> Path:
    return require_digest(path, source.filename, source.sha256)


def require_digest(path: Path, name: str, sha256: str) -> Path:
    """Return ``path``; raise :class:`UserError` unless it is the file that was published."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise UserError(f"{path} must be the published {name} with SHA-256 {sha256}, not {digest}")
    return path


def _download(source: PublishedFile, cache: Path | None) -> Path:
    return download(source.url, source.filename, source.sha256, cache=cache)


def download(url: str, name: str, sha256: str, *, cache: Path | None) -> Path:
    """Return the path of a file of ``cache``, into which it is downloaded unless it is there.

    Parameters
    ----------
    url, name
        Where it is published: the address up to its name, which may have folders.
    sha256
        Its digest.
    cache
        A folder; None where the user has none.

    Raises
    ------
    UserError
        If it cannot be downloaded, or is another file.
    """
    if cache is None:
        raise UserError(
            f"Data set file {name} must be in a folder that ${ENVIRONMENT} names, as this user has"
            f" no home: download {url}{name} into one"
        )
    path = cache / name
    if path.is_file():
        return require_digest(path, name, sha256)
    import pooch  # late: it imports requests

    try:
        pooch.retrieve(url + name, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent)
    except (OSError, ValueError) as error:  # no network or space; another file
        why = "its checksum is wrong" if isinstance(error, ValueError) else "the download failed"
        raise UserError(
            f"Data set file {name} is not in ${ENVIRONMENT} or {cache} and {why}: download"
            f" {url}{name} into a folder and set {ENVIRONMENT} to it"
        ) from None
    return path
