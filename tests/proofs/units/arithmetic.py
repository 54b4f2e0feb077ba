"""Rounding, clamp, the parts of wide products, GELU, the time's rows."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from proofs.question import Induction, Question, Reach, inside, past

from bitformer.hw.units.fixed import clamp, round_shift
from bitformer.hw.units.gelu import Gelu
from bitformer.hw.units.pipeline import multiply_in_luts
from bitformer.hw.units.table_rows import TableRows
from bitformer.hw.units.wide_product import joined, split_multiplicand
from bitformer.model.gelu import corrections, gelu_zero

__all__ = [
    "clamps",
    "gelu",
    "joins",
    "multiplies",
    "rounding_shifts",
    "splits",
    "table_rows",
]


def rounding_shifts(bits: int, most: int) -> Question:
    """Shifts by 0 to ``most``: the result is within half a unit, and half is rounded up."""
    m, value = Module(), Signal(signed(bits))
    bads = []
    for shift in range(most + 1):
        found = Signal(signed(bits + 2), name=f"found_{shift}")
        m.d.comb += found.eq(round_shift(value, shift))
        half = 1 << shift >> 1
        low = (found << shift) - half
        bads.append((value < low) | (value >= low + (1 << shift)))
    return Question(m, Cat(bads).any(), [value])


def clamps(bits: int, result_bits: int) -> Question:
    """Any value, between any two limits in order."""
    m, value = Module(), Signal(signed(bits))
    low, high = (Signal(signed(result_bits), name=name) for name in ("low", "high"))
    found = Signal(signed(bits + 1))
    m.d.comb += found.eq(clamp(value, low, high))
    good = ((value < low) & (found == low)) | ((value > high) & (found == high))
    good |= (value >= low) & (value <= high) & (found == value)
    return Question(m, ~good, [value, low, high], given=low <= high)


def splits(bits: int, split: int) -> Question:
    """Both parts make up the multiplicand; where it is not wide, the lower one is all of it."""
    m, value, wide = Module(), Signal(signed(bits)), Signal()
    low, high = split_multiplicand(value, wide, split)
    whole = Signal(signed(bits + 2))
    m.d.comb += whole.eq(low + (high << split))
    fits = (value >= -(1 << split)) & (value < 1 << split)
    bad = (wide & (whole != value)) | (~wide & fits & (low != value))
    return Question(m, bad, [value, wide])


def joins(low_bits: int, high_bits: int, split: int) -> Question:
    """The sum of both parts' products a cycle later, where the width holds it."""
    m = Module()
    low, high = Signal(signed(low_bits)), Signal(signed(high_bits))
    bits = max(low_bits, high_bits + split) + 1
    found = joined(m, low, high, split=split, bits=bits)
    exact = Signal(signed(bits + 1))
    m.d.comb += exact.eq(low + (high << split))
    return Question(m, found != past(m, exact, 1), [low, high], Reach(1))


def multiplies(a_bits: int, b_bits: int) -> Question:
    """All products of a signed and an unsigned number."""
    m, a, b = Module(), Signal(signed(a_bits)), Signal(b_bits)
    return Question(m, multiply_in_luts(a, b) != a * b, [a, b])


def gelu(widths: tuple[int, ...], bits: int) -> Question:
    """All steps and tables, against the rule of the model; other numbers pass."""
    m = Module()
    m.submodules.unit = unit = Gelu(widths=widths, bits=bits)
    x, expected = unit.i_x, Signal(signed(bits + 2))
    m.d.comb += expected.eq(x)
    for number, width in enumerate(widths, start=1):
        table = [*corrections(width), 0]
        magnitude = Signal(bits, name=f"magnitude_{number}")
        m.d.comb += magnitude.eq(abs(x))
        correction = Array(
            Const(table[min(n, len(table) - 1)], signed(10)) for n in range(1 << bits)
        )[magnitude]
        with m.If(unit.i_table == number):
            with m.If(x < 0):
                m.d.comb += expected.eq(gelu_zero(width) - correction)
            with m.Else():
                m.d.comb += expected.eq(x + gelu_zero(width) - correction)
    legal = (unit.i_table == 0) | (x < (1 << bits - 1) - (1 << max(widths)))
    legal &= unit.i_table <= len(widths)
    bad = past(m, legal, 1) & (unit.o_y != past(m, expected, 1))
    return Question(m, bad, [unit.i_x, unit.i_table], Reach(1))


def table_rows(rows: tuple[int, ...], strides: tuple[int, ...], bits: int) -> Question:
    """The offset of each number of the running window; what is no row selects row 0."""
    m = Module()
    unit = TableRows(rows=rows, strides=strides, bits=bits)
    m.submodules.unit, named = inside(unit)
    bad = []
    for n, (count, stride) in enumerate(zip(rows, strides, strict=True)):
        legal = (unit.i_number >= 0) & (unit.i_number < count)
        kept, known = [], []
        for half in range(2):
            own, seen = Signal(bits, name=f"own_{n}_{half}"), Signal(name=f"seen_{n}_{half}")
            with m.If(unit.i_en[n] & (unit.i_half == half)):
                m.d.sync += [own.eq(0), seen.eq(1)]
                with m.If(legal):
                    m.d.sync += own.eq(unit.i_number)
            # the invariant: what is kept is what is meant, or no row of few bits
            there = named("kept", n)[half]
            bad.append(seen & (Mux(there < count, there, 0) != own))
            kept.append(own)
            known.append(seen)
        row, seen = Array(kept)[unit.i_current], Array(known)[unit.i_current]
        offset = getattr(unit, f"o_offset_{n}")
        wrong = offset != past(m, row * stride, 1)
        bad.append(past(m, seen, 1, known=True) & wrong)
    inputs = [unit.i_number, unit.i_en, unit.i_half, unit.i_current]
    return Question(m, Cat(bad).any(), inputs, Induction(6))
