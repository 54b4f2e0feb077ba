"""The boards bitformer builds for. Nothing here was tried on a real board yet."""

from dataclasses import replace

from amaranth.build import Resource
from amaranth_boards.arty_s7 import ArtyS7_25Platform, ArtyS7_50Platform
from amaranth_boards.cmod_s7 import CmodS7_Platform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_45F_Platform, ULX3S_85F_Platform
from amaranth_boards.upduino_v3 import UpduinoV3Platform

from bitformer.boards.board import Board, JtagLoader, Pin, SpiFlash, SpiPins, UartPins
from bitformer.hw.parts import PARTS
from bitformer.model.alike import meant
from bitformer.model.errors import UserError

__all__ = ["BOARDS", "board_of", "find_board"]

_SEA = Board(
    name="sea",
    title="Seeed Spartan Edge Accelerator",
    part="xc7s15",
    package="ftgb196",
    speed="1",
    clock_hz=100_000_000,
    clock=Pin(ball="H4"),
    reset=Pin(ball="D14", inverted=True),
    uart=UartPins(rx=Pin(ball="M14"), tx=Pin(ball="N14")),
    # The lines to the ESP32, of which its quad mode would use two more.
    spi=SpiPins(
        sck=Pin(ball="H14"),
        cs=Pin(ball="M13", inverted=True),
        mosi=Pin(ball="P2"),
        miso=Pin(ball="L14"),
    ),
    alive=Pin(ball="J1"),
    fault=Pin(ball="A13"),
    loader=JtagLoader(board="spartanEdgeAccelBoard", before="Set switch K5 to JTAG."),
    loading=(
        "From an SD card, with K5 on Slave: copy {bit} to /overlay/default.bit; Seeed's ESP32 "
        "loader skips the first 100 bytes, so it takes the .bit and never the .bin file. "
        "The board has no flash for the FPGA: the bitstream is gone when the power is."
    ),
    notes=(
        "USB-C reaches the ESP32 only. UART: connect a 3.3 V USB serial adapter to header J10, its "
        "TXD to IO1 (M14), its RXD to IO0 (N14), and ground. SPI: the ESP32 is the host, SCK 18, "
        "CS 5, MOSI 23, MISO 19. The Arduino pins A0 to A5 of some constraint files (balls F5, D8, "
        "C7, E7, D7, D5) are no user I/O of this part."
    ),
)

_ELASTIC_NODE = Board(
    name="elastic-node-v5",
    title="Elastic Node v5",
    part="xc7s15",
    package="ftgb196",
    # Which grade is soldered is stated nowhere: the slowest promises no more than any other keeps.
    speed="1",
    clock_hz=100_000_000,
    clock=Pin(ball="H11"),
    spi=SpiPins(
        sck=Pin(ball="N11"),
        cs=Pin(ball="P12", inverted=True),
        mosi=Pin(ball="P11"),
        miso=Pin(ball="M12"),
    ),
    busy=Pin(ball="L12"),
    uart=UartPins(rx=Pin(ball="A12"), tx=Pin(ball="A13")),
    link="spi",
    alive=Pin(ball="H12"),
    fault=Pin(ball="J12"),
    flash=SpiFlash(width=4, rate_mhz=50),
    loader=JtagLoader(
        part="xc7s15ftgb196",
        flash=True,
        before=(
            "Connect a JTAG cable to J2; for the flash, the RP2040 must leave its SPI pins alone."
        ),
    ),
    loading="The RP2040 can write {name}.bin to the flash, and reset the FPGA by GPIO12.",
    notes=(
        "The RP2040 is the SPI host: SCK GPIO18, CS GPIO17, MOSI GPIO19, MISO GPIO16, and sees on "
        "GPIO15 whether an inference is going on, with the node's own protocol. It has to "
        "switch the FPGA's power on first: GPIO23 high, 10 ms, GPIO21 low. UART: header J1, the "
        "host's TXD to FIO_0 (A12), its RXD to FIO_1 (A13). The oscillator also drives ball A10: "
        "it must stay an input."
    ),
)

