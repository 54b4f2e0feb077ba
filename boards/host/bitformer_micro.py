"""The host's end of bitformer's framed protocol in one file, for MicroPython and Python alike.

Copy it to the board; it imports nothing. A UART is a `machine.UART` (set its `timeout` to 500 ms),
an SPI bus a `machine.SPI` with mode 0 and a pin for chip select. A session's numbers begin where
`session` says: let it differ from one start to the next, and a late answer is never taken for
another's. Every wait ends: after the port's time-outs if it is silent, after so many reads if not.

    link = Uart(machine.UART(1, 115200, timeout=500))
    link = Spi(machine.SPI(1, 1000000), machine.Pin(5, machine.Pin.OUT, value=1))
    shell = Shell(link, session=time.ticks_us())
    print(shell.registers()["model_hash"], shell.self_test())
    results = shell.infer(window)
    print(shell.clipped, shell.ends)

`clipped` is how many integers of the last window its bits did not hold: they went as the nearest.
`ends` is how many results stand at an end of their range, where they may be clipped, too. If these
are more than a few, train with --range.

Samples in their columns' units become a window's integers, and results the target's units, with the
numbers in scaling.json, which stands in a build's folder. Where floats have 32 bits, as on most
boards, a sample close to the middle between two integers may become the other one.

    scales = Scales(json.load(open("scaling.json")))
    print(scales.units(shell.infer(scales.window(samples))))
    print(scales.by_target(shell.infer(scales.window(samples)))["load"])  # of several targets

A model with a calendar takes the time of a window's last row with it:

    now = time.localtime()
    print(scales.units(shell.infer(scales.window(samples, hour=now[3], weekday=now[6]))))

The result of a classifier is a class, or none where the window is rejected:

    print(scales.label(shell.infer(scales.window(samples))))
"""

SYNC, NAK, ANSWER = 0xA5, 0xFF, 0x80
READ, INFER, SELF_TEST = 1, 2, 3
#: A feature: numbers are an ADC's words, from 0 on, and not signed.
UNSIGNED = 8
REGISTERS, PASSED, VERSION = 58, 0xFF, 4
HEADER, OVERHEAD = 8, 12
#: Reads in which a line that is not silent must bring a frame, or fall silent; frames of others.
READS, OTHERS = 64, 16
FOREIGN = "answers to another's requests arrive here"
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
    """Return the CRC-32 of IEEE 802.3."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        crc = crc >> 4 ^ _TABLE[crc & 15]
        crc = crc >> 4 ^ _TABLE[crc & 15]
    return crc ^ 0xFFFFFFFF


def little(value, size):
    """Return an integer as bytes, low byte first, two's complement."""
    return bytes([value >> 8 * k & 0xFF for k in range(size)])


def number(data, signed=False):
    """Return the integer in bytes, low byte first."""
    value = 0
    for k in range(len(data)):
        value |= data[k] << 8 * k
    if signed and data[-1] & 0x80:
        value -= 1 << 8 * len(data)
    return value


def limits(bits, signed=True):
    """Return the lowest and the highest number of so many bits."""
    most = (1 << bits - signed) - 1
    return (-most - 1 if signed else 0), most


def integers(window, bits, signed=True):
    """Return integers as they travel; what `bits` bits do not hold goes as the nearest."""
    least, most = limits(bits, signed)
    for value in window:
        if not isinstance(value, int):
            raise ShellError("a window has integers, not " + repr(value))
    size = (bits + 7) // 8
    return b"".join([little(max(least, min(value, most)), size) for value in window])


def frame(sequence, command, payload=b""):
    """Return a frame as it goes over the line."""
    body = little(len(payload), 2) + little(sequence, 4) + bytes([command]) + payload
    return bytes([SYNC]) + body + little(crc32(body), 4)


def parse(data):
    """Return (sequence, command, payload) of a frame; None if it is none, or damaged."""
    if len(data) < OVERHEAD or data[0] != SYNC:
        return None
    end = HEADER + number(data[1:3])
    if len(data) < end + 4 or number(data[end : end + 4]) != crc32(data[1:end]):
        return None
    return number(data[3:7]), data[7], data[HEADER:end]


