# amaranth: UnusedElaboratable=no
"""Every unit says what it is: its members and their widths, its latency, its parameters."""

import importlib
import inspect
import pkgutil
import re
from dataclasses import fields

import pytest
from amaranth.lib import wiring
from contract_harness import as_pattern, check_members, members_of

from bitformer.hw import units
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.memory import StorePart, StoreSpec
from bitformer.hw.program import Instruction, MachineOperation, Program
from bitformer.hw.timing import MIN_ISSUE
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.parameters import Integer
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.units.result_slots import slot_layout
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


def components():
    """Every public component of `hw.units`, by name."""
    found = {}
    for info in pkgutil.iter_modules(units.__path__, f"{units.__name__}."):
        module = importlib.import_module(info.name)
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, wiring.Component):
                found[name] = value
    return found


COMPONENTS = components()
# It changes no number.
NO_MODEL = {"AxiStream"}

OPERATIONS = (
    MachineOperation(matrix=True, length=2, pitch=3, last_columns=2, packed=True),
    MachineOperation(slots=2),
)
PROGRAM = Program(operations=OPERATIONS, instructions=(Instruction(op=1, delta=5, dst=3, res=1),))
TIMED = (*OPERATIONS, MachineOperation(matrix=True, clock=2))
SLOT = slot_layout(ways=2, op_bits=1, parameter_bits=3, dst_bits=4, res_bits=4)
TIMED_SLOT = slot_layout(ways=2, op_bits=2, parameter_bits=3, dst_bits=4, res_bits=4)
ROW = {"operations": OPERATIONS, "slot": SLOT, "dst_bits": 2, "res_bits": 1}
OPERANDS = ("operations", "ways", "word_bits", "scores", "input_bits", "operand_bits")
WIDTHS = [field.name for field in fields(PostProcessorWidths) if "norm" not in field.name]
WRITER = ("queue", "ways", "slots", "bits", "depth", "result_bits", "dst_bits")
DETECTOR = (
    *("numbers", "bits", "judged_bits", "shift", "forecast_shift", "zero", "smoothing"),
    *("absolute", "level_bits", "weight_bits", "score_bits"),
)
DSP = SERIES7.multiplier
ENGINE = (
    *("columns", "column_bits", "operand_bits", "pack_shift", "half_bits"),
    *("always_packed", "product_bits", "multiplier"),
)


def tiny():
    return lower(initialize(named_config("tiny")))


BLOCK = (
    *("rows", "posts", "rounds", "ways", "slots", "parts", "bits", "depth"),
    *("result_bits", "dst_bits", "pair_bits", "pitch"),
)
HALF = StoreSpec(name="one", depth=2, width=8)
SPLIT_SPEC = StoreSpec(
    name="one",
    depth=4,
    width=8,
    parts=tuple(StorePart(base=n, spec=HALF, ports=(0,), tensors=()) for n in (0, 2)),
)
# Parameters that are in order.
GOOD = {
    "Accelerator": lambda: {"design": lower_reloadable(initialize(named_config("tiny")))},
    "AddressGenerator": lambda: {"operations": OPERATIONS, "act_bits": 4, "weight_bits": 5},
    "AxiStream": lambda: {"accelerator": Accelerator(design=tiny()), "inputs": 24, "results": 6},
    "BlockWriter": lambda: dict(zip(BLOCK, (4, 2, 2, 2, 8, 2, 6, 9, 8, 7, 3, 4), strict=True)),
    "ClassChoice": lambda: {"classes": 5, "bits": 8},
    "ColumnStore": lambda: {
        "spec": StoreSpec(name="one", depth=4, width=40, granule=4),
        "columns": 5,
        "ways": 2,
        "group": 2,
    },
    "Detector": lambda: dict(zip(DETECTOR, (3, 8, 8, 1, 0, -3, 2, True, 12, 8, 24), strict=True)),
    "Drain": lambda: {**ROW, "operations": TIMED, "slot": TIMED_SLOT, "columns": 3},
    "Exponential": dict,
    "Gelu": lambda: {"widths": (4, 8), "bits": 9},
    "InputPort": lambda: {"steps": 2, "channels": 1, "bits": 8, "numbers": 2, "judged": 3},
    "KeyValueWriter": lambda: dict(zip(WRITER, (2, 2, 4, 6, 9, 8, 5), strict=True)),
    "MatrixEngine": lambda: dict(zip(ENGINE, (2, 8, 8, 16, 4, True, 32, DSP), strict=True)),
    "Normalizer": lambda: {"features": 4, "bits": 8, "gamma_bits": 9, "multiplier": DSP},
    "Operands": lambda: dict(zip(OPERANDS, (OPERATIONS, 2, 12, False, 7, 8), strict=True)),
    "OutputPort": lambda: {"features": 3, "bits": 8, "ways": 2},
    "PostProcessor": lambda: {
        "operations": OPERATIONS,
        "slot": SLOT,
        "widths": PostProcessorWidths(**dict.fromkeys(WIDTHS, 8)),
        "multiplier": DSP,
    },
    "Reciprocal": lambda: {"keys": 4},
    "RowMaximum": lambda: {"ways": 2},
    "RowStatistics": lambda: {
        "features": 4,
        "bits": 8,
        "ways": 2,
        "multiplier": DSP,
        "rounds": 2,
    },
    "Sequencer": lambda: {"program": PROGRAM, "inputs": 4, "whole_window": False},
    "SplitStore": lambda: {"spec": SPLIT_SPEC},
    "Store": lambda: {"spec": StoreSpec(name="one", depth=4, width=8)},
    "TableRows": lambda: {"rows": (24, 7), "strides": (12, 3), "bits": 8},
    "VectorSlots": lambda: ROW,
}


