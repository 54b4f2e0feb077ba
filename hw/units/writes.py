"""What becomes of an accelerator's results: stores, row maxima and sums, row statistics."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value

from bitformer.hw import timing
from bitformer.hw.memory import READ_LATENCY, StoreSpec
from bitformer.hw.program import Destination
from bitformer.hw.queues import queues_of
from bitformer.hw.timing import OPERAND
from bitformer.hw.units.assembly import Units, block_writer, key_value_writer
from bitformer.hw.units.column_store import ColumnStore
from bitformer.hw.units.pipeline import by_operation, delay, registered
from bitformer.hw.units.reads import sums_address
from bitformer.hw.units.row_results import Drained
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.hw.units.softmax import Reciprocal, RowMaximum
from bitformer.hw.units.store import Store
from bitformer.model import numerics

__all__ = [
    "follow_scores",
    "follow_statistics",
    "goes_to",
    "write_results",
    "write_samples",
    "write_sums",
]


def goes_to(m: Module, units: Units, destination: Destination) -> Value:
    """Return whether results go to ``destination``, looked up in the cycle before."""
    values = [int(o.destination is destination) for o in units.operations]
    name = f"to_{destination.name.lower()}"
    following = by_operation(m, units.post.o_following, values, name=f"following_{name}")
    return registered(m, following, name=name)


def write_samples(m: Module, units: Units) -> None:
    """Write the window as it arrives: each sample to the lane that it is for."""
    store, port = units.stores["input"], units.input_port
    m.d.comb += [
        store.w_addr.eq(port.o_addr),
        store.w_data.eq(port.o_data.as_unsigned().replicate(port.lanes)),
        store.w_en.eq(port.o_en),
    ]


def follow_scores(m: Module, units: Units) -> None:
    """Find the maximum of each row of scores as it is written, its reciprocal as it is read."""
    if "scores" not in units.stores:
        return
    geometry, slot = units.design.geometry, units.post.o_slot
    lanes, bits = geometry.rows, numerics.SCORE_BITS
    if "maxima" not in units.stores:
        rows = units.stores["scores"].spec.depth // geometry.score_pitch
        spec = StoreSpec(
            name="maxima",
            depth=rows,
            width=bits * lanes,
            granule=bits if lanes > 1 else 0,
            placement="distributed",
        )
        m.submodules.store_maxima = units.stores["maxima"] = Store(spec=spec)
    maxima = units.stores["maxima"]
    is_score = goes_to(m, units, Destination.SCORE)
    pitch_bits = geometry.score_pitch.bit_length() - 1
    m.d.comb += [
        maxima.w_addr.eq(delay(m, slot.dst >> pitch_bits, 2, name="score_slot")),
        maxima.addr_0.eq(units.addresses.o_act >> (geometry.ways - 1) >> pitch_bits),
    ]
    last = delay(m, units.addresses.o_last, OPERAND - 1, name="row_last")
    reciprocals = []
    for lane, operands in enumerate(units.operands):
        maximum, reciprocal = RowMaximum(ways=geometry.ways), Reciprocal(keys=geometry.keys)
        m.submodules[f"maximum_{lane}" if lane else "maximum"] = maximum
        m.submodules[f"reciprocal_{lane}" if lane else "reciprocal"] = reciprocal
        m.d.comb += maximum.i_valid.eq(Mux(is_score, units.valid(lane), 0))
        for way in range(geometry.ways):
            m.d.comb += maximum.i_score[way].eq(units.results(lane)[way])
        m.d.comb += [
            maximum.i_first.eq(slot.first),
            maximum.i_last.eq(slot.last),
            maxima.w_data.word_select(lane, bits).eq(maximum.o_maximum),
            maxima.w_en[lane].eq(maximum.o_done),
            operands.i_maximum.eq(maxima.data_0.word_select(lane, bits)),
            reciprocal.i_weight.eq(operands.o_weight),
            reciprocal.i_valid.eq(operands.o_weight_valid),
            reciprocal.i_first.eq(operands.o_weight_first),
            reciprocal.i_last.eq(last),
        ]
        reciprocals.append(reciprocal.o_factor)
    turn: Value = Const(0, 1)
    if "round" in slot.shape().members:
        turn = delay(m, units.drain.o_slot.round, READ_LATENCY, name="factor_turn")
    for number, post in enumerate(units.posts):
        own = reciprocals[number :: len(units.posts)]
        m.d.comb += post.i_factor.eq(own[0] if len(own) == 1 else Array(own)[turn])


def follow_statistics(m: Module, units: Units) -> None:
    """Gather the statistics of rows that a LayerNorm reads; hold them from its first slot on."""
    geometry, slot, vector = units.design.geometry, units.post.o_slot, units.vector.o_slot
    if not geometry.norm_features:
        return
    queues, several = queues_of(units.design), len(units.posts)
    wanted = registered(m, units.decode(m, units.post.o_following, "statistics"), name="wanted")
    norms = units.decode(m, vector.op, "normalize", name="normalizes")
    takes = vector.valid.any() & vector.first & norms
    for number, post in enumerate(units.posts):
        statistics = RowStatistics(
            features=geometry.norm_features,
            bits=geometry.norm_bits,
            ways=geometry.ways,
            upper_bits=geometry.square_bits[-1],
            queue=queues.statistics,
            apart=queues.apart,
            multiplier=geometry.multiplier,
            rounds=geometry.rounds(geometry.rows),
            soft=geometry.soft_squares,
        )
        m.submodules[f"statistics_{number}" if number else "statistics"] = statistics
        for way in range(geometry.ways):
            m.d.comb += statistics.i_x[way].eq(post.o_y[way])
        taken, wants = takes, wanted
        if several > 1:
            taken, wants = takes & vector.posts[number], wanted & slot.posts[number]
        held = Signal.like(statistics.o_statistics, reset_less=True)
        with m.If(taken):
            m.d.sync += held.eq(statistics.o_statistics)
        m.d.comb += [
            statistics.i_valid.eq(Mux(wants, slot.valid, 0)),
            statistics.i_first.eq(slot.first),
            statistics.i_last.eq(slot.last),
            statistics.i_take.eq(taken),
            post.i_statistics.eq(held),
        ]
        if "round" in slot.shape().members:
            m.d.comb += statistics.i_round.eq(slot.round)


def write_results(m: Module, units: Units) -> None:
    """Write results to the store that their operation names, or to the output."""
    post, port, slot = units.post, units.output_port, units.post.o_slot
    lanes = units.design.geometry.rows
    for destination, name in (
        (Destination.ACTIVATION, "activations"),
        (Destination.SCORE, "scores"),
    ):
        if name not in units.stores:
            continue
        store = units.stores[name]
        bits = store.spec.width // lanes // post.ways
        here = goes_to(m, units, destination)
        words, enables = [], []
        wide = None
        if name == "activations" and units.design.geometry.wide_rows:
            wide = registered(m, units.decode(m, post.o_following, "wide_y"), name="wide_y")
        for lane in range(lanes):
            valid, results = units.valid(lane), units.results(lane)
            enable = Mux(here, valid, 0)
            word = Cat(y[:bits] for y in results)
            if wide is not None:
                word = Mux(wide, results[0], word)[: len(word)]
                enable = Mux(here, Mux(wide & valid.any(), 0b11, valid), 0)
            words.append(word)
            enables.append(enable if len(store.w_en) > lanes else enable.any())
        m.d.comb += [
            store.w_addr.eq(units.in_phase(name, slot.dst)),
            store.w_data.eq(Cat(words)),
            store.w_en.eq(Cat(enables)),
        ]
    out = goes_to(m, units, Destination.OUTPUT)
    ends = [post.o_y for post in units.posts]
    results = [y[: port.bits] for y in ends[0]]
    if len(ends) > 1:
        # one row at a time leaves: its post-processor's results
        number = sum(Mux(slot.posts[n], n, 0) for n in range(1, len(ends)))
        results = [Array(y[way][: port.bits] for y in ends)[number] for way in range(post.ways)]
    valid = slot.valid
    if port.ways < post.ways:
        # one a cycle, in either place
        valid, results = slot.valid.any(), [Mux(slot.valid[0], *results)]
    m.d.comb += [port.i_valid.eq(Mux(out, valid, 0)), port.i_word.eq(Cat(results))]
    if "dynamic" in units.stores and lanes > 1:
        _write_blocks(m, units)
    elif "dynamic" in units.stores:
        m.submodules.writer = writer = key_value_writer(units.design)
        store = units.stores["dynamic"]
        m.d.comb += [
            writer.i_y.eq(post.o_y),
            writer.i_valid.eq(slot.valid),
            writer.i_first.eq(slot.first),
            writer.i_key.eq(goes_to(m, units, Destination.KEY)),
            writer.i_value.eq(goes_to(m, units, Destination.VALUE)),
            writer.i_dst.eq(slot.dst),
            store.w_addr.eq(units.in_phase("dynamic", writer.o_addr)),
            store.w_data.eq(writer.o_data),
            store.w_en.eq(writer.o_en),
        ]
        if isinstance(store, ColumnStore):
            # of a word's elements, those of its first slots: each goes to all that it may be for
            m.d.comb += store.i_write.eq(writer.o_write)


def write_sums(m: Module, units: Units, drained: Drained) -> None:
    """Keep the sums of operations that give no results, until another goes on with them."""
    if "sums" not in units.stores:
        return
    store, slot, cycles = units.stores["sums"], drained.slot, timing.SUMS_DELAY
    kept = by_operation(
        m, slot.op, [o.destination is Destination.SUMS for o in units.operations], name="keeps_sums"
    )
    ways = slot.valid
    if len(store.w_en) == 1:
        ways = slot.valid.any()
    elif any(o.wide for o in units.operations):
        # the only sum is that of way 0
        wide = units.decode(m, slot.op, "wide", name="keeps_wide")
        ways = Mux(wide & slot.valid.any(), 0b01, slot.valid)
    address = delay(m, slot.parameter, cycles, name="summed_parameter")
    m.d.comb += [
        store.w_addr.eq(sums_address(units, address)),
        store.w_data.eq(units.post.o_sums),
        store.w_en.eq(delay(m, Mux(kept, ways, 0), cycles, name="sums_en", reset_less=False)),
    ]


def _write_blocks(m: Module, units: Units) -> None:
    """Write keys and values of token rows, side by side."""
    m.submodules.writer = writer = block_writer(units.design)
    slot, store = units.post.o_slot, units.stores["dynamic"]
    for number, post in enumerate(units.posts):
        here = slot.posts[number] if len(units.posts) > 1 else Const(1, 1)
        m.d.comb += writer.i_valid[number].eq(Mux(here, slot.valid, 0))
        m.d.comb += [writer.i_y[number][way].eq(y) for way, y in enumerate(post.o_y)]
    m.d.comb += [
        writer.i_key.eq(goes_to(m, units, Destination.KEY)),
        writer.i_value.eq(goes_to(m, units, Destination.VALUE)),
        writer.i_dst.eq(slot.dst),
        store.w_addr.eq(units.in_phase("dynamic", writer.o_addr)),
        store.w_data.eq(writer.o_data),
        store.w_en.eq(writer.o_en),
    ]
    if "round" in slot.shape().members:
        m.d.comb += writer.i_round.eq(slot.round)
