"""Published data sets of many files: where they are found, and what is in them."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from class_harness import strides

from bitformer.model.data import folders
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.folders import FOLDERS, SKAB, PublishedFolder, find_folder
from bitformer.model.data.sources import ENVIRONMENT
from bitformer.model.errors import UserError

SITE = "http://127.0.0.1:1/"


@pytest.fixture
def gait(tmp_path, monkeypatch) -> tuple[PublishedFolder, Path]:
    """A folder of 8 files and its description, as if it were published; it is nowhere yet."""
    folder = strides(tmp_path / "published" / "gait")
    (folder / "more").mkdir()
    (folder / "more" / "one.csv").write_text("x,y\n1,2\n")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*.csv"))
    ]
    (tmp_path / "gait.sha256").write_text("".join(lines))
    monkeypatch.setattr(folders, "_PUBLISHED", tmp_path)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return PublishedFolder(folder="gait", url=SITE, licence="none"), folder


def test_found_in_the_folder(gait, tmp_path):
    source, folder = gait
    folder.rename(tmp_path / "data" / "gait")
    assert find_folder(source, cache=tmp_path / "cache") == tmp_path / "data" / "gait"
    assert not (tmp_path / "cache").exists()


def test_a_changed_file_is_refused(gait, tmp_path):
    source, folder = gait
    (folder / "c_run.csv").write_text("x,y\n")
    folder.rename(tmp_path / "data" / "gait")
    with pytest.raises(
        UserError, match=r"c_run\.csv must be the published c_run\.csv with SHA-256"
    ):
        find_folder(source, cache=tmp_path / "cache")


def test_a_folder_that_lacks_files_is_refused(gait, tmp_path):
    source, folder = gait
    (folder / "c_run.csv").unlink()
    (folder / "more" / "one.csv").unlink()
    folder.rename(tmp_path / "data" / "gait")
    with pytest.raises(
        UserError,
        match=r"gait must have the 9 files of the published gait, but lacks 2, such as c_run\.csv:"
        r" download http://127\.0\.0\.1:1/c_run\.csv into it, or take the folder away from"
        r" \$BITFORMER_DATA$",
    ):
        find_folder(source, cache=tmp_path / "cache")


def test_downloaded_file_by_file_and_then_in_the_cache(gait, tmp_path, monkeypatch):
    source, folder = gait
    asked = []

    def retrieve(url: str, *, known_hash: str, fname: str, path: Path) -> None:
        name = url.removeprefix(SITE)
        asked.append(name)
        content = (folder / name).read_bytes()
        assert known_hash == f"sha256:{hashlib.sha256(content).hexdigest()}"
        Path(path).mkdir(parents=True, exist_ok=True)
        Path(path, fname).write_bytes(content)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    for _ in range(2):
        found = find_folder(source, cache=tmp_path / "cache")
        assert found == tmp_path / "cache" / "gait"
        assert len(asked) == 9
    assert (found / "more" / "one.csv").read_text() == "x,y\n1,2\n"


def test_without_network_one_sentence_says_what_to_do(gait, tmp_path):
    source, _ = gait
    with pytest.raises(
        UserError, match=r"download failed: download http\S+/a_run\.csv into a folder"
    ):
        find_folder(source, cache=tmp_path / "cache")


def test_checksums_are_of_whole_sets():
    (strikewatch,) = FOLDERS.values()
    assert len(strikewatch.checksums) == 24
    names = list(SKAB.checksums)
    counts = {group: sum(one.startswith(f"{group}/") for one in names) for group in names_of(names)}
    assert counts == {"anomaly-free": 1, "other": 14, "valve1": 16, "valve2": 4}
    for source in (strikewatch, SKAB):
        assert all(len(digest) == 64 for digest in source.checksums.values())


def names_of(paths: list[str]) -> list[str]:
    return sorted({path.split("/")[0] for path in paths})


@pytest.mark.needs("strikewatch")
def test_strikewatch():
    data = load_dataset("strikewatch", window=25, horizon=2, every=2, stride=5)
    assert (data.task, data.classes) == ("classify", ("forefootstrike", "heelstrike"))
    assert data.groups == tuple(str(person) for person in range(1, 13))
    assert data.inputs == ("x", "y", "z", "a")
    assert "CC BY-NC" in data.notes[1]
    assert len(data.train.inputs) == 75830  # each second row of 151 660
    assert [len(part) for part in (data.train, data.val, data.test)] == [9002, 2936, 2936]
    raw = np.loadtxt(
        Path(os.environ[ENVIRONMENT], "strikewatch", "person10_forefootstrike.csv"),
        delimiter=",",
        skiprows=1,
    )[::2]
    # the first of the files by name; its first window for validation begins at 60 %
    assert data.val.x[0] * data.std + data.mean == pytest.approx(raw[2220 : 2220 + 25])
    assert (data.val.label[0], data.groups[data.val.group_of[0]]) == (0, "10")


@pytest.mark.needs("strikewatch")
def test_strikewatch_leaves_persons_out():
    data = load_dataset(
        "strikewatch", window=25, horizon=2, every=2, stride=25, test_groups="1,2,12"
    )
    persons = [
        {data.groups[i] for i in part.group_of.tolist()}
        for part in (data.train, data.val, data.test)
    ]
    assert persons[2] == {"1", "2", "12"}
    assert persons[1] == {"9", "10", "11"}
    assert persons[0] == {"3", "4", "5", "6", "7", "8"}
