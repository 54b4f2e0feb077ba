# amaranth: UnusedElaboratable=no
import json
import os
import re
from pathlib import Path

import pytest

from bitformer.boards.build.design import build_design
from bitformer.boards.build.platforms import toolchains_of
from bitformer.boards.build.project import SHELLS, build_plan
from bitformer.boards.build.vivado_platform import BoardPlatform
from bitformer.boards.catalog import BOARDS
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

#: Those that Vivado builds for; for the others see test_ecp5_platform.
VIVADO = [board for board in BOARDS.values() if "vivado" in toolchains_of(board)]
EVERY_BOARD = pytest.mark.parametrize("board", VIVADO, ids=[board.name for board in VIVADO])
GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "README.txt",
    "bitformer.json",
    "build_adder.bat",
    "build_adder.json",
    "build_adder.sh",
    "adder.debug.v",
    "adder.tcl",
    "adder.v",
    "adder.xdc",
}


@pytest.fixture(scope="session")
def plans(serial, tmp_path_factory):
    """A plan for every board, by its name."""
    root = tmp_path_factory.mktemp("plans")
    return {
        board.name: build_plan(
            board,
            lambda: serial.AddTwo(bits=12, result_bits=7),
            name="adder",
            directory=root / "new" / board.name,
        )
        for board in VIVADO
    }


def link_of(board):
    """The host link of a board's plan: the usual one, of those that there is a shell for."""
    return next(link for link in board.links if link in SHELLS)


def top_ports(verilog):
    """The ports of the top module: {name: direction}."""
    module = re.search(r"^module adder\((.*?)\);(.*?)^endmodule", verilog, re.M | re.S)
    names = set(re.split(r"\s*,\s*", module[1].strip()))
    declared = re.findall(r"^\s*(input|output|inout) (\w+);", module[2], re.M)
    ports = {name: direction for direction, name in declared}
    assert set(ports) == names
    return ports


def constraints(xdc):
    """{port: {property: value}} of an XDC file."""
    found = {}
    for key, value, port in re.findall(
        r"^set_property (\w+) (\S+) \[get_ports \"(\w+)\"\]", xdc, re.M
    ):
        assert key not in found.setdefault(port, {})
        found[port][key] = value.strip('"')
    return found


def wrong(ports, xdc, board):
    """What is amiss between a top's ports, its XDC and its board; an empty list if nothing is."""
    amiss = []
    properties = constraints(xdc)
    # The other links' pins are not in the design.
    used = {use: board.pins.get(use) for use in ("clock", "reset", "alive", "fault")}
    used = {use: pin for use, pin in used.items() if pin} | board.wires(link_of(board))
    standards = {pin.ball: pin.standard for pin in used.values()}
    clocks = {
        port: float(period)
        for period, port in re.findall(
            r"^create_clock .*-period (\S+) \[get_nets \"(\w+)\"\]", xdc, re.M
        )
    }
    false = {
        port: side
        for side, port in re.findall(
            r"^set_false_path -(from|to) \[get_ports \{(\w+)\}\]", xdc, re.M
        )
    }
    for port, direction in ports.items():
        ball = properties.get(port, {}).get("LOC")
        if ball not in standards or properties[port].get("IOSTANDARD") != standards[ball]:
            amiss.append(f"{port}: pin or standard")
        elif ball == board.clock.ball:
            if clocks != {port: 1e9 / board.clock_hz} or port in false:
                amiss.append(f"{port}: clock")
        elif false.get(port) != {"input": "from", "output": "to"}[direction]:
            amiss.append(f"{port}: neither timed nor excepted")
    amiss += [f"{port}: not in the Verilog" for port in {*properties, *false} - set(ports)]
    if sorted(standards) != sorted(p.get("LOC", "") for p in properties.values()):
        amiss.append("pins left out")
    return amiss


@EVERY_BOARD
def test_every_port_is_constrained(plans, board):
    ports = top_ports((plans[board.name] / "adder.v").read_text())
    xdc = (plans[board.name] / "adder.xdc").read_text()
    assert wrong(ports, xdc, board) == []


@EVERY_BOARD
@pytest.mark.parametrize("kind", ["tcl", "xdc"])
def test_scripts_and_constraints_are_as_they_were(plans, board, kind):
    """Vivado's way is the first: what other tools come to need changes no line of it."""
    golden = (GOLDEN / f"{board.name}.{kind}").read_text()
    assert (plans[board.name] / f"adder.{kind}").read_text() == golden


