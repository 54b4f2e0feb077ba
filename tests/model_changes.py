"""Other models made from a model: what the integer model allows and ``initialize`` never makes."""

import math
from dataclasses import fields, replace

import numpy as np

from bitformer.model import ir, numerics
from bitformer.model.gelu import GELU_BITS, gelu_zero
from bitformer.model.operations.judge import LARGEST_LEVEL, LARGEST_WEIGHT, MOST_HELD
from bitformer.model.precision import POWER_OF_TWO
from bitformer.model.structure import graph

__all__ = ["renamed", "varied", "with_name", "with_operations", "with_tensor", "with_zero"]


def with_tensor(model, name, **changes):
    """The model with fields of a tensor changed."""
    return replace(model, tensors={**model.tensors, name: replace(model.tensors[name], **changes)})


def with_operations(model, change):
    """The model with ``change(op)`` in the place of every operation."""
    return replace(model, operations=tuple(change(op) for op in model.operations))


def with_zero(model, name, zero):
    """The model with another zero point of a tensor, which biases take back."""
    moved = zero - model.tensors[name].zero

    def absorbed(op):
        if not (isinstance(op, ir.Linear) and op.x == name):
            return op
        return replace(op, bias=op.bias - moved * op.weight.sum(axis=1))

    return with_operations(with_tensor(model, name, zero=zero), absorbed)


def renamed(model, suffix):
    """The model with other names for all tensors but the input."""
    return _renamed(model, lambda name: name if name == "input" else name + suffix)


def with_name(model, tensor, name):
    """The model with another name for a tensor."""
    return _renamed(model, lambda one: name if one == tensor else one)


def _renamed(model, new):
    def change(op):
        named = {f.name: new(getattr(op, f.name)) for f in fields(op) if f.type in (str, "str")}
        if isinstance(op, ir.Linear) and op.residual is not None:
            named["residual"] = replace(op.residual, source=new(op.residual.source))
        return replace(op, **named)

    return replace(
        model,
        tensors={new(n): replace(spec, name=new(n)) for n, spec in model.tensors.items()},
        operations=tuple(change(op) for op in model.operations),
        constants={new(name): table for name, table in model.constants.items()},
    )


def varied(model, rng):
    """The model's graph with other numbers: widths, zero points, weights, multipliers, shifts.

    Results keep to about their tensor's range, so that what is wrong is not clamped away.
    """
    return _Variation(model, rng).model()


