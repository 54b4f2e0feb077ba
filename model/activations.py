"""The scales at which the tensors of a Transformer are stored.

Of several models in one (:mod:`bitformer.model.together`), all that is learned has them as its
first axis, and so have values.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bitformer.model import ir
from bitformer.model.config import TransformerConfig
from bitformer.model.fake_quant import LARGEST_EXPONENT, fake_quantize, weight_scales
from bitformer.model.interface_scales import FINE_BITS
from bitformer.model.precision import FLOAT_BITS
from bitformer.model.quantize import tensor_specs
from bitformer.model.structure import fixed_scales, free_zero_points, logits

__all__ = ["Activation", "Activations", "Keeper", "Unit"]


@dataclass(frozen=True)
class Unit:
    """What a step of a tensor's integers stands for: ``scale`` is 2 to the exponent of each model.

    ``inverse`` is one over it. Of several models in one, both are tensors [models, 1, 1, 1].
    """

    exponents: tuple[int, ...]
    scale: float | Tensor
    inverse: float | Tensor

    @classmethod
    def of(cls, exponent: int) -> "Unit":
        """Return the unit of one model."""
        return cls((exponent,), 2.0**exponent, 2.0**-exponent)

    @property
    def several(self) -> bool:
        """Whether it is that of several models in one."""
        return isinstance(self.scale, Tensor)


@dataclass(frozen=True, kw_only=True)
class Activation:
    """Real values [batch, rows, features] and, when quantized, how they are stored.

    ``unit`` is None as long as the model computes in floats, and for a tensor kept in float32;
    else the values are ``unit.scale * (q - zero)`` with integers ``q`` of ``bits`` bits.
    """

    value: Tensor
    unit: Unit | None = None
    zero: int = 0
    bits: int = 0

    def steps(self) -> Tensor:
        """Return ``q - zero`` as floats."""
        value = self.value.detach()
        return value if self.unit is None else value * self.unit.inverse

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
            at = self.index["delta"]
            finest = torch.maximum(scales[..., at], scales[..., self.index["input"]])
            is_delta = torch.arange(len(self.index), device=scales.device) == at
            scales = torch.where(is_delta, finest[..., None], scales)
        return scales

    def exponents(self) -> dict[str, int]:
        """Return the exponent of every tensor, by name."""
        rounded = _rounded(self.scales()).tolist()
        return dict(zip(self.index, map(int, rounded), strict=True))

    def units(self, scales: Tensor) -> dict[str, Unit]:
        """Return the unit of every tensor that is no float, by name, from :meth:`scales`."""
        rounded, names = _rounded(scales), self.index.keys() - self.floats
        if rounded.dim() == 1:
            found = dict(zip(self.index, map(int, rounded.tolist()), strict=True))
            return {name: Unit.of(found[name]) for name in names}
        exponents = rounded.t().to(torch.int64)
        each = exponents.tolist()
        scale, inverse = (
            table[:, :, None, None, None].unbind()
            for table in weight_scales(exponents, torch.float32)
        )
        places = {name: self.index[name] for name in names}
        return {name: Unit(tuple(each[n]), scale[n], inverse[n]) for name, n in places.items()}

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


def _rounded(scales: Tensor) -> Tensor:
    return torch.floor(scales.detach() + 0.5)


class Keeper:
    """Rounds each tensor as the accelerator stores it; called with its name and real values.

    ``trace``, if given, receives the stored integers by name, or the reals of a tensor in floats.
    """

    def __init__(self, activations: Activations, trace: dict[str, Tensor] | None):
        self._activations = activations
        self._trace = trace
        self._units: dict[str, Unit] = {}
        if activations.quantized:
            scales = activations.scales()
            self._scales = dict(zip(activations.index, scales.unbind(-1), strict=True))
            self._units = activations.units(scales)
            first = {name: self._units[name].exponents[0] for name in activations.movable}
            self._zeros = activations.zeros(first)

    def unit(self, name: str) -> Unit | None:
        """Return the unit of a tensor; None for one in floats."""
        return self._units.get(name)

    def __call__(self, name: str, value: Tensor) -> Activation:
        activations, unit = self._activations, self._units.get(name)
        if activations.observer is not None:
            activations.observer(name, value.detach())
        if unit is None:
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
            value=fake_quantize(value, scale, low, high, unit.scale, unit.inverse, offset),
            unit=unit,
            zero=zero,
            bits=spec.bits,
        )
        if self._trace is not None:
            self._trace[name] = stored.integers()
        return stored
