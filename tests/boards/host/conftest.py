"""The drivers in Python, MicroPython and C."""

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest
from driver_harness import (
    SHIM,
    CDriver,
    MicroDriver,
    PythonDriver,
)
from needs import require

import bitformer.boards.host.client as client_module

HOST = Path(client_module.__file__).parent


@pytest.fixture
def first_session(monkeypatch):
    """Sequence numbers of drivers in Python begin with 1, as the others' do unless told."""
    monkeypatch.setattr(client_module.secrets, "randbelow", lambda count: 0)


@pytest.fixture(scope="module")
def micro():
    spec = importlib.util.spec_from_file_location("bitformer_micro", HOST / "bitformer_micro.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    require("c-compiler")
    compiler = shutil.which("gcc") or shutil.which("cc")
    folder = tmp_path_factory.mktemp("c")
    (folder / "shim.c").write_text(SHIM)
    flags = "-std=c99 -Wall -Wextra -Wconversion -Wshadow -Werror -pedantic -O1 -fPIC -shared"
    subprocess.run(
        [compiler, *flags.split(), f"-I{HOST}", "shim.c", "-o", "shim.so"], cwd=folder, check=True
    )
    return ctypes.CDLL(str(folder / "shim.so"))


@pytest.fixture(params=["python", "micro", "c"])
def driver(request):
    def make(port, kind="uart", session=0, clock=None):
        if request.param == "python":
            return PythonDriver(port, kind, session, clock)
        if request.param == "micro":
            return MicroDriver(port, kind, request.getfixturevalue("micro"), session)
        return CDriver(port, kind, request.getfixturevalue("shim"), session)

    return make
