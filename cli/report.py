"""What a command says: JSON for programs, tables for people, notes on the side.

With ``--json`` the standard output holds one JSON object and nothing else; what people read goes to
the standard error then. Without it, results go to the standard output, notes to the other.
"""

import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Report", "command_line", "json_option", "program", "visible"]

#: Columns of text where nobody's terminal says how many there are.
WIDTH = 80
#: Letters of a word that a table does not break.
LONGEST_WORD = 24


def _plain(value: object) -> object:
    """Return a value as JSON has it: null for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def visible(text: str) -> str:
    """Return a text with all that a terminal would not show, or would obey, as Python writes it."""
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def program() -> str:
    """Return what calls this program from here: its path, if it is not on the PATH."""
    own = Path(sys.argv[0])
    return "bitformer" if shutil.which("bitformer") or own.stem != "bitformer" else str(own)


def command_line(*arguments: object) -> str:
    """Return this program with arguments, to be copied into the system's own shell."""
    words = [program()]
    for argument in arguments:
        word = str(argument)
        # a path is no option, whatever it begins with
        words.append(f".{os.sep}{word}" if isinstance(argument, Path) and word[0] == "-" else word)
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _is_short(cell: str) -> bool:
    """Return whether a cell is a word that a line has room for: it is not broken."""
    return len(cell) <= LONGEST_WORD and " " not in cell.strip()


def _headings(names: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the names of columns; those that make a table wider than ``width``, word by word."""
    inside = [max((len(line[number]) for line in lines), default=0) for number in range(len(names))]
    natural = sum(max(len(name), cells) + 2 for name, cells in zip(names, inside, strict=True))
    if natural <= width:
        return list(names)
    return [
        name.replace(" ", "\n") if len(name) > cells else name
        for name, cells in zip(names, inside, strict=True)
    ]


def _whole(
    names: Sequence[str], lines: Sequence[Sequence[str]], words: int, width: int
) -> list[bool]:
    """Return which columns keep each cell in a line: numbers and short words, where there is room.

    Where there is none, cells go on in the next line, first at their blanks: none is cut off.
    """
    columns = [[line[number] for line in lines] for number in range(len(names))]
    short = [all(map(_is_short, cells)) for cells in columns]
    asked = [number >= words or one for number, one in enumerate(short)]
    for kept in (asked, short):
        needed = 0
        for name, cells, whole in zip(names, columns, kept, strict=True):
            pieces = cells if whole else [word for cell in cells for word in cell.split()]
            needed += max(map(len, (*name.split(), *pieces)), default=0) + 2
        if needed <= width:
            return kept
    return [False] * len(names)


class Report:
    """Where a command's results, tables and notes go."""

    def __init__(self, *, as_json: bool = False):
        self.as_json = as_json

    @cached_property
    def console(self) -> "Console":
        """Where people read results."""
        from rich.console import Console  # late: not for --help

        console = Console(stderr=self.as_json, highlight=False, soft_wrap=False)
        if not console.is_terminal:
            console.width = WIDTH
        return console

    def note(self, sentence: str) -> None:
        """Print a remark on the standard error."""
        click.echo(visible(sentence), err=True)

    def line(self, text: str = "") -> None:
        """Print a line of the result, for people."""
        self.console.print(visible(text), markup=False, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object] | None],
        *,
        title: str | None = None,
        words: int = 1,
    ) -> None:
        """Print a table; its first ``words`` columns are text, the others are aligned as numbers.

        None in place of a row draws a line.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        lines = [None if row is None else [visible(str(cell)) for cell in row] for row in rows]
        cells = [line for line in lines if line is not None]
        width = self.console.width
        names = _headings([visible(name) for name in columns], cells, width)
        whole = _whole(names, cells, words, width)
        table = Table(
            title=None if title is None else visible(title),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for number, name in enumerate(names):
            # a long name goes on in another line: cut off, two of them could look alike
            table.add_column(
                Text(name),
                justify="left" if number < words else "right",
                overflow="fold",
                no_wrap=whole[number],
            )
        for line in lines:
            if line is None:
                table.add_section()
            else:
                table.add_row(*map(Text, line))
        self.console.print(table)

    def data(self, data: Mapping[str, object]) -> None:
        """Print the result for programs; silent unless ``--json`` was given."""
        if self.as_json:
            text = json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)
            # half a surrogate pair is in no encoding: a path that is no UTF-8 has some
            click.echo(re.sub(r"[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text))


def json_option(function):
    """Make ``--json``, given to the command as ``report``."""
    return click.option(
        "--json",
        "report",
        is_flag=True,
        callback=lambda _ctx, _param, value: Report(as_json=value),
        help="Print one JSON object on the standard output; text goes to the standard error.",
    )(function)
