"""A progress bar over samples, drawn on the standard error when a person is watching."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["sample_bar"]


@contextmanager
def sample_bar(total: int) -> Iterator[Callable[[int, int], None]]:
    """Gives a function that is told (samples done, samples in all)."""
    from bitformer.model.progress import progress_bar

    with progress_bar(total) as report:
        yield lambda done, _total: report(done, "simulating")
