"""What units have of a design: fields of a slot."""

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.assembly import matrix_engine, slots_of
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


@pytest.mark.parametrize(
    ("name", "part", "options", "told"),
    [
        ("tiny", "xc7s15", {"lanes": 4, "soft": 0}, False),
        ("tiny", "xc7s15", {"lanes": 4, "soft": 2}, True),
        ("etth1-96-24-w2a8", "ice40up5k", {}, False),
    ],
)
def test_slots_tell_columns_of_luts_beside_sums_that_are_not_apart(name, part, options, told):
    design = lower(initialize(named_config(name)), part=part, **options)
    geometry = design.geometry
    assert geometry.apart == (part == "ice40up5k")
    assert (geometry.weights.soft > 0) == (told or geometry.apart)
    assert ("soft" in slots_of(design).members) is told


def test_two_of_four_token_rows_begin_with_ones():
    """Synthesis does not merge their registers with those of the other two."""
    design = lower(initialize(named_config("tiny")), rows=4, posts=2)
    assert [matrix_engine(design, row).ones for row in range(4)] == [False, False, True, True]
