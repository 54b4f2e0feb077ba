# amaranth: UnusedElaboratable=no
"""The open tools' plan: its scripts are run, Yosys' by Yosys itself, the others by stand-ins."""

import json
import re
import shutil
import sys

import pytest

from bitformer.boards.build import open_platform
from bitformer.boards.build.project import build_plan
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.model.errors import UserError
from bitformer.synth import cache
from bitformer.synth.yosys import find_tool, run_yosys

BOARD = BOARDS["arty-s7-50"]
#: The commands of both scripts, and options that one of them has.
COMMANDS = ("scratchpad", "synth_xilinx", "splitnets")
OPTIONS = ("-noiopad", "-noclkbuf", "-flatten", "-abc9")
#: Records its arguments, and makes the file that the next one reads.
STAND_IN = """#!{python}
import pathlib, sys
name = pathlib.Path(sys.argv[0]).name
words = sys.argv[1:]
with open("said.txt", "a") as said:
    print(name, *words, file=said)
if name == "nextpnr-xilinx":
    assert pathlib.Path(words[words.index("--json") + 1]).is_file()
    assert pathlib.Path(words[words.index("--xdc") + 1]).is_file()
    log = "Info: Max frequency for clock 'clk': 104.25 MHz (PASS at 100.00 MHz)"
    pathlib.Path(words[words.index("--log") + 1]).write_text(log)
    pathlib.Path(words[words.index("--fasm") + 1]).write_text("fasm")
elif name == "fpga-as":
    print(pathlib.Path(words[-1]).read_text().replace("fasm", "bits"))
elif name == "yosys":
    script = pathlib.Path(words[words.index("-s") + 1]).read_text()
    pathlib.Path(script.split("write_json ")[1].strip()).write_text("json")
"""