_QMTECH = Board(
    name="qmtech-xc7s15",
    title="QMTECH XC7S15 core board",
    part="xc7s15",
    package="ftgb196",
    speed="1",
    clock_hz=50_000_000,
    clock=Pin(ball="H11"),
    reset=Pin(ball="B6", inverted=True),
    uart=UartPins(rx=Pin(ball="N4"), tx=Pin(ball="P5")),
    # Four neighbours of the header, which have no other use.
    spi=SpiPins(
        sck=Pin(ball="P4"),
        cs=Pin(ball="P3", inverted=True),
        mosi=Pin(ball="P2"),
        miso=Pin(ball="N1"),
    ),
    alive=Pin(ball="C4"),
    fault=Pin(ball="L5"),
    flash=SpiFlash(width=4, rate_mhz=33),
    loader=JtagLoader(part="xc7s15ftgb196", flash=True, before="Connect a JTAG cable."),
    notes=(
        "There is no USB serial port: connect a 3.3 V adapter to the header, its TXD to ball N4, "
        "its RXD to P5, and ground. SPI: SCK P4, CS P3, MOSI P2, MISO N1."
    ),
)


def _pin(resource: Resource, wire: str | None = None) -> Pin:
    """Return the ball of a resource of amaranth-boards, or of one of its wires."""
    part = resource
    if wire is not None:
        part = next(part for part in resource.ios if part.name == wire)
    pins = part.ios[0]
    attrs = {**resource.attrs, **part.attrs}
    # an iCE40's pins have the voltage of their bank, 3.3 V on every board here, and no other pull
    standard = attrs.get("IOSTANDARD") or attrs.get("IO_TYPE") or "LVCMOS33"
    return Pin(
        ball=pins.names[0],
        standard=standard,
        inverted=pins.invert,
        pull="UP" if attrs.get("PULLUP") else attrs.get("PULLMODE"),
    )


def _by_name(platform) -> dict[tuple[str, int], Resource]:
    return {(found.name, found.number): found for found in platform.resources}


def _header(platform, number: int = 0) -> dict[str, str]:
    """Return the balls of a connector of amaranth-boards, by its pins."""
    connector = next(found for found in platform.connectors if found.number == number)
    return connector.mapping


def _digilent(platform, **facts) -> Board:
    """Return a board whose pins amaranth-boards knows."""
    resources = _by_name(platform)
    clock = resources[platform.default_clk, 0]
    reset = getattr(platform, "default_rst", None)
    uart = resources["uart", 0]
    return Board(
        part=platform.device,
        package=platform.package,
        speed=platform.speed,
        clock_hz=round(clock.clock.frequency),
        clock=_pin(clock),
        reset=_pin(resources[reset, 0]) if reset else facts.pop("reset"),
        uart=UartPins(rx=_pin(uart, "rx"), tx=_pin(uart, "tx")),
        alive=_pin(resources["led", 0]),
        fault=_pin(resources["led", 1]),
        notes=facts.pop("notes", "The USB connector carries JTAG and the serial port."),
        **facts,
    )


def _arty(size: int, platform) -> Board:
    return _digilent(
        platform,
        name=f"arty-s7-{size}",
        title=f"Digilent Arty S7-{size}",
        flash=SpiFlash(width=4, rate_mhz=50),
        # The clock arrives in the DDR3 bank, at 1.35 V; its receiver compares with half of that.
        constraints=("set_property INTERNAL_VREF 0.675 [get_iobanks 34]",),
        loader=JtagLoader(board=f"arty_s7_{size}", cable="digilent", flash=True),
        loading="Vivado's hardware manager loads it too.",
    )


