"""Rows that live at once never share memory, and the memory is no larger than it must be."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.lowering.allocate import (
    FOREVER,
    Lifetime,
    MemoryBlock,
    allocate,
    lifetimes,
    merge,
)
from bitformer.hw.program import MachineOperation
from bitformer.hw.timetable import Event, Read, RowTask


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


def block(words, first, last, align=1):
    return MemoryBlock(key=("t", first), words=words, align=align, lives=life(first, last))


def test_a_gap_is_filled_to_its_last_word():
    for words, address in ((4, 2), (5, 8)):
        found = [block(2, 0, 99), block(4, 1, 9), block(2, 2, 99), block(words, 20, 30)]
        assert [one.address for one in found if allocate(found)] == [0, 2, 6, address]
    # behind what lives, at a multiple of so many words
    found = [block(3, 0, 99), block(4, 1, 99, align=4), block(2, 2, 99, align=2), block(1, 3, 99)]
    assert [one.address for one in found if allocate(found)] == [0, 4, 8, 3]


def test_what_is_kept_for_ever_shares_with_nothing():
    kept = MemoryBlock(key=("k", 0), words=2, lives=FOREVER)
    late = MemoryBlock(key=("t", 0), words=2, lives=life(10**15, 10**15))
    assert allocate([kept, late]) == 4
    assert allocate([MemoryBlock(key=("t", 0), words=2, lives=life(0, 1)), kept]) == 4


def test_memory_is_free_behind_the_last_read_in_cycles_and_in_order():
    for write, issued, depth in ((11, 6, 2), (10, 6, 4), (11, 5, 4)):
        first = Lifetime(write=0, issued=0, read=10, last_reader=5)
        second = Lifetime(write=write, issued=issued, read=50, last_reader=50)
        pair = [
            MemoryBlock(key=("t", n), words=2, lives=own) for n, own in enumerate((first, second))
        ]
        assert allocate(pair) == depth


def test_rows_side_by_side_have_one_address():
    one = MemoryBlock(
        key=("t", 1), words=6, lives=life(0, 1), rows=5, pitch=3, lanes=2, step=2, address=10
    )
    assert [*one.numbers] == [1, 3, 5, 7, 9]
    assert one.addresses == {
        ("t", n): 10 + p for n, p in zip(one.numbers, (0, 0, 3, 3, 6), strict=True)
    }
    assert block(1, 0, 1).address == -1


def issued(tensor, row, writes, reads=(), *, engine=0, post=0, **fields):
    """A row that writes in these cycles, and what it reads until when."""
    operation = MachineOperation(tensor=tensor)
    task = RowTask(
        operation=operation,
        tensor=tensor,
        row=row,
        first=0,
        features=1,
        reads=tuple(reads),
        **fields,
    )
    return Event(
        row=task, issue=0, reason="", writes=np.array(writes), engine_last=engine, post_last=post
    )


def test_a_row_lives_from_its_first_write_to_its_last_read():
    events = [
        issued("a", 0, [5, 7], count=2),
        issued("b", 0, [9, 12]),
        issued("b", 0, [8, 20]),
        issued("c", 0, [30], [Read(tensor="a", row=0, count=2)], engine=25, post=99),
        issued(
            "c", 1, [40], [Read(tensor="a", row=0), Read(tensor="b", post=True)], engine=22, post=45
        ),
        issued("d", 0, [50], [Read(tensor="input", rows=3), Read(tensor="c", rows=2)], engine=60),
    ]
    found = {
        key: (own.write, own.issued, own.read, own.last_reader)
        for key, own in lifetimes(events).items()
    }
    assert found == {
        # a block's rows are written together; a later read may end earlier
        ("a", 0): (5, 0, 25, 4),
        ("a", 1): (5, 0, 25, 3),
        # a row in two pieces is there from the first on
        ("b", 0): (8, 1, 45, 4),
        ("c", 0): (30, 3, 60, 5),
        ("c", 1): (40, 4, 60, 5),
        # what nobody reads lives until it is written
        ("d", 0): (50, 5, 50, 5),
    }


def test_the_largest_first_and_not_the_smallest():
    found = [
        MemoryBlock(key=("t", n), words=words, lives=life(*lives))
        for n, (words, lives) in enumerate(((1, (20, 25)), (3, (20, 31)), (5, (30, 47))))
    ]
    assert (allocate(found), allocate(found, by_size=True)) == (9, 8)
    assert allocate([]) == allocate([], by_size=True) == 0
    # where that is no better, in the order of writing
    found = [block(1, 0, 9), block(2, 1, 9)]
    assert allocate(found, by_size=True) == 3
    assert [one.address for one in found] == [0, 1]
