"""Trials small enough to be trained."""

import pytest

from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource
from bitformer.model.precision import Precision

__all__ = ["config", "fast", "source"]


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