_CMOD = _digilent(
    CmodS7_Platform,
    name="cmod-s7",
    title="Digilent Cmod S7",
    reset=Pin(ball="D2"),
    flash=SpiFlash(width=4, rate_mhz=33),
    loader=JtagLoader(board="cmod_s7", part="xc7s25", cable="digilent", flash=True),
    loading="Vivado's hardware manager loads it too.",
    notes=(
        "The USB connector carries JTAG and the serial port. The oscillator has 12 MHz, so an "
        "inference takes eight times as long as at 100 MHz; --clock 100 adds an MMCM. Button 0 "
        "restarts the design."
    ),
)


def _spi(header: dict[str, str], sck: str, cs: str, mosi: str, miso: str) -> SpiPins:
    """Return the wires of an SPI host on a header; nobody selects the FPGA without one."""
    return SpiPins(
        sck=Pin(ball=header[sck]),
        cs=Pin(ball=header[cs], inverted=True, pull="UP"),
        mosi=Pin(ball=header[mosi]),
        miso=Pin(ball=header[miso]),
    )


def _ulx3s(size: int, platform) -> Board:
    resources = _by_name(platform)
    uart, esp32 = resources["uart", 0], resources["esp32", 0]
    return Board(
        name=f"ulx3s-{size}f",
        title=f"Radiona ULX3S with an {platform.device}",
        part=platform.device.lower(),
        package=platform.package,
        speed=platform.speed,
        clock_hz=round(resources[platform.default_clk, 0].clock.frequency),
        clock=_pin(resources[platform.default_clk, 0]),
        reset=_pin(resources["button_fire", 0]),
        uart=UartPins(rx=_pin(uart, "rx"), tx=_pin(uart, "tx")),
        spi=_spi(_header(platform), "0+", "1+", "2+", "3+"),
        alive=_pin(resources["led", 0]),
        fault=_pin(resources["led", 1]),
        # as designs for this board do, so that the ESP32 on it does not restart it
        held={"esp32_gpio0": _pin(esp32, "gpio0")},
        flash=SpiFlash(width=1, rate_mhz=38.8),
        loader=JtagLoader(board="ulx3s", cable="ft231X", flash=True),
        loading="Any other loader of ECP5 bitstreams takes it too.",
        notes=(
            "The USB connector US1 carries JTAG and the serial port. SPI is on the header J1: SCK"
            " GP0, CS GP1, MOSI GP2, MISO GP3. The button FIRE1 restarts the design. ULX3S boards"
            " come with parts of four sizes: read the FPGA's label."
        ),
    )


def _orangecrab() -> Board:
    platform = OrangeCrabR0_2_25FPlatform
    resources, header = _by_name(platform), _header(platform)
    led = resources["rgb_led", 0]
    return Board(
        name="orangecrab-25f",
        title="OrangeCrab r0.2 with an LFE5U-25F",
        part=platform.device.lower(),
        package=platform.package,
        speed=platform.speed,
        clock_hz=round(resources[platform.default_clk, 0].clock.frequency),
        clock=_pin(resources[platform.default_clk, 0]),
        reset=_pin(resources["button", 0]),
        uart=UartPins(rx=Pin(ball=header["0"], pull="UP"), tx=Pin(ball=header["1"])),
        spi=_spi(header, "sck", "5", "copi", "cipo"),
        alive=_pin(led, "g"),
        fault=_pin(led, "r"),
        flash=SpiFlash(width=1, rate_mhz=38.8),
        loader=JtagLoader(
            board="orangeCrab",
            cable="dfu",
            flash=True,
            dfu=True,
            before=(
                "Hold the button while you plug the USB cable in: the boot loader then waits for"
                " the bitstream, which it writes to the flash."
            ),
        ),
        loading="dfu-util -a 0 -D {bit} does it too.",
        notes=(
            "There is no USB serial port in the design: connect a 3.3 V adapter to the header, its"
            " TXD to pin 0, its RXD to pin 1, and ground. SPI: SCK, MOSI and MISO as the header"
            " names them, CS on pin 5. The button restarts the design."
        ),
    )


