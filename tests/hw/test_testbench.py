"""The text of a testbench; tests/sim/test_verilog.py runs it."""

import re

from bitformer.hw import testbench

PORTS = testbench.Ports(
    clock="clk",
    reset="rst",
    reset_level=1,
    sample=("i", "i_valid", "i_ready"),
    result=("o", "o_valid", "o_ready"),
    sample_bits=5,
    result_bits=7,
)


def test_numbers_are_written_in_their_bits():
    windows = [((-1, -16, 15, 0), (-1, -32)), ((1, 2, 3, 4), (31, 0))]
    text = testbench.testbench("top", PORTS, windows, result_bits=6, latency=90)
    found = {
        name: [(int(bits), int(number, 16)) for bits, number in each]
        for name in ("samples", "expected")
        if (each := re.findall(rf"\b{name}\[\d+\] = (\d+)'h([0-9a-f]+);", text))
    }
    assert found["samples"] == [(5, n) for n in (31, 16, 15, 0, 1, 2, 3, 4)]
    assert found["expected"] == [(6, n) for n in (63, 32, 31, 0)]
