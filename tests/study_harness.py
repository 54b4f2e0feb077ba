"""Trials small enough to be trained."""

import pytest

from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource
from bitformer.model.precision import COMPONENTS, PATH_COMPONENTS, Precision

__all__ = ["INVENTED", "config", "fast", "source"]

#: Errors that 4 bits add, which nobody measured, of all components of an encoder that flattens.
INVENTED = {
    name: {"4": 0.01 * n, "8": 0.0}
    for n, name in enumerate((*(c for c in COMPONENTS if c != "GAP"), *PATH_COMPONENTS), start=1)
}


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
