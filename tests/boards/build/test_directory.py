import pathlib

import pytest

from bitformer.boards.build.directory import PLAN_FILE, whole_directory
from bitformer.model.errors import UserError


def write(target, text="new", **options):
    with whole_directory(target, **options) as fresh:
        (fresh / "file").write_text(text)
        (fresh / PLAN_FILE).write_text("{}")


@pytest.fixture
def ours(tmp_path):
    target = tmp_path / "ours"
    write(target, "old")
    return target


def test_makes_parents(tmp_path):
    write(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c" / "file").read_text() == "new"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c"]


def test_takes_an_empty_directory(tmp_path):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")
    assert (tmp_path / "empty" / "file").read_text() == "new"


def test_replaces_a_build_of_ours(ours):
    (ours / "top.bit").write_text("stale")
    write(ours)
    assert sorted(path.name for path in ours.iterdir()) == sorted(["file", PLAN_FILE])
    assert (ours / "file").read_text() == "new"
    assert list(ours.parent.iterdir()) == [ours]


def test_spares_the_files_of_others(tmp_path):
    target = tmp_path / "theirs"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"theirs has files in it and is no bitformer build; name"):
        write(target)
    assert (target / "thesis.tex").read_text() == "years of work"
    write(target, force=True)
    assert not (target / "thesis.tex").exists()


@pytest.mark.parametrize("force", [False, True])
def test_refuses_a_file(tmp_path, force):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Build directory .*file is a file; name another one"):
        write(tmp_path / "file", force=force)


@pytest.mark.parametrize("place", ["current", "home"])
@pytest.mark.parametrize("above", [0, 1])
def test_refuses_to_replace_where_the_user_is(tmp_path, monkeypatch, place, above):
    here = tmp_path / "x" / "y"
    here.mkdir(parents=True)
    monkeypatch.chdir(here if place == "current" else "/")
    monkeypatch.setattr(pathlib.Path, "home", lambda: here if place == "home" else tmp_path / "h")
    target = [here, *here.parents][above]
    with pytest.raises(UserError, match=rf"would replace the {place} directory; name another one"):
        write(target, force=True)


def test_says_why_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written: (File exists|Not a directory)$"):
        write(tmp_path / "file" / "below")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("exists", [False, True])
def test_interrupted_leaves_all_as_it_was(tmp_path, error, exists):
    target = tmp_path / "t"
    if exists:
        write(target, "old")

    def stop():
        with whole_directory(target) as fresh:
            (fresh / "file").write_text("half")
            raise error

    with pytest.raises(error):
        stop()
    assert list(tmp_path.iterdir()) == ([target] if exists else [])
    if exists:
        assert (target / "file").read_text() == "old"


def test_interrupted_while_swapping(ours, monkeypatch):
    rename, calls = pathlib.Path.rename, []

    def interrupted(self, other):
        calls.append(self.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, other)

    monkeypatch.setattr(pathlib.Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(ours)
    assert calls == ["ours", "new", "old"]
    assert (ours / "file").read_text() == "old"
    assert list(ours.parent.iterdir()) == [ours]
