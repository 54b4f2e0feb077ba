"""Columns of a weight word, multiplicands of pairs, columns of LUTs, sums that are apart."""

from unittest.mock import patch

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from proofs.question import Question, Reach, past
from proofs.units.cut import Cut
from proofs.units.designs import design_of

from bitformer.hw.families.adder import LutAdder
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lut_rows import levels_of
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.units import assembly, matrix_engine
from bitformer.hw.units.lut_adder import Term, add_in_luts
from bitformer.hw.units.lut_column import dot_in_luts
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.units.sums import add_apart, multiply_short
from bitformer.hw.units.weight_columns import WeightColumns
from bitformer.hw.weight_layout import WeightFormat, WeightLayout

__all__ = [
    "added",
    "columns",
    "columns_of_widths",
    "dot_product",
    "engine",
    "operand",
    "short_products",
    "sums_apart",
]

_ADDERS = {"series7": SERIES7.multiplier.adder, "ecp5": ECP5.multiplier.adder}


def columns(name: str) -> Question:
    """All words, formats and parts of a named configuration's weights: each column's numbers."""
    design = design_of(name)
    return _decoded(design.geometry.weights, design.geometry.column_bits)


def columns_of_widths(widths: tuple[tuple[int, bool], ...], count: int) -> Question:
    """The same of weights of such bits, alone or in pairs."""
    formats = {f"w{n}": WeightFormat.of(b, pair=p) for n, (b, p) in enumerate(widths)}
    half = max((b for b, pair in widths if pair), default=0)
    layout = WeightLayout(
        bits=count * max(kind.field for kind in formats.values()),
        columns=count,
        formats=formats,
        half_bits=half,
        even=any(not pair for _, pair in widths) and half > 0,
    )
    return _decoded(layout, layout.column_bits(None))


def _decoded(layout: WeightLayout, column_bits: int) -> Question:
    """Compare what columns are given with bits cut out of the word one by one."""
    m = Module()
    unit = WeightColumns(layout=layout, column_bits=column_bits)
    word = Signal(layout.bits)
    kind, place = Signal(range(max(2, len(layout.kinds)))), Signal(range(max(2, layout.units)))
    found = unit.select(m, word, kind, place)
    now, here = past(m, kind, 1), past(m, place, READ_LATENCY)
    bad = []
    for number, own in enumerate(layout.kinds):
        count = layout.columns_of(own)
        width = layout.half_bits if own.pair else column_bits
        if layout.paired(own) and not own.pair:
            # two numbers that need no extension are one field; what is above is don't-care
            width = 2 * layout.half_bits
        for part in range(layout.parts(own)):
            step = layout.units // layout.parts(own)
            chosen = (now == number) & (here >= part * step) & (here < (part + 1) * step)
            for column in range(count):
                start = (part * count + column) * own.field
                for n in range(2 if own.pair else 1):
                    bits = own.bits
                    raw = word[start + n * bits : start + (n + 1) * bits]
                    value = Signal(signed(width), name="value")
                    m.d.comb += value.eq(raw.as_signed() if bits > 1 else Mux(raw, -1, 1))
                    at = column * column_bits + n * width
                    bad.append(chosen & (found[at : at + width] != value.as_unsigned()))
    return Question(m, Cat(bad).any(), [word, kind, place], Reach(READ_LATENCY))


def operand(shift: int, half: int, always: bool) -> Question:
    """All pairs of weights, as one multiplicand; a word that is no pair is itself."""
    m = Module()
    unit = MatrixEngine(
        columns=1,
        column_bits=2 * half,
        operand_bits=8,
        pack_shift=shift,
        half_bits=half,
        always_packed=always,
        product_bits=48,
        multiplier=SERIES7.multiplier,
    )
    unit._MustUse__used = True
    word, packed = Signal(2 * half), Signal()
    found = unit._operand(word, unit._high(word, packed), packed)
    low, high = word[:half].as_signed(), word[half:].as_signed()
    exact = Signal(signed(60))
    m.d.comb += exact.eq((high << shift) + low)
    # the pair of lowest numbers is no pair of weights where the port is full
    bits = SERIES7.multiplier.long_bits
    fits = (exact >= -(1 << bits - 1)) & (exact < 1 << bits - 1)
    pair = Const(1) if always else packed
    bad = (pair & fits & (found != exact)) | (~pair & (found != word.as_signed()))
    return Question(m, bad, [word, packed])


