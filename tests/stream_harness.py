# amaranth: UnusedElaboratable=no
"""What tests of streams in hardware have in common: a small one, patches, resets, what is exact."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from bitformer.hw.lowering import lower as lowering
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import TransformerConfig
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

SMALL = TransformerConfig(
    name="small",
    causal=True,
    stream=True,
    position="relative",
    window=6,
    patch=2,
    horizon=3,
    d_model=4,
    heads=2,
    ffn=6,
    subtract_last=True,
    input_bits=10,
    output_bits=10,
    default=Precision(weights=4, activations=8),
)


def patches(model, count, seed=0):
    """Integers of a walk with jumps, [count, patch, channels]."""
    spec, patch = model.input, model.config.patch
    rng = np.random.default_rng(seed)
    size = count * patch, spec.features
    walk = rng.normal(0, spec.high / 6, size).cumsum(axis=0) + rng.normal(0, spec.high / 4, size)
    found = np.clip(walk.round(), spec.low, spec.high).astype(np.int64)
    return found.reshape(count, patch, -1)


class ResetsAfter(wiring.Component):
    """An accelerator that is reset once, when so many samples have been answered.

    Until then it takes no number of the next one.
    """

    def __init__(self, design, samples):
        self.design, self._samples = design, samples
        self._inside = Accelerator(design=design)
        super().__init__(dict(self._inside.signature.members))

    def elaborate(self, platform):
        m = Module()
        model, inside = self.design.model, self._inside
        reset, before = Signal(), Signal(init=1)
        m.submodules.inside = ResetInserter(reset)(inside)
        taken = Signal(range(self._samples * model.window_size + 1))
        given_out = Signal(range(self._samples * model.output.size + 1))
        full = before & (taken == self._samples * model.window_size)
        m.d.comb += [
            inside.i.payload.eq(self.i.payload),
            inside.i.valid.eq(self.i.valid & ~full),
            self.i.ready.eq(inside.i.ready & ~full),
            reset.eq(before & (given_out == self._samples * model.output.size)),
        ]
        with m.If(before & self.i.valid & self.i.ready):
            m.d.sync += taken.eq(taken + 1)
        with m.If(before & self.o.valid & self.o.ready):
            m.d.sync += given_out.eq(given_out + 1)
        with m.If(reset):
            m.d.sync += before.eq(0)
        m.d.comb += [
            self.o.payload.eq(inside.o.payload),
            self.o.valid.eq(inside.o.valid),
            inside.o.ready.eq(self.o.ready),
        ]
        for name, member in self.signature.members.items():
            if name.startswith("o_trace") and member.flow is Out:
                m.d.comb += getattr(self, name).eq(getattr(inside, name))
        return m


def lowered(model, ahead, by=lowering.lower, **options):
    """Lower a stream that sums ahead in parts of so many tokens, or with 0 nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "plans_of", lambda plan: [replace(plan, ahead=ahead)])
        return by(model, **options)


def exactly(design, count, **options):
    """Simulate steps, and hold every tensor and, without back-pressure, the cycles."""
    result = simulate(design, patches(design.model, count), **options)
    assert result.bit_exact, str(result.difference)
    assert {*result.tensors} >= {op.y for op in design.model.operations}
    if not options.get("back_pressure") and not options.get("resets"):
        assert result.cycles_as_predicted
        steady = result.interval[result.warm_up :]
        assert steady == [design.interval] * len(steady)
        assert max(result.interval) == design.interval
    return result
