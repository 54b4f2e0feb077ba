# amaranth: UnusedElaboratable=no
"""``predict`` of a detector: here, simulated, and on a board behind its line."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from byte_line import ByteShell, ByteTransport

from bitformer.boards.host import ports
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.checkpoint import save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.forecasts.flags import Flags
from bitformer.model.initialize import initialize

WINDOW, ROWS = 4, 40
FAULT = range(25, 29)
DATASET = {
    "name": "m.csv",
    "inputs": ["a", "b"],
    "target": "a",
    "mean": [10.0, 3.0],
    "std": [2.0, 1.0],
    "target_mean": 10.0,
    "target_std": 2.0,
}
SOURCE = {"data": "m.csv", "target": "a", "inputs": ["a", "b"], "time": ["t"]}


def rows(fault=FAULT):
    """A calm series whose first column is far off in the rows of a fault."""
    values = np.random.default_rng(0).normal(size=(ROWS, 2)) * [0.2, 0.1] + [10, 3]
    values[fault, 0] += 12
    return values.round(3)


def windows_of(values):
    """Standardised windows of all rows, and the row after each."""
    scaled = (values - [10, 3]) / [2, 1]
    x = np.stack([scaled[at : at + WINDOW] for at in range(ROWS - WINDOW)])
    return x, scaled[WINDOW:, :1]


@pytest.fixture(scope="module")
def model():
    """A detector whose threshold lies between calm rows and the fault."""
    config = {"window": WINDOW, "horizon": 1, "d_model": 4, "ffn": 4, "inputs": 2}
    model = initialize(TransformerConfig(name="m", task="detect", **config))
    model = dataclasses.replace(model, meta={"dataset": DATASET, "source": SOURCE})
    x, judged = windows_of(rows(fault=range(0)))
    *before, judge = model.operations
    for threshold in range(0, judge.score_bound(model.tensors), 4):
        judge = dataclasses.replace(judge, smoothing=1, hold=1, threshold=threshold)
        model = dataclasses.replace(model, operations=(*before, judge))
        if not reference.predict(model, x, None, judged).any():
            return model
    raise AssertionError("calm rows must be below a threshold")


@pytest.fixture
def file(tmp_path, model):
    save_model(model, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def write(path, values):
    lines = [
        f"2026-01-{1 + n // 24:02d} {n % 24:02d}:00,{b},{a}" for n, (a, b) in enumerate(values)
    ]
    path.write_text("\n".join(["t,b,a", *lines]) + "\n")
    return path


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "new.csv", rows())


@pytest.fixture
def expected(model):
    """The flag of each window, of the rows from the fifth on, which is in line 6."""
    x, judged = windows_of(rows())
    flags = reference.predict(model, x, None, judged).ravel().astype(int).tolist()
    assert 1 in flags[FAULT.start - WINDOW :]
    return flags


def test_all_windows_are_judged_from_a_reset_on(bitformer, file, data, expected):
    said = bitformer("predict", file, "--data", data, "--json")
    assert said.code == 0
    found = said.data
    assert found["task"] == "detect"
    assert found["flags"] == expected
    assert found["lines"] == list(range(6, ROWS + 2))
    assert found["times"][0] == "2026-01-01T04:00:00"
    up = expected.index(1)
    assert up == FAULT.start - WINDOW
    assert found["alarms"][0][0] == up
    assert sum(stop - start for start, stop in found["alarms"]) == sum(expected)
    assert found["flagged"] == pytest.approx(sum(expected) / len(expected))


def test_people_read_when_it_went_up(bitformer, file, data, expected):
    said = bitformer("predict", file, "--data", data)
    assert said.code == 0
    assert f"line {FAULT.start + 2}" in said.out
    assert "2026-01-02 01:00" in said.out
    share = f"{sum(expected) / len(expected):.2%} of {len(expected)} windows"
    assert f"Flag up in {share}" in said.out
    assert f"which judges line {ROWS + 1}, 2026-01-02 15:00, the flag is" in said.out


def test_a_calm_file_has_no_alarm(bitformer, file, tmp_path):
    calm = write(tmp_path / "calm.csv", rows(fault=range(0)))
    said = bitformer("predict", file, "--data", calm)
    assert said.code == 0
    assert "Flag up in 0.00% of 36 windows, in 0 alarms" in said.out
    assert "the flag is not up" in said.out


def test_some_windows_begin_at_a_reset(bitformer, file, data, model):
    """The newest ones, or those up to a row; the first of them is the first after a reset."""
    x, judged = windows_of(rows())
    for options, some in (
        (["--windows", 7], slice(-7, None)),
        (["--windows", 5, "--at", 31], slice(21, 26)),
        (["--at", "2026-01-02T01:00"], slice(0, 22)),
    ):
        found = bitformer("predict", file, "--data", data, *options, "--json").data
        own = reference.predict(model, x[some], None, judged[some]).ravel()
        assert found["flags"] == own.astype(int).tolist()
        assert found["lines"] == list(range(6, ROWS + 2))[some]
    said = bitformer("predict", file, "--data", data, "--windows", 50)
    assert f"{data} has 36 windows to judge, not 50" in said.err


def test_the_hardware_judges_the_same(bitformer, file, data, expected):
    asked = ["predict", file, "--data", data, "--engine", "python", "--json"]
    some = ["--windows", 4, "--at", 29]
    found = bitformer(*asked, *some).data
    own = bitformer("predict", file, "--data", data, *some, "--json").data
    assert (found["engine"], found["flags"]) == ("python", own["flags"])
    assert 1 in found["flags"]


def test_a_board_goes_on_from_what_it_has_judged(bitformer, file, data, model, monkeypatch):
    accelerator = Accelerator(design=lower(model))
    transport = ByteTransport(ByteShell(accelerator=accelerator), patience=50_000)
    monkeypatch.setattr(transport, "close", lambda: None)
    monkeypatch.setattr(ports, "open_transport", lambda *_, **_rates: transport)
    asked = ["predict", file, "--data", data, "--port", "P"]
    # judged are the rows of lines 25 to 29, of which the fault begins in line 27, then 29 again
    x, judged = (some[[19, 20, 21, 22, 23, 23]] for some in windows_of(rows()))
    flags = reference.predict(model, x, None, judged).ravel().astype(int).tolist()
    first = bitformer(*asked, "--at", 27, "--windows", 3, "--json").data
    assert first["flags"] == flags[:3] == [0, 0, 1]
    later = bitformer(*asked, "--at", 29, "--windows", 2, "--json").data
    assert later["flags"] == flags[3:5] == [1, 1]
    assert later["rejected"] == 3
    said = bitformer(*asked, "--at", 29, "--windows", 1)
    assert f"the flag is {'up' if flags[5] else 'not up'}" in said.out
    assert f"The board has raised its flag in {sum(flags)} windows" in said.out


def test_flags_as_a_table(bitformer, file, data, expected, tmp_path):
    table = tmp_path / "flags.csv"
    assert bitformer("predict", file, "--data", data, "--csv", table).code == 0
    found = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [int(row["flag"]) for row in found] == expected
    assert list(found[0].values()) == ["2026-01-01 04:00", "0", "6"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plot", "p.png"], "--plot must be left out with a detector, whose answers are flags"),
        (["--interval", "80"], "--interval must be left out with a detector, whose answers are fl"),
        (["--at", "3"], "must have 5 rows without a gap up to 3 for a window and what is judged"),
        (
            ["--series", "b"],
            "must hold one series for a detector, whose windows follow one another",
        ),
    ],
)
def test_mistakes(bitformer, file, data, options, message):
    said = bitformer("predict", file, "--data", data, *options)
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_column_of_the_judged_must_be_there(bitformer, file, tmp_path):
    lacking = tmp_path / "b.csv"
    lacking.write_text("t,b\n2026-01-01 00:00,1\n")
    said = bitformer("predict", file, "--data", lacking)
    assert said.code == 2
    assert "must have the columns that the model takes, a, b, and lacks a" in said.err


def test_alarms_of_flags():
    numbers = np.array([1, 1, 0, 0, 1, 0, 1])
    found = Flags(
        target="a", numbers=numbers, lines=tuple(range(7)), times=None, dated=False, engine="e"
    )
    assert found.alarms == ((0, 2), (4, 5), (6, 7))
    assert found.share == 4 / 7
    assert repr(found) == "<Flags: 57.14% of 7 windows, in 3 alarms>"
    assert next(iter(found.rows())) == {"flag": 1, "line": 0}
    json.dumps(found.to_dict())
    calm = dataclasses.replace(found, numbers=np.zeros(7, int))
    assert calm.alarms == ()
