"""Mutants that no test can notice, each with its reason.

A mutant is named by its file and its lines, before and behind the change; they may move.
"""

__all__ = ["EQUIVALENTS"]

#: (file, lines before, lines behind): the reason.
EQUIVALENTS: dict[tuple[str, str, str], str] = {
    (
        "boards/shell/elastic/bus.py",
        "part, reading, writing = Signal(2), Signal(), Signal()",
        "part, reading, writing = Signal(3), Signal(), Signal()",
    ): "it counts to 3 and stays there",
    (
        "boards/shell/elastic/bus.py",
        "sent, addressed, fetched = Signal(8), Signal(), Signal()",
        "sent, addressed, fetched = Signal(9), Signal(), Signal()",
    ): "bits leave it from the eighth on: what is shifted above it is not read",
    (
        "boards/shell/framed/line.py",
        "self._byte, self.tx_full = Signal(8, reset_less=True), Signal()",
        "self._byte, self.tx_full = Signal(8, reset_less=False), Signal()",
    ): "a byte counts where `tx_full` says so, which a reset clears",
    (
        "boards/shell/framed/remembered.py",
        "byte = self._result[:8]",
        "byte = self._result[:9]",
    ): "what it goes to has room for the lowest 8 bits alone",
    (
        "boards/shell/framed/sender.py",
        "length = Cat(cursor.left, Const(0, 16 - len(cursor.left)))",
        "length = Cat(cursor.left, Const(0, (16 + len(cursor.left))))",
    ): "its first two bytes are sent, and what is above them is not",
    (
        "boards/shell/spi.py",
        "with m.If(ended[2]):",
        "with m.If(ended[1]):",
    ): (
        "a cycle earlier is still behind the last byte, which is passed on two cycles after "
        "its eighth edge, and long before the next one"
    ),
    (
        "boards/shell/top.py",
        "reset_left = Signal(range(_RESET_CYCLES + 1), init=_RESET_CYCLES)",
        "reset_left = Signal(range(_RESET_CYCLES + 2), init=_RESET_CYCLES)",
    ): "it begins with the cycles of a reset, and counts down",
    (
        "boards/shell/weight_loader.py",
        "data = Signal.like(self.o_data, reset_less=True)",
        "data = Signal.like(self.o_data, reset_less=False)",
    ): "a word's bytes all pass before it is written, and a reset begins the image anew",
    (
        "hw/lowering/allocate.py",
        "FOREVER = Lifetime(write=0, issued=0, read=1 << 62, last_reader=1 << 62)",
        "FOREVER = Lifetime(write=0, issued=0, read=1 << 62, last_reader=0 << 62)",
    ): "what is never read for the last time is not over, whoever reads it last",
    (
        "hw/lowering/beside.py",
        "_PATIENCE = range(0, 129, 8)",
        "_PATIENCE = range(0, 130, 8)",
    ): "steps of 8, of which the last is 128",
    (
        "hw/lowering/columns.py",
        "columns = max(1, lanes // 2) if pack and lanes > 1 else lanes",
        "columns = max(1, lanes // 2) if pack and lanes > 0 else lanes",
    ): "of one row, the columns divided by it are the columns",
    (
        "hw/lowering/images.py",
        "parts = weight.reshape(groups, per_group, -1).swapaxes(1, 2).reshape(-1, per_group)",
        "parts = weight.reshape(groups, per_group, -1).swapaxes(1, 2).reshape(-2, per_group)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/packing.py",
        "extension[better] = (np.maximum(0, longest - distance) * kept)[better]",
        "extension[better] = (np.maximum(1, longest - distance) * kept)[better]",
    ): (
        "sums are kept only where that packs more: then a dot product is longer than its "
        "field, by a bit or more"
    ),
    (
        "hw/lowering/post_widths.py",
        'bounds["result"].append(((u * factor + addend + (1 << shift)) >> shift) + zero + 1)',
        'bounds["result"].append(((u * factor + addend + (2 << shift)) >> shift) + zero + 1)',
    ): (
        "by so long a shift, the half that is added for rounding is beyond the accumulator, "
        "and refused"
    ),
    (
        "hw/lowering/priorities.py",
        "_NEVER = 1 << 40",
        "_NEVER = 2 << 40",
    ): "as many cycles or twice or half as many: no inference takes them",
    (
        "hw/lowering/priorities.py",
        "_NEVER = 1 << 40",
        "_NEVER = 1 << 39",
    ): "as many cycles or twice or half as many: no inference takes them",
    (
        "hw/lowering/priorities.py",
        "_NEVER = 1 << 40",
        "_NEVER = 1 << 41",
    ): "as many cycles or twice or half as many: no inference takes them",
    (
        "hw/lowering/priorities.py",
        "_RUNS = (1, 1, 2, 4, 1 << 16)",
        "_RUNS = (1, 1, 2, 4, 2 << 16)",
    ): "it stands for a whole layer, of which no model has so many rows",
    (
        "hw/lowering/priorities.py",
        "_RUNS = (1, 1, 2, 4, 1 << 16)",
        "_RUNS = (1, 1, 2, 4, 1 << 15)",
    ): "it stands for a whole layer, of which no model has so many rows",
    (
        "hw/lowering/priorities.py",
        "_RUNS = (1, 1, 2, 4, 1 << 16)",
        "_RUNS = (1, 1, 2, 4, 1 << 17)",
    ): "it stands for a whole layer, of which no model has so many rows",
    (
        "hw/lowering/schedule.py",
        "self.post_busy = [w for w in self.post_busy if w[1] > issue] + windows",
        "self.post_busy = [w for w in self.post_busy if (w[1] >= issue)] + windows",
    ): "what ended when a row is issued takes no slot of it, nor of a later one",
    (
        "hw/lowering/shifts.py",
        "trailing = (bits & -bits).bit_length() - 1 if bits else op.shift",
        "trailing = ((bits | -bits)).bit_length() - 1 if bits else op.shift",
    ): "the lowest bit that is set, or the negative of that, which has as many bits",
    (
        "hw/lowering/soft_columns.py",
        "return tuple(-(-own // (geometry.hard + count)) for own in features)",
        "return tuple((-own // (geometry.hard + count)) for own in features)",
    ): "numbers of groups are compared with others for being the same, and so are their negatives",
    (
        "hw/lowering/soft_columns.py",
        "for count in range(2, most_columns(design) + 1, 2):",
        "for count in range(2, most_columns(design) + 2, 2):",
    ): "there are an even number of columns at most",
    (
        "hw/units/assembly.py",
        "parameter_bits=(depth - 1).bit_length(),",
        "parameter_bits=(depth - 0).bit_length(),",
    ): "no slot reads beyond the table: the bit above is dropped at the memory's port",
    (
        "hw/units/column_store.py",
        "depth=max(2, self.spec.depth),",
        "depth=max(1, self.spec.depth),",
    ): "of a memory of one word there is the same word at each address",
    (
        "hw/units/drain.py",
        "final = Signal(range(max(2, columns)), reset_less=True)",
        "final = Signal(range(max(1, columns)), reset_less=True)",
    ): "of one column the number is always 0, which takes no bit",
    (
        "hw/units/drain.py",
        "final = Signal(range(max(2, columns)), reset_less=True)",
        "final = Signal(range(max(2, columns)), reset_less=False)",
    ): "written with each group, and read while one is drained alone",
    (
        "hw/units/drain.py",
        "for port, half in ((self.o_group_lower, 0), (self.o_group_upper, 1)):",
        "for port, half in ((self.o_group_lower, 1), (self.o_group_upper, 1)):",
    ): "both halves are copies of the same number",
    (
        "hw/units/drain.py",
        'twice(m, group, name="group", ones=number % 2 == 1) for number in range(self.copies)',
        'twice(m, group, name="group", ones=number % 2 == 2) for number in range(self.copies)',
    ): (
        "copies of one number: which of them begin with ones says whether synthesis merges "
        "them, not what they hold"
    ),
    (
        "hw/units/gelu.py",
        "padded = [*table, *[0] * (half + 1 - len(table))]",
        "padded = [*table, *[0] * ((half + 1 + len(table)))]",
    ): "zeros behind those that an index reaches",
    (
        "hw/units/key_value_writer.py",
        "return Const(0, 1), come",
        "return Const(0, 2), come",
    ): "the constant is 0, of one bit or two",
    (
        "hw/units/lut_column.py",
        "found.append(_added(m, platform, adder, own, values, len(x(0)), name, level))",
        "found.append(_added(m, platform, adder, own, values, len(x(1)), name, level))",
    ): "an activation has as many bits at each level",
    (
        "hw/units/lut_column.py",
        'row = Signal(signed(len(own)), name=f"row_{name}_{place}", reset_less=True)',
        'row = Signal(signed(len(own)), name=f"row_{name}_{place}", reset_less=False)',
    ): "a row of a product: the sum that it goes into begins anew behind a reset",
    (
        "hw/units/matrix_engine.py",
        "(1, word[half : 2 * half], self.soft_sum_bits, self.product_bits - self.pack_shift),",
        "(2, word[half : 2 * half], self.soft_sum_bits, self.product_bits - self.pack_shift),",
    ): "part of the names of registers, and nothing else",
    (
        "hw/units/matrix_engine.py",
        "if j < self.columns - self.soft + self.broad:",
        "if (j <= self.columns - self.soft + self.broad):",
    ): (
        "no single weight goes to the column, and of a packed word the longer weight is the "
        "same number"
    ),
    (
        "hw/units/matrix_engine.py",
        "pairs = self.apart and not self.always_packed",
        "pairs = (self.apart or not self.always_packed)",
    ): "sums that are not apart leave `pair` unused, and where all is packed it is always 1",
    (
        "hw/units/product_pair.py",
        (
            "own = [(gamma | Const(0, signed(GAMMA_BITS)))[:GAMMA_BITS].as_signed() for gamma in "
            "gammas]"
        ),
        (
            "own = [(gamma | Const(0, (signed(GAMMA_BITS - 1))))[:GAMMA_BITS].as_signed() for "
            "gamma in gammas]"
        ),
    ): "a scale that has fewer bits is the same number in a bit less",
    (
        "hw/units/result_slots.py",
        "rounds = Signal(range(max(self._again) + 1), reset_less=True)",
        "rounds = Signal(range(max(self._again) + 1), reset_less=False)",
    ): "set with each operation that is issued, and read while one goes on",
    (
        "hw/units/row_statistics.py",
        "power = Signal(2 * bits + features.bit_length(), reset_less=True)",
        "power = (Signal(2 * bits + features.bit_length() - 1, reset_less=True))",
    ): ("N squares of b bits are N * 4**(b - 1) at most, which has 2b - 2 bits more than N has"),
    (
        "hw/units/row_statistics.py",
        'real = Signal(signed(own), name=f"real_{way}", reset_less=True)',
        'real = Signal(signed(own), name=f"real_{way}", reset_less=False)',
    ): (
        "a register of the data's way: what follows a reset is counted only where `active` "
        "has come behind it"
    ),
    (
        "hw/units/row_statistics.py",
        'total = Signal(statistics_layout(features, bits).members["total"], reset_less=True)',
        'total = Signal(statistics_layout(features, bits).members["total"], reset_less=False)',
    ): "a row's sum begins anew with its first element, which masks what was there",
    (
        "hw/units/row_statistics.py",
        "turn, begins = Const(0, 1), (first, first)",
        "turn, begins = Const(0, 2), (first, first)",
    ): "the constant is 0, of one bit or two",
    (
        "hw/units/sequencer.py",
        '"o_addr": Out(range(max(2, len(program.instructions)))),',
        '"o_addr": Out(range(max(3, len(program.instructions)))),',
    ): "of two instructions the bit above is always 0, and dropped at the memory's port",
    (
        "hw/units/softmax.py",
        "total, final = Signal(bits, reset_less=True), Signal(max(9, bits), reset_less=True)",
        "total, final = Signal(bits, reset_less=True), Signal(max(10, bits), reset_less=True)",
    ): "of one key the sum has 8 bits: what is above them is 0",
    (
        "hw/units/store.py",
        "_LUT_ROM = 64",
        "_LUT_ROM = 65",
    ): ("how many copies of an address there are, each for its part of a word, changes no word"),
    (
        "hw/units/store.py",
        "depth=max(2, area[1]),",
        "depth=max(1, area[1]),",
    ): "of a memory of one word there is the same word at each address",
    (
        "hw/units/sums.py",
        'beyond = Signal(extension, name=f"beyond_{name}", reset_less=True)',
        'beyond = Signal(extension, name=f"beyond_{name}", reset_less=False)',
    ): "a sum begins anew with its first product, which masks what was there",
    (
        "hw/units/table_rows.py",
        ("return [number * stride if 0 <= number < rows else 0 for number, rows, stride in found]"),
        ("return [number * stride if 1 <= number < rows else 0 for number, rows, stride in found]"),
    ): "row 0 begins at 0",
    (
        "model/gelu.py",
        (
            "reals = (n * math.erfc(n * step / math.sqrt(2)) / 2 for n in range(1 + "
            "math.ceil(_END / step)))"
        ),
        (
            "reals = (n * math.erfc(n * step / math.sqrt(2)) / 2 for n in range(0 + "
            "math.ceil(_END / step)))"
        ),
    ): "one step fewer: the last ones are 0, and dropped",
}
