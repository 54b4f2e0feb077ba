"""Mutants of the shells that no test can notice, each with its reason: see `equivalents`."""

__all__ = ["SHELLS"]

#: (file, lines before, lines behind): the reason.
SHELLS: dict[tuple[str, str, str], str] = {
    (
        "boards/shell/elastic/bus.py",
        "part, reading, writing = Signal(2), Signal(), Signal()",
        "part, reading, writing = Signal(3), Signal(), Signal()",
    ): "it counts to 3 and stays there",
    (
        "boards/shell/elastic/bus.py",
        "sent, addressed, fetched = Signal(8), Signal(), Signal()",
        "sent, addressed, fetched = Signal(9), Signal(), Signal()",
    ): "bits leave it from the eighth on: what is shifted above it is not read",
    (
        "boards/shell/elastic/endpoint.py",
        "behind = int(width < other or (width == other and area == 1))",
        "behind = int(width < other or (width == other and (area != 1)))",
    ): "of two areas of one size either may lie behind the other",
    (
        "boards/shell/elastic/endpoint.py",
        "behind = int(width < other or (width == other and area == 1))",
        "behind = int(width < other or (width == other and area == 0))",
    ): "of two areas of one size either may lie behind the other",
    (
        "boards/shell/framed/remembered.py",
        "byte = self._result[:8]",
        "byte = self._result[:9]",
    ): "what it goes to has room for the lowest 8 bits alone",
    (
        "boards/shell/framed/sender.py",
        "length = Cat(cursor.left, Const(0, 16 - len(cursor.left)))",
        "length = Cat(cursor.left, Const(0, (16 + len(cursor.left))))",
    ): "its first two bytes are sent, and what is above them is not",
    (
        "boards/shell/spi.py",
        "ended = Signal(4, init=-1)",
        "ended = Signal(5, init=-1)",
    ): "its first four bits are read",
    (
        "boards/shell/spi.py",
        "first, request, whole = Signal(init=1), Signal(), Signal()",
        "first, request, whole = Signal(init=0), Signal(), Signal()",
    ): "it is set in the first cycle, in which chip select has been off",
    (
        "boards/shell/spi.py",
        "m.d.sync += [answering.eq(0), self.link.drop.eq(1)]",
        "m.d.sync += [answering.eq(1), self.link.drop.eq(1)]",
    ): "at the end of chip select: nothing asks for it before the next transfer sets it",
    (
        "boards/shell/spi.py",
        "m.d.sync += [first.eq(1), request.eq(0)]",
        "m.d.sync += [first.eq(1), request.eq(1)]",
    ): "the next first byte sets it, before any is passed on",
    (
        "boards/shell/spi.py",
        "m.d.sync += [place.eq(0), sent.eq(0)]",
        "m.d.sync += [place.eq(0), sent.eq(1)]",
    ): "its highest bit is on the line, and chip select loads all of them",
    (
        "boards/shell/spi.py",
        "m.d.sync += [received.eq(Cat(mosi, received[:7])), place.eq(place + 1)]",
        "m.d.sync += [received.eq(Cat(mosi, received[:8])), place.eq(place + 1)]",
    ): "eight bits of it have room",
    (
        "boards/shell/spi.py",
        "m.d.sync += [whole.eq(edge & (place == 7)), self.link.rx.valid.eq(0)]",
        "m.d.sync += [whole.eq(edge & (place == 7)), self.link.rx.valid.eq(1)]",
    ): "the last assignment counts, which is below",
    (
        "boards/shell/spi.py",
        "m.d.sync += ended.eq(Cat(~cs, ended[:3]))",
        "m.d.sync += ended.eq(Cat(~cs, ended[:4]))",
    ): "four bits of it have room",
    (
        "boards/shell/spi.py",
        "received, place = Signal(8, reset_less=True), Signal(3)",
        "received, place = Signal(9, reset_less=True), Signal(3)",
    ): "a ninth bit is never shifted into it",
    (
        "boards/shell/spi.py",
        "sent, answering = Signal(8), Signal()",
        "sent, answering = Signal(9), Signal()",
    ): "bits leave it from the eighth on: what is shifted above it is not read",
    (
        "boards/shell/spi.py",
        "with m.If(ended[2]):",
        "with m.If(ended[1]):",
    ): (
        "a cycle earlier is still behind the last byte, which is passed on two cycles "
        "after its eighth edge, and long before the next one"
    ),
    (
        "boards/shell/spi.py",
        "with m.If(ended[2]):",
        "with m.If(ended[3]):",
    ): "a cycle later is still before the next transfer, eight cycles after this one",
    (
        "boards/shell/top.py",
        "reset_left = Signal(range(_RESET_CYCLES + 1), init=_RESET_CYCLES)",
        "reset_left = Signal(range(_RESET_CYCLES + 2), init=_RESET_CYCLES)",
    ): "it begins with the cycles of a reset, and counts down",
    (
        "boards/shell/weight_loader.py",
        "half, shifted = len(data) // 2, Cat(data[8:], byte)",
        "half, shifted = len(data) // 3, Cat(data[8:], byte)",
    ): "which bits of a word take which copy of their enable changes no word",
    (
        "boards/shell/elastic/endpoint.py",
        "m.d.comb += following.eq(first % (1 << largest))",
        "m.d.comb += following.eq(first % (2 << largest))",
    ): "what it goes to has the lowest `largest` bits alone",
    (
        "boards/shell/framed/receiver.py",
        "length = Cat((cursor.left | Const(0, 8))[:8], link.rx.payload)",
        "length = Cat((cursor.left | Const(0, 9))[:8], link.rx.payload)",
    ): "the lowest 8 bits of it are taken",
}