@EVERY_BOARD
def test_a_missing_line_is_noticed(plans, board):
    ports = top_ports((plans[board.name] / "adder.v").read_text())
    lines = (plans[board.name] / "adder.xdc").read_text().splitlines()
    on_ports = [k for k, line in enumerate(lines) if "get_ports" in line or "get_nets" in line]
    assert len(on_ports) == 2 * len(ports) + len(ports)
    for k in on_ports:
        assert wrong(ports, "\n".join(lines[:k] + lines[k + 1 :]), board)


@EVERY_BOARD
def test_configuration_properties(plans, board):
    lines = (plans[board.name] / "adder.xdc").read_text().splitlines()
    for line in (
        "set_property CFGBVS VCCO [current_design]",
        "set_property CONFIG_VOLTAGE 3.3 [current_design]",
        "set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]",
        *board.constraints,
    ):
        assert lines.count(line) == 1
    flash = [line.split()[1:3] for line in lines if "CONFIG.SPI" in line or "CONFIGRATE" in line]
    assert flash == (
        [
            ["BITSTREAM.CONFIG.SPI_BUSWIDTH", str(board.flash.width)],
            ["BITSTREAM.CONFIG.CONFIGRATE", str(board.flash.rate_mhz)],
        ]
        if board.flash
        else []
    )


def test_arty_clock_has_its_reference(plans):
    xdc = (plans["arty-s7-50"] / "adder.xdc").read_text()
    assert "set_property INTERNAL_VREF 0.675 [get_iobanks 34]" in xdc


@EVERY_BOARD
def test_files(plans, board):
    plan = plans[board.name]
    assert {path.name for path in plan.iterdir()} == FILES
    tcl = (plan / "adder.tcl").read_text()
    assert f"create_project -force -name adder -part {board.full_part}" in tcl
    for report in ("utilization_place", "timing", "power"):
        assert f"-file adder_{report}.rpt" in tcl
    assert "write_bitstream -force -bin_file adder.bit" in tcl
    # Nothing points back to where the plan was made.
    assert not any(str(plan.parent) in path.read_text() for path in plan.iterdir())


@EVERY_BOARD
def test_clock_passes_two_buffers_side_by_side_and_no_mmcm(plans, board):
    verilog = (plans[board.name] / "adder.v").read_text()
    buffers = re.findall(r"^\s*BUFGCTRL (.*?);", verilog, re.M | re.S)
    pins = [dict(re.findall(r"\.(\w+)\((.*?)\)", buffer)) for buffer in buffers]
    # that of the accelerator is driven by the same net, and opens when it is needed
    assert [(pin["I0"], pin["O"], pin["IGNORE0"]) for pin in pins] == [
        ("clock", "clk", "1'h0"),
        ("clock", "accelerator_clk", "1'h0"),
    ]
    assert len(re.findall(r"^\s*assign \S+\s* = ready & o_run;", verilog, re.M)) == 1
    assert "always @(posedge accelerator_clk)" in verilog
    # its reset has gone with it into its domain
    accelerator = re.search(r"^module \S*accelerator .*?^endmodule", verilog, re.M | re.S)[0]
    assert re.search(r"^\s*input reset;", accelerator, re.M)
    assert re.search(r"^\s*if \(reset\)", accelerator, re.M)
    assert not re.search(r"MMCM|PLL", verilog)


@EVERY_BOARD
def test_asynchronous_inputs_are_synchronised(plans, board):
    verilog = (plans[board.name] / "adder.v").read_text()
    # Two flip-flops each, of which the first is excepted from timing.
    excepted = r'\(\* \\amaranth\.vivado\.false_path  = "TRUE" \*\)\n'
    pair = rf'ASYNC_REG = "TRUE" \*\)\n\s*{excepted}\s*reg stage0 .*\n.*ASYNC_REG = "TRUE"'
    inputs = {"uart": 1, "spi": 3}[link_of(board)] + (board.reset is not None)
    assert len(re.findall(pair, verilog)) == inputs
    assert len(re.findall(excepted, verilog)) == inputs


