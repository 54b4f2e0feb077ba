"""The tensors of somebody else's model, taken one by one: each is there, fits, and is used."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from bitformer.model.errors import UserError

__all__ = ["Parts", "named"]

#: Names of tensors that are shown.
_SHOWN = 3


class Parts:
    """Tensors by name that are taken; ``where`` precedes a sentence."""

    def __init__(self, tensors: Mapping[str, np.ndarray], where: str):
        self._tensors, self.where = dict(tensors), where
        self._left = dict.fromkeys(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    @property
    def left(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what has not been taken, by name."""
        return {name: self._tensors[name].shape for name in self._left}

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor, which must be there."""
        if name not in self._tensors:
            raise UserError(f"{self.where} must have a tensor {name}, which is missing")
        return self._tensors[name].shape

    def take(self, name: str, *shape: int) -> Tensor:
        """Return a tensor, which must have this shape."""
        found = self.shape(name)
        if found != shape:
            raise UserError(f"{self.where}: {name} must have shape {shape}, not {found}")
        self._left.pop(name, None)
        return torch.tensor(self._tensors[name])

    def linear(self, name: str, outputs: int, inputs: int, mark: str = ".") -> dict[str, Tensor]:
        """Return ``weight`` and ``bias`` of a linear layer; 0 for a bias that it has not.

        ``mark`` stands between its name and theirs.
        """
        weight = self.take(f"{name}{mark}weight", outputs, inputs)
        bias = torch.zeros(outputs)
        if f"{name}{mark}bias" in self:
            bias = self.take(f"{name}{mark}bias", outputs)
        return {"weight": weight, "bias": bias}

    def norm(self, name: str, features: int) -> dict[str, Tensor]:
        """Return ``scale`` and ``offset`` of a norm, and statistics that it has; else 1 and 0."""
        found = {"scale": torch.ones(features), "offset": torch.zeros(features)}
        names = {"weight": "scale", "bias": "offset"}
        names |= {"running_mean": "mean", "running_var": "variance"}
        for theirs, ours in names.items():
            if f"{name}.{theirs}" in self:
                found[ours] = self.take(f"{name}.{theirs}", features)
        return found

    def leave(self, name: str) -> None:
        """Take a tensor that nothing is made of."""
        self._left.pop(name)

    def finish(self, remedy: str = "") -> None:
        """Raise :class:`UserError` where a tensor has not been taken."""
        if not self._left:
            return
        names = [*self._left]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise UserError(
            f"{self.where} must have no tensor that this import does not use, but has"
            f" {', '.join(names[:_SHOWN])}{more}{remedy}"
        )


def named(prefix: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with ``prefix`` and a point before their names."""
    return {f"{prefix}.{name}": value for name, value in parts.items()}
