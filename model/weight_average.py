"""The moving average of a model's weights: it forecasts better than those of any one step."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage", "follow"]


class WeightAverage:
    """The moving average of all that ``model`` learns, and of its running statistics.

    After a step, the average is ``momentum`` times itself and the rest of the present weights. In
    the first steps the present ones count for more, so that it soon forgets where it started. What
    is set and not learned (scales that follow an observer) is not averaged. With ``momentum`` 0 the
    average is the model.
    """

    def __init__(self, model: nn.Module, momentum: float):
        self.momentum, self.steps = momentum, 0
        self.tensors = _copied(model.state_dict())
        fixed = {name for name, value in model.named_parameters() if not value.requires_grad}
        floats = (name for name, value in self.tensors.items() if value.is_floating_point())
        self._averaged = {name for name in floats if name not in fixed}

    def follow(self, model: nn.Module) -> None:
        """Count in the weights after a step."""
        follow([self], [model.state_dict()])

    def pairs(
        self, state: Mapping[str, Tensor], *, averaged: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield own tensors, those that are ``averaged`` or the others, and those of ``state``."""
        for name, own in self.tensors.items():
            if (name in self._averaged) == averaged:
                yield own, state[name]

    @contextmanager
    def on(self, model: nn.Module) -> Iterator[None]:
        """Let ``model`` have the average's weights, and its own again afterwards."""
        own = _copied(model.state_dict())
        model.load_state_dict(self.tensors)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, object]:
        """Return the average and the number of steps in it."""
        return {"steps": self.steps, "tensors": _copied(self.tensors)}

    def load_state_dict(self, state: Mapping) -> None:
        """Go on from what :meth:`state_dict` returned."""
        if state["tensors"].keys() != self.tensors.keys():
            raise ValueError("A state must hold the average of this model, not of another")
        self.steps = int(state["steps"])
        for name, value in state["tensors"].items():
            self.tensors[name].copy_(value)


def follow(averages: Sequence[WeightAverage], states: Sequence[Mapping[str, Tensor]]) -> None:
    """Count in weights after a step: those of each state dict in the average of its place.

    The averages must have the same momentum and have followed as many steps.
    """
    for average in averages:
        average.steps += 1
    steps = averages[0].steps
    momentum = min(averages[0].momentum, (1 + steps) / (10 + steps))

    def all_pairs(*, averaged: bool) -> tuple[list[Tensor], list[Tensor]]:
        models = zip(averages, states, strict=True)
        found = [pair for one, state in models for pair in one.pairs(state, averaged=averaged)]
        return [own for own, _ in found], [now for _, now in found]

    torch._foreach_lerp_(*all_pairs(averaged=True), 1 - momentum)
    own, now = all_pairs(averaged=False)
    if own:
        torch._foreach_copy_(own, now)


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
