"""A search small enough to be carried out."""

import pytest

from bitformer.model.precision import Precision
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits
from bitformer.search.request import SearchRequest

__all__ = ["BITS", "question"]

BITS = (Precision.parse("4"), Precision.parse("4/8"))


@pytest.fixture(scope="module")
def question(fast, config, source):
    return SearchRequest(
        config=config,
        source=source,
        limits=Limits(latency_us=1000.0),
        bits=BITS,
        engines=(Engine(), Engine(pack=False)),
        top=2,
        settings={name: value for name, value in fast.items() if name != "seed"},
        windows=1,
    )
