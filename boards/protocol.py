"""The framed protocol between a host and a shell: its numbers, its frames, its registers.

Both ends are made from this file; docs/protocol.md describes it in words. A frame is

    ``SYNC`` | length, 2 bytes | sequence number, 4 bytes | command | payload | CRC, 4 bytes

with the low byte of every number first. ``length`` counts the payload's bytes. The answer repeats
the sequence number, which begins at random for every session: no two of them share one, so an
answer to another program's request is never taken for one's own. The CRC is CRC-32 as in IEEE
802.3 (polynomial 0x04C11DB7, reflected, initial value and final xor 0xFFFFFFFF; zlib's ``crc32``)
over all bytes between ``SYNC`` and itself.
"""

import enum
import operator
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ANSWER",
    "BLOCK_BYTES",
    "CONSTANT_BYTES",
    "COUNTS",
    "CRC_BYTES",
    "HEADER_BYTES",
    "INCOMPLETE",
    "MOST_BITS",
    "MOST_BYTES",
    "NAK",
    "OVERHEAD",
    "PASSED",
    "REGISTER_BYTES",
    "SEQUENCE_BYTES",
    "SYNC",
    "VERSION",
    "Command",
    "Feature",
    "Frame",
    "FrameError",
    "Reason",
    "Registers",
    "encode",
    "find_frame",
    "pack",
    "unpack",
    "version_of",
    "whole_bytes",
]

#: The first byte of every frame.
SYNC = 0xA5
#: Of the protocol; in the registers.
VERSION = 4
#: Added to a request's command in the answer to it.
ANSWER = 0x80
#: The command of an answer that refuses; its payload is the `Reason`, one byte.
NAK = 0xFF
SEQUENCE_BYTES = 4
#: ``SYNC``, length, sequence number, command.
HEADER_BYTES = 1 + 2 + SEQUENCE_BYTES + 1
CRC_BYTES = 4
#: Bytes of a frame that are not its payload.
OVERHEAD = HEADER_BYTES + CRC_BYTES
#: A payload's bytes, at most: what its length of 2 bytes can say.
MOST_BYTES = 0xFFFF
#: What a self-test answers when every vector was right; otherwise, the first wrong one's index.
PASSED = 0xFF
#: What a commit answers when not all of the new weights are there.
INCOMPLETE = 0xFE
#: Bytes of new weights in a `Command.LOAD`, behind the block's number of 2 bytes.
BLOCK_BYTES = 64
#: Of an input or a result.
MOST_BITS = 16
#: What a register block begins with.
IDENTITY = b"BF"
#: Constants, then the counters of frames, status and cycles, then the counters of numbers.
CONSTANT_BYTES, COUNTER_BYTES = 32, 2
#: A counter is 0 again after so many.
COUNTS = 1 << 8 * COUNTER_BYTES
REGISTER_BYTES = CONSTANT_BYTES + 8 * COUNTER_BYTES + 4 + 3 * COUNTER_BYTES
_CONSTANTS, _HEAD = "<BBBBHHHI8s4sI", "<HIB"
_CHANGING = "<8HIHHH"
#: The registers that never change, in their order; ``latency`` is above ``vectors``.
_NAMES = (
    "version",
    "features",
    "input_bits",
    "result_bits",
    "inputs",
    "results",
    "capacity",
    "vectors",
    "model_hash",
    "structure",
    "clock_hz",
)


class Command(enum.IntEnum):
    """Requests of a host.

    The two lowest bits say what an answer holds: 1, registers; 2, results; 3, one byte. So does
    ``NAK``.
    """

    READ = 0x01
    INFER = 0x02
    SELF_TEST = 0x03
    LOAD = 0x07
    COMMIT = 0x0B


class Reason(enum.IntEnum):
    """Reasons to refuse a frame; 0 counts frames that were accepted."""

    ACCEPTED = 0
    #: A byte arrived broken (a UART's stop bit was missing).
    LINE = 1
    #: What arrived did not begin with ``SYNC``.
    START = 2
    #: The host stopped in the middle of a frame.
    TRUNCATED = 3
    #: Too long for the buffer, or not the length that the command has.
    LENGTH = 4
    CRC = 5
    #: A command that this shell does not know.
    COMMAND = 6
    #: Bytes arrived while a request was being worked on.
    OVERRUN = 7


