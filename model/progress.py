"""A progress bar; silent unless a person is watching."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]

Report = Callable[[int, str], None]


@contextmanager
def progress_bar(total: int | None, enabled: bool | None = None) -> Iterator[Report]:
    """Gives a function that is told (steps done, what to say).

    ``total`` None stands for a number of steps that nobody knows before the end. ``enabled`` None
    draws the bar only when the standard error is a terminal.
    """
    if not (sys.stderr.isatty() if enabled is None else enabled):
        yield lambda _done, _text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)

        def report(done: int, text: str) -> None:
            bar.update(task, completed=done, description=text)

        yield report
        if total is not None:
            bar.update(task, completed=total)
