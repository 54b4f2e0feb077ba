"""The notation of widths: read, written, and refused."""

import pytest

from bitformer.model.errors import UserError
from bitformer.model.precision import ACTIVATION_BITS, FLOAT_BITS, WEIGHT_BITS, Precision


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


def test_what_is_written_is_read():
    for weights in WEIGHT_BITS:
        for activations in ACTIVATION_BITS:
            bits = Precision(weights=weights, activations=activations)
            if FLOAT_BITS not in (weights, activations):
                assert Precision.parse(str(bits)) == Precision.parse(bits.both) == bits


@pytest.mark.parametrize("text", ["", "x", "4/", "/4", "5/4/3", "4a8", "-4", "٤", "4.0", "100"])
def test_another_notation_is_refused(text):
    with pytest.raises(UserError, match="bits must be numbers such as 4 or 2/8, not"):
        Precision.parse(text)


@pytest.mark.parametrize("text", ["32", "5", "4/1", "0", "8/32"])
def test_widths_that_no_model_has_are_refused(text):
    with pytest.raises(UserError, match=r"^bits must be widths that a model can have, .*not "):
        Precision.parse(text)
