"""The stages of a run: floats, then rounding at widths that fall to those of the config.

A run that is given more epochs goes on in a further round of stages. Its floats go on from the best
float model, and are rounded again; without more epochs of floats, training with rounding goes on
from the best quantized model. The learning rate falls along a new half cosine, from half the peak.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bitformer.model.config import TransformerConfig
from bitformer.model.precision import Precision
from bitformer.model.structure import tensor_components, weight_components
from bitformer.model.train_settings import TrainSettings

__all__ = ["Budget", "TrainingStage", "raised", "stages"]

#: Dropout of a model without a linear path.
_DROPOUT = 0.1
#: Two ways to train beside a linear path: dropout, decay of the head, and how much there is of the
#: learning rate and of the epochs. What is nearly linear needs much of the first two and few small
#: steps, and what is not needs little. Validation decides.
_WAYS = {"float, careful": (0.2, 30.0, 0.5), "float": (0.05, 1.0, 1.0)}
#: Peak learning rates with rounding, chosen on ETTh1's validation windows.
_GENTLE_LR, _HARD_LR = 5e-4, 4e-3
#: The peak of a stage that goes on, as a part of the first one's.
_AGAIN = 0.5


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Most epochs in all, without and with rounding, as they were once asked for."""

    epochs: int
    qat_epochs: int


@dataclass(frozen=True, kw_only=True)
class TrainingStage:
    """A part of a training run with one course of the learning rate.

    ``lr`` : the peak, from the field ``setting`` of :class:`TrainSettings`. ``floor`` : the least
    width in bits. ``again`` : whether it goes on from the best model of its kind, instead of
    rounding the one before. ``anew`` : whether it starts from the initial weights, as the first
    does; the better of both models is kept. ``dropout`` : probability. ``head_decay`` : decay of
    the head's weights, as a multiple of the others'. ``share`` : of the epochs that are asked for.
    """

    name: str
    epochs: int
    lr: float
    setting: str = "qat_lr"
    floor: int = 0
    quantized: bool = True
    again: bool = False
    anew: bool = False
    dropout: float = 0.0
    head_decay: float = 1.0
    share: float = 1.0

    def with_epochs(self, epochs: int) -> "TrainingStage":
        """Return the stage with its share of the epochs that are asked for."""
        return dataclasses.replace(self, epochs=math.ceil(self.share * epochs))

    @property
    def final(self) -> bool:
        """Whether it trains with all rounding: its best model is the run's."""
        return self.quantized and not self.floor


def raised(config: TransformerConfig, floor: int) -> TransformerConfig:
    """Return ``config`` with every width below ``floor`` bits raised to it."""

    def at_least(precision: Precision) -> Precision:
        return dataclasses.replace(
            precision,
            weights=max(precision.weights, floor),
            activations=max(precision.activations, floor),
        )

    return config.replace(
        default=at_least(config.default),
        precision={name: at_least(bits) for name, bits in config.precision.items()},
        tensors={name: max(bits, floor) for name, bits in config.tensors.items()},
    )


def _smallest_widths(config: TransformerConfig) -> tuple[int, int]:
    """Return the smallest width of weights, and of activations, in bits."""
    weights = min(config.weight_bits(layer) for layer in weight_components(config))
    return weights, min(config.tensor_bits(name) for name in tensor_components(config))


def stages(
    config: TransformerConfig, settings: TrainSettings, earlier: Sequence[Budget] = ()
) -> tuple[TrainingStage, ...]:
    """Return all stages of a run in their order; the last has the widths of ``config``.

    ``earlier`` : what epochs the run had before it was given those of ``settings``.
    """
    weights, activations = _smallest_widths(config)
    lr = settings.qat_lr
    if lr is None:
        lr = _HARD_LR if activations < 6 else _GENTLE_LR

    def rounding(epochs: int, suffix: str) -> Iterator[TrainingStage]:
        if settings.method == "ptq":
            yield TrainingStage(name=f"ptq{suffix}", epochs=0, lr=lr)
            return
        smallest, widths = min(weights, activations), settings.lowering
        if widths is None:
            widths = (8, 4, 2) if smallest < 4 else ()
        for width in widths:
            if width > smallest:
                name = f"qat at {width} bits{suffix}"
                yield TrainingStage(name=name, epochs=settings.lowering_epochs, lr=lr, floor=width)
        yield TrainingStage(name=f"qat{suffix}", epochs=epochs, lr=lr)

    floats = _floats(config, settings)
    budgets = (*earlier, Budget(epochs=settings.epochs, qat_epochs=settings.qat_epochs))
    found = [
        *(one.with_epochs(budgets[0].epochs) for one in floats),
        *rounding(budgets[0].qat_epochs, ""),
    ]
    for number, (before, after) in enumerate(itertools.pairwise(budgets), 2):
        suffix = f" ({number})"
        if after.epochs > before.epochs:
            found.append(_goes_on(floats[-1], after.epochs - before.epochs, suffix))
            found += rounding(after.qat_epochs, suffix)
        elif after.qat_epochs > before.qat_epochs and settings.method != "ptq":
            last = TrainingStage(name="qat", epochs=0, lr=lr)
            found.append(_goes_on(last, after.qat_epochs - before.qat_epochs, suffix))
    return tuple(found)


def _floats(config: TransformerConfig, settings: TrainSettings) -> list[TrainingStage]:
    """Return the ways to train without rounding, each from the initial weights."""
    ways = {"float": (_DROPOUT if settings.dropout is None else settings.dropout, 1.0, 1.0)}
    if config.linear_path and settings.dropout is None:
        ways = _WAYS
    return [
        TrainingStage(
            name=name,
            epochs=settings.epochs,
            share=part,
            lr=part * settings.lr,
            setting="lr",
            quantized=False,
            anew=number > 0,
            dropout=dropout,
            head_decay=head_decay,
        )
        for number, (name, (dropout, head_decay, part)) in enumerate(ways.items())
    ]


def _goes_on(stage: TrainingStage, epochs: int, suffix: str) -> TrainingStage:
    return dataclasses.replace(
        stage,
        name=f"{stage.name}{suffix}",
        epochs=epochs,
        lr=_AGAIN * stage.lr,
        again=True,
        anew=False,
    )


def without_training(stage: TrainingStage) -> TrainingStage:
    """Return the stage without epochs, for a result that is given."""
    return dataclasses.replace(stage, epochs=0)
