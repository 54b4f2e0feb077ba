import re
import shutil
from pathlib import Path

import pytest
from manifest_harness import write_manifest

from bitformer.boards.reports import report
from bitformer.boards.reports.kind import ReportKind
from bitformer.boards.reports.report import read_build
from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.hw.parts import Use
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

REPORTS = Path(__file__).resolve().parents[1] / "boards" / "reports"


@pytest.fixture
def build(tmp_path):
    path = shutil.copytree(REPORTS / "v2018_2", tmp_path / "build")
    write_manifest(path)
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
    write_manifest(build, **model)
    assert bitformer("report", build).code == 0
    said = bitformer("estimate", tiny, "--json")
    energy, cycles = said.data["energy"], said.data["latency_cycles"]
    assert (energy["power_w"], energy["build"]) == (0.062, "net")
    assert energy["inference_j"] == 0.062 * cycles / 100e6
    assert "62 mW x latency, by Vivado" in said.err
    for other in (["--clock", 50], ["--part", "xc7s50"]):
        assert "model" in bitformer("estimate", tiny, *other, "--json").data["energy"]["is"]
        assert "build" not in bitformer("estimate", tiny, *other, "--json").data["energy"]


def test_an_estimate_takes_the_clock_of_a_build_of_the_same_model(bitformer, build, tiny):
    before = bitformer("estimate", tiny, "--json").data
    assert (before["clock"]["by"], before["measured_mhz"]) == ("calibrated", None)
    write_manifest(build, model=model_hash(load_model(tiny)).hex())
    fastest = bitformer("report", build, "--json").data["timing"]
    said = bitformer("estimate", tiny, "--json").data
    mhz = 1000 / (10 - fastest["slack_ns"]["setup"])
    assert said["measured_mhz"] == said["clock"]["mhz"] == pytest.approx(mhz)
    assert said["clock"]["latency_us"] == pytest.approx(said["latency_cycles"] / mhz)
    assert said["clock"]["by"] == "measured"
    # the clock is the design's own, whatever is asked for; another part's is not
    assert bitformer("estimate", tiny, "--clock", 50, "--json").data["measured_mhz"] is not None
    other = bitformer("estimate", tiny, "--part", "xc7s50", "--json").data
    assert (other["measured_mhz"], other["clock"]["by"]) == (None, "calibrated")


@pytest.mark.usefixtures("one_family_measured")
def test_a_builds_days_beside_those_of_other_parts(bitformer, build, tiny, tmp_path):
    """By the reported power, by the model of power, and on a part where it was synthesized."""
    own = model_hash(load_model(tiny)).hex()
    write_manifest(build, model=own)
    said = bitformer("report", build, "--model", tiny, "--json")
    assert said.code == 0
    assert [one["part"] for one in said.data["days"]] == ["xc7s15"]
    assert said.data["days"][0]["clock_hz"] == 100e6
    reported = said.data["reported_days"]
    assert list(reported) == ["a second", "a minute", "ten minutes"]
    assert reported["a minute"]["idle_j"] == said.data["energy"]["day"]["idle_j"]
    assert reported["a second"]["off_j"] == pytest.approx(60 * reported["a minute"]["off_j"])
    assert "lfe5u-25f is left out" in said.err
    assert {"xc7s15,", "reported"} <= {*said.err.split()}  # a cell may take two lines
    assert "days" not in bitformer("report", build, "--json").data
    # another's model, and a project that is not bitformer's
    other = tmp_path / "other.safetensors"
    save_model(initialize(named_config("grid-6-8-4")), other)
    said = bitformer("report", build, "--model", other)
    assert (said.code, f"whose hash is {own}, and" in said.err) == (2, True)
    said = bitformer("report", REPORTS / "v2022_1", "--model", tiny)
    assert (said.code, "holds no build of a model by bitformer" in said.err) == (2, True)


def test_power_of_another_model_is_none_of_an_estimate(bitformer, build, tiny):
    write_manifest(build, model="00" * 8)
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


DRC = """\
| Tool Version : Vivado v.2022.1 (lin64) Build 3526262
REPORT DRC
Checks violated: 2
"""


def test_a_kind_of_report_is_registered_in_one_place(build, monkeypatch, bitformer):
    """Everything that a made-up kind says is in the result, in the table and in the JSON."""
    drc = ReportKind(
        name="drc",
        files={"*_checks.txt": "^REPORT DRC"},
        read=lambda text: Use(resource="checks", used=int(text.split()[-1]), available=0),
        problems=lambda found, manifest: [f"{found.used} checks of {manifest.name} are violated"],
        rows=lambda found, manifest: [("violated checks", found.used, "of the DRC")],
    )
    monkeypatch.setattr(report, "KINDS", (*report.KINDS, drc))
    assert read_build(build).good  # a build may lack it
    (build / "net_checks.txt").write_text(DRC)
    (build / "net_other.txt").write_text(DRC.replace("2", "3"))  # by its name, no such report
    found = read_build(build)
    assert found.found["drc"].used == 2
    assert found.files["drc"] == "net_checks.txt"
    assert found.problems == ("2 checks of net are violated",)
    said = bitformer("report", build, "--json")
    assert said.code == 1
    assert said.data["drc"] == {"resource": "checks", "used": 2, "available": 0}
    text = bitformer("report", build).out
    assert re.search(r"violated checks +2 +of the DRC", text)
    assert "Not good: 2 checks of net are violated" in text
    (build / "net_checks.txt").write_text(DRC.replace("2\n", "many\n"))
    with pytest.raises(ValueError, match="many"):
        read_build(build)
