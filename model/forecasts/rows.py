"""Rows of an answer as CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from bitformer.model.files import ready_file, write_whole

__all__ = ["rows_as_csv"]


def rows_as_csv(rows: Iterable[Mapping[str, object]], path: str | Path | None) -> str:
    """Return rows as CSV; also write a file, if named.

    Columns come in the order in which rows first have them, ``line`` last; what a row lacks is
    empty.
    """
    listed, text = list(rows), io.StringIO()
    names = dict.fromkeys(name for row in listed for name in row if name != "line")
    writer = csv.DictWriter(text, [*names, "line"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    if path is not None:
        write_whole(ready_file(Path(path)), text.getvalue())
    return text.getvalue()
