"""Options of ``build``, and what ``program`` says."""

import json
import shutil
from pathlib import Path

import pytest

from bitformer.boards.board import Board, JtagLoader, Pin, SpiFlash, UartPins
from bitformer.boards.build.saif import model_of
from bitformer.boards.catalog import BOARDS
from bitformer.boards.shell.contract import Contract
from bitformer.hw.memory import StoreSpec
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

REPORTS = Path(__file__).resolve().parents[1] / "boards" / "reports"


def test_an_mmcm_is_said_to_cost(bitformer, tiny, tmp_path):
    said = bitformer(
        "build", tiny, "--board", "cmod-s7", "--clock", 100, "--plan-only", "-o", tmp_path / "p"
    )
    assert said.code == 0
    assert "A clock generator makes 100 MHz of 12 MHz; it takes about 0.105 W" in said.err
    facts = json.loads((tmp_path / "p" / "bitformer.json").read_text())
    assert (facts["clock_hz"], facts["mmcm"]) == (100_000_000, True)
    assert facts["latency_cycles"] > facts["interval_cycles"] > 0


def test_the_boards_own_clock_costs_nothing(bitformer, tiny, tmp_path):
    said = bitformer(
        "build", tiny, "--board", "cmod-s7", "--clock", 12, "--plan-only", "-o", tmp_path / "p"
    )
    assert "clock generator" not in said.err
    assert json.loads((tmp_path / "p" / "bitformer.json").read_text())["mmcm"] is False


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--link", "spi"], "Link of Digilent Arty S7-50 must be uart, not 'spi'"),
        (["--elastic", "1,2"], "--elastic must be ID,START,DATA or ID,START,DATA,PHASE, not '1,2'"),
        (["--elastic", "0,16,16"], "Elastic Node: the start at 16 must lie behind the data"),
        (["--baud", 20_000_000], "Baud rate must be at most 12500000"),
        (["--clock", 99.9999], "Clock of 99999900 Hz cannot be made"),
        (["--saif", "none.saif"], "SAIF file none.saif cannot be read"),
        (["--toolchain", "ise"], "Toolchain must be vivado or open, not 'ise'"),
    ],
)
def test_mistakes(bitformer, tiny, tmp_path, options, sentence):
    said = bitformer(
        "build", tiny, "--board", "arty-s7-50", *options, "--plan-only", "-o", tmp_path / "p"
    )
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith(f"Error: {sentence}")
    assert not (tmp_path / "p").exists()


def test_what_does_not_fit_is_refused_with_what_would(bitformer, tiny, tmp_path):
    options = ["--board", "sea", "--plan-only", "-o", tmp_path / "p"]
    said = bitformer("build", tiny, "--lanes", 64, *options)
    assert said.code == 2
    start = "Error: Design must fit Seeed Spartan Edge Accelerator (xc7s15) together with the shell"
    assert said.err.splitlines()[-1] == (
        f"{start}, and takes 35 DSP of 20; it does with 32 lanes, in 753 cycles"
    )
    assert not (tmp_path / "p").exists()
    assert bitformer("build", tiny, "--lanes", 32, *options).code == 0


def test_the_shell_counts_in_what_does_not_fit(bitformer, tiny, tmp_path, monkeypatch):
    """A design that fits by itself: the memory of the shell is too much."""
    huge = StoreSpec(name="shell", depth=80_000, width=8, placement="distributed")
    monkeypatch.setattr(Contract, "memory", lambda self, depth: huge)
    assert bitformer("estimate", tiny).code == 0
    options = ["--board", "sea", "--plan-only", "-o", tmp_path / "p"]
    said = bitformer("build", tiny, *options)
    assert said.code == 2
    assert "LUT as memory of 2400" in said.err
    assert "; a board with an xc7s" in said.err
    said = bitformer("build", tiny, *options, "--reloadable")
    assert said.err.endswith("it may without --reloadable, which keeps the weights twice\n")


