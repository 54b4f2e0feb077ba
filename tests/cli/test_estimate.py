"""Each command does what its help says, for people and, with ``--json``, for programs."""

import functools
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_damage import assembled, taken_apart

from bitformer.boards.catalog import BOARDS
from bitformer.cli import boards as boards_command
from bitformer.cli.report import Report, command_line, program
from bitformer.hw.lowering.lower import lower
from bitformer.model import progress
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.model.reference import predict

EVERY = {
    "boards": ["boards"],
    "init": ["init", "tiny", "-o", "{out}/m.safetensors"],
    "info": ["info", "{model}"],
    "estimate": ["estimate", "{model}"],
    "evaluate": ["evaluate", "{model}", "--data", "synthetic"],
    "noise": ["noise", "{model}", "--data", "synthetic", "--samples", "4"],
    "simulate": ["simulate", "{model}", "--samples", "1"],
    "elaborate": ["elaborate", "{model}", "-o", "{out}/verilog"],
    "build": ["build", "{model}", "--board", "sea", "--plan-only", "-o", "{out}/plan"],
}


@pytest.mark.parametrize("args", EVERY.values(), ids=EVERY)
def test_json_is_all_that_the_standard_output_holds(args, bitformer, tiny, tmp_path):
    args = [arg.format(model=tiny, out=tmp_path) for arg in args]
    said = bitformer(*args, "--json")
    assert said.code == 0
    assert isinstance(said.data, dict)
    people = bitformer(*args)
    assert people.code == 0
    assert people.out.strip()
    assert people.out.strip() in said.err


def test_boards(bitformer):
    found = bitformer("boards", "--json").data["boards"]
    assert [board["name"] for board in found] == list(BOARDS)
    assert found[0]["resources"]["luts"] == 8000
    assert all(board in bitformer("boards").out for board in BOARDS)
    assert boards_command.command.name == "boards"


