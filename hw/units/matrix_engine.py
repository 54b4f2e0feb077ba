"""The matrix engine: a skewed row of multiply-accumulators that share one activation a cycle."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lut_rows import ahead
from bitformer.hw.timing import ACCUMULATE
from bitformer.hw.units.lut_column import dot_in_luts, joined_sums
from bitformer.hw.units.multiplier import Product
from bitformer.hw.units.parameters import Flag, Integer, Parameter
from bitformer.hw.units.pipeline import delay
from bitformer.hw.units.product_pair import product_pair
from bitformer.hw.units.sums import add_apart, add_each, multiply_short
from bitformer.hw.widths import signed_value

__all__ = ["MatrixEngine"]


class MatrixEngine(wiring.Component):
    """Computes ``columns`` dot products side by side, one multiplier each.

    Activations travel from column to column, one a cycle, and the weights of column j are delayed
    by j cycles to meet them. So the columns finish one after another, each result stands in its
    accumulator for the one cycle in which the drain reads it, and nothing has to be captured,
    enabled or broadcast.

    In a packed operation a column's weight word holds two weights w0 (low half) and w1, multiplied
    as ``(w1 << pack_shift) + w0`` at once. With A the accumulator,
    ``sum(w0*x) = sext(A[:pack_shift])`` and ``sum(w1*x) = (A >> pack_shift) + A[pack_shift-1]``,
    provided that the first sum fits ``pack_shift`` bits, which lowering proves. Since the low
    weight is below zero just when its sign bit is set, the sum of both is
    ``{w1 - sign(w0), sext(w0)}``: no adder over the full port.

    Where the sums are ``apart``, only a single product must fit ``pack_shift`` bits: each sum has
    its own bits of the accumulator, and ``extension`` bits above all others belong to the low one.

    The last ``soft`` columns are of LUTs: they serve packed operations alone, and their sums are
    always apart. Beside multipliers whose sums are not, ``o_p`` of a column of LUTs has the low sum
    in its ``pack_shift`` bits and the other above, to which nothing is to be added. The first
    ``broad`` of them take a single longer weight, too: of an operation that is not packed the low
    sum is that of the weight's ``broad_bits``, and the other is of no use.

    Latency: 3 + j cycles from an activation to the accumulator of column j. Throughput: one
    activation a cycle; a dot product begins right after the one before.

    Parameters
    ----------
    columns : int
        Multipliers.
    column_bits : int
        Width of a column's weight word.
    operand_bits : int
        Width of an activation.
    pack_shift : int
        Distance of packed weights, in bits; 0 without packing.
    half_bits : int
        Width of a packed weight; 0 without packing.
    always_packed : bool
        No operation is unpacked.
    product_bits : int
        Width of an accumulator.
    multiplier : Multiplier
        The device's, whose ports and accumulator bound the widths.
    group : int
        Columns whose weights come in one cycle, those of the next so many cycles later; by default
        all come at once.
    apart : bool
        The sums of packed products are kept apart.
    extension : int
        Bits of the low sum beyond ``pack_shift``, where they are apart.
    soft : int
        Columns that are made of LUTs.
    soft_bits : int
        Width of the activations that these multiply.
    soft_sum_bits : int
        Width of each of their sums; 0 where they fill their fields.
    broad : int
        Columns of these that take single weights, too.
    broad_bits, broad_sum_bits : int
        Width of a single weight, and of a sum of their products.
    halves : bool
        Each product has half a multiplier: the low sum is that of operations that are not packed,
        too. The sums are apart.
    ones : bool
        The registers of what begins a dot product are set at power-up: synthesis does not merge
        them with those of another token row, whose loads they would have, too.

    Members
    -------
    i_x : In(signed(operand_bits))
        Activation.
    i_first : In(1)
        It begins a dot product: the accumulators start anew.
    i_packed : In(1)
        The operation is packed.
    i_w : In(columns * column_bits)
        Weight words of all columns, column 0 lowest, those of a group in its cycle, and those of
        columns of LUTs in column 0's.
    o_p : Out(ArrayLayout(signed(product_bits + extension), columns))
        Accumulators.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above, or the multiplier is too small.
    """

    latency = ACCUMULATE
    columns = Integer(1)
    column_bits = Integer(1)
    operand_bits = Integer(1)
    pack_shift = Integer(0)
    half_bits = Integer(0)
    always_packed = Flag()
    product_bits = Integer(1)
    multiplier = Parameter(Multiplier, "a Multiplier")
    group = Integer(1)
    apart = Flag()
    extension = Integer(0)
    soft = Integer(0)
    soft_bits = Integer(0)
    soft_sum_bits = Integer(0)
    broad = Integer(0)
    broad_bits = Integer(0)
    broad_sum_bits = Integer(0)
    halves = Flag()
    ones = Flag()

    def __init__(
        self,
        *,
        columns: int,
        column_bits: int,
        operand_bits: int,
        pack_shift: int,
        half_bits: int,
        always_packed: bool,
        product_bits: int,
        multiplier: Multiplier,
        group: int | None = None,
        apart: bool = False,
        extension: int = 0,
        soft: int = 0,
        soft_bits: int = 0,
        soft_sum_bits: int = 0,
        broad: int = 0,
        broad_bits: int = 0,
        broad_sum_bits: int = 0,
        halves: bool = False,
        ones: bool = False,
    ):
        self.columns, self.column_bits = columns, column_bits
        self.operand_bits, self.product_bits = operand_bits, product_bits
        self.pack_shift, self.half_bits = pack_shift, half_bits
        self.always_packed, self.multiplier = always_packed, multiplier
        self.group = self.columns if group is None else group
        self.apart, self.extension = apart, extension
        self.soft, self.soft_bits, self.soft_sum_bits = soft, soft_bits, soft_sum_bits
        self.broad, self.broad_bits, self.broad_sum_bits = broad, broad_bits, broad_sum_bits
        self.halves, self.ones = halves, ones
        packed_bits = 2 * half_bits if halves else pack_shift + half_bits
        most_operand = multiplier.half_bits if halves else multiplier.short_bits
        for what, bits, most in (
            ("Operand bits", operand_bits, most_operand),
            ("Product bits", product_bits, multiplier.accumulator_bits),
            ("Packed weights", packed_bits, multiplier.long_bits),
        ):
            if bits > most:
                raise ValueError(f"{what} must fit {most} bits ({multiplier.name}), not {bits}")
        if pack_shift < half_bits:
            raise ValueError(f"Pack shift must be {half_bits} at least, not {pack_shift}")
        if 2 * half_bits > column_bits:
            raise ValueError(f"Column must hold two weights of {half_bits} bits, not {column_bits}")
        if (extension or halves) and not (apart and half_bits):
            raise ValueError("Apart must be set, of packed weights, for an extension or halves")
        if soft and not half_bits:
            raise ValueError("Half bits must be positive for soft columns")
        adder = None if apart else multiplier.adder
        if broad and (adder is None or always_packed or not half_bits):
            raise ValueError("Broad must be 0 where sums are apart or all operations are packed")
        if broad > soft or broad_bits > column_bits or broad_sum_bits > pack_shift:
            raise ValueError(
                f"Broad columns, weights and sums must be at most {soft}, {column_bits} and"
                f" {pack_shift}, not {broad}, {broad_bits} and {broad_sum_bits}"
            )
        longest = max(half_bits, broad_bits if broad else 0)
        least = ahead(longest, adder.terms) if soft and adder is not None else 0
        if columns - soft < least:
            raise ValueError(f"Columns must be {least + soft} at least, not {columns}")
        super().__init__(
            {
                "i_x": In(signed(operand_bits)),
                "i_first": In(1),
                "i_packed": In(1),
                "i_w": In(columns * column_bits),
                "o_p": Out(data.ArrayLayout(signed(product_bits + extension), columns)),
            }
        )

    def model(self, x: Sequence[int], w: Sequence[int], packed: bool) -> list[int]:
        """Return ``o_p`` at the end of a dot product of activations and words of weights."""

        def multiplicand(word: int) -> int:
            if not (self.half_bits and (packed or self.always_packed)):
                return signed_value(word, self.column_bits)
            low, high = (signed_value(word >> n * self.half_bits, self.half_bits) for n in (0, 1))
            return signed_value((high << self.pack_shift) + low, self.multiplier.long_bits)

        def sum_of(column: int) -> int:
            words = [word >> column * self.column_bits for word in w]
            soft = column >= self.columns - self.soft
            pairs = (self.apart or soft) and (packed or self.always_packed)
            if self.halves or pairs:
                return self._sums_apart(x, words)
            if soft and column < self.columns - self.soft + self.broad:
                return self._sums_apart(x, words, low_bits=max(self.half_bits, self.broad_bits))
            terms = zip(x, words, strict=True)
            return signed_value(sum(a * multiplicand(word) for a, word in terms), self.product_bits)

        return [sum_of(column) for column in range(self.columns)]

    def _sums_apart(self, x: Sequence[int], words: Sequence[int], low_bits: int = 0) -> int:
        """Return what a column gives of activations and its pairs of weights.

        The low one may have ``low_bits``.
        """
        half, shift, bits = self.half_bits, self.pack_shift, self.product_bits
        widths = low_bits or half, half
        pairs = [[signed_value(word >> n * half, widths[n]) for n in (0, 1)] for word in words]
        low, high = (sum(a * pair[n] for a, pair in zip(x, pairs, strict=True)) for n in (0, 1))
        fields = (
            low & ((1 << shift) - 1),
            (high & ((1 << bits - shift) - 1)) << shift,
            (low >> shift & ((1 << self.extension) - 1)) << bits,
        )
        return signed_value(sum(fields), bits + self.extension)

    def _high(self, word: Value, packed: Value) -> Value:
        """Return the high weight of a word, less one if the low one is below zero and packed."""
        half = self.half_bits
        high = (word[half : 2 * half].as_signed() | Const(0, signed(half + 1)))[: half + 1]
        # of so few bits, a carry chain would be slower
        borrow = word[half - 1] & (Const(1) if self.always_packed else packed)
        return Cat(bit ^ (borrow & ~high[:place].any()) for place, bit in enumerate(high))

    def _operand(self, word: Value, high: Value, packed: Value) -> Value:
        """Return a column's word, of which ``high`` comes apart, as a multiplicand."""
        half, low = self.half_bits, word[: self.half_bits].as_signed()
        low_field = (low | Const(0, signed(self.pack_shift)))[: self.pack_shift]
        pair = Cat(low_field, high)[: self.multiplier.long_bits].as_signed()
        if self.always_packed:
            return pair
        beyond = word[2 * half :] if len(word) > 2 * half else high[half]
        return Mux(packed, pair, Cat(low, high[:half], beyond).as_signed())

    def elaborate(self, platform):
        m = Module()
        xs: list[Value] = [self.i_x]
        packed, first = self.i_packed, self._begins(m, self.i_first, 2, "first")
        before = packed
        # of the products, where an accumulator has to know it
        pairs = self.apart and not self.always_packed
        pair = delay(m, packed, 2, name="pair") if pairs else Const(1, 1)
        for j in range(self.columns):
            word, late, x = self.i_w.word_select(j, self.column_bits), j % self.group, xs[j]
            if j >= self.columns - self.soft:
                total = self._in_luts(m, platform, j, xs, word, first)
            elif self.halves:
                word = delay(m, word, late, name=f"w_{j}")
                total = self._in_halves(m, platform, j, x, word, first)
            else:
                operand = self._multiplicand(m, j, word, before if late else packed, packed)
                names = f"a_{j}", f"b_{j}", f"m_{j}"
                unit = Product(m, platform, self.multiplier, operand.shape(), x.shape(), *names)
                m.d[unit.domain] += [unit.a.eq(operand), unit.b.eq(x)]
                total = self._total(m, j, unit.product, first, pair)
            m.d.comb += self.o_p[j].eq(total)
            if j + 1 < self.columns:
                self._passed_on(m, xs, j + 1)
                before, packed = packed, delay(m, packed, 1, name=f"packed_{j}")
                first = self._begins(m, first, 1, f"first_{j}")
                pair = delay(m, pair, 1, name=f"pair_{j}") if pairs else pair
        return m

    def _begins(self, m: Module, first: Value, cycles: int, name: str) -> Value:
        """Return ``first`` of so many cycles before."""
        for cycle in range(cycles):
            stage = Signal(name=f"{name}_d{cycle + 1}", init=int(self.ones), reset_less=True)
            m.d.sync += stage.eq(first)
            first = stage
        return first

    def _multiplicand(self, m: Module, j: int, word: Value, early: Value, packed: Value) -> Value:
        """Return the word of column ``j`` as a multiplicand; ``early`` is ``packed`` of it before.

        The high weight is made a cycle ahead: shift registers in LUTs answer late.
        """
        late = j % self.group
        if not self.half_bits:
            return delay(m, word, late, name=f"w_{j}").as_signed()
        ahead = delay(m, word, max(0, late - 1), name=f"w_{j}")
        high = delay(m, self._high(ahead, early), min(1, late), name=f"high_{j}")
        word = delay(m, ahead, min(1, late), name=f"w_{j}_now")
        return self._operand(word, high, packed)

    def _total(self, m: Module, j: int, product: Value, first: Value, packed: Value) -> Value:
        """Return the sum, or the two, of the products of column ``j``, a cycle later."""
        if self.apart:
            return add_apart(m, product, first=first, packed=packed, name=f"{j}", **self._fields)
        total = Signal(signed(self.product_bits), name=f"p_{j}", reset_less=True)
        m.d.sync += total.eq(Mux(first, 0, total) + product)
        return total

    def _in_luts(
        self, m: Module, platform: object, j: int, xs: list[Value], word: Value, first: Value
    ) -> Value:
        """Return the sums of column ``j``, which is made of LUTs, of the activations ``xs``.

        These are there in turn, column by column; the word comes in column 0's cycle.
        """
        half, adder = self.half_bits, self.multiplier.adder
        if adder is None or self.apart:
            word = delay(m, word, j, name=f"w_{j}")
            pair = word[:half], word[half : 2 * half]
            sums, x = self.soft_sum_bits, self._short(xs[j])
            return multiply_short(m, x, pair, first=first, name=f"{j}", most=sums, **self._fields)
        low_word, low_sum = word[:half], self.soft_sum_bits
        if j < self.columns - self.soft + self.broad:
            low_word = self._broad_weight(word)
            low_sum = low_sum and max(low_sum, self.broad_sum_bits)
        totals = []
        for place, own, most, field in (
            (0, low_word, low_sum, self.pack_shift),
            (1, word[half : 2 * half], self.soft_sum_bits, self.product_bits - self.pack_shift),
        ):
            early = j - ahead(len(own), adder.terms)

            def x_of(cycle: int, early: int = early) -> Value:
                return self._short(self._passed_on(m, xs, early + cycle))

            def weight(
                cycle: int, bit: int, early: int = early, own: Value = own, place: int = place
            ) -> Value:
                return delay(m, own[bit], early + cycle, name=f"w_{j}_{place}_{bit}")

            options = {
                "weight_bits": len(own),
                "bits": min(most or field, field),
                "first": first,
                "name": f"{j}_{place}",
            }
            totals.append(dot_in_luts(m, platform, adder, x_of, weight, **options))
        low, high = totals
        return joined_sums(low, high, shift=self.pack_shift, bits=self.product_bits)

    def _broad_weight(self, word: Value) -> Value:
        """Return the low weight of a packed operation, sign and all, or a single one."""
        half = self.half_bits
        beyond = [Mux(self.i_packed, word[half - 1], word[n]) for n in range(half, self.broad_bits)]
        return Cat(word[:half], *beyond)

    @staticmethod
    def _passed_on(m: Module, xs: list[Value], place: int) -> Value:
        """Return the activation of so many cycles ago, the last of ``xs`` or an earlier one."""
        while len(xs) <= place:
            xs.append(delay(m, xs[-1], 1, name=f"x_{len(xs) - 1}"))
        return xs[place]

    def _short(self, x: Value) -> Value:
        """Return an activation as columns of LUTs take it."""
        bits = self.soft_bits
        return x[:bits].as_signed() if 0 < bits < len(x) else x.as_signed()

    def _in_halves(
        self, m: Module, platform: object, j: int, x: Value, word: Value, first: Value
    ) -> Value:
        """Return the sums of column ``j``, each of whose products has half a multiplier."""
        half = self.half_bits
        pair = word[:half].as_signed(), word[half : 2 * half].as_signed()
        products = product_pair(m, platform, self.multiplier, pair, x, name=f"{j}")
        bits = self.pack_shift, self.product_bits - self.pack_shift
        return add_each(m, products, first=first, bits=bits, name=f"{j}")

    @property
    def _fields(self) -> dict[str, int]:
        """Widths of the sums that are apart."""
        return {
            "shift": self.pack_shift,
            "bits": self.product_bits,
            "extension": self.extension,
        }
