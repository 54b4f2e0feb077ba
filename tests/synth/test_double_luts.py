"""A LUT with two outputs: each follows the inputs that its part of the table tells apart."""

import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.synth.depth import depth
from bitformer.synth.netlist import read_netlist


def chain(length, table):
    """LUTs of which each takes the second output of the one below at its fifth input."""
    cells, below = {}, 2
    for n in range(length):
        whole, other = 10 + 2 * n, 11 + 2 * n
        pins = {"I0": [3], "I1": [4], "I2": ["0"], "I3": ["0"], "I4": [below], "I5": ["1"]}
        cells[f"l{n}"] = {
            "type": "LUT6_2",
            "parameters": {"INIT": f"{table:064b}"},
            "port_directions": {**dict.fromkeys(pins, "input"), "O6": "output", "O5": "output"},
            "connections": {**pins, "O6": [whole], "O5": [other]},
        }
        below = other
    ports = {"i": {"direction": "input", "bits": [2, 3, 4]}}
    ports["o"] = {"direction": "output", "bits": [8 + 2 * length]}
    data = {"modules": {"top": {"ports": ports, "cells": cells, "netnames": {}}}}
    return depth(read_netlist(data, family=SERIES7)).levels


#: Of inputs 0 and 1: their exclusive or, with input 4 in the first output; their conjunction.
WHOLE = sum((row ^ row >> 1 ^ row >> 4) % 2 << row for row in range(32))
BOTH = sum((row & row >> 1) % 2 << row for row in range(32))


@pytest.mark.parametrize("length", [2, 9])
def test_an_output_follows_what_its_table_tells_apart(length):
    assert chain(length, WHOLE << 32 | BOTH) == 2
    assert chain(length, WHOLE << 32 | WHOLE) == length
