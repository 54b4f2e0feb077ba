"""The user's cache: what is not whole and ours alone is never taken; without one, work goes on."""

import errno
import hashlib
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bitformer.model import cache as cache_module
from bitformer.model.cache import Cache, tools_environment, user_folder

KEY = hashlib.sha256(b"source").hexdigest()


@pytest.fixture(autouse=True)
def said(caplog):
    """What was said, in a process that has said nothing yet; no temporary folder is left over."""
    cache_module._SAID.clear()
    cache_module._temporary.cache_clear()
    caplog.set_level(logging.WARNING, "bitformer")
    yield lambda: [record.getMessage() for record in caplog.records]
    cache_module._SAID.clear()
    cache_module._temporary.cache_clear()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "kind"


@pytest.fixture
def entry(folder):
    """The file of an entry that holds ``right``."""
    return Cache(folder).keep(KEY, ".so", b"right")


def test_what_was_kept_is_found_by_its_key_and_suffix(folder, entry, said):
    again = Cache(folder)
    assert again.read(KEY, ".so") == b"right"
    assert again.find(KEY, ".so") == entry == next(folder.iterdir())
    assert again.read(KEY, ".json.gz") is None
    assert again.read(hashlib.sha256(b"other").hexdigest(), ".so") is None
    assert said() == []


@pytest.mark.needs("posix")
@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_nobody_else_can_write_it_whatever_the_umask(umask, folder):
    before = os.umask(umask)
    try:
        entry = Cache(folder).keep(KEY, ".so", b"right")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_mode & 0o777 == 0o600
    assert Cache(folder).read(KEY, ".so") == b"right"


def other_bytes(entry):
    entry.write_bytes(b"wrong")


def cut_short(entry):
    entry.write_bytes(entry.read_bytes()[:-1])


def emptied(entry):
    entry.write_bytes(b"")


def of_another_key(entry):
    """Whole, but of another source: its name is not what it holds."""
    data = b"another's"
    entry.write_bytes(data)
    entry.rename(entry.with_name(f"{KEY}.{hashlib.sha256(b'right').hexdigest()}.so"))


def writable_by_the_group(entry):
    entry.chmod(0o620)


def writable_by_all(entry):
    entry.chmod(0o602)


def linked(entry):
    elsewhere = entry.parents[2] / "elsewhere"
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)


def a_pipe(entry):
    entry.unlink()
    os.mkfifo(entry)


DAMAGES = [other_bytes, cut_short, emptied, of_another_key]
POSIX = [writable_by_the_group, writable_by_all, linked, a_pipe]


@pytest.mark.parametrize(
    "damage",
    [*DAMAGES, *(pytest.param(d, marks=pytest.mark.needs("posix")) for d in POSIX)],
    ids=lambda damage: damage.__name__,
)
def test_what_is_not_as_it_was_made_is_removed_and_made_anew(damage, folder, entry, said):
    damage(entry)
    assert Cache(folder).read(KEY, ".so") is None
    assert list(folder.iterdir()) == []
    assert said() == [f"{entry} is not as it was made: it is made anew"]
    assert Cache(folder).keep(KEY, ".so", b"right") == entry
    assert Cache(folder).read(KEY, ".so") == b"right"


def test_a_whole_entry_is_taken_beside_a_damaged_one(folder, entry):
    other = Cache(folder).keep(KEY, ".so", b"as right")
    for damaged, whole in ((entry, b"as right"), (other, b"right")):
        kept = damaged.read_bytes()
        damaged.write_bytes(b"wrong")
        assert Cache(folder).read(KEY, ".so") == whole
        damaged.write_bytes(kept)


@pytest.mark.needs("posix")
def test_what_is_anothers_is_not_taken(folder, entry, said, monkeypatch):
    theirs = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: theirs)
    found = Cache(folder)
    assert found.read(KEY, ".so") is None
    assert said() == [f"The cache {folder} is not used: it must be yours"]
    assert entry.read_bytes() == b"right"


@pytest.mark.needs("posix")
def test_an_entry_of_anothers_in_our_folder_is_not_taken(folder, entry, monkeypatch):
    ours = cache_module._is_ours
    monkeypatch.setattr(
        cache_module, "_is_ours", lambda found: ours(found) and found.st_ino != entry.stat().st_ino
    )
    assert Cache(folder).read(KEY, ".so") is None


