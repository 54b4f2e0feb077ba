# amaranth: UnusedElaboratable=no
"""Parameters of components are checked when they are given, and stay."""

import pytest
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from bitformer.hw.units.parameters import Flag, Integer, Items, Parameter


class Unit(wiring.Component):
    """A component with a parameter of every kind."""

    columns = Integer(1)
    pack_shift = Integer(0)
    operand_bits = Integer(1, 18)
    always = Flag()
    placement = Parameter(str, "a string")
    weights = Items(int, "integers")

    def __init__(self, **parameters):
        for name, value in {**GOOD, **parameters}.items():
            setattr(self, name, value)
        super().__init__({"o": Out(self.operand_bits)})


GOOD = {
    "columns": 1,
    "pack_shift": 0,
    "operand_bits": 18,
    "always": False,
    "placement": "block",
    "weights": [3, 1],
}


def test_parameters_are_attributes():
    unit = Unit()
    assert {name: getattr(unit, name) for name in GOOD} == {**GOOD, "weights": (3, 1)}
    assert len(unit.o) == 18


def test_components_keep_their_own():
    one, other = Unit(columns=3), Unit(columns=4)
    assert (one.columns, other.columns) == (3, 4)


@pytest.mark.parametrize("name", GOOD)
def test_parameters_are_read_only(name):
    unit = Unit()
    label = name.replace("_", " ").capitalize()
    with pytest.raises(AttributeError, match=rf"^{label} cannot be changed$"):
        setattr(unit, name, GOOD[name])
    assert getattr(unit, name) == Unit().__getattribute__(name)


def test_what_has_not_been_given_is_absent():
    assert not hasattr(Unit.__new__(Unit), "columns")


@pytest.mark.parametrize(
    ("name", "value", "error", "sentence"),
    [
        ("columns", 0, ValueError, "Columns must be a positive integer, not 0"),
        ("columns", "4", TypeError, "Columns must be a positive integer, not '4'"),
        ("columns", 4.0, TypeError, r"Columns must be a positive integer, not 4\.0"),
        ("columns", True, TypeError, "Columns must be a positive integer, not True"),
        ("columns", None, TypeError, "Columns must be a positive integer, not None"),
        ("pack_shift", -1, ValueError, "Pack shift must be a non-negative integer, not -1"),
        ("operand_bits", 19, ValueError, "Operand bits must be an integer from 1 to 18, not 19"),
        ("operand_bits", 0, ValueError, "Operand bits must be an integer from 1 to 18, not 0"),
        ("operand_bits", [], TypeError, r"Operand bits must be an integer from 1 to 18, not \[\]"),
        ("always", 1, TypeError, "Always must be True or False, not 1"),
        ("placement", 1, TypeError, "Placement must be a string, not 1"),
        (
            "weights",
            [],
            ValueError,
            r"Weights must be a sequence of one or more integers, not \[\]",
        ),
        ("weights", 3, TypeError, "Weights must be a sequence of one or more integers, not 3"),
        ("weights", "a", TypeError, "Weights must be a sequence of one or more integers, not 'a'"),
    ],
)
def test_mistakes_are_named(name, value, error, sentence):
    with pytest.raises(error, match=f"^{sentence}$"):
        Unit(**{name: value})


def test_limits_are_included():
    assert Unit(operand_bits=1).operand_bits == 1
    assert Unit(columns=10**9).columns == 10**9
