import json
import sys

import pytest
from manifest_harness import write_manifest

from bitformer.boards.build import probes
from bitformer.boards.build.load import find_bitstream, load_command, program
from bitformer.boards.catalog import BOARDS
from bitformer.model.errors import UserError


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """A stand-in for openFPGALoader that records its arguments.

    It lists what the file beside it holds, and fails for a bitstream that is bad.
    """
    tool = tmp_path / "tools" / "openFPGALoader"
    tool.parent.mkdir()
    code = (
        f"#!{sys.executable}\nimport json, sys, pathlib\n"
        f"attached = pathlib.Path({str(tmp_path / 'attached.txt')!r})\n"
        f"if '--scan-usb' in sys.argv and attached.exists(): print(attached.read_text())\n"
        f"open({str(tmp_path / 'said.json')!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
        f"sys.exit(len(sys.argv[-1]) if 'bad' in sys.argv[-1] else 0)\n"
    )
    tool.write_text(code)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    return lambda: json.loads((tmp_path / "said.json").read_text())


@pytest.fixture
def build(tmp_path):
    path = tmp_path / "a build"
    path.mkdir()
    write_manifest(path)
    (path / "net.bit").write_bytes(b"bit")
    (path / "net.bin").write_bytes(b"bin")
    return path


@pytest.mark.parametrize(
    ("board", "options", "arguments"),
    [
        ("arty-s7-50", {}, ["-b", "arty_s7_50"]),
        ("arty-s7-25", {"flash": True}, ["-b", "arty_s7_25", "-f"]),
        ("arty-s7-25", {"cable": "ft2232"}, ["-b", "arty_s7_25", "-c", "ft2232"]),
        # Its name there is for the flash only.
        ("cmod-s7", {}, ["-c", "digilent", "--fpga-part", "xc7s25"]),
        ("cmod-s7", {"flash": True}, ["-b", "cmod_s7", "-f"]),
        ("sea", {"cable": "digilent_hs2"}, ["-b", "spartanEdgeAccelBoard", "-c", "digilent_hs2"]),
        (
            "elastic-node-v5",
            {"cable": "digilent_hs2", "flash": True},
            ["-c", "digilent_hs2", "--fpga-part", "xc7s15ftgb196", "-f"],
        ),
        (
            "qmtech-xc7s15",
            {"cable": "dirtyJtag"},
            ["-c", "dirtyJtag", "--fpga-part", "xc7s15ftgb196"],
        ),
        ("ulx3s-25f", {}, ["-b", "ulx3s"]),
        ("ulx3s-85f", {"flash": True}, ["-b", "ulx3s", "-f"]),
        # Bitstreams go to the flash: without a jumper, nothing else is reached.
        ("icebreaker", {}, ["-b", "ice40_generic", "-f"]),
        ("icebreaker", {"flash": True}, ["-b", "ice40_generic", "-f"]),
        ("upduino-v3", {}, ["-b", "ice40_generic", "-c", "ft232", "-f"]),
        ("upduino-v3", {"cable": "ft2232"}, ["-b", "ice40_generic", "-f"]),
        ("orangecrab-25f", {}, ["-b", "orangeCrab"]),
        ("orangecrab-25f", {"flash": True}, ["-b", "orangeCrab"]),  # which it writes anyway
    ],
)
def test_arguments(loader, tmp_path, board, options, arguments):
    bitstream = tmp_path / "net.bit"
    program(BOARDS[board], bitstream, **options)
    assert loader() == [*arguments, str(bitstream)]


def test_every_board_can_be_loaded(tmp_path):
    for board in BOARDS.values():
        cable = None if board.loader.dfu else "ft2232"
        assert load_command(board, tmp_path / "a.bit", cable=cable)[-1].endswith("a.bit")


