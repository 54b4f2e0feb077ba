"""The programs that bitformer uses where they are there."""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable

from bitformer.model.errors import UserError

__all__ = ["ToolHere", "tools"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolHere:
    """A program, and whether it is here.

    Parameters
    ----------
    name : as people call it. purpose : what bitformer does with it.
    found : its name and version, or its path; None if it is not here.
    remedy : how to get it, or why what was named will not do; empty if it is here.
    """

    name: str
    purpose: str
    found: str | None
    remedy: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        return dataclasses.asdict(self)


#: On Linux, torch from PyPI comes with gigabytes of GPU libraries.
_CPU = " --extra-index-url https://download.pytorch.org/whl/cpu, a build without GPU libraries"


def _path(program: str, variable: str) -> str:
    from bitformer.model.process import missing

    if reason := missing(program, variable):
        raise UserError(reason)
    return str(shutil.which(os.environ.get(variable) or program))


def _vivado() -> str:
    from bitformer.boards.build.run import TOOLCHAINS, missing_tools

    if reasons := missing_tools("vivado"):
        raise UserError(f"{reasons[0]}; AMD's free edition will do")
    script = os.environ.get(TOOLCHAINS["vivado"][2])
    return f"by {script}" if script else _path("vivado", "VIVADO")


def _loader() -> str:
    try:
        return _path("openFPGALoader", "OPENFPGALOADER")
    except UserError as error:
        raise UserError(f"{error}; https://trabucayre.github.io/openFPGALoader") from None


def _compiler() -> str:
    from bitformer.sim.native_build import find_compiler

    return " ".join(find_compiler())


def _version(name: str) -> Callable[[], str]:
    def find() -> str:
        from bitformer.synth.tools import find_program
        from bitformer.synth.yosys import find_tool

        return (find_tool() if name == "yosys" else find_program(name)).version

    return find


#: Packages of extras by module: what people call them, what they are for, the extra.
_PACKAGES = {
    "torch": ("PyTorch", "train, import, export runs", "train"),
    "matplotlib": ("Matplotlib", "pictures of --plot", "plot"),
    "onnx": ("ONNX, QONNX", "export --onnx", "onnx"),
    "serial": ("pyserial", "talk to a board over UART", "serial"),
    "spidev": ("spidev", "talk to a board over SPI", "spi"),
    "optuna": ("Optuna", "sample large spaces of a search", "search"),
    "distributed": ("Dask", "searches on several processes", "search"),
    "lightgbm": ("LightGBM", "trees to compare with", "baselines"),
    "transformers": ("Transformers", "PatchTST in its own framework", "huggingface"),
}


def _package(module: str, extra: str) -> str:
    if importlib.util.find_spec(module) is None:
        raise UserError(f"pip install 'bitformer[{extra}]'{_CPU if module == 'torch' else ''}")
    distributions = {"serial": "pyserial"}
    return importlib.metadata.version(distributions.get(module, module))


def tools() -> list[ToolHere]:
    """Return what is used where it is there, programs and packages, and how to get the others.

    Native ones are taken before those of PyPI; a variable such as ``NEXTPNR_ECP5`` names one.
    """
    asked: list[tuple[str, str, Callable[[], str]]] = [
        ("Yosys", "synthesize, build for open FPGAs", _version("yosys")),
        ("nextpnr-ecp5", "place and route for open FPGAs", _version("nextpnr-ecp5")),
        ("ecppack", "make their bitstreams", _version("ecppack")),
        ("nextpnr-ice40", "place and route for small open FPGAs", _version("nextpnr-ice40")),
        ("icepack", "make their bitstreams", _version("icepack")),
        ("Vivado", "build for AMD's FPGAs", _vivado),
        ("openFPGALoader", "load bitstreams into boards", _loader),
        ("C++ compiler", "simulate fast", _compiler),
    ]
    for module, (name, purpose, extra) in _PACKAGES.items():
        asked.append((name, purpose, functools.partial(_package, module, extra)))
    found = []
    for name, purpose, look in asked:
        try:
            found.append(ToolHere(name=name, purpose=purpose, found=look()))
        except UserError as error:
            found.append(ToolHere(name=name, purpose=purpose, found=None, remedy=str(error)))
    return found
