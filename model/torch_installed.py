"""Whether torch, which training alone needs, is installed."""

import importlib.util

from bitformer.model.errors import UserError

__all__ = ["require_torch"]


def require_torch(what: str = "Training") -> None:
    """Refuse ``what`` in one sentence where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            f"{what} needs torch, which is not installed: pip install 'bitformer[train]'"
            " --extra-index-url https://download.pytorch.org/whl/cpu (without GPU libraries)"
        )