def engine(name: str) -> Question:
    """A named configuration's engine: each column's operands, and its sum of whatever products.

    Weights and first flags come to a column as many cycles later as its number says.
    """
    unit = assembly.matrix_engine(design_of(name))
    m = Module()
    Cut.found = []
    with patch.object(matrix_engine, "Product", Cut):
        inner = unit.elaborate(None)
    unit._MustUse__used = True
    m.submodules.unit = inner
    half, bad = unit.half_bits, []
    port = unit.multiplier.long_bits
    for column, cut in enumerate(Cut.found):
        ago = 1 + column
        word = past(
            m,
            unit.i_w.word_select(column, unit.column_bits),
            ago - column // unit.group * unit.group,
        )
        packed, x = past(m, unit.i_packed, ago), past(m, unit.i_x, ago).as_signed()
        meant = word.as_signed()
        exact = Signal(signed(60), name=f"exact_{column}")
        m.d.comb += exact.eq(meant)
        if half:
            pair = (word[half : 2 * half].as_signed() << unit.pack_shift) + word[:half].as_signed()
            chosen = Const(1) if unit.always_packed else packed
            m.d.comb += exact.eq(Mux(chosen, pair, meant))
        fits = (exact >= -(1 << port - 1)) & (exact < 1 << port - 1)
        bad += [fits & (cut.a != exact), cut.b != x]
        if not unit.apart:
            total = unit.o_p[column]
            expected = Signal(total.shape(), name=f"expected_{column}")
            first = past(m, unit.i_first, 2 + column)
            m.d.comb += expected.eq(Mux(first, 0, total) + cut.product)
            bad.append(total != past(m, expected, 1).as_signed())
    inputs = [unit.i_x, unit.i_first, unit.i_packed, unit.i_w]
    inputs += [cut.product for cut in Cut.found]
    return Question(m, Cat(bad).any(), inputs, Reach(len(Cut.found) + 3))


def sums_apart(shift: int, bits: int, extension: int) -> Question:
    """Both sums of packed products, from any two sums on, for all products; one sum of others.

    The first stays in its field and the extension; a carry passes between them only where the
    products are not packed.
    """
    m = Module()
    low_product, high_product = Signal(signed(shift)), Signal(signed(bits - shift))
    first, packed = Signal(), Signal()
    product = Signal(signed(bits))
    m.d.comb += product.eq((high_product << shift) + low_product)
    found = add_apart(
        m,
        product,
        first=first,
        packed=packed,
        shift=shift,
        bits=bits,
        extension=extension,
        name="s",
    )
    low = Cat(found[:shift], found[bits:]).as_signed()
    upper = found[shift:bits]
    next_low, next_upper = Signal(len(low)), Signal(len(upper))
    whole = Signal(bits)
    m.d.comb += [
        next_low.eq(Mux(first, 0, low) + low_product),
        next_upper.eq(Mux(first, 0, upper) + high_product),
        whole.eq(Mux(first, 0, found[:bits]) + product),
    ]
    was_packed = past(m, packed, 1)
    bad = was_packed & (low.as_unsigned() != past(m, next_low, 1))
    bad |= was_packed & (upper != past(m, next_upper, 1))
    bad |= ~was_packed & (found[:bits] != past(m, whole, 1))
    # the pair's product is the port's: the high one makes up for the low one's borrow
    legal = (product >> shift) + product[shift - 1] == high_product
    bad &= past(m, legal, 1)
    return Question(m, bad, [low_product, high_product, first, packed], Reach(1))


