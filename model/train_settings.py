"""How a model is trained: what a run can be asked to do differently."""

import math
from dataclasses import dataclass

from .errors import UserError

__all__ = ["TrainSettings"]


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a model is trained.

    Parameters
    ----------
    seed : of the initial weights, the order of windows and dropout.
    epochs, qat_epochs : most passes over the training windows without and with rounding.
    lr, qat_lr : peak learning rates of AdamW; each decays to 0 along a half cosine.
    scale_lr : learning rate of log2 scales, as a multiple of the stage's.
    batch : windows of a step.
    weight_decay : of weight matrices.
    dropout : probability, before each residual, without rounding only.
    patience : epochs without a better validation error after which a stage ends.
    """

    seed: int = 0
    epochs: int = 12
    qat_epochs: int = 12
    lr: float = 1e-3
    qat_lr: float = 1e-3
    scale_lr: float = 1.0
    batch: int = 32
    weight_decay: float = 0.1
    dropout: float = 0.1
    patience: int = 5

    def __post_init__(self):
        for name in ("epochs", "qat_epochs", "batch", "patience"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be a positive integer, not {value!r}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise UserError(f"seed must be an integer from 0 to 2**32 - 1, not {self.seed!r}")
        for name in ("lr", "qat_lr", "scale_lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay must not be negative, but is {self.weight_decay}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be at least 0 and below 1, not {self.dropout}")
