"""A board as an Amaranth platform."""

from amaranth.build import Connector, Resource
from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import io
from amaranth.vendor import XilinxPlatform

from bitformer.boards.board import Board
from bitformer.boards.build.resources import INPUTS, OnBoard, resources_of
from bitformer.boards.build.saif import STRIP_PATH
from bitformer.boards.clock import Mmcm, mmcm_for

__all__ = ["BoardPlatform"]


class BoardPlatform(OnBoard, XilinxPlatform):
    """The Vivado platform of a board.

    Resources: ``clock``; of ``uart`` (subsignals ``rx``, ``tx``), ``spi`` (``sck``, ``cs``,
    ``mosi``, ``miso``), ``elastic`` (the same balls, and ``busy``), ``reset``, ``alive`` and
    ``fault`` those the board has. The ``sync`` domain
    is the clock pin, or what an MMCM makes of it, behind a global buffer that opens when
    configuration ends; it has no reset of its own.

    Every port but the clock is taken as asynchronous: its timing paths are false. Inputs have to
    pass a synchroniser.

    Parameters
    ----------
    board : Board
    clock_hz : int or None
        The design's clock; another than the board's costs an MMCM.
    saif : str or None
        A SAIF file beside the Tcl script: the switching activity that power is computed from.

    Raises
    ------
    TypeError
        If `board` is no `Board`.
    ValueError
        If an MMCM cannot make `clock_hz`.
    """

    resources: list[Resource] = []  # replaced in __init__
    connectors: list[Connector] = []
    default_clk = "clock"
    _generator: Mmcm | None

    def __init__(self, *, board: Board, clock_hz: int | None = None, saif: str | None = None):
        if not isinstance(board, Board):
            raise TypeError(f"Board must be a Board, not {board!r}")
        self._board = board
        self._generator = None
        if clock_hz not in (None, board.clock_hz):
            self._generator = mmcm_for(input_hz=board.clock_hz, output_hz=clock_hz)
        self._saif = saif
        self._clock, self._ready = Signal(name="clock"), Signal(name="ready")
        self.resources = resources_of(board, standard="IOSTANDARD", pull="PULLTYPE")
        super().__init__(toolchain=self._toolchain_name)

    _toolchain_name = "Vivado"
    #: Whether `stop_clock` may be used.
    can_stop_clock = True

    def create_missing_domain(self, name):
        if name != "sync":
            return super().create_missing_domain(name)
        m = Module()
        m.submodules.clk_buf = pin = io.Buffer("i", self.request("clock", dir="-"))
        ready = Signal()
        m.submodules.startup = Instance("STARTUPE2", o_EOS=ready)
        if self._generator is None:
            m.d.comb += [self._clock.eq(pin.i), self._ready.eq(ready)]
        else:
            locked = Signal()
            m.submodules.mmcm = self._generator.instance(i=pin.i, o=self._clock, locked=locked)
            m.d.comb += self._ready.eq(ready & locked)
        m.domains.sync = ClockDomain(reset_less=True)
        m.submodules.clk_gate = self.stop_clock(Const(1), ClockSignal("sync"))
        return m

    def stop_clock(self, enable: Value, clock: Value) -> Instance:
        """Return a global buffer of the clock that is open while ``enable`` is high.

        It is driven by what drives the buffer of ``sync``, beside it, so both arrive together.
        """
        # A BUFGCE, spelt out: Vivado's BUFGCE differs between simulation and synthesis, and its
        # parameter against that, SIM_DEVICE, is an error for Vivado 2018.2 and for Yosys. Later
        # releases of Vivado warn that they set it themselves (Netlist 29-345).
        return Instance(
            "BUFGCTRL",
            i_I0=self._clock,
            i_S0=Const(1),
            i_CE0=self._ready & enable,
            i_IGNORE0=Const(0),
            i_I1=Const(1),
            i_S1=Const(0),
            i_CE1=Const(0),
            i_IGNORE1=Const(1),
            o_O=clock,
        )

    def toolchain_prepare(self, fragment, name, **kwargs):
        lines = [*self._configuration(), *self._board.constraints, *self._false_paths(fragment)]
        if self._saif is not None:
            kwargs["script_after_route"] = (
                f"read_saif -strip_path {STRIP_PATH} -out_file {name}_saif.rpt {self._saif}"
            )
        return super().toolchain_prepare(fragment, name, add_constraints="\n".join(lines), **kwargs)

    def _configuration(self):
        properties: dict[str, object] = {
            "CFGBVS": self._board.cfgbvs,
            "CONFIG_VOLTAGE": self._board.config_voltage,
            "BITSTREAM.GENERAL.COMPRESS": "TRUE",
        }
        if (flash := self._board.flash) is not None:
            properties |= {
                "CONFIG_MODE": f"SPIx{flash.width}",
                "BITSTREAM.CONFIG.SPI_BUSWIDTH": flash.width,
                "BITSTREAM.CONFIG.CONFIGRATE": flash.rate_mhz,
            }
        for key, value in properties.items():
            yield f"set_property {key} {value} [current_design]"

    def _false_paths(self, design):
        # Amaranth leaves the direction of a port open here: the ball tells it.
        use_of = {pin.ball: use for use, pin in self._board.pins.items()}
        for name, port, _ in design.ports:
            use = use_of[port.metadata[0].name]
            if use != "clock":
                side = "-from" if use.split("_")[-1] in INPUTS else "-to"
                yield f"set_false_path {side} [get_ports {{{name}}}]"
