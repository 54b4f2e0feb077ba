"""A copy of the pages, and the site that is built of it, without the reference of Python."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from needs import require

__all__ = ["built", "copy", "site"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def copy(tmp_path_factory):
    """A folder with the pages and what makes a site of them."""
    require("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "site", "examples", "tests/examples"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    (folder / "build" / "types").mkdir(parents=True)
    (folder / "build" / "types" / "bitformer").symlink_to(ROOT / "api")
    (folder / "docs" / "api.md").write_text("# Python API\n")
    return folder


def built(folder: Path, to: Path) -> subprocess.CompletedProcess:
    """Build the site of a copy, strictly; not quietly, as what is not said does not count."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(to)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="session")
def site(copy):
    """The folder of the site."""
    to = copy / "build" / "site"
    done = built(copy, to)
    assert done.returncode == 0, done.stderr
    return to
