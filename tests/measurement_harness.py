"""Measurements that nobody had to synthesize for: counts by a formula of our own."""

import pytest

from bitformer.estimate.features import FEATURES, VERSION, physical, quantities
from bitformer.estimate.knowledge import Entry
from bitformer.estimate.predictor import Predictor
from bitformer.estimate.profile import family, mixed
from bitformer.hw.lowering.lower import lower
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision

__all__ = ["designs", "drawn", "entries", "invented", "predictor"]


def invented(design, *, key, noise=0.0):
    """An entry whose counts are near what is known of its features, off by ``noise``."""
    q = {name: int(value) for name, value in quantities(design).items()}
    f = physical(q, design.family.luts)

    def taken(kind, least, more):
        known = FEATURES[kind].items()
        return least + more * sum(prior * float(f[name]) for name, prior in known)

    memory, logic, ffs = taken("memory", 20, 1), taken("logic", 300, 1.1), taken("ffs", 250, 0.9)
    return Entry(
        key=key,
        name=design.model.config.name,
        part=design.part,
        lanes=design.geometry.columns,
        tool="invented",
        version="1",
        features={"version": VERSION, **q},
        luts=round(memory + logic * (1 + noise)),
        lutram=round(memory),
        srls=0,
        ffs=round(ffs),
        ramb18=q["ramb18"],
        dsps=18,
    )


def drawn(count, seed):
    """Lowered designs with random bits, small ones."""
    bits = [Precision.parse(one) for one in ("4", "6", "8")]
    configs = mixed(count, seed=seed, windows=[6, 12], widths=[8, 16], bits=bits)
    return [lower(initialize(config)) for config in configs]


@pytest.fixture(scope="session")
def designs():
    """Designs of the family, uniform and mixed."""
    bits = [Precision.parse(one) for one in ("4", "6", "8")]
    uniform = [lower(initialize(config)) for config in family([6, 12], [8, 16], bits)]
    return uniform + drawn(12, 7)


@pytest.fixture(scope="session")
def entries(designs):
    """Their entries."""
    return [invented(design, key=f"k{n}") for n, design in enumerate(designs)]


@pytest.fixture(scope="session")
def predictor(entries):
    """A fit on them."""
    return Predictor(entries)
