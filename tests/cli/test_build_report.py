import json
import shutil
from pathlib import Path

import pytest

from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.model.checkpoint import load_model
from bitformer.model.identity import model_hash

REPORTS = Path(__file__).resolve().parents[1] / "boards" / "reports"
FACTS = {
    "name": "net",
    "board": "elastic-node-v5",
    "part": "xc7s15ftgb196-1",
    "clock_hz": 100_000_000,
    "latency_cycles": 5_529,
    "bitstream": "net.bit",
}


@pytest.fixture
def build(tmp_path):
    path = shutil.copytree(REPORTS / "v2018_2", tmp_path / "build")
    (path / "bitformer.json").write_text(json.dumps(FACTS))
    return path


def test_a_good_build(bitformer, build):
    said = bitformer("report", build, "--json")
    assert said.code == 0
    assert said.data["good"] is True
    assert said.data["power"]["total_w"] == 0.062
    assert said.data["utilization"]["uses"]["LUT"] == {
        "resource": "LUT",
        "used": 1904,
        "available": 8000,
    }
    assert said.data["energy"]["inference_j"] == 0.062 * 5_529 / 100e6
    assert said.data["energy"]["day"]["forecasts"] == 1440
    text = bitformer("report", build).out
    assert "3.428" in text  # µJ
    assert "Good: it fits" in text


def test_a_good_build_is_remembered_once(bitformer, build, tmp_path):
    base = tmp_path / "base.sqlite"
    for _ in range(2):
        assert bitformer("report", build, "--kb", base).code == 0
    bitformer("report", REPORTS / "v2022_1", "--kb", base)
    (entry,) = KnowledgeBase(base).entries()
    assert (entry.kind, entry.name, entry.part) == ("build", "net", "xc7s15ftgb196")
    assert (entry.luts, entry.tool) == (1904, "Vivado")
    assert "2018.2" in entry.version


def test_an_estimate_takes_the_power_of_a_build_of_the_same_model(bitformer, build, tiny):
    model = {"model": model_hash(load_model(tiny)).hex()}
    (build / "bitformer.json").write_text(json.dumps(FACTS | model))
    assert bitformer("report", build).code == 0
    said = bitformer("estimate", tiny, "--json")
    energy, cycles = said.data["energy"], said.data["latency_cycles"]
    assert (energy["power_w"], energy["build"]) == (0.062, "net")
    assert energy["inference_j"] == 0.062 * cycles / 100e6
    assert "62 mW x latency, by Vivado" in said.err
    for other in (["--clock", 50], ["--part", "xc7s50"]):
        assert "model" in bitformer("estimate", tiny, *other, "--json").data["energy"]["is"]
        assert "build" not in bitformer("estimate", tiny, *other, "--json").data["energy"]


def test_power_of_another_model_is_none_of_an_estimate(bitformer, build, tiny):
    (build / "bitformer.json").write_text(json.dumps(FACTS | {"model": "00" * 8}))
    assert bitformer("report", build).code == 0
    assert "build" not in bitformer("estimate", tiny, "--json").data["energy"]


def test_a_bad_build(bitformer, build):
    said = bitformer("report", REPORTS / "v2022_1", "--json")
    assert said.code == 1
    assert said.data["good"] is False
    assert "hold is not constrained (NA in the timing report)" in said.data["problems"]
    assert said.data["energy"] is None
    text = bitformer("report", REPORTS / "v2022_1").out
    assert "Not good: the power report hides its confidence level" in text
    assert "Good: it fits" not in text


def test_options(bitformer, build):
    said = bitformer(
        "report", build, "--cycles", 100, "--clock", 50, "--per-day", 1, "--config-power", 0.5,
        "--json",
    )  # fmt: skip
    assert said.data["energy"]["seconds"] == 2e-6
    assert said.data["energy"]["configuration_j"] == pytest.approx(0.5 * 0.02155, rel=1e-3)
    # At another clock than the timing report's, that report says nothing.
    assert bitformer("report", build, "--per-day", 10**10).code == 2


def test_mistakes(bitformer, tmp_path):
    said = bitformer("report", tmp_path)
    assert said.code == 2
    assert said.err.startswith("Error: Directory ")
    assert "Traceback" not in said.err
