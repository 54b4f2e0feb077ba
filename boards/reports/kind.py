"""A kind of report: how its files are known, how it is read, judged and shown."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Generic, TypeVar

from bitformer.boards.build.manifest import Manifest

__all__ = ["SUBJECTS", "ReportKind", "TableRow"]

T = TypeVar("T")

#: What every build must have a report about.
SUBJECTS = ("timing", "utilization", "power")
#: A value's name, the value, and its unit or what else belongs to it.
TableRow = tuple[str, object, str]


@dataclass(frozen=True, kw_only=True)
class ReportKind(Generic[T]):
    """A kind of report; the manifest is None for a project that bitformer did not write.

    Parameters
    ----------
    name : str
        The key of the report in a `BuildReport`.
    subject : str or None
        Which of ``SUBJECTS`` the report is about; of several kinds with the same, the first in
        ``KINDS`` judges the build. None for a report that a build may lack.
    also : tuple of str
        Others of ``SUBJECTS`` that the report is about.
    files : mapping
        File name patterns, and the regular expression that the text of such a file contains.
    read : callable
        Reads the text; raises `UserError` if it cannot.
    problems : callable
        Gives what the report has against the build: sentences without a full stop.
    rows : callable
        Gives the rows of the table that people read.
    """

    name: str
    subject: str | None = None
    also: tuple[str, ...] = ()
    files: Mapping[str, str]
    read: Callable[[str], T]
    problems: Callable[[T, Manifest | None], Iterable[str]]
    rows: Callable[[T, Manifest | None], Iterable[TableRow]]

    def matches(self, name: str, text: str) -> bool:
        """Return True if a file with this name and text is a report of this kind."""
        return any(
            fnmatch(name, pattern) and re.search(mark, text, re.M)
            for pattern, mark in self.files.items()
        )
