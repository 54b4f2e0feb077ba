"""Bytes of new weights, sorted into words of the stores that they are for."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.checks import check_int
from bitformer.hw.units.pipeline import delay, twice

__all__ = ["WeightLoader"]


class WeightLoader(wiring.Component):
    """Sorts the bytes of an image: word by word, the low byte first, part by part.

    All parts but the last are stores of the accelerator; the last is the endpoint's own memory,
    whose words are bytes. Bytes after the last word are ignored. After a reset, the first word is
    awaited.

    Latency: 2 cycles from the last byte of a word. Throughput: a byte a cycle.

    Parameters
    ----------
    parts : sequence of (words, bytes of a word)
        At least one; the last with words of one byte.

    Members
    -------
    i_start : In(1)
        Begins with the first word, from the next cycle on.
    i_valid : In(1)
        There is a byte.
    i_byte : In(8)
        Byte.
    o_done : Out(1)
        All words are there.
    o_addr : Out(range(words of the largest part))
        Place of a word in its store.
    o_data : Out(8 * bytes of the widest word)
        Word, its last byte highest.
    o_en : Out(stores)
        Enable of each store.
    o_memory_en : Out(1)
        The highest byte of ``o_data`` is for the endpoint's memory.
    """

    def __init__(self, *, parts):
        for words, size in parts:
            check_int("Words", words)
            check_int("Bytes", size)
        if not parts or parts[-1][1] != 1:
            raise ValueError(f"Parts must end with one of single bytes, not {parts!r}")
        self._parts = tuple(parts)
        super().__init__(
            {
                "i_start": In(1),
                "i_valid": In(1),
                "i_byte": In(8),
                "o_done": Out(1),
                "o_addr": Out(range(max(2, *(words for words, _ in parts)))),
                "o_data": Out(8 * max(size for _, size in parts)),
                "o_en": Out(max(1, len(parts) - 1)),
                "o_memory_en": Out(1),
            }
        )

    @property
    def bytes(self) -> int:
        """Bytes of an image."""
        return sum(words * size for words, size in self._parts)

    def elaborate(self, platform):
        m = Module()
        count = len(self._parts)
        part = Signal(range(count + 1))
        place = Signal(range(max(size for _, size in self._parts)))
        word = Signal.like(self.o_addr)
        last_byte, last_word = Signal(), Signal()
        with m.Switch(part):
            for number, (words, size) in enumerate(self._parts):
                with m.Case(number):
                    m.d.comb += [last_byte.eq(place == size - 1), last_word.eq(word == words - 1)]
        taken = Signal()
        m.d.comb += [self.o_done.eq(part == count), taken.eq(self.i_valid & ~self.o_done)]
        # a cycle later, so that the enables of a long word's halves come from registers
        byte = delay(m, self.i_byte, 1, name="byte")
        low, high = twice(m, taken, name="taken")
        data = Signal.like(self.o_data, reset_less=True)
        m.d.comb += self.o_data.eq(data)
        half, shifted = len(data) // 2, Cat(data[8:], byte)
        with m.If(low):
            m.d.sync += data[:half].eq(shifted[:half])
        with m.If(high):
            m.d.sync += data[half:].eq(shifted[half:])
        written = Cat(self.o_en, self.o_memory_en) if count > 1 else self.o_memory_en
        enable = Signal(count)
        m.d.sync += [
            enable.eq(Mux(taken & last_byte, 1 << part, 0)),
            written.eq(enable),
            self.o_addr.eq(delay(m, word, 1, name="word")),
        ]
        with m.If(taken):
            m.d.sync += place.eq(place + 1)
            with m.If(last_byte):
                m.d.sync += [place.eq(0), word.eq(word + 1)]
                with m.If(last_word):
                    m.d.sync += [word.eq(0), part.eq(part + 1)]
        with m.If(self.i_start):
            m.d.sync += [part.eq(0), place.eq(0), word.eq(0)]
        return m