class Uart:
    """A serial port: `write(bytes)`, and `read(size)`, which gives fewer bytes at the end."""

    def __init__(self, port):
        self._port = port

    def send(self, data):
        self._port.write(data)

    def receive(self, expected):
        """Return a frame's bytes, or what was heard instead of one; nothing if that was nothing."""
        data, passed = b"", b""
        for _ in range(READS):
            more = self._port.read(HEADER - len(data)) or b""
            data += more
            at = data.find(bytes([SYNC]))
            passed += data if at < 0 else data[:at]
            data = b"" if at < 0 else data[at:]
            if not more or len(data) == HEADER:
                break
        if len(data) < HEADER:
            return passed + data
        left = number(data[1:3]) + 4
        if left > expected + 4:
            return data
        for _ in range(READS):
            more = self._port.read(left) or b""
            data, left = data + more, left - len(more)
            if not more or not left:
                break
        return data

    def settle(self):
        """Wait for silence."""
        for _ in range(READS):
            if not self._port.read(64):
                return
        raise ShellError("the port never falls silent: is its baud rate another?")


class Spi:
    """An SPI bus: `write_readinto(out, into)`, and a pin that takes the level of chip select."""

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
            data = self._transfer(bytes(OVERHEAD + expected))
            if data[0]:
                return bytes(data)
        return b""

    def settle(self):
        pass


class Shell:
    """Requests to a shell, each tried `retries` times more where that can help."""

    def __init__(self, link, retries=3, session=0):
        self._link, self._retries = link, retries
        self._sequence, self._asked, self._answered = session & 0xFFFFFFFF, 0, False
        self._facts = None
        self.clipped = self.ends = 0

    def ask(self, command, payload=b"", expected=1):
        """Return the payload of the answer, `expected` bytes."""
        try:
            return self._ask(command, payload, expected)
        except OSError as error:
            lost = repr(error)
        raise ShellError("the port is lost: " + lost)

    def _ask(self, command, payload, expected):
        self._sequence, self._asked = self._sequence + 1 & 0xFFFFFFFF, self._asked + 1
        request = frame(self._sequence, command, payload)
        problem = "nothing was heard"
        for _ in range(self._retries + 1):
            self._link.send(request)
            for _ in range(OTHERS):
                data = self._link.receive(max(1, expected))
                if not data:
                    break
                found = parse(data)
                if found is None:
                    problem = "damaged answers"
                    if data[0] != SYNC:
                        problem = "bytes that are no frames: is the baud rate another?"
                    self._link.settle()
                    break
                mine = found[0] == self._sequence
                if found[1] == NAK and len(found[2]) == 1:
                    reason = found[2][0]
                    known = REASONS[reason] if reason < len(REASONS) else str(reason)
                    if known != "command":
                        problem = "refused: " + known
                        self._link.settle()  # this may be an earlier refusal: do not interrupt
                        break
                    if mine:
                        raise ShellError("shell does not know the command")
                # registers of another version have another length
                other = command == READ and len(found[2]) > 2
                right = other or len(found[2]) == expected
                if mine and found[1] == command | ANSWER and right:
                    self._answered = True
                    return found[2]
                # before the first answer of a session, those of an earlier one may arrive
                if self._answered and (self._sequence - found[0] & 0xFFFFFFFF) >= self._asked:
                    raise ShellError(FOREIGN)
                problem = "frames that answer something else: does the line echo?"
            else:
                raise ShellError(FOREIGN)
        raise ShellError("no answer: " + problem)

    def registers(self):
        """Return the registers of the shell, by name."""
        data = self.ask(READ, b"", REGISTERS)
        if data[:2] == b"BF" and data[2] != VERSION:
            raise ShellError("a shell of version " + str(data[2]) + ", not " + str(VERSION))
        if data[:2] != b"BF" or len(data) != REGISTERS:
            raise ShellError("no bitformer shell")
        if not (0 < data[4] <= 16 and 0 < data[5] <= 16):
            raise ShellError("no numbers that a shell has")
        self._facts = {
            "features": data[3],
            "input_bits": data[4],
            "result_bits": data[5],
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
            "input_ends": number(data[52:54]),
            "result_ends": number(data[54:56]),
            "rejected": number(data[56:58]),
        }
        return self._facts

    def infer(self, window):
        """Return the results for a window; integers out of range go as the nearest in it.

        `clipped` and `ends` count what is at its limit.
        """
        facts = self._facts or self.registers()
        if len(window) != facts["inputs"]:
            raise ShellError("a window has " + str(facts["inputs"]) + " integers")
        size, signed = (facts["result_bits"] + 7) // 8, not facts["features"] & UNSIGNED
        payload = integers(window, facts["input_bits"], signed)
        least, most = limits(facts["input_bits"], signed)
        self.clipped, self.ends = sum([not least <= value <= most for value in window]), 0
        data = self.ask(INFER, payload, facts["results"] * size)
        results = [number(data[k : k + size], signed) for k in range(0, len(data), size)]
        self.ends = sum([value in limits(facts["result_bits"], signed) for value in results])
        return results

    def self_test(self):
        """Return the first golden vector that comes out wrong; None if all are right."""
        verdict = self.ask(SELF_TEST)[0]
        return None if verdict == PASSED else verdict


