"""The matrix products of several models in one call, equal bit for bit to those of each alone.

A BLAS sums in an order of its choice, which depends on the sizes and on whether it multiplies one
pair of matrices or several. So each size is tried once: where both differ, models are multiplied
one after another.
"""

import functools

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["affine_of_each"]

#: Products of matrices that are small, and how often these are drawn.
_SMALL, _DRAWS = 1 << 14, 16


def affine_of_each(x: Tensor, weight: Tensor, bias: Tensor, time: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias`` of each model.

    ``x`` is [models, batch, rows, inputs], ``weight`` [models, outputs, inputs] and ``bias``
    [models, outputs]; with ``time``, int64 [models, batch], it is [models, times, outputs] and each
    window has the row of its time.
    """
    models, batch, rows, inputs = x.shape
    sizes = models, batch, rows, inputs, weight.shape[1]
    together = _together if _agree(*sizes, added=time is None) else _one_by_one
    if time is None:
        return together(x, weight, bias)
    model = torch.arange(models, device=x.device)[:, None]
    return together(x, weight, None) + bias[model, time][:, :, None]


def _one_by_one(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    biases = [None] * len(x) if bias is None else bias
    return torch.stack(list(map(functional.linear, x, weight, biases)))


def _together(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    rows, columns = x.flatten(1, 2), weight.transpose(1, 2)
    added = None if bias is None else bias[:, None]
    y = torch.bmm(rows, columns) if added is None else torch.baddbmm(added, rows, columns)
    return y.unflatten(1, x.shape[1:3])


@functools.cache
def _agree(models: int, batch: int, rows: int, inputs: int, outputs: int, *, added: bool) -> bool:
    """Return whether both ways give the same bits, gradients included, of matrices so large.

    Few numbers may agree by chance: small matrices are drawn more often.
    """
    small = batch * rows * inputs * outputs < _SMALL
    sizes = models, batch, rows, inputs, outputs
    return all(_agree_on(seed, sizes, added) for seed in range(_DRAWS if small else 2))


def _agree_on(seed: int, sizes: tuple[int, int, int, int, int], added: bool) -> bool:
    models, batch, rows, inputs, outputs = sizes
    random = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    x, weight = drawn(models, batch, rows, inputs), drawn(models, outputs, inputs)
    bias, gradient = drawn(models, outputs), drawn(models, batch, rows, outputs)
    given = (x, weight, bias) if added else (x, weight)
    found = []
    with torch.enable_grad():
        for way in (_one_by_one, _together):
            leaves = [one.clone().requires_grad_() for one in given]
            y = way(leaves[0], leaves[1], leaves[2] if added else None)
            found.append((y, *torch.autograd.grad(y, leaves, gradient)))
    return all(map(torch.equal, *found))
