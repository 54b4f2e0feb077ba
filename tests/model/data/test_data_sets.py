"""Data sets by name: where their files are found, and what is in them."""

import dataclasses
import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.named_data import NAMES
from bitformer.model.data.sources import (
    ENVIRONMENT,
    SOURCES,
    PublishedFile,
    ShippedFile,
    find,
)
from bitformer.model.errors import UserError

CONTENT = b"date,OT\n2016-07-01 00:00,1.0\n"


def source(url: str = "http://127.0.0.1:1/") -> PublishedFile:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return dataclasses.replace(SOURCES["etth1"], url=url, sha256=digest, filename="x.csv")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server, as its address and the folder it serves."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("place", ["etth/x.csv", "x.csv"])
def test_found_in_the_folder(tmp_path, monkeypatch, place):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert find(source(), cache=tmp_path / "cache") == path


def test_another_file_of_that_name_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_bytes(CONTENT + b"\n")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    with pytest.raises(UserError, match=r"must be the published x\.csv with SHA-256"):
        find(source(), cache=tmp_path / "cache")


def test_folder_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "no"))
    with pytest.raises(UserError, match="BITFORMER_DATA must name a folder with data sets"):
        find(source())


def test_download_then_cache(tmp_path, monkeypatch, site):
    url, folder = site
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    (folder / "x.csv").write_bytes(CONTENT)
    cache = tmp_path / "cache"
    assert find(source(url), cache=cache).read_bytes() == CONTENT
    (folder / "x.csv").unlink()
    assert find(source(url), cache=cache).read_bytes() == CONTENT


def test_download_of_another_file_is_refused(tmp_path, monkeypatch, site):
    url, folder = site
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    (folder / "x.csv").write_bytes(CONTENT + b"tampered")
    with pytest.raises(UserError, match="its checksum is wrong: download http"):
        find(source(url), cache=tmp_path / "cache")
    assert not (tmp_path / "cache" / "x.csv").exists()


def test_without_network_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    with pytest.raises(UserError, match=r"download failed: download .* and set BITFORMER_DATA"):
        find(source(), cache=tmp_path / "cache")


def test_time_of_a_named_set_is_its_own():
    with pytest.raises(UserError, match="etth1 has its own times"):
        load_dataset("etth1", window=24, horizon=1, time="date")


def test_synthetic_says_what_it_is():
    data = load_dataset("synthetic", window=24, horizon=2)
    assert data.name == "synthetic"
    assert data.notes[0] == "Synthetic data: generated, not measured"
    assert (data.target, data.period) == ("synthetic", 24)
    seven = ["synthetic", *(f"synthetic_{i}" for i in range(1, 7))]
    assert load_dataset("synthetic", window=24, horizon=2, inputs=seven).train.x.shape[2] == 7
    with pytest.raises(UserError, match="'OT' is not in the synthetic series, which has synth"):
        load_dataset("synthetic", window=24, horizon=2, target="OT")


def test_nyc_taxi_ships_whole(monkeypatch):
    """Nothing is downloaded, and no folder has a say."""
    monkeypatch.setenv(ENVIRONMENT, "/no/such/folder")
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: pytest.fail("asked for a download"))
    found = find(SOURCES["nyc-taxi"])
    assert sorted(path.name for path in found.parent.iterdir()) == [
        "README.md",
        "nyc_taxi.LICENSE",
        "nyc_taxi.csv.xz",
    ]
    assert found.stat().st_size < 70_000
    assert "MIT" in (found.parent / "README.md").read_text()
    assert "Permission is hereby granted" in (found.parent / "nyc_taxi.LICENSE").read_text()
    data = load_dataset("nyc-taxi", window=48, horizon=12)
    assert [len(part) for part in (data.train, data.val, data.test)] == [6133, 2053, 2053]
    assert (data.name, data.inputs, data.target, data.period) == (
        "nyc-taxi",
        ("value",),
        "value",
        48,
    )


