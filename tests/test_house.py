"""How the code is written: one class to a name, short files, functions that begin with a verb.

ruff holds the rest (D in ``pyproject.toml``).
"""

import ast
import fnmatch
import itertools
import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from test_packaging import MAY_IMPORT, ROOT, files

from bitformer.model.operations import OPERATIONS

LONGEST = 400
#: Where each operation has a file or a class of its own.
OWN_FILES = ("model/operations/", "model/qonnx/operations/", "hw/lowering/operations/")
#: Lines of the product outside the operations' own files that ask which operation one is.
MOST_OPERATION_TESTS = 25

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
    assert names == set()


def test_no_file_is_long():
    long = {path for path, source in product().items() if source.count("\n") > LONGEST}
    assert long == set()


def operation_tests(source: str) -> list[str]:
    """Lines that ask which operation of the model one is, whatever the way they ask.

    A class of an operation named other than to make one, to import it or to annotate; a field that
    only some have; a tensor known by how its name ends.
    """
    tree = ast.parse(source)
    harmless = set()
    for node in ast.walk(tree):
        fields = ("annotation", "returns", "bases")
        types = [value for name in fields if (value := getattr(node, name, None))]
        if isinstance(node, ast.Call):
            harmless.add(node.func)
        for kind in itertools.chain(*(t if isinstance(t, list) else [t] for t in types)):
            harmless |= {*ast.walk(kind)}
    found = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and node not in harmless
        and getattr(node, "id", getattr(node, "attr", None)) in OPERATIONS
    }
    asked = re.compile(
        r"isinstance\((op|operation)\b|(get|has)attr\((op|operation)\b, [\"']"
        r"|endswith\(\"\.(scores|hidden|context|[qkv])\"|\blayer\.kind\b"
    )
    lines = source.splitlines()
    found |= {number for number, line in enumerate(lines, 1) if asked.search(line)}
    return [lines[number - 1].strip() for number in sorted(found)]


def test_operations_are_seldom_told_apart_outside_their_own_files():
    found = [
        f"{path}: {line}"
        for path, source in product().items()
        if not path.startswith(OWN_FILES)
        for line in operation_tests(source)
    ]
    assert len(found) <= MOST_OPERATION_TESTS, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("x = isinstance(op, ir.Linear)", 1),
        ("x = isinstance(op, Linear | Pool)", 1),
        ("TABLE = {Linear: 1}", 1),
        ("match op:\n    case Linear(x=x):\n        pass", 1),
        ("x = type(op) is ir.Pool", 1),
        ("x = isinstance(op, MATRIX)", 1),
        ("x = getattr(op, 'relu', False)", 1),
        ("x = layer.kind == 'linear'", 1),
        ("x = name.endswith('.hidden')".replace("'", '"'), 1),
        ("from bitformer.model.ir import Linear", 0),
        ("x = Linear(y='y')", 0),
        ("def f(op: ir.Linear) -> Pool: ...", 0),
        ("class A(Lowering[Linear]): ...", 0),
    ],
)
def test_whatever_tells_operations_apart_is_found(line, found):
    assert len(operation_tests(line)) == found


@pytest.mark.parametrize("folder", [*MAY_IMPORT, "hw/lowering", "hw/units"])
def test_functions_begin_with_a_verb(folder):
    found = {
        f"{path}: {line}"
        for path, source in product().items()
        if path.startswith(f"{folder}/") and (folder != "hw" or Path(path).parent == Path(folder))
        for line in without_verb(source)
    }
    assert not found


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


def test_no_folder_is_left_out_of_tests_or_lint(pytestconfig):
    """Folders called build are left out of both by default, and boards/build is no output."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    outputs = [name.strip("/*") for name in settings["ruff"]["exclude"]]
    kept = [path for path in ROOT.iterdir() if path.is_dir() and path.name not in outputs]
    sources = [path.relative_to(ROOT) for folder in kept for path in folder.rglob("*.py")]
    folders = {name for path in sources for name in path.parts[:-1]}
    assert "build" in folders
    skipped = settings["codespell"]["skip"].split(",")
    for patterns in (pytestconfig.getini("norecursedirs"), settings["ruff"]["exclude"], skipped):
        hit = [name for name in folders for one in patterns if fnmatch.fnmatch(name, one)]
        assert hit == [], patterns
