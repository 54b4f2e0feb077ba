"""What becomes of an accelerator's results: stores, row maxima and sums, row statistics."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from bitformer.hw.memory import StoreSpec
from bitformer.hw.program import Destination
from bitformer.hw.queues import queues_of
from bitformer.hw.timing import OPERAND
from bitformer.hw.units.assembly import Units, key_value_writer
from bitformer.hw.units.column_store import ColumnStore
from bitformer.hw.units.pipeline import by_operation, delay, registered
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.hw.units.softmax import Reciprocal, RowMaximum
from bitformer.hw.units.store import Store

__all__ = ["follow_scores", "follow_statistics", "write_results", "write_samples"]


def goes_to(m: Module, units: Units, destination: Destination) -> Value:
    """Return whether results go to ``destination``, looked up in the cycle before."""
    values = [int(o.destination is destination) for o in units.operations]
    name = f"to_{destination.name.lower()}"
    following = by_operation(m, units.post.o_following, values, name=f"following_{name}")
    return registered(m, following, name=name)


def write_samples(m: Module, units: Units) -> None:
    """Write the window as it arrives."""
    store, port = units.stores["input"], units.input_port
    m.d.comb += [
        store.w_addr.eq(port.o_addr),
        store.w_data.eq(port.o_data),
        store.w_en.eq(port.o_en),
    ]


def follow_scores(m: Module, units: Units) -> None:
    """Find the maximum of each row of scores as it is written, its reciprocal as it is read."""
    if "scores" not in units.stores:
        return
    geometry, post, operands = units.design.geometry, units.post, units.operands
    m.submodules.maximum = maximum = RowMaximum(ways=geometry.ways)
    if "maxima" not in units.stores:
        rows = units.stores["scores"].spec.depth // geometry.score_pitch
        spec = StoreSpec(name="maxima", depth=rows, width=8, placement="distributed")
        m.submodules.store_maxima = units.stores["maxima"] = Store(spec=spec)
    maxima = units.stores["maxima"]
    m.submodules.reciprocal = reciprocal = Reciprocal(keys=geometry.keys)
    is_score = goes_to(m, units, Destination.SCORE)
    m.d.comb += maximum.i_valid.eq(Mux(is_score, post.o_slot.valid, 0))
    for way in range(geometry.ways):
        m.d.comb += maximum.i_score[way].eq(post.o_y[way])
    pitch_bits = geometry.score_pitch.bit_length() - 1
    slot = delay(m, post.o_slot.dst >> pitch_bits, 2, name="score_slot")
    m.d.comb += [
        maximum.i_first.eq(post.o_slot.first),
        maximum.i_last.eq(post.o_slot.last),
        maxima.w_addr.eq(slot),
        maxima.w_data.eq(maximum.o_maximum),
        maxima.w_en.eq(maximum.o_done),
        maxima.addr_0.eq(units.addresses.o_act >> (geometry.ways - 1) >> pitch_bits),
        operands.i_maximum.eq(maxima.data_0),
        reciprocal.i_weight.eq(operands.o_weight),
        reciprocal.i_valid.eq(operands.o_weight_valid),
        reciprocal.i_first.eq(operands.o_weight_first),
        reciprocal.i_last.eq(delay(m, units.addresses.o_last, OPERAND - 1, name="row_last")),
        post.i_factor.eq(reciprocal.o_factor),
    ]


def follow_statistics(m: Module, units: Units) -> None:
    """Gather the statistics of rows that a LayerNorm reads; hold them from its first slot on."""
    geometry, post, vector = units.design.geometry, units.post, units.vector
    if not geometry.norm_features:
        return
    queues = queues_of(units.design)
    m.submodules.statistics = statistics = RowStatistics(
        features=geometry.norm_features,
        bits=geometry.norm_bits,
        ways=geometry.ways,
        upper_bits=geometry.square_bits[-1],
        queue=queues.statistics,
        apart=queues.apart,
        multiplier=geometry.multiplier,
    )
    wanted = registered(m, units.decode(m, post.o_following, "statistics"), name="wanted")
    for way in range(geometry.ways):
        m.d.comb += statistics.i_x[way].eq(post.o_y[way])
    norms = units.decode(m, vector.o_slot.op, "normalize", name="normalizes")
    taken = vector.o_slot.valid.any() & vector.o_slot.first & norms
    held = Signal.like(statistics.o_statistics, reset_less=True)
    with m.If(taken):
        m.d.sync += held.eq(statistics.o_statistics)
    m.d.comb += [
        statistics.i_valid.eq(Mux(wanted, post.o_slot.valid, 0)),
        statistics.i_first.eq(post.o_slot.first),
        statistics.i_last.eq(post.o_slot.last),
        statistics.i_take.eq(taken),
        post.i_statistics.eq(held),
    ]


def write_results(m: Module, units: Units) -> None:
    """Write results to the store that their operation names, or to the output."""
    post, port, slot = units.post, units.output_port, units.post.o_slot
    for destination, name in (
        (Destination.ACTIVATION, "activations"),
        (Destination.SCORE, "scores"),
    ):
        if name not in units.stores:
            continue
        store = units.stores[name]
        bits = store.spec.width // post.ways
        here = goes_to(m, units, destination)
        enable = Mux(here, slot.valid, 0)
        word = Cat(y[:bits] for y in post.o_y)
        if name == "activations" and units.design.geometry.wide_rows:
            wide = registered(m, units.decode(m, post.o_following, "wide_y"), name="wide_y")
            word = Mux(wide, post.o_y[0], word)
            enable = Mux(here, Mux(wide & slot.valid.any(), 0b11, slot.valid), 0)
        m.d.comb += [
            store.w_addr.eq(slot.dst),
            store.w_data.eq(word),
            store.w_en.eq(enable if len(store.w_en) > 1 else enable.any()),
        ]
    out = goes_to(m, units, Destination.OUTPUT)
    results = [y[: port.bits] for y in post.o_y]
    valid = slot.valid
    if port.ways < post.ways:
        # one a cycle, in either place
        valid, results = slot.valid.any(), [Mux(slot.valid[0], *results)]
    m.d.comb += [port.i_valid.eq(Mux(out, valid, 0)), port.i_word.eq(Cat(results))]
    if "dynamic" in units.stores:
        m.submodules.writer = writer = key_value_writer(units.design)
        store = units.stores["dynamic"]
        m.d.comb += [
            writer.i_y.eq(post.o_y),
            writer.i_valid.eq(slot.valid),
            writer.i_first.eq(slot.first),
            writer.i_key.eq(goes_to(m, units, Destination.KEY)),
            writer.i_value.eq(goes_to(m, units, Destination.VALUE)),
            writer.i_dst.eq(slot.dst),
            store.w_addr.eq(writer.o_addr),
            store.w_data.eq(writer.o_data),
            store.w_en.eq(writer.o_en),
        ]
        if isinstance(store, ColumnStore):
            # of a word's elements, those of its first slots: each goes to all that it may be for
            m.d.comb += store.i_write.eq(writer.o_write)
