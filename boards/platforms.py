"""A board as an Amaranth platform."""

from amaranth.build import Attrs, Clock, Connector, Pins, Resource, Subsignal
from amaranth.vendor import XilinxPlatform

from bitformer.boards.board import Board

__all__ = ["BoardPlatform"]

#: The uses of a pin that the FPGA listens to; it drives the others.
_INPUTS = ("clock", "reset", "uart_rx")


class BoardPlatform(XilinxPlatform):
    """The Vivado platform of a board.

    Resources: ``clock`` and ``uart`` (subsignals ``rx``, ``tx``), and of ``reset``, ``alive`` and
    ``fault`` those the board has. The ``sync`` domain is the clock pin behind a global buffer that
    opens when configuration ends; it has no reset of its own.

    Every port but the clock is taken as asynchronous: its timing paths are false. Inputs have to
    pass a synchroniser.

    Parameters
    ----------
    board : Board

    Raises
    ------
    TypeError
        If `board` is no `Board`.
    """

    resources: list[Resource] = []  # replaced in __init__
    connectors: list[Connector] = []
    default_clk = "clock"

    def __init__(self, *, board: Board):
        if not isinstance(board, Board):
            raise TypeError(f"Board must be a Board, not {board!r}")
        self._board = board
        self.resources = _resources(board)
        super().__init__(toolchain="Vivado")

    @property
    def board(self) -> Board:
        return self._board

    @property
    def device(self):
        return self._board.part

    @property
    def package(self):
        return self._board.package

    @property
    def speed(self):
        return self._board.speed

    def toolchain_prepare(self, fragment, name, **kwargs):
        lines = [
            f"set_property CFGBVS {self._board.cfgbvs} [current_design]",
            f"set_property CONFIG_VOLTAGE {self._board.config_voltage} [current_design]",
            "set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]",
            *self._board.constraints,
            *self._false_paths(fragment),
        ]
        return super().toolchain_prepare(fragment, name, add_constraints="\n".join(lines), **kwargs)

    def _false_paths(self, design):
        # Amaranth leaves the direction of a port open here: the ball tells it.
        use_of = {pin.ball: use for use, pin in self._board.pins.items()}
        for name, port, _ in design.ports:
            use = use_of[port.metadata[0].name]
            if use != "clock":
                side = "-from" if use in _INPUTS else "-to"
                yield f"set_false_path {side} [get_ports {{{name}}}]"


def _resources(board: Board) -> list[Resource]:
    io = {
        use: (
            Pins(pin.ball, dir="i" if use in _INPUTS else "o", invert=pin.inverted),
            Attrs(IOSTANDARD=pin.standard),
        )
        for use, pin in board.pins.items()
    }
    clock = Resource("clock", 0, *io["clock"], Clock(board.clock_hz))
    uart = Resource("uart", 0, Subsignal("rx", *io["uart_rx"]), Subsignal("tx", *io["uart_tx"]))
    singles = [Resource(use, 0, *io[use]) for use in ("reset", "alive", "fault") if use in io]
    return [clock, uart, *singles]