def test_the_elastic_nodes_own_protocol(bitformer, tiny, tmp_path):
    options = ["--board", "elastic-node-v5", "--link", "elastic", "--plan-only"]
    said = bitformer("build", tiny, *options, "--elastic", "2000,100,0", "-o", tmp_path / "p")
    assert said.code == 0
    facts = json.loads((tmp_path / "p" / "bitformer.json").read_text())
    assert facts["model_id"] == model_hash(load_model(tiny)).hex() + 8 * "00"
    assert facts["addresses"] == {
        "model_id": 2000, "start": 100, "data": 0, "base": 256, "phase": 1
    }  # fmt: skip
    readme = (tmp_path / "p" / "README.txt").read_text()
    assert "#define ADDR_COMPUTATION_ENABLE 100\n" in readme
    assert "#define QXI_BAUD_RATE 12500000\n" in readme
    assert f"0x{facts['model_id'][:2]}, " in readme
    said = bitformer("build", tiny, *options, "--reloadable", "-o", tmp_path / "q")
    assert said.code == 2
    assert "Link must be a framed one to load new weights" in said.err


def test_what_the_reports_have_against_a_build(bitformer, tiny, tmp_path, monkeypatch):
    reports = REPORTS / "v2022_1"
    tool = tmp_path / "vivado"
    tool.write_text(f"#!/bin/sh\ncp {reports}/*.rpt .\ntouch tiny.bit\n")
    tool.chmod(0o755)
    monkeypatch.setenv("VIVADO", str(tool))
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)
    said = bitformer("build", tiny, "--board", "sea", "-o", tmp_path / "p", "--json")
    assert said.code == 0
    assert "the power report hides its confidence level" in said.data["problems"]
    assert "Not good: no clock is constrained" in said.err


@pytest.mark.needs("posix")
def test_a_build_that_is_routed_here(bitformer, tiny, tmp_path, routed):
    routed.does(s1=90.0, s2=110.0)
    options = ["--board", "ulx3s-25f", "--lanes", 8, "--clock", 100, "-o", tmp_path / "p"]
    said = bitformer("build", tiny, *options, "--seeds", 2, "--json")
    assert said.code == 0
    assert said.data["bitstream"] == str(tmp_path / "p" / "tiny.bit")
    assert (said.data["problems"], said.data["routing"]["best_mhz"]) == ([], 110.0)
    assert "A PLL makes 100 MHz of 25 MHz\n" in said.err
    for words in ("110.0", "MHz of 100 asked", "100.0 median, 90.0 worst", "µs at 100 MHz"):
        assert words in said.err
    said = bitformer("report", tmp_path / "p", "--no-kb")
    assert said.code == 0
    assert "Good: it fits and reaches its clock, by nextpnr" in said.out
    assert "lfe5u-25f, by nextpnr-ecp5 0.99" in said.out


@pytest.mark.needs("posix")
@pytest.mark.parametrize(("board", "mhz"), [("ulx3s-25f", 100), ("icebreaker", 48)])
def test_a_clock_that_is_missed_is_exit_code_one(bitformer, tiny, tmp_path, routed, board, mhz):
    routed.does(s1=40.0)
    options = ["--board", board, "--lanes", 8, "--clock", mhz, "--seeds", 1]
    said = bitformer("build", tiny, *options, "-o", tmp_path / "p")
    assert said.code == 1
    sentence = f"Not good: clock clk reaches 40.0 MHz of the {mhz}.0 MHz asked for"
    assert sentence in said.out
    assert (tmp_path / "p" / "tiny.bit").is_file()
    said = bitformer("report", tmp_path / "p", "--no-kb")
    assert (said.code, sentence in said.out) == (1, True)


@pytest.mark.needs("posix")
def test_without_the_open_tools_the_plan_is_left(bitformer, tiny, tmp_path, routed, monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/such")
    said = bitformer("build", tiny, "--board", "ulx3s-25f", "--lanes", 8, "-o", tmp_path / "p")
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        "Error: NEXTPNR_ECP5 must name a program, and '/no/such' was not found"
    )
    assert (tmp_path / "p" / "build_tiny.sh").is_file()