def _icebreaker() -> Board:
    platform = ICEBreakerPlatform
    resources, header = _by_name(platform), _header(platform)
    clock, uart = resources[platform.default_clk, 0], resources["uart", 0]
    return Board(
        name="icebreaker",
        title="1BitSquared iCEBreaker 1.0",
        part=platform.device.lower(),
        package=platform.package,
        speed="",
        clock_hz=round(clock.clock.frequency),
        clock=_pin(clock),
        reset=_pin(resources["button", 0]),
        uart=UartPins(rx=_pin(uart, "rx"), tx=replace(_pin(uart, "tx"), pull=None)),
        # as Digilent orders the wires of an SPI Pmod: CS, MOSI, MISO, SCK
        spi=_spi(header, sck="4", cs="1", mosi="2", miso="3"),
        alive=_pin(resources["led_g", 0]),
        fault=_pin(resources["led_r", 0]),
        flash=SpiFlash(width=1, rate_mhz=10),
        loader=JtagLoader(board="ice40_generic", cable="ft2232", flash=True, flash_only=True),
        loading="'iceprog {bit}' does it too.",
        notes=(
            "The USB connector carries the flash's programmer and the serial port. SPI is on Pmod"
            " 1A, CS, MOSI, MISO and SCK on its pins 1 to 4. The button uBUTTON restarts the"
            " design."
        ),
    )


def _upduino() -> Board:
    platform = UpduinoV3Platform
    resources, header = _by_name(platform), _header(platform)
    flash, led = resources["spi_flash_1x", 0], resources["rgb_led", 0]
    # The programmer's chip has its serial lines on the flash's clock and input.
    from_host, to_host = _pin(flash, "clk"), _pin(flash, "copi")
    return Board(
        name="upduino-v3",
        title="tinyVision.ai UPduino v3",
        part=platform.device.lower(),
        package=platform.package,
        speed="",
        # Half of the oscillator inside the chip: that on the board reaches pin 20 through a jumper
        # that is open.
        clock_hz=24_000_000,
        clock=None,
        uart=UartPins(rx=replace(from_host, pull="UP"), tx=to_host),
        spi=_spi(header, sck="7", cs="8", mosi="9", miso="10"),
        link="spi",
        alive=_pin(led, "g"),
        fault=_pin(led, "r"),
        # it would answer what is meant for the design
        held={"flash_cs": replace(_pin(flash, "cs"), inverted=False)},
        flash=SpiFlash(width=1, rate_mhz=10),
        loader=JtagLoader(
            board="ice40_generic",
            cable="ft232",
            usual_cable="ft2232",
            flash=True,
            flash_only=True,
        ),
        loading="'iceprog {bit}' does it too.",
        notes=(
            "The clock is the oscillator inside the chip, as that on the board reaches the FPGA"
            " only through the solder jumper OSC. It may be off by 10 %, which a UART does not"
            " bear: SPI does. SPI is on the header: SCK 23, CS 25, MOSI 26, MISO 27. The USB"
            " connector carries the flash's programmer, and the UART. There is no button."
        ),
    )


#: Every known board by name.
BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        _SEA,
        _ELASTIC_NODE,
        _QMTECH,
        _arty(25, ArtyS7_25Platform),
        _arty(50, ArtyS7_50Platform),
        _CMOD,
        _ulx3s(25, ULX3S_25F_Platform),
        _ulx3s(45, ULX3S_45F_Platform),
        _ulx3s(85, ULX3S_85F_Platform),
        _orangecrab(),
        _icebreaker(),
        _upduino(),
    )
}


def find_board(name: str) -> Board:
    """Return the board called `name`; raise a `UserError` with the known names if there is none."""
    if name not in BOARDS:
        known = sorted(BOARDS)
        raise UserError(
            f"Board {name!r} is unknown; known boards are {', '.join(known)}{meant(name, known)}"
        )
    return BOARDS[name]


def board_of(part: str) -> Board:
    """Return the first board with a part, else with a part of its family; the first of all else."""
    family = PARTS[part].family
    own = [board for board in BOARDS.values() if PARTS[board.part].family is family]
    return next((board for board in own if board.part == part), next(iter(own), _SEA))
