"""The notation of widths: read, written, and refused."""

import pytest

from bitformer.model.errors import UserError
from bitformer.model.precision import (
    ACTIVATION_BITS,
    FLOAT_BITS,
    WEIGHT_BITS,
    Precision,
    read_weights,
)


@pytest.mark.parametrize(
    ("text", "weights", "activations", "short", "slug"),
    [
        ("4", 4, 4, "4", "4"),
        ("2/8", 2, 8, "2/8", "2a8"),
        ("8/8", 8, 8, "8", "8"),
        (" 16/16 ", 16, 16, "16", "16"),
        ("1/2", 1, 2, "1/2", "1a2"),
    ],
)
def test_notation(text, weights, activations, short, slug):
    bits = Precision.parse(text)
    assert bits == Precision(weights=weights, activations=activations)
    assert (str(bits), bits.slug, bits.both) == (short, slug, f"{weights}/{activations}")
    assert bits.width == weights


@pytest.mark.parametrize(
    ("text", "weights", "activations", "short", "slug", "both"),
    [
        ("4p/8", 4, 8, "4p/8", "4pa8", "4p/8"),
        ("4p", 4, 4, "4p", "4p", "4p/4"),
        ("3p/3", 3, 3, "3p", "3p", "3p/3"),
        (" 16p/8 ", 16, 8, "16p/8", "16pa8", "16p/8"),
    ],
)
def test_notation_of_powers_of_two(text, weights, activations, short, slug, both):
    bits = Precision.parse(text)
    assert bits == Precision(weights=weights, activations=activations, scheme="power-of-two")
    assert bits != Precision(weights=weights, activations=activations)
    assert (str(bits), bits.slug, bits.both) == (short, slug, both)
    assert Precision.parse(str(bits)) == Precision.parse(both) == bits
    assert bits.width == f"{weights}p"
    assert bits.with_weights("6p") == Precision.parse(f"6p/{activations}")
    assert bits.with_weights(2) == bits.with_weights("2") == Precision.parse(f"2/{activations}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "2p/8",
            "scheme must be uniform for weights of 2 bits, which are 0, 1 and -1 anyway, not"
            " power-of-two: write 2 instead of 2p",
        ),
        ("1p/8", "weights of 1 bit, which are 1 and -1 anyway, not .*: write 1 instead of 1p"),
    ],
)
def test_powers_of_two_need_bits_to_choose_from(text, message):
    with pytest.raises(UserError, match=message):
        Precision.parse(text)


def test_schemes_are_those_known():
    with pytest.raises(UserError, match=r"scheme must be one of .*, not 'pot'"):
        Precision(weights=4, activations=8, scheme="pot")
    with pytest.raises(UserError, match="weights of 32 bits, which are floats, not power-of-two"):
        Precision(weights=32, activations=8, scheme="power-of-two")


@pytest.mark.parametrize("width", ["four", "4q", "p", "", "4/8", "4.0", -4, "100"])
def test_widths_of_weights_are_numbers(width):
    with pytest.raises(UserError, match="bits of weights must be a number such as 4, or 4p for"):
        read_weights(width)
    assert read_weights(4) == read_weights(" 4 ") == (4, "uniform")
    assert read_weights("16p") == (16, "power-of-two")


def test_what_is_written_is_read():
    for weights in WEIGHT_BITS:
        for activations in ACTIVATION_BITS:
            bits = Precision(weights=weights, activations=activations)
            if FLOAT_BITS not in (weights, activations):
                assert Precision.parse(str(bits)) == Precision.parse(bits.both) == bits


@pytest.mark.parametrize("text", ["", "x", "4/", "/4", "5/4/3", "4a8", "-4", "٤", "4.0", "100"])
def test_another_notation_is_refused(text):
    with pytest.raises(
        UserError, match="bits must be numbers such as 4 or 2/8, or 4p/8 for powers of two, not"
    ):
        Precision.parse(text)


@pytest.mark.parametrize("text", ["32", "5", "4/1", "0", "8/32"])
def test_widths_that_no_model_has_are_refused(text):
    with pytest.raises(UserError, match=r"^bits must be widths that a model can have, .*not "):
        Precision.parse(text)
