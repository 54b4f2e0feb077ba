"""Writes blocks of keys and values, side by side, to the store that the engine reads as weights."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from bitformer.hw.units.parameters import Integer

__all__ = ["BlockWriter"]


class BlockWriter(wiring.Component):
    """Places results of token rows: a key is a slot in many words, a value a row of words.

    A word has ``parts`` of ``slots`` elements. Of keys, a part holds one feature of so many keys,
    and the parts of a word features in line. Of values, a part holds features of one token in line,
    and the parts of a word tokens in line. So what comes in a cycle, ``ways`` features of
    ``posts`` tokens, is in one word, and nothing waits.

    ``i_dst`` counts results of a row, in words of ``ways``, in its lower ``pair_bits``. Above them
    is, of values, the word of the block's first token; of keys, the word of its first feature, and
    which of a word's blocks of keys it is.

    Latency: 1 cycle from a result to the store's write port. Throughput: a slot a cycle.

    Parameters
    ----------
    rows : int
        Token rows, a power of two: the rows of a block.
    posts : int
        Post-processors: rows whose results come in one cycle.
    rounds : int
        Cycles that the results of a block's rows take.
    ways : int
        Features of a row that come in one cycle, 1 or 2.
    slots : int
        Elements of a part, a multiple of ``rows``.
    parts : int
        Parts of a word, a multiple of ``posts`` and ``ways``.
    bits : int
        Width of an element.
    depth : int
        Words of the store.
    result_bits : int
        Width of a result.
    dst_bits, pair_bits : int
        Width of an address, and of its part that counts results.
    pitch : int
        Words from the values of some features to those of the next.

    Members
    -------
    i_y : In(ArrayLayout(ArrayLayout(signed(result_bits), ways), posts))
        Results, by post-processor.
    i_valid : In(ArrayLayout(ways, posts))
        Which of them belong to a row.
    i_round : In(range(rounds))
        Which of the block's rows they are of.
    i_key : In(1)
        It is one of a key.
    i_value : In(1)
        It is one of a value.
    i_dst : In(dst_bits)
        Where it goes.
    o_addr : Out(range(depth))
        Word to write.
    o_data : Out(parts * slots * bits)
        The elements, those of the first part in the lowest bits.
    o_en : Out(parts * slots)
        Elements to write.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above.
    """

    rows = Integer(1)
    posts = Integer(1)
    rounds = Integer(1)
    ways = Integer(1, 2)
    slots = Integer(1)
    parts = Integer(1)
    bits = Integer(1)
    depth = Integer(1)
    result_bits = Integer(1)
    dst_bits = Integer(1)
    pair_bits = Integer(0)
    pitch = Integer(1)

    def __init__(
        self,
        *,
        rows: int,
        posts: int,
        rounds: int,
        ways: int,
        slots: int,
        parts: int,
        bits: int,
        depth: int,
        result_bits: int,
        dst_bits: int,
        pair_bits: int,
        pitch: int,
    ):
        self.rows, self.posts, self.rounds, self.ways = rows, posts, rounds, ways
        self.slots, self.parts, self.bits, self.depth = slots, parts, bits, depth
        self.result_bits, self.dst_bits, self.pair_bits = result_bits, dst_bits, pair_bits
        self.pitch = pitch
        for what, number, least in (
            ("Slots", slots, rows),
            ("Parts", parts, posts),
            ("Parts", parts, ways),
        ):
            if number % least:
                raise ValueError(f"{what} must be a multiple of {least}, not {number}")
        if bits > result_bits:
            raise ValueError(f"Bits must be those of a result, {result_bits}, or less, not {bits}")
        row = data.ArrayLayout(signed(result_bits), ways)
        super().__init__(
            {
                "i_y": In(data.ArrayLayout(row, posts)),
                "i_valid": In(data.ArrayLayout(ways, posts)),
                "i_round": In(range(max(2, rounds))),
                "i_key": In(1),
                "i_value": In(1),
                "i_dst": In(dst_bits),
                "o_addr": Out(range(max(2, depth))),
                "o_data": Out(parts * slots * bits),
                "o_en": Out(parts * slots),
            }
        )

    def _key(self, part: int, slot: int) -> tuple[int, int]:
        """Return the post-processor and the way whose key an element is, where it is one."""
        return slot % self.posts, part % self.ways

    def _value(self, part: int, slot: int) -> tuple[int, int]:
        """Return the same of a value."""
        return part % self.posts, slot % self.ways

    def elaborate(self, platform):
        m = Module()
        pair, above = self.i_dst[: self.pair_bits], self.i_dst[self.pair_bits :]
        turn = self.i_round[: exact_log2(self.rounds)]
        # keys: the parts of a word go on with the features, its slots with the tokens
        of_part = exact_log2(self.parts // self.ways)
        block = exact_log2(self.slots // self.rows)
        key_word = above[block:] + pair[of_part:]
        key_part, key_slot = pair[:of_part], Cat(turn, above[:block])
        # values: the other way round
        of_slot = exact_log2(self.slots // self.ways)
        of_token = exact_log2(self.parts // self.posts)
        value_word = above + turn[of_token:] + (pair[of_slot:] << exact_log2(self.pitch))
        value_part, value_slot = turn[:of_token], pair[:of_slot]

        address = Mux(self.i_key, key_word, value_word)
        enables, elements = [], []
        for part in range(self.parts):
            for slot in range(self.slots):
                (post, way), (own_post, own_way) = self._key(part, slot), self._value(part, slot)
                key = self.i_valid[post][way] & self.i_key
                key &= self._is(key_part, part // self.ways)
                key &= self._is(key_slot, slot // self.posts)
                value = self.i_valid[own_post][own_way] & self.i_value
                value &= self._is(value_part, part // self.posts)
                value &= self._is(value_slot, slot // self.ways)
                enables.append(key | value)
                elements.append((post, way, own_post, own_way))
        # what each of a few kinds of elements takes
        written: dict[tuple[int, ...], Signal] = {}
        for kind in dict.fromkeys(elements):
            post, way, own_post, own_way = kind
            name = "element_" + "_".join(map(str, kind))
            written[kind] = Signal(self.bits, name=name, reset_less=True)
            chosen = Mux(self.i_key, self.i_y[post][way], self.i_y[own_post][own_way])
            m.d.sync += written[kind].eq(chosen)
        m.d.sync += [self.o_addr.eq(address), self.o_en.eq(Cat(enables))]
        m.d.comb += self.o_data.eq(Cat(written[kind] for kind in elements))
        return m

    @staticmethod
    def _is(value: Value, number: int) -> Value:
        """Return whether a number, of no bits or more, is a given one."""
        return value == number if len(value) else Const(number == 0, 1)

    def model(
        self, dst: int, turn: int, rows: Sequence[Sequence[int]], *, key: bool
    ) -> dict[tuple[int, int, int], int]:
        """Return the elements of a slot, ``ways`` of each of ``posts`` rows.

        They are by their (word, part, slot) in the store.
        """
        above, pair = divmod(dst, 1 << self.pair_bits)
        found = {}
        for post, row in enumerate(rows):
            token = turn * self.posts + post
            for way, element in enumerate(row):
                feature = pair * self.ways + way
                if key:
                    word, block = divmod(above, self.slots // self.rows)
                    word, part = word + feature // self.parts, feature % self.parts
                    slot = block * self.rows + token
                else:
                    word = above + token // self.parts + feature // self.slots * self.pitch
                    part, slot = token % self.parts, feature % self.slots
                found[word, part, slot] = element
        return found
