"""Small models, and one function that runs them through the hardware."""

import numpy as np
import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.model.calendar import ROWS, with_clock
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

#: Small enough for a second or two in Amaranth's simulator.
BASE = {"name": "small", "window": 4, "horizon": 2, "d_model": 4, "ffn": 6}


def make_model(config="tiny", *, seed=0, **changes):
    """An untrained model: of a named configuration, or of ``BASE`` with changes."""
    config = TransformerConfig(**BASE | changes) if changes or not config else named_config(config)
    return initialize(config, seed=seed, samples=16)


def make_inputs(model, kind="random", *, samples=2, seed=0):
    """Windows of input integers, random or at the extremes of the range.

    Behind each stand its time, and what a detector judges.
    """
    spec, calendar = model.input, model.config.calendar
    rng = np.random.default_rng(seed)

    def numbers(shape, low, high):
        alternating = np.where(np.arange(np.prod(shape)).reshape(shape) % 2, low, high)
        return {
            "random": lambda: rng.integers(low, high, shape, endpoint=True),
            "lowest": lambda: np.full(shape, low),
            "highest": lambda: np.full(shape, high),
            "alternating": lambda: alternating,
        }[kind]()

    x = numbers((samples, spec.rows, spec.features), spec.low, spec.high)
    if calendar:
        clock = [numbers((samples,), 0, ROWS[name] - 1) for name in calendar]
        x = with_clock(x, np.stack(clock, axis=1))
    if model.detector is None:
        return x
    return with_clock(x, numbers((samples, model.results.size), spec.low, spec.high))


def run_exactly(model, x=None, *, seed=0, **options):
    """Lower and simulate as :func:`run_design`; options are of either."""
    simulation = {k: options.pop(k) for k in ("back_pressure", "engine") if k in options}
    design = lower(model, **options)
    x = make_inputs(model, seed=seed) if x is None else x
    return design, run_design(design, x, seed=seed, **simulation)


def run_design(design, x, *, back_pressure=0.0, **options):
    """Simulate; hold every tensor and, without back-pressure, every cycle count."""
    result = simulate(design, x, back_pressure=back_pressure, **options)
    assert result.bit_exact, str(result.difference)
    assert result.outputs.shape == (len(x), design.model.output.size)
    assert {*result.tensors} >= {op.y for op in design.model.operations}
    if not back_pressure:
        assert result.latency[0] == design.latency
        assert result.interval == [design.interval] * (len(x) - 1)
    return result


@pytest.fixture(scope="session")
def small_model():
    return make_model


@pytest.fixture(scope="session")
def inputs_of():
    return make_inputs


@pytest.fixture(scope="session")
def run():
    return run_exactly


@pytest.fixture(scope="session", name="run_design")
def run_design_fixture():
    return run_design
