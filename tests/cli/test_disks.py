"""Commands on disks that are full or read-only: one sentence, exit code 2, and nothing is torn."""

import subprocess
import sys
from contextlib import nullcontext

import pytest
from disk_harness import contents, fill, read_only, small_disk

from bitformer.model.files import PART

#: What is written by commands that do not train, where, and on which disks it is tried. ``{m}`` is
#: a model, ``{d}`` the disk, ``{k}`` a knowledge base.
COMMANDS = [
    ("init grid-6-64-8 -o {d}/new.safetensors", "{d}/new.safetensors", ("full", "read-only")),
    ("init grid-6-64-8 -o {d}/old", "{d}/old", ("full", "read-only")),
    ("elaborate {m} -o {d}/plan", "Build directory {d}/plan", ("full",)),
    ("build {m} --board sea --plan-only -o {d}/plan", "Build directory {d}/plan", ("read-only",)),
    ("simulate {m} --samples 1 --vcd {d}/old", "{d}/old", ("full", "read-only")),
    ("simulate {m} --samples 1 --saif {d}/old", "{d}/old", ("full",)),
    ("estimate {m} --plot {d}/new.png", "{d}/new.png", ("full",)),
    ("kb export {d}/old --kb {k}", "{d}/old", ("full", "read-only")),
    ("kb show --kb {d}/kb.sqlite", "Knowledge base {d}/kb.sqlite", ("full", "read-only")),
]
REASONS = {"full": "No space left on device", "read-only": "Read-only file system"}
#: SQLite's own words.
OF_BASES = {"full": "database or disk is full", "read-only": "unable to open database file"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A knowledge base with more in it than a full disk takes."""
    from bitformer.estimate.knowledge import KnowledgeBase, shipped_entries

    path = tmp_path_factory.mktemp("base") / "kb.sqlite"
    KnowledgeBase(path).add(shipped_entries()[:100])
    return path


@pytest.mark.needs("mount")
@pytest.mark.parametrize("state", ["full", "read-only"])
def test_what_cannot_be_written_is_one_sentence(bitformer, tiny, base, tmp_path, state):
    with small_disk(tmp_path / "disk", "2m") as disk:
        (disk / "plan").mkdir()
        (disk / "plan" / "bitformer.json").write_text("{}")
        (disk / "old").write_bytes(b"as it was")
        if state == "full":
            fill(disk, spare=4096)
        before = contents(disk)
        names = {"m": tiny, "d": disk, "k": base}
        with read_only(disk) if state == "read-only" else nullcontext():
            for command, what, states in COMMANDS:
                if state not in states:
                    continue
                said = bitformer(*(word.format(**names) for word in command.split()))
                reason = (OF_BASES if command.startswith("kb show") else REASONS)[state]
                last = said.err.splitlines()[-1]
                assert (said.code, last[:7]) == (2, "Error: "), (command, said)
                assert last[7:].startswith(what.format(**names)), (command, last)
                assert last.endswith(reason), (command, last)
                after = contents(disk)
                after.pop("kb.sqlite", None)  # which SQLite makes, empty
                assert after == before, command


@pytest.mark.needs("mount", "compiler")
@pytest.mark.slow
def test_waves_of_the_native_simulator_are_not_torn_either(bitformer, tiny, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        (disk / "waves.vcd").write_bytes(b"as it was")
        options = ("--samples", 1, "--engine", "native", "--vcd", disk / "waves.vcd")
        said = bitformer("simulate", tiny, *options)
        assert said.code == 2
        assert said.err.endswith("waves.vcd cannot be written: No space left on device\n")
        assert contents(disk) == {"waves.vcd": b"as it was"}


#: The least that trains.
TRAINING = "train --data synthetic --config tiny --epochs 1 --qat-epochs 1 -o {run}"


@pytest.fixture(scope="module")
def trained(bitformer, tmp_path_factory):
    """A finished run."""
    run = tmp_path_factory.mktemp("runs") / "run"
    assert bitformer(*TRAINING.format(run=run).split()).code == 0
    return run


@pytest.mark.needs("mount")
@pytest.mark.slow
def test_a_training_goes_on_when_there_is_room_again(bitformer, trained, tmp_path):
    with small_disk(tmp_path / "disk", "32k") as disk:
        line = TRAINING.format(run=disk / "run").split()
        said = bitformer(*line)
        assert said.code == 2
        last = said.err.splitlines()[-1]
        assert last.startswith(f"Error: {disk}/run/")
        assert last.endswith("cannot be written: No space left on device")
        assert not [name for name in contents(disk) if PART in name]
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert bitformer(*line).code == 0
        for name in ("model.safetensors", "run.json", "state.pt"):
            assert (disk / "run" / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.needs("mount")
@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        TRAINING.replace("{run}", "{d}/new"),
        "export {r} -o {d}/old",
        "search --data synthetic --config tiny --workers 1 --synthesis none -o {d}/new",
        "sensitivity --data synthetic --config tiny --workers 1 -o {d}/new",
        "profile tiny --workers 1 --kb {d}/kb.sqlite",
    ],
    ids=lambda line: line.split()[0],
)
def test_training_and_studies_on_a_read_only_disk(bitformer, trained, tmp_path, line):
    with small_disk(tmp_path / "disk") as disk:
        (disk / "old").write_bytes(b"as it was")
        with read_only(disk):
            said = bitformer(*(word.format(d=disk, r=trained) for word in line.split()))
        assert said.code == 2, said
        last = said.err.splitlines()[-1]
        assert last.startswith("Error: ")
        assert str(disk) in last
        assert contents(disk) == {"old": b"as it was"}


@pytest.mark.needs("mount")
@pytest.mark.slow
def test_an_export_on_a_full_disk(bitformer, trained, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        (disk / "old").write_bytes(b"as it was")
        fill(disk)
        before = contents(disk)
        said = bitformer("export", trained, "-o", disk / "old")
        assert said.code == 2
        assert said.err.endswith(f"Error: {disk}/old cannot be written: No space left on device\n")
        assert contents(disk) == before


@pytest.mark.needs("mount")
def test_temporary_files_on_a_full_disk(bitformer, tiny, tmp_path, monkeypatch):
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        said = bitformer("simulate", tiny, "--samples", 1, "--saif", tmp_path / "a.saif")
        assert said.code == 2
        assert "waves.vcd cannot be written: No space left on device" in said.err
        assert contents(disk) == {}
        assert not (tmp_path / "a.saif").exists()


def test_without_a_place_for_temporary_files(bitformer, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    said = bitformer("simulate", tiny, "--samples", 1, "--saif", tmp_path / "a.saif")
    assert said.code == 2
    assert "A temporary folder must be possible (TMPDIR), and gave: No such file" in said.err


@pytest.mark.needs("mount")
def test_a_knowledge_base_on_a_read_only_disk_can_be_read(bitformer, tiny, base, tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        (disk / "kb.sqlite").write_bytes(base.read_bytes())
        with read_only(disk):
            shown = bitformer("kb", "show", "--kb", disk / "kb.sqlite", "--json")
            assert (shown.code, len(shown.data["entries"])) == (0, 100)
            assert bitformer("estimate", tiny, "--kb", disk / "kb.sqlite").code == 0
            merged = bitformer("kb", "merge", base, "--kb", disk / "kb.sqlite")
            assert merged.code == 2
            assert "cannot be used: attempt to write a readonly database" in merged.err
        assert list(contents(disk)) == ["kb.sqlite"]


@pytest.mark.needs("mount")  # of all systems that have it, /dev/full is there too
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_results_that_cannot_be_printed(tiny, more):
    command = [sys.executable, "-m", "bitformer.cli.main", "info", str(tiny), *more]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: The output cannot be written: No space left on device"
    )
    assert "Traceback" not in done.stderr
