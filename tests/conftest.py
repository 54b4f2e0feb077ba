"""What every test relies on."""

import signal

import pytest
from needs import require

# a suite started in the background inherits that SIGINT is ignored, and so would the programs
# that tests start and interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skip a test marked ``needs`` where something is missing, before its fixtures want it."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            require(name)
