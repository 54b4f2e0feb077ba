"""The chip's end of the Elastic Node's protocol: a window in, a start, results out."""

from amaranth.hdl import Array, Cat, Const, Module, ResetInserter, Shape, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.elastic.address_map import ID_BYTES, LEDS, RESET, ElasticMap
from bitformer.boards.shell.elastic.bus import BusSignature
from bitformer.boards.shell.numbers import NumberReader, NumberWriter, number_bytes
from bitformer.hw.memory import StoreSpec, placement_attributes

__all__ = ["ElasticEndpoint"]


class ElasticEndpoint(wiring.Component):
    """Keeps a window, runs an inference when it is started, and keeps its results.

    A start counts when its bit changes from 0 to 1; a reset makes it 0. While an inference goes on,
    what is written to the data is ignored, and what is read of them means nothing. Writing 0 to the
    start, or 1 to the reset, ends an inference without results; while the reset is 1, neither data
    nor a start are taken. A byte of any other address is 0, and writing it does nothing.

    Parameters
    ----------
    contract : Contract
        Its model's hash is the name, with zeros behind it.
    input_shape, result_shape : Shape
        Of the accelerator's numbers, 1 to 16 bits.
    addresses : ElasticMap

    Raises
    ------
    ValueError
        If window or results do not fit the addresses, or the contract is one of new weights.

    Members
    -------
    link : In(BusSignature())
        Bytes at addresses.
    to_model : Out(stream of input_shape)
        Numbers for the accelerator.
    from_model : In(stream of result_shape)
        Numbers of the accelerator.
    o_restart : Out(1)
        The accelerator must begin anew.
    o_busy : Out(1)
        An inference goes on.
    o_wake : Out(1)
        The accelerator is needed: ``o_busy``, which is there a cycle before its first number.
    o_fault : Out(1)
        The last transfer began with no command.
    """

    def __init__(
        self,
        *,
        contract: Contract,
        input_shape: Shape,
        result_shape: Shape,
        addresses: ElasticMap,
    ):
        if contract.image:
            raise ValueError(
                "Link must be a framed one to load new weights, which the Elastic Node's own"
                " protocol cannot"
            )
        self._contract, self._map = contract, addresses
        self._shapes = input_shape, result_shape
        self._sizes = (
            contract.inputs * number_bytes(input_shape),
            contract.results * number_bytes(result_shape),
        )
        addresses.check(size=max(self._sizes))
        # the low bits of an address are a byte's place: each area wraps around in a power of two,
        # which needs no subtraction; the smaller area lies behind the larger
        self._widths = [max(1, (size - 1).bit_length()) for size in self._sizes]
        super().__init__(
            {
                "link": In(BusSignature()),
                "to_model": Out(stream.Signature(input_shape)),
                "from_model": In(stream.Signature(result_shape)),
                "o_restart": Out(1),
                "o_busy": Out(1),
                "o_wake": Out(1),
                "o_fault": Out(1),
            }
        )

    @property
    def contract(self) -> Contract:
        return self._contract

    @property
    def memory(self) -> StoreSpec:
        """The memory for a window and its results."""
        return self._contract.memory(sum(1 << width for width in self._widths))

    @property
    def memories(self) -> tuple[StoreSpec, ...]:
        """All memories that may take block RAM: that one."""
        return (self.memory,)

    @property
    def addresses(self) -> ElasticMap:
        return self._map

    @property
    def model_id(self) -> bytes:
        """The 16 bytes by which the firmware knows the model."""
        return self._contract.model_hash.ljust(ID_BYTES, b"\0")

    def elaborate(self, platform):
        m = Module()
        there = self._map
        window, answer = self._sizes
        first = there.base + there.data
        widths = self._widths
        largest = max(widths)
        m.submodules.memory = store = memory.Memory(
            shape=8,
            depth=self.memory.depth,
            init=[],
            attrs=placement_attributes(self.memory.placement, rom=False),
        )
        write, read = store.write_port(), store.read_port()

        def place(address, area):
            width, other = widths[area], widths[1 - area]
            behind = int(width < other or (width == other and area == 1))
            rest = 1 + largest - width
            return Cat(address[:width], Const(behind << rest - 1, rest))

        stopped = Signal()
        again = ResetInserter(stopped)
        m.submodules.reader = reader = again(NumberReader(shape=self._shapes[0]))
        m.submodules.writer = writer = again(NumberWriter(shape=self._shapes[1]))
        wiring.connect(m, reader.o, wiring.flipped(self.to_model))
        wiring.connect(m, wiring.flipped(self.from_model), writer.i)

        # registers
        leds, held, started, starts = Signal(4), Signal(), Signal(), Signal()
        with m.If(self.link.write):
            with m.If(self.link.address == LEDS):
                m.d.sync += leds.eq(self.link.data)
            with m.If(self.link.address == RESET):
                m.d.sync += held.eq(self.link.data)
            with m.If(self.link.address == there.base + there.start):
                m.d.sync += started.eq(self.link.data)
                m.d.comb += starts.eq(self.link.data[0] & ~started & ~held)
        with m.If(held):
            m.d.sync += started.eq(0)
        m.d.comb += [stopped.eq(self.o_busy & ~started), self.o_wake.eq(self.o_busy)]
        m.d.sync += self.o_restart.eq(stopped | held)
        m.d.comb += self.o_fault.eq(self.link.unknown)

        # an address stands for two cycles before it counts: one for each carry chain
        offset, in_window, in_answer = Signal(16, reset_less=True), Signal(), Signal()
        m.d.sync += offset.eq(self.link.address - first)
        m.d.comb += [in_window.eq(offset < window), in_answer.eq(offset < answer)]

        # what is read
        in_name = Signal()
        m.d.sync += in_name.eq(_inside(self.link.address, there.base + there.model_id))
        name = Array(self.model_id[k - there.base - there.model_id & 15] for k in range(16))
        with m.If(in_answer):
            m.d.comb += self.link.read.eq(read.data)
        with m.Elif(in_name):
            m.d.comb += self.link.read.eq(name[self.link.address[:4]])
        with m.Elif(self.link.address == LEDS):
            m.d.comb += self.link.read.eq(leds)
        with m.Elif(self.link.address == RESET):
            m.d.comb += self.link.read.eq(held)

        # place of the next byte, and how many are left
        index = Signal(largest, reset_less=True)
        following = Signal.like(index)
        left = Signal(range(max(self._sizes) + 1), reset_less=True)
        m.d.comb += following.eq(index)
        m.d.sync += index.eq(following)

        def rewind(count):
            m.d.comb += following.eq(first % (1 << largest))
            m.d.sync += left.eq(count)

        def advance():
            m.d.comb += following.eq(index + 1)
            m.d.sync += left.eq(left - 1)

        # what is ended is reset a little later, and may still offer a result: none is begun
        m.d.comb += [reader.i.payload.eq(read.data), writer.o.ready.eq(self.o_busy)]
        with m.If(self.o_busy):
            m.d.comb += [read.addr.eq(place(following, 0)), write.addr.eq(place(index, 1))]
            m.d.comb += write.data.eq(writer.o.payload)
        with m.Else():
            m.d.comb += [read.addr.eq(place(self.link.address, 1))]
            m.d.comb += [write.addr.eq(place(self.link.address, 0)), write.data.eq(self.link.data)]

        def ends(when):
            with m.If(when):
                m.d.sync += self.o_busy.eq(0)
                m.next = "IDLE"

        with m.FSM(name="phase"):
            with m.State("IDLE"):
                rewind(window)
                m.d.comb += write.en.eq(self.link.write & in_window & ~held)
                with m.If(starts):
                    m.d.sync += self.o_busy.eq(1)
                    m.next = "FETCH"

            with m.State("FETCH"):
                m.next = "FEED"
                ends(stopped)

            with m.State("FEED"):
                m.d.comb += reader.i.valid.eq(1)
                with m.If(reader.i.ready):
                    advance()
                    with m.If(left == 1):
                        rewind(answer)
                        m.next = "COLLECT"
                ends(stopped)

            with m.State("COLLECT"):
                m.d.comb += write.en.eq(writer.o.valid)
                with m.If(writer.o.valid):
                    advance()
                ends(stopped | (writer.o.valid & (left == 1)))
        return m


def _inside(address, first: int):
    """Return whether an address is one of the name's, which begins at ``first``."""
    if first % ID_BYTES == 0:
        return address[ID_BYTES.bit_length() - 1 :] == first // ID_BYTES
    return (address >= first) & (address < first + ID_BYTES)
