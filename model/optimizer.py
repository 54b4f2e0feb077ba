"""The optimizer of a stage of training."""

import torch
from torch import nn

from bitformer.model.stages import TrainingStage
from bitformer.model.train_settings import TrainSettings
from bitformer.model.transformer import Transformer

__all__ = ["make_optimizer"]

#: Weights with a decay of their own, or none: a linear path is not to be small.
_KINDS = {"path.weight": "plain", "output.weight": "head"}


def make_optimizer(
    model: Transformer, settings: TrainSettings, stage: TrainingStage, *, learns_scales: bool
) -> torch.optim.AdamW:
    """Make the optimizer of ``model`` in ``stage``, and let scales learn or not.

    ``factor`` of a group is its learning rate as a multiple of the stage's.
    """
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        kind = _KINDS.get(name, "decayed" if parameter.dim() > 1 else "plain")
        if name.endswith((".calendar", ".distance")):
            kind = "plain"  # what a bias is
        if name.endswith("log2_scale") or name == "activations.offset":
            parameter.requires_grad_(learns_scales)
            kind = "scales"
        groups.setdefault(kind, []).append(parameter)
    decay = settings.weight_decay
    of_kind = {
        "decayed": {"weight_decay": decay, "factor": 1.0},
        "head": {"weight_decay": decay * stage.head_decay, "factor": 1.0},
        "plain": {"weight_decay": 0.0, "factor": 1.0},
        "scales": {"weight_decay": 0.0, "factor": settings.scale_lr},
    }
    return torch.optim.AdamW(
        [{"params": groups.get(kind, []), **rest} for kind, rest in of_kind.items()], fused=True
    )
