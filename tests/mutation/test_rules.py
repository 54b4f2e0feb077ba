"""What the mutator changes, and what it leaves."""

import ast
from dataclasses import replace

import pytest
from mutants import FOLDERS, ROOT, drawn
from mutation.choice import turns
from mutation.copies import Copy
from mutation.equivalents import EQUIVALENTS
from mutation.rules import places

TEXT = '''"""One + two."""
def f(m, x: int = 3, y=None) -> "1 + 1":
    """Return 1 + 1."""
    if x < 2 and not y:
        raise ValueError(f"not {x + 1}")
    m.d.sync += y.eq(Mux(x, ~y, delay(m, y.as_signed(), 2, name="a")))
    return Signal(signed(x), reset_less=True)
'''


def found():
    return {(place.rule, place.before, place.after) for place in places("f.py", TEXT)}


@pytest.mark.parametrize(
    "change",
    [
        ("comparison", "x < 2", "(x <= 2)"),
        ("constant", "2", "3"),
        ("constant", "2", "1"),
        ("and-or", "x < 2 and not y", "(x < 2 or not y)"),
        ("negation", "not y", "(y)"),
        ("negation", "~y", "(y)"),
        ("sign", "y.as_signed()", "(y)"),
        ("width", "signed(x)", "(signed(x - 1))"),
        ("reset", "True", "False"),
    ],
)
def test_place_of_each_rule(change):
    assert change in found()


def test_assignment_delay_and_multiplexer():
    rules = {rule: after for rule, _, after in found()}
    assert rules["assignment"] == "pass"
    assert "Mux(x, delay(" in rules["mux"]
    assert {
        "(delay(m, y.as_signed(), 2 + 1, name='a'))",
        "(delay(m, y.as_signed(), 2 - 1, name='a'))",
    } <= {after for rule, _, after in found() if rule == "delay"}


def test_text_types_and_messages_stay():
    assert not [place for place in places("f.py", TEXT) if place.line in (1, 3, 5)]
    assert all(place.before != "1 + 1" for place in places("f.py", TEXT))


def test_every_mutant_is_python_and_another_program():
    for place in drawn(60, 3, ()):
        text = (ROOT / place.file).read_text()
        changed = place.changed(text)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text)), place


def test_each_mutant_has_a_name_of_its_own():
    found = places("f.py", "b = (1 +\n     1)\n")
    assert len({place.key for place in found}) == len(found) == 5
    assert {(place.was, place.becomes) for place in found} == {
        ("b = (1 + 1)", "b = ((1 - 1))"),
        *(("b = (1 +", f"b = ({n} +") for n in (0, 2)),
        *(("1)", f"{n})") for n in (0, 2)),
    }


def test_draws_depend_on_the_seed_alone():
    assert drawn(5, 4, ()) == drawn(5, 4, ())
    assert drawn(5, 4, ()) != drawn(5, 5, ())


def test_every_file_has_tests_that_are_there():
    files = {path.relative_to(ROOT).as_posix() for name in FOLDERS for path in ROOT.glob(name)}
    for file in files:
        for turn in turns(file):
            assert turn
            assert all((ROOT / test.split("::")[0]).exists() for test in turn)
    first = list(next(turns("hw/units/softmax.py")))
    assert first[0] == "tests/hw/units/test_softmax.py"
    assert any("exponential" in test for test in first[1:])
    # it has none of its own: those of its user
    assert any("tests/hw/units/test_postprocessor.py" in t for t in turns("hw/units/fixed.py"))


def test_equivalents_are_of_todays_text():
    for file, was, becomes in EQUIVALENTS:
        text = (ROOT / file).read_text()
        assert (was, becomes) in {(p.was, p.becomes) for p in places(file, text)}


def test_a_mutant_is_noticed_and_the_same_text_is_not(tmp_path):
    """The tool itself, on a file that one quick test covers."""
    file, tests = "model/gelu.py", {"tests/hw/units/test_gelu.py": 3}
    text = (ROOT / file).read_text()
    place = next(p for p in places(file, text) if p.before == "real + 0.5")
    copy = Copy(tmp_path / "copy")
    try:
        found = copy.judge(place, tests, 60.0)
        kept = copy.judge(replace(place, after=place.before), tests, 60.0)
        short = copy.judge(replace(place, after=place.before), tests, 0.0)
    finally:
        copy.close()
    assert found["failed"].startswith("tests/hw/units/test_gelu.py::")
    assert (kept["failed"], kept["ended"], short["ended"]) == ("", False, True)