def test_init_is_seeded(bitformer, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        said = bitformer("init", "tiny", "-o", tmp_path / "new" / name, "--seed", seed)
        assert said.code == 0
    a, b, c = ((tmp_path / "new" / name).read_bytes() for name in "abc")
    assert a == b != c


def test_init_of_a_file(bitformer, tmp_path):
    config = {"name": "mine", "window": 12, "patch": 4, "d_model": 8, "heads": 2, "ffn": 16}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    said = bitformer("init", tmp_path / "mine.json", "-o", tmp_path / "m.safetensors", "--json")
    assert said.code == 0
    assert load_model(tmp_path / "m.safetensors").config.d_model == 8


def test_decoder_from_a_file_to_verilog(bitformer, tmp_path):
    """An encoder and a decoder pass through the commands that need no data."""
    config = {"name": "both", "window": 8, "patch": 2, "horizon": 4, "d_model": 4, "ffn": 6}
    (tmp_path / "both.json").write_text(json.dumps({**config, "decoder_layers": 1}))
    model = tmp_path / "both.safetensors"
    assert bitformer("init", tmp_path / "both.json", "-o", model).code == 0
    info = bitformer("info", model, "--json").data
    assert {"decoder.layers.0.cross.k", "decoder.embedding"} <= {
        row["output"] for row in info["operations"]
    }
    estimate = bitformer("estimate", model, "--layers", "--json").data
    layers = {layer["layer"]: layer for layer in estimate["layers"]}
    # the forecast's rows, and causal scores of 1 and 2 keys by 4 features
    assert layers["output"]["rows"] == 2
    assert layers["decoder.layers.0.scores"]["rows"] == 2
    said = bitformer("simulate", model, "--samples", "2", "--json").data
    assert said["bit_exact"]
    assert said["latency_cycles"][0] == estimate["latency_cycles"]
    written = bitformer("elaborate", model, "-o", tmp_path / "verilog", "--json")
    assert written.code == 0


def test_info_adds_up(bitformer, tiny):
    data, model = bitformer("info", tiny, "--json").data, load_model(tiny)
    assert data["macs"] == model.config.macs
    assert [tensor["name"] for tensor in data["tensors"]] == list(model.tensors)
    sizes = {f"layers.0.{name}": 8 * 8 + 8 for name in ("q", "k", "v", "add1")}
    sizes |= {"embedding": 4 * 8 + 8, "output": 48 * 6 + 6, "path": 24 * 6 + 6}
    sizes |= {"layers.0.hidden": 8 * 16 + 16, "layers.0.add2": 16 * 8 + 8}
    sizes |= {"layers.0.norm1": 16, "layers.0.norm2": 16}
    found = {row["output"]: row["parameters"] for row in data["operations"] if row["parameters"]}
    assert found == sizes
    assert data["parameters"] == sum(sizes.values())
    bits = {"output": 8, "path": 8}
    linears = [op for op in model.operations if hasattr(op, "weight")]
    weights = sum(op.weight.size * bits.get(op.y, 4) for op in linears)
    assert data["stored_bits"]["weights"] == weights
    assert data["size_bits"] == sum(data["stored_bits"].values())
    wide, narrow = 48 * 6 + 6 + 24 * 6 + 6, 4 * 8 + 8 + 4 * (8 * 8 + 8) + 2 * 8 * 16 + 16 + 8
    assert data["compression_published"] == 32 * (wide + narrow) / (8 * wide + 4 * narrow)


def test_evaluate_is_the_references_error(bitformer, tiny):
    model = load_model(tiny)
    data = load_dataset("synthetic", window=24, horizon=6)
    expected = np.mean((predict(model, data.test.x) - data.test.y) ** 2)
    said = bitformer("evaluate", tiny, "--data", "synthetic", "--json")
    assert said.data["test_mse"]["tiny (integer)"] == pytest.approx(expected)
    assert said.data["test_windows"] == len(data.test)
    assert "Synthetic data: generated, not measured" in said.err
    root = expected**0.5 * data.target_std
    assert said.data["test_rmse"]["tiny (integer)"] == pytest.approx(root)


def test_evaluate_in_the_simulator_is_the_same(bitformer, tiny):
    some = ["evaluate", tiny, "--data", "synthetic", "--samples", "2", "--json"]
    reference, hardware = bitformer(*some), bitformer(*some, "--engine", "python")
    assert hardware.code == 0
    assert (
        hardware.data["test_mse"]["tiny (python)"] == reference.data["test_mse"]["tiny (integer)"]
    )
    assert hardware.data["baseline_mse"] == reference.data["baseline_mse"]
    assert hardware.data["test_windows"] == 2


@pytest.mark.slow  # compiles the design
@pytest.mark.needs("compiler")
def test_native_engine_is_the_same(bitformer, tiny):
    data = ["--data", "synthetic"]
    reference = bitformer("evaluate", tiny, *data, "--json")
    hardware = bitformer("evaluate", tiny, *data, "--engine", "native", "--json")
    assert hardware.code == 0
    expected = reference.data["test_mse"]["tiny (integer)"]
    assert hardware.data["test_mse"]["tiny (native)"] == expected
    said = bitformer("simulate", tiny, "--samples", "50", "--engine", "native", "--json")
    assert said.code == 0
    assert (said.data["engine"], said.data["bit_exact"]) == ("native", True)
    assert set(said.data["interval_cycles"]) == {said.data["predicted"]["interval_cycles"]}


def test_estimate_takes_part_lanes_clock_and_placement(bitformer, tiny):
    usual = bitformer("estimate", tiny, "--json").data
    design = lower(load_model(tiny))
    assert (usual["part"], usual["latency_cycles"]) == ("xc7s15", design.latency)
    options = ["--part", "xc7s50", "--lanes", "8", "--clock", "50", "--place", "scores=registers"]
    other = bitformer("estimate", tiny, *options, "--json").data
    assert other["part"] == "xc7s50"
    assert other["latency_cycles"] > usual["latency_cycles"]
    assert other["latency_us"] == pytest.approx(other["latency_cycles"] / 50)
    placement = {store["name"]: store["placement"] for store in other["stores"]}
    assert placement["scores"] == "registers"
    assert "stores" in other["luts_are"]


def test_estimate_predicts_the_whole_design(bitformer, tiny):
    """From the base that ships, without any set-up."""
    said = bitformer("estimate", tiny, "--clock", "50", "--json")
    prediction, energy = said.data["prediction"], said.data["energy"]
    for name in ("luts", "lutram", "ffs"):
        span = prediction[name]
        assert 0 < span["low"] < span["value"] < span["high"]
    resources = {use["resource"]: use["used"] for use in said.data["resources"]}
    assert (prediction["dsps"], prediction["fits"]) == (resources["DSP"], True)
    seconds = said.data["latency_cycles"] / 50e6
    assert energy["inference_j"] == pytest.approx(energy["power_w"] * seconds)
    assert energy["power_w"] > energy["static_w"] == 0.02
    assert "a model" in energy["is"]
    assert "by a model, not a measurement" in said.err


def test_estimate_names_what_does_not_fit(bitformer, tiny):
    said = bitformer("estimate", tiny, "--lanes", "64", "--json")
    assert said.code == 1
    assert "Does not fit xc7s15: DSP: 35 of 20, 15 too many" in said.err
    data = said.data
    assert data["within_budget"] is False
    assert {use["resource"]: use["over"] for use in data["resources"]}["DSP"] == 15


def test_estimate_says_what_would_fit(bitformer, tiny):
    said = bitformer("estimate", tiny, "--lanes", "64", "--json")
    remedy = said.data["remedies"][0]
    assert remedy["within_budget"] is True
    assert f"It fits with {remedy['change']}: " in said.err
    assert "remedies" not in bitformer("estimate", tiny, "--json").data


@pytest.mark.parametrize("command", ["estimate", "doctor"])
def test_a_search_for_changes_is_watched(bitformer, tiny, monkeypatch, command):
    args = (command, tiny, "--lanes", "64")
    alone = bitformer(*args)
    assert (alone.code, "trying" in alone.out + alone.err) == (1, False)
    seen = functools.partial(progress.progress_bar, enabled=True)
    monkeypatch.setattr(f"bitformer.cli.{command}.progress_bar", seen)
    watched = bitformer(*args)
    # what is drawn last, where a terminal cannot be drawn over
    assert "trying part xc7s" in watched.err
    assert watched.out == alone.out


def test_estimate_of_layers_adds_up(bitformer, tiny, tmp_path):
    picture = tmp_path / "new" / "timeline.svg"
    data = bitformer("estimate", tiny, "--layers", "--plot", picture, "--json").data
    spent = sum(layer["engine"] + layer["waited"] for layer in data["layers"])
    assert spent == data["interval_cycles"]
    assert "layers.0.scores" in [layer["layer"] for layer in data["layers"]]
    assert "<svg" in picture.read_text()


@pytest.fixture
def no_yosys(monkeypatch):
    """A machine without Yosys, whose release is in the keys of what was measured."""

    def missing(*_args):
        raise UserError("Synthesis needs Yosys")

    monkeypatch.setattr("bitformer.estimate.component_stores.component_keys", missing)


def test_estimate_of_components_adds_up(bitformer, tiny, no_yosys):
    said = bitformer("estimate", tiny, "--components", "--json")
    assert said.code == 0
    data = said.data
    *rest, total = data["components"]
    for name, count in (("luts", "luts"), ("lutram", "lutram")):
        assert total[name] == data["prediction"][count]["value"] == sum(row[name] for row in rest)
    assert total["ramb18"] == data["prediction"]["ramb18"]
    assert total["ramb18"] == pytest.approx(sum(row["ramb18"] for row in rest))
    rows = {row["name"]: row for row in rest}
    assert rows["MHA"]["bits"] == "4/8"
    assert not rows["MHA"]["measured"]
    words = {store["name"]: store["depth"] for store in data["stores"]}
    for store in ("program", "weights", "parameters"):
        assert sum(row.get("rom_words", {}).get(store, 0) for row in rest) == words[store]
    assert "What each component adds" in said.err
    assert "components" not in bitformer("estimate", tiny, "--json").data


def test_simulate_is_bit_exact_and_on_time(bitformer, tiny, tmp_path):
    waves = tmp_path / "new" / "waves.vcd"
    said = bitformer("simulate", tiny, "--samples", "2", "--vcd", waves, "--json")
    assert said.code == 0
    assert said.data["bit_exact"] is True
    assert said.data["difference"] is None
    assert said.data["cycles_as_predicted"] is True
    assert said.data["latency_cycles"][0] == said.data["predicted"]["latency_cycles"]
    tensors = set(load_model(tiny).tensors) - {"input", "position"}
    assert tensors <= set(said.data["tensors"])
    assert waves.stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_simulate_the_netlist(bitformer, tiny):
    said = bitformer("simulate", tiny, "--samples", "3", "--engine", "netlist", "--json")
    assert said.code == 0
    assert said.data["engine"] == "netlist"
    assert said.data["bit_exact"]
    assert said.data["cycles_as_predicted"]
    assert said.data["tensors"] == ["output"]


def test_simulate_under_back_pressure(bitformer, tiny):
    said = bitformer("simulate", tiny, "--samples", "1", "--backpressure", "0.4", "--json")
    assert said.code == 0
    assert said.data["bit_exact"] is True
    assert said.data["cycles_as_predicted"] is None


def test_a_wrong_bit_is_exit_code_one(bitformer, tiny, monkeypatch):
    import bitformer.sim.run as run

    right = run.reference.run

    def wrong(model, x):
        values = dict(right(model, x))
        values["layers.0.add1"] = values["layers.0.add1"] ^ 1
        return values

    monkeypatch.setattr(run.reference, "run", wrong)
    said = bitformer("simulate", tiny, "--samples", "1", "--json")
    assert said.code == 1
    assert said.data["bit_exact"] is False
    assert said.data["difference"]["tensor"] == "layers.0.add1"
    assert "Not bit exact: layers.0.add1[" in said.err


def test_elaborate_replaces_its_own_and_nothing_else(bitformer, tiny, tmp_path):
    for _ in range(2):
        said = bitformer("elaborate", tiny, "-o", tmp_path / "v", "--json")
        assert said.code == 0
    verilog = (tmp_path / "v" / "bitformer_accelerator.v").read_text()
    assert "module bitformer_accelerator(" in verilog
    design = json.loads((tmp_path / "v" / "bitformer.json").read_text())
    assert len(design["instructions"]) == len(lower(load_model(tiny)).program.instructions)
    assert design["operations"][0]["destination"] == "ACTIVATION"
    (tmp_path / "v" / "bitformer.json").unlink()
    assert bitformer("elaborate", tiny, "-o", tmp_path / "v").code == 2
    assert (tmp_path / "v" / "bitformer_accelerator.v").read_text() == verilog


def test_elaborate_with_the_ports_of_axi4_stream(bitformer, tiny, tmp_path):
    said = bitformer("elaborate", tiny, "--wrapper", "axi-stream", "-o", tmp_path / "v", "--json")
    assert said.code == 0
    verilog = (tmp_path / "v" / "bitformer_accelerator.v").read_text()
    (ports,) = re.findall(r"^module bitformer_accelerator\((.*?)\)", verilog, re.M)
    assert {"aclk", "aresetn", "s_axis_tdata", "m_axis_tlast"} <= set(ports.split(", "))
    assert json.loads((tmp_path / "v" / "bitformer.json").read_text())["wrapper"] == "axi-stream"
    assert bitformer("elaborate", tiny, "-o", tmp_path / "v", "--json").code == 0
    assert json.loads((tmp_path / "v" / "bitformer.json").read_text())["wrapper"] is None
    assert bitformer("elaborate", tiny, "--wrapper", "apb", "-o", tmp_path / "w").code == 2


def test_build_without_vivado_leaves_the_plan(bitformer, tiny, tmp_path, no_vivado):
    said = bitformer("build", tiny, "--board", "arty-s7-50", "-o", tmp_path / "b", "--json")
    assert said.code == 2
    assert said.data["bitstream"] is None
    assert said.err.splitlines()[-1].startswith(
        "Error: VIVADO must name a program, and 'vivado-that-is-not-here' was not found; the plan "
    )
    assert (tmp_path / "b" / "build_tiny.sh").is_file()
    assert said.data["command"] == "sh build_tiny.sh"


def test_build_runs_vivado(bitformer, tiny, tmp_path, monkeypatch):
    tool = tmp_path / "vivado"
    tool.write_text("#!/bin/sh\ntouch tiny_one.bit\n")
    tool.chmod(0o755)
    monkeypatch.setenv("VIVADO", str(tool))
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)
    options = ["--board", "sea", "--name", "tiny_one", "-o", tmp_path / "b"]
    said = bitformer("build", tiny, *options, "--json")
    assert said.code == 0
    assert said.data["bitstream"] == str(tmp_path / "b" / "tiny_one.bit")


