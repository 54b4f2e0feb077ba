"""What the units of an accelerator read: from the stores to the engine and the post-processor."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from bitformer.hw.design import Geometry
from bitformer.hw.memory import READ_LATENCY, StoreSpec
from bitformer.hw.timing import OPERAND, PRODUCT
from bitformer.hw.units.assembly import Units
from bitformer.hw.units.column_store import ColumnStore
from bitformer.hw.units.pipeline import MOST_COPIES, by_operation, copies, delay, twice
from bitformer.hw.units.ports import part_of
from bitformer.hw.units.row_results import Drained, drain_rows
from bitformer.hw.units.store import Store
from bitformer.hw.units.table_rows import TableRows
from bitformer.hw.units.weight_columns import WeightColumns
from bitformer.model.calendar import ROWS

__all__ = [
    "live_address",
    "read_activations",
    "read_columns",
    "read_last_step",
    "read_post_operands",
    "read_rows",
    "read_scores",
    "read_weights",
    "sums_address",
]


def live_address(units: Units, store: Store, address: Value) -> Value:
    """Return an address of a store in the image that is live."""
    if units.bank is None:
        return address
    inner = len(store.addr_0) - 1
    return Cat((address | Const(0, inner))[:inner], units.bank)


def sums_address(units: Units, parameter: Value) -> Value:
    """Return where the sums of a slot are kept, whose parameters lie there."""
    return units.in_phase("sums", parameter[: exact_log2(units.design.words("sums"))])


def read_activations(m: Module, units: Units) -> None:
    """Read what the address generator addresses for the operands."""
    stores, addresses = units.stores, units.addresses
    word = addresses.o_act >> (units.design.geometry.ways - 1)
    m.d.comb += [
        stores["activations"].addr_0.eq(units.in_phase("activations", word)),
        stores["input"].addr_0.eq(addresses.o_act),
    ]
    for lane, operands in enumerate(units.operands):
        m.d.comb += [
            operands.i_op.eq(addresses.o_op),
            operands.i_first.eq(addresses.o_first),
            operands.i_valid.eq(addresses.o_valid),
            operands.i_element.eq(addresses.o_act[0]),
            operands.i_activation.eq(_lane(stores["activations"].data_0, units, lane)),
            operands.i_input.eq(_lane(stores["input"].data_0, units, lane)),
        ]


def _lane(word: Value, units: Units, lane: int) -> Value:
    """Return the part of a word that belongs to a token row."""
    return word.word_select(lane, len(word) // units.design.geometry.rows)


def _of_round(m: Module, units: Units, word: Value, turn: Value, post: int) -> Value:
    """Return the part of a word that belongs to the row that a post-processor has in its turn."""
    posts, rows = len(units.posts), units.design.geometry.rows
    lanes = [_lane(word, units, lane) for lane in range(post, rows, posts)]
    return lanes[0] if len(lanes) == 1 else Array(lanes)[turn]


def read_scores(m: Module, units: Units) -> None:
    """Read scores for the operands, at the address of an activation."""
    if "scores" in units.stores:
        store = units.stores["scores"]
        m.d.comb += store.addr_0.eq(units.addresses.o_act >> (units.design.geometry.ways - 1))
        for lane, operands in enumerate(units.operands):
            m.d.comb += operands.i_score.eq(_lane(store.data_0, units, lane))


def read_last_step(m: Module, units: Units) -> None:
    """Keep the last steps of some windows; read the running inference's, channel by channel."""
    port, channels = units.input_port, units.input_port.channels
    if "last" not in units.stores:
        spec = StoreSpec(
            name="last",
            depth=port.kept * channels,
            width=port.bits,
            read_ports=2,
            placement="distributed",
        )
        m.submodules.store_last = units.stores["last"] = Store(spec=spec)
    store = units.stores["last"]
    following = Signal(range(max(2, channels)))
    channel = Signal.like(following)
    m.d.comb += channel.eq(Mux(units.addresses.o_first, 0, following))
    m.d.sync += following.eq(Mux(channel == channels - 1, 0, channel + 1))
    half: Value = port.o_current
    if any(o.previous for o in units.operations):
        # the oldest part holds the last step of the phase's patch before until the next patch ends
        previous = units.decode(m, units.addresses.o_op, "previous")
        half = half ^ previous if port.kept == 2 else Mux(previous, port.o_oldest, half)
    base = part_of(half, channels, port.kept)
    m.d.comb += [
        store.w_addr.eq(port.o_last_addr),
        store.w_data.eq(port.o_data),
        store.w_en.eq(port.o_last_en),
        store.addr_0.eq(base + channel),
    ]
    m.d.comb += [operands.i_last.eq(store.data_0) for operands in units.operands]


