"""Rows that live at once never share memory, and the memory is no larger than it must be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.lowering.allocate import Lifetime, MemoryBlock, allocate, merge


@st.composite
def blocks(draw):
    found = []
    for number in range(draw(st.integers(1, 25))):
        issued = draw(st.integers(0, 40))
        write = 10 * issued + draw(st.integers(0, 9))
        life = Lifetime(
            write=write,
            issued=issued,
            read=write + draw(st.integers(0, 150)),
            last_reader=issued + draw(st.integers(0, 15)),
        )
        align = draw(st.sampled_from([1, 1, 2, 4]))
        words = align if align > 1 else draw(st.integers(1, 9))
        found.append(MemoryBlock(key=("t", number), words=words, align=align, lives=life))
    return found


def overlap(a, b):
    return a.address < b.address + b.words and b.address < a.address + a.words


@settings(max_examples=300, deadline=None, derandomize=True)
@given(blocks(), st.booleans())
def test_blocks_that_share_words_live_one_after_the_other(found, by_size):
    depth = allocate(found, by_size=by_size)
    assert depth == max(block.address + block.words for block in found)
    for block in found:
        assert block.address >= 0
        assert block.address % block.align == 0
    for a in found:
        for b in found:
            if a is not b and overlap(a, b):
                first, second = sorted((a.lives, b.lives), key=lambda life: life.write)
                # in cycles, and in the order of issue: a stall delays only what is issued later
                assert second.write > first.read
                assert second.issued > first.last_reader


def life(write, read):
    return Lifetime(write=write, issued=write, read=read, last_reader=read)


def test_memory_is_used_again():
    found = [MemoryBlock(key=("t", n), words=4, lives=life(10 * n, 10 * n + 9)) for n in range(5)]
    assert allocate(found) == 4
    together = [MemoryBlock(key=("t", n), words=4, lives=life(10 * n, 99)) for n in range(5)]
    assert allocate(together) == 20


def test_the_largest_first_is_taken_where_it_is_better():
    # the small one is written first and would lie where the large ones could follow each other
    found = [
        MemoryBlock(key=("small", 0), words=1, lives=life(0, 25)),
        MemoryBlock(key=("large", 0), words=6, lives=life(1, 9)),
        MemoryBlock(key=("late", 0), words=7, lives=life(20, 40)),
    ]
    assert allocate(found) == 8
    between = [*found, MemoryBlock(key=("mid", 0), words=2, lives=life(5, 30))]
    assert allocate(between) > allocate(between, by_size=True) == 10


def test_rows_kept_together_live_as_long_as_any():
    whole = merge([life(5, 9), life(2, 4), life(7, 20)])
    assert (whole.write, whole.issued, whole.read, whole.last_reader) == (2, 2, 20, 20)


def test_rows_of_a_block_are_a_pitch_apart():
    one = MemoryBlock(key=("t", 2), words=3, lives=life(0, 1), address=7)
    assert one.addresses == {("t", 2): 7}
    whole = MemoryBlock(key=("t", 0), words=9, lives=life(0, 1), rows=3, pitch=3, address=4)
    assert whole.addresses == {("t", 0): 4, ("t", 1): 7, ("t", 2): 10}
