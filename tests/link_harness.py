"""Shells compiled for the native simulator, a stand-in for one, and ports that are no good."""

import random
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bitformer.boards.protocol import (
    ANSWER,
    COUNTS,
    NAK,
    PASSED,
    Command,
    Frame,
    FrameError,
    Reason,
    encode,
    find_frame,
    pack,
    unpack,
)
from bitformer.model.errors import UserError
from bitformer.sim import native_build

__all__ = [
    "LossySpi",
    "LossyUart",
    "ShellPort",
    "compiled_once",
    "corrupted",
    "ends",
    "together",
]


def compiled_once(tmp_path_factory, request):
    """A cache of all workers' for compiled designs, until the tests of a module are done."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if hasattr(request.config, "workerinput") else root) / "links"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_build, "default_cache", lambda: folder)
        yield


class LossyUart:
    """A serial port on a bad line: bytes are changed, lost, and broken off, both ways."""

    def __init__(self, port, rng, rate):
        self._port, self._rng, self._rate = port, rng, rate
        self.damages = 0
        self.written = []

    def write(self, data):
        self.written.append(bytes(data))
        self._port.write(self._damaged(data))

    def read(self, size=1):
        return self._damaged(self._port.read(size))

    def _damaged(self, data):
        # a frame is read in parts: each is damaged as seldom as it is short
        if self._rng.random() >= self._rate * min(1, len(data) / 16):
            return data
        self.damages += 1
        return corrupted(data, self._rng)


class LossySpi(LossyUart):
    """An SPI bus of which the same is true."""

    def xfer2(self, data):
        self.written.append(bytes(data))
        data = self._damaged(bytes(data)) if any(data) else data
        return list(self._damaged(bytes(self._port.xfer2(list(data)))).ljust(len(data), b"\0"))


def corrupted(data, rng):
    """Bytes with something wrong about them: never the same, but the same may be within."""
    changed = bytearray(data)
    kind = rng.randrange(7)
    if kind == 0:
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        for _ in range(rng.randrange(2, 9)):
            changed[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    elif kind == 2:
        del changed[rng.randrange(len(data)) :]
    elif kind == 3:
        del changed[rng.randrange(len(data))]
    elif kind == 4:
        changed.insert(rng.randrange(len(data) + 1), rng.randrange(256))
    elif kind == 5:
        changed = bytearray(rng.randbytes(rng.randrange(1, 40)))
    else:
        changed[1:3] = rng.randbytes(2)
    return bytes(changed)


def ends(numbers, bits, signed=True):
    """How many numbers are the lowest or the highest of so many bits."""
    half = 1 << bits - 1
    limits = (-half, half - 1) if signed else (0, 2 * half - 1)
    return sum(number in limits for number in numbers)


class ShellPort:
    """A serial port with a shell behind it, in Python: for hosts, where time does not matter.

    Parameters
    ----------
    facts : Registers
        What it says of itself; it counts for itself.
    infer : callable
        Gives the results for a window of integers.
    verdict : int
        What a self-test answers.
    """

    def __init__(self, facts, infer=None, verdict=PASSED):
        self.facts, self.infer, self.verdict = facts, infer, verdict
        self.counts, self.ends = [0] * len(Reason), [0, 0]
        self.heard, self.said, self.written = b"", b"", []
        self.closed = False

    def write(self, data):
        self.written.append(bytes(data))
        self.heard += data
        try:
            while self.heard and (found := find_frame(self.heard)) is not None:
                request, self.heard = found
                self.said += encode(self.answer(request))
        except FrameError as error:
            self.heard = b""
            self.counts[error.reason] += 1
            refusal = Frame(sequence=0, command=NAK, payload=bytes([error.reason]))
            self.said += encode(refusal)

    def answer(self, request):
        self.counts[0] += 1
        if request.command == Command.READ:
            counts = tuple(n % COUNTS for n in self.counts)
            inputs, results = (n % COUNTS for n in self.ends)
            now = replace(self.facts, counters=counts, input_ends=inputs, result_ends=results)
            payload = now.constants() + now.changing()
        elif request.command == Command.SELF_TEST:
            payload = bytes([self.verdict])
        else:
            signed = self.facts.signed
            window = unpack(request.payload, self.facts.input_bits, signed=signed)
            payload = pack(self.infer(window), self.facts.result_bits, signed=signed)
            results = unpack(payload, self.facts.result_bits, signed=signed)
            self.ends[0] += ends(window, self.facts.input_bits, signed=signed)
            self.ends[1] += ends(results, self.facts.result_bits, signed=signed)
        command = request.command | ANSWER
        return Frame(sequence=request.sequence, command=command, payload=payload)

    def read(self, size=1):
        data, self.said = self.said[:size], self.said[size:]
        return data

    def close(self):
        self.closed = True


class Turns:
    """Lets threads go on one at a time, from call to call, in the order that a seed draws."""

    def __init__(self, count, seed):
        self._rng, self._going = random.Random(seed), list(range(count))
        self._next = self._rng.choice(self._going)
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, number):
        """Wait until it is the turn of thread ``number``; then hand on."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._next == number, timeout=60)
            yield
            self._hand_on()

    def leave(self, number):
        """Thread ``number`` needs no turn any more."""
        with self._changed:
            self._going.remove(number)
            if self._next == number:
                self._hand_on()

    def _hand_on(self):
        if self._going:
            self._next = self._rng.choice(self._going)
            self._changed.notify_all()


class SharedPort:
    """One of several programs' ends of a port: each call waits for its turn.

    What is written goes out in parts, and what arrives goes to who reads first, as when a system
    lets two programs open a port.
    """

    def __init__(self, port, turns, number, part=9):
        self._port, self._turns, self._number, self._part = port, turns, number, part

    def write(self, data):
        for start in range(0, len(data), self._part):
            with self._turns.turn(self._number):
                self._port.write(data[start : start + self._part])

    def read(self, size=1):
        with self._turns.turn(self._number):
            return self._port.read(size)

    def close(self):
        pass


def together(port, seed, *sessions, part=9, errors=UserError):
    """Run functions of a port at the same time on one; what each gave, or its one of ``errors``."""
    turns, given = Turns(len(sessions), seed), [None] * len(sessions)

    def run(number):
        try:
            given[number] = sessions[number](SharedPort(port, turns, number, part))
        except errors as error:
            given[number] = error
        finally:
            turns.leave(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given