@pytest.mark.needs("posix")
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_could_write_is_begun_anew(mode, folder, entry, said):
    (folder / "notes.txt").write_text("not an entry")
    folder.chmod(mode)
    assert Cache(folder).read(KEY, ".so") is None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert said() == [f"The cache {folder} could be written by others: it is begun anew"]


def no_home(monkeypatch, tmp_path):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for an unknown user
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def home_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def cache_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "bitformer").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def read_only(monkeypatch, tmp_path):
    """As root sees a disk that is mounted for reading alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mkdir = Path.mkdir

    def refused(self, *args, **options):
        if self.is_relative_to(tmp_path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        mkdir(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", refused)


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    "lack", [no_home, home_is_a_file, cache_is_a_file, read_only], ids=lambda lack: lack.__name__
)
def test_without_a_place_it_is_kept_for_the_process(lack, monkeypatch, tmp_path, said):
    lack(monkeypatch, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):
        cache = Cache(user_folder("native"))
        assert cache.read(KEY, ".so") in (None, b"right")
        path = cache.keep(KEY, ".so", b"right")
        assert path.is_relative_to(cache_module._temporary())
        assert cache.find(KEY, ".so") == path
    assert len(said()) == 1, said()
    assert sorted(tmp_path.rglob("*")) == before
    folder = Path(tools_environment()["XDG_CACHE_HOME"])
    assert folder == cache_module._temporary()


@pytest.mark.needs("posix")
def test_a_full_disk_is_no_reason_to_stop(folder, said, monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    replace = os.replace

    def full(source, target):
        if Path(target).is_relative_to(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    cache = Cache(folder)
    assert cache.keep(KEY, ".so", b"right").is_relative_to(elsewhere)
    assert list(folder.iterdir()) == []
    assert said() == [f"The cache {folder} keeps nothing new: No space left on device"]
    monkeypatch.setattr(os, "replace", lambda *_: full(None, folder / "any"))
    assert cache.keep(KEY, ".so", b"right") is None


def test_without_any_place_at_all(folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.read(KEY, ".so") is None
    assert cache.keep(KEY, ".so", b"right") is None


def test_workers_say_nothing(tmp_path, said, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert Cache(tmp_path / "file").read(KEY, ".so") is None
    assert said() == []


_FILL = """
import sys
from pathlib import Path
from bitformer.model.cache import Cache
cache, key, own = Cache(Path(sys.argv[1])), sys.argv[2], sys.argv[3].encode() * 100_000
for _ in range(200):
    found = cache.read(key, ".so")
    assert found is None or len(set(found)) == 1 and len(found) == 100_000
    cache.keep(key, ".so", own)
"""


def test_processes_that_make_the_same_see_whole_entries(folder):
    """Each makes its own of one source: never is half of one seen, and none is in another's way."""
    folder.parent.mkdir()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _FILL, str(folder), KEY, own], stderr=subprocess.PIPE
        )
        for own in "ab"
    ]
    for process in running:
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0
    assert {path.read_bytes()[:1] for path in folder.iterdir()} == {b"a", b"b"}
    assert len(list(folder.iterdir())) == 2


@pytest.mark.needs("posix")
def test_tools_of_the_users_are_begun_anew_where_others_could_write(monkeypatch, tmp_path, said):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    variables = tools_environment()
    folder = Path(variables["XDG_CACHE_HOME"])
    assert Path(variables["YOWASP_CACHE_DIR"]) == folder / "YoWASP"
    assert folder.is_relative_to(tmp_path)
    (folder / "wasmtime").mkdir()
    (folder / "wasmtime" / "code").write_text("machine code")
    assert (tools_environment(), said()) == (variables, [])
    assert (folder / "wasmtime" / "code").exists()
    folder.chmod(0o777)
    assert tools_environment() == variables
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_users_word_about_tools_stands(monkeypatch):
    monkeypatch.setenv("YOWASP_CACHE_DIR", "/elsewhere")
    assert tools_environment()["YOWASP_CACHE_DIR"] == "/elsewhere"
