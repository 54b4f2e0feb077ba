"""What every test relies on."""

import gc
import signal

import pytest
from needs import require
from page_harness import browser, opened

# one browser for all tests of a worker
__all__ = ["browser", "opened"]

# a suite started in the background inherits that SIGINT is ignored, and so would the programs
# that tests start and interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """Let the garbage collector pass over modules and tests, and look at designs less often.

    Elaborating a design makes a million objects: a simulation takes 6 % less time so.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 5, 5)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skip a test marked ``needs`` where something is missing, before its fixtures want it."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            require(name)