def read_weights(m: Module, units: Units) -> None:
    """Read weights, or keys and values in their place, to meet the activation at column 0.

    All token rows have the same, but in a split operation, where each has a part of the word.
    """
    stores, geometry = units.stores, units.design.geometry
    late = OPERAND - READ_LATENCY - 1
    address = delay(m, units.addresses.o_weight, late, name="weight")
    op = delay(m, units.addresses.o_op, OPERAND - 2, name="weight_op")
    columns = WeightColumns(layout=geometry.weights, column_bits=geometry.column_bits)
    static: list[Value] = [Const(0, 1)] * geometry.rows
    if "weights" in stores:
        store, unit = stores["weights"], exact_log2(geometry.weights.units)
        m.d.comb += store.addr_0.eq(live_address(units, store, address[unit:]))
        kind = _weight_format(m, units, op)
        static = [
            columns.select(m, store.data_0, kind, address[:unit], _own_part(m, units, row), row)
            for row in range(geometry.rows)
        ]
    words = static
    if "dynamic" in stores:
        store = stores["dynamic"]
        part = exact_log2(geometry.dynamic_parts)
        m.d.comb += store.addr_0.eq(units.in_phase("dynamic", address[part:]))
        word = store.data_0
        if part:
            size = len(word) // geometry.dynamic_parts
            parts = [word.word_select(n, size) for n in range(geometry.dynamic_parts)]
            late = delay(m, address[:part], READ_LATENCY - 1, name="kept_part")
            # a select for each quarter: one for all would have too many loads
            ends = [size * n // MOST_COPIES for n in range(MOST_COPIES + 1)]
            selects = copies(m, late, MOST_COPIES, name="kept_part_now")
            word = Cat(
                Array(one[start:end] for one in parts)[select]
                for select, (start, end) in zip(selects, pairwise(ends), strict=True)
            )
        kept = _spread(geometry, columns, word)
        dynamic = units.decode(m, op, "dynamic")
        if isinstance(store, ColumnStore):
            read = delay(m, units.addresses.o_valid, late, name="reads", reset_less=False)
            m.d.comb += store.i_read.eq(read)
            words = [_group_by_group(m, units, dynamic, kept, static[0])]
        else:
            # a select for each half of the word: one for all would have too many loads
            half, words = len(kept) // 2, []
            for row, own in enumerate(static):
                lower, upper = twice(m, dynamic, name="takes_kept", ones=row % 2 == 1)
                words.append(
                    Cat(
                        Mux(lower, kept[:half], own[:half]),
                        Mux(upper, kept[half:], own[half : len(kept)]),
                        own[len(kept) :],
                    )
                )
    for engine, operands, word in zip(units.engines, units.operands, words, strict=True):
        m.d.sync += engine.i_w.eq(word)
        m.d.comb += [
            engine.i_x.eq(operands.o_x),
            engine.i_first.eq(operands.o_first),
            engine.i_packed.eq(units.decode(m, operands.o_op, "packed")),
        ]


def _own_part(m: Module, units: Units, row: int) -> Value:
    """Return the unit of a word that a token row has of its own, in split operations.

    It comes with the number of the word's format: looked up before the delay, since shift registers
    in LUTs answer late.
    """
    layout = units.design.geometry.weights
    steps = [
        row * layout.step(layout.kinds_of_number(o.weight_format)) if o.split else 0
        for o in units.operations
    ]
    own = by_operation(m, units.addresses.o_op, steps, name=f"own_part_{row}")
    if isinstance(own, Const):
        return own
    # what resets is no shift register in LUTs, nor is the register behind it then
    return delay(m, own, OPERAND - 2, name=f"own_part_{row}", reset_less=False)


def _weight_format(m: Module, units: Units, op: Value) -> Value:
    """Return the format of the weights that are on their way.

    ``op`` is the number of their operation. With columns of LUTs there are more formats: it is
    looked up before the delay then, since shift registers in LUTs answer late. Where nothing else
    is looked up by ``op``, that would become such a one as a whole.
    """
    geometry = units.design.geometry
    if geometry.apart or not geometry.weights.soft or "dynamic" not in units.stores:
        return units.decode(m, op, "weight_format")
    early = units.decode(m, units.addresses.o_op, "weight_format", name="early_format")
    # what resets is no shift register in LUTs, nor is the register behind it then
    return delay(m, early, OPERAND - 2, name="operand_format", reset_less=False)


def _group_by_group(m: Module, units: Units, dynamic: Value, kept: Value, static: Value) -> Value:
    """Return keys and values, or weights: those of each group of columns in its cycle.

    ``dynamic`` comes a cycle ahead.
    """
    group = units.engines[0].group
    bits = group * units.design.geometry.column_bits
    parts, beyond = [], static[len(kept) :]
    static = static[: len(kept)]
    for number, start in enumerate(range(0, len(kept), bits)):
        # what resets is no shift register in LUTs, which would answer late
        cycles = group if number else 1
        dynamic = delay(m, dynamic, cycles, name=f"takes_kept_{number}", reset_less=False)
        if number:
            static = delay(m, static[bits:], group, name=f"static_{number}")
        parts.append(Mux(dynamic, kept[start : start + bits], static[:bits]))
    return Cat(parts, beyond)


def _spread(geometry: Geometry, columns: WeightColumns, word: Value) -> Value:
    """Return a word of keys or values as weights, sign-extended to the width of a weight."""
    pair, column = 2 * geometry.half_bits, geometry.column_bits
    places = range(geometry.hard)
    joined = Cat(columns.numbers(word, geometry.dynamic_format, place) for place in places)
    if not geometry.dynamic_packed:
        return joined
    return Cat(
        Cat(joined[place * pair : (place + 1) * pair], Const(0, column - pair)) for place in places
    )


def read_columns(m: Module, units: Units, drained: Drained) -> None:
    """Read the engine's columns as the drain names them, when their group has ended."""
    addresses, drain = units.addresses, units.drain
    # a group's end is as late as its last activation at the first column
    flags = Cat(addresses.o_last, addresses.o_begin, addresses.o_end)
    done = delay(m, flags, PRODUCT - 1, name="group_end", reset_less=False)
    drain_rows(m, units, drained)
    m.d.comb += [
        drain.i_done.eq(done[0]),
        drain.i_begin.eq(done[1]),
        drain.i_end.eq(done[2]),
    ]
    m.d.comb += [post.i_drain.eq(drained.slot) for post in units.posts]


def read_rows(m: Module, units: Units) -> None:
    """Let the time of the running inference select the rows of its tables."""
    if not units.drain.numbers:
        return
    port, model = units.input_port, units.design.model
    numbers = range(units.drain.numbers)
    m.submodules.table_rows = rows = TableRows(
        rows=[ROWS[model.config.calendar[number]] for number in numbers],
        strides=units.design.strides,
        bits=port.bits,
    )
    m.d.comb += [
        rows.i_number.eq(port.o_data),
        rows.i_en.eq(port.o_time_en),
        rows.i_half.eq(port.o_half),
        rows.i_current.eq(port.o_current),
        *(
            getattr(units.drain, f"i_offset_{n}").eq(getattr(rows, f"o_offset_{n}"))
            for n in numbers
        ),
    ]


def read_post_operands(m: Module, units: Units, drained: Drained) -> None:
    """Read what the slot in hand, a drain's or a vector's, has addresses for.

    Parameters are read for the slot that follows it: a bias meets its accumulator a cycle before
    other operands are needed.
    """
    stores, vector, slot = units.stores, units.vector, drained.slot
    vectors = vector.o_slot.valid.any()
    parameter = Mux(vector.o_follows, vector.o_parameter, drained.parameter)
    residual = Mux(vectors, vector.o_slot.res, slot.res)
    port = units.input_port
    base = part_of(port.o_current, port.channels, port.kept)
    channel = units.decode(m, slot.op, "channel", name="added_channel")
    m.d.comb += [
        stores["activations"].addr_1.eq(units.in_phase("activations", residual)),
        stores["last"].addr_1.eq(base + units.design.last_channel + channel),
    ]
    if "parameters" in stores:
        address = live_address(units, stores["parameters"], parameter)
        m.d.comb += stores["parameters"].addr_0.eq(address)
    if "sums" in stores:
        m.d.comb += stores["sums"].addr_0.eq(sums_address(units, drained.parameter))
    if "position" in stores:
        m.d.comb += stores["position"].addr_0.eq(live_address(units, stores["position"], slot.res))
    turn = drained_turn = Const(0, 1)
    if "round" in slot.shape().members:
        drained_turn = delay(m, slot.round, READ_LATENCY, name="drained_turn")
        turn = delay(m, Mux(vectors, vector.o_slot.round, slot.round), READ_LATENCY, name="turn")
    for number, post in enumerate(units.posts):
        stored = _of_round(m, units, stores["activations"].data_1, turn, number)
        m.d.comb += [
            post.i_vector.eq(vector.o_slot),
            post.i_activation.eq(stored),
            post.i_last.eq(stores["last"].data_1),
        ]
        if "parameters" in stores:
            m.d.comb += post.i_parameter.eq(stores["parameters"].data_0)
        if "sums" in stores:
            m.d.comb += post.i_sums.eq(stores["sums"].data_0)
        if "position" in stores:
            place = _of_round(m, units, stores["position"].data_0, drained_turn, number)
            m.d.comb += post.i_position.eq(place)