def keywords(component):
    """Keyword parameters of a component."""
    return [
        name
        for name, parameter in inspect.signature(component.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]


def test_every_unit_is_here():
    assert COMPONENTS.keys() == GOOD.keys()


@pytest.mark.parametrize("name", GOOD)
def test_members_are_those_of_the_signature(name):
    check_members(COMPONENTS[name](**GOOD[name]()))


@pytest.mark.parametrize("name", GOOD)
def test_latency_and_throughput_are_said(name):
    doc = inspect.getdoc(COMPONENTS[name])
    for word in ("Latency", "Throughput"):
        assert re.search(rf"{word}:\s(.|\n(?!\n))*?cycle", doc)


@pytest.mark.parametrize("name", GOOD)
def test_parameters_are_named_shown_and_read_only(name):
    component, good = COMPONENTS[name], GOOD[name]()
    unit, doc = component(**good), inspect.getdoc(component)
    parameters = keywords(component)
    assert set(good) <= set(parameters)
    if parameters:
        section = doc.split("Parameters\n----------\n")[1].split("\n\n")[0]
        lines = re.findall(r"^(\S+(?:, \S+)*) : \S", section, re.MULTILINE)
        assert [one for line in lines for one in line.split(", ")] == parameters
    for parameter, given in good.items():
        shown = getattr(unit, parameter)
        assert shown == (tuple(given) if isinstance(shown, tuple) else given)
        with pytest.raises(AttributeError):
            setattr(unit, parameter, given)


@pytest.mark.parametrize("name", GOOD)
def test_parameters_of_a_wrong_type_or_range_are_refused(name):
    component, good = COMPONENTS[name], GOOD[name]()
    for parameter in keywords(component):
        label = parameter.replace("_", " ").capitalize()
        with pytest.raises(TypeError, match=rf"^{label} must .*, not <object object at .*>$"):
            component(**good | {parameter: object()})
        declared = inspect.getattr_static(component, parameter)
        if isinstance(declared, Integer):
            for value in (-1, 1 << 30):
                if value > 0 and declared._high is None:
                    continue
                with pytest.raises(ValueError, match=rf"^{label} must .*, not {value}$"):
                    component(**good | {parameter: value})


#: Least and largest values of integers, that are not positive and without a limit.
RANGES = {
    **dict.fromkeys(("pair_bits", "pack_shift", "half_bits", "extension", "soft"), (0, None)),
    **dict.fromkeys(("soft_bits", "soft_sum_bits", "broad", "broad_bits"), (0, None)),
    **dict.fromkeys(("broad_sum_bits", "delta_bits", "delta_shift", "behind"), (0, None)),
    **dict.fromkeys(("judged", "patch"), (0, None)),
    "ClassChoice": {"classes": (2, 256), "bits": (2, 16)},
    "ColumnStore": {"ways": (1, None)},
    "Detector": {
        "numbers": (1, 256),
        "bits": (2, 16),
        "judged_bits": (2, 16),
        "smoothing": (0, 15),
        "shift": (0, 23),
        "forecast_shift": (0, 23),
        "level_bits": (2, 25),
        "weight_bits": (1, 8),
        "score_bits": (1, 40),
    },
    "Drain": {"queue": (1, 8), "copies": (1, 4)},
    "InputPort": {"numbers": (0, None)},
    "KeyValueWriter": {"queue": (0, None)},
    "RowMaximum": {"ways": (1, None)},
    "RowStatistics": {"ways": (1, None), "queue": (1, 32)},
    "ways": (1, 2),
}


@pytest.mark.parametrize("name", GOOD)
def test_integers_are_taken_from_the_least_to_the_largest(name):
    for parameter in keywords(COMPONENTS[name]):
        declared = inspect.getattr_static(COMPONENTS[name], parameter)
        if isinstance(declared, Integer):
            own = RANGES.get(name, {}).get(parameter, RANGES.get(parameter, (1, None)))
            for value, taken in ((own[0] - 1, False), (own[0], True), (own[1] or 99, True)):
                if taken:
                    assert declared.checked(value) == value
                else:
                    with pytest.raises(ValueError, match=f"not {value}$"):
                        declared.checked(value)
            if own[1] is not None:
                with pytest.raises(ValueError, match=f"not {own[1] + 1}$"):
                    declared.checked(own[1] + 1)


def program(delta):
    return Program(operations=OPERATIONS, instructions=(Instruction(op=1, delta=delta),))


#: Of each unit what is still taken, and what no longer is.
LAST = [
    ("BlockWriter", {"bits": 8}, {"bits": 9}),
    ("KeyValueWriter", {"bits": 9, "result_bits": 9}, {"bits": 9, "result_bits": 8}),
    ("Gelu", {"bits": 9}, {"bits": 8}),
    ("Drain", {"columns": 2}, {"columns": 1}),
    ("MatrixEngine", {"operand_bits": 18}, {"operand_bits": 19}),
    ("MatrixEngine", {"product_bits": 48}, {"product_bits": 49}),
    ("MatrixEngine", {"pack_shift": 21}, {"pack_shift": 22}),
    ("MatrixEngine", {"pack_shift": 4}, {"pack_shift": 3}),
    ("MatrixEngine", {"column_bits": 8}, {"column_bits": 7}),
    ("Operands", {"word_bits": 12}, {"word_bits": 13}),
    ("Operands", {"delta_bits": 4, "delta_zero": -8}, {"delta_bits": 4, "delta_zero": -9}),
    ("Operands", {"delta_bits": 4, "delta_zero": 7}, {"delta_bits": 4, "delta_zero": 8}),
    ("InputPort", {"lanes": 2, "patch": 1}, {"lanes": 3, "patch": 1}),
    ("InputPort", {"lanes": 1, "patch": 0}, {"lanes": 2, "patch": 0}),
    ("RowStatistics", {"upper_bits": 8}, {"upper_bits": 9}),
    ("Sequencer", {"program": program(MIN_ISSUE)}, {"program": program(MIN_ISSUE - 1)}),
]


@pytest.mark.parametrize(("name", "taken", "refused"), LAST, ids=str)
def test_what_is_just_taken_and_just_refused(name, taken, refused):
    COMPONENTS[name](**GOOD[name]() | taken)
    with pytest.raises(ValueError, match=r"[Mm]ust "):
        COMPONENTS[name](**GOOD[name]() | refused)


BROAD = {"always_packed": False, "soft": 2, "columns": 8, "column_bits": 8, "half_bits": 4}


@pytest.mark.parametrize(
    ("field", "most"), [("broad", 2), ("broad_bits", 8), ("broad_sum_bits", 16)]
)
def test_broad_columns_are_as_broad_as_the_others_allow(field, most):
    good = GOOD["MatrixEngine"]() | BROAD | {"broad": 1, "broad_bits": 8, "broad_sum_bits": 16}
    assert good["pack_shift"] == 16
    COMPONENTS["MatrixEngine"](**good | {field: most})
    with pytest.raises(ValueError, match=r"^Broad columns, weights and sums must be at most 2, 8"):
        COMPONENTS["MatrixEngine"](**good | {field: most + 1})


@pytest.mark.parametrize("name", GOOD)
def test_what_is_left_out_is_as_little_as_there_may_be(name):
    """Or a queue as deep as it may be."""
    for parameter, given in inspect.signature(COMPONENTS[name].__init__).parameters.items():
        declared = inspect.getattr_static(COMPONENTS[name], parameter, None)
        if isinstance(declared, Integer) and given.default not in (None, inspect.Parameter.empty):
            end = declared._high if parameter == "queue" else declared._low
            assert given.default == end
        elif given.default is not inspect.Parameter.empty:
            assert given.default in (None, False, 0, (), "distributed") or parameter == "luts"


@pytest.mark.parametrize("name", sorted(GOOD.keys() - NO_MODEL))
def test_every_unit_has_its_model_beside_it(name):
    assert inspect.getdoc(COMPONENTS[name].model)


GIVEN = """Do something.

Members
-------
i_x_{way} : In(8), one of several,
    on two lines.
o_y, o_z : Out(range(4)), two.

Raises
------
ValueError
"""


def test_members_are_read():
    assert members_of(GIVEN) == [
        ("i_x_{way}", "In", "8"),
        ("o_y", "Out", "range(4)"),
        ("o_z", "Out", "range(4)"),
    ]
    assert as_pattern("i_x_{way}").fullmatch("i_x_12")
    assert not as_pattern("i_x_{way}").fullmatch("i_x_")


@pytest.mark.parametrize("line", ["o_y : the result.", "o_y, the result : Out(1)", "o_y"])
def test_a_member_without_a_width_is_found(line):
    with pytest.raises(AssertionError, match="with its width"):
        members_of(f"Members\n-------\n{line}\n")
