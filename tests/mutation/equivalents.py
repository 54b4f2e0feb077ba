"""Mutants that no test can notice, each with its reason.

A mutant is named by its file and its lines, before and behind the change; they may move.
"""

from mutation.equal_shells import SHELLS
from mutation.equal_units import UNITS

__all__ = ["EQUIVALENTS"]

#: (file, lines before, lines behind): the reason.
EQUIVALENTS: dict[tuple[str, str, str], str] = {
    (
        "hw/lowering/allocate.py",
        "FOREVER = Lifetime(write=0, issued=0, read=_NEVER, last_reader=_NEVER)",
        "FOREVER = Lifetime(write=1, issued=0, read=_NEVER, last_reader=_NEVER)",
    ): "it is issued before whatever was read for the last time: when it is written says no more",
    (
        "hw/lowering/allocate.py",
        "FOREVER = Lifetime(write=0, issued=0, read=_NEVER, last_reader=_NEVER)",
        "FOREVER = Lifetime(write=0, issued=1, read=_NEVER, last_reader=_NEVER)",
    ): "it is written before whatever was read for the last time: when it is issued says no more",
    (
        "hw/lowering/allocate.py",
        "_NEVER = 1 << 62",
        "_NEVER = 2 << 62",
    ): "later than any cycle as well",
    (
        "hw/lowering/allocate.py",
        "_NEVER = 1 << 62",
        "_NEVER = 1 << 61",
    ): "later than any cycle as well",
    (
        "hw/lowering/allocate.py",
        "_NEVER = 1 << 62",
        "_NEVER = 1 << 63",
    ): "later than any cycle as well",
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
        "flat = planes.reshape(len(planes), -1).astype(np.uint8)",
        "flat = planes.reshape(len(planes), -2).astype(np.uint8)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "by_lane = weight.reshape(*weight.shape[:-1], -1, lanes, features)",
        "by_lane = weight.reshape(*weight.shape[:-1], -2, lanes, features)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "return by_lane.swapaxes(-1, -2).reshape(*weight.shape[:-1], -1)",
        "return by_lane.swapaxes(-1, -2).reshape(*weight.shape[:-1], -2)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "weight = weight.reshape(op.parts, outputs, -1)",
        "weight = weight.reshape(op.parts, outputs, -2)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "parts = weight.reshape(groups, per_group, -1).swapaxes(1, 2).reshape(-1, per_group)",
        "parts = weight.reshape(groups, per_group, -2).swapaxes(1, 2).reshape(-1, per_group)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "rows = parts.reshape(-1, layout.parts(kind) * per_group)",
        "rows = parts.reshape(-2, layout.parts(kind) * per_group)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "every = table.reshape(-1, 2)",
        "every = table.reshape(-2, 2)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "table = table.reshape(-1, *table.shape[-2:]) # of each part",
        "table = table.reshape(-2, *table.shape[-2:]) # of each part",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        (
            "table = np.pad(table, ((0, 0), (0, -table.shape[1] % geometry.ways), (0, 0)))"
            ".reshape(-1, 2)"
        ),
        (
            "table = np.pad(table, ((0, 0), (0, -table.shape[1] % geometry.ways), (0, 0)))"
            ".reshape(-2, 2)"
        ),
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "value, factor = table.reshape(-1, geometry.ways, 2).transpose(2, 0, 1)",
        "value, factor = table.reshape(-2, geometry.ways, 2).transpose(2, 0, 1)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        "blocks = padded.reshape(len(padded) // lanes, lanes, -1, geometry.ways)",
        "blocks = padded.reshape(len(padded) // lanes, lanes, -2, geometry.ways)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/place.py",
        "chosen = np.indices(sizes).reshape(len(sizes), -1).T",
        "chosen = np.indices(sizes).reshape(len(sizes), -2).T",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/schedule.py",
        "writes = (issue + self.slots(row) + self.post).reshape(-1)",
        "writes = (issue + self.slots(row) + self.post).reshape(-2)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/images.py",
        (
            "table = np.pad(table, ((0, 0), (0, -table.shape[1] % geometry.ways), (0, 0)))"
            ".reshape(-1, 2)"
        ),
        (
            "table = np.pad(table, ((0, 0), (0, (table.shape[1]) % geometry.ways), (0, 0)))"
            ".reshape(-1, 2)"
        ),
    ): "a word has one way or two, for which both are the same",
    (
        "hw/lowering/images.py",
        "lanes: int = 1,",
        "lanes: int = 2,",
    ): "who names no split layer has no lanes, whose number is not read",
    (
        "hw/lowering/images.py",
        "parts = weight.reshape(groups, per_group, -1).swapaxes(1, 2).reshape(-1, per_group)",
        "parts = weight.reshape(groups, per_group, -1).swapaxes(1, 2).reshape(-2, per_group)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lowering/layouts.py",
        "wider = (one for one in singles if one.field > kind.field)",
        "wider = (one for one in singles if (one.field >= kind.field))",
    ): "no single weight that is left fills a field as long as one that is cut",
    (
        "hw/lowering/layouts.py",
        "broad: int = 0,",
        "broad: int = 1,",
    ): "the longest weight that a broad column multiplies has no bits, if nobody says more",
    (
        "hw/lowering/layouts.py",
        "longest: int = 0,",
        "longest: int = 1,",
    ): "a single weight has two bits or more",
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
        "_RUNS = (2, 4, 8, 12, 1 << 16)",
        "_RUNS = (2, 4, 8, 12, 2 << 16)",
    ): "it stands for a whole layer, of which no model has so many rows",
    (
        "hw/lowering/priorities.py",
        "_RUNS = (2, 4, 8, 12, 1 << 16)",
        "_RUNS = (2, 4, 8, 12, 1 << 15)",
    ): "it stands for a whole layer, of which no model has so many rows",
    (
        "hw/lowering/priorities.py",
        "_RUNS = (2, 4, 8, 12, 1 << 16)",
        "_RUNS = (2, 4, 8, 12, 1 << 17)",
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
    (
        "hw/tiling.py",
        "for across in range(1, -(-width // shape_width) + 1):",
        "for across in range(1, -(-width // shape_width) + 2):",
    ): "a block more beside those that have all bits holds no bit more",
    (
        "hw/tiling.py",
        "for stacked in range(1, -(-depth // shape_depth) + 1):",
        "for stacked in range(1, -(-depth // shape_depth) + 2):",
    ): "a block more below those that have all words holds no bit more",
    (
        "hw/tiling.py",
        "for across in range(1, -(-width // shape_width) + 1):",
        "for across in range(1, -((-width * shape_width)) + 1):",
    ): "a block more beside those that have all bits holds no bit more",
    (
        "hw/tiling.py",
        "for stacked in range(1, -(-depth // shape_depth) + 1):",
        "for stacked in range(1, -((-depth * shape_depth)) + 1):",
    ): "a block more below those that have all words holds no bit more",
    (
        "hw/tiling.py",
        "if rows * bits + min(depth * (width - bits), (blocks - used) * ram.bits) <= best[0]:",
        "if (rows * bits + min(depth * (width - bits), (blocks - used) * ram.bits) < best[0]):",
    ): "what can be no better than the best is left out sooner or later",
    (
        "hw/tiling.py",
        "options.append((blocks + -(-width // bits), parts + 1, (*stack, depth)))",
        "options.append((blocks + -(-width // bits), parts + 2, (*stack, depth)))",
    ): "numbers of parts are compared with each other, and so are their doubles",
    (
        "model/operations/linear.py",
        "of_each = self.parts, -1",
        "of_each = self.parts, -2",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "model/operations/linear.py",
        "return values.reshape(len(values), -1, inputs)",
        "return values.reshape(len(values), -2, inputs)",
    ): "numpy takes any number below 0 for the size that is not known",
    (
        "hw/lut_rows.py",
        "least, most = -(1 << activation_bits - 1), (1 << activation_bits - 1) - 1",
        "least, most = -(1 << activation_bits - 1), (1 << activation_bits - 1) - 2",
    ): "the least number decides the width, on whichever side it is larger",
    (
        "hw/lowering/images.py",
        "own = field_bits(every.min(axis=0, initial=0), every.max(axis=0, initial=0))",
        "own = field_bits(every.min(axis=0, initial=1), every.max(axis=0, initial=0))",
    ): "a field that holds the largest number, which is 1 or more then, holds 0 as well as 1",
    (
        "hw/queues.py",
        "for cycle in range(min(words, default=0), max(words, default=-1) + 1):",
        "for cycle in range(min(words, default=0), max(words, default=-1) + 2):",
    ): "nothing comes any more, and nothing waits that did not before",
    (
        "model/gelu.py",
        (
            "reals = (n * math.erfc(n * step / math.sqrt(2)) / 2 for n in "
            "range(1 + math.ceil(_END / step)))"
        ),
        (
            "reals = (n * math.erfc(n * step / math.sqrt(2)) / 2 for n in "
            "(range(1 + math.ceil(_END / step) - 1)))"
        ),
    ): "the last of them rounds to 0, and what is 0 at the end is left out",
    **SHELLS,
    **UNITS,
}
