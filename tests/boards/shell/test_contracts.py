# amaranth: UnusedElaboratable=no
"""Every component and interface of a shell says what its members are, and how wide."""

import importlib
import inspect
import pkgutil

import pytest
from amaranth.hdl import signed
from amaranth.lib import wiring
from contract_harness import check_members

from bitformer.boards import shell
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.elastic.address_map import V2
from bitformer.hw.units.parameters import Integer

#: Golden vectors and an image: all members are there.
CONTRACT = Contract(vectors=(((1,), (2,)),), image=((2, 3), (4, 1)))
SHAPES = {"input_shape": signed(8), "result_shape": signed(16)}
#: Components that are made with parameters; a base class has no members alone.
GOOD = {
    "ElasticBus": {"phase": 0},
    "ElasticEndpoint": {**SHAPES, "contract": Contract(), "addresses": V2},
    "ElasticShell": {"clock_hz": 100_000_000},
    "Endpoint": {**SHAPES, "contract": CONTRACT, "clock_hz": 100_000_000},
    "NumberReader": {"shape": signed(9)},
    "NumberWriter": {"shape": signed(9)},
    "SpiShell": {"clock_hz": 100_000_000},
    "UartLink": {"divisor": 8, "gap_bits": 20},
    "UartReceiver": {"divisor": 8},
    "UartShell": {"clock_hz": 100_000_000, "baud": 115_200},
    "UartTransmitter": {"divisor": 8},
    "WeightLoader": {"parts": ((4, 2), (8, 1))},
}
BASE = {"BoardShell"}


def units():
    """Every public component and signature under ``boards.shell``, by name."""
    found = {}
    for info in pkgutil.walk_packages(shell.__path__, f"{shell.__name__}."):
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, wiring.Component | wiring.Signature):
                found[name] = value
    return found


UNITS = units()


@pytest.mark.parametrize("name", sorted(UNITS.keys() - BASE))
def test_members_are_those_of_the_signature(serial, name):
    parameters = GOOD.get(name, {})
    if name.endswith("Shell"):
        parameters = {"accelerator": serial.AddTwo(bits=8), **parameters}
    check_members(UNITS[name](**parameters))


def test_every_package_is_looked_through():
    assert {"Endpoint", "ElasticBus", "UartLink", "LinkSignature"} | GOOD.keys() <= UNITS.keys()


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(n, p) for n in ("UartReceiver", "UartTransmitter", "UartLink") for p in GOOD[n]],
)
def test_integers_are_checked(name, parameter):
    for wrong, error in ((1, ValueError), (8.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="must be"):
            UNITS[name](**GOOD[name] | {parameter: wrong})


#: Least and largest values of every integer that a component is made with.
RANGES = {
    "phase": (0, 1),
    "divisor": (8, None),
    "gap_bits": (2, None),
    "clock_hz": (1, None),
    "baud": (1, None),
    "tail": (1, None),
    "UartShell": {"divisor": (1, None), "gap_bits": (20, None)},
}


@pytest.mark.parametrize("name", sorted(UNITS))
def test_integers_are_taken_from_the_least_to_the_largest(name):
    declared = {key: each for key, each in vars(UNITS[name]).items() if isinstance(each, Integer)}
    for parameter, one in declared.items():
        low, high = RANGES.get(name, {}).get(parameter, RANGES[parameter])
        beyond = (low - 1,) if high is None else (low - 1, high + 1)
        assert [one.checked(n) for n in (low, high or 99)] == [low, high or 99]
        for value in beyond:
            with pytest.raises(ValueError, match=f"not {value}$"):
                one.checked(value)


def test_every_range_is_of_a_component():
    found = {
        key for one in UNITS.values() for key, e in vars(one).items() if isinstance(e, Integer)
    }
    assert found == {key for key in RANGES if key != "UartShell"}


def test_an_interface_without_a_member_in_its_docstring_is_found():
    class Silent(UNITS["UartReceiver"]):
        __doc__ = inspect.getdoc(UNITS["UartReceiver"]).replace("idle : Out(1)\n", "")

    with pytest.raises(AssertionError, match="idle must be in Members once"):
        check_members(Silent(divisor=8))