@pytest.mark.parametrize(
    ("board", "options", "message"),
    [
        ("sea", {}, r"^Seeed .* has no JTAG cable of its own: name yours with --cable"),
        ("sea", {"cable": "ft2232", "flash": True}, r"^Seeed .* has no flash"),
        ("orangecrab-25f", {"cable": "ft2232"}, r"^OrangeCrab .* takes the first: leave --cable"),
        ("orangecrab-25f", {"usb": "1:4"}, r"^OrangeCrab .* and attach one board only$"),
    ],
)
def test_what_a_board_lacks(loader, tmp_path, board, options, message):
    with pytest.raises(UserError, match=message):
        program(BOARDS[board], tmp_path / "net.bit", **options)


def test_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    with pytest.raises(UserError, match=r"^openFPGALoader is not on the PATH; install .*apt"):
        program(BOARDS["arty-s7-50"], tmp_path / "net.bit")


def test_another_loader_than_there_is(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENFPGALOADER", "/missing")
    with pytest.raises(UserError, match=r"^OPENFPGALOADER must name a program, and '/missing' was"):
        program(BOARDS["arty-s7-50"], tmp_path / "net.bit")


def test_failure(loader, tmp_path):
    bitstream = tmp_path / "bad.bit"
    with pytest.raises(
        UserError, match=r"^openFPGALoader failed with exit status \d+: is Digilent"
    ):
        program(BOARDS["arty-s7-50"], bitstream)


def test_a_build_knows_its_board_and_files(build):
    assert find_bitstream(build, board=None, flash=False) == (
        build / "net.bit",
        BOARDS["elastic-node-v5"],
    )
    assert find_bitstream(build, board="elastic-node-v5", flash=True)[0] == build / "net.bin"
    (build / "net.bin").unlink()
    assert find_bitstream(build, board=None, flash=True)[0] == build / "net.bit"


@pytest.mark.parametrize(
    ("source", "board", "message"),
    [
        ("a build", "sea", r"is for board elastic-node-v5, not sea"),
        ("a build/net.bit", None, r"^Board must be named with --board"),
        ("a build/net.bit", "zybo", r"^Board 'zybo' is unknown"),
        ("a build/other.bit", "sea", r"^Bitstream .*other\.bit is not there; build it first"),
        ("m.safetensors", "sea", r"must be a \.bit or \.bin file .* 'bitformer build' makes one"),
        (".", None, r"holds no bitformer build"),
    ],
)
def test_mistakes(build, source, board, message):
    with pytest.raises(UserError, match=message):
        find_bitstream(build.parent / source, board=board, flash=False)


#: As openFPGALoader lists cables and what is attached; the form of a cable's numbers varies.
CABLES = """\
cable name               vid:pid
digilent                 0x0403:6010
digilent_hs2             0x0403:0x6014
ft2232                   0x0403:6010
ft231X                   0x0403:6015
ft232RL                  0x0403:6001

Bus device vid:pid       probe type      manufacturer serial               product
"""
FIRST = "001 008    0x0403:0x6010 FTDI2232        Digilent     210352A0             Arty S7"
SECOND = "\x1b[94m001 013    0x0403:0x6010 FTDI2232        Digilent     210352B7    Arty S7\x1b[0m"
ADAPTER = (
    "001 009    0x0403:0x6001 ft232RL         FTDI         A50285BI             FT232R USB UART"
)
TWIN = "002 004    0x0403:0x6010 FTDI2232        none         none                 none"
ULX3S = (
    "001 020    0x0403:0x6015 FTDI            FER-RADIONA-EMARD K00420     ULX3S FPGA 25K v3.0.8"
)
OTHER_ULX3S = (
    "001 021    0x0403:0x6015 FTDI            FER-RADIONA-EMARD K00421     ULX3S FPGA 85K v3.0.8"
)
ON_BUS_0 = "000 005    0x0403:0x6010 FTDI2232        Digilent     210352C1             Arty S7"


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    ("attached", "options", "arguments"),
    [
        ([FIRST], {}, []),
        ([FIRST, ADAPTER, ADAPTER], {}, []),  # of another kind
        ([], {}, []),
        ([], {"usb": "001:013"}, ["--busdev-num", "1:13"]),  # nobody knows what is attached
        ([FIRST, SECOND], {"usb": "1:13"}, ["--busdev-num", "1:13"]),
        ([FIRST, SECOND], {"usb": "001:008"}, ["--busdev-num", "1:8"]),  # 010 would be octal
        ([ON_BUS_0], {"usb": "0:5"}, ["--busdev-num", "0:5"]),
        ([FIRST, SECOND], {"serial": "210352B7"}, ["--ftdi-serial", "210352B7"]),
        ([FIRST, SECOND], {"cable": "digilent_hs2"}, ["-c", "digilent_hs2"]),
        ([FIRST, SECOND], {"cable": "not-listed"}, ["-c", "not-listed"]),
    ],
)
def test_one_of_several_boards(loader, tmp_path, attached, options, arguments):
    (tmp_path / "attached.txt").write_text(CABLES + "\n".join(attached))
    bitstream = tmp_path / "net.bit"
    command = program(BOARDS["arty-s7-50"], bitstream, **options)
    assert loader() == ["-b", "arty_s7_50", *arguments, str(bitstream)] == command[1:]


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    ("attached", "options", "message"),
    [
        (
            [FIRST, ADAPTER, SECOND],
            {},
            r"^Several probes of one kind are attached: 1:8 \(FTDI2232 +Digilent +210352A0 +Arty S7"
            r"\), 1:13 \(FTDI2232 .*\)\. Say which one with --usb BUS:DEVICE or --serial S$",
        ),
        ([FIRST, SECOND], {"cable": "ft2232"}, r"^Several probes of one kind"),
        ([FIRST, SECOND], {"usb": "1:9"}, r"^--usb must name a probe .* 1:8 \(.*, not 1:9$"),
        ([FIRST], {"usb": "1-13"}, r"^--usb must be BUS:DEVICE, two numbers .* not '1-13'$"),
        ([FIRST, SECOND], {"serial": "2103"}, r"^--serial must name one probe .* '2103' names 0$"),
        ([TWIN, TWIN], {"serial": "none"}, r"^--serial must name one probe .* 'none' names 2$"),
        ([FIRST, ON_BUS_0], {"usb": "0:5"}, r"^--usb must name another bus than 0,"),
        ([FIRST], {"usb": "1:8", "serial": "210352A0"}, r"^--usb and --serial both name a probe"),
    ],
)
def test_nothing_is_loaded_until_it_is_known_where(loader, tmp_path, attached, options, message):
    (tmp_path / "attached.txt").write_text(CABLES + "\n".join(attached))
    with pytest.raises(UserError, match=message):
        program(BOARDS["arty-s7-50"], tmp_path / "net.bit", **options)
    assert "net.bit" not in " ".join(loader())


@pytest.mark.needs("posix")
def test_equal_boards_are_told_apart(loader, tmp_path):
    """Two ULX3S, whose probes say what is on each."""
    board, bitstream = BOARDS["ulx3s-85f"], tmp_path / "net.bit"
    (tmp_path / "attached.txt").write_text(CABLES + f"{ULX3S}\n{FIRST}\n{OTHER_ULX3S}")
    with pytest.raises(UserError, match=r"1:20 \(.*ULX3S FPGA 25K.*\), 1:21 \(.*ULX3S FPGA 85K"):
        program(board, bitstream)
    assert "net.bit" not in " ".join(loader())
    program(board, bitstream, serial="K00421")
    assert loader() == ["-b", "ulx3s", "--ftdi-serial", "K00421", str(bitstream)]
    program(board, bitstream, usb="1:21")
    assert loader() == ["-b", "ulx3s", "--busdev-num", "1:21", str(bitstream)]


@pytest.mark.needs("posix")
def test_loader_that_lists_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(probes, "_PATIENCE", 0.2)
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 20\n")
    slow.chmod(0o755)
    assert probes.attached(str(slow), "digilent") == []
    assert probes.attached(str(tmp_path / "gone"), "digilent") == []
