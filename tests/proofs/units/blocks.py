"""The writer of keys and values of several token rows: each element in its word, part and slot."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.utils import exact_log2
from proofs.question import Question, Reach

from bitformer.hw.units.block_writer import BlockWriter

__all__ = ["block_writer"]

#: Bits of an element; of a word's address; pairs of a row's features; words of a block of values.
_BITS, _ADDRESS, _PAIRS, _PITCH = 2, 4, 3, 2


def block_writer(rows: int, posts: int, ways: int, slots: int, parts: int) -> Question:
    """What comes in a cycle is written in the next, ``ways`` features of ``posts`` tokens.

    It is of a key or of a value, and of a round that there is.
    """
    m = Module()
    rounds = rows // posts
    m.submodules.unit = unit = BlockWriter(
        rows=rows,
        posts=posts,
        rounds=rounds,
        ways=ways,
        slots=slots,
        parts=parts,
        bits=_BITS,
        depth=1 << _ADDRESS,
        result_bits=_BITS + 1,
        dst_bits=_PAIRS + _ADDRESS,
        pair_bits=_PAIRS,
        pitch=_PITCH,
    )
    pair, above = unit.i_dst[:_PAIRS], unit.i_dst[_PAIRS:]
    blocks = exact_log2(slots // rows)
    comes = unit.i_key | unit.i_value
    enables, wrong = [], list[Value]()
    for post in range(posts):
        for way in range(ways):
            token, feature = unit.i_round * posts + post, pair * ways + way
            of_key = (
                (above >> blocks) + (feature >> exact_log2(parts)),
                feature & (parts - 1),
                (above & ((1 << blocks) - 1)) * rows + token,
            )
            of_value = (
                above + (token >> exact_log2(parts)) + (feature >> exact_log2(slots)) * _PITCH,
                token & (parts - 1),
                feature & (slots - 1),
            )
            word, part, slot = (
                Mux(unit.i_key, key, value) for key, value in zip(of_key, of_value, strict=True)
            )
            name = f"{post}_{way}"
            written = Signal(name=f"written_{name}")
            place = Signal(range(parts * slots), name=f"place_{name}")
            address = Signal(_ADDRESS, name=f"address_{name}")
            element = Signal(_BITS, name=f"element_{name}")
            m.d.sync += [
                written.eq(unit.i_valid[post][way] & comes),
                place.eq(part * slots + slot),
                address.eq(word),
                element.eq(unit.i_y[post][way]),
            ]
            enables.append(Mux(written, 1 << place, 0))
            wrong.append(written & (unit.o_addr != address))
            wrong.append(written & (unit.o_data.word_select(place, _BITS) != element))
    together = enables[0]
    for one in enables[1:]:
        together |= one
    wrong.append(unit.o_en != together)
    given = ~(unit.i_key & unit.i_value) & (unit.i_round < rounds)
    inputs = [unit.i_y.as_value(), unit.i_valid.as_value(), unit.i_round]
    inputs += [unit.i_key, unit.i_value, unit.i_dst]
    return Question(m, Cat(wrong).any(), inputs, Reach(1), given)
