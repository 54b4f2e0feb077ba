"""The shell that speaks the Elastic Node's own protocol."""

from functools import partial

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.elastic.address_map import V2, ElasticMap
from bitformer.boards.shell.elastic.bus import ELASTIC_RATIO, ElasticBus
from bitformer.boards.shell.elastic.endpoint import ElasticEndpoint
from bitformer.boards.shell.shell import BoardShell
from bitformer.boards.shell.sleep import Sleep

__all__ = ["ElasticShell"]


class ElasticShell(BoardShell):
    """Puts an accelerator behind the Elastic Node's SPI protocol, which docs/protocol.md describes.

    Nothing in it is checked: a damaged byte is a wrong number, and a window of which bytes are
    missing keeps those of the one before.

    Parameters
    ----------
    accelerator, clock_hz, contract
        See `BoardShell`. Golden vectors of the contract are not used.
    addresses : ElasticMap
        Where the firmware looks for what.

    Members
    -------
    sck, mosi : In(1)
        Clock and data of the host, asynchronous.
    cs : In(1)
        Chip select, asynchronous; high is selected.
    miso : Out(1)
        Data to the host.
    i_reset : In(1)
        Restarts accelerator and endpoint.
    fault : Out(1)
        The last transfer began with no command.
    busy : Out(1)
        An inference goes on: from 4 cycles after the last bit of its start on, until its results
        are there.

    Raises
    ------
    TypeError, ValueError
        If `accelerator` is no such component, its payloads are too wide, the addresses do not hold
        them, or the contract is one of new weights.
    """

    def __init__(
        self,
        *,
        accelerator: wiring.Component,
        clock_hz: int,
        contract: Contract | None = None,
        addresses: ElasticMap = V2,
    ):
        super().__init__(
            accelerator=accelerator,
            clock_hz=clock_hz,
            contract=contract,
            pins={"sck": In(1), "cs": In(1), "mosi": In(1), "miso": Out(1), "busy": Out(1)},
            link=partial(ElasticBus, phase=addresses.phase),
            endpoint=partial(ElasticEndpoint, addresses=addresses),
        )

    @property
    def addresses(self) -> ElasticMap:
        return self._endpoint.addresses

    @property
    def model_id(self) -> bytes:
        """The 16 bytes by which the firmware knows the model."""
        return self._endpoint.model_id

    @property
    def highest_sck_hz(self) -> int:
        """The fastest SPI clock."""
        return self.clock_hz // ELASTIC_RATIO

    def front(self, m: Module, outside: wiring.Component) -> tuple[Value, Sleep]:
        m.d.comb += outside.busy.eq(self._endpoint.o_busy)
        return super().front(m, outside)
