# amaranth: UnusedElaboratable=no
"""Every unit says what it is: its members and their widths, its latency, its parameters."""

import inspect
import itertools
import re

import pytest
from contract_harness import as_pattern, check_members, members_of
from unit_harness import COMPONENTS, GOOD, OPERATIONS

from bitformer.hw.program import Instruction, Program
from bitformer.hw.timing import MIN_ISSUE
from bitformer.hw.units.parameters import Integer

# It changes no number.
NO_MODEL = {"AxiStream"}


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
    "InputPort": {"numbers": (0, None), "kept": (2, None)},
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


@pytest.mark.parametrize("name", sorted(GOOD.keys() - NO_MODEL))
def test_what_a_model_is_not_given_is_0(name):
    for given in inspect.signature(COMPONENTS[name].model).parameters.values():
        assert given.default in (inspect.Parameter.empty, 0, (0, 0, 0), None)


STORES = {
    "Store": {"addr_0": 3, "w_addr": 3, "w_data": 255, "w_en": 1},
    "SplitStore": {"addr_0": 3, "w_addr": 3, "w_data": 255, "w_en": 1},
    "ColumnStore": {"addr_0": 3, "i_read": 1, "w_addr": 3, "w_data": 255, "w_en": 1023},
}


@pytest.mark.parametrize("name", STORES)
def test_what_a_step_of_a_store_does_not_name_is_0(name):
    """Every choice of what is named, then reads of all words."""
    given, store = STORES[name], COMPONENTS[name](**GOOD[name]())
    zeros = dict.fromkeys(given, 0)
    steps = [{"addr_0": n, "w_addr": n, "w_data": 85, "w_en": given["w_en"]} for n in range(4)]
    for named in itertools.product((False, True), repeat=len(given)):
        steps.append({n: v for (n, v), one in zip(given.items(), named, strict=True) if one})
        steps += [{"addr_0": n, "i_read": 1, "w_en": 0, "w_addr": 0, "w_data": 0} for n in (0, 3)]
    assert store.model(steps) == store.model([zeros | step for step in steps])


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
