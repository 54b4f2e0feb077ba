"""Names that are likely meant: by their beginning, else by likeness, and never one far from it."""

import pytest

from bitformer.boards.catalog import BOARDS
from bitformer.hw.parts import PARTS
from bitformer.model.alike import alike, meant


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("ulx3s", BOARDS, ["ulx3s-25f", "ulx3s-45f", "ulx3s-85f"]),
        ("upduino", BOARDS, ["upduino-v3"]),
        ("orangecrap-25f", BOARDS, ["orangecrab-25f"]),
        ("XC7S1", PARTS, ["xc7s100", "xc7s15"]),
        ("xc7s26", PARTS, ["xc7s6"]),
        ("xc7z020", PARTS, []),
        ("nexys", BOARDS, []),
        ("", BOARDS, []),
        ("e", {"estimate", "evaluate"}, []),
        ("powr", ["Power", "power"], ["Power"]),
        ("a", ["", "a1"], []),
    ],
)
def test_what_is_alike(name, known, found):
    assert alike(name, known) == found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("oone", ": did you mean 'one'?"),
        ("on", ": did you mean 'one' or 'only'?"),
        ("o", ""),
        ("th", ": did you mean 'thin', 'this' or 'three'?"),
        ("nothing", ""),
    ],
)
def test_the_end_of_a_sentence(name, said):
    assert meant(name, ["three", "one", "only", "this", "thin", "throng"]) == said
