# amaranth: UnusedElaboratable=no
"""Weights of several widths in one word: each column finds its own, whatever lies beside it."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.units import weight_columns
from bitformer.hw.units.weight_columns import WeightColumns
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import signed_value


def layout(*kinds, columns, bits, half=0, even=False):
    """Formats given as field bits, negative ones as pairs."""
    formats = {str(n): WeightFormat(pair=k < 0, field=abs(k)) for n, k in enumerate(kinds)}
    return WeightLayout(bits=bits, columns=columns, formats=formats, half_bits=half, even=even)


LAYOUTS = {
    "one": (layout(4, columns=3, bits=12), 4),
    "one of 1 bit": (layout(1, columns=4, bits=4), 2),
    "extended": (layout(3, columns=3, bits=9), 6),
    "one column": (layout(5, columns=1, bits=5), 5),
    "two widths": (layout(4, 8, columns=4, bits=32), 8),
    "fewer columns": (layout(4, 16, columns=5, bits=20), 16),
    "parts": (layout(1, 2, 4, 8, columns=2, bits=16), 8),
    "pairs": (layout(-8, columns=2, bits=16, half=4), 8),
    "extended pairs": (layout(-4, -8, columns=2, bits=16, half=4), 8),
    "both": (layout(-4, -8, 8, 2, columns=4, bits=32, half=4), 10),
    "even": (layout(-8, 4, 8, columns=5, bits=40, half=6, even=True), 12),
}


class Harness(wiring.Component):
    """A module that takes the weights."""

    def __init__(self, columns, row=0):
        self._columns, self._row = columns, row
        layout = columns.layout
        super().__init__(
            {
                "i_word": In(layout.bits),
                "i_kind": In(range(max(2, len(layout.kinds)))),
                "i_unit": In(range(max(2, layout.units))),
                "o_columns": Out(data.ArrayLayout(columns.column_bits, layout.columns)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        taken = self._columns.select(m, self.i_word, self.i_kind, self.i_unit, row=self._row)
        m.d.comb += self.o_columns.as_value().eq(taken)
        return m


def columns_of(play, dut, accesses):
    """Numbers of each access's columns, addressed, chosen and read back to back."""
    script = [{} for _ in range(len(accesses) + READ_LATENCY)]
    for cycle, (word, kind, unit) in enumerate(accesses):
        script[cycle]["i_unit"] = unit
        script[cycle + READ_LATENCY - 1]["i_kind"] = kind
        script[cycle + READ_LATENCY]["i_word"] = word
    shown = play(Harness(dut), script, ["o_columns"])[READ_LATENCY:]
    return [
        numbers(dut, kind, columns)
        for (_, kind, _), (columns,) in zip(accesses, shown, strict=True)
    ]


def numbers(dut, kind, columns):
    """The weights in the columns that a format has, without don't-care bits."""
    own = dut.layout.kinds[kind]
    used = columns[: dut.layout.columns_of(own)]
    half = dut.layout.half_bits
    if own.pair:
        return [(signed_value(c, half), signed_value(c >> half, half)) for c in used]
    if dut.layout.paired(own):  # a pair that needs no extension: its field is taken as it is
        return [(signed_value(c, own.field),) for c in used]
    return [(signed_value(c, dut.column_bits),) for c in used]