class _Variation:
    def __init__(self, model, rng):
        self.old, self.rng = model, rng
        self.masks = {op.y: op.causal for op in model.operations if isinstance(op, ir.Scores)}
        for op in model.operations:
            if isinstance(op, ir.Scores) and model.tensors[op.q].rows == model.tensors[op.k].rows:
                self.masks[op.y] ^= self.chance(0.3)
        self.powers = {
            layer.y
            for layer in graph(model.config)
            if layer.kind == "linear" and model.config.weight_scheme(layer.weights) == POWER_OF_TWO
        }
        self.functions = {op.y: self.function(op) for op in self.linears()}
        self.tensors = {name: self.tensor(spec) for name, spec in model.tensors.items()}
        if model.config.adc_words:  # the words of both begin at the same number
            source, result = self.tensors["input"], self.tensors[model.output.name]
            result = replace(result, bits=source.bits)
            zero = min(max(result.low, result.zero), result.high)
            self.tensors[result.name] = replace(result, zero=zero)

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def linears(self):
        return [op for op in self.old.operations if isinstance(op, ir.Linear)]

    def function(self, op):
        """Which nonlinearity a layer has: most often its own, and GELU where nothing forbids it."""
        own = "gelu" if op.gelu else "relu" if op.relu else None
        if not self.chance(0.15):
            return own
        free = self.movable(op.y) and op is not self.old.operations[-1]
        return str(self.rng.choice(["relu", "none", *["gelu"] * free]))

    def model(self):
        constants = {
            name: self.within(self.tensors[name], self.tensors[name].shape)
            for name in self.old.constants
        }
        operations = tuple(
            getattr(self, type(op).__name__)(op, self.tensors[op.reads[0]], self.tensors[op.y])
            for op in self.old.operations
        )
        return replace(self.old, tensors=self.tensors, operations=operations, constants=constants)

    def within(self, spec, shape=None):
        return self.rng.integers(spec.low, spec.high, shape, endpoint=True)

    def tensor(self, spec):
        logits = spec.name in self.masks
        bits = spec.bits
        if not logits and self.chance(0.4):
            # the time behind the samples takes 6 bits
            timed = spec.name == "input" and self.old.config.calendar
            bits = int(self.rng.integers(6 if timed else 2, 17))
        exponent = spec.exponent if logits else int(self.rng.integers(-12, 3))
        if self.old.detector is not None and spec.name in ("input", self.old.results.name):
            exponent = int(self.rng.integers(-4, 1))  # of near scales, so that residuals are short
        if self.old.results is not self.old.output and spec.name == self.old.output.name:
            least = self.old.config.horizon.bit_length() + 1 if self.old.decision else 2
            bits, exponent = int(self.rng.integers(least, 17)), 0  # a class's number, or a flag
        narrow = spec.narrow ^ self.chance(0.3)
        component = "Other" if self.chance(0.3) else spec.component
        changed = replace(
            spec, bits=bits, exponent=exponent, narrow=narrow, zero=0, component=component
        )
        if self.functions.get(spec.name) == "gelu":
            bits = int(self.rng.integers(*GELU_BITS, endpoint=True))
            return replace(changed, bits=bits, narrow=False, zero=gelu_zero(bits))
        if not self.movable(spec.name) or self.chance(0.3):
            return changed
        edges = self.rng.choice([changed.low, changed.high, -1, 1])
        return replace(changed, zero=int(self.within(changed) if self.chance(0.5) else edges))

    def movable(self, name):
        """Whether a tensor may have a zero point: only what takes it back reads it."""
        absorbed = [
            op.x for op in self.linears() if op.residual is None or op.residual.source != name
        ]
        absorbed += [self.old.detector.x] if self.old.detector else []
        read = [n for op in self.old.operations for n in op.reads]
        answers = self.old.results is not self.old.output
        fixed = ("input", *self.old.constants, *[self.old.output.name] * answers)
        return name not in fixed and read.count(name) == absorbed.count(name)

    def near(self, value):
        """A shift by about so many bits."""
        return int(np.clip(round(value) + self.rng.integers(-1, 2), 0, 40))

    def multipliers(self, size=None):
        """Positive multipliers up to any size; in part powers of two."""
        bits = int(self.rng.integers(0, numerics.MULTIPLIER_BITS - 1))
        if self.chance(0.3):
            return 1 << self.rng.integers(0, bits, size, endpoint=True)
        return self.rng.integers(1, 2 << bits, size)

    def added(self, shift, size, y):
        """Offsets and their shift, with which they are about as large as ``y``."""
        bits = int(self.rng.integers(1, numerics.MULTIPLIER_BITS - 1))
        values = self.rng.integers(-(1 << bits), 1 << bits, size)
        return values, self.near(shift + math.log2(y.high) - bits)

    def Judge(self, op, x, y):
        weight = self.rng.integers(0, LARGEST_WEIGHT, x.rows * x.features, endpoint=True)
        free = replace(op, smoothing=0, threshold=0, weight=weight)
        most = LARGEST_LEVEL.bit_length() - free.residual_bound(self.tensors).bit_length()
        free = replace(
            free,
            smoothing=int(self.rng.integers(0, min(15, most), endpoint=True)),
            hold=int(self.rng.choice([0, 1, 3, MOST_HELD])),
            absolute=self.chance(0.5),
        )
        largest = free.score_bound(self.tensors) >> int(self.rng.integers(0, 12))
        return replace(free, threshold=int(self.rng.integers(0, largest, endpoint=True)))

    def Decide(self, op, x, y):
        most = (x.high - x.low) >> int(self.rng.integers(0, x.bits))
        return replace(op, margin=int(self.rng.integers(0, most, endpoint=True)))

    def SubtractLast(self, op, x, y):
        return replace(op, shift=self.near(math.log2(x.high / y.high)))

    def Linear(self, op, x, y):
        rng, bits = self.rng, op.weight_bits
        if self.chance(0.4):
            bits = int(rng.integers(1, 17))
        limit = max(1, (1 << (bits - 1)) - 1)
        weight = rng.integers(-limit, limit, op.weight.shape, endpoint=True)
        if op.y in self.powers:
            magnitude = 1 << rng.integers(0, max(1, bits - 1), op.weight.shape)
            weight, limit = np.sign(weight) * magnitude, 1 << max(0, bits - 2)
        if bits == 1 or self.chance(0.2):
            weight = np.where(weight < 0, -limit, limit)  # every product at its largest
        spread = math.sqrt((weight**2).sum(axis=1).max()) * x.high / 2 + 1
        bias = np.round(rng.normal(0, spread, op.bias.shape)).astype(np.int64)
        multiplier = self.multipliers(len(weight))
        if self.chance(0.5):
            multiplier = np.full_like(multiplier, multiplier[0])
        elif self.chance(0.2):
            multiplier[0] = 0
        shift = self.near(math.log2(spread * (multiplier.max() + 1) / y.high))
        return replace(
            op,
            weight=weight,
            weight_bits=bits,
            bias=bias - x.zero * weight.sum(axis=1),
            multiplier=multiplier,
            shift=shift,
            relu=self.functions[op.y] == "relu",
            gelu=self.functions[op.y] == "gelu",
            residual=self.residual(op, shift, y),
        )

    def residual(self, op, shift, y):
        residual = op.residual
        if residual is None and self.chance(0.1):
            residual = ir.Residual(source="input", shift=0, channel=self.channels(op.parts))
        if residual is None or self.chance(0.1):
            return None
        source = self.tensors[residual.source]
        return replace(residual, shift=self.near(shift + math.log2(y.high / source.high)))

    def channels(self, parts):
        """A channel of the input, or one for each of several parts."""
        found = self.rng.integers(self.old.input.features, size=parts).tolist()
        return found[0] if parts == 1 else tuple(found)

    def Scores(self, op, q, y):
        multiplier = int(self.multipliers())
        k = self.tensors[op.k]
        spread = math.sqrt(q.features / op.heads) * q.high * k.high / 3
        shift = self.near(math.log2(spread * multiplier / 40 + 1))
        return replace(op, multiplier=multiplier, shift=shift, causal=self.masks[op.y])

    def Attend(self, op, scores, y):
        v = self.tensors[op.v]
        shift = 17 + numerics.reciprocal_headroom(v.rows) + math.log2(v.high / y.high)
        return replace(op, shift=self.near(shift), causal=self.masks[op.scores])

    def Affine(self, op, x, y):
        multiplier = self.multipliers(y.features)
        shift = self.near(math.log2(x.high * multiplier.max() / y.high))
        offset, offset_shift = self.added(shift, y.features, y)
        signs = self.rng.choice([-1, 1], y.features)
        return replace(
            op, multiplier=multiplier * signs, shift=shift, offset=offset, offset_shift=offset_shift
        )

    def LayerNorm(self, op, x, y):
        gamma = self.rng.integers(-128, 128, y.features)
        width = numerics.norm_width(x.features, x.bits)
        shift = self.near(12 + (width - 8) // 2 + math.log2(2 * np.abs(gamma).max() / y.high + 1))
        beta, beta_shift = self.added(shift, y.features, y)
        return replace(op, gamma=gamma, shift=shift, beta=beta, beta_shift=beta_shift)

    def Pool(self, op, x, y):
        multiplier = int(self.multipliers())
        shift = self.near(math.log2(x.rows * x.high * multiplier / y.high))
        return replace(op, multiplier=multiplier, shift=shift)