def test_a_shipped_file_that_was_changed_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_bytes(CONTENT)
    monkeypatch.setattr("bitformer.model.data.sources._SHIPPED", tmp_path)
    own = source()
    kept = {one.name: getattr(own, one.name) for one in dataclasses.fields(ShippedFile)}
    assert find(ShippedFile(**kept)) == tmp_path / "x.csv"
    with pytest.raises(UserError, match=r"must be the published x\.csv with SHA-256 00, not"):
        find(ShippedFile(**{**kept, "sha256": "00"}))


@pytest.mark.needs("data")
def test_what_ships_is_what_was_published():
    import lzma
    import os

    published = Path(os.environ[ENVIRONMENT], "nab", "nyc_taxi.csv").read_bytes()
    assert lzma.decompress(find(SOURCES["nyc-taxi"]).read_bytes()) == published


@pytest.mark.needs("nab")
@pytest.mark.parametrize("window", [48, 96])
def test_etth1_drops_no_window(window):
    data = load_dataset("etth1", window=window, horizon=24)
    counts = [len(part) for part in (data.train, data.val, data.test)]
    assert counts == [8640 - window - 23, 2857, 2857]
    assert (data.inputs, data.target, data.period) == (("OT",), "OT", 24)
    assert data.target_mean == pytest.approx(17.1283, abs=1e-3)
    assert data.test.y.mean() < -1, "the test part lies below the training part"


@pytest.mark.needs("data")
def test_etth1_with_all_columns():
    loads = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    data = load_dataset("etth1", window=24, horizon=1, inputs=loads)
    assert data.train.x.shape == (8616, 24, 7)
    assert data.target_channel == 6
    np.testing.assert_array_equal(data.train.x[:, :, 6], data.train.past)


@pytest.mark.needs("data")
def test_beijing_air():
    data = load_dataset("beijing-air", window=24, horizon=1)
    assert len(data.inputs) == 7
    assert (data.target, data.target_channel, data.period) == ("O3", None, 24)
    assert data.train.first.max() == 3 * 365 * 24 + 23  # the last hour of February 2016
    for part in (data.train, data.val, data.test):
        assert len(part) > 3900
        assert np.isfinite(part.x).all()
        assert np.isfinite(part.y).all()


@pytest.mark.needs("nab")
@pytest.mark.parametrize(
    ("name", "period", "rows"),
    [
        ("machine-temperature", 288, 22683),
        ("ambient-temperature", 24, 7267),
        ("ec2-request-latency", 288, 4031),
        ("art-daily-flatmiddle", 288, 4032),
        ("art-daily-jumpsup", 288, 4032),
    ],
)
def test_nab(name, period, rows):
    data = load_dataset(name, window=24, horizon=1)
    assert (data.inputs, data.target, data.period) == (("value",), "value", period)
    assert data.notes[0] == "Split: the first 60 %, 20 % and 20 % of the rows"
    assert abs(len(data.train.inputs) - rows) < 10


@pytest.mark.needs("nab")
def test_detectors_are_trained_on_the_first_part():
    data = load_dataset("art-daily-jumpsup", window=24, horizon=1, task="detect")
    assert [len(part) for part in (data.train, data.val, data.test)] == [459, 121, 3428]
    assert data.train.first[-1] == 4032 * 15 // 100 * 4 // 5 - 1
    shipped = load_dataset("nyc-taxi", window=24, horizon=1, task="detect")
    assert shipped.val.first[-1] == 10320 * 15 // 100 - 1


@pytest.mark.needs("skab")
def test_skab():
    data = load_dataset("skab", window=24, horizon=1)
    assert (len(data.inputs), data.target) == (8, "Volume Flow RateRMS")
    assert "GPL-3.0" in data.notes[0]
    assert len(data.train.inputs) == 9405 + 556  # lost seconds
    again = load_dataset("skab", window=24, horizon=1, task="detect")
    assert len(again.train) == len(data.train)  # all of it is without a fault


def test_names():
    assert " ".join(NAMES) == (
        "strikewatch nyc-taxi machine-temperature ambient-temperature ec2-request-latency"
        " art-daily-flatmiddle art-daily-jumpsup skab etth1 etth2 beijing-air metro-traffic"
        " synthetic"
    )
