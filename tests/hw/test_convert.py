"""Amaranth's own Yosys, and what is said where it does not start."""

import os

import pytest
from amaranth._toolchain.yosys import YosysError

from bitformer.hw.convert import builtin_yosys
from bitformer.model.errors import UserError


def test_the_last_line_says_why_it_does_not_start():
    text = "Traceback (most recent call last):\n  File x, line 1\n    run()\nOSError: no space"
    said = r"^Amaranth's Yosys must be able to start, and gave: OSError: no space$"
    with pytest.raises(UserError, match=said), builtin_yosys():
        raise YosysError(text)


def test_what_it_says_of_a_design_is_a_defect():
    with pytest.raises(YosysError, match="no driver"), builtin_yosys():
        raise YosysError("ERROR: no driver")


@pytest.mark.parametrize("before", [None, "system"])
def test_variables_are_as_they_were(monkeypatch, before):
    if before is None:
        monkeypatch.delenv("AMARANTH_USE_YOSYS", raising=False)
    else:
        monkeypatch.setenv("AMARANTH_USE_YOSYS", before)
    with builtin_yosys():
        assert os.environ["AMARANTH_USE_YOSYS"] == "builtin"
    assert os.environ.get("AMARANTH_USE_YOSYS") == before
