"""Training windows as tensors, changed anew each time they are drawn."""

from typing import NamedTuple

import torch
from torch import Tensor

from bitformer.model.augmentation import Augmentation
from bitformer.model.data.windows import Dataset
from bitformer.model.window_tensors import WindowTensors

__all__ = ["AugmentedWindows", "Drawn", "augmented_windows"]


class Drawn(NamedTuple):
    """Windows of a batch: inputs [n, window, m], targets [n, outputs] and times [n, numbers].

    ``taught`` : the outputs of the float model, [n, outputs]; None where nothing follows them.
    """

    x: Tensor
    y: Tensor
    clock: Tensor
    taught: Tensor | None


class AugmentedWindows:
    """The training windows of ``dataset``, changed as ``kinds`` says.

    Random numbers are drawn on the processor, from
    one generator in one order, so that they are the same wherever the rest is computed.
    """

    def __init__(self, kinds: Augmentation, dataset: Dataset, device: torch.device):
        self._kinds, self._device = kinds, device
        self._x = WindowTensors.inputs(dataset.train, device)
        self._y = WindowTensors.targets(dataset.train, device)
        self._scales_targets = dataset.task != "classify"
        stretches, train = dataset.stretches, dataset.train
        if kinds.shift and stretches is not None:
            found = stretches.limits(train.begin, train.window)
            self._place, self._low, self._high = map(torch.from_numpy, found)
            self._most = int(kinds.shift * stretches.every)
            self._rows = torch.tensor(stretches.rows, dtype=torch.float32, device=device)
            self._steps = stretches.every * torch.arange(train.window)

    def drawn(
        self, which: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return inputs [n, window, m] and targets [n, outputs] of windows by their numbers.

        Without a generator, random numbers are torch's own.
        """
        kinds, y = self._kinds, self._y[which]
        x = self._moved(which.cpu(), generator) if kinds.shift else self._x[which]
        if kinds.scale:
            factor = self._normal((len(x), 1, 1), generator).mul_(kinds.scale).exp_()
            x = x * factor
            y = y * factor[:, 0] if self._scales_targets else y
        if kinds.offset:
            x = x + self._normal((len(x), 1, x.shape[2]), generator).mul_(kinds.offset)
        if kinds.noise:
            x = x + self._normal(tuple(x.shape), generator).mul_(kinds.noise)
        return x, y

    def _moved(self, which: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return windows that begin elsewhere in their stretch."""
        most = self._most
        moves = torch.randint(-most, most + 1, (len(which),), generator=generator)
        begin = (self._place[which] + moves).clamp(self._low[which], self._high[which])
        return self._rows[(begin[:, None] + self._steps).to(self._device)]

    def _normal(self, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        return torch.randn(shape, generator=generator).to(self._device)


def augmented_windows(
    asked: str | None, dataset: Dataset, device: torch.device
) -> AugmentedWindows | None:
    """Return the training windows as a text of :class:`Augmentation` changes them, or None."""
    return None if asked is None else AugmentedWindows(Augmentation.of(asked), dataset, device)
