"""Mutants of the units that no test can notice."""

__all__ = ["UNITS"]

#: Of each file its lines, and of each line what changes, to what, and the reason.
_CHANGES: dict[str, dict[str, list[tuple[str, str, str]]]] = {
    "accelerator": {
        "return model.words(values[model.output.name]).reshape(len(windows), -1)": [
            ("-1", "-2", "numpy takes any number below 0 for the size that is not known")
        ],
    },
    "assembly": {
        "parameter_bits=(depth - 1).bit_length(),": [
            (
                "1",
                "0",
                "no slot reads beyond the table: the bit above is dropped at the memory's port",
            )
        ],
    },
    "axi_stream": {
        'number, last = Signal(range(max(2, count)), name=name), Signal(name=f"{name}_last")': [
            ("2", "3", "of two the bit above is always 0"),
            ("2", "1", "of one the number is always 0"),
        ],
    },
    "banks": {
        "PLAIN_LUTS = Luts(inputs=6, joined=1)": [
            ("joined=1", "joined=2", "how many LUTs are joined is asked of a part's family alone")
        ],
    },
    "choices": {
        "self.addends = {pair: number for number, pair in enumerate(pairs, start=1)}": [
            ("1", "2", "numbers of addends, of which 0 alone says that there is none")
        ],
    },
    "class_choice": {
        "with m.Elif(score > second):": [
            (
                "score > second",
                "(score >= second)",
                "a score that is the second's is the same number",
            )
        ],
    },
    "column_store": {
        "address = range(max(2, spec.depth))": [
            ("2", "3", "of two words the bit above is always 0")
        ],
        "depth=max(2, self.spec.depth),": [
            ("2", "1", "of a memory of one word there is the same word at each address"),
            ("2", "3", "words that are not addressed"),
        ],
        "words, read = [0] * max(2, self.spec.depth), []": [
            ("2", "3", "words that are not addressed")
        ],
    },
    "detector": {
        "number, judged = range(max(2, numbers)), range(judged_depth(numbers))": [
            ("max(2, ", "max(1, ", "of a single number the address is 0, with a bit or without"),
        ],
        "aim = Mux(aim < 0, -aim, aim)": [("aim < 0", "(aim <= 0)", "0 is its own negative")],
        'return step(Mux(level < 0, -level, level)[: self.level_bits - 1], "magnitude")': [
            ("level < 0", "(level <= 0)", "0 is its own negative")
        ],
        "for stage in range(1, 8):": [
            ("8", "9", "a stage that nothing reads"),
            ("1", "0", "a stage that nothing reads"),
        ],
    },
    "drain": {
        "if len(following) < PLACE_BITS:": [
            (
                "if len(following) < PLACE_BITS:",
                "if (len(following) <= PLACE_BITS):",
                "of as many bits none are added",
            )
        ],
        "final = Signal(range(max(2, columns)), reset_less=True)": [
            ("2", "1", "of one column the number is always 0, which takes no bit")
        ],
        "for port, half in ((self.o_group_lower, 0), (self.o_group_upper, 1)):": [
            ("0", "1", "both halves are copies of the same number"),
            ("1", "0", "both halves are copies of the same number"),
        ],
        "column = Signal(range(max(2, columns)))": [
            ("2", "3", "of two columns the bit above is always 0")
        ],
        "ones = (1 << bits) - 1 if number % 2 else 0": [
            ("2", "3", "four copies, or fewer, all begin otherwise or hold a complement, as before")
        ],
    },
    "drained_sums": {
        "return [(only, Const(0, 1))]": [
            ("1", "2", "a carry of 0, of more bits or none"),
            ("1", "0", "a carry of 0, of more bits or none"),
        ],
        "carry = Const(0, 1)": [
            ("1", "2", "a carry of 0, of more bits or none"),
            ("1", "0", "a carry of 0, of more bits or none"),
        ],
        "return [(Mux(packed, low, only), Const(0, 1)), (Mux(packed, whole >> k, only), carry)]": [
            ("1", "2", "a carry of 0, of more bits or none"),
            ("1", "0", "a carry of 0, of more bits or none"),
        ],
    },
    "fixed": {
        "limited = Mux(value < low, low, Mux(value > high, high, value))": [
            ("value < low", "(value <= low)", "a limit is the same number, limited or not"),
            ("value > high", "(value >= high)", "a limit is the same number, limited or not"),
        ],
    },
    "gelu": {
        "padded = [*table, *[0] * (half + 1 - len(table))]": [
            (
                "half + 1 - len(table",
                "(half + 1 + len(table)",
                "zeros behind those that an index reaches",
            ),
            ("1", "2", "zeros behind those that an index reaches"),
        ],
        "index_bits = (len(table) - 1).bit_length() + 1": [
            ("+ 1", "+ 2", "a table of more entries, which are those beyond it"),
            (
                "len(table) - 1",
                "(len(table) + 1)",
                "a table of more entries, which are those beyond it",
            ),
        ],
        "shape = signed(max(-entry for entry in entries).bit_length() + 1)": [
            ("1", "2", "a number extended by its sign is the same")
        ],
    },
    "key_value_writer": {
        "return Const(0, 1), come": [("1", "2", "the constant is 0, of one bit or two")],
        "place, word = Signal(range(max(2, slots)), reset_less=True), Signal.like(self.o_addr)": [
            ("2", "3", "of two slots the bit above is always 0"),
            ("2", "1", "of one slot the place is always 0"),
        ],
    },
    "layernorm": {
        "_PART = -(-FACTOR_BITS // 3)": [
            ("3", "4", "a factor of 9 bits is cut into parts of 3 all the same")
        ],
    },
    "lut_adder": {
        "for row in range(32):": [("32", "33", "a row more, of zeros")],
        "rest = Const(0, cells.bits - len(select))": [
            ("0", "1", "nothing reads a piece beyond the sum")
        ],
    },
    "lut_column": {
        "found.append(_added(m, platform, adder, own, values, len(x(0)), name, level))": [
            ("0", "1", "an activation has as many bits at each level")
        ],
    },
    "matrix_engine": {
        "(1, word[half : 2 * half], self.soft_sum_bits, self.product_bits - self.pack_shift),": [
            ("1", "2", "part of the names of registers, and nothing else")
        ],
        "if j < self.columns - self.soft + self.broad:": [
            (
                "j < self.columns - self.soft + self.broad",
                "(j <= self.columns - self.soft + self.broad)",
                (
                    "no single weight goes to the column, and of a packed word the longer "
                    "weight is the same number"
                ),
            )
        ],
        "pairs = self.apart and not self.always_packed": [
            (
                "self.apart and not self.always_packed",
                "(self.apart or not self.always_packed)",
                (
                    "sums that are not apart leave `pair` unused, and where all is packed it is "
                    "always 1"
                ),
            )
        ],
    },
    "pipeline": {
        "ones = (1 << len(value)) - 1 if n % 2 else 0": [
            ("2", "3", "four copies, or fewer, all begin otherwise or hold a complement, as before")
        ],
    },
    "ports": {
        "channel = Signal(range(max(2, self.channels)))": [
            ("2", "1", "of one channel the number is always 0")
        ],
        "place = Signal(range(max(2, self.patch)))": [
            ("2", "3", "of two the bit above is always 0"),
            ("2", "1", "of one the number is always 0"),
        ],
        (
            'depth = max(2, words if self.placement == "registers" else 1 << (words - '
            "1).bit_length())"
        ): [("2", "3", "a queue has more words than there are results")],
    },
    "postprocessor": {
        "rows = max(1, widths.norm_features), max(2, widths.norm_bits)": [
            ("1", "2", "without a LayerNorm nothing reads the port"),
            ("2", "3", "without a LayerNorm nothing reads the port"),
        ],
        "bits = min(max(len(u), 2), most)": [
            ("2", "3", "a number extended by its sign is the same")
        ],
        "never_negative = unsigned(max(1, factor_bits - 1))": [
            ("1,", "2,", "a number extended by zeros is the same")
        ],
        "bits = max(self.widths.result_bits, 1 + max(self.gelu, default=0))": [
            ("1", "2", "a number extended by its sign is the same"),
            ("0", "1", "where nothing is GELU, a result has two bits or more"),
        ],
    },
    "product_pair": {
        (
            "own = [(gamma | Const(0, signed(GAMMA_BITS)))[:GAMMA_BITS].as_signed() for gamma "
            "in gammas]"
        ): [
            (
                "signed(GAMMA_BITS",
                "(signed(GAMMA_BITS - 1)",
                "a scale that has fewer bits is the same number in a bit less",
            )
        ],
    },
    "reads": {
        "following = Signal(range(max(2, channels)))": [
            ("2", "3", "the number of a channel has a bit above that is 0"),
            ("2", "1", "of one channel the number is always 0"),
        ],
        "turn = drained_turn = Const(0, 1)": [
            ("0", "1", "one token row has no rounds, and nothing reads it"),
            ("1", "2", "one token row has no rounds, and nothing reads it"),
            ("1", "0", "one token row has no rounds, and nothing reads it"),
        ],
        (
            "Cat(joined[place * pair : (place + 1) * pair], Const(0, column - pair)) for place "
            "in places"
        ): [("0", "1", "bits above a pair are don't-care")],
        "half, words = len(kept) // 2, []": [
            ("2", "3", "two registers of one number: either will do"),
            ("2", "1", "two registers of one number: either will do"),
            ("len(kept) // 2", "(len(kept) * 2)", "two registers of one number: either will do"),
        ],
    },
    "result_slots": {
        "way = Array([Const(0b01, 2), Const(0b10, 2)])[place]": [
            (" 2),", " 3),", "bits above the ways are dropped"),
            (" 2)]", " 3)]", "bits above the ways are dropped"),
            (" 2),", " 1),", "0b01 in one bit is the same number"),
        ],
    },
    "row_results": {
        "half = (engine.product_bits + engine.extension) // 2": [
            ("2", "3", "both halves of an accumulator are read by copies of the same number"),
            ("2", "1", "both halves of an accumulator are read by copies of the same number"),
            (
                "engine.product_bits + engine.extension",
                "(engine.product_bits - engine.extension)",
                "both halves of an accumulator are read by copies of the same number",
            ),
        ],
        "copy = row * drain.copies // len(units.engines)": [
            (
                "row * drain.copies",
                "(row + drain.copies)",
                "copies hold the same number: which of them a row reads is a matter of loads",
            )
        ],
        "depth=1 << len(drain.o_column),": [
            ("1", "2", "twice as many words, of which the upper half is not addressed")
        ],
    },
    "row_statistics": {
        "turn, begins = Const(0, 1), (first, first)": [
            ("1", "2", "the constant is 0, of one bit or two")
        ],
        "_COARSE, _KEPT = 16, 24": [
            ("24", "25", "the table looks at 8 bits, shifted by 14 at most"),
            ("24", "23", "the table looks at 8 bits, shifted by 14 at most"),
        ],
        "table = Array(Const(i * i, 2 * bits - 2) for i in range(1 << (bits - 1)))": [
            ("2 ", "3 ", "a constant's bits above its number are 0"),
            ("2 * bits - 2", "(2 * bits + 2)", "a constant's bits above its number are 0"),
            ("1)", "0)", "entries that no number reaches"),
            ("bits - 1", "(bits + 1)", "entries that no number reaches"),
            ("1 ", "2 ", "entries that no number reaches"),
        ],
        "square = Array(Const(n * n, 2 * bits) for n in range(1 << bits))": [
            ("1", "2", "entries that no number reaches")
        ],
        "product = Array(Const((n & 15) * (n >> bits), 2 * bits) for n in range(1 << 2 * bits))": [
            (", 2 *", ", 3 *", "entries that no number reaches"),
            ("< 2 *", "< 3 *", "entries that no number reaches"),
            ("1 ", "2 ", "entries that no number reaches"),
        ],
        "lower = Cat(held[:split], Const(0, 1)).as_signed()": [
            ("1", "2", "a sign of 0, in one bit or two")
        ],
    },
    "sequencer": {
        '"o_addr": Out(range(max(2, len(program.instructions)))),': [
            (
                "2",
                "3",
                "of two instructions the bit above is always 0, and dropped at the memory's port",
            )
        ],
        "waiting = Signal(range(_FETCH + 1), init=_FETCH)": [("1", "2", "as many bits")],
    },
    "softmax": {
        "total, final = Signal(bits, reset_less=True), Signal(max(9, bits), reset_less=True)": [
            ("9", "10", "of one key the sum has 8 bits: what is above them is 0")
        ],
        "larger = Mux(larger > score, larger, score)": [
            ("larger > score", "(larger >= score)", "of two equal scores either is the larger")
        ],
        "with m.If(valid & (first | (best > self.o_maximum))):": [
            (
                "best > self.o_maximum",
                "(best >= self.o_maximum)",
                "the same number is written again",
            )
        ],
        "step = Signal(range(headroom + 2))": [("2", "3", "steps that do not come")],
        "table = Array(Const(value, 9) for value in numerics.RECIPROCAL_TABLE)": [
            ("9", "10", "a constant's bits above its number are 0")
        ],
    },
    "store": {
        "if len(words) == 1:": [("1", "0", "a choice among one word is that word")],
        "depth=max(2, area[1]),": [
            ("2", "1", "of a memory of one word there is the same word at each address"),
            ("2", "3", "words that are not addressed"),
        ],
        "number = max(1, min(MOST_COPIES, bits, -(-loads // _LOADS)))": [
            ("1", "0", "there is a bit, and a load, at least")
        ],
        "offset = (address - row)[: bits_for(max(2, rows) - 1)]": [
            ("2", "3", "bits that are 0, or dropped at the memory's port"),
            ("1", "0", "bits that are 0, or dropped at the memory's port"),
            (
                "max(2, rows) - 1",
                "(max(2, rows) + 1)",
                "bits that are 0, or dropped at the memory's port",
            ),
            ("2", "1", "a number needs a bit at least"),
        ],
        "depth=max(2, spec.depth),": [
            ("2", "3", "words that are not addressed"),
            ("2", "1", "of a memory of one word there is the same word at each address"),
        ],
        "cuts = _cuts(len(words[0]), len(words[0]))": [
            ("words[0]),", "words[1]),", "all words are as long"),
            ("words[0]))", "words[1]))", "all words are as long"),
        ],
    },
    "table_rows": {
        "return [number * stride if 0 <= number < rows else 0 for number, rows, stride in found]": [
            (" 0 <", " 1 <", "row 0 begins at 0")
        ],
    },
    "weight_columns": {
        "return Cat(numbers, Const(0, self.column_bits - len(numbers)))": [
            ("0", "1", "bits above a pair are don't-care")
        ],
        "with m.Switch(choices[2 * column >= layout.columns]):": [
            (
                "2 * column >= layout.columns",
                "(2 * column > layout.columns)",
                "two registers of one number: either will do",
            ),
            ("2 * column", "(2 + column)", "two registers of one number: either will do"),
            ("2", "3", "two registers of one number: either will do"),
            ("2", "1", "two registers of one number: either will do"),
        ],
    },
    "writes": {
        "here = slot.posts[number] if len(units.posts) > 1 else Const(1, 1)": [
            ("1)", "2)", "it is true in two bits as in one")
        ],
    },
}
#: (file, lines before, lines behind): the reason.
UNITS = {
    (f"hw/units/{name}.py", was, was.replace(old, new)): reason
    for name, lines in _CHANGES.items()
    for was, changes in lines.items()
    for old, new, reason in changes
}
