"""The demo's shape, on a small model."""

import json
import re
from pathlib import Path

import pytest

import bitformer.cli.demo as demo
from bitformer.model.checkpoint import load_model
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.sources import ENVIRONMENT
from bitformer.model.model_name import name_after

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small(monkeypatch):
    """The demo with the tiny model."""
    monkeypatch.setattr(demo, "CONFIGS", dict.fromkeys(demo.CONFIGS, "tiny"))


@pytest.mark.needs("posix")
def test_demo_ends_with_a_table_and_files(small, bitformer, tmp_path, monkeypatch, routed):
    routed.does(s1=70.0, s2=90.0)
    # no folder and no network is asked for data
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "no"))
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: pytest.fail("asked for a download"))
    options = ["demo", "--quick", "--samples", "2", "-o", tmp_path]
    said = bitformer(*options, "--json")
    assert said.code == 0
    data = said.data
    assert data["data"]["name"] == "nyc-taxi"
    assert data == json.loads((tmp_path / "results.json").read_text())
    errors = data["test_mse"]
    assert list(errors) == ["float Transformer", "quantized (QAT)", "integer"]
    assert errors["integer"] == pytest.approx(errors["quantized (QAT)"], rel=1e-12)
    some = data["simulated"]["test_mse"]
    assert some["hardware"] == some["integer"]
    assert data["simulated"]["test_windows"] == 2
    assert data["simulation"]["bit_exact"] is True
    assert data["simulation"]["latency_cycles"][0] == data["estimate"]["latency_cycles"]
    assert data["estimate"]["part"] == "xc7s15"
    # the table has whole designs: what the stores take is the least of it
    used = {use["resource"]: use["used"] for use in data["estimate"]["resources"]}
    assert data["prediction"]["luts"]["value"] > 2 * used["LUT (stores only)"]
    assert f"{data['prediction']['luts']['value']}" in said.err
    assert load_model(data["model"]).config.name == "tiny"
    assert (tmp_path / "build-sea" / "build_tiny.sh").is_file()
    bitstream = data["bitstream"]
    assert bitstream["path"] == str(tmp_path / "build-ulx3s" / "top.bit")
    assert (tmp_path / "build-ulx3s" / "top.bit").read_text().startswith("bits of config of seed 2")
    assert (bitstream["reached_mhz"], bitstream["problems"]) == (90.0, [])
    assert (bitstream["luts"], bitstream["luts_available"]) == (7, 24288)
    assert bitstream["latency_us"] == bitstream["cycles"] / bitstream["asked_mhz"]
    assert "90.0 MHz after routing, 60 asked" in said.err
    for row in ("float Transformer", "simulated hardware", "repeat last value", "repeat last day"):
        assert row in said.err
    for row in ("linear", "DSP", "RAMB18", "bit for bit", "Build plan", str(tmp_path), "xc7s15"):
        assert row in said.err
    again = bitformer(*options)
    assert again.code == 0
    assert "Trained for two epochs only" in again.out
    assert again.out.splitlines()[0] == data["verdict"]["sentence"]
    assert data["verdict"]["mse"] == errors["integer"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["train_seconds"] == data["train_seconds"], "resumed, not repeated"


@pytest.mark.needs("posix")
def test_without_the_open_tools_a_sentence_and_a_missed_clock_is_exit_code_one(
    small, bitformer, tmp_path, monkeypatch, routed
):
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/such")
    options = ["demo", "--quick", "--samples", "1", "-o", tmp_path]
    said = bitformer(*options)
    assert said.code == 0
    wrong = "NEXTPNR_ECP5 must name a program, and '/no/such' was not found"
    assert f"No bitstream:  {wrong}\n" in said.out
    assert json.loads((tmp_path / "results.json").read_text())["bitstream"] is None
    assert not (tmp_path / "build-ulx3s").exists()
    assert "bitstream" not in bitformer(*options, "--no-bitstream").out.lower()
    # the training is resumed
    monkeypatch.setenv("NEXTPNR_ECP5", str(tmp_path / "tools" / "nextpnr-ecp5"))
    routed.does(s1=50.0, s2=59.9)
    said = bitformer(*options)
    assert said.code == 1
    assert "NOT good: clock clk reaches 59.9 MHz of the 60.0 MHz asked for" in said.out


@pytest.mark.needs("nextpnr-ecp5")
@pytest.mark.slow
def test_the_whole_demo_ends_in_a_routed_bitstream(bitformer, tmp_path):
    """As on a fresh machine without Vivado, but for the epochs: the model, the board, the tools."""
    said = bitformer("demo", "--quick", "--samples", "1", "-o", tmp_path)
    assert said.code == 0
    bitstream = tmp_path / "build-ulx3s" / "top.bit"
    assert f"Bitstream:     {bitstream}" in said.out
    assert b"Part: LFE5U-25F-6CABGA381" in bitstream.read_bytes()[:200]
    found = json.loads((tmp_path / "results.json").read_text())["bitstream"]
    assert found["problems"] == []
    assert found["reached_mhz"] >= found["asked_mhz"] == 60
    # weights of two epochs, and of another processor, change a netlist by little
    page = (ROOT / "docs" / "results.md").read_text()
    (mhz,) = re.findall(r"60 MHz asked, ([\d.]+) MHz after routing", page)
    (luts,) = re.findall(r"^\| LUTs, by nextpnr \| ([\d ]+) of 24 288 \|", page, re.M)
    assert found["reached_mhz"] == pytest.approx(float(mhz), rel=0.1)
    assert found["luts"] == pytest.approx(int(luts.replace(" ", "")), rel=0.1)
    assert (tmp_path / "build-sea" / "build_taxi_48_12.sh").is_file()


def test_the_benchmark_is_the_other_one(small, bitformer, tmp_path, monkeypatch):
    """Without its file, one sentence says what to do."""
    assert bitformer("demo", "--data", "etth2", "-o", tmp_path).code == 2
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "no"))
    said = bitformer("demo", "--data", "etth1", "--quick", "--no-bitstream", "-o", tmp_path)
    assert said.code == 2
    assert "BITFORMER_DATA must name a folder with data sets" in said.err


def test_each_data_set_has_a_config_that_is_named_for_it():
    assert demo.DATA == "nyc-taxi"
    data = load_dataset("nyc-taxi", window=48, horizon=12)
    for name, config in demo.CONFIGS.items():
        assert name_after(named_config(config), name, data) == config


def test_hardware_that_differs_is_exit_code_one(small, bitformer, tmp_path, monkeypatch):
    import bitformer.sim.run as run

    right = run.reference.run

    def wrong(model, x, *state):
        values = dict(right(model, x, *state))
        values["output"] = values["output"] + 1
        return values

    monkeypatch.setattr(run.reference, "run", wrong)
    said = bitformer("demo", "--quick", "--samples", "1", "--no-bitstream", "-o", tmp_path)
    assert said.code == 1
    assert "NOT bit exact: output[0, 0]" in said.out
