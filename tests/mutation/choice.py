"""Which tests may notice a change: of its unit, its proofs, then others that run its line."""

import ast
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mutation.rules import Place

__all__ = ["Choice", "others", "own"]

ROOT = Path(__file__).parent.parent.parent
#: Whole inferences, the simplest first; and of a shell, all of its tests.
_GENERAL = (
    "tests/sim/test_inference.py",
    "tests/sim/test_blocks.py",
    "tests/sim/test_lut_columns.py",
    "tests/sim/test_wide.py",
    "tests/sim/test_split_results.py",
    "tests/sim/test_token_rows.py",
    "tests/sim/test_streams.py",
    "tests/sim/test_verilog.py",
    "tests/benchmarks/test_hardware.py",
)
_SHELL = ("tests/boards/shell/**/test_*.py", "tests/boards/host/test_end_to_end.py")
#: Folders of tests of other subjects, and of netlists, which take long.
_ELSEWHERE = ("cli", "examples", "api", "estimate", "search", "mutation", "netlist", "qonnx")
_PROOFS = "tests/mutation/proved.py"


@functools.cache
def _texts() -> dict[str, str]:
    """Return the tests that may run a file, with their text."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if path.parts[-2] not in _ELSEWHERE
    }


def own(file: str) -> list[str]:
    """Return the tests of a file's own name, and the proofs of its units."""
    from proofs.catalog import PROOFS

    stem = Path(file).stem
    named = [test for test in _texts() if Path(test).stem == f"test_{stem}"]
    proofs = [p.name for p in PROOFS if f"`{stem}." in p.unit and not p.slow]
    return named + [f"{_PROOFS}::test_proof[{name}]" for name in proofs]


def others(file: str) -> list[str]:
    """Return files of tests that import a file, and general ones, without its own."""
    path = Path(file)
    module = "bitformer." + ".".join(path.with_suffix("").parts)
    parent = re.escape(module.rpartition(".")[0])
    importing = re.compile(
        rf"^\s*(from|import) {re.escape(module)}\b|^\s*from {parent} import .*\b{path.stem}\b",
        re.MULTILINE,
    )
    near = [test for test, text in _texts().items() if importing.search(text)]
    if file.startswith("boards"):
        found = [p.relative_to(ROOT).as_posix() for g in _SHELL for p in sorted(ROOT.glob(g))]
        near += found
    else:
        # most are noticed by the first, and by the tests of another unit least
        near = [*_GENERAL[:2], *near, *_GENERAL[2:]]
    return [test for test in dict.fromkeys(near) if Path(test).stem != f"test_{path.stem}"]


@functools.cache
def _lines(file: str) -> list[str]:
    """Return a file's lines, each as it is found again where others came before it."""
    return [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]


class Choice:
    """What each test took and ran, as measured once; a test file is measured anew when it changes.

    Lines are known by their text, so a change of a file moves none. ``measure`` runs a file of
    tests; ``folder`` keeps what it found.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._known: dict[str, dict] = {}

    def _measured(self, file: str, measure: Callable[[str], dict]) -> dict:
        digest = hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:10]
        kept = self._folder / f"{file.replace('/', '-')}-{digest}.json"
        if kept.name not in self._known:
            if not kept.exists():
                kept.write_text(json.dumps(_by_text(measure(file))), encoding="utf-8")
            self._known[kept.name] = json.loads(kept.read_text(encoding="utf-8"))
        return self._known[kept.name]

    def turns(
        self, place: Place, most: float, measure: Callable[[str], dict]
    ) -> Iterator[dict[str, float]]:
        """Yield tests with their seconds, or whole files, turn by turn; those of others' files run
        for ``most`` seconds at most, those that run the line, the shortest first.
        """
        first = own(place.file)
        if first:
            yield dict.fromkeys(first, 3.0)
        for file in others(place.file):
            tests = {}
            found = self._measured(file, measure)
            for name, seconds in _running(found, place):
                if seconds <= most:
                    most -= seconds
                    tests[name] = seconds
            if tests:
                yield tests


def _running(found: dict, place: Place) -> list[tuple[str, float]]:
    """Return tests that run a line, or else its function, or else its file; fast ones first."""
    texts = _lines(place.file)
    for lines in _around(_tree(place.file), place.line, len(texts)):
        keys = {(place.file, texts[n - 1]) for n in lines}
        numbers = {n for n, key in enumerate(found["keys"]) if tuple(key) in keys}
        shared = not numbers.isdisjoint(found["shared"])
        tests = [
            (name, seconds)
            for name, (seconds, lines_run) in found["tests"].items()
            if shared or not numbers.isdisjoint(lines_run)
        ]
        if tests:
            return sorted(tests, key=lambda one: one[1])
    return []


@functools.cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def _around(tree: ast.Module, line: int, last: int) -> list[range]:
    """Return the lines of a statement, of its function, and of the file."""
    found = [range(1, last + 1)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        end = node.end_lineno or node.lineno
        if isinstance(node, ast.FunctionDef):
            found.append(range(node.body[0].lineno, end + 1))
        elif body := getattr(node, "body", None):
            if line < body[0].lineno:  # its head
                found.append(range(node.lineno, body[0].lineno))
        else:
            found.append(range(node.lineno, end + 1))
    return sorted(found, key=len)


def _by_text(found: dict) -> dict:
    """Return what was measured with lines by their text."""
    numbers: dict[tuple[str, str], int] = {}

    def keys(lines: dict[str, list[int]]) -> list[int]:
        own = {(name, _lines(name)[n - 1]) for name, ns in lines.items() for n in ns}
        return sorted(numbers.setdefault(key, len(numbers)) for key in own if key[1])

    tests = {test: (seconds, keys(own)) for test, (seconds, own) in found["tests"].items()}
    shared = keys(found["shared"])
    return {"tests": tests, "shared": shared, "keys": list(numbers), "bad": found["bad"]}
