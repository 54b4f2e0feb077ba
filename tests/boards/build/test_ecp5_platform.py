# amaranth: UnusedElaboratable=no
"""Builds for an ECP5: the plan, its pins and its clock; then run, by stand-ins and for real."""

import json
import re

import pytest
from nextpnr_harness import stand_ins

from bitformer.boards.build.platforms import platform_for
from bitformer.boards.build.project import build_plan
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.hw.families.ecp5 import ECP5
from bitformer.model.errors import UserError
from bitformer.synth import cache, route

BOARD = BOARDS["ulx3s-25f"]
MINE = [board for board in BOARDS.values() if board.family is ECP5]
FILES = {
    "README.txt",
    "bitformer.json",
    "build_adder.bat",
    "build_adder.json",
    "build_adder.sh",
    "adder.il",
    "adder.lpf",
    "adder.ys",
}


@pytest.fixture
def plan_of(serial, tmp_path):
    """``plan_of(board, **options)``: a build of a few registers, in a path with a space."""

    def plan_of(board=BOARD, **options):
        return build_plan(
            board,
            lambda: serial.AddTwo(bits=12, result_bits=7),
            name="adder",
            directory=tmp_path / f"a plan {board.name}",
            **options,
        )

    return plan_of


@pytest.fixture
def own_caches(tmp_path, monkeypatch):
    """No netlist and no seed of earlier runs."""
    monkeypatch.setattr(route, "default_cache", lambda: tmp_path / "routed")
    monkeypatch.setattr("bitformer.boards.build.routed.default_cache", lambda: tmp_path / "nets")


@pytest.fixture
def tools(tmp_path, monkeypatch, own_caches):
    """Stand-ins for nextpnr and ecppack, behind a netlist of two registers."""
    pins = {"CLK": [2], "DI": [3]}
    directions = {"CLK": "input", "DI": "input", "Q": "output"}
    cells = {
        f"{name}_TRELLIS_FF_Q": {
            "type": "TRELLIS_FF",
            "port_directions": directions,
            "connections": {**pins, "Q": [bit]},
        }
        for name, bit in (("a", 3), ("y", 4))
    }
    bits = {"clk": 2, "shell.accelerator.unit.a": 3, "shell.accelerator.unit.y": 4}
    names = {name: {"hide_name": 0, "bits": [bit]} for name, bit in bits.items()}
    module = {"ports": {}, "cells": cells, "netnames": names}
    netlist = json.dumps({"modules": {"adder": module}})
    monkeypatch.setattr("bitformer.boards.build.routed.run_yosys", lambda *_: netlist)
    return stand_ins(tmp_path / "tools", monkeypatch)


def constraints(lpf):
    """{port: (ball, attributes)} and {port: hertz} of an LPF file."""
    balls = dict(re.findall(r'^LOCATE COMP "(\w+)" SITE "(\w+)";$', lpf, re.M))
    attrs = dict(re.findall(r'^IOBUF PORT "(\w+)" (.*);$', lpf, re.M))
    clocks = dict(re.findall(r'^FREQUENCY PORT "(\w+)" (\S+) HZ;$', lpf, re.M))
    assert attrs.keys() == balls.keys()
    assert len(re.findall("^LOCATE", lpf, re.M)) == len(balls)
    return {port: (balls[port], attrs[port]) for port in balls}, clocks


@pytest.mark.parametrize("link", ["uart", "spi"])
@pytest.mark.parametrize("board", MINE, ids=[board.name for board in MINE])
def test_every_port_has_the_boards_ball(plan_of, board, link):
    plan = plan_of(board, link=link)
    assert {path.name for path in plan.iterdir()} == FILES
    pins, clocks = constraints((plan / "adder.lpf").read_text())
    uses = {"clock": board.clock, "reset": board.reset, "alive": board.alive, "fault": board.fault}
    uses |= {f"held_{name}": pin for name, pin in board.held.items()}
    expected = {f"{use}_0__io": pin for use, pin in uses.items()}
    expected |= {f"{link}_0__{wire}__io": pin for wire, pin in board.wires(link).items()}
    assert pins == {
        port: (
            pin.ball,
            f"IO_TYPE={pin.standard}" + (f" PULLMODE={pin.pull}" if pin.pull else ""),
        )
        for port, pin in expected.items()
    }
    assert {port: float(hertz) for port, hertz in clocks.items()} == {"clock_0__io": board.clock_hz}
    # a port of the design, and nothing else, is constrained
    top = (plan / "adder.il").read_text().split("attribute \\top 1\n")[1].split("\nend\n")[0]
    assert set(re.findall(r"^  wire width 1 (?:in|out)put \d+ +\\(\w+)$", top, re.M)) == set(pins)