def accesses_of(dut, *, seed=0, count=60):
    """Every part of every format with extreme words, and random ones."""
    chance = random.Random(seed)
    kinds, bits = range(len(dut.layout.kinds)), dut.layout.bits
    ones = (1 << bits) - 1
    words = [0, ones, ones // 3, ones - ones // 3, 1 << (bits - 1), ones >> 1]
    accesses = [
        (word, kind, unit) for word in words for kind in kinds for unit in range(dut.layout.units)
    ]
    for _ in range(count):
        drawn = chance.getrandbits(bits), chance.choice(kinds), chance.randrange(dut.layout.units)
        accesses.append(drawn)
    chance.shuffle(accesses)
    return accesses


@pytest.mark.parametrize(("cut", "bits"), LAYOUTS.values(), ids=LAYOUTS)
def test_every_column_has_its_weights(play, cut, bits):
    dut = WeightColumns(layout=cut, column_bits=bits)
    accesses = accesses_of(dut)
    assert dut.latency == READ_LATENCY
    assert columns_of(play, dut, accesses) == [dut.model(*access) for access in accesses]


def test_model_of_a_word():
    dut = WeightColumns(layout=LAYOUTS["parts"][0], column_bits=8)
    assert dut.layout.units == 8
    # two columns a part, the lowest part first: single bits are 1 and -1
    assert [dut.model(0b0110, 0, unit) for unit in (0, 1, 2)] == [
        [(1,), (-1,)],
        [(-1,), (1,)],
        [(1,), (1,)],
    ]
    assert dut.model(0x80FE, 3, 5) == [(-2,), (-128,)]
    pairs = WeightColumns(layout=LAYOUTS["extended pairs"][0], column_bits=8)
    assert pairs.layout.kinds[1] == WeightFormat(pair=True, field=4)
    assert pairs.model(0b0111, 1, 0)[0] == (-1, 1)


@pytest.mark.parametrize("name", ["parts", "both"])
def test_a_choice_a_cycle_late_is_found(play, monkeypatch, name):
    """The mutant: the part comes a cycle later."""
    cut, bits = LAYOUTS[name]
    dut = WeightColumns(layout=cut, column_bits=bits)
    accesses = accesses_of(dut)
    expected = [dut.model(*access) for access in accesses]
    delay = weight_columns.delay
    monkeypatch.setattr(
        weight_columns, "delay", lambda m, value, n, **rest: delay(m, value, n + 1, **rest)
    )
    assert columns_of(play, dut, accesses) != expected


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"layout": 4}, TypeError, r"^Layout must be a WeightLayout, not 4$"),
        ({"column_bits": "8"}, TypeError, r"^Column bits must be a positive integer, not '8'$"),
        ({"column_bits": 0}, ValueError, r"^Column bits must be a positive integer, not 0$"),
        (
            {"column_bits": 7},
            ValueError,
            r"^Column bits must hold 8 bits of a format, not 7$",
        ),
        (
            {"layout": layout(1, columns=2, bits=2), "column_bits": 1},
            ValueError,
            r"^Column bits must hold 2 bits of a format, not 1$",
        ),
    ],
)
def test_mistakes_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        WeightColumns(
            **{"layout": layout(-8, columns=2, bits=16, half=4), "column_bits": 8} | changes
        )


def test_parameters_can_be_read():
    cut, bits = LAYOUTS["both"]
    dut = WeightColumns(layout=cut, column_bits=bits)
    assert (dut.layout, dut.column_bits) == (cut, bits)


def test_weights_that_need_no_selection_are_the_word_itself():
    """One format that fills every column: no logic, and none for synthesis to remove."""
    layout = WeightLayout(
        bits=16,
        columns=2,
        formats={"y": WeightFormat(pair=False, field=8), "z": WeightFormat(pair=True, field=8)},
        half_bits=4,
        even=False,
    )
    word = Signal(16)
    unit = WeightColumns(layout=layout, column_bits=8)
    assert unit.select(Module(), word, Signal(), Signal()) is word


def test_no_two_of_four_token_rows_have_the_same_registers(followed):
    """Unless one of two has a unit's complement, one of them begins with ones."""
    cut, bits = LAYOUTS["parts"]
    script = [{"i_unit": n % cut.units, "i_kind": n % len(cut.kinds)} for n in range(12)]
    rows = []
    for row in range(8):
        before = len(followed.histories(""))
        followed(Harness(WeightColumns(layout=cut, column_bits=bits), row), script, [])
        rows.append(frozenset(followed.histories("")[before:]))
    assert len(set(rows[:4])) == 4
    # of eight, synthesis may merge pairs, four rows apart
    assert rows[4:] == rows[:4]
