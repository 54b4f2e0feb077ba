"""Trials small enough to be trained; measurements that nobody had to synthesize for."""

import pytest
from measurement_harness import drawn, invented

from bitformer.hw.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.search.predict import Predictor
from bitformer.search.profile import family, parse_bits
from bitformer.search.trials import DataSource


@pytest.fixture(scope="session")
def fast():
    """Settings of a training of about a second."""
    return {"epochs": 1, "qat_epochs": 1, "batch": 512, "lowering": (), "seed": 0}


@pytest.fixture(scope="session")
def config():
    return TransformerConfig(
        name="small",
        window=8,
        horizon=2,
        patch=4,
        d_model=4,
        ffn=4,
        subtract_last=True,
        default=Precision(weights=4, activations=8),
    )


@pytest.fixture(scope="session")
def source():
    return DataSource(data="synthetic")


@pytest.fixture(scope="session")
def designs():
    """Designs of the family, uniform and mixed."""
    bits = [parse_bits(one) for one in ("4", "6", "8")]
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