@pytest.fixture
def plan(serial, tmp_path):
    return build_plan(
        BOARD,
        lambda: serial.AddTwo(bits=12, result_bits=7),
        name="adder",
        directory=tmp_path / "a plan",
        toolchain="open",
    )


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for all three tools on an otherwise bare PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("yosys", "nextpnr-xilinx", "fpga-as"):
        (folder / name).write_text(STAND_IN.format(python=sys.executable))
        (folder / name).chmod(0o755)
        monkeypatch.delenv(name.upper().replace("-", "_"), raising=False)
    (folder / "sh").symlink_to(shutil.which("sh"))
    monkeypatch.setenv("PATH", str(folder))
    for name in ("AMARANTH_ENV_XRAY", "DB_DIR", "CHIPDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_what_is_built_is_mapped_like_what_is_counted(plan):
    counted = cache._script(BOARDS["arty-s7-50"].resources.family).splitlines()
    built = (plan / "adder.ys").read_text().splitlines()

    def plain(lines):
        texts = (line.replace("{top}", "adder").replace("{flatten}", "") for line in lines)
        words = [[word for word in text.split() if word not in OPTIONS] for text in texts]
        return [found for found in words if found and found[0] in COMMANDS]

    assert plain(counted) == plain(built)[:4]
    assert len(plain(counted)) == 4


@pytest.mark.slow
def test_yosys_synthesizes_the_plan(plan):
    tool = find_tool()
    files = {name: (plan / name).read_text() for name in ("adder.v", "adder.ys")}
    netlist = json.loads(run_yosys(tool, files["adder.ys"], files, "adder.json"))
    kinds = {cell["type"] for cell in netlist["modules"]["adder"]["cells"].values()}
    assert {"BUFG", "FDRE", "IBUF", "OBUFT"} <= kinds
    assert not [kind for kind in kinds if kind.startswith("$")]


@pytest.mark.usefixtures("tools")
def test_builds(plan):
    assert run_plan(plan) == plan / "adder.bit"
    said = (plan / "said.txt").read_text()
    assert "--chipdb /usr/share/nextpnr/xilinx-chipdb/xc7s50csga324.bin" in said
    assert "--freq 100.0" in said
    assert (
        "fpga-as --prjxray_db_path=/usr/share/nextpnr/prjxray-db/spartan7 --part xc7s50csga324-1"
        " adder.fasm\n"
    ) in said
    assert (plan / "adder.bit").read_text() == "bits\n"
    assert read_build(plan).found["nextpnr"].reached_mhz == {"clk": 104.25}


def test_folders_with_spaces(plan, tools, tmp_path, monkeypatch):
    monkeypatch.setenv("DB_DIR", str(tmp_path / "my data"))
    monkeypatch.setenv("CHIPDB_DIR", str(tmp_path / "my chips"))
    run_plan(plan)
    said = (plan / "said.txt").read_text()
    assert f"--chipdb {tmp_path}/my chips/xc7s50csga324.bin" in said
    assert f"--prjxray_db_path={tmp_path}/my data/spartan7 " in said


@pytest.mark.usefixtures("tools")
def test_a_part_of_a_bitstream_does_not_stay(plan, tools):
    (tools / "fpga-as").write_text("#!/bin/sh\necho half\nexit 1\n")
    with pytest.raises(UserError, match=r"^The open toolchain failed with exit status 1; see "):
        run_plan(plan)
    assert not (plan / "adder.bit").exists()


@pytest.mark.parametrize(
    ("board", "file", "proxy"),
    [("sea", "xc7s15ftgb196", True), ("arty-s7-25", "xc7s25csga324", False)],
)
@pytest.mark.usefixtures("tools")
def test_what_is_proxy_data_is_said(serial, tmp_path, board, file, proxy):
    plan = build_plan(
        BOARDS[board],
        lambda: serial.AddTwo(bits=4),
        name="a",
        directory=tmp_path / "p",
        toolchain="open",
    )
    run_plan(plan)
    assert f"xilinx-chipdb/{file}.bin" in (plan / "said.txt").read_text()
    sentence = "openXC7's data of the XC7S15 are a proxy, made from the XC7S25's"
    readme = " ".join((plan / "README.txt").read_text().split())
    assert (sentence in readme) == proxy
    assert any(sentence in problem for problem in read_build(plan).problems) == proxy


_MISSING = r"^nextpnr-xilinx is not on the PATH and fpga-as is not on the PATH; the plan in "


def test_missing_tools_are_named(plan, tools):
    (tools / "fpga-as").unlink()
    (tools / "nextpnr-xilinx").unlink()
    with pytest.raises(UserError, match=_MISSING):
        run_plan(plan)


def test_files(plan):
    verilog = (plan / "adder.v").read_text()
    assert not re.search("STARTUPE2|BUFGCTRL|MMCM", verilog)
    assert len(re.findall(r"^\s*BUFG\b", verilog, re.M)) == 1
    xdc = (plan / "adder.xdc").read_text()
    assert dict(re.findall(r'LOC (\w+) \[get_ports "(\w+)"\]', xdc)) == {
        "R2": "clock_0__io",
        "C18": "reset_0__io",
        "V12": "uart_0__rx__io",
        "R12": "uart_0__tx__io",
        "E18": "alive_0__io",
        "F13": "fault_0__io",
    }
    assert xdc.count("IOSTANDARD") == 6
    assert json.loads((plan / "bitformer.json").read_text())["toolchain"] == "open"
    assert "nextpnr-xilinx" in (plan / "README.txt").read_text()


def test_a_die_without_data(serial, tmp_path, monkeypatch):
    monkeypatch.delitem(open_platform.OPEN_PARTS, "xc7s50")
    with pytest.raises(UserError, match=r"^The open tools cannot build for .* of its XC7S50, but"):
        open_platform.OpenPlatform(board=BOARD)


@pytest.mark.parametrize(
    ("board", "options", "message"),
    [
        ("arty-s7-50", {"clock_hz": 50_000_000}, r"^The open tools build no MMCM"),
        ("arty-s7-50", {"saif": "a.saif"}, r"^The open tools report no power"),
        ("arty-s7-50", {"toolchain": "ise"}, r"^Toolchain must be vivado or open, not 'ise'$"),
    ],
)
def test_refusals(serial, tmp_path, board, options, message):
    with pytest.raises(UserError, match=message):
        build_plan(
            BOARDS[board],
            lambda: serial.AddTwo(bits=4),
            name="a",
            directory=tmp_path / "p",
            **{"toolchain": "open", **options},
        )
    assert not (tmp_path / "p").exists()
