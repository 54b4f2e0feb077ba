"""The host's end of bitformer's framed protocol in one file, for MicroPython and Python alike.

Copy it to the board; it imports nothing. A UART is a `machine.UART` (set its `timeout` to 500 ms),
an SPI bus a `machine.SPI` with mode 0 and a pin for chip select:

    link = Uart(machine.UART(1, 115200, timeout=500))
    link = Spi(machine.SPI(1, 1000000), machine.Pin(5, machine.Pin.OUT, value=1))
    shell = Shell(link)
    print(shell.registers()["model_hash"], shell.self_test())
    results = shell.infer(window)
"""

SYNC, NAK, ANSWER = 0xA5, 0xFF, 0x80
READ, INFER, SELF_TEST = 1, 2, 3
REGISTERS, PASSED, VERSION = 52, 0xFF, 1
REASONS = ("accepted", "line", "start", "truncated", "length", "crc", "command", "overrun")

_TABLE = tuple(
    0x1DB71064 * (k & 1)
    ^ 0x3B6E20C8 * (k >> 1 & 1)
    ^ 0x76DC4190 * (k >> 2 & 1)
    ^ 0xEDB88320 * (k >> 3 & 1)
    for k in range(16)
)


class ShellError(Exception):
    """The shell does not answer, or not as it must."""


def crc32(data):
    """CRC-32 as in IEEE 802.3."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        crc = crc >> 4 ^ _TABLE[crc & 15]
        crc = crc >> 4 ^ _TABLE[crc & 15]
    return crc ^ 0xFFFFFFFF


def little(value, size):
    """An integer as bytes, low byte first, two's complement."""
    return bytes([value >> 8 * k & 0xFF for k in range(size)])


def number(data, signed=False):
    """The integer in bytes, low byte first."""
    value = 0
    for k in range(len(data)):
        value |= data[k] << 8 * k
    if signed and data[-1] & 0x80:
        value -= 1 << 8 * len(data)
    return value


def frame(sequence, command, payload=b""):
    """A frame as it goes over the line."""
    body = little(len(payload), 2) + bytes([sequence, command]) + payload
    return bytes([SYNC]) + body + little(crc32(body), 4)


def parse(data):
    """(sequence, command, payload) of a frame; None if it is none, or damaged."""
    if len(data) < 9 or data[0] != SYNC:
        return None
    end = 5 + number(data[1:3])
    if len(data) < end + 4 or number(data[end : end + 4]) != crc32(data[1:end]):
        return None
    return data[3], data[4], data[5:end]


class Uart:
    """A serial port: `write(bytes)` and `read(size)`, which gives fewer bytes, or None, in the
    end."""

    def __init__(self, port):
        self._port = port

    def send(self, data):
        self._port.write(data)

    def receive(self, expected):
        """A frame's bytes, fewer if it broke off; nothing if there was none."""
        data = self._port.read(1) or b""
        while data and data[0] != SYNC:
            data = self._port.read(1) or b""
        if not data:
            return b""
        data += self._port.read(4) or b""
        if len(data) < 5 or number(data[1:3]) > expected:
            return data
        return data + (self._port.read(number(data[1:3]) + 4) or b"")

    def settle(self):
        while self._port.read(64):
            pass


class Spi:
    """An SPI bus: `write_readinto(out, into)`, and a pin that is called with chip select's
    level."""

    def __init__(self, bus, select, polls=1000):
        self._bus, self._select, self._polls = bus, select, polls

    def _transfer(self, out):
        into = bytearray(len(out))
        self._select(0)
        self._bus.write_readinto(out, into)
        self._select(1)
        return into

    def send(self, data):
        self._transfer(data)

    def receive(self, expected):
        for _ in range(self._polls):
            data = self._transfer(bytes(9 + expected))
            if data[0]:
                return bytes(data)
        return b""

    def settle(self):
        pass


class Shell:
    """Requests to a shell, each tried `retries` times more where that can help."""

    def __init__(self, link, retries=3):
        self._link, self._retries = link, retries
        self._sequence = 0
        self._facts = None

    def ask(self, command, payload=b"", expected=1):
        """The payload of the answer, `expected` bytes."""
        self._sequence = self._sequence + 1 & 0xFF
        request = frame(self._sequence, command, payload)
        problem = "nothing was heard"
        for _ in range(self._retries + 1):
            self._link.send(request)
            while True:
                data = self._link.receive(max(1, expected))
                if not data:
                    break
                found = parse(data)
                if found is None:
                    problem = "damaged answers"
                    self._link.settle()
                    break
                if found[1] == NAK and len(found[2]) == 1:
                    reason = found[2][0]
                    problem = REASONS[reason] if reason < len(REASONS) else str(reason)
                    if problem == "command":
                        raise ShellError("shell does not know the command")
                    self._link.settle()  # this may be an earlier refusal: do not interrupt
                    break
                mine = found[0] == self._sequence and found[1] == command | ANSWER
                if mine and len(found[2]) == expected:
                    return found[2]
        raise ShellError("no answer: " + problem)

    def registers(self):
        """What the shell says of itself, by name."""
        data = self.ask(READ, b"", REGISTERS)
        if data[:2] != b"BF" or data[2] != VERSION:
            raise ShellError("no bitformer shell of this version")
        self._facts = {
            "features": data[3],
            "input_bytes": data[4],
            "result_bytes": data[5],
            "inputs": number(data[6:8]),
            "results": number(data[8:10]),
            "capacity": number(data[10:12]),
            "vectors": data[12],
            "latency": number(data[13:16]),
            "model_hash": bytes(data[16:24]),
            "structure": bytes(data[24:28]),
            "clock_hz": number(data[28:32]),
            "counters": [number(data[32 + 2 * k : 34 + 2 * k]) for k in range(8)],
            "status": data[48],
            "cycles": number(data[49:52]),
        }
        return self._facts

    def infer(self, window):
        """The results for a window of integers."""
        facts = self._facts or self.registers()
        if len(window) != facts["inputs"]:
            raise ShellError("a window has " + str(facts["inputs"]) + " integers")
        size = facts["result_bytes"]
        payload = b"".join([little(value, facts["input_bytes"]) for value in window])
        data = self.ask(INFER, payload, facts["results"] * size)
        return [number(data[k : k + size], True) for k in range(0, len(data), size)]

    def self_test(self):
        """The first golden vector that comes out wrong; None if all are right."""
        verdict = self.ask(SELF_TEST)[0]
        return None if verdict == PASSED else verdict
