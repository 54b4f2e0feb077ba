import dataclasses
import re

import pytest

from bitformer.boards.board import Board, Pin
from bitformer.boards.catalog import BOARDS, find_board
from bitformer.boards.packages import PACKAGES, Package
from bitformer.hw.parts import PARTS, Part
from bitformer.model.errors import UserError

EVERY_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
ARTY, SEA = BOARDS["arty-s7-50"], BOARDS["sea"]


def test_catalog():
    assert sorted(BOARDS) == ["arty-s7-50", "sea"]
    assert all(name == board.name for name, board in BOARDS.items())
    assert find_board("sea") is SEA
    assert SEA.vivado_part == "xc7s15ftgb196-1"
    assert SEA.resources is PARTS["xc7s15"]
    assert ARTY.vivado_part == "xc7s50csga324-1"


def test_unknown_board():
    with pytest.raises(
        UserError, match=r"^Board 'zybo' is unknown; known boards are arty-s7-50, sea$"
    ):
        find_board("zybo")


@EVERY_BOARD
def test_pins_belong_to_the_package_and_are_unique(board):
    balls = [pin.ball for pin in board.pins.values()]
    assert len(set(balls)) == len(balls)
    assert set(balls) <= board.package_data.balls
    assert board.clock.ball in board.package_data.clock_balls


@EVERY_BOARD
def test_board_says_how_to_load_it(board):
    assert "{bit}" in board.loader
    assert "{" not in board.loader.format(bit="top.bit")


@pytest.mark.parametrize(
    ("board", "change", "message"),
    [
        (SEA, {"name": "Sea"}, r"Board name must be lower-case .*, not 'Sea'"),
        (SEA, {"part": "xc7s16"}, r"Board sea: part 'xc7s16' is unknown"),
        (SEA, {"package": "csga324"}, r"Board sea: package 'csga324' is unknown"),
        (SEA, {"clock_hz": 0}, r"Board sea: clock_hz must be at least 1, not 0"),
        (SEA, {"cfgbvs": "VCC"}, r"Board sea: cfgbvs must be VCCO or GND, not 'VCC'"),
        (SEA, {"uart_rx": Pin(ball="A1")}, r"uart_rx is on A1, no user I/O of ftgb196"),
        # A power ball, a configuration ball, and one beyond the grid.
        (SEA, {"alive": Pin(ball="B4")}, r"alive is on B4, no user I/O"),
        (SEA, {"alive": Pin(ball="A8")}, r"alive is on A8, no user I/O"),
        (SEA, {"alive": Pin(ball="R2")}, r"alive is on R2, no user I/O"),
        (SEA, {"uart_tx": Pin(ball="M14")}, r"uart_tx is on M14, which uart_rx has taken"),
        (SEA, {"clock": Pin(ball="H3")}, r"clock is on H3, which cannot take a clock"),
        (SEA, {"fault": Pin(ball="A13", standard="LVCMOS34")}, r"unknown I/O standard 'LVCMOS34'"),
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
        (("xc7s50", "csga324"), 210, {14: 50, 15: 50, 16: 10, 34: 50, 35: 50}, 20),
    ],
)
def test_packages(key, pins, banks, clocks):
    package = PACKAGES[key]
    assert len(package.balls) == pins
    assert {number: len(balls) for number, balls in package.banks.items()} == banks
    assert len(package.clock_balls) == clocks
    assert all(re.fullmatch(r"[A-HJ-NPRT-V][1-9]\d?", ball) for ball in package.balls)
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
        luts=8_000,
        ffs=16_000,
        lutram_luts=2_400,
        ramb18=20,
        dsps=20,
        static_w=0.020,
        verified=True,
    )
    assert all(name == part.name for name, part in PARTS.items())
    # Two flip-flops beside each LUT, in every part of the family.
    assert all(part.ffs == 2 * part.luts for part in PARTS.values())
    assert [name for name, part in PARTS.items() if part.verified] == ["xc7s15", "xc7s25", "xc7s50"]
    # Only what was read in a report has a power figure.
    assert all((part.static_w is not None) == part.verified for part in PARTS.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dsps": 0}, r"Part xc7s15: dsps must be positive, not 0"),
        ({"lutram_luts": 8_001}, r"lutram_luts must be at most luts \(8000\), not 8001"),
        ({"static_w": 0.0}, r"static_w must be positive, not 0\.0"),
    ],
)
def test_bad_part_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PARTS["xc7s15"], **change)
