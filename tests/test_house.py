"""How the code is written: one class to a name, short files, functions that begin with a verb.

ruff holds the rest (D in ``pyproject.toml``).
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from test_packaging import MAY_IMPORT, ROOT, files

LONGEST = 400

# What stands twice, is too long or is not in these words yet. Lines go, none is added.
TWICE = {
    "Candidate",
    "Cell",
    "Design",
    "Part",
    "Pool",
    "Resources",
    "_Simulated",
}
LONG = {"hw/units/accelerator.py"}
NOT_YET = {
    "boards",
    "cli",
    "estimate",
    "hw/lowering",
    "hw/units",
    "hw",
    "model",
    "search",
    "sim",
    "study",
    "synth",
}

# Beginnings of a description instead of an order, beside those ruff's D401 knows ("The", "A").
NOT_VERBS = re.compile(
    "All|An|As|At|Bits|Both|By|Components?|Cycles|Each|Every|Everything|Exponent|For|From|Gives|How|If"
    "|In|Integers|Its?|Largest|Mean|Models|Most|Names|No|None|Not|Nothing|O[fn]|One|Only|Resources"
    "|Results|Rows|Scales|Smallest|Some|Stores|Tensors|That|Those|To|Two|Up|Values|Weights|What|When"
    "|Where|Whether|Which|Who|Whose|Why|With|Words"
)


def product() -> dict[str, str]:
    """Every file of the product, by its path from the repository's root."""
    paths = [path for folder in MAY_IMPORT for path in files(folder)]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def class_names(sources: dict[str, str]) -> dict[str, list[str]]:
    """Files in which a class of a name is defined."""
    found = defaultdict(list)
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path)
    return found


def without_verb(source: str) -> list[str]:
    """Functions whose docstring does not begin with a verb; properties are things."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if text is None or any("property" in decorator for decorator in decorators):
            continue
        word = re.match(r"[A-Z][a-z]+\b", text)
        if word is None or NOT_VERBS.fullmatch(word[0]):
            found.append(f"{node.name}: {text.splitlines()[0]}")
    return found


def test_no_class_name_is_defined_twice():
    names = {name for name, paths in class_names(product()).items() if len(paths) > 1}
    assert names <= TWICE


def test_no_file_is_long():
    long = {path for path, source in product().items() if source.count("\n") > LONGEST}
    assert long <= LONG


@pytest.mark.parametrize("folder", [*MAY_IMPORT, "hw/lowering", "hw/units"])
def test_functions_begin_with_a_verb(folder):
    found = {
        f"{path}: {line}"
        for path, source in product().items()
        if path.startswith(f"{folder}/") and (folder != "hw" or Path(path).parent == Path(folder))
        for line in without_verb(source)
    }
    assert folder in NOT_YET or not found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Return it.", 0),
        ("The result.", 0),  # ruff's own
        ("Whether it is.", 1),
        ("Bits of it.", 1),
        ("``x``, doubled.", 1),
        ("12 of them.", 1),
        ("LUTs of it.", 1),
    ],
)
def test_the_verb_is_looked_for(text, found):
    function = f'def f(x):\n    """{text}"""\n'
    assert len(without_verb(function)) == found
    assert without_verb(f"@property\n{function}") == []


def test_both_classes_of_a_name_are_found():
    assert class_names({"a.py": "class A: pass", "b.py": "class A: pass\nclass B: pass"}) == {
        "A": ["a.py", "b.py"],
        "B": ["b.py"],
    }
