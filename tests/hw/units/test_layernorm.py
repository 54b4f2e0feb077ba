# amaranth: UnusedElaboratable=no
"""Normalised elements against their model, at the extremes and back to back."""

import random

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat
from norm_rows import extreme_rows, random_rows

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.timing import NORM_DELAY
from bitformer.hw.units import layernorm
from bitformer.hw.units.layernorm import Normalizer, statistics_layout
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.hw.widths import is_long
from bitformer.model import numerics

DSP = SERIES7.multiplier


def normalised(play, dut, elements):
    """(`o_u`, `o_multiplier`) of each (element, gamma, statistics)."""
    layout = statistics_layout(dut.features, dut.bits)
    script = [{} for _ in range(len(elements) + 1)]
    for number, (x, gamma, total, exponent, factor) in enumerate(elements):
        row = layout.const({"total": total, "exponent": exponent, "factor": factor})
        script[number] |= {"i_gamma": gamma, "i_statistics": row.as_bits()}
        script[number + 1]["i_x"] = x
    return play(dut, script + [{}] * dut.latency, ["o_u", "o_multiplier"])[1 + dut.latency :]


def elements_of(features, bits, gamma_bits):
    rows = extreme_rows(features, bits) + random_rows(features, bits, 10, 1)
    chance = random.Random(2)
    low, high = -(1 << (gamma_bits - 1)), (1 << (gamma_bits - 1)) - 1
    statistics = RowStatistics(features=features, bits=bits, ways=1, multiplier=DSP)
    return [
        (x, chance.choice([low, high, 0, 1, chance.randint(low, high)]), *statistics.model(row))
        for row in rows
        for x in row
    ]


@pytest.mark.parametrize(
    ("features", "bits", "gamma_bits"), [(2, 4, 4), (4, 8, 8), (16, 8, 8), (32, 16, 8), (3, 5, 2)]
)
def test_normalised_values(play, features, bits, gamma_bits):
    dut = Normalizer(features=features, bits=bits, gamma_bits=gamma_bits, multiplier=DSP)
    elements = elements_of(features, bits, gamma_bits)
    expected = [dut.model(*element) for element in elements]
    assert normalised(play, dut, elements) == expected
    assert all(abs(u) <= numerics.normalized_bound(features, bits) for u, _ in expected)


def test_latency_is_exact(play):
    dut = Normalizer(features=4, bits=8, gamma_bits=8, multiplier=DSP)
    assert dut.latency == NORM_DELAY == 2


def test_model_is_the_number_contract():
    dut = Normalizer(features=4, bits=8, gamma_bits=8, multiplier=DSP)
    assert dut.model(-100, 5, 37, 3, 400) == ((4 * -100 - 37) << 3, 2000)


def test_a_scale_without_a_sign_is_found(play, monkeypatch):
    """The mutant: gamma is multiplied as if it were not signed."""
    product = layernorm.multiply_in_luts
    monkeypatch.setattr(layernorm, "multiply_in_luts", lambda a, b: product(Cat(a), b))
    dut = Normalizer(features=4, bits=8, gamma_bits=8, multiplier=DSP)
    elements = elements_of(4, 8, 8)
    assert normalised(play, dut, elements) != [dut.model(*element) for element in elements]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"features": 0}, ValueError, r"^Features must be a positive integer, not 0$"),
        ({"bits": "8"}, TypeError, r"^Bits must be a positive integer, not '8'$"),
        ({"gamma_bits": 0}, ValueError, r"^Gamma bits must be a positive integer, not 0$"),
        ({"multiplier": None}, TypeError, r"^Multiplier must be a Multiplier, not None$"),
    ],
)
def test_mistakes_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        Normalizer(**{"features": 4, "bits": 8, "gamma_bits": 8, "multiplier": DSP} | changes)


def test_parameters_can_be_read():
    dut = Normalizer(features=4, bits=8, gamma_bits=7, multiplier=DSP)
    assert (dut.features, dut.bits, dut.gamma_bits, dut.multiplier) == (4, 8, 7, DSP)


@pytest.mark.parametrize("features", [20, 24, 60, 96])
@pytest.mark.parametrize("bits", [4, 8])
def test_numbers_of_features_take_no_multiplier(features, bits):
    """Synthesis makes a DSP block of any product, of a constant that is no power of two, too."""
    normalizer = Normalizer(features=features, bits=bits, gamma_bits=8, multiplier=DSP)
    assert "cell $mul" not in rtlil.convert(normalizer)
    row = RowStatistics(features=features, bits=bits, ways=2, multiplier=DSP)
    assert rtlil.convert(row).count("cell $mul") == 1  # the sum's square


@pytest.mark.parametrize("features", range(1, 70))
@pytest.mark.parametrize("bits", [2, 7, 16])
def test_room_for_the_largest_of_a_row(features, bits):
    """A bit or two to spare in short rows, and none in long ones."""
    dut = Normalizer(features=features, bits=bits, gamma_bits=4, multiplier=DSP)
    spare = len(dut.o_u) - 1 - numerics.normalized_bound(features, bits).bit_length()
    if is_long(features, bits, DSP):
        assert spare == 0
    else:
        assert spare == 1 or (spare == 2 and features.bit_count() > 1)
    # a variance of 2w bits or 2w - 1 is shifted by w pairs of bits at most
    pairs = numerics.norm_width(features, bits) // 2
    width = statistics_layout(features, bits)["exponent"].width
    assert pairs < 1 << width <= 2 * pairs
