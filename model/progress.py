"""Progress: the one shape of callback for work in steps, and a bar for people who watch."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Progress", "busy", "progress_bar", "silent"]

#: Called with the steps done, the steps in all (None where nobody knows), and what is at work.
Progress = Callable[[int, int | None, str], None]


def silent(_done: int, _total: int | None, _what: str) -> None:
    """Show nothing."""


@contextmanager
def progress_bar(enabled: bool | None = None) -> Iterator[Progress]:
    """Yield a callback that draws a bar on the standard error until the block ends.

    Beside the bar stand the time that went by and, where the steps in all are known, the time left.
    ``enabled`` None draws only where the standard error is a terminal.
    """
    if not (sys.stderr.isatty() if enabled is None else enabled):
        yield silent
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        rich.TextColumn("left"),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=what
        )
        if (total := bar.tasks[task].total) is not None:
            bar.update(task, completed=total)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that ``what`` is at work, and for how long, until the block ends: it has no steps.

    Nothing is drawn where the standard error is no terminal, and nothing is left behind.
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (rich.SpinnerColumn(), rich.TextColumn(what), rich.TimeElapsedColumn())
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        shown.add_task(what, total=None)
        yield
