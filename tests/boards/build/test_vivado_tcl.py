# amaranth: UnusedElaboratable=no
"""The Tcl of every board's plan is executed, and what would be wrong with it is noticed."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from bitformer.boards.build.platforms import toolchains_of
from bitformer.boards.build.project import SHELLS, build_plan
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

STAND_IN = Path(__file__).with_name("stand_in_vivado.py")
VIVADO = [board for board in BOARDS.values() if "vivado" in toolchains_of(board)]
EVERY_BOARD = pytest.mark.parametrize("board", VIVADO, ids=[board.name for board in VIVADO])
SAIF = "(SAIFILE (INSTANCE bitformer (INSTANCE top (NET (x (T0 1) (T1 1) (TC 1))))))"

pytestmark = pytest.mark.needs("tcl")


@pytest.fixture(autouse=True)
def vivado(tmp_path, monkeypatch):
    """``vivado`` is the stand-in."""
    tool = tmp_path / "vivado"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("VIVADO", str(tool))
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)


@pytest.fixture(scope="session")
def plan_of(serial, tmp_path_factory):
    """``plan_of(board, **options)``: a directory that stays as it is."""
    made = {}

    def plan_of(board, **options):
        key = board.name, *options.items()
        if key not in made:
            made[key] = build_plan(
                board,
                lambda: serial.AddTwo(bits=12, result_bits=7),
                name="adder",
                directory=tmp_path_factory.mktemp("plan") / "of it",
                **options,
            )
        return made[key]

    return plan_of


@pytest.mark.parametrize(
    ("board", "link"),
    [(board, link) for board in VIVADO for link in board.links if link in SHELLS],
    ids=lambda value: getattr(value, "name", value),
)
def test_runs_clean(plan_of, board, link, tmp_path):
    plan = shutil.copytree(plan_of(board, link=link), tmp_path / "a plan")
    assert run_plan(plan) == plan / "adder.bit"
    done = (plan / "adder.log").read_text().split()
    assert done.index("synth_design") < done.index("route_design") < done.index("write_bitstream")
    for report in ("utilization_place", "timing", "power", "drc", "route_status"):
        assert (plan / f"adder_{report}.rpt").is_file()
    # Each asynchronous input passes a synchroniser whose first flip-flop is excepted.
    assert done.count("get_cells") == 4


def test_its_reports_are_read(plan_of, tmp_path, monkeypatch):
    reports = tmp_path / "reports"
    reports.mkdir()
    for path in (STAND_IN.parents[1] / "reports" / "v2018_2").iterdir():
        shutil.copyfile(path, reports / path.name.replace("net", "adder"))
    monkeypatch.setenv("STAND_IN_REPORTS", str(reports))
    plan = shutil.copytree(plan_of(BOARDS["sea"]), tmp_path / "plan")
    run_plan(plan)
    found = read_build(plan)
    assert found.good
    assert found.files == {
        "power": "adder_power.rpt",
        "timing": "adder_timing.rpt",
        "utilization": "adder_utilization_place.rpt",
    }
    # The same reports say nothing of another board's build.
    plan = shutil.copytree(plan_of(BOARDS["cmod-s7"]), tmp_path / "other")
    run_plan(plan)
    assert len(read_build(plan).problems) == 4  # three devices, and the clock


@pytest.mark.slow
@pytest.mark.parametrize("config", ["grid-12-32-4", "etth1-96-24"])
@EVERY_BOARD
def test_models_run_clean(board, config, tmp_path):
    design = lower(initialize(named_config(config)), part=board.part)
    plan = build_plan(
        board, lambda: Accelerator(design=design), name="net", directory=tmp_path / "p"
    )
    assert run_plan(plan).is_file()


def test_activity_is_read_after_routing(plan_of, tmp_path):
    saif = tmp_path / "it.saif"
    saif.write_text(SAIF)
    plan = shutil.copytree(plan_of(BOARDS["sea"], saif=saif), tmp_path / "plan")
    run_plan(plan)
    done = (plan / "adder.log").read_text().split()
    assert done.index("route_design") < done.index("read_saif") < done.index("report_power")
    (plan / "adder.saif").write_text(SAIF.replace("INSTANCE top", "INSTANCE other"))
    with pytest.raises(UserError, match="no instance top"):
        run_plan(plan)


def test_a_faster_clock_takes_an_mmcm(plan_of, tmp_path):
    plan = shutil.copytree(plan_of(BOARDS["cmod-s7"], clock_hz=100_000_000), tmp_path / "plan")
    run_plan(plan)
    verilog = (plan / "adder.v").read_text()
    settings = dict(re.findall(r"\.(\w+)\(([\d.]+)\)", verilog.split("MMCME2_BASE #(")[1][:300]))
    made = 12.0 * float(settings["CLKFBOUT_MULT_F"]) / float(settings["CLKOUT0_DIVIDE_F"])
    assert made == 100.0
    assert 600 <= 12.0 * float(settings["CLKFBOUT_MULT_F"]) <= 1200
    # The constraint is the oscillator's; Vivado derives the other.
    assert re.findall(r"-period (\S+)", (plan / "adder.xdc").read_text()) == [str(1e9 / 12e6)]
    assert "0.105 W" in (plan / "README.txt").read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("xdc", "LOC H4", "LOC B4", "B4 is no user I/O of ftgb196"),
        ("xdc", "LOC H4", "LOC Q99", "Q99 is no user I/O"),
        ("xdc", "LOC H4", "LOC H3", "clock_0__io is on no clock-capable ball"),
        ("xdc", "LOC M14", "LOC N14", "N14 is taken by uart_0__"),
        ("xdc", "LVCMOS33", "LVCMOS34", "'LVCMOS34' is no IOSTANDARD"),
        ("xdc", '"uart_0__rx__io"', '"uart_0__rx"', "No ports matched 'uart_0__rx'"),
        ("xdc", "set_false_path -from", "set_false_path -to", "set_false_path -to"),
        ("xdc", "set_false_path -from", "# ", "is neither timed nor excepted"),
        ("xdc", "create_clock", "# ", "clock_0__io is neither timed nor excepted"),
        ("xdc", "set_property CFGBVS", "# ", "Missing CFGBVS and CONFIG_VOLTAGE"),
        ("xdc", "CFGBVS VCCO", "CFGBVS VCC0", "'VCC0' is no CFGBVS"),
        ("xdc", "BITSTREAM.GENERAL.COMPRESS", "BITSTREAM.COMPRESS", "no property 'BITSTREAM.COMP"),
        ("xdc", "create_clock", "foreach x 1 {}\ncreate_clock", 'invalid command name "foreach"'),
        ("tcl", "opt_design", "opt_desing", 'invalid command name "opt_desing"'),
        ("tcl", "route_design", "", "phys_opt_design before route_design"),
        ("tcl", "-bin_file", "-binfile", "Unknown option '-binfile' of write_bitstream"),
        ("tcl", "add_files adder.v", "add_files adder2.v", "'adder2.v' does not exist"),
        ("tcl", "read_xdc adder.xdc", "read_xdc other.xdc", "'other.xdc' does not exist"),
        ("tcl", "synth_design -top adder", "synth_design -top add", "module 'add' not found"),
        ("tcl", "xc7s15ftgb196-1", "xc7s15ftgb192-1", "part could not be found"),
        ("tcl", "\nquit", "\n", "the script does not end with quit"),
        ("v", "output uart_0__tx__io", "input uart_0__tx__io", "an input"),
        ("v", "module adder(", "module adder2(", "module adder is not in the Verilog"),
    ],
)
def test_mutants_are_noticed(plan_of, tmp_path, file, old, new, message):
    plan = shutil.copytree(plan_of(BOARDS["sea"]), tmp_path / "plan")
    path = plan / f"adder.{file}"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=rf"^Vivado failed .*{re.escape(message)}"):
        run_plan(plan)


def test_missing_verilog_is_noticed(plan_of, tmp_path):
    plan = shutil.copytree(plan_of(BOARDS["sea"]), tmp_path / "plan")
    (plan / "adder.v").unlink()
    with pytest.raises(UserError, match=r"'adder\.v' does not exist"):
        run_plan(plan)


@pytest.mark.parametrize(
    ("clock_hz", "message"),
    [(99_999_999, "Clock of 99999999 Hz cannot be made from 100000000 Hz"), (10**9, "cannot")],
)
def test_impossible_clocks(serial, tmp_path, clock_hz, message):
    with pytest.raises(UserError, match=message):
        build_plan(
            BOARDS["sea"],
            lambda: serial.AddTwo(bits=4),
            name="a",
            directory=tmp_path / "p",
            clock_hz=clock_hz,
        )


def test_unknown_link(serial, tmp_path):
    with pytest.raises(UserError, match=r"Link of Digilent Cmod S7 must be uart, not 'spi'"):
        build_plan(
            BOARDS["cmod-s7"],
            lambda: serial.AddTwo(bits=4),
            name="a",
            directory=tmp_path / "p",
            link="spi",
        )
