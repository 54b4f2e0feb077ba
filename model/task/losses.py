"""What a training step makes smaller, by task: squares for values, cross entropy for classes."""

from torch import Tensor

from bitformer.model.distillation import distilled_loss

__all__ = ["class_loss", "loss_of"]


def class_loss(
    scores: Tensor, target: Tensor, taught: Tensor | None, share: float, weights: Tensor | None
) -> Tensor:
    """Return the mean cross entropy of scores [n, classes] and the classes' numbers [n, 1].

    ``share`` of it is that to the softmax of the teacher's scores ``taught``, if there are any.
    ``weights`` [classes] : of each window, by its class; None for the same.
    """
    logs, labels = scores.log_softmax(dim=1), target.long()
    own = -logs.gather(1, labels)[:, 0]
    each = None if weights is None else weights[labels[:, 0]]
    loss = _mean(own, each)
    if taught is None:
        return loss
    soft = -(taught.softmax(dim=1) * logs).sum(dim=1)
    return (1 - share) * loss + share * _mean(soft, each)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


def loss_of(
    task: str,
    outputs: Tensor,
    target: Tensor,
    taught: Tensor | None,
    share: float,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the loss of a network's outputs [n, outputs] beside their targets.

    ``taught`` : the float model's outputs, which are ``share`` of what is to be met.
    """
    if task == "classify":
        return class_loss(outputs, target, taught, share, weights)
    return distilled_loss(outputs, target, taught, share)
