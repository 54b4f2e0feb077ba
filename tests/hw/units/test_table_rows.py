# amaranth: UnusedElaboratable=no
"""The time of the window in hand selects rows, whatever the next window's is."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.units.table_rows import TableRows

SIZES = {"rows": (24, 7), "strides": (13, 4), "bits": 8}


def offsets(play, dut, windows, *, current, before=3):
    """Offsets that are shown for ``current`` after windows (half, numbers) have come."""
    script = [{}]
    for half, numbers in windows:
        for n, number in enumerate(numbers):
            script.append({"i_number": number, "i_en": 1 << n, "i_half": half})
    idle = {"i_number": 5, "i_en": 0}
    script += [idle | {"i_current": current}] * before
    shown = play(dut, script, [f"o_offset_{n}" for n in range(len(dut.rows))])
    return list(shown[-1])


@pytest.mark.parametrize("number", [-128, -1, 0, 1, 6, 7, 22, 23, 24, 25, 31, 32, 32 + 5, 127])
def test_a_number_that_is_no_row_selects_row_0(play, number):
    dut = TableRows(**SIZES)
    expected = [13 * number if 0 <= number < 24 else 0, 4 * number if 0 <= number < 7 else 0]
    assert dut.model([number, number]) == expected
    assert offsets(play, dut, [(0, [number, number])], current=0) == expected


def test_each_window_has_its_own_time(play):
    dut = TableRows(**SIZES)
    windows = [(0, [3, 1]), (1, [22, 6])]
    assert offsets(play, dut, windows, current=0) == [39, 4]
    assert offsets(play, dut, windows, current=1) == [286, 24]
    assert offsets(play, dut, [*windows, (0, [1, 0])], current=1) == [286, 24]


def test_latency_is_two_cycles(play):
    dut = TableRows(**SIZES)
    script = [{"i_number": 2, "i_en": 1, "i_half": 0}, *[{}] * 4]
    shown = [offset for (offset,) in play(dut, script, ["o_offset_0"])]
    assert shown.index(26) == 2
    script = [{"i_number": 2, "i_en": 1, "i_half": 1}, {}, {}, *[{"i_current": 1}] * 4]
    shown = [offset for (offset,) in play(dut, script, ["o_offset_0"])]
    assert 3 < shown.index(26) <= 5


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 24), st.integers(0, 40)), min_size=1, max_size=3),
    bits=st.integers(6, 16),
    seed=st.integers(0, 99),
)
def test_any_tables(play, sizes, bits, seed):
    chance = random.Random(seed)
    rows, strides = zip(*sizes, strict=True)
    dut = TableRows(rows=rows, strides=strides, bits=bits)

    def number():
        return chance.choice(
            [chance.randrange(24), chance.randrange(-1 << bits - 1, 1 << bits - 1)]
        )

    windows = [(n % 2, [number() for _ in rows]) for n in range(2)]
    for current, numbers in windows:
        assert offsets(play, dut, windows, current=current) == dut.model(numbers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strides": (13,)}, r"^Strides must be 2, as rows are, not \(13,\)$"),
        ({"bits": 5}, r"^Bits must hold the row 23, not be 5$"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TableRows(**SIZES | change)
