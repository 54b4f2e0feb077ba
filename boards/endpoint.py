"""The chip's end of the framed protocol: requests in, answers out, one at a time."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Shape, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.wiring import In, Out

from bitformer.boards.contract import Contract
from bitformer.boards.counters import ChangingRegisters
from bitformer.boards.framing import NumberReader, NumberWriter, number_bytes
from bitformer.boards.link import LinkSignature
from bitformer.boards.loader import Loader
from bitformer.boards.protocol import (
    BLOCK_BYTES,
    CONSTANT_BYTES,
    CRC_BYTES,
    HEADER_BYTES,
    INCOMPLETE,
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

#: Where regions of the memory begin: the low bits of an address count the changing registers then.
_ALIGNED = 32
#: A block of new weights with its number.
_LOAD_BYTES = 2 + BLOCK_BYTES
#: What goes on from the loader to the accelerator.
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
    link : the line's bytes.
    to_model, from_model : the accelerator's streams.
    o_fault : the last request was refused. Of a contract with an image: o_bank, the image to use;
    o_restart, the accelerator must begin anew, for a cycle; o_load_addr, o_load_data, o_load_en,
    see `Loader`.
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
        if contract.image:
            features |= Feature.RELOADABLE
        self._registers = Registers(
            features=features,
            input_bytes=input_bytes,
            result_bytes=result_bytes,
            inputs=contract.inputs,
            results=contract.results,
            vectors=len(contract.vectors),
            capacity=max(self._sample, self._answer, _LOAD_BYTES if contract.image else 0),
            model_hash=contract.model_hash,
            structure=contract.structure,
            clock_hz=clock_hz,
            latency=contract.latency,
        )
        # a region: constants and golden vectors, of each image of the weights
        region = CONSTANT_BYTES + len(contract.vectors) * (self._sample + self._answer)
        self._loader = Loader(parts=(*contract.image, (region, 1))) if contract.image else None
        first = -(-self._registers.capacity // _ALIGNED) * _ALIGNED
        self._regions = [first]
        loads: dict[str, Out] = {}
        if self._loader is not None:
            self._regions.append(first + -(-region // _ALIGNED) * _ALIGNED)
            members = self._loader.signature.members
            loads = {f"o_load_{name}": Out(members[f"o_{name}"].shape) for name in _LOADS}
            loads |= {"o_bank": Out(1), "o_restart": Out(1)}
        self._depth = self._regions[-1] + region
        super().__init__(
            {
                **loads,
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
    def loader(self) -> Loader | None:
        """What sorts new weights; None in a design that takes none."""
        return self._loader

    def region(self) -> bytes:
        """Constant registers and golden vectors, as they lie in the memory."""
        vectors = b"".join(
            value.to_bytes(size, "little", signed=True)
            for vector in self._contract.vectors
            for values, size in zip(
                vector, (self._registers.input_bytes, self._registers.result_bytes), strict=True
            )
            for value in values
        )
        return self._registers.constants() + vectors

    def contents(self) -> bytes:
        """The memory as it is configured."""
        return (bytes(self._regions[0]) + self.region()).ljust(self._depth, b"\0")

    def elaborate(self, platform):
        m = Module()
        link, loader = self.link, self._loader
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
        empty, sample, too_long, whole_block = (Signal(reset_less=True) for _ in range(4))
        testing, says_verdict, says_registers = command[0], command[:2] == 3, command[:2] == 1
        listening, lost = Signal(), Signal()
        # which image of the weights is live, which a reset must not change: the other may be half
        # an image; and whether that is on trial
        bank, trial = Signal(reset_less=True), Signal()
        block = Signal(16)  # of the new weights: the next
        arrived = link.rx.valid | link.rx_error
        with m.If(arrived & ~listening):
            m.d.sync += lost.eq(1)
        m.d.comb += [
            registers.i_reason.eq(verdict[:3]),
            registers.i_run.eq(running),
            registers.i_address.eq(index),
            registers.i_status.eq(bank),
        ]
        starts = [Const(start, len(index)) for start in self._regions]

        def region(other=0):
            """Where the constants of the live image are, or of the other."""
            return Mux(bank ^ other, starts[1], starts[0]) if loader is not None else starts[0]

        def golden(other=0):
            starts = [start + CONSTANT_BYTES for start in self._regions]
            return Mux(bank ^ other, starts[1], starts[0]) if loader is not None else starts[0]

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

        if loader is not None:
            # constants and golden vectors of new weights go to their own region
            pointer = Signal.like(index)
            with m.If(loader.i_start):
                m.d.sync += pointer.eq(region(other=1))
            with m.If(loader.o_memory_en):
                m.d.sync += pointer.eq(pointer + 1)
                m.d.comb += write.addr.eq(pointer)

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
                m.d.comb += [listening.eq(1), following.eq(0)]
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
                room_left = index != self._registers.capacity
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
                m.d.sync += [
                    whole_block.eq(index == _LOAD_BYTES),
                    empty.eq(index == 0),
                    sample.eq(index == self._sample),
                ]
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
                        accept(empty, place=region(), count=REGISTER_BYTES, to="ANSWER")
                    with m.Case(Command.INFER):
                        accept(sample, place=0, count=self._sample, to="FEED")
                    if self._contract.vectors:
                        with m.Case(Command.SELF_TEST):
                            accept(empty, place=golden(), count=self._sample, to="FEED")
                    if loader is not None:
                        with m.Case(Command.LOAD):
                            accept(whole_block, place=0, count=_LOAD_BYTES, to="LOAD")
                        with m.Case(Command.COMMIT):
                            accept(empty, place=golden(1), count=self._sample, to="TRIAL")
                    with m.Default():
                        refuse(Reason.COMMAND, to="REFUSE")

            if loader is not None:
                self._load_states(
                    m, loader, read.data, index, left, advance, block, verdict, bank, trial
                )

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
                            m.d.comb += following.eq(0)
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
                last_vector = verdict == len(self._contract.vectors) - 1
                m.d.sync += left.eq(1)
                m.next = "ANSWER"
                if loader is not None:
                    with m.If(testing & (wrong | last_vector)):
                        m.d.sync += trial.eq(0)
                        # what was on trial is live now, or void: either way it is not there again
                        m.d.comb += [loader.i_start.eq(trial), self.o_restart.eq(trial)]
                with m.If(~testing):
                    m.d.comb += following.eq(0)
                    m.d.sync += left.eq(self._answer)
                with m.Elif(~wrong):
                    m.d.sync += verdict.eq(verdict + 1)
                    with m.If(last_vector):
                        m.d.sync += [verdict.eq(PASSED), bank.eq(bank ^ trial)]
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
                    with m.Elif(says_registers & (left <= REGISTER_BYTES - CONSTANT_BYTES)):
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

        if loader is not None:
            with m.If(loader.o_memory_en):
                m.d.comb += [write.data.eq(loader.o_data[-8:]), write.en.eq(1)]

        return m

    def _load_states(
        self, m, loader, byte, index, left, advance, block, verdict, bank, trial
    ) -> None:
        """New weights, block by block, and their trial."""
        m.submodules.loader = loader
        m.d.comb += [self.o_bank.eq(bank ^ trial), loader.i_byte.eq(byte)]
        m.d.comb += [getattr(self, f"o_load_{n}").eq(getattr(loader, f"o_{n}")) for n in _LOADS]
        first, fits = Signal(reset_less=True), Signal(reset_less=True)
        with m.State("LOAD"):
            # block 0 begins anew; any other is taken if it is the next, and ignored if not
            advance()
            with m.If(index == 0):
                m.d.sync += [first.eq(byte == 0), fits.eq(byte == block[:8])]
            with m.Elif(index == 1):
                m.d.sync += [first.eq(first & (byte == 0)), fits.eq(fits & (byte == block[8:]))]
                m.d.comb += loader.i_start.eq(first & (byte == 0))
            with m.Else():
                m.d.comb += loader.i_valid.eq(first | fits)
            with m.If(left == 1):
                with m.If(first):
                    m.d.sync += block.eq(1)
                with m.Elif(fits):
                    m.d.sync += block.eq(block + 1)
                m.next = "LOADED"
        with m.State("LOADED"):
            m.d.sync += [verdict.eq(block), left.eq(1)]
            m.next = "ANSWER"
        with m.State("TRIAL"):
            m.next = "RESTART"
            with m.If(loader.o_done):
                m.d.sync += trial.eq(1)
                m.d.comb += self.o_restart.eq(1)
            with m.Else():
                m.d.sync += [verdict.eq(INCOMPLETE), left.eq(1)]
                m.next = "ANSWER"
        with m.State("RESTART"):  # the accelerator's reset comes a cycle late
            m.next = "FEED"
