# amaranth: UnusedElaboratable=no
"""GELU of a result: every step of every width, numbers that pass, and faults that are found."""

import pytest

from bitformer.hw.units import gelu as unit_module
from bitformer.hw.units.gelu import Gelu
from bitformer.model.gelu import GELU_BITS, corrections, gelu_zero

WIDTHS = range(GELU_BITS[0], GELU_BITS[1] + 1)


def steps(bits):
    """What a result of so many bits is made from: from where nothing is corrected, to its end."""
    return range(-len(corrections(bits)), (1 << (bits - 1)) - gelu_zero(bits))


def results(play, dut, pairs):
    script = [{"i_x": x, "i_table": table} for x, table in pairs]
    shown = play(dut, [*script, *[{}] * dut.latency], ["o_y"])
    return [y for (y,) in shown[dut.latency :]]


def test_it_takes_a_cycle():
    assert Gelu.latency == 1


def test_values_by_hand():
    """8 bits: steps of 1/32, from -123 on. GELU is -0.1587 at -1, 0.8413 at 1, 2.996 at 3."""
    dut = Gelu(widths=[4, 8], bits=9)
    assert [dut.model(x, 2) for x in (0, -32, 32, 96, -200, 250)] == [
        *(-123, -123 - 5, -123 + 27, -123 + 96, -123, 127)
    ]
    # 4 bits: steps of 1/4, from -7 on. GELU(-0.5) = -0.154, GELU(1) = 0.841, GELU(-1.5) = -0.100
    assert [dut.model(x, 1) for x in (0, -2, 4, -6, 14)] == [-7, -8, -4, -7, 7]
    assert [dut.model(x, 0) for x in (-128, 127)] == [-128, 127]


@pytest.mark.parametrize("bits", WIDTHS)
def test_every_step_of_a_width(play, bits):
    dut = Gelu(widths=[bits], bits=bits + 1)
    pairs = [(x, 1) for x in steps(bits)]
    expected = [dut.model(*pair) for pair in pairs]
    assert results(play, dut, pairs) == expected
    assert min(expected) == -(1 << (bits - 1))
    assert max(expected) == (1 << (bits - 1)) - 1


def test_several_tables_and_numbers_that_pass(play):
    """Numbers of 16 bits pass between steps of two widths."""
    dut = Gelu(widths=[4, 8], bits=16)
    passing = [-(1 << 15), (1 << 15) - 1, -1, 0, 5, -123]
    pairs = [
        pair
        for n, x in enumerate(steps(8))
        for pair in ((x, 2), (steps(4)[n % len(steps(4))], 1), (passing[n % len(passing)], 0))
    ]
    assert results(play, dut, pairs) == [dut.model(*pair) for pair in pairs]


@pytest.mark.parametrize("entry", [1, 20, 79])
def test_a_wrong_entry_is_found_at_both_signs(play, monkeypatch, entry):
    pairs = [(x, 1) for x in steps(8)]
    dut = Gelu(widths=[8], bits=9)
    expected = [dut.model(*pair) for pair in pairs]
    wrong = list(corrections(8))
    wrong[entry] ^= 1
    monkeypatch.setattr(unit_module, "corrections", lambda bits: tuple(wrong))
    found = results(play, Gelu(widths=[8], bits=9), pairs)
    differ = [x for (x, _), a, b in zip(pairs, found, expected, strict=True) if a != b]
    assert differ == [-entry, entry]


@pytest.mark.parametrize(("widths", "bits"), [([8], 8), ([4, 8], 8)])
def test_the_steps_must_fit(widths, bits):
    with pytest.raises(ValueError, match=r"^Bits must be more than 8, not 8$"):
        Gelu(widths=widths, bits=bits)