@EVERY_BOARD
def test_readme_and_facts(plans, board):
    readme = (plans[board.name] / "README.txt").read_text()
    assert readme.startswith(f"adder on {board.title}")
    assert readme.count("sh build_adder.sh") == 1
    for wire, pin in board.wires(link_of(board)).items():
        assert f"{wire} {pin.ball}" in " ".join(readme.split())
    assert "adder.bit" in readme
    assert max(map(len, readme.splitlines())) <= 100
    assert json.loads((plans[board.name] / "bitformer.json").read_text()) == {
        "format": 1,
        "name": "adder",
        "board": board.name,
        "part": board.full_part,
        "clock_hz": board.clock_hz,
        "mmcm": False,
        "link": link_of(board),
        **({"baud": 115_200} if link_of(board) == "uart" else {}),
        "input_bits": 12,
        "result_bits": 7,
        "bitstream": "adder.bit",
        "toolchain": "vivado",
    }


@pytest.mark.parametrize(
    ("calendar", "words", "numbers", "more"),
    [
        (("hour", "weekday"), False, "the hour (0 to 23), then the weekday (0 for Monday).", None),
        (("weekday",), True, "last step: the weekday (0 for Monday).", 512),
        ((), False, None, None),
    ],
)
def test_the_boards_readme_says_how_the_time_is_sent(tmp_path, calendar, words, numbers, more):
    shape = {"window": 4, "horizon": 2, "d_model": 4, "ffn": 4, "inputs": 3}
    bits = {"subtract_last": True, "input_bits": 10, "output_bits": 10, "adc_words": words}
    config = TransformerConfig(name="timed", calendar=calendar, **shape, **bits)
    design, board = lower(initialize(config)), BOARDS["elastic-node-v5"]
    plan = build_design(design, board, directory=tmp_path / "plan", link="spi")
    text = (plan / "README.txt").read_text()
    paragraph = text[text.find("The model takes the time") :].split("\n\n")[0]
    assert numbers is None or max(map(len, paragraph.splitlines())) <= 98
    said = " ".join(text.split())
    assert (numbers is None) == ("window's last step" not in said)
    if numbers is not None:
        assert numbers in said
        assert "zeros up to a multiple of 3, the window's channels: 15 words in all." in said
        assert "bitformer_time() of bitformer_scale.h" in said
    assert ("each of them is 512 more" in said) == (more == 512)


@pytest.mark.parametrize("before", [None, "system"])
def test_the_environment_is_left_as_it_was(serial, tmp_path, monkeypatch, before):
    if before is None:
        monkeypatch.delenv("AMARANTH_USE_YOSYS", raising=False)
    else:
        monkeypatch.setenv("AMARANTH_USE_YOSYS", before)
    environment, here = dict(os.environ), os.getcwd()
    monkeypatch.setenv("PATH", "")  # no Yosys but the builtin one
    build_plan(BOARDS["sea"], serial.AddTwo(bits=4), name="a", directory=tmp_path / "p")
    assert {**os.environ, "PATH": environment["PATH"]} == environment
    assert os.getcwd() == here


def test_same_design_same_files(serial, plans, tmp_path):
    again = build_plan(
        BOARDS["sea"],
        serial.AddTwo(bits=12, result_bits=7),
        name="adder",
        directory=tmp_path / "again",
    )
    for name in FILES:
        assert (again / name).read_bytes() == (plans["sea"] / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"board": "sea"}, TypeError, r"Board must be a Board, not 'sea'"),
        ({"accelerator": None}, TypeError, r"Accelerator must be a component, not None"),
        ({"accelerator": lambda: 7}, TypeError, r"Accelerator must be a component, not 7"),
        ({"name": "etth1-96"}, UserError, r"Design name must be a letter, then .*'etth1-96'"),
        ({"name": ""}, UserError, r"Design name must be a letter, then .* not ''"),
        ({"baud": 20_000_000}, UserError, r"Baud rate must be at most 12500000"),
    ],
)
def test_refusals_leave_nothing(serial, tmp_path, change, error, message):
    arguments = {
        "board": BOARDS["sea"],
        "accelerator": serial.AddTwo(bits=4),
        "name": "a",
        "directory": tmp_path / "p",
        **change,
    }
    with pytest.raises(error, match=message):
        build_plan(arguments.pop("board"), arguments.pop("accelerator"), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_platform_refuses_a_name():
    with pytest.raises(TypeError, match=r"Board must be a Board, not 'sea'"):
        BoardPlatform(board="sea")