def test_program_without_the_loader(bitformer, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENFPGALOADER", "loader-that-is-not-here")
    (tmp_path / "net.bit").write_bytes(b"bit")
    said = bitformer("program", tmp_path / "net.bit", "--board", "arty-s7-50")
    assert said.code == 2
    assert (
        "OPENFPGALOADER must name a program, and 'loader-that-is-not-here' was not found"
        in said.err
    )


@pytest.mark.parametrize(
    ("which", "passed"),
    [
        ((), ()),
        (("--usb", "1:13"), ("--busdev-num", "1:13")),
        (("--serial", "210352B7"), ("--ftdi-serial", "210352B7")),
    ],
)
def test_program_loads(bitformer, tmp_path, monkeypatch, which, passed):
    tool = tmp_path / "loader"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(tool))
    (tmp_path / "net.bit").write_bytes(b"bit")
    said = bitformer(
        *("program", tmp_path / "net.bit", "--board", "sea", "--cable", "ft2232", *which, "--json")
    )
    assert said.code == 0
    assert said.data["command"][1:] == [
        "-b", "spartanEdgeAccelBoard", "-c", "ft2232", *passed, str(tmp_path / "net.bit"),
    ]  # fmt: skip
    assert "Set switch K5 to JTAG." in said.err


def test_simulate_writes_switching_activity(bitformer, tiny, tmp_path):
    said = bitformer(
        "simulate", tiny, "--samples", 1, "--saif", tmp_path / "new" / "a.saif", "--json"
    )
    assert said.code == 0
    assert said.data["saif"] == str(tmp_path / "new" / "a.saif")
    assert (tmp_path / "new" / "a.saif").read_text().startswith("(SAIFILE")
    # The waves that it was made of are gone.
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.saif"]
    # It is of this model, and of no other.
    own = model_hash(load_model(tiny)).hex()
    assert model_of((tmp_path / "new" / "a.saif").read_text()) == own
    save_model(initialize(named_config("tiny"), seed=1), tmp_path / "other.safetensors")
    said = bitformer(
        *("build", tmp_path / "other.safetensors", "--board", "sea", "--plan-only"),
        *("--saif", tmp_path / "new" / "a.saif", "-o", tmp_path / "plan"),
    )
    assert said.code == 2
    assert f"and it is of {own}" in said.err
    assert not (tmp_path / "plan").exists()


def test_an_entry_in_the_catalog_is_all_of_a_board(bitformer, tiny, tmp_path, monkeypatch):
    """A board with a known die and package: listed, built for, reported on and loaded."""
    mine = Board(
        name="mine",
        title="A board of my own",
        part="xc7s15",
        package="ftgb196",
        speed="2",
        clock_hz=25_000_000,
        clock=Pin(ball="H4"),
        uart=UartPins(rx=Pin(ball="M14"), tx=Pin(ball="N14")),
        flash=SpiFlash(width=1, rate_mhz=33),
        loader=JtagLoader(part="xc7s15ftgb196", cable="ft2232", flash=True),
    )
    monkeypatch.setitem(BOARDS, "mine", mine)
    (listed,) = (b for b in bitformer("boards", "--json").data["boards"] if b["name"] == "mine")
    assert (listed["vivado_part"], listed["links"]) == ("xc7s15ftgb196-2", ["uart"])
    plan = tmp_path / "p"
    assert bitformer("build", tiny, "--board", "mine", "--plan-only", "-o", plan).code == 0
    assert (
        "create_project -force -name tiny -part xc7s15ftgb196-2" in (plan / "tiny.tcl").read_text()
    )
    assert (plan / "tiny.xdc").read_text().count("set_property LOC") == 3
    assert (plan / "README.txt").read_text().startswith("tiny on A board of my own")
    for path in (REPORTS / "v2018_2").iterdir():
        shutil.copy(path, plan)
    energy = bitformer("report", plan, "--no-kb", "--json").data["energy"]
    bits = mine.resources.bitstream_bits
    assert energy["configuration_s"] == pytest.approx(bits / 33e6)
    (plan / "tiny.bit").write_bytes(b"bit")
    tool = tmp_path / "loader"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(tool))
    said = bitformer("program", plan, "--json")
    assert said.data["command"][1:] == [
        *("-c", "ft2232", "--fpga-part", "xc7s15ftgb196", str(plan / "tiny.bit"))
    ]


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
