"""The named tensors of a Transformer and the scales they are stored at."""

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import ir
from .config import TransformerConfig
from .fake_quant import fake_quantize
from .quantize import tensor_specs

__all__ = ["LARGEST_EXPONENT", "Activation", "Activations", "Keeper"]

#: Scales stay within 2**-24 to 2**24, whatever training does.
LARGEST_EXPONENT = 24


@dataclass(frozen=True, kw_only=True)
class Activation:
    """Real values [batch, rows, features] and, when quantized, how they are stored.

    ``exponent`` is None as long as the model computes in floats; else the values are
    ``2**exponent * (q - zero)`` with integers ``q`` of ``bits`` bits.
    """

    value: Tensor
    exponent: int | None = None
    zero: int = 0
    bits: int = 0

    def reshape(self, rows: int, features: int) -> "Activation":
        """The same values read row-major as another shape."""
        return Activation(
            value=self.value.reshape(len(self.value), rows, features),
            exponent=self.exponent,
            zero=self.zero,
            bits=self.bits,
        )

    def integers(self) -> Tensor:
        """What is stored, int64."""
        return (self.value.detach() * 2.0 ** -(self.exponent or 0)).to(torch.int64) + self.zero


class Activations(nn.Module):
    """Learned power-of-two scales of all tensors of ``config``; starts in float mode.

    The scales of the input and the output belong to the accelerator's interface and those of the
    softmax logits to its table: they do not learn.
    """

    learned: Tensor

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.specs: dict[str, ir.Tensor] = tensor_specs(config, defaultdict(int))
        self.index = {name: number for number, name in enumerate(self.specs)}
        self.quantized = False
        self.log2_scale = nn.Parameter(torch.zeros(len(self.specs)))
        learned = [name not in ("input", "output") for name in self.specs]
        for name, spec in self.specs.items():
            if name.endswith(".scores"):
                learned[self.index[name]] = False
                self.log2_scale.data[self.index[name]] = spec.exponent
        self.register_buffer("learned", torch.tensor(learned), persistent=False)

    def scales(self) -> Tensor:
        """log2 of every scale, [tensors]; the subtraction cannot be finer than the input."""
        scales = torch.where(self.learned, self.log2_scale, self.log2_scale.detach())
        scales = scales.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
        if "delta" in self.index:
            at = torch.tensor(self.index["delta"], device=scales.device)
            finest = torch.maximum(scales[at], scales[self.index["input"]])
            scales = scales.index_put((at,), finest)
        return scales

    def exponents(self) -> dict[str, int]:
        """Exponent of every tensor, by name."""
        rounded = torch.floor(self.scales().detach() + 0.5).tolist()
        return {name: int(rounded[number]) for name, number in self.index.items()}

    def set_exponent(self, name: str, exponent: int) -> None:
        """Fix where a tensor's scale starts to learn from."""
        self.log2_scale.data[self.index[name]] = exponent

    def limits(self, name: str) -> tuple[int, int]:
        """Smallest and largest ``q - zero`` of a tensor."""
        spec = self.specs[name]
        return spec.low - spec.zero, spec.high - spec.zero

    def keeper(self, trace: dict[str, Tensor] | None = None) -> "Keeper":
        """Stores the tensors of one forward pass."""
        return Keeper(self, trace)


class Keeper:
    """Called with each tensor's name and value: gives what the accelerator stores.

    ``trace``, if given, receives the stored integers by name, or the reals in float mode.
    """

    def __init__(self, activations: Activations, trace: dict[str, Tensor] | None):
        self._activations = activations
        self._trace = trace
        self._exponents: dict[str, int] = {}
        if activations.quantized:
            self._scales = activations.scales()
            self._exponents = activations.exponents()

    def exponent(self, name: str) -> int | None:
        """Exponent of a tensor; None in float mode."""
        return self._exponents.get(name)

    def __call__(self, name: str, value: Tensor) -> Activation:
        activations = self._activations
        if activations.quantized:
            spec, (low, high) = activations.specs[name], activations.limits(name)
            scale = self._scales[activations.index[name]].to(value.dtype)
            exponent = self._exponents[name]
            stored = Activation(
                value=fake_quantize(value, scale, low, high, exponent),
                exponent=exponent,
                zero=spec.zero,
                bits=spec.bits,
            )
        else:
            stored = Activation(value=value)
        if self._trace is not None:
            self._trace[name] = stored.integers() if activations.quantized else value.detach()
        return stored
