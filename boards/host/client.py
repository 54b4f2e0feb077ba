"""Requests to a shell, with time-outs, retries and the sequence numbers of a session."""

import secrets
import threading
from collections.abc import Sequence

from bitformer.boards.host.transport import LinkError, Transport, sentence_case
from bitformer.boards.protocol import (
    ANSWER,
    BLOCK_BYTES,
    COUNTS,
    INCOMPLETE,
    NAK,
    PASSED,
    REGISTER_BYTES,
    SEQUENCE_BYTES,
    VERSION,
    Command,
    Frame,
    FrameError,
    Reason,
    Registers,
    pack,
    unpack,
    version_of,
)
from bitformer.model.progress import Progress, silent

__all__ = ["Client", "LinkError"]

#: Tries after the first.
DEFAULT_RETRIES = 3
_SEQUENCES = 1 << 8 * SEQUENCE_BYTES
#: Frames that are no answer to a request, and may arrive before it.
_OTHERS = 16


class Client:
    """Shell, seen from the host; several threads may use it.

    A request is sent again, with the same sequence number, when it was refused as damaged, when
    its answer is damaged, and when there is none in time. Every request can be repeated without
    harm. Sequence numbers begin at random: an answer with another number belongs to an earlier
    request of this session, and is passed over, or to another program's, and is refused.

    Parameters
    ----------
    transport : Transport
    retries : int
        Tries after the first.
    """

    def __init__(self, transport: Transport, *, retries: int = DEFAULT_RETRIES):
        self._transport = transport
        self._retries = retries
        self._lock = threading.RLock()
        self._sequence, self._asked = secrets.randbelow(_SEQUENCES), 0
        self._registers: Registers | None = None
        #: Requests that were answered, and tries, so far; and what they were at the last read.
        self._answered = self._tried = 0
        self._read_at = 0, 0
        #: Frames that were heard of the last request's tries, and are no answers to it.
        self._stray = 0
        #: How often a request had to be sent again.
        self.resent = 0
        #: Integers of all windows so far that the input's bits did not hold, each counted once.
        self.clipped = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            self.close()
        except LinkError:
            if kind is None:  # else it is the first mishap that counts
                raise

    @property
    def name(self) -> str:
        """The name of the port in a sentence."""
        return self._transport.name

    def close(self) -> None:
        """Give the port back."""
        self._transport.close()

    def ask(self, command: int, payload: bytes = b"", *, expected: int) -> bytes:
        """Send a request and return the payload of its answer, ``expected`` bytes.

        Raises `LinkError` when there is none after all tries, the shell refuses the request, the
        port is lost, or another program's answers arrive.
        """
        with self._lock:
            self._sequence, self._asked = (self._sequence + 1) % _SEQUENCES, self._asked + 1
            request = Frame(sequence=self._sequence, command=command, payload=payload)
            refused: list[Reason] = []
            damaged = heard = 0
            self._stray = 0
            for attempt in range(1 + self._retries):
                if attempt:
                    self.resent += 1
                self._tried += 1
                self._transport.send(request)
                try:
                    answer = self._answer(request, expected)
                except FrameError as error:
                    damaged += error.reason is not Reason.START
                    heard += error.heard
                    self._transport.settle()
                    continue
                if answer is None:
                    continue
                if answer.command != NAK:
                    self._answered += 1
                    return answer.payload
                refused.append(_reason(answer))
                # it may be an earlier refusal, and the answer still under way: to speak now would
                # be an overrun, whose refusal would come as late
                self._transport.settle()
            raise LinkError(self._problem(refused, damaged, heard))

    def _problem(self, refused: list[Reason], damaged: int, heard: int) -> str:
        """Return the sentence for a request without an answer: the most that its tries heard."""
        tries = f"in {1 + self._retries} tries"
        if refused:
            of_them = f"{len(refused)} of {1 + self._retries} tries"
            problem = f"it refused {of_them} ({refused[-1].name.lower()})"
        elif damaged:
            problem = f"its answers arrived damaged {tries}"
        elif heard:
            problem = (
                f"{heard} bytes that are no frames were heard {tries}: is the baud rate that of "
                "the build, and the port no other program's?"
            )
        elif self._stray:
            problem = f"frames that answer something else were heard {tries}: does the line echo?"
        else:
            problem = f"nothing was heard {tries}"
        return f"Shell on {self.name} must answer, but {problem}"

    def _answer(self, request: Frame, expected: int) -> Frame | None:
        """Return the next frame that answers the request, or refuses one; None if there is none."""
        for _ in range(_OTHERS):
            if (frame := self._transport.receive(expected)) is None:
                return None
            mine = frame.sequence == request.sequence
            if frame.command == NAK and len(frame.payload) == 1:
                if _reason(frame) is not Reason.COMMAND:
                    return frame  # the number of a frame that was damaged may be damaged, too
                if mine:
                    raise LinkError(
                        f"Shell on {self.name} must know command {request.command:#04x}, "
                        "which it does not"
                    )
            if mine and frame.command == request.command | ANSWER:
                # registers of another version have another length
                other = request.command == Command.READ and version_of(frame.payload) is not None
                if other or len(frame.payload) == expected:
                    return frame
            # before the first answer of a session, those of an earlier one may arrive
            if self._answered and (request.sequence - frame.sequence) % _SEQUENCES >= self._asked:
                break
            self._stray += 1
        raise LinkError(
            f"{sentence_case(self.name)} must be this program's alone, and answers to another's "
            "requests arrive there"
        )

    def read(self) -> Registers:
        """Read the registers; raise `LinkError` if these are none of a shell's."""
        with self._lock:
            tried = self._tried + 1
            payload = self.ask(Command.READ, expected=REGISTER_BYTES)
            if (version := version_of(payload)) not in (None, VERSION):
                raise LinkError(
                    f"Shell on {self.name} must speak version {VERSION} of the protocol, "
                    f"not {version}: build it again, or use the bitformer that built it"
                )
            try:
                found = Registers.parse(payload)
            except ValueError:
                raise LinkError(f"Device on {self.name} must be a bitformer shell") from None
            # a later try may be served after this answer, and counts as one after it
            self._registers, self._read_at = found, (self._answered, tried)
            return found

    @property
    def registers(self) -> Registers:
        """The registers as they were read last."""
        return self._registers or self.read()

    def confirm(self) -> Registers:
        """Read the registers again, and hold the shell to what it was asked since the last read.

        Raises `LinkError` if it has another model now, or has served more requests than this
        client's: another program used it, or it was restarted, so that what was sent before may
        not be what worked.
        """
        with self._lock:
            before, (answered, tried) = self.registers, self._read_at
            after = self.read()
            least, most = self._answered - answered, self._tried - tried
            served = (after.counters[0] - before.counters[0]) % COUNTS
            if (served - least) % COUNTS > most - least:
                raise LinkError(
                    f"Shell on {self.name} must serve this program alone, and has served {served} "
                    f"requests where {least} were this program's: does another use it, or was the "
                    "board restarted?"
                )
            if (was := before.model_hash) != after.model_hash:
                raise LinkError(
                    f"Shell on {self.name} must keep its model while it is used, and went from "
                    f"{was.hex()} to {after.model_hash.hex()}"
                )
            return after

    def infer(self, window: Sequence[int]) -> list[int]:
        """Return the results for one window of integers, step by step, channels beside each other.

        An integer that the input's bits do not hold goes as the nearest that they do, and is
        counted in ``clipped``. Raises `LinkError` for what is no integer, such as NaN.
        """
        facts = self.registers
        if len(window) != facts.inputs:
            raise LinkError(f"Window must have {facts.inputs} integers, not {len(window)}")
        payload = packed(window, facts.input_bits, signed=facts.signed)
        sent = unpack(payload, facts.input_bits, signed=facts.signed)
        with self._lock:
            self.clipped += sum(a != b for a, b in zip(window, sent, strict=True))
        answer = self.ask(Command.INFER, payload, expected=facts.results * facts.result_bytes)
        return unpack(answer, facts.result_bits, signed=facts.signed)

    def self_test(self) -> int | None:
        """Return the first golden vector that comes out wrong; None if all are right."""
        (verdict,) = self.ask(Command.SELF_TEST, expected=1)
        return None if verdict == PASSED else verdict

    def load(self, image: bytes, *, progress: Progress = silent) -> None:
        """Send new weights, which do nothing yet; ``progress`` is told the bytes that are there.

        An image that was not sent to its end is forgotten with the first block of the next.
        """
        blocks = -(-len(image) // BLOCK_BYTES)
        for number in range(blocks):
            part = image[number * BLOCK_BYTES :][:BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
            (there,) = self.ask(Command.LOAD, number.to_bytes(2, "little") + part, expected=1)
            if there != (number + 1) % 256:
                raise LinkError(
                    f"Shell on {self.name} must take block {number} of the new weights,"
                    " and lost count: was it restarted?"
                )
            sent = min(len(image), (number + 1) * BLOCK_BYTES)
            progress(sent, len(image), "bytes sent")

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


def packed(window: Sequence[int], bits: int, *, signed: bool = True) -> bytes:
    """Return a window as it travels, see `pack`; raise `LinkError` for what is no integer."""
    try:
        return pack(window, bits, signed=signed)
    except TypeError:
        wrong = next(value for value in window if not hasattr(value, "__index__"))
        raise LinkError(f"Window must hold integers, and holds {wrong!r}") from None


def _reason(answer: Frame) -> Reason:
    try:
        return Reason(answer.payload[0])
    except ValueError:
        return Reason.LINE
