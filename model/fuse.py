"""A float model whose attention has weights for keys, as one without."""

from collections.abc import Mapping

from torch import Tensor

__all__ = ["fused_weights"]


def fused_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of the fused model that computes what one of a single head does.

    Of ``(Q x + b) . (K y + c)``, what c adds is the same for all y, and softmax cancels it. The
    rest is ``(K' Q x + K' b) . y``, with K' the transpose of K.
    """
    found = {name: value for name, value in weights.items() if ".k." not in name}
    for name in [name for name in weights if name.endswith(".k.weight")]:
        queries, turned = name.removesuffix("k.weight") + "q.", weights[name].T
        for kind in ("weight", "bias"):
            found[queries + kind] = turned @ weights[queries + kind]
    return found
