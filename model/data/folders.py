"""Published data sets of many files: where their folders are found, or fetched from.

A folder is looked for in the one that ``BITFORMER_DATA`` names, then in the user's cache; files
that are not there are downloaded. Each counts only if its SHA-256 is the published one, which
stands in ``published/`` beside this file. None of them ships.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitformer.model.cache import user_folder
from bitformer.model.data.sources import ENVIRONMENT, download, given_folder, require_digest
from bitformer.model.errors import UserError

__all__ = ["FOLDERS", "SKAB", "PublishedFolder", "find_folder"]

_PUBLISHED = Path(__file__).with_name("published")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedFolder:
    """A published folder of files.

    Parameters
    ----------
    folder : its name, in ``BITFORMER_DATA`` and in the cache.
    url : where its files are downloaded from, up to their paths in it.
    licence : what it may be used for, in a sentence.
    reading : how its rows are read, unless the caller says otherwise.
    """

    folder: str
    url: str
    licence: str
    reading: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def checksums(self) -> dict[str, str]:
        """The SHA-256 of each file, by its path in the folder."""
        lines = (_PUBLISHED / f"{self.folder}.sha256").read_text().splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


#: By the names under which they are trained on.
FOLDERS = {
    "strikewatch": PublishedFolder(
        folder="strikewatch",
        url="https://raw.githubusercontent.com/tianheng-ling/StrikeWatch/51757d7/data/csv/",
        licence="StrikeWatch: CC BY-NC 4.0, academic and non-commercial use, arXiv 2510.24738",
        reading={"files": "person{group}_{label}.csv"},
    ),
}
#: Water circuits with labelled faults.
SKAB = PublishedFolder(
    folder="skab",
    url="https://raw.githubusercontent.com/waico/SKAB/b2c0d46/data/",
    licence="SKAB v0.9: GPL-3.0, github.com/waico/SKAB",
)


def find_folder(source: PublishedFolder, *, cache: Path | None = None) -> Path:
    """Return the path of a folder; what of it is nowhere is downloaded to ``cache``.

    Raises
    ------
    UserError
        If a file of it is another than the published one, or cannot be downloaded.
    """
    checksums = source.checksums
    given = given_folder()
    own = None if given is None else given / source.folder
    if own is not None and own.is_dir():
        lacking = [name for name in checksums if not (own / name).is_file()]
        if lacking:
            raise UserError(
                f"{own} must have the {len(checksums)} files of the published {source.folder}, but"
                f" lacks {len(lacking)}, such as {lacking[0]}: download {source.url}{lacking[0]}"
                f" into it, or take the folder away from ${ENVIRONMENT}"
            )
        for name, digest in checksums.items():
            require_digest(own / name, name, digest)
        return own
    home = user_folder() if cache is None else cache
    folder = None if home is None else home / source.folder
    for name, digest in checksums.items():
        download(source.url, name, digest, cache=folder)
    assert folder is not None, "without a cache nothing is downloaded"
    return folder
