"""The notebook: its cells run in an empty folder, and come to what it shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "tour.ipynb"

# Cells one after another in one space of names; each prints what a notebook would show.
RUNNER = """
import ast, json, sys

space, shown = {"__name__": "__main__"}, []
for source in json.load(sys.stdin):
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), space)
    value = None
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), space)
    shown.append(None if value is None else repr(value))
print(json.dumps(shown))
"""


def cells(kind: str) -> list[dict]:
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def run(sources: list[str], folder: Path) -> list[str | None]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUNNER],
        input=json.dumps(sources),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def figures_left_out(text: str) -> str:
    """Errors and resources follow from a training, which another torch does otherwise."""
    return re.sub(r"\d+(\.\d+)?", "N", text)


@pytest.mark.slow
def test_cells_come_to_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "kb.sqlite"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    code = cells("code")
    shown = run(["".join(cell["source"]) for cell in code], tmp_path)
    for cell, text in zip(code, shown, strict=True):
        for output in cell["outputs"]:
            (kept,) = output["data"]["text/plain"]
            assert figures_left_out(kept) == figures_left_out(text)
    assert "True" in shown  # bit exact, in the cycles foretold
    assert sum(bool(cell["outputs"]) for cell in code) >= 6
    assert (tmp_path / "runs" / "tour-search" / "search.json").is_file()


def test_it_is_a_notebook_with_short_outputs():
    data = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (data["nbformat"], data["metadata"]["language_info"]["name"]) == (4, "python")
    assert len({cell["id"] for cell in data["cells"]}) == len(data["cells"])
    assert len(NOTEBOOK.read_text(encoding="utf-8")) < 10_000


def test_a_broken_cell_is_noticed(tmp_path):
    with pytest.raises(AssertionError, match="NameError"):
        run(["design"], tmp_path)