class Feature(enum.IntFlag):
    """Abilities of a shell, and its kind of link."""

    NONE = 0
    SELF_TEST = 1
    RELOADABLE = 2
    SPI = 4
    #: Numbers are an ADC's words, from 0 on, and not signed.
    UNSIGNED = 8


class FrameError(ValueError):
    """Bytes that are no frame, ``heard`` of them if that was counted; ``reason`` says why."""

    def __init__(self, reason: Reason, *, heard: int = 0):
        super().__init__(f"Frame must be whole and undamaged; it is refused for {reason.name}")
        self.reason, self.heard = reason, heard


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame's contents: ``sequence`` has 4 bytes, ``command`` one."""

    sequence: int
    command: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return a frame as it goes over the line."""
    head = struct.pack(_HEAD, len(frame.payload), frame.sequence, frame.command)
    covered = head + frame.payload
    return bytes([SYNC]) + covered + struct.pack("<I", zlib.crc32(covered))


def find_frame(data: bytes, *, longest: int = MOST_BYTES) -> tuple[Frame, bytes] | None:
    """Return the first frame in ``data`` and what follows it; None while bytes are missing.

    What stands before the first ``SYNC`` is skipped. Raises `FrameError` for a length above
    ``longest`` and for a wrong CRC.
    """
    start = data.find(SYNC)
    data = data[start:] if start >= 0 else b""
    if len(data) < HEADER_BYTES:
        return None
    length, sequence, command = struct.unpack_from(_HEAD, data, 1)
    if length > longest:
        raise FrameError(Reason.LENGTH)
    end = HEADER_BYTES + length
    if len(data) < end + CRC_BYTES:
        return None
    if struct.unpack_from("<I", data, end)[0] != zlib.crc32(data[1:end]):
        raise FrameError(Reason.CRC)
    frame = Frame(sequence=sequence, command=command, payload=data[HEADER_BYTES:end])
    return frame, data[end + CRC_BYTES :]


def whole_bytes(bits: int) -> int:
    """Return how many bytes a number of ``bits`` bits takes."""
    return -(-bits // 8)


def pack(numbers: Iterable[int], bits: int, *, signed: bool = True) -> bytes:
    """Return integers as they travel: two's complement in as few bytes as hold ``bits``.

    What lies beyond ``bits`` bits goes as the nearest number that does not, as when a model is
    trained. Those that are not ``signed`` are 0 or more. Raises `TypeError` for what is no integer,
    such as NaN.
    """
    most = (1 << bits - signed) - 1
    least = ~most if signed else 0
    return _joined(
        (max(least, min(operator.index(number), most)) for number in numbers), bits, signed=signed
    )


def _joined(numbers: Iterable[int], bits: int, *, signed: bool) -> bytes:
    size = whole_bytes(bits)
    return b"".join(number.to_bytes(size, "little", signed=signed) for number in numbers)


def unpack(data: bytes, bits: int, *, signed: bool = True) -> list[int]:
    """Return the integers of ``bits`` bits in a payload."""
    size = whole_bytes(bits)
    return [
        int.from_bytes(data[start : start + size], "little", signed=signed)
        for start in range(0, len(data), size)
    ]


@dataclass(frozen=True, kw_only=True)
class Registers:
    """A shell's registers.

    ``inputs`` numbers of ``input_bits`` make a window, ``results`` numbers of ``result_bits`` its
    forecast, each in as few whole bytes as hold it. ``capacity`` is the longest payload in bytes.
    ``vectors`` golden vectors are stored. ``latency`` is the number of cycles that the design
    promises from the first number in to the last result out, ``cycles`` what the last inference
    took (24 bits both).
    ``model_hash``, 8 bytes, is the model's; ``structure``, 4 bytes, that of what new weights do not
    change, or of a shell that takes none, the ``phases`` of a stream where there are several.
    ``counters`` has a count for every `Reason`. ``input_ends`` counts numbers of windows that were
    the lowest or the highest of ``input_bits``, ``result_ends`` such results, of a classifier or a
    detector none; ``rejected`` counts a classifier's windows of no class, and a detector's with its
    flag up: not those of self-tests, and again those of a request that came again, but for a
    detector's. Counts are 16 bits that wrap.
    """

    version: int = VERSION
    features: Feature = Feature.NONE
    input_bits: int
    result_bits: int
    inputs: int
    results: int
    capacity: int
    vectors: int
    latency: int
    model_hash: bytes
    structure: bytes
    clock_hz: int
    counters: tuple[int, ...] = (0,) * len(Reason)
    status: int = 0
    cycles: int = 0
    input_ends: int = 0
    result_ends: int = 0
    rejected: int = 0

    @property
    def input_bytes(self) -> int:
        """Of one number of a window."""
        return whole_bytes(self.input_bits)

    @property
    def result_bytes(self) -> int:
        """Of one number of a forecast."""
        return whole_bytes(self.result_bits)

    @property
    def signed(self) -> bool:
        """Whether numbers are signed, and not an ADC's words."""
        return not self.features & Feature.UNSIGNED

    @property
    def phases(self) -> int:
        """Streams that take windows in turn; 1 of a model of windows."""
        if self.features & Feature.RELOADABLE:
            return 1
        return max(1, int.from_bytes(self.structure, "little"))

    def errors(self) -> dict[Reason, int]:
        """Return how many frames were refused, by reason."""
        counts = zip(Reason, self.counters, strict=True)
        return {reason: count for reason, count in counts if reason is not Reason.ACCEPTED}

    def constants(self) -> bytes:
        """Return the part that never changes: the first ``CONSTANT_BYTES`` bytes."""
        values = {**vars(self), "vectors": self.vectors | self.latency << 8}
        return IDENTITY + struct.pack(_CONSTANTS, *(values[name] for name in _NAMES))

    def region(self, vectors: Iterable[tuple[Iterable[int], Iterable[int]]]) -> bytes:
        """Return the part that never changes, and the golden vectors behind it, as in a shell."""
        return self.constants() + b"".join(
            _joined(window, self.input_bits, signed=self.signed)
            + _joined(results, self.result_bits, signed=self.signed)
            for window, results in vectors
        )

    def changing(self) -> bytes:
        """Return the part that changes, which follows the constants in an answer."""
        measured = self.status | self.cycles << 8
        numbers = self.input_ends, self.result_ends, self.rejected
        return struct.pack(_CHANGING, *self.counters, measured, *numbers)

    @classmethod
    def parse(cls, data: bytes) -> "Registers":
        """Read the payload of an answer; raise `ValueError` if it holds no registers of ours."""
        if len(data) != REGISTER_BYTES or version_of(data) != VERSION:
            raise ValueError(
                f"Registers must be {REGISTER_BYTES} bytes from {IDENTITY!r} and {VERSION} on"
            )
        values = struct.unpack_from(_CONSTANTS, data, len(IDENTITY))
        fields = dict(zip(_NAMES, values, strict=True))
        fields["latency"], fields["vectors"] = divmod(fields["vectors"], 1 << 8)
        fields["features"] = Feature(fields["features"])
        most = {"input_bits": MOST_BITS, "result_bits": MOST_BITS}
        for name in ("input_bits", "result_bits", "inputs", "results", "clock_hz"):
            if not 1 <= fields[name] <= most.get(name, fields[name]):
                raise ValueError(f"Registers must have {name} that can be, not {fields[name]}")
        *counters, measured, inputs, results, rejected = struct.unpack_from(
            _CHANGING, data, CONSTANT_BYTES
        )
        return cls(
            **fields,
            counters=tuple(counters),
            status=measured & 0xFF,
            cycles=measured >> 8,
            input_ends=inputs,
            result_ends=results,
            rejected=rejected,
        )


def version_of(registers: bytes) -> int | None:
    """Return the version of the protocol whose registers these are; None if they are none.

    Each version has registers of its own length; that of the version itself stands in all of them.
    """
    known = len(registers) > len(IDENTITY) and registers.startswith(IDENTITY)
    return registers[len(IDENTITY)] if known else None