class ScalesError(Exception):
    """There are no scales, or a sample is no number."""


class Scales:
    """The scales of a model, from the dictionary in its scaling.json.

    `clipped` counts the samples that were beyond the range of the input's integers.
    """

    def __init__(self, data):
        if "columns" not in data:
            raise ScalesError("an untrained model has no scales")
        self.data, self.clipped = data, 0
        self._own = None  # mean and scale of the last window, where each is scaled by itself
        self._columns = [(one["mean"], one["std"]) for one in data["columns"]]

    def row(self, samples):
        """Return the integers of a step's samples, one of each column in their order."""
        if len(samples) != len(self._columns):
            raise ScalesError("a step has " + str(len(self._columns)) + " samples")
        spec, found, clipped = self.data["input"], [], 0
        low, high = spec["low"] - spec["zero"], spec["high"] - spec["zero"]
        scale = 2.0 ** -spec["exponent"]
        for k, (mean, std) in enumerate(self._columns):
            sample = samples[k]
            if sample - sample != 0:  # infinite, or not a number
                raise ScalesError("a sample must be a finite number, not " + repr(sample))
            place = (sample - mean) / std * scale + 0.5
            if place < low or place >= high + 1:
                clipped += 1
            # clipped before it is made an integer, which an infinity cannot be
            place = max(low, min(place, high))
            number = int(place)
            found.append(number - (number > place) + spec["zero"])
        self.clipped += clipped
        return found

    def window(self, rows, hour=None, weekday=None, judged=()):
        """Return the integers of a window: rows of samples, the oldest first, and its `time`.

        Of a detector also what it judges: integers that `row` makes of what came.
        """
        if len(rows) != self.data["window"]:
            raise ScalesError("a window has " + str(self.data["window"]) + " rows")
        if self.data.get("window_scaling"):
            rows = self._scaled([samples[0] for samples in rows], self.data["window_scaling"])
        found = [number for samples in rows for number in self.row(samples)]
        if len(judged) != self.data.get("judged", 0):
            raise ScalesError("the model judges " + str(self.data.get("judged", 0)) + " integers")
        fill = [self.data["input"]["zero"]] * (-len(judged) % len(self._columns))
        return found + self.time(hour, weekday) + list(judged) + fill

    def _scaled(self, samples, floor):
        """Return rows of a window's samples, scaled by their own mean and variance."""
        mean = sum(samples) / len(samples)
        scale = (sum([(one - mean) ** 2 for one in samples]) / len(samples) + floor) ** 0.5
        self._own = mean, scale
        return [((one - mean) / scale,) for one in samples]

    def time(self, hour=None, weekday=None):
        """Return the integers behind a window's samples; none for a model without a calendar.

        They are the hour, 0 to 23, and the weekday, 0 for Monday, at the window's last row, of
        those that the model takes; `time.localtime()` has them at 3 and 6.
        """
        found, zero = [], self.data["input"]["zero"]
        for name in self.data["calendar"]:
            value, rows = (hour, 24) if name == "hour" else (weekday, 7)
            if not isinstance(value, int) or not 0 <= value < rows:
                must = name + ", 0 to " + str(rows - 1)
                raise ScalesError("the model takes the " + must + ", not " + repr(value))
            found.append(value + zero)
        channels = len(self._columns)
        return found + [zero] * (-len(found) % channels)

    def label(self, results):
        """Return the name of a classifier's class; None if it rejects the window."""
        names = self.data.get("classes")
        if not names:
            raise ScalesError("the model is no classifier")
        return names[results[0]] if 0 <= results[0] < len(names) else None

    def units(self, results):
        """Return results in the target's units; of several targets, each in its own.

        Those of one target come after those of another, `horizon` of each; of the last `window`.
        """
        if self._own is None and self.data.get("window_scaling"):
            raise ScalesError("results are those of a window, which has to be made first")
        spec, steps = self.data["output"], self.data["horizon"]
        targets = self.data.get("targets") or [self.data["target"]]
        step = 2.0 ** spec["exponent"]
        found = []
        for place, number in enumerate(results):
            target = targets[place // steps % len(targets)]
            own = (number - spec["zero"]) * step * target["std"] + target["mean"]
            found.append(own * self._own[1] + self._own[0] if self._own else own)
        return found

    def by_target(self, results):
        """Return the forecast of each target in its units, by the target's name."""
        units, steps = self.units(results), self.data["horizon"]
        targets = self.data.get("targets") or [self.data["target"]]
        return {one["name"]: units[k * steps : (k + 1) * steps] for k, one in enumerate(targets)}
