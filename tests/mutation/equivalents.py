"""Mutants that no test can notice, each with its reason.

A mutant is named by its file and its lines, before and behind the change; they may move.
"""

from mutation.equal_units import UNITS

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
        "ended = Signal(4, init=-1)",
        "ended = Signal(5, init=-1)",
    ): "its first four bits are read",
    (
        "boards/shell/spi.py",
        "first, request, whole = Signal(init=1), Signal(), Signal()",
        "first, request, whole = Signal(init=0), Signal(), Signal()",
    ): "it is set in the first cycle, in which chip select has been off",
    (
        "boards/shell/spi.py",
        "m.d.sync += [answering.eq(0), self.link.drop.eq(1)]",
        "m.d.sync += [answering.eq(1), self.link.drop.eq(1)]",
    ): "at the end of chip select: nothing asks for it before the next transfer sets it",
    (
        "boards/shell/spi.py",
        "m.d.sync += [first.eq(1), request.eq(0)]",
        "m.d.sync += [first.eq(1), request.eq(1)]",
    ): "the next first byte sets it, before any is passed on",
    (
        "boards/shell/spi.py",
        "m.d.sync += [place.eq(0), sent.eq(0)]",
        "m.d.sync += [place.eq(0), sent.eq(1)]",
    ): "its highest bit is on the line, and chip select loads all of them",
    (
        "boards/shell/spi.py",
        "m.d.sync += [received.eq(Cat(mosi, received[:7])), place.eq(place + 1)]",
        "m.d.sync += [received.eq(Cat(mosi, received[:8])), place.eq(place + 1)]",
    ): "eight bits of it have room",
    (
        "boards/shell/spi.py",
        "m.d.sync += [whole.eq(edge & (place == 7)), self.link.rx.valid.eq(0)]",
        "m.d.sync += [whole.eq(edge & (place == 7)), self.link.rx.valid.eq(1)]",
    ): "the last assignment counts, which is below",
    (
        "boards/shell/spi.py",
        "m.d.sync += ended.eq(Cat(~cs, ended[:3]))",
        "m.d.sync += ended.eq(Cat(~cs, ended[:4]))",
    ): "four bits of it have room",
    (
        "boards/shell/spi.py",
        "received, place = Signal(8, reset_less=True), Signal(3)",
        "received, place = Signal(8, reset_less=False), Signal(3)",
    ): "a byte counts when eight bits have come, and a reset begins one anew",
    (
        "boards/shell/spi.py",
        "received, place = Signal(8, reset_less=True), Signal(3)",
        "received, place = Signal(9, reset_less=True), Signal(3)",
    ): "a ninth bit is never shifted into it",
    (
        "boards/shell/spi.py",
        "sent, answering = Signal(8), Signal()",
        "sent, answering = Signal(9), Signal()",
    ): "bits leave it from the eighth on: what is shifted above it is not read",
    (
        "boards/shell/spi.py",
        "with m.If(ended[2]):",
        "with m.If(ended[1]):",
    ): (
        "a cycle earlier is still behind the last byte, which is passed on two cycles "
        "after its eighth edge, and long before the next one"
    ),
    (
        "boards/shell/spi.py",
        "with m.If(ended[2]):",
        "with m.If(ended[3]):",
    ): "a cycle later is still before the next transfer, eight cycles after this one",
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
        "by so long a shift, the half that is added for rounding is beyond the "
        "accumulator, and refused"
    ),
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
        "_NEVER = 1 << 40",
        "_NEVER = 2 << 40",
    ): "as many cycles or twice or half as many: no inference takes them",
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
        "hw/lowering/priorities.py",
        "_RUNS = (1, 1, 2, 4, 1 << 16)",
        "_RUNS = (1, 1, 2, 4, 2 << 16)",
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
        "for count in range(2, most_columns(design) + 1, 2):",
        "for count in range(2, most_columns(design) + 2, 2):",
    ): "there are an even number of columns at most",
    (
        "hw/lowering/soft_columns.py",
        "return tuple(-(-own // (geometry.hard + count)) for own in features)",
        "return tuple((-own // (geometry.hard + count)) for own in features)",
    ): "numbers of groups are compared with others for being the same, and so are their negatives",
    (
        "hw/units/assembly.py",
        "parameter_bits=(depth - 1).bit_length(),",
        "parameter_bits=(depth - 0).bit_length(),",
    ): "no slot reads beyond the table: the bit above is dropped at the memory's port",
    (
        "hw/units/class_choice.py",
        "with m.Elif(score > second):",
        "with m.Elif((score >= second)):",
    ): "a score that is the second's is the same number",
    (
        "hw/units/column_store.py",
        "depth=max(2, self.spec.depth),",
        "depth=max(1, self.spec.depth),",
    ): "of a memory of one word there is the same word at each address",
    (
        "hw/units/detector.py",
        "aim = Mux(aim < 0, -aim, aim)",
        "aim = Mux((aim <= 0), -aim, aim)",
    ): "0 is its own negative",
    (
        "hw/units/detector.py",
        "for stage in range(1, 8):",
        "for stage in range(0, 8):",
    ): "a stage that nothing reads",
    (
        "hw/units/detector.py",
        "for stage in range(1, 8):",
        "for stage in range(1, 9):",
    ): "a stage that nothing reads",
    (
        "hw/units/detector.py",
        'return step(Mux(level < 0, -level, level)[: self.level_bits - 1], "magnitude")',
        'return step(Mux((level <= 0), -level, level)[: self.level_bits - 1], "magnitude")',
    ): "0 is its own negative",
    (
        "hw/units/drain.py",
        "column = Signal(range(max(2, columns)))",
        "column = Signal(range(max(3, columns)))",
    ): "of two columns the bit above is always 0",
    (
        "hw/units/drain.py",
        "final = Signal(range(max(2, columns)), reset_less=True)",
        "final = Signal(range(max(1, columns)), reset_less=True)",
    ): "of one column the number is always 0, which takes no bit",
    (
        "hw/units/drain.py",
        "for port, half in ((self.o_group_lower, 0), (self.o_group_upper, 1)):",
        "for port, half in ((self.o_group_lower, 1), (self.o_group_upper, 1)):",
    ): "both halves are copies of the same number",
    (
        "hw/units/drained_sums.py",
        "carry = Const(0, 1)",
        "carry = Const(0, 0)",
    ): "a carry of 0, of more bits or none",
    (
        "hw/units/drained_sums.py",
        "carry = Const(0, 1)",
        "carry = Const(0, 2)",
    ): "a carry of 0, of more bits or none",
    (
        "hw/units/drained_sums.py",
        "return [(Mux(packed, low, only), Const(0, 1)), (Mux(packed, whole >> k, only), carry)]",
        "return [(Mux(packed, low, only), Const(0, 0)), (Mux(packed, whole >> k, only), carry)]",
    ): "a carry of 0, of more bits or none",
    (
        "hw/units/drained_sums.py",
        "return [(Mux(packed, low, only), Const(0, 1)), (Mux(packed, whole >> k, only), carry)]",
        "return [(Mux(packed, low, only), Const(0, 2)), (Mux(packed, whole >> k, only), carry)]",
    ): "a carry of 0, of more bits or none",
    (
        "hw/units/drained_sums.py",
        "return [(only, Const(0, 1))]",
        "return [(only, Const(0, 0))]",
    ): "a carry of 0, of more bits or none",
    (
        "hw/units/drained_sums.py",
        "return [(only, Const(0, 1))]",
        "return [(only, Const(0, 2))]",
    ): "a carry of 0, of more bits or none",
    (
        "hw/units/fixed.py",
        "limited = Mux(value < low, low, Mux(value > high, high, value))",
        "limited = Mux((value <= low), low, Mux(value > high, high, value))",
    ): "a limit is the same number, limited or not",
    (
        "hw/units/fixed.py",
        "limited = Mux(value < low, low, Mux(value > high, high, value))",
        "limited = Mux(value < low, low, Mux((value >= high), high, value))",
    ): "a limit is the same number, limited or not",
    (
        "hw/units/gelu.py",
        "padded = [*table, *[0] * (half + 1 - len(table))]",
        "padded = [*table, *[0] * ((half + 1 + len(table)))]",
    ): "zeros behind those that an index reaches",
    (
        "hw/units/key_value_writer.py",
        "place, word = Signal(range(max(2, slots)), reset_less=True), Signal.like(self.o_addr)",
        "place, word = Signal(range(max(1, slots)), reset_less=True), Signal.like(self.o_addr)",
    ): "of one slot the place is always 0",
    (
        "hw/units/key_value_writer.py",
        "place, word = Signal(range(max(2, slots)), reset_less=True), Signal.like(self.o_addr)",
        "place, word = Signal(range(max(3, slots)), reset_less=True), Signal.like(self.o_addr)",
    ): "of two slots the bit above is always 0",
    (
        "hw/units/key_value_writer.py",
        "return Const(0, 1), come",
        "return Const(0, 2), come",
    ): "the constant is 0, of one bit or two",
    (
        "hw/units/layernorm.py",
        "_PART = -(-FACTOR_BITS // 3)",
        "_PART = -(-FACTOR_BITS // 4)",
    ): "a factor of 9 bits is cut into parts of 3 all the same",
    (
        "hw/units/lut_adder.py",
        "for row in range(32):",
        "for row in range(33):",
    ): "a row more, of zeros",
    (
        "hw/units/lut_adder.py",
        "rest = Const(0, cells.bits - len(select))",
        "rest = Const(1, cells.bits - len(select))",
    ): "nothing reads a piece beyond the sum",
    (
        "hw/units/lut_column.py",
        "found.append(_added(m, platform, adder, own, values, len(x(0)), name, level))",
        "found.append(_added(m, platform, adder, own, values, len(x(1)), name, level))",
    ): "an activation has as many bits at each level",
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
        "no single weight goes to the column, and of a packed word the longer weight is "
        "the same number"
    ),
    (
        "hw/units/matrix_engine.py",
        "pairs = self.apart and not self.always_packed",
        "pairs = (self.apart or not self.always_packed)",
    ): "sums that are not apart leave `pair` unused, and where all is packed it is always 1",
    (
        "hw/units/product_pair.py",
        (
            "own = [(gamma | Const(0, signed(GAMMA_BITS)))[:GAMMA_BITS].as_signed() for "
            "gamma in gammas]"
        ),
        (
            "own = [(gamma | Const(0, (signed(GAMMA_BITS - 1))))[:GAMMA_BITS].as_signed() "
            "for gamma in gammas]"
        ),
    ): "a scale that has fewer bits is the same number in a bit less",
    (
        "hw/units/reads.py",
        (
            "Cat(joined[place * pair : (place + 1) * pair], Const(0, column - pair)) for "
            "place in places"
        ),
        (
            "Cat(joined[place * pair : (place + 1) * pair], Const(1, column - pair)) for "
            "place in places"
        ),
    ): "bits above a pair are don't-care",
    (
        "hw/units/reads.py",
        "following = Signal(range(max(2, channels)))",
        "following = Signal(range(max(1, channels)))",
    ): "of one channel the number is always 0",
    (
        "hw/units/reads.py",
        "following = Signal(range(max(2, channels)))",
        "following = Signal(range(max(3, channels)))",
    ): "the number of a channel has a bit above that is 0",
    (
        "hw/units/reads.py",
        'name="last", depth=2 * channels, width=port.bits, read_ports=2, placement="distributed"',
        'name="last", depth=3 * channels, width=port.bits, read_ports=2, placement="distributed"',
    ): "words that are not addressed",
    (
        "hw/units/reads.py",
        "turn = drained_turn = Const(0, 1)",
        "turn = drained_turn = Const(0, 0)",
    ): "one token row has no rounds, and nothing reads it",
    (
        "hw/units/reads.py",
        "turn = drained_turn = Const(0, 1)",
        "turn = drained_turn = Const(0, 2)",
    ): "one token row has no rounds, and nothing reads it",
    (
        "hw/units/reads.py",
        "turn = drained_turn = Const(0, 1)",
        "turn = drained_turn = Const(1, 1)",
    ): "one token row has no rounds, and nothing reads it",
    (
        "hw/units/result_slots.py",
        "way = Array([Const(0b01, 2), Const(0b10, 2)])[place]",
        "way = Array([Const(0b01, 1), Const(0b10, 2)])[place]",
    ): "0b01 in one bit is the same number",
    (
        "hw/units/result_slots.py",
        "way = Array([Const(0b01, 2), Const(0b10, 2)])[place]",
        "way = Array([Const(0b01, 2), Const(0b10, 3)])[place]",
    ): "bits above the ways are dropped",
    (
        "hw/units/result_slots.py",
        "way = Array([Const(0b01, 2), Const(0b10, 2)])[place]",
        "way = Array([Const(0b01, 3), Const(0b10, 2)])[place]",
    ): "bits above the ways are dropped",
    (
        "hw/units/row_results.py",
        "copy = row * drain.copies // len(units.engines)",
        "copy = (row + drain.copies) // len(units.engines)",
    ): "copies hold the same number: which of them a row reads is a matter of loads",
    (
        "hw/units/row_results.py",
        "depth=1 << len(drain.o_column),",
        "depth=2 << len(drain.o_column),",
    ): "twice as many words, of which the upper half is not addressed",
    (
        "hw/units/row_results.py",
        "half = (engine.product_bits + engine.extension) // 2",
        "half = ((engine.product_bits - engine.extension)) // 2",
    ): "both halves of an accumulator are read by copies of the same number",
    (
        "hw/units/row_results.py",
        "half = (engine.product_bits + engine.extension) // 2",
        "half = (engine.product_bits + engine.extension) // 1",
    ): "both halves of an accumulator are read by copies of the same number",
    (
        "hw/units/row_results.py",
        "half = (engine.product_bits + engine.extension) // 2",
        "half = (engine.product_bits + engine.extension) // 3",
    ): "both halves of an accumulator are read by copies of the same number",
    (
        "hw/units/row_statistics.py",
        "_COARSE, _KEPT = 16, 24",
        "_COARSE, _KEPT = 16, 23",
    ): "the table looks at 8 bits, shifted by 14 at most",
    (
        "hw/units/row_statistics.py",
        "_COARSE, _KEPT = 16, 24",
        "_COARSE, _KEPT = 16, 25",
    ): "the table looks at 8 bits, shifted by 14 at most",
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
        "hw/units/sequencer.py",
        "waiting = Signal(range(_FETCH + 1), init=_FETCH)",
        "waiting = Signal(range(_FETCH + 2), init=_FETCH)",
    ): "as many bits",
    (
        "hw/units/softmax.py",
        "larger = Mux(larger > score, larger, score)",
        "larger = Mux((larger >= score), larger, score)",
    ): "of two equal scores either is the larger",
    (
        "hw/units/softmax.py",
        "total, final = Signal(bits, reset_less=True), Signal(max(9, bits), reset_less=True)",
        "total, final = Signal(bits, reset_less=True), Signal(max(10, bits), reset_less=True)",
    ): "of one key the sum has 8 bits: what is above them is 0",
    (
        "hw/units/softmax.py",
        "with m.If(valid & (first | (best > self.o_maximum))):",
        "with m.If(valid & (first | ((best >= self.o_maximum)))):",
    ): "the same number is written again",
    (
        "hw/units/store.py",
        "_LOADS = 48",
        "_LOADS = 47",
    ): "how many copies of an address there are, each for its part of a word, changes no word",
    (
        "hw/units/store.py",
        "_LOADS = 48",
        "_LOADS = 49",
    ): "how many copies of an address there are, each for its part of a word, changes no word",
    (
        "hw/units/store.py",
        "_LUT_ROM = 64",
        "_LUT_ROM = 65",
    ): "how many copies of an address there are, each for its part of a word, changes no word",
    (
        "hw/units/store.py",
        "depth=max(2, area[1]),",
        "depth=max(1, area[1]),",
    ): "of a memory of one word there is the same word at each address",
    (
        "hw/units/store.py",
        "number = max(1, min(MOST_COPIES, bits, -(-loads // _LOADS)))",
        "number = max(0, min(MOST_COPIES, bits, -(-loads // _LOADS)))",
    ): "there is a bit, and a load, at least",
    (
        "hw/units/store.py",
        "number = max(1, min(MOST_COPIES, bits, -(-loads // _LOADS)))",
        "number = max(1, min(MOST_COPIES, bits, (-loads // _LOADS)))",
    ): "how many copies of an address there are, each for its part of a word, changes no word",
    (
        "hw/units/store.py",
        "number = max(1, min(MOST_COPIES, bits, -(-loads // _LOADS)))",
        "number = max(1, min(MOST_COPIES, bits, -((-loads * _LOADS))))",
    ): "how many copies of an address there are, each for its part of a word, changes no word",
    (
        "hw/units/store.py",
        "number = max(1, min(MOST_COPIES, bits, -(-loads // _LOADS)))",
        "number = max(1, min(MOST_COPIES, bits, -((loads) // _LOADS)))",
    ): "how many copies of an address there are, each for its part of a word, changes no word",
    (
        "hw/units/store.py",
        "offset = (address - row)[: bits_for(max(2, rows) - 1)]",
        "offset = (address - row)[: bits_for((max(2, rows) + 1))]",
    ): "bits that are 0, or dropped at the memory's port",
    (
        "hw/units/store.py",
        "offset = (address - row)[: bits_for(max(2, rows) - 1)]",
        "offset = (address - row)[: bits_for(max(1, rows) - 1)]",
    ): "a number needs a bit at least",
    (
        "hw/units/store.py",
        "offset = (address - row)[: bits_for(max(2, rows) - 1)]",
        "offset = (address - row)[: bits_for(max(2, rows) - 0)]",
    ): "bits that are 0, or dropped at the memory's port",
    (
        "hw/units/store.py",
        "offset = (address - row)[: bits_for(max(2, rows) - 1)]",
        "offset = (address - row)[: bits_for(max(3, rows) - 1)]",
    ): "bits that are 0, or dropped at the memory's port",
    (
        "hw/units/sums.py",
        'beyond = Signal(extension, name=f"beyond_{name}", reset_less=True)',
        'beyond = Signal(extension, name=f"beyond_{name}", reset_less=False)',
    ): "a sum begins anew with its first product, which masks what was there",
    (
        "hw/units/table_rows.py",
        "return [number * stride if 0 <= number < rows else 0 for number, rows, stride in found]",
        "return [number * stride if 1 <= number < rows else 0 for number, rows, stride in found]",
    ): "row 0 begins at 0",
    (
        "hw/units/weight_columns.py",
        "return Cat(numbers, Const(0, self.column_bits - len(numbers)))",
        "return Cat(numbers, Const(1, self.column_bits - len(numbers)))",
    ): "bits above a pair are don't-care",
    (
        "hw/units/writes.py",
        "here = slot.posts[number] if len(units.posts) > 1 else Const(1, 1)",
        "here = slot.posts[number] if len(units.posts) > 1 else Const(1, 2)",
    ): "it is true in two bits as in one",
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
