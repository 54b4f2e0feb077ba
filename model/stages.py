"""The stages of a run: floats, then rounding at widths that fall to those of the config."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from bitformer.model.config import TransformerConfig
from bitformer.model.precision import Precision
from bitformer.model.structure import tensor_components, weight_components
from bitformer.model.train_settings import TrainSettings

__all__ = ["TrainingStage", "raised", "stages"]

#: Peak learning rates with rounding, chosen on ETTh1's validation windows.
_GENTLE_LR, _HARD_LR = 5e-4, 4e-3


@dataclass(frozen=True, kw_only=True)
class TrainingStage:
    """A part of a training run with one course of the learning rate.

    ``lr`` : the peak, from the field ``setting`` of :class:`TrainSettings`. ``floor`` : the least
    width in bits.
    """

    name: str
    epochs: int
    lr: float
    setting: str = "qat_lr"
    floor: int = 0
    quantized: bool = True


def raised(config: TransformerConfig, floor: int) -> TransformerConfig:
    """Return ``config`` with every width below ``floor`` bits raised to it."""

    def at_least(precision: Precision) -> Precision:
        return Precision(
            weights=max(precision.weights, floor), activations=max(precision.activations, floor)
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


def stages(config: TransformerConfig, settings: TrainSettings) -> tuple[TrainingStage, ...]:
    """Return all stages of a run in their order; the last has the widths of ``config``."""
    weights, activations = _smallest_widths(config)
    lr = settings.qat_lr
    if lr is None:
        lr = _HARD_LR if activations < 6 else _GENTLE_LR

    def quantized() -> Iterator[TrainingStage]:
        if settings.method == "ptq":
            yield TrainingStage(name="ptq", epochs=0, lr=lr)
            return
        smallest, widths = min(weights, activations), settings.lowering
        if widths is None:
            widths = (8, 4, 2) if smallest < 4 else ()
        for width in widths:
            if width > smallest:
                name = f"qat at {width} bits"
                yield TrainingStage(name=name, epochs=settings.lowering_epochs, lr=lr, floor=width)
        yield TrainingStage(name="qat", epochs=settings.qat_epochs, lr=lr)

    first = TrainingStage(
        name="float", epochs=settings.epochs, lr=settings.lr, setting="lr", quantized=False
    )
    return (first, *quantized())


def without_training(stage: TrainingStage) -> TrainingStage:
    """Return the stage without epochs, for a result that is given."""
    return dataclasses.replace(stage, epochs=0)
