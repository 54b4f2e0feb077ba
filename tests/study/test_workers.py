"""Work on several processes: the same results, whatever happens to a worker."""

import http.client
import importlib.util
import os
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from bitformer.model.errors import UserError
from bitformer.model.process import cores
from bitformer.study.workers import open_pool


def square(number):
    return number * number


def listening():
    """Addresses at which this process and all that it started listen."""
    own = psutil.Process()
    return [
        connection.laddr
        for process in (own, *own.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


def dashboard(address):
    """The page of Dask's dashboard at an address, if there is one."""
    try:
        with urllib.request.urlopen(
            f"http://{address.ip}:{address.port}/status", timeout=5
        ) as page:
            return page.read()
    except (OSError, http.client.HTTPException):
        return None


TASKS = {str(number): (number,) for number in range(5)}


def test_one_worker_runs_here():
    with open_pool(1) as pool:
        assert list(pool.run(square, TASKS)) == [(str(n), n * n) for n in range(5)]


def test_without_dask_work_is_done_here(monkeypatch):
    """Unless several were asked for; and not every system tells which cores may be used."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with open_pool() as pool:
        assert pool.size == 1
        assert list(pool.run(square, {"3": (3,)})) == [("3", 9)]
    with pytest.raises(UserError, match="Several workers need Dask"), open_pool(2):
        pass
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores() == os.cpu_count()


# Dask looks for a free port with a socket that it leaves to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_several_processes_survive_a_death(tmp_path):
    def mortal(number: int, marker: str) -> int:
        try:
            os.mkdir(marker)
        except FileExistsError:
            return number * number
        os._exit(9)

    def fails(number: int) -> int:
        raise UserError(f"number must be even, not {number}")

    with open_pool(2) as pool:
        heard = listening()
        assert len(heard) > 2
        assert {address.ip for address in heard} == {"127.0.0.1"}
        assert all(dashboard(address) is None for address in heard)
        for number in (2, 3, 4):  # the same key again is another task
            assert list(pool.run(pow, {"a": (number, 2)})) == [("a", number**2)]
        tasks = {key: (*arguments, str(tmp_path / "dead")) for key, arguments in TASKS.items()}
        assert dict(pool.run(mortal, tasks)) == {str(n): n * n for n in range(5)}
        assert Path(tmp_path / "dead").exists()
        with pytest.raises(UserError, match=r"^number must be even, not 3$"):
            list(pool.run(fails, {"a": (3,)}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, r"^workers must be at least 1, not 0$"),
        ({"scheduler": "nowhere"}, r"^scheduler must be the address of a .*, not 'nowhere'"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message), open_pool(**options):
        pass
