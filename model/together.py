"""Trainings of one shape in one: their steps are taken together.

A step of a small model is mostly the overhead of its operations. Here the models of several
trainers get one set of parameters with a first axis for the models, of which each trainer's own are
views, so that an operation is called once for all. What a trainer computes is, bit for bit, what it
computes alone: its seed decides its batches, how they are augmented and its dropout, and sums run
over its own values.
"""

import copy
import dataclasses
import json
import math
import time
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from bitformer.model.errors import TrainingDivergedError
from bitformer.model.layers import QatBatchNorm
from bitformer.model.trainer import Trainer
from bitformer.model.transformer import Transformer
from bitformer.model.weight_average import follow

__all__ = ["company", "run_epoch"]

#: The largest norm of a model's gradient, and what keeps a division from 0, as in
#: :func:`torch.nn.utils.clip_grad_norm_`.
_LARGEST, _TINY = 1.0, 1e-6


def company(trainer: Trainer) -> Hashable | None:
    """Return what trainers must have in common to run their next epoch together.

    None for one that runs it alone: on a GPU, with scales that an observer sets, with zero points
    that learn, with another model's scales, on an ADC's words, or of a stream.
    """
    activations, config = trainer.model.activations, trainer.config
    alone = trainer.observes or activations.movable or trainer.kept is not None
    if alone or config.adc_words or config.stream or trainer.device.type != "cpu":
        return None
    return (
        json.dumps(config.to_dict(), sort_keys=True),
        id(trainer.dataset),
        dataclasses.replace(trainer.settings, seed=0),
        trainer.stage,
        trainer.epoch,
    )


def run_epoch(trainers: Sequence[Trainer]) -> list[TrainingDivergedError | None]:
    """Run an epoch of trainers in one :func:`company`; return, for each, how it diverged, or None.

    It does with each what :meth:`Trainer.run_epoch` does.
    """
    started = time.monotonic()
    generators = [torch.Generator().manual_seed(one.epoch_seed) for one in trainers]
    orders = [one.batches(generator) for one, generator in zip(trainers, generators, strict=True)]
    errors: list[TrainingDivergedError | None] = [None] * len(trainers)
    totals = torch.zeros(len(trainers))
    left = list(range(len(trainers)))
    models = _Models(trainers, generators)
    for step in range(len(orders[0])):
        batches = [orders[place][step] for place in left]
        losses, diverged = models.step(step, batches)
        totals[left] += losses * len(batches[0])
        for at in diverged:
            errors[left[at]] = trainers[left[at]].diverged()
        if diverged:
            left = [place for place in left if errors[place] is None]
            if not left:
                break
            models.finish()
            models = _Models([trainers[n] for n in left], [generators[n] for n in left])
    models.finish()
    for place in left:
        trainer = trainers[place]
        try:
            trainer.end_epoch(float(totals[place]) / len(trainer.x))
        except TrainingDivergedError as error:
            errors[place] = error
    for trainer in trainers:
        trainer.seconds += (time.monotonic() - started) / len(trainers)
    return errors


class _Models:
    """The models of trainers as one, with one optimizer."""

    def __init__(self, trainers: Sequence[Trainer], generators: Sequence[torch.Generator]):
        self._trainers = trainers
        models = [one.model for one in trainers]
        self._whole = _joined(models)
        self._whole.generators = generators
        self._whole.train()
        for model in models:
            model.train()
        self._parameters = [
            (whole, [model.get_parameter(name) for model in models])
            for name, whole in self._whole.named_parameters()
        ]
        self._states = [model.state_dict() for model in models]
        self._optimizer = self._joined_optimizer()

    def _joined_optimizer(self) -> torch.optim.AdamW:
        """Return an optimizer of all parameters that shares the state of the trainers' own."""
        groups = zip(*(one.optimizer.param_groups for one in self._trainers), strict=True)
        made = torch.optim.AdamW(
            [{**of[0], "params": [p for group in of for p in group["params"]]} for of in groups],
            fused=True,
        )
        for trainer in self._trainers:
            made.state.update(trainer.optimizer.state)
        return made

    def finish(self) -> None:
        """Give each trainer's optimizer its state."""
        for trainer in self._trainers:
            for group in trainer.optimizer.param_groups:
                known = [p for p in group["params"] if p in self._optimizer.state]
                trainer.optimizer.state.update({p: self._optimizer.state[p] for p in known})

    def step(self, step: int, batches: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
        """Change the weights of each model once; return the losses before, and who diverged."""
        for trainer in self._trainers:
            trainer.set_rate(step)
        own = self._trainers[0]
        for joined, group in zip(
            self._optimizer.param_groups, own.optimizer.param_groups, strict=True
        ):
            joined["lr"] = group["lr"]
        asked = zip(self._trainers, batches, self._whole.generators, strict=True)
        drawn = [one.draw(batch, generator) for one, batch, generator in asked]
        x, clock = (
            torch.stack(of) for of in zip(*((one.x, one.clock) for one in drawn), strict=True)
        )
        of_each = zip(self._trainers, self._whole(x, clock=clock), drawn, strict=True)
        losses = torch.stack([one.loss(outputs, windows) for one, outputs, windows in of_each])
        for whole, _ in self._parameters:
            whole.grad = None
        losses.sum().backward()
        norms = self._clip()
        for whole, owns in self._parameters:
            gradients = [None] * len(owns) if whole.grad is None else whole.grad
            for own_parameter, gradient in zip(owns, gradients, strict=True):
                own_parameter.grad = gradient
        self._optimizer.step()
        follow([trainer.average for trainer in self._trainers], self._states)
        sums = (losses.detach() + norms).tolist()
        return losses.detach(), [at for at, one in enumerate(sums) if not math.isfinite(one)]

    def _clip(self) -> Tensor:
        """Clip each model's gradient as torch's function does; return the norms before."""
        gradients = [whole.grad for whole, _ in self._parameters if whole.grad is not None]
        models, count = len(self._trainers), len(gradients)
        norms = torch._foreach_norm([one[at] for at in range(models) for one in gradients])
        totals = torch.stack(
            [
                torch.linalg.vector_norm(torch.stack(norms[at * count : (at + 1) * count]))
                for at in range(models)
            ]
        )
        factors = (_LARGEST / (totals + _TINY)).clamp(max=1.0)
        torch._foreach_mul_(
            gradients, [factors.view(models, *[1] * (one.dim() - 1)) for one in gradients]
        )
        return totals


def _joined(models: Sequence[Transformer]) -> Transformer:
    """Return models as one, whose parameters' and statistics' parts become those of each."""
    whole = copy.deepcopy(models[0])
    for name, parameter in whole.named_parameters():
        owns = [model.get_parameter(name) for model in models]
        parameter.data = torch.stack([own.data for own in owns])
        for own, part in zip(owns, parameter.data, strict=True):
            own.data = part
    for name, norm in whole.norms.items():
        if isinstance(norm, QatBatchNorm):
            norms = [model.norms[name] for model in models]
            of_each = [one for one in norms if isinstance(one, QatBatchNorm)]
            norm.mean = torch.stack([one.mean for one in of_each])
            norm.variance = torch.stack([one.variance for one in of_each])
            for one, mean, variance in zip(of_each, norm.mean, norm.variance, strict=True):
                one.mean, one.variance = mean, variance
    return whole
