# amaranth: UnusedElaboratable=no
"""Yosys reads what Vivado is given, and it fits, shell and all."""

import gzip
import json
import shutil
from collections import Counter

import pytest

from bitformer.boards.build.project import build_plan
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.synth.yosys import find_tool

EVERY_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


@pytest.fixture(scope="module")
def small(serial, tmp_path_factory):
    """``small(board, **options)``: a build of a few registers."""

    def small(board, **options):
        return build_plan(
            board,
            lambda: serial.AddTwo(bits=12, result_bits=7),
            name="adder",
            directory=tmp_path_factory.mktemp("plan") / "p",
            **options,
        )

    return small


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "clock_hz", "mmcms"), [("sea", None, 0), ("cmod-s7", 100_000_000, 1)]
)
def test_verilog_is_read_with_its_primitives(
    small, tmp_path, board, clock_hz, mmcms, board_measures
):
    plan = small(BOARDS[board], clock_hz=clock_hz)
    found = board_measures.synthesize_plan(plan, cache=tmp_path)
    assert found.part is BOARDS[board].resources
    assert 100 < found.resources.ffs < 600
    assert not found.over
    # What the cache keeps has the primitives: none was taken for a black box and dropped.
    cells = _cells(tmp_path)
    assert cells["STARTUPE2"] == cells["BUFGCTRL"] == 1
    assert cells.get("MMCME2_BASE", 0) == mmcms
    assert cells["OBUFT"] == 3
    # From the cache, the same.
    assert board_measures.synthesize_plan(plan, cache=tmp_path) == found


def _cells(cache):
    (path,) = cache.iterdir()
    netlist = json.loads(gzip.decompress(path.read_bytes()))["netlist"]
    return Counter(cell["type"] for cell in netlist["modules"]["adder"]["cells"].values())


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_open_plan_runs_through_yosys(small, tmp_path, monkeypatch):
    plan = small(BOARDS["arty-s7-50"], toolchain="open")
    tools = tmp_path / "tools"
    tools.mkdir()
    command = " ".join(f"'{word}'" for word in find_tool().command)
    lines = {
        "yosys": f'exec {command} "$@"',
        "nextpnr-xilinx": "touch adder.fasm",
        "fpga-as": "true",
    }
    for name, line in lines.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(tools / name))
    monkeypatch.delenv("AMARANTH_ENV_XRAY", raising=False)
    run_plan(plan)
    netlist = json.loads((plan / "adder.json").read_text())
    kinds = {cell["type"] for cell in netlist["modules"]["adder"]["cells"].values()}
    assert {"IBUF", "OBUFT", "BUFG", "FDRE"} <= kinds
    assert "$scopeinfo" not in kinds
    assert read_build(plan).found["yosys"].ffs > 100


@pytest.mark.parametrize("spoil", ["bitformer.json", "adder.v"])
def test_no_build(small, tmp_path, spoil, board_measures):
    plan = shutil.copytree(small(BOARDS["sea"]), tmp_path / "p")
    (plan / spoil).unlink()
    with pytest.raises(UserError, match=r"holds no bitformer build$"):
        board_measures.synthesize_plan(plan)


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize("config", ["grid-12-32-4", "etth1-96-24"])
@EVERY_BOARD
def test_models_fit_every_board(board, config, tmp_path, board_measures):
    design = lower(initialize(named_config(config)), part=board.part)
    plan = build_plan(
        board, lambda: Accelerator(design=design), name="net", directory=tmp_path / "p"
    )
    found = board_measures.synthesize_plan(plan)
    assert not found.over
    # No memory was taken apart into flip-flops.
    assert found.resources.ramb18 > 0
    assert found.resources.dsps >= 16
