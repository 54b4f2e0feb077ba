"""Tables of the benchmarks: in a terminal, and in Markdown."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["console", "grouped", "markdown_table", "show", "yes"]

#: Columns of text where nobody's terminal says how many there are.
WIDTH = 180


def console() -> Console:
    """The standard output, wide enough for a table."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = WIDTH
    return found


def show(where: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; all but its first column are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    where.print(table)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table's lines, and an empty one."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def grouped(number: int | None) -> str:
    """A number by thousands; a dash where there is none."""
    return "–" if number is None else f"{number:,}".replace(",", " ")


def yes(value: bool | None) -> str:
    """Whether something is so; a dash where nobody knows."""
    return {True: "yes", False: "NO", None: "–"}[value]
