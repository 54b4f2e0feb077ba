"""Which tests may notice a change: those of its file, its proofs, inferences, and others."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["turns"]

ROOT = Path(__file__).parent.parent.parent
#: Whole inferences, and how many tests of each file: the first ones are the simplest.
_INFERENCES = {
    "tests/sim/test_inference.py": 3,
    "tests/sim/test_token_rows.py": 1,
    "tests/sim/test_blocks.py": 1,
    "tests/sim/test_streams.py": 1,
    "tests/sim/test_wide.py": 1,
    "tests/sim/test_lut_columns.py": 1,
}
#: Random designs, from all that there may be.
_DRAWN = "tests/sim/test_random.py"
#: The integer model beside torch and beside itself.
_REFERENCE = {
    f"tests/model/test_{name}.py": 10_000
    for name in (
        *("reference", "numerics", "ir", "structure", "blocks", "gelu", "calendar"),
        *("power_of_two", "stream", "random_torch", "targets"),
    )
}
#: What lowering makes of many designs.
_RECORD = "tests/benchmarks/test_hardware.py::test_every_design_is_as_recorded"
#: A shell with its endpoints.
_SHELL = {
    "tests/boards/shell/test_links.py": 4,
    "tests/boards/shell/test_shell.py": 4,
    "tests/boards/shell/framed/*.py": 30,
    "tests/boards/shell/elastic/*.py": 100,
}
#: A host at a shell with a model.
_HOST = {"tests/boards/host/test_reload.py": 30, "tests/boards/host/test_end_to_end.py": 3}
#: Folders of tests of other subjects, of netlists, which take long, and of other mutants' text.
_ELSEWHERE = (
    *("cli", "examples", "api", "estimate", "search", "netlist", "qonnx"),
    *("mutation", "proofs"),
)
_PROOFS = "tests/mutation/proved.py"
#: What all units, and all parts of shells, have in common.
_COMMON = {
    folder: tuple(f"tests/{folder}/test_{name}.py" for name in names)
    for folder, names in (
        ("hw/units", ("contracts", "cleared", "filled", "resets")),
        ("boards/shell", ("contracts", "cleared")),
    )
}
_ALL = 10_000
#: So many of the files that import another are its own, if it has none.
_FEW = 3


@functools.cache
def _texts() -> dict[str, str]:
    """Return the tests that may run a file, with their text."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if path.parts[-2] not in _ELSEWHERE
    }


def turns(file: str) -> Iterator[dict[str, int]]:
    """Yield files of tests, or tests, that may notice a change of a file; how many of each.

    The later a turn, the longer it takes, and the less it has to do with the file.
    """
    from proofs.catalog import PROOFS

    path = Path(file)
    stem, own = path.stem, _own(file)
    near = _importing(_texts(), file)
    folder, module = (
        ".".join(("bitformer", *path.parts[:-1])),
        f"bitformer.{'.'.join(path.parts)[:-3]}",
    )
    proofs = [
        p.name
        for p in PROOFS
        if not p.slow
        and p.mutant.module.rpartition(".")[0] == folder
        and (p.mutant.module == module or f"`{stem}." in p.unit)
    ]
    first = [*own, *(f"{_PROOFS}::test_proof[{name}]" for name in proofs)]
    if first:
        yield dict.fromkeys(first, _ALL)
    for common in (tests for folder, tests in _COMMON.items() if file.startswith(folder)):
        yield dict.fromkeys(common, _ALL)
    users = dict.fromkeys(test for user in _importing(_sources(), file) for test in _own(user))
    if beside := {test: _ALL for test in users if test not in own}:
        yield beside
    own = [*own, *beside]
    whole: dict[str, int] = {}
    last: dict[str, int] = {}
    general: dict[str, int] = _INFERENCES
    if not file.startswith("hw"):
        beside = {f"tests/{path.parent.as_posix()}/test_*.py": _ALL}
        model = {**_REFERENCE, **_INFERENCES}
        general = {**beside, **(_SHELL if file.startswith("boards") else model)}
    for pattern, count in general.items():
        found = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))
        for test in found:
            # what compiles a simulator takes longest, and comes last
            if test in _texts() and test not in own:
                (last if "native" in _texts()[test] else whole).setdefault(test, count)
    yield whole
    if re.match(r"hw/(lowering/.*|\w+\.py)", file):
        yield {_RECORD: 1}
    yield _HOST if file.startswith("boards") else {_DRAWN: _ALL}
    last |= {test: _ALL for test in near if test not in own and test not in whole}
    if last:
        yield last


@functools.cache
def _sources() -> dict[str, str]:
    """Return what is mutated or uses it, with its text."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("hw", "model", "boards/shell", "api")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def _own(file: str) -> list[str]:
    """Return the files of tests of one file: of its name, or else the first that import it."""
    path = Path(file)
    mirrored = f"tests/{path.parent.as_posix()}/test_{path.stem}.py"
    return [mirrored] if mirrored in _texts() else _importing(_texts(), file)[:_FEW]


def _importing(texts: dict[str, str], file: str) -> list[str]:
    """Return which of some files import one, those of its name first."""
    path = Path(file)
    module = "bitformer." + ".".join(path.with_suffix("").parts).removeprefix("api.")
    parent = re.escape(module.rpartition(".")[0])
    importing = re.compile(
        rf"^\s*(from|import) {re.escape(module)}\b|^\s*from {parent} import .*\b{path.stem}\b",
        re.MULTILINE,
    )
    found = [name for name, text in texts.items() if importing.search(text)]
    return sorted(found, key=lambda name: path.stem not in name)
