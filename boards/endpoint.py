"""The chip's end of the framed protocol: requests in, answers out, one at a time."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Shape, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.wiring import In, Out

from bitformer.boards.contract import Contract
from bitformer.boards.counters import ChangingRegisters
from bitformer.boards.framing import NumberReader, NumberWriter, number_bytes
from bitformer.boards.link import LinkSignature
from bitformer.boards.protocol import (
    CONSTANT_BYTES,
    CRC_BYTES,
    HEADER_BYTES,
    NAK,
    PASSED,
    REGISTER_BYTES,
    SYNC,
    Command,
    Feature,
    Reason,
    Registers,
)
from bitformer.hw.store import placement_attributes

__all__ = ["Endpoint"]


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
    link : the line's bytes.
    to_model, from_model : the accelerator's streams.
    o_fault : the last request was refused.
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
        self._contract = contract
        self._shapes = input_shape, result_shape
        input_bytes, result_bytes = number_bytes(input_shape), number_bytes(result_shape)
        self._sample = contract.inputs * input_bytes
        self._answer = contract.results * result_bytes
        if contract.vectors:
            features |= Feature.SELF_TEST
        self._registers = Registers(
            features=features,
            input_bytes=input_bytes,
            result_bytes=result_bytes,
            inputs=contract.inputs,
            results=contract.results,
            vectors=len(contract.vectors),
            capacity=max(self._sample, self._answer),
            model_hash=contract.model_hash,
            structure=contract.structure,
            clock_hz=clock_hz,
            latency=contract.latency,
        )
        super().__init__(
            {
                "link": In(LinkSignature()),
                "to_model": Out(stream.Signature(input_shape)),
                "from_model": In(stream.Signature(result_shape)),
                "o_fault": Out(1),
            }
        )

    @property
    def contract(self) -> Contract:
        return self._contract

    @property
    def registers(self) -> Registers:
        """What a host reads before anything has happened."""
        return self._registers

    @property
    def buffer_base(self) -> int:
        """Where the buffer begins in the memory."""
        return CONSTANT_BYTES

    @property
    def golden_base(self) -> int:
        """Where the golden vectors begin in the memory."""
        return self.buffer_base + self._registers.capacity

    def contents(self) -> bytes:
        """The memory as it is configured."""
        vectors = b"".join(
            value.to_bytes(size, "little", signed=True)
            for vector in self._contract.vectors
            for values, size in zip(
                vector, (self._registers.input_bytes, self._registers.result_bytes), strict=True
            )
            for value in values
        )
        return self._registers.constants() + bytes(self._registers.capacity) + vectors

    def elaborate(self, platform):
        m = Module()
        link, base = self.link, self.buffer_base
        contents = self.contents()
        m.submodules.memory = store = memory.Memory(
            shape=8,
            depth=len(contents),
            init=contents,
            attrs=placement_attributes(self._contract.placement, rom=False),
        )
        write, read = store.write_port(), store.read_port()
        m.submodules.reader = reader = NumberReader(shape=self._shapes[0])
        m.submodules.writer = writer = NumberWriter(shape=self._shapes[1])
        wiring.connect(m, reader.o, wiring.flipped(self.to_model))
        wiring.connect(m, wiring.flipped(self.from_model), writer.i)
        # the CRC takes half a byte a cycle, and begins anew by a reset: both are cheaper
        crc, anew = CRC32_ETHERNET(data_width=4).create(), Signal()
        m.submodules.crc = ResetInserter(anew)(crc)
        m.submodules.registers = registers = ChangingRegisters()

        # a place in the memory, and the bytes that are left of what goes through it
        index = Signal(range(len(contents) + 1), reset_less=True)
        following = Signal.like(index)
        left = Signal(range(max(self._registers.capacity, REGISTER_BYTES) + 1), reset_less=True)
        m.d.comb += [following.eq(index), read.addr.eq(following), write.addr.eq(index)]
        m.d.sync += index.eq(following)
        step = Signal(range(HEADER_BYTES), reset_less=True)
        sequence, command = Signal(8, reset_less=True), Signal(8, reset_less=True)
        # an answer of one byte: why a frame is refused, or how many golden vectors were right
        verdict = Signal(8, reset_less=True)
        wrong, running = Signal(reset_less=True), Signal(reset_less=True)
        empty, sample, too_long = (Signal(reset_less=True) for _ in range(3))
        testing, says_verdict, says_registers = command[0], command[:2] == 3, command[:2] == 1
        listening, lost = Signal(), Signal()
        arrived = link.rx.valid | link.rx_error
        with m.If(arrived & ~listening):
            m.d.sync += lost.eq(1)
        m.d.comb += [
            registers.i_reason.eq(verdict[:3]),
            registers.i_run.eq(running),
            registers.i_address.eq(index),
        ]

        # one outgoing byte waits in a register, and passes the CRC in its first cycles there
        byte, full, fresh, upper = Signal(8, reset_less=True), Signal(), Signal(), Signal()
        sending, room = Signal(), Signal()
        m.d.sync += [fresh.eq(0), upper.eq(crc.valid & ~upper & ~anew)]
        m.d.comb += [
            link.tx.payload.eq(byte),
            link.tx.valid.eq(full),
            room.eq(~full & ~upper),
            crc.data.eq(Mux(sending, byte, link.rx.payload).word_select(upper, 4)),
            crc.valid.eq(Mux(sending, fresh, link.rx.valid) | upper),
        ]
        with m.If(full & link.tx.ready):
            m.d.sync += full.eq(0)

        def send(value, *, covered=True):
            m.d.sync += [byte.eq(value), full.eq(1), fresh.eq(covered)]

        def advance():
            m.d.comb += following.eq(index + 1)
            m.d.sync += left.eq(left - 1)

        def refuse(why, *, to="DRAIN"):
            m.d.sync += verdict.eq(why)
            m.next = to

        def broken():
            """What ends a frame before its time."""
            with m.If(link.rx_error):
                refuse(Reason.LINE)
            with m.Elif(link.quiet & ~link.rx.valid):
                refuse(Reason.TRUNCATED)

        def dropped():
            with m.If(link.drop):
                m.d.sync += full.eq(0)
                m.next = "LISTEN"

        with m.FSM(name="phase"):
            with m.State("LISTEN"):
                m.d.comb += [listening.eq(1), anew.eq(1)]
                m.d.sync += [verdict.eq(Reason.ACCEPTED), step.eq(0), lost.eq(0)]
                with m.If(lost):
                    refuse(Reason.OVERRUN)
                with m.Elif(link.rx_error):
                    refuse(Reason.LINE)
                with m.Elif(link.rx.valid):
                    m.next = "HEADER"
                    with m.If(link.rx.payload != SYNC):
                        refuse(Reason.START)

            with m.State("HEADER"):
                m.d.comb += [listening.eq(1), following.eq(base)]
                with m.If(link.rx.valid):
                    m.d.sync += step.eq(step + 1)
                    with m.Switch(step):
                        with m.Case(0):
                            m.d.sync += left.eq(link.rx.payload)
                        with m.Case(1):
                            length = Cat((left | Const(0, 8))[:8], link.rx.payload)
                            m.d.sync += [left.eq(length), too_long.eq(length[len(left) :] != 0)]
                        with m.Case(2):
                            m.d.sync += sequence.eq(link.rx.payload)
                        with m.Default():
                            m.d.sync += [command.eq(link.rx.payload), step.eq(0)]
                            m.next = "PAYLOAD"
                            with m.If(left == 0):
                                m.next = "CRC"
                            with m.If(too_long):
                                refuse(Reason.LENGTH)
                broken()

            with m.State("PAYLOAD"):
                room_left = index != base + self._registers.capacity
                m.d.comb += [
                    listening.eq(1),
                    write.data.eq(link.rx.payload),
                    write.en.eq(link.rx.valid & room_left),
                ]
                with m.If(link.rx.valid):
                    advance()
                    with m.If(left == 1):
                        m.next = "CRC"
                    with m.If(~room_left):
                        refuse(Reason.LENGTH)
                broken()

            with m.State("CRC"):
                m.d.comb += listening.eq(1)
                with m.If(link.rx.valid):
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == CRC_BYTES - 1):
                        m.next = "CHECK"
                broken()

            with m.State("CHECK"):
                m.d.sync += [empty.eq(index == base), sample.eq(index == base + self._sample)]
                with m.If(~upper):
                    m.next = "DISPATCH"
                    with m.If(~crc.match_detected):
                        refuse(Reason.CRC)

            with m.State("DISPATCH"):
                m.d.sync += wrong.eq(0)
                m.d.comb += registers.i_clear.eq(command[1])

                def accept(fits, *, place, count, to):
                    """The command is served, if its payload has the length that it must."""
                    with m.If(fits):
                        m.d.comb += [registers.i_count.eq(1), following.eq(place)]
                        m.d.sync += left.eq(count)
                        m.next = to
                    with m.Else():
                        refuse(Reason.LENGTH, to="REFUSE")

                with m.Switch(command):
                    with m.Case(Command.READ):
                        accept(empty, place=0, count=REGISTER_BYTES, to="ANSWER")
                    with m.Case(Command.INFER):
                        accept(sample, place=base, count=self._sample, to="FEED")
                    if self._contract.vectors:
                        with m.Case(Command.SELF_TEST):
                            accept(empty, place=self.golden_base, count=self._sample, to="FEED")
                    with m.Default():
                        refuse(Reason.COMMAND, to="REFUSE")

            with m.State("FEED"):
                m.d.comb += [reader.i.valid.eq(1), reader.i.payload.eq(read.data)]
                with m.If(self.to_model.valid & self.to_model.ready):
                    m.d.sync += running.eq(1)
                    m.d.comb += registers.i_run.eq(1)
                with m.If(reader.i.ready):
                    advance()
                    with m.If(left == 1):
                        m.d.sync += left.eq(self._answer)
                        with m.If(~testing):
                            m.d.comb += following.eq(base)
                        m.next = "COLLECT"

            with m.State("COLLECT"):
                m.d.comb += [
                    writer.o.ready.eq(1),
                    write.data.eq(writer.o.payload),
                    write.en.eq(writer.o.valid & ~testing),
                ]
                with m.If(writer.o.valid):
                    advance()
                    with m.If(writer.o.payload != read.data):
                        m.d.sync += wrong.eq(1)
                    with m.If(left == 1):
                        m.d.sync += running.eq(0)
                        m.next = "COMPARE"

            with m.State("COMPARE"):
                m.d.sync += left.eq(1)
                m.next = "ANSWER"
                with m.If(~testing):
                    m.d.comb += following.eq(base)
                    m.d.sync += left.eq(self._answer)
                with m.Elif(~wrong):
                    m.d.sync += verdict.eq(verdict + 1)
                    with m.If(verdict == len(self._contract.vectors) - 1):
                        m.d.sync += verdict.eq(PASSED)
                    with m.Else():
                        m.d.comb += registers.i_clear.eq(1)
                        m.d.sync += left.eq(self._sample)
                        m.next = "FEED"

            with m.State("DRAIN"):
                m.d.comb += listening.eq(1)
                with m.If(link.quiet & ~arrived):
                    m.next = "REFUSE"

            with m.State("REFUSE"):
                m.d.comb += registers.i_count.eq(1)
                m.d.sync += [command.eq(NAK), left.eq(1)]
                m.next = "ANSWER"

            with m.State("ANSWER"):
                m.d.comb += [sending.eq(1), anew.eq(1)]
                m.d.sync += [command[7].eq(1), step.eq(0), self.o_fault.eq(command[7])]
                send(SYNC, covered=False)
                m.next = "HEAD"

            with m.State("HEAD"):
                m.d.comb += sending.eq(1)
                with m.If(room):
                    length = Cat(left, Const(0, 16 - len(left)))
                    send(Cat(length, sequence, command).word_select(step[:2], 8))
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == HEADER_BYTES - 2):
                        m.d.sync += step.eq(0)
                        m.next = "BODY"
                dropped()

            with m.State("BODY"):
                m.d.comb += sending.eq(1)
                with m.If(room):
                    advance()
                    with m.If(says_verdict):
                        send(verdict)
                    with m.Elif(says_registers & (index >= CONSTANT_BYTES)):
                        send(registers.o_byte)
                    with m.Else():
                        send(read.data)
                    with m.If(left == 1):
                        m.next = "TAIL"
                dropped()

            with m.State("TAIL"):
                m.d.comb += sending.eq(1)
                with m.If(room):
                    send(crc.crc.word_select(step[:2], 8), covered=False)
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == CRC_BYTES - 1):
                        m.next = "LAST"
                dropped()

            with m.State("LAST"):
                with m.If(~full):
                    m.next = "LISTEN"
                dropped()

        return m
