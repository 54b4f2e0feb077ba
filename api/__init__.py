"""bitformer: small quantized Transformers, and accelerators that equal them bit for bit.

Functions begin something, methods go on with it:

    import bitformer

    model = bitformer.load("runs/demo/model.safetensors")     # or bitformer.train("my.csv", ...)
    design = bitformer.lower(model, part="xc7s15")
    design.latency, design.estimate(), design.simulate(samples=4).bit_exact
    design.build("sea", to="build/mine")

Whatever comes back has a readable ``repr``, plain attributes and ``to_dict()``. A mistake in what
was asked for is a :class:`UserError` of one sentence. Nothing is imported before it is used, and
torch only by :func:`train`, :func:`from_torch`, :func:`find` and :meth:`Model.noise`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitformer._builds import Build
    from bitformer._designs import AcceleratorDesign
    from bitformer._estimates import DesignEstimate
    from bitformer._imports import from_files, from_torch
    from bitformer._lower import lower
    from bitformer._models import Model, load
    from bitformer._ready import Card, models
    from bitformer._search import Candidate, Found, find
    from bitformer._tools import ToolHere, tools
    from bitformer._train import train
    from bitformer._training import Training
    from bitformer.model.errors import UserError

__all__ = [
    "AcceleratorDesign",
    "Build",
    "Candidate",
    "Card",
    "DesignEstimate",
    "Found",
    "Model",
    "ToolHere",
    "Training",
    "UserError",
    "__version__",
    "find",
    "from_files",
    "from_torch",
    "load",
    "lower",
    "models",
    "tools",
    "train",
]

#: Where each public name is defined.
_HOMES = {
    "AcceleratorDesign": "_designs",
    "Build": "_builds",
    "Candidate": "_search",
    "Card": "_ready",
    "DesignEstimate": "_estimates",
    "Found": "_search",
    "Model": "_models",
    "ToolHere": "_tools",
    "Training": "_training",
    "UserError": "model.errors",
    "find": "_search",
    "from_files": "_imports",
    "from_torch": "_imports",
    "load": "_models",
    "lower": "_lower",
    "models": "_ready",
    "tools": "_tools",
    "train": "_train",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("bitformer")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
