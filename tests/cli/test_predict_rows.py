"""``predict`` on rows that are not simple: several series, lost rows, newest first, other steps."""

import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pytest

from bitformer.model import reference
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

BEGIN = datetime(2024, 3, 1)
HORIZON, WINDOW = 6, 24


def made(**data):
    """An untrained model that knows its scales and its step, an hour."""
    model = initialize(named_config("tiny"))
    dataset = {
        "name": "old.csv",
        "inputs": ["load"],
        "target": "load",
        "mean": [50.0],
        "std": [20.0],
        "target_mean": 50.0,
        "target_std": 20.0,
        "target_channel": 0,
        "step": 3600.0,
        "step_unit": "even",
        "dated": True,
    }
    source = {"data": "old.csv", "target": "load", "time": "time"}
    return dataclasses.replace(model, meta={"dataset": dataset | data, "source": source})


@pytest.fixture
def model(tmp_path):
    save_model(made(), tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def loads(count: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 2, count)
    return (50 + 20 * np.sin(np.arange(count) / 4) + noise).round(2)


def stamp(hour: float) -> str:
    return f"{BEGIN + timedelta(hours=hour)}"


def write(path, rows, names="time,load"):
    path.write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def naive(window: np.ndarray) -> np.ndarray:
    x = (window[None, -WINDOW:, None] - 50.0) / 20.0
    return reference.predict(made(), x)[0] * 20.0 + 50.0


@pytest.mark.parametrize("stacked", [True, False])
def test_several_series(bitformer, model, tmp_path, stacked):
    known = {"north": (0, loads(40, 1)), "south": (-3, loads(35, 2))}
    rows = [
        (stamp(start + i), name, value)
        for name, (start, own) in known.items()
        for i, value in enumerate(own)
    ]
    if not stacked:
        rows.sort()
    path = write(tmp_path / "sites.csv", rows, "time,site,load")
    said = bitformer("predict", model, "--data", path)
    assert said.code == 2
    assert "--series COLUMN" in said.err
    said = bitformer("predict", model, "--data", path, "--series", "site", "--windows", 3, "--json")
    names = list(dict.fromkeys(name for _, name, _ in rows))
    assert said.data["series"] == [name for name in names for _ in range(3)]
    for n, name in enumerate(names):
        start, own = known[name]
        for k in range(3):
            end = len(own) - 2 + k
            at = 3 * n + k
            assert said.data["forecast"][at] == naive(own[:end]).tolist()
            assert said.data["lines"][at] == 2 + rows.index(
                (stamp(start + end - 1), name, own[end - 1])
            )
            assert said.data["times"][at] == [
                (BEGIN + timedelta(hours=start + end + step)).isoformat() for step in range(HORIZON)
            ]
            rest = own[end : end + HORIZON].tolist()
            assert said.data["truth"][at] == rest + [None] * (HORIZON - len(rest))
    shown = bitformer("predict", model, "--data", path, "--series", "site").out
    for name, line in zip(said.data["series"][2::3], said.data["lines"][2::3], strict=True):
        assert f"{name}, after line {line}" in " ".join(shown.split())


def test_a_lost_row_is_the_row_before(bitformer, model, tmp_path):
    own = loads(40)
    kept = [i for i in range(40) if i not in (30, 36)]
    path = write(tmp_path / "my.csv", [(stamp(i), own[i]) for i in kept])
    said = bitformer("predict", model, "--data", path, "--windows", 5, "--json")
    filled = own.copy()
    filled[[30, 36]] = filled[[29, 35]]
    assert said.data["forecast"] == [naive(filled[:end]).tolist() for end in range(36, 41)]
    # lines of the file: a row that is put in has that of the row before it; its truth is unknown
    assert said.data["lines"] == [36, 36, 37, 38, 39]
    assert said.data["truth"][0] == [None, *own[37:40].tolist(), None, None]
    assert (
        "2 lost rows, on a step of 1h, took the values before them (after lines 31, 36)" in said.err
    )


def test_newest_first(bitformer, model, tmp_path):
    own = loads(40)
    path = write(tmp_path / "my.csv", [(stamp(i), own[i]) for i in reversed(range(40))])
    said = bitformer("predict", model, "--data", path, "--windows", 2, "--json")
    assert said.data["forecast"] == [naive(own[:39]).tolist(), naive(own).tolist()]
    assert said.data["lines"] == [3, 2]
    assert said.data["truth"][0] == [own[39], *[None] * 5]
    said = bitformer("predict", model, "--data", path, "--at", 10, "--json")
    assert said.data["lines"] == [10]
    assert said.data["forecast"] == [naive(own[:32]).tolist()]


def test_a_file_of_another_step(bitformer, model, tmp_path):
    own = loads(40)
    path = write(tmp_path / "my.csv", [(stamp(3 * i), own[i]) for i in range(40)])
    said = bitformer("predict", model, "--data", path)
    assert said.code == 2
    assert "must have a row every 1h, as the data that the model was trained on, not every 3h" in (
        " ".join(said.err.split())
    )
    said = bitformer("predict", model, "--data", path, "--step", "1h", "--max-fill", 2, "--json")
    assert said.code == 0
    assert said.data["forecast"] == [naive(np.repeat(own, 3)[: 3 * 39 + 1]).tolist()]


@pytest.mark.parametrize(
    ("last", "step", "unit", "following"),
    [
        ("2024-03-01", 86400.0, "business", ["2024-03-04", "2024-03-05", "2024-03-06"]),
        ("2024-03-01", 2629746.0, "month", ["2024-04-01", "2024-05-01", "2024-06-01"]),
        ("2024-03-31", 2629746.0, "month", ["2024-04-30", "2024-05-31", "2024-06-30"]),
    ],
)
def test_times_by_the_calendar(bitformer, tmp_path, last, step, unit, following):
    model = tmp_path / "m.safetensors"
    save_model(made(step=step, step_unit=unit), model)
    end = np.datetime64(last)
    if unit == "business":
        times = [str(np.busday_offset(end, -i)) for i in reversed(range(40))]
    else:
        months = np.datetime64(last, "M") - np.arange(40)[::-1]
        days = (months + 1).astype("datetime64[D]") - 1 if last[-2:] == "31" else months
        times = [str(day.astype("datetime64[D]")) for day in days]
    path = write(tmp_path / "my.csv", zip(times, loads(40), strict=True))
    said = bitformer("predict", model, "--data", path, "--json")
    assert said.code == 0
    assert [time[:10] for time in said.data["times"][0][:3]] == following


@pytest.mark.parametrize("own", [{"reverse": True}, {"skip": 2}, {"header": ["time", "load"]}])
def test_what_was_its_own_files_layout_is_no_others(bitformer, tmp_path, own):
    """A file that needs none of what the model's own needed, and one that does."""
    trained = made()
    source = {**trained.meta["source"], **own}
    path, values = tmp_path / "m.safetensors", loads(30)
    save_model(dataclasses.replace(trained, meta={**trained.meta, "source": source}), path)
    rows = [(stamp(i), value) for i, value in enumerate(values)]
    lines = [",".join(map(str, row)) for row in rows]
    alike = {
        "reverse": ["time,load", *lines[::-1]],
        "skip": ["Logger,7", "Place,roof", "time,load", *lines],
        "header": lines,
    }[next(iter(own))]
    for name, content in (("plain", ["time,load", *lines]), ("alike", alike)):
        (tmp_path / f"{name}.csv").write_text("\n".join(content) + "\n")
        said = bitformer("predict", path, "--data", tmp_path / f"{name}.csv", "--json")
        assert said.code == 0, said.err
        assert said.data["forecast"] == [naive(values).tolist()]
    said = bitformer("evaluate", path, "--data", tmp_path / "plain.csv", "--json")
    assert said.data["test_windows"] == 1


@pytest.mark.parametrize(("how", "off"), [("first", -1.0), ("mean", 0.5), ("last", 2.0)])
def test_truth_is_of_the_row_that_counts(bitformer, model, tmp_path, how, off):
    own = loads(40)
    rows = [(stamp(i), own[i] + one) for i in range(40) for one in (-1.0, 2.0)]
    path = write(tmp_path / "twice.csv", rows)
    said = bitformer(
        *("predict", model, "--data", path, "--repeats", how, "--windows", 7, "--json")
    )
    assert said.data["forecast"][0] == pytest.approx(naive(own[:34] + off).tolist())
    assert said.data["truth"][0] == pytest.approx((own[34:] + off).tolist())
