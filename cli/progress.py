"""A progress bar over samples, drawn on the standard error when a person is watching."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["sample_bar"]


@contextmanager
def sample_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told the samples done."""
    from bitformer.model.progress import progress_bar

    with progress_bar(total) as report:
        yield lambda done: report(done, "simulating")