def added(
    family: str,
    widths: tuple[int, ...],
    shifts: tuple[int, ...],
    negative: bool,
    cells: bool,
    accumulates: bool = False,
) -> Question:
    """All numbers of such widths, some shifted, the last subtracted: their sum a cycle later.

    ``cells``: made of the family's primitives, of which Yosys has models.
    """
    adder = _ADDERS[family]
    assert adder is not None
    m = Module()
    values = [Signal(signed(bits), name=f"value_{n}") for n, bits in enumerate(widths)]
    terms = [
        Term(v, s, negative and n == len(values) - 1)
        for n, (v, s) in enumerate(zip(values, shifts, strict=True))
    ]
    bits = max(w + s for w, s in zip(widths, shifts, strict=True)) + 2
    first = Signal()
    total = add_in_luts(
        m,
        _Synthesis() if cells else None,
        adder,
        terms,
        bits,
        name="total",
        first=first if accumulates else None,
    )
    exact = Signal(signed(bits))
    own = sum(
        (-(t.value << t.shift) if t.negative else t.value << t.shift for t in terms), Const(0)
    )
    m.d.comb += exact.eq(own + (Mux(first, 0, total) if accumulates else 0))
    bad = total != past(m, exact, 1).as_signed()
    question = Question(m, bad, [*values, first], Reach(1))
    if cells:
        question.cells = "+/xilinx/cells_sim.v"
        question.platform = _Synthesis()
    return question


class _Synthesis:
    """The platform of a conversion for synthesis."""


def dot_product(family: str, weight_bits: int, x_bits: int, cells: bool = False) -> Question:
    """A column of LUTs: a sum goes on with the product of any weight and activation."""
    adder = _ADDERS[family]
    assert isinstance(adder, LutAdder)
    m = Module()
    x, weight, first = Signal(signed(x_bits)), Signal(weight_bits), Signal()
    bits = weight_bits + x_bits + 2
    levels = len(levels_of(weight_bits, adder.terms))
    latency = 2 + levels
    total = dot_in_luts(
        m,
        _Synthesis() if cells else None,
        adder,
        lambda cycle: past(m, x, cycle).as_signed(),
        lambda cycle, bit: past(m, weight[bit], cycle),
        weight_bits=weight_bits,
        bits=bits,
        first=past(m, first, latency - 1),
        name="column",
    )
    product = Signal(signed(bits))
    m.d.comb += product.eq(x * weight.as_signed())
    before = past(m, total, 1).as_signed()
    exact = Signal(signed(bits))
    begins = past(m, first, latency)
    m.d.comb += exact.eq(Mux(begins, 0, before) + past(m, product, latency).as_signed())
    question = Question(m, total != exact, [x, weight, first], Reach(latency + 1))
    if cells:
        question.cells = "+/xilinx/cells_sim.v"
        question.platform = _Synthesis()
    return question


def short_products(weight_bits: int, x_bits: int) -> Question:
    """A column of LUTs without the family's adder: both sums go on, for all pairs of weights."""
    m = Module()
    shift, extension = weight_bits + x_bits + 2, 0
    bits = 2 * shift
    x, first = Signal(signed(x_bits)), Signal()
    pair = [Signal(weight_bits, name=f"weight_{n}") for n in range(2)]
    found = multiply_short(
        m, x, (pair[0], pair[1]), first=first, shift=shift, bits=bits, extension=extension, name="s"
    )
    sums = found[:shift].as_signed(), found[shift:bits].as_signed()
    bad = []
    # weights of two bits are narrow
    legal = Const(1)
    if weight_bits == 2:
        legal = (pair[0] != 2) & (pair[1] != 2)
    legal_then = past(m, legal, 3)
    for weight, total in zip(pair, sums, strict=True):
        product = Signal(signed(shift), name="product")
        m.d.comb += product.eq(x * weight.as_signed())
        before = past(m, total, 1).as_signed()
        exact = Signal(signed(shift), name="exact")
        begins = past(m, first, 1)
        m.d.comb += exact.eq(Mux(begins, 0, before) + past(m, product, 3).as_signed())
        bad.append(legal_then & (total != exact))
    return Question(m, Cat(bad).any(), [x, first, *pair], Reach(4))
