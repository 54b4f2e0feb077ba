"""The table of the guide to imports is what the script makes."""

import re
from pathlib import Path

import pytest

from bitformer.model.imports.files import from_files

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def importing(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import importing

    return importing


def test_the_table_has_every_model_at_every_width(importing):
    table = importing.REPORT.read_text().split(importing.MARKS[0])[1].split(importing.MARKS[1])[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in rows] == [*importing.MODELS]
    assert head[3:] == [f"{m.upper()} {w}" for m in importing.METHODS for w in importing.WIDTHS]
    for _, own, imported, *errors in rows:
        assert imported == own
        assert all(re.fullmatch(r"0\.\d{4}", one) for one in errors)


def test_only_what_is_between_the_marks_is_written(importing, tmp_path, monkeypatch):
    page = tmp_path / "import.md"
    page.write_text(f"before\n{importing.MARKS[0]}\nold\n{importing.MARKS[1]}\nafter\n")
    monkeypatch.setattr(importing, "REPORT", page)
    monkeypatch.setattr(importing, "data", lambda: None)
    monkeypatch.setattr(importing, "page", lambda _data: "new\n")
    importing.main.callback(write=True)
    begin, end = importing.MARKS
    assert page.read_text() == f"before\n{begin}\nnew\n{end}\nafter\n"


def test_a_model_is_saved_as_the_import_reads_it(importing, tmp_path):
    importing.Encoder().save(tmp_path)
    config = from_files(tmp_path).config
    assert (config.window, config.patch, config.final_norm) == (importing.WINDOW, 8, True)
