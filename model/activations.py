"""The scales at which the tensors of a Transformer are stored."""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.fake_quant import LARGEST_EXPONENT, fake_quantize
from bitformer.model.interface_scales import FINE_BITS
from bitformer.model.precision import FLOAT_BITS
from bitformer.model.quantize import tensor_specs
from bitformer.model.structure import fixed_scales, free_zero_points, logits

__all__ = ["Activation", "Activations", "Keeper"]


@dataclass(frozen=True, kw_only=True)
class Activation:
    """Real values [batch, rows, features] and, when quantized, how they are stored.

    ``exponent`` is None as long as the model computes in floats, and for a tensor kept in float32;
    else the values are ``2**exponent * (q - zero)`` with integers ``q`` of ``bits`` bits.
    """

    value: Tensor
    exponent: int | None = None
    zero: int = 0
    bits: int = 0

    def steps(self) -> Tensor:
        """Return ``q - zero`` as floats."""
        return self.value.detach() * 2.0 ** -(self.exponent or 0)

    def integers(self) -> Tensor:
        """Return the stored integers ``q``, int64."""
        return self.steps().to(torch.int64) + self.zero


class Activations(nn.Module):
    """Learned power-of-two scales of all tensors of ``config``; starts in float mode.

    The scales of the input and the output belong to the accelerator's interface, as those of a wide
    difference to the last step and a wide linear path do (``fixed``; the scores of a classifier do
    not), and those of the softmax logits and of a nonlinearity's results to a table (``settled``):
    they do not learn. ``offset`` is the real value that the middle of a tensor with a zero point
    stands for. ``observer``, if set, is called with every tensor's name and values before they are
    rounded.
    """

    learned: Tensor

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.specs: dict[str, ir.Tensor] = tensor_specs(config, defaultdict(int))
        self.floats = {name for name in self.specs if config.tensor_bits(name) == FLOAT_BITS}
        self.index = {name: number for number, name in enumerate(self.specs)}
        self.quantized = False
        self.observer: Callable[[str, Tensor], None] | None = None
        self.log2_scale = nn.Parameter(torch.zeros(len(self.specs)))
        scores = config.task == "classify"  # which are compared with each other alone
        self.fixed = {"input"} if scores else {"input", "output"}
        wide = {name for name, spec in self.specs.items() if spec.bits > FINE_BITS}
        self.fixed |= wide & ({"delta"} if scores else {"delta", "path"}) - self.floats
        self.movable: set[str] = set()
        if config.asymmetric:
            self.movable = {*free_zero_points(config)} - self.floats - self.fixed
            self.offset = nn.Parameter(torch.zeros(len(self.specs)))
        learned = [name not in self.fixed for name in self.specs]
        self.logits, self.settled = logits(config), fixed_scales(config)
        for name in self.settled:
            learned[self.index[name]] = False
            self.log2_scale.data[self.index[name]] = self.specs[name].exponent
        self.register_buffer("learned", torch.tensor(learned), persistent=False)

    def scales(self) -> Tensor:
        """Return log2 of every scale, [tensors].

        A difference of inputs is stored no finer than the input.
        """
        scales = torch.where(self.learned, self.log2_scale, self.log2_scale.detach())
        scales = scales.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
        if "delta" in self.index:
            at = torch.tensor(self.index["delta"], device=scales.device)
            finest = torch.maximum(scales[at], scales[self.index["input"]])
            scales = scales.index_put((at,), finest)
        return scales

    def exponents(self, scales: Tensor | None = None) -> dict[str, int]:
        """Return the exponent of every tensor, by name, from :meth:`scales`."""
        scales = self.scales() if scales is None else scales
        rounded = torch.floor(scales.detach() + 0.5).tolist()
        return {name: int(rounded[number]) for name, number in self.index.items()}

    def zeros(self, exponents: dict[str, int]) -> dict[str, int]:
        """Return the zero point of every tensor that may have a learned one, by name."""
        zeros: dict[str, int] = {}
        offsets = self.offset.tolist() if self.movable else []
        for name in self.movable:
            spec = self.specs[name]
            zero = math.floor(-offsets[self.index[name]] * 2.0 ** -exponents[name] + 0.5)
            zeros[name] = min(max(zero, spec.low), spec.high)
        return zeros

    def set_scale(self, name: str, exponent: int, offset: float = 0.0) -> None:
        """Set a tensor's scale, and its offset, from where they go on learning."""
        self.log2_scale.data[self.index[name]] = exponent
        if name in self.movable:
            self.offset.data[self.index[name]] = offset

    def limits(self, name: str, zero: int | None = None) -> tuple[int, int]:
        """Return the smallest and largest ``q - zero`` of a tensor."""
        spec = self.specs[name]
        zero = spec.zero if zero is None else zero
        return spec.low - zero, spec.high - zero


class Keeper:
    """Rounds each tensor as the accelerator stores it; called with its name and real values.

    ``trace``, if given, receives the stored integers by name, or the reals of a tensor in floats.
    """

    def __init__(self, activations: Activations, trace: dict[str, Tensor] | None):
        self._activations = activations
        self._trace = trace
        self._exponents: dict[str, int] = {}
        if activations.quantized:
            scales = activations.scales()
            self._scales = dict(zip(activations.index, scales.unbind(), strict=True))
            self._exponents = activations.exponents(scales)
            self._zeros = activations.zeros(self._exponents)
            for name in activations.floats:
                del self._exponents[name]

    def exponent(self, name: str) -> int | None:
        """Return the exponent of a tensor; None for one in floats."""
        return self._exponents.get(name)

    def __call__(self, name: str, value: Tensor) -> Activation:
        activations, exponent = self._activations, self._exponents.get(name)
        if activations.observer is not None:
            activations.observer(name, value.detach())
        if exponent is None:
            if self._trace is not None:
                self._trace[name] = value.detach()
            return Activation(value=value)
        spec = activations.specs[name]
        zero = self._zeros.get(name, spec.zero)
        low, high = activations.limits(name, zero)
        scale, offset = self._scales[name].to(value.dtype), None
        if name in activations.movable:
            offset = activations.offset[activations.index[name]].to(value.dtype)
        stored = Activation(
            value=fake_quantize(value, scale, low, high, 2.0**exponent, 2.0**-exponent, offset),
            exponent=exponent,
            zero=zero,
            bits=spec.bits,
        )
        if self._trace is not None:
            self._trace[name] = stored.integers()
        return stored