def test_simulate_without_the_models_data_takes_random_ones(bitformer, tmp_path):
    model = replace(initialize(named_config("tiny")), meta={"dataset": {"name": "gone.csv"}})
    save_model(model, tmp_path / "m.safetensors")
    said = bitformer("simulate", tmp_path / "m.safetensors", "--samples", "1", "--json")
    assert said.code == 0
    assert said.data["source"] == "random"
    assert "Random samples, as " in said.err


def test_what_is_not_finite_is_null(capsys):
    Report(as_json=True).data({"error": float("nan"), "bounds": [float("inf"), 1.5]})
    assert json.loads(capsys.readouterr().out) == {"error": None, "bounds": [None, 1.5]}


def test_info_says_what_identifies_a_model(bitformer, tiny, tmp_path):
    data = bitformer("info", tiny, "--json").data
    model = load_model(tiny)
    other = tmp_path / "other.safetensors"
    digest = save_model(replace(model, meta={"mine": 1}), other)
    said = bitformer("info", other)
    assert said.out.count(digest) == 1
    assert data["model_hash"] == model_hash(model).hex() in said.out
    assert len(digest) == len(data["digest"]) == 64 != len(data["model_hash"])
    assert data["digest"] != digest


def test_export_renews_a_file_of_version_1(bitformer, tiny, tmp_path):
    header, arrays = taken_apart(tiny.read_bytes())
    del header["digest"]
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    old.write_bytes(assembled(header | {"version": 1}, arrays))
    refused = bitformer("info", old)
    assert refused.code == 2
    assert f"'bitformer export {old} -o NEW' writes it with one" in refused.err
    said = bitformer("export", old, "-o", new)
    assert said.code == 0
    assert "has no digest: whether it is as it was saved cannot be told" in said.err
    assert new.read_bytes() == tiny.read_bytes()
    again = bitformer("export", new, "-o", tmp_path / "again.safetensors")
    assert "no digest" not in again.err
    assert (tmp_path / "again.safetensors").read_bytes() == tiny.read_bytes()
    new.write_bytes(tiny.read_bytes().replace(b"tiny", b"tinY"))
    assert "was damaged or changed since" in bitformer("export", new, "-o", tmp_path / "no").err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("called", "on_path", "named"),
    [
        ("/x/.venv/bin/bitformer", None, "/x/.venv/bin/bitformer"),
        ("/x/.venv/bin/bitformer", "/usr/bin/bitformer", "bitformer"),
        ("/x/.venv/bin/pytest", None, "bitformer"),
    ],
)
def test_hints_name_the_program_as_it_was_called(monkeypatch, called, on_path, named):
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("shutil.which", lambda _: on_path)
    assert program() == named


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    "path", ["m", "a b", "it's", 'a"b', "$HOME", "`id`", "a;b", "a\\b", "*", "~", "#a", "-x/m", "ü"]
)
def test_command_lines_are_to_be_copied(path, as_a_shell_reads, monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest"])
    words = as_a_shell_reads(command_line("build", Path(path), "--name", "x y"))
    assert words == ["build", f"./{path}" if path[0] == "-" else path, "--name", "x y"]


@pytest.mark.needs("posix")
def test_command_lines_name_a_program_that_is_not_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "my venv's" / "bitformer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '%s' \"$0 $*\"\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = subprocess.run(["sh", "-c", command_line("boards")], capture_output=True, text=True)
    assert done.stdout == f"{program} boards"


@pytest.mark.parametrize("name", ["boards", "train"])
def test_interrupted(name, bitformer, monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"bitformer.cli.{name}.command.callback", interrupt)
    said = bitformer(*{"boards": ["boards"], "train": ["train", "-o", "x"]}[name])
    assert (said.code, said.out, said.err.strip()) == (130, "", "Interrupted")


def test_a_defect_keeps_its_traceback(bitformer, monkeypatch):
    monkeypatch.setattr("bitformer.cli.boards.command.callback", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bitformer("boards")


def test_kinds_of_layers_are_said(bitformer, tmp_path):
    config = named_config("tiny").replace(heads=1, fused=True, pre_norm=True, activation="gelu")
    path = tmp_path / "kinds.safetensors"
    save_model(initialize(config, samples=8), path)
    line = bitformer("info", path).out.splitlines()[1]
    assert line.endswith(
        "1 head with a fused weight, FFN 16 with GELU, layer norm before each sublayer"
    )
    assert bitformer("info", path, "--json").data["config"]["activation"] == "gelu"
