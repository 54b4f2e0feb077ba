"""The chip's end of the framed protocol: requests in, answers out, one at a time."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import Feature, Registers
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.counters import COUNTERS
from bitformer.boards.shell.framed.commands import serve
from bitformer.boards.shell.framed.exchange import Exchange
from bitformer.boards.shell.framed.memory_map import MemoryMap
from bitformer.boards.shell.framed.new_weights import NewWeights
from bitformer.boards.shell.framed.receiver import receive
from bitformer.boards.shell.framed.remembered import Remembered
from bitformer.boards.shell.framed.sender import send
from bitformer.boards.shell.link import LinkSignature
from bitformer.boards.shell.numbers import NumberReader, NumberWriter
from bitformer.boards.shell.weight_loader import WeightLoader
from bitformer.hw.memory import StoreSpec

__all__ = ["Endpoint"]

#: Members of the loader that go on to the accelerator.
_LOADS = ("addr", "data", "en")


class Endpoint(wiring.Component):
    """Takes a request, checks it whole, works on it, and answers it; docs/protocol.md has the rest.

    A sample waits in a memory until its CRC is right: nothing of a bad frame reaches the
    accelerator. From then on a number goes to it every cycle in which it is ready, and results are
    kept until the last is there, so an answer has no gaps. The same memory, a byte wide, holds the
    constant registers, the buffer, and the golden vectors, in this order.

    A frame that is broken off, too long, damaged or does not begin like one is refused once the
    line is quiet; a whole one with a command or length that cannot be, at once. Each is counted by
    its reason. Bytes that arrive while a request is worked on are refused when that is done.

    Parameters
    ----------
    contract : Contract
    input_shape, result_shape : Shape
        Of the accelerator's numbers, 1 to 16 bits.
    clock_hz : int
        For the registers.
    features : Feature
        Of the link; for the registers.

    Members
    -------
    link : In(LinkSignature())
        Bytes of the line.
    to_model : Out(stream of input_shape)
        Numbers for the accelerator.
    from_model : In(stream of result_shape)
        Numbers of the accelerator.
    o_fault : Out(1)
        The last request was refused.
    o_wake : Out(1)
        The accelerator is needed: from two cycles before its first number on, until the last result
        is there, and while new weights are taken.
    o_restart : Out(1)
        High for the one cycle in which the accelerator must begin anew; only for a contract with an
        image, or with an accelerator that remembers windows.
    o_bank : Out(1)
        Image of the weights to use; this and the following only for a contract with an image.
    o_load_addr, o_load_data, o_load_en : Out(as of WeightLoader)
        Words of new weights.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another kind, or a window or its results fit no frame.
    """

    def __init__(
        self,
        *,
        contract: Contract,
        input_shape: Shape,
        result_shape: Shape,
        clock_hz: int,
        features: Feature = Feature.NONE,
    ):
        if not isinstance(contract, Contract):
            raise TypeError(f"Contract must be a Contract, not {contract!r}")
        self._shapes = input_shape, result_shape
        self._map = MemoryMap(
            contract=contract,
            input_shape=input_shape,
            result_shape=result_shape,
            clock_hz=clock_hz,
            features=features,
        )
        loads: dict[str, Out] = {}
        if self.loader is not None:
            members = self.loader.signature.members
            loads = {f"o_load_{name}": Out(members[f"o_{name}"].shape) for name in _LOADS}
            loads |= {"o_bank": Out(1)}
        if self.loader is not None or contract.remembers:
            loads |= {"o_restart": Out(1)}
        super().__init__(
            {
                **loads,
                "link": In(LinkSignature()),
                "to_model": Out(stream.Signature(input_shape)),
                "from_model": In(stream.Signature(result_shape)),
                "o_fault": Out(1),
                "o_wake": Out(1),
            }
        )

    @property
    def contract(self) -> Contract:
        return self._map.contract

    @property
    def registers(self) -> Registers:
        """The registers as a host reads them before anything has happened."""
        return self._map.registers

    @property
    def memory(self) -> StoreSpec:
        """The memory for the buffer, the constant registers and the golden vectors."""
        return self._map.memory

    @property
    def memories(self) -> tuple[StoreSpec, ...]:
        """That, and others that take block RAM."""
        return (self.memory, *((COUNTERS,) if self.contract.all_in_blocks else ()))

    @property
    def loader(self) -> WeightLoader | None:
        """The unit that sorts new weights; None in a design that takes none."""
        return self._map.loader

    def elaborate(self, platform):
        m = Module()
        x = Exchange(m, self.link, self._map)
        m.submodules.reader = reader = NumberReader(shape=self._shapes[0])
        m.submodules.writer = writer = NumberWriter(shape=self._shapes[1])
        wiring.connect(m, reader.o, wiring.flipped(self.to_model))
        wiring.connect(m, wiring.flipped(self.from_model), writer.i)
        weights = None
        if self.loader is not None:
            weights = NewWeights(m, x, self.loader, restart=self.o_restart)
            m.d.comb += self.o_bank.eq(x.bank ^ x.trial)
            for name in _LOADS:
                m.d.comb += getattr(self, f"o_load_{name}").eq(getattr(self.loader, f"o_{name}"))
        memory = Remembered(m, x, restart=self.o_restart) if self.contract.remembers else None
        receive(m, x)
        serve(m, x, reader=reader, writer=writer, weights=weights, memory=memory)
        send(m, x, fault=self.o_fault)
        working = Signal()
        m.d.comb += self.o_wake.eq(x.received | working)
        m.d.sync += working.eq(self.o_wake & ~(x.served | x.refused))
        return m
