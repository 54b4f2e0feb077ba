"""Work on several processes or machines through Dask; results are the same for any number of them.

A worker that dies loses nothing: Dask gives its task to another. What has been returned is the
caller's to keep, so that a killed search takes up where it was.
"""

import importlib.util
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bitformer.model.errors import UserError
from bitformer.model.process import cores, end_children

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["WorkerPool", "open_pool"]

#: How often a task may be lost with its worker before it is given up.
_ATTEMPTS = 3
_PATIENCE = "120s"
#: Nothing of a cluster of this machine's own listens to others.
_HERE = "127.0.0.1"


class WorkerPool:
    """Runs tasks; without a ``client``, one after another in this process."""

    def __init__(self, client: "Client | None" = None):
        self._client = client

    @property
    def size(self) -> int:
        """How many tasks run at a time."""
        if self._client is None:
            return 1
        return max(1, sum(self._client.nthreads().values()))

    def run(
        self, function: Callable[..., Any], tasks: Mapping[str, tuple]
    ) -> Iterator[tuple[str, Any]]:
        """Yield (key, ``function(*arguments)``) of every task, as they come to an end.

        ``function`` is a module's own, so that it can be sent; arguments and results are plain
        data. What it raises is raised here, and tasks that wait are dropped.
        """
        if self._client is None:
            for key, arguments in tasks.items():
                yield key, function(*arguments)
            return
        from distributed import KilledWorker, as_completed

        run = uuid4().hex  # a scheduler still knows tasks of earlier runs, and others' tasks
        futures = {
            self._client.submit(function, *arguments, pure=False, key=f"{key}-{run}"): key
            for key, arguments in tasks.items()
        }
        try:
            for future in as_completed(list(futures)):
                try:
                    yield futures[future], future.result()
                except KilledWorker:
                    raise UserError(
                        f"Workers died {_ATTEMPTS} times on {futures[future]}: see their output,"
                        " and give them more memory or use fewer"
                    ) from None
        finally:
            self._client.cancel([future for future in futures if not future.done()])


@contextmanager
def open_pool(workers: int | None = None, scheduler: str | None = None) -> Iterator[WorkerPool]:
    """Open a pool on a Dask ``scheduler``'s workers, or on ``workers`` processes of this machine.

    ``workers`` None takes a process for each core where Dask is, else works without others; one
    worker needs no processes at all. Processes of this machine listen to this machine alone, and
    have no dashboard. Raises :class:`UserError` where Dask is missing that was asked for, or the
    scheduler does not answer.
    """
    alone = workers is None and importlib.util.find_spec("distributed") is None
    count = workers if workers is not None else 1 if alone else cores()
    if count < 1:
        raise UserError(f"workers must be at least 1, not {count}")
    if scheduler is None and count == 1:
        yield WorkerPool()
        return
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UserError(
            "Several workers need Dask, which is not installed: pip install 'bitformer[search]'"
        ) from None
    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": _ATTEMPTS,
            "distributed.comm.timeouts.connect": _PATIENCE,  # a busy machine starts slowly
        }
    )
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout="10s")
        except (OSError, ValueError) as error:
            raise UserError(
                f"scheduler must be the address of a running Dask scheduler, not {scheduler!r}:"
                f" {error}"
            ) from None
        with client:
            yield WorkerPool(client)
        return
    with ExitStack() as stack:
        resource_tracker.ensure_running()  # it would let Ctrl-C in again where it is started
        with _without_ctrl_c():  # nor in the processes and threads that are started
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    memory_limit=None,
                    silence_logs=logging.ERROR,  # workers of a busy machine end late
                    host=_HERE,
                    dashboard_address=f"{_HERE}:0",  # its server is there all the same
                    scheduler_kwargs={"dashboard": False},
                )
            )
            client = stack.enter_context(Client(cluster))
        try:
            yield WorkerPool(client)
        except BaseException:
            with _without_ctrl_c():
                client.run(_give_up)
                stack.close()
            raise


def _give_up() -> None:
    """Stop a worker's task, for which nobody waits any more."""
    logging.disable(logging.CRITICAL)
    end_children()


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Put Ctrl-C off until the block is over.

    Processes and threads that are started in it never see it: they are ended by who started them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
