"""Requests to a shell, with time-outs, retries and sequence numbers."""

from collections.abc import Callable, Sequence

from bitformer.boards.host.transport import Transport
from bitformer.boards.protocol import (
    ANSWER,
    BLOCK_BYTES,
    INCOMPLETE,
    NAK,
    PASSED,
    REGISTER_BYTES,
    VERSION,
    Command,
    Frame,
    FrameError,
    Reason,
    Registers,
)
from bitformer.model.errors import UserError

__all__ = ["Client", "LinkError"]

#: Tries after the first.
DEFAULT_RETRIES = 3


class LinkError(UserError):
    """The board does not answer, or not as it must."""


class Client:
    """A shell, seen from the host.

    A request is sent again, with the same sequence number, when it was refused as damaged, when
    its answer is damaged, and when there is none in time. An answer with another number belongs to
    an earlier request and is passed over. Every request can be repeated without harm.

    Parameters
    ----------
    transport : Transport
    retries : int
        Tries after the first.
    """

    def __init__(self, transport: Transport, *, retries: int = DEFAULT_RETRIES):
        self._transport = transport
        self._retries = retries
        self._sequence = 0
        self._registers: Registers | None = None
        #: How often a request had to be sent again.
        self.resent = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back."""
        self._transport.close()

    def ask(self, command: int, payload: bytes = b"", *, expected: int) -> bytes:
        """The payload of the answer to a request, ``expected`` bytes.

        Raises `LinkError` when there is none after all tries, or the shell refuses the request.
        """
        self._sequence = (self._sequence + 1) % 256
        request = Frame(sequence=self._sequence, command=command, payload=payload)
        problem = "nothing was heard"
        for attempt in range(1 + self._retries):
            if attempt:
                self.resent += 1
            self._transport.send(request)
            try:
                answer = self._answer(request, expected)
            except FrameError:
                problem = "its answers arrived damaged"
                self._transport.settle()
                continue
            if answer is None:
                continue
            if answer.command == NAK:
                reason = self._reason(answer)
                problem = f"it refused every try ({reason.name.lower()})"
                if reason is Reason.COMMAND:
                    raise LinkError(
                        f"Shell on {self._transport.name} must know command {command:#04x}, "
                        "which it does not"
                    )
                # it may be an earlier refusal, and the answer still under way: to speak now would
                # be an overrun, whose refusal would come as late
                self._transport.settle()
                continue
            return answer.payload
        raise LinkError(
            f"Shell on {self._transport.name} must answer, but {problem} in "
            f"{1 + self._retries} tries"
        )

    def _answer(self, request: Frame, expected: int) -> Frame | None:
        """The next frame that answers the request, or refuses one; None when there is none."""
        while (frame := self._transport.receive(expected)) is not None:
            if frame.command == NAK and len(frame.payload) == 1:
                return frame
            mine = (request.command | ANSWER, request.sequence, expected)
            if (frame.command, frame.sequence, len(frame.payload)) == mine:
                return frame
        return None

    @staticmethod
    def _reason(answer: Frame) -> Reason:
        try:
            return Reason(answer.payload[0])
        except ValueError:
            return Reason.LINE

    def read(self) -> Registers:
        """The registers; `LinkError` if these are none of a shell's."""
        payload = self.ask(Command.READ, expected=REGISTER_BYTES)
        try:
            found = Registers.parse(payload)
        except ValueError:
            raise LinkError(f"Device on {self._transport.name} must be a bitformer shell") from None
        if found.version != VERSION:
            raise LinkError(
                f"Shell on {self._transport.name} must speak version {VERSION} of the protocol, "
                f"not {found.version}"
            )
        self._registers = found
        return found

    @property
    def registers(self) -> Registers:
        """The registers as they were read last."""
        return self._registers or self.read()

    def infer(self, window: Sequence[int]) -> list[int]:
        """The results for one window of integers, step by step, channels beside each other."""
        facts = self.registers
        if len(window) != facts.inputs:
            raise LinkError(f"Window must have {facts.inputs} integers, not {len(window)}")
        size = facts.result_bytes
        payload = b"".join(
            int(value).to_bytes(facts.input_bytes, "little", signed=True) for value in window
        )
        answer = self.ask(Command.INFER, payload, expected=facts.results * size)
        return [
            int.from_bytes(answer[start : start + size], "little", signed=True)
            for start in range(0, len(answer), size)
        ]

    def self_test(self) -> int | None:
        """The first golden vector that comes out wrong; None if all are right."""
        (verdict,) = self.ask(Command.SELF_TEST, expected=1)
        return None if verdict == PASSED else verdict

    def load(self, image: bytes, *, progress: Callable[[int], None] | None = None) -> None:
        """Send new weights, which do nothing yet; ``progress`` is told the bytes that are there.

        An image that was not sent to its end is forgotten with the first block of the next.
        """
        blocks = -(-len(image) // BLOCK_BYTES)
        for number in range(blocks):
            part = image[number * BLOCK_BYTES :][:BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
            (there,) = self.ask(Command.LOAD, number.to_bytes(2, "little") + part, expected=1)
            if there != (number + 1) % 256:
                raise LinkError(
                    f"Shell on {self._transport.name} must take block {number} of the new weights,"
                    " and lost count: was it restarted?"
                )
            if progress is not None:
                progress(min(len(image), (number + 1) * BLOCK_BYTES))

    def commit(self) -> None:
        """Put new weights on trial; they are live from then on if every golden vector is right.

        Raises `LinkError` if the old ones stay: a vector came out wrong, or weights were missing.
        """
        (verdict,) = self.ask(Command.COMMIT, expected=1)
        if verdict == INCOMPLETE:
            # the answer to an earlier try may have been lost, and the weights be live
            problem = "they are not all there"
        elif verdict != PASSED:
            problem = f"golden vector {verdict} came out wrong"
        else:
            return
        raise LinkError(f"New weights must pass their trial, and {problem}: the old ones stay live")
