"""The package's layout: imports run one way, and nothing heavy or shadowing comes along."""

import ast
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAPPING: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]

# What each folder may import besides itself; the table of the architecture.
MAY_IMPORT = {
    "model": set(),
    "hw": {"model"},
    "synth": {"hw"},
    "sim": {"model", "hw", "synth"},
    "boards": {"hw", "synth"},
    "study": {"model"},
    "estimate": {"model", "hw", "synth", "study", "boards"},
    "search": {"model", "hw", "synth", "sim", "study", "estimate"},
    "report": {"model", "hw", "synth", "sim", "boards", "estimate", "search"},
    "bundle": {"model", "hw", "sim", "boards", "report"},
    "cli": {
        *("model", "hw", "synth", "sim", "boards", "study", "estimate", "search"),
        *("report", "bundle"),
    },
    "api": {"model", "hw", "synth", "sim", "boards", "study", "estimate", "search"},
}
# The package itself, whose other modules are in api/ and have a leading underscore.
FRONT = "api"
# Mistakes of the user's, data and files from outside, the cache, progress: these know nothing of
# models. What identifies one, and what it answers in words, is the same everywhere.
EVERYWHERE = tuple(
    f"bitformer.model.{name}"
    for name in (
        *("alike", "cache", "errors", "files", "identity", "names", "plain", "process", "progress"),
        # how windows are sent to a stream is the host's to know, too
        *("strict_json", "forecasts.answer", "stream"),
    )
)
TORCH_FREE = ("hw", "synth", "sim", "boards", "study", "estimate", "search", "report", "bundle")


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(source: str, package: str) -> set[str]:
    """Full names of all modules a source imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(base, package) if node.level else base
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def offences(source: str, folder: str) -> list[str]:
    """Imports of a file in ``folder`` that run against the table."""
    allowed = MAY_IMPORT[folder] | {folder}
    wrong = []
    for name in sorted(imported(source, f"bitformer.{folder}")):
        parts = name.split(".")
        if {".".join(parts[:length]) for length in (3, 4)} & set(EVERYWHERE):
            continue
        own = folder == FRONT and len(parts) > 1 and parts[1].startswith("_")
        if parts[0] == "bitformer" and len(parts) > 1 and parts[1] not in allowed and not own:
            wrong.append(name)
        if parts[0] in MAY_IMPORT:  # works from the repository root only
            wrong.append(name)
        if parts[0] == "torch" and folder in TORCH_FREE:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_run_one_way(folder):
    found = files(folder)
    assert found, f"{folder}/ must hold modules"
    wrong = {str(path.relative_to(ROOT)): offences(path.read_text(), folder) for path in found}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("model", "from bitformer.hw import program"),
        ("model", "from bitformer import hw"),
        ("hw", "def f():\n    import bitformer.sim.compare"),
        ("hw", "from ..boards import uart"),
        ("boards", "from bitformer.model.ir import Graph"),
        ("boards", "from bitformer.model import errors_of_another_kind"),
        ("boards", "from bitformer.model.forecasts import answers"),
        ("hw", "import torch"),
        ("sim", "from torch.nn import functional"),
        ("sim", "import model.ir"),
        ("search", "from bitformer.cli.main import main"),
        ("cli", "from bitformer import _designs"),
        ("api", "from bitformer.cli.main import main"),
    ],
)
def test_wrong_imports_are_noticed(folder, source):
    assert offences(source, folder)


def test_table_names_every_package():
    assert set(MAPPING) == set(PROJECT["tool"]["setuptools"]["packages"])
    packages = {f"bitformer.{folder}" for folder in MAY_IMPORT if folder != FRONT}
    assert packages | {"bitformer"} <= set(MAPPING)
    folders = {path.parent for folder in MAY_IMPORT for path in files(folder)}
    assert {str(path.relative_to(ROOT)) for path in folders} == set(MAPPING.values())


def test_top_level_names_stay_free():
    provided = importlib.metadata.packages_distributions()
    for name in MAY_IMPORT:
        assert "bitformer" not in provided.get(name, [])
    code = f"import importlib.util as u; print([n for n in {list(MAY_IMPORT)} if u.find_spec(n)])"
    assert python(code) == "[]"


def python(code: str) -> str:
    """What ``code`` prints in a fresh interpreter that does not see the repository root."""
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent)
    return done.stdout.strip()


HEAVY = ("torch", "pandas", "matplotlib", "pooch", "requests")


def modules(folder: str) -> list[str]:
    names = [path.relative_to(ROOT).with_suffix("") for path in files(folder)]
    return [".".join(("bitformer", *name.parts)).removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("names", [*map(modules, TORCH_FREE), ["bitformer.model.data.datasets"]])
def test_importing_loads_nothing_heavy(names):
    """Every module of the folders below the command line, with all that it imports in turn."""
    code = f"import sys, {', '.join(names)}; print([n for n in {HEAVY} if n in sys.modules])"
    assert python(code) == "[]"


def built(folder: Path, kind: str) -> Path:
    """A distribution of the project in ``folder``: ``"sdist"`` or ``"wheel"``."""
    code = f"from setuptools import build_meta; print('made', build_meta.build_{kind}('dist'))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    return folder / "dist" / done.stdout.splitlines()[-1].removeprefix("made ")


def test_what_ships_is_in_a_wheel_that_is_made_of_the_sdist(tmp_path):
    """All that modules read beside themselves, byte for byte; a wheel of the tree could hide it."""
    tree = tmp_path / "tree"
    for folder in MAY_IMPORT:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tree / folder, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tree))
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "all"), ("tag", "v3.2.1")):
        subprocess.run([*git, *command], check=True)
    with tarfile.open(built(tree, "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    wheel = built(source, "wheel")
    assert wheel.name.startswith("bitformer-3.2.1-"), "the tag's version, which the sdist knows"
    with zipfile.ZipFile(wheel) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    folders = {path: name.replace(".", "/") for name, path in MAPPING.items()}
    beside = [path for folder in folders for path in (ROOT / folder).iterdir() if path.is_file()]
    beside += (ROOT / "model" / "data" / "shipped").iterdir()
    beside += (ROOT / "model" / "data" / "published").iterdir()
    assert {
        *("nyc_taxi.csv.xz", "nyc_taxi.LICENSE", "native_driver.cpp", "py.typed"),
        *("profiled.json", "bitformer_micro.py", "bitformer.h", "beijing-ozone-w4a8.safetensors"),
    } <= {path.name for path in beside}
    for path in beside:
        inside = path.relative_to(ROOT).as_posix()
        folder = max((one for one in folders if inside.startswith(f"{one}/")), key=len)
        name = f"{folders[folder]}{inside.removeprefix(folder)}"
        assert found.get(name) == path.read_bytes(), name


def test_every_requirement_says_why():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    requirements = [
        text
        for group in (
            PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"].values(),
        )
        for text in group
    ]
    for text in requirements:
        line = next(i for i, content in enumerate(lines) if f'"{text}"' in content)
        assert lines[line - 1].lstrip().startswith("#"), f"{text} must have a comment above it"


def test_constraints_are_exact_releases():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and "/" not in line and "+" not in line for line in pins)
    assert "torch==2.13.0" in pins


def test_a_copy_of_the_files_has_a_version_too(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    said = subprocess.run(
        [sys.executable, "-m", "setuptools_scm"], capture_output=True, text=True, cwd=tmp_path
    )
    assert said.stdout.strip() == PROJECT["tool"]["setuptools_scm"]["fallback_version"]


#: What only one kind of system has, as modules and as functions.
OF_UNIX = ("fcntl", "grp", "pwd", "resource", "spwd", "syslog", "termios", "tty")
CALLS = {
    "os": ("fork", "geteuid", "getuid", "getpgid", "killpg", "mkfifo", "O_NONBLOCK", "setsid"),
    "signal": ("SIGALRM", "SIGHUP", "SIGKILL", "pthread_sigmask", "setitimer"),
}
#: Imports modules on what is no Unix; those that training alone needs are not there.
ELSEWHERE = f"""
import importlib, importlib.abc, os, signal, sys
# what libraries make of their own systems is their affair
import amaranth, click, concurrent.futures, filelock, multiprocessing.pool, numpy, platformdirs
import rich.console, subprocess, tempfile

HIDDEN = {(*OF_UNIX, "torch")}

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

for name in HIDDEN:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hide())
for module, names in {CALLS}.items():
    for name in names:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
count = 0
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        count += 1
    except ModuleNotFoundError as error:  # of an extra
        if error.name in {OF_UNIX} or error.name.startswith("bitformer"):
            raise
print(count)
"""


def test_no_module_takes_unix_for_granted():
    """Modules and functions that other systems lack are hidden, and all of ours are imported."""
    names = [name for folder in MAY_IMPORT for name in modules(folder)]
    names = [name.replace("bitformer.api", "bitformer") for name in names]
    command = [sys.executable, "-P", "-c", ELSEWHERE, *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > len(names) - 60


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_what_is_of_unix_is_imported_where_it_is_used(folder):
    """Of training, too, whose modules the test above leaves out."""
    for path in files(folder):
        tree = ast.parse(path.read_text())
        inside = {
            node
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if node not in inside and isinstance(node, ast.Import | ast.ImportFrom):
                found = imported(ast.unparse(node), f"bitformer.{folder}")
                assert not found & set(OF_UNIX), f"{path}, line {node.lineno}"
