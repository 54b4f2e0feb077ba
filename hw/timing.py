"""Latencies of the datapath, in cycles: what the schedule promises and the hardware keeps.

An operation issued in cycle t walks its addresses from cycle t + ``ADDRESS``.
"""

#: From issue to the first address on the stores' read ports.
ADDRESS = 2
#: From a read address to its activation and weight at the first column of the engine.
OPERAND = 6
#: From an activation at the first column to that column's accumulator.
ACCUMULATE = 3
#: From an address to the first column's accumulator: the post-processor's slot begins then.
PRODUCT = OPERAND + ACCUMULATE
#: From a slot's accumulator to the result on a store's write port.
POST = 7
#: Extra stages of every result in a design with wide operations
#: (:mod:`bitformer.hw.lowering.wide`).
WIDE_DELAY = 1
#: Extra stages of every result in a design with GELU (:mod:`bitformer.hw.units.gelu`).
GELU_DELAY = 1
#: From a result on the write port to an address that may read it.
WRITTEN = 1
#: The same for a word of keys or values, whose writer is registered.
KEPT = 2
#: The same for a row of scores, whose maximum follows.
SCORED = 4
#: The same for the last column of a key, behind the one-key-a-cycle writer.
KEYED = 3
#: From a slot to the sums of its accumulator, with their bias.
SUMS_DELAY = 2
#: From the slot of a sum that is kept to that which goes on with it: it is read a cycle early.
SUMMED = SUMS_DELAY + 2
#: From the last result of a row to its statistics.
STATISTICS = 11
#: More of them for rows whose sum is too long to be squared at once
#: (:mod:`bitformer.hw.units.row_statistics`).
LONG_STATISTICS = 3
#: More of them where a row's sum is squared in LUTs.
SOFT_STATISTICS = 1
#: Rows whose statistics can wait for their LayerNorm.
STATISTICS_QUEUE = 32
#: Extra stages of a vector operation when the design has a LayerNorm.
NORM_DELAY = 2
#: From a result on the write port to the output stream.
OUTPUT = 1
#: More of them to the output stream's end in a design that answers with a class: from the last
#: score to the answer (:mod:`bitformer.hw.units.class_choice`).
CHOICE = 2
#: The same in a detector, to its flag (:mod:`bitformer.hw.units.detector`).
JUDGE = 13
#: Shortest distance of two issues: what fetching and decoding takes.
MIN_ISSUE = 5
#: From reset to an input whose arrival could issue the first instruction.
FETCH = MIN_ISSUE - 2
#: Rows between issue and drain, at most: the depth of the post-processor's queue.
QUEUE = 8
#: From the last result of a program on the write port to the first issue of the next inference.
TAIL = 3
