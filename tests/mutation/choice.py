"""Which tests may notice a change of a line: those that run it, the shortest first."""

import ast
import functools
import hashlib
import json
from pathlib import Path

from mutation.rules import Place

__all__ = ["SCOPE", "Choice", "test_files"]

ROOT = Path(__file__).parent.parent.parent
#: Folders of tests that run what is mutated, but for those of synthesized netlists.
SCOPE = (
    "tests/hw/*.py",
    "tests/hw/units/*.py",
    "tests/hw/lowering/**/*.py",
    "tests/sim/*.py",
    "tests/boards/shell/**/*.py",
    "tests/model/operations/*.py",
)
#: And files: proofs count as tests.
_FILES = (
    "tests/boards/host/test_end_to_end.py",
    "tests/benchmarks/test_hardware.py",
    "tests/model/test_gelu.py",
    "tests/model/test_ir.py",
    "tests/model/test_numerics.py",
    "tests/model/test_reference.py",
    "tests/mutation/proved.py",
)
#: Tests run in turns that end after so many seconds of tests: what fails soon costs little.
_TURNS = (4.0, 20.0, 60.0)


def test_files() -> list[str]:
    """Return the files of tests."""
    found = [path.relative_to(ROOT) for name in SCOPE for path in sorted(ROOT.glob(name))]
    return [p.as_posix() for p in found if p.name.startswith("test_")] + list(_FILES)


@functools.cache
def _lines(file: str) -> list[str]:
    """Return a file's lines, each as it is found again where others came before it."""
    return [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]


class Choice:
    """What each test took and ran, as measured once; a test file is measured anew when it changes.

    Lines are known by their text, so a change of a file moves none.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.seconds: dict[str, float] = {}
        #: Of each line, by its file and text: the tests that run it.
        self._running: dict[tuple[str, str], set[str]] = {}
        #: Those whose fixtures run it, for another test or their own.
        self._sharing: dict[tuple[str, str], set[str]] = {}
        #: Files of tests that are still to be measured.
        self.missing = [file for file in test_files() if not self._known(file)]

    def _kept(self, file: str) -> Path:
        digest = hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:10]
        return self._folder / f"{file.replace('/', '-')}-{digest}.json"

    def _known(self, file: str) -> bool:
        kept = self._kept(file)
        if kept.exists():
            self._add(json.loads(kept.read_text(encoding="utf-8")))
        return kept.exists()

    def take(self, file: str, found: dict) -> None:
        """Keep what was measured of a file of tests."""
        found = _by_text(found)
        self._kept(file).write_text(json.dumps(found), encoding="utf-8")
        self._add(found)

    def _add(self, found: dict) -> None:
        keys = [tuple(key) for key in found["keys"]]
        for test, (seconds, own) in found["tests"].items():
            self.seconds[test] = seconds
            for number in own:
                self._running.setdefault(keys[number], set()).add(test)
        for number in found["shared"]:
            self._sharing.setdefault(keys[number], set()).update(found["tests"])

    def of(self, place: Place, most: float) -> list[dict[str, float]]:
        """Return turns of tests with their seconds, at most so many in all."""
        texts, tree = _lines(place.file), _tree(place.file)
        for lines in _around(tree, place.line, len(texts)):
            keys = {(place.file, texts[n - 1]) for n in lines}
            own = set().union(*(self._running.get(key, ()) for key in keys))
            shared = set().union(*(self._sharing.get(key, ()) for key in keys)) - own
            if own or shared:
                break
        order = [*sorted(own, key=self._cost), *sorted(shared, key=self._cost)]
        turns: list[dict[str, float]] = [{}]
        total = 0.0
        for test in order:
            total += self.seconds[test]
            if total > most:
                break
            if len(turns) <= len(_TURNS) and total > _TURNS[len(turns) - 1] and turns[-1]:
                turns.append({})
            turns[-1][test] = self.seconds[test]
        return turns

    def _cost(self, test: str) -> float:
        return self.seconds[test]


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
