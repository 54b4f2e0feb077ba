"""How a model is trained: what a run can be asked to do differently."""

import math
from dataclasses import dataclass, replace

from bitformer.model.augmentation import Augmentation
from bitformer.model.errors import UserError
from bitformer.model.later import later
from bitformer.model.plain import FOLLOWS
from bitformer.model.task.classify import BALANCED

__all__ = ["METHODS", "RANGES", "TrainSettings"]

#: Training with rounding, or rounding alone.
METHODS = ("qat", "ptq")
#: What scales are taken from: learned ones start at the least squared error.
RANGES = ("learned", "minmax", "moving-average")

#: Windows that a stage without rounding sees, all its epochs together, and the fewest and most
#: epochs of it; the fewest with rounding, which takes half of them.
_SEEN, _EPOCHS, _QAT_EPOCHS = 150_000, (12, 40), 8
#: Steps of an epoch that a batch leaves at least, as far as it stays between these limits.
_STEPS, _BATCHES = 64, (16, 128)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a model is trained.

    What is left out of ``epochs``, ``qat_epochs`` and ``batch`` follows the number of
    training windows: see :meth:`fitted`.

    Parameters
    ----------
    method : ``"qat"`` trains with rounding after training without; ``"ptq"`` only rounds then.
    ranges : scales are learned, cover all that calibration saw (``"minmax"``), or a moving average
        of each batch's extremes (``"moving-average"``); all are powers of two. Without training,
        learned ones are those of least squared error.
    lowering : widths that training with rounding goes through first, largest first; each raises
        whatever is below it. None stands for 8 and 4 where something has fewer bits than 4, and
        then 2 where something has 1.
    lowering_epochs : passes at each of these widths.
    seed : of the initial weights, the order of windows, how they are augmented, and dropout.
    epochs, qat_epochs : most passes over the training windows without and with rounding: 12 and
        8, or up to 40 and 20 of few windows.
    lr, qat_lr : peak learning rates of AdamW; each decays to 0 along a half cosine. For ``qat_lr``
        None stands for 0.0005, or 0.004 where activations have fewer than 6 bits: small steps do
        not get over their rounding.
    scale_lr : learning rate of log2 scales, as a multiple of the stage's.
    batch : windows of a step: 128, or of less than 8192 windows 64, 32 or 16.
    average : momentum of the weights' moving average, which is what is validated and kept; 0 for
        the weights themselves.
    weight_decay : of weight matrices.
    dropout : probability, before each residual, without rounding only. None stands for 0.1; with a
        linear path, for 0.2 and then 0.05, of which the better model by validation is kept.
    patience : epochs without a better validation error after which a stage ends; None for never.
    distill : how much of the loss, 0 to 1, is the distance to the float model's forecasts, in
        stages with rounding; the rest is that to the targets.
    class_weights : of a classifier, ``"balanced"`` for windows that weigh the less, the more there
        are of their class; None for all the same.
    augment : how training windows change each time they are seen, a text or a mapping of
        :class:`bitformer.model.augmentation.Augmentation`; None for not at all.
    """

    method: str = "qat"
    ranges: str = "learned"
    lowering: tuple[int, ...] | None = None
    lowering_epochs: int = 1
    seed: int = 0
    epochs: int = FOLLOWS
    qat_epochs: int = FOLLOWS
    lr: float = 4e-3
    qat_lr: float | None = None
    scale_lr: float = 1.0
    batch: int = FOLLOWS
    average: float = 0.995
    weight_decay: float = 0.1
    dropout: float | None = None
    patience: int | None = None
    distill: float = later(0.0)
    class_weights: str | None = later(None)
    augment: str | None = later(None)

    def __post_init__(self):
        for name, choices in (("method", METHODS), ("ranges", RANGES)):
            if getattr(self, name) not in choices:
                raise UserError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")
        for name in ("epochs", "qat_epochs", "lowering_epochs", "batch", "patience"):
            value = getattr(self, name)
            if value is None and name != "lowering_epochs":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be a positive integer, not {value!r}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise UserError(f"seed must be an integer from 0 to 2**32 - 1, not {self.seed!r}")
        for name in ("lr", "qat_lr", "scale_lr"):
            value = getattr(self, name)
            if not (name == "qat_lr" and value is None) and not 0 < value < math.inf:
                raise UserError(f"{name} must be a positive number, not {value}")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay must not be negative, but is {self.weight_decay}")
        if not 0 <= self.average < 1:
            raise UserError(f"average must be at least 0 and below 1, not {self.average}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        if not 0 <= self.distill <= 1:
            raise UserError(f"distill must be 0 to 1, not {self.distill}")
        if self.class_weights not in (None, BALANCED):
            raise UserError(
                f"class_weights must be {BALANCED} or left out, not {self.class_weights!r}"
            )
        if self.augment is not None:
            object.__setattr__(self, "augment", str(Augmentation.of(self.augment)) or None)
        self._check_lowering()

    def fitted(self, windows: int) -> "TrainSettings":
        """Return the settings for so many training windows, with all that was left out.

        A small data set is seen more often, in smaller batches: what counts is the number of steps.
        """
        batch = _between(1 << (windows // _STEPS).bit_length() >> 1, _BATCHES)
        epochs = _between(-(-_SEEN // max(1, windows)), _EPOCHS)
        return replace(
            self,
            batch=self.batch or batch,
            epochs=self.epochs or epochs,
            qat_epochs=self.qat_epochs or max(-(-epochs // 2), _QAT_EPOCHS),
        )

    def _check_lowering(self):
        if self.lowering is None:
            return
        widths = list(self.lowering)
        known = all(width in (2, 3, 4, 6, 8) for width in widths)
        if not known or widths != sorted(set(widths), reverse=True):
            raise UserError(
                "lowering must be falling widths of 8, 6, 4, 3 and 2 bits, such as --lowering 8,4,"
                f" not {self.lowering!r}"
            )
        object.__setattr__(self, "lowering", tuple(widths))


def _between(value: int, limits: tuple[int, int]) -> int:
    return min(max(value, limits[0]), limits[1])