def test_what_is_built_is_mapped_like_what_is_counted(plan_of):
    counted = cache._script(ECP5).splitlines()
    built = (plan_of() / "adder.ys").read_text().splitlines()

    def plain(lines):
        texts = (line.replace("{top}", "adder").replace("{flatten}", "") for line in lines)
        words = [[word for word in text.split() if word != "-noiopad"] for text in texts]
        return [found for found in words if found and found[0] in ("synth_ecp5", "splitnets")]

    assert plain(counted) == plain(built)
    assert len(plain(counted)) == 3


@pytest.mark.parametrize(
    ("board", "rate"), [("ulx3s-25f", "38.8"), ("ulx3s-85f", "38.8"), ("orangecrab-25f", "38.8")]
)
def test_the_script_builds_it_elsewhere(plan_of, board, rate):
    script = (plan_of(BOARDS[board]) / "build_adder.sh").read_text()
    size = board[-3:-1]
    package = "CSFBGA285 --speed 8" if board.startswith("orange") else "CABGA381 --speed 6"
    assert f'"$NEXTPNR_ECP5" --{size}k --package {package} ' in script
    assert f'"$ECPPACK" --compress --freq {rate} --input adder.config --bit adder.bit' in script
    assert "openFPGALoader" not in script


def cells(rtlil, kind):
    """The parameters and connections of each cell of a kind."""
    found = re.findall(rf"^  cell \\{kind} \S+\n(.*?)^  end$", rtlil, re.M | re.S)
    return [
        dict(re.findall(r"^    (?:parameter|connect) \\(\w+) (.*?)(?: \[0\])?$", one, re.M))
        for one in found
    ]


@pytest.mark.parametrize(("mhz", "gates"), [(None, 2), (40, 2), (41, 1)])
def test_a_clock_passes_a_gate(plan_of, mhz, gates):
    """The accelerator's has one of its own, where half a cycle is long enough."""
    rtlil = (plan_of(clock_hz=mhz and mhz * 10**6) / "adder.il").read_text()
    found = cells(rtlil, "DCCA")
    assert len(found) == gates
    assert len(cells(rtlil, "EHXPLLL")) == (mhz is not None)


