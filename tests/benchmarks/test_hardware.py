"""The record of the hardware: it is as recorded, and what differs is said."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitformer.model.initialize import initialize

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def hardware(monkeypatch):
    """The script, in the folder where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import hardware

    return hardware


def run(hardware, *args):
    return CliRunner().invoke(hardware.main, [str(arg) for arg in args])


def test_every_design_is_as_recorded(hardware):
    """Where the hardware is to change: benchmarks/hardware.py --write --synthesize, and commit."""
    said = run(hardware)
    assert said.exit_code == 0, said.stdout
    assert said.stdout == ""
    assert "119 designs, 0 not as recorded" in said.stderr


def test_the_record_says_all_of_every_design(hardware):
    record = hardware.read_record()
    assert list(record) == list(hardware.DESIGNS)
    assert {name for name in record if "synthesis" in record[name]} == set(hardware.SYNTHESIZED)
    for one in record.values():
        assert one["timetable"]["count"] == one["images"]["program"]["count"] > 0
        assert {"program", "weights", "parameters"} <= set(one["images"]) <= set(one["stores"])
    assert len({one["timetable"]["sha256"] for one in record.values()}) > 20
    assert len({json.dumps(one["images"]) for one in record.values()}) == 119


def test_what_differs_is_said_field_by_field(hardware, tmp_path):
    record = hardware.read_record()
    record["tiny"]["latency"] += 1
    record["tiny"]["images"]["weights"]["sha256"] = "0" * 64
    record["tiny"]["stores"]["more"] = "1x1"
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    said = run(hardware, "tiny", "grid-6-8-4", "--record", path)
    assert said.exit_code == 1
    latency, weights, stores = said.stdout.splitlines()
    assert latency == "tiny: latency: 753, was 754"
    assert weights.startswith("tiny: images.weights.sha256: ")
    assert weights.endswith("…, was 000000000000…")
    assert stores == "tiny: stores.more: nothing, was 1x1"
    assert "2 designs, 1 not as recorded" in said.stderr


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("timetable", lambda d: d.schedule.events[3].writes.__iadd__(1)),
        ("program", lambda d: object.__setattr__(d.program.operations[1], "shift", 3)),
        ("program", lambda d: object.__setattr__(d.program.instructions[2], "act", 0)),
        ("images.weights", lambda d: d.images["weights"].__setitem__(5, 1)),
        ("bounds", lambda d: d.bounds.__setitem__("output", 1)),
    ],
)
def test_a_change_of_one_thing_is_seen(hardware, monkeypatch, field, change):
    was = hardware.facts("tiny")
    design = hardware.DESIGNS["tiny"]()
    change(design)
    monkeypatch.setitem(hardware.DESIGNS, "tiny", lambda: design)
    said = list(hardware.differences(was, hardware.facts("tiny")))
    assert said
    assert all(line.startswith(field) for line in said)


def test_writing_keeps_the_synthesis_of_what_is_the_same(hardware, monkeypatch, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(hardware.RECORD.read_text())
    assert run(hardware, "--write", "tiny", "tiny-w1a8", "--record", path).exit_code == 0
    assert path.read_text() == hardware.RECORD.read_text()
    config = hardware.named_config("tiny")
    changed = hardware.lower(initialize(config, seed=5))
    monkeypatch.setitem(hardware.DESIGNS, "tiny", lambda: changed)
    assert run(hardware, "--write", "tiny", "--record", path).exit_code == 0
    record, before = hardware.read_record(path), hardware.read_record()
    assert record["tiny"]["images"]["weights"] != before["tiny"]["images"]["weights"]
    assert "synthesis" not in record["tiny"]
    assert record.pop("tiny") != before.pop("tiny")
    assert record == before


def test_an_unknown_design_is_refused(hardware):
    said = run(hardware, "tiny", "huge")
    assert said.exit_code == 1
    assert "DESIGN must be one of grid-6-8-4" in str(said.exception)


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_synthesis_is_as_recorded(hardware):
    said = run(hardware, "tiny", "--synthesize")
    assert said.exit_code == 0, said.stdout
