"""Fields that came later are said where they are no default, and by nobody else."""

from dataclasses import dataclass, fields

import pytest

from bitformer.hw.design import Geometry
from bitformer.hw.memory import StoreSpec
from bitformer.hw.program import MachineOperation, Program
from bitformer.model.later import later, said, shown
from bitformer.model.operations import Linear


@dataclass(frozen=True, kw_only=True)
class _Old:
    size: int
    kind: str = "plain"
    clock: int | None = later(None)
    gelu: bool = later(False)


def test_only_a_later_field_at_its_default_is_left_out():
    assert said(_Old(size=3)) == {"size": 3, "kind": "plain"}
    assert shown(_Old(size=3)) == "_Old(size=3, kind='plain')"
    assert said(_Old(size=3, clock=0)) == {"size": 3, "kind": "plain", "clock": 0}
    assert shown(_Old(size=3, gelu=True)) == "_Old(size=3, kind='plain', gelu=True)"


@pytest.mark.parametrize(
    ("of", "names"),
    [
        (Linear, {"gelu", "clock", "transposed", "parts", "step"}),
        (
            MachineOperation,
            {
                *("stride", "gelu", "clock", "whole", "channel"),
                *("starts", "previous", "ring_first", "ring_last", "rows", "lane", "split"),
                "resumes",
            },
        ),
        (Program, {"loop", "steps", "phases"}),
        (StoreSpec, {"parts"}),
        (
            Geometry,
            {
                *("gelu", "apart", "upper_bits", "halves", "soft_bits"),
                *("soft_sum_bits", "broad_bits", "broad_sum_bits"),
                *("extension", "factor_signed", "gamma_block", "soft_squares"),
                *("rows", "posts", "patch", "pair_bits", "value_pitch"),
            },
        ),
    ],
)
def test_fields_that_came_later(of, names):
    """What is hashed of models and designs before them does not have these."""
    assert {one.name for one in fields(of) if "later" in one.metadata} == names