@pytest.mark.parametrize("mhz", [100, 117])
def test_another_clock_by_a_pll(plan_of, mhz):
    plan = plan_of(clock_hz=mhz * 10**6)
    rtlil = (plan / "adder.il").read_text()
    (pll,) = cells(rtlil, "EHXPLLL")
    (gate,) = cells(rtlil, "DCCA")
    assert pll["CLKFB"] == pll["CLKOP"]
    assert gate["CLKI"] == pll["CLKOP" if mhz == 100 else "CLKOS"]
    assert int(pll["CLKFB_DIV"]) == (4 if mhz == 100 else 1)
    facts = json.loads((plan / "bitformer.json").read_text())
    assert (facts["clock_hz"], facts["mmcm"], facts["toolchain"]) == (mhz * 10**6, True, "open")
    readme = (plan / "README.txt").read_text()
    assert f"a PLL makes {mhz}000000 Hz of it\n" in readme
    assert "nextpnr-ecp5" in readme


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"toolchain": "vivado"}, r"^Toolchain of Radiona ULX3S .* must be open, not 'vivado'$"),
        ({"toolchain": "ise"}, r"^Toolchain must be vivado or open, not 'ise'$"),
        ({"saif": "a.saif"}, r"^The open tools report no power; leave --saif out$"),
        ({"clock_hz": 99_999_900}, r"by a PLL; the nearest that can are 99\.609375 and 100 MHz$"),
        ({"link": "elastic"}, r"^Link of Radiona .* must be uart or spi, not 'elastic'$"),
    ],
)
def test_refusals(plan_of, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        plan_of(**options)
    assert not (tmp_path / f"a plan {BOARD.name}").exists()


@pytest.mark.needs("posix")
def test_the_best_seed_is_packed_and_reported(plan_of, tools):
    tools.does(s1=90.0, s2=130.0, s3=110.0)
    plan = plan_of(clock_hz=100_000_000)
    assert run_plan(plan) == plan / "adder.bit"
    assert (plan / "adder.bit").read_text().startswith("bits of config of seed 2: --compress")
    assert {run.split("--lpf ")[1].split()[0] for run in tools.runs} == {"top.lpf"}
    found = read_build(plan)
    assert found.good
    routing = found.routing
    assert (routing.best_mhz, routing.median_mhz, routing.worst_mhz) == (130, 110, 90)
    assert (routing.part, routing.package, routing.speed) == ("lfe5u-25f", "BG381", "6")
    assert (routing.best.path.start, routing.best.path.end) == ("unit.a", "unit.y")
    rows = {row[0]: row[1:] for row in found.rows() if row is not None}
    assert rows["clock clk"] == ("130.0", "MHz of 100 asked")
    assert rows["best of seeds"] == (2, "of 3: 110.0 median, 90.0 worst")
    assert rows["LUT"] == (7, "of 24288")
    assert found.to_dict()["routing"]["best_seed"] == 2
    # another number of seeds takes those that are there
    run_plan(plan, seeds=1)
    assert len(tools.runs) == 3
    assert (plan / "adder.bit").read_text().startswith("bits of config of seed 1")


@pytest.mark.needs("posix")
def test_a_clock_that_is_missed_is_not_good(plan_of, tools):
    tools.does(s1=90.0, s2=99.9)
    plan = plan_of(clock_hz=100_000_000)
    run_plan(plan, seeds=2)
    found = read_build(plan)
    assert (plan / "adder.bit").is_file()
    assert found.problems == ("clock clk reaches 99.9 MHz of the 100.0 MHz asked for",)


@pytest.mark.needs("posix")
def test_an_earlier_bitstream_does_not_pass_for_this_ones(plan_of, tools):
    tools.does(s1="error")
    plan = plan_of()
    (plan / "adder.bit").write_text("of an earlier run")
    with pytest.raises(UserError, match="no Bels remaining"):
        run_plan(plan, seeds=1)
    assert not (plan / "adder.bit").exists()


def test_vivado_takes_no_seeds(serial, tmp_path):
    plan = build_plan(
        BOARDS["sea"], lambda: serial.AddTwo(bits=4), name="a", directory=tmp_path / "p"
    )
    with pytest.raises(UserError, match=r"^Vivado takes no seeds: leave --seeds out$"):
        run_plan(plan, seeds=2)


@pytest.mark.needs("nextpnr-ecp5")
@pytest.mark.slow
def test_a_bitstream_for_real(plan_of, own_caches):
    """nextpnr reads the PLL as we do, constrains its clock to what was asked, and meets it."""
    plan = plan_of(clock_hz=75_000_000)
    bitstream = run_plan(plan, seeds=1)
    # compressed, for the part's identity, behind the preamble of a bitstream
    data = bitstream.read_bytes()
    assert b"\xff\xff\xbd\xb3" in data[:200]
    assert b"Part: LFE5U-25F-6CABGA381" in data[:200]
    log = (plan / "adder_nextpnr.log").read_text()
    assert re.search(r"Derived frequency constraint of 75\.0 MHz for net", log)
    found = read_build(plan)
    assert found.problems == ()
    sync, raw = found.routing.best.clocks
    assert (sync.name, round(sync.asked_mhz), raw.name, round(raw.asked_mhz)) == (
        *("clk", 75),
        *("raw_clk", 75),
    )
    # from the accelerator's own register, whose unit is left out, to the shell's
    assert found.routing.best.path.end.startswith("shell.")
    assert 500 < found.routing.best.used["TRELLIS_COMB"] < 900
    assert found.routing.best.used["EHXPLLL"] == found.routing.best.used["DCCA"] == 1


def test_platforms_are_the_parts_and_the_tools(tmp_path):
    assert platform_for(BOARD)[0] == "open"
    assert platform_for(BOARDS["sea"])[0] == "vivado"
    assert platform_for(BOARD)[1].target.options == (
        *("--25k", "--package", "CABGA381", "--speed", "6"),
    )
