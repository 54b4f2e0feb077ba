"""Whether the packages of the extra ``onnx`` are installed."""

import importlib.util

from bitformer.model.errors import UserError

__all__ = ["EXECUTOR", "require_packages"]

#: What runs a graph, beside ``onnx``, which writes it.
EXECUTOR = ("onnxruntime", "qonnx")


def require_packages(what: str, *names: str) -> None:
    """Refuse ``what`` in one sentence where one of ``names`` is not installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs {' and '.join(missing)}, not installed: pip install 'bitformer[onnx]'"
        )
