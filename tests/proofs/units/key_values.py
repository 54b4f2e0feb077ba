"""The writer of keys and values: each element in its word and slot, in its cycle."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from proofs.question import Induction, Question, inside

from bitformer.hw.units.key_value_writer import KeyValueWriter

__all__ = ["key_value_writer"]

#: Bits of an element, and elements that a row has at most.
_BITS, _LONGEST = 2, 16
_ADDRESS = 4


def key_value_writer(ways: int, slots: int, queue: int) -> Question:
    """A value's elements go across slots a cycle later, a key's down the words, one a cycle.

    As lowering's schedule gives them: no results of keys and of values in a cycle in which a key is
    written, no key before the one before is written, and no more words than the queue holds.
    """
    m = Module()
    unit = KeyValueWriter(
        queue=queue,
        ways=ways,
        slots=slots,
        bits=_BITS,
        depth=1 << _ADDRESS,
        result_bits=_BITS + 1,
        dst_bits=_ADDRESS + (slots - 1).bit_length(),
    )
    m.submodules.unit, named = inside(unit)
    valid = unit.i_valid
    value, key = unit.i_value & valid.any(), unit.i_key & valid.any()
    y = Cat(unit.i_y[way][:_BITS] for way in range(ways))

    # a value: how many elements came before, of its row
    index, base, begun = Signal(range(2 * _LONGEST)), Signal(_ADDRESS), Signal()
    here = Mux(unit.i_first, 0, index)
    start = Mux(unit.i_first, unit.i_dst, base)[:_ADDRESS]
    with m.If(value):
        m.d.sync += [index.eq(here + Mux(valid[-1], ways, 0)), base.eq(start), begun.eq(1)]

    # a key: words that wait, the first of them in hand, and which of its elements is written
    depth = queue + 1
    come = Cat(valid, unit.i_first, y)
    words = [Signal(len(come), name=f"word_{k}") for k in range(depth + 1)]
    count, second = Signal(range(depth + 2)), Signal()
    row, feature = Signal.like(unit.i_dst), Signal(_ADDRESS)
    started, going = Signal(), Signal()
    writes = count != 0
    own = words[0][:ways]
    pops = writes & (second | ~own.all()) if ways == 2 else writes
    m.d.sync += [count.eq(count + key - pops), second.eq(writes & ~pops)]
    for k in range(depth):
        comes = key & (count - pops == k)
        m.d.sync += words[k].eq(Mux(comes, come, Mux(pops, words[k + 1], words[k])))
    with m.If(writes):
        m.d.sync += [feature.eq(feature + 1), going.eq(1)]
    with m.If(key):
        m.d.sync += started.eq(1)
        with m.If(unit.i_first):
            m.d.sync += [row.eq(unit.i_dst), feature.eq(0), going.eq(0)]
    given = ~(key & value) & ~(value & writes) & (count + key <= depth)
    given &= ~value | ((unit.i_first | begun) & (here <= _LONGEST))
    given &= ~key | Mux(unit.i_first, ~writes, started)

    elements = [words[0][ways + 1 + _BITS * way :][:_BITS] for way in range(ways)]
    upper = second | ~own[0] if ways == 2 else Const(0)
    slot_bits = max(1, (slots - 1).bit_length())
    expected = {
        "addr": Mux(writes, (row >> slot_bits) + feature, start + _of(here, slots, quotient=True)),
        "en": Mux(
            writes,
            1 << row[:slot_bits],
            Mux(value, valid << _of(here, slots, quotient=False), 0),
        ),
        "write": writes | value,
        "data": Mux(
            writes,
            Mux(upper, elements[-1], elements[0]).replicate(slots),
            y.replicate(slots // ways),
        ),
    }
    wrong: list[Value] = []
    ports = {"en": unit.o_en, "write": unit.o_write, "addr": unit.o_addr, "data": unit.o_data}
    late = {}
    for name, what in expected.items():
        late[name] = Signal(len(ports[name]), name=f"late_{name}")
        m.d.sync += late[name].eq(what)
    wrong += [unit.o_en != late["en"], unit.o_write != late["write"]]
    wrong += [unit.o_write & (unit.o_addr != late["addr"])]
    wrong += [
        unit.o_en[n] & (unit.o_data.word_select(n, _BITS) != late["data"].word_select(n, _BITS))
        for n in range(slots)
    ]
    # the invariant: what waits, and where each row is
    first = words[0][ways]
    wrong += [count > depth, named("busy") != writes, named("second") != second]
    wrong += [second & ~writes, writes & (named("hand").as_value() != words[0])]
    wrong += [writes & ~own.any(), second & ~own.all()]
    wrong += [writes & ~started, started & (named("dst") != row)]
    wrong.append(started & ~going & ~(writes & first & ~second & (feature == 0)))
    wrong.append(going & writes & first & ~second)
    wrong.append(going & (named("feature") != ((row >> slot_bits) + feature)[:_ADDRESS]))
    wrong.append(going & (named("slot", -1) != row[:slot_bits]))
    wrong += [index > _LONGEST + ways, index % ways != 0]
    wrong += [begun & (named("place") != _of(index, slots, quotient=False))]
    wrong += [begun & (named("word") != (base + _of(index, slots, quotient=True))[:_ADDRESS])]
    wrong += _queued(m, named, words, count, queue)
    inputs = [unit.i_y.as_value(), unit.i_valid, unit.i_first, unit.i_key, unit.i_value, unit.i_dst]
    return Question(m, Cat(wrong).any(), inputs, Induction(2), given)


def _of(index: Value, slots: int, *, quotient: bool) -> Value:
    """Return the word or the slot of a row's element, by a table."""
    values = [n // slots if quotient else n % slots for n in range(2 * _LONGEST)]
    return Array(Const(n, _ADDRESS) for n in values)[index]


def _queued(m: Module, named, words, count: Value, queue: int) -> list[Value]:
    """Return where the queue has other words than wait behind the one in hand."""
    if not queue:
        return []
    head, tail, store = named("head"), named("tail"), named("queue")
    ring = len(head)
    distance = Signal(ring)
    m.d.comb += distance.eq(tail - head)
    wrong = [distance != Mux(count == 0, 0, count - 1)]
    for k in range(queue):
        port = store.read_port(domain="comb")
        m.d.comb += port.addr.eq(head + k)
        wrong.append((count > k + 1) & (port.data.as_value() != words[k + 1]))
        # a row's first word comes when none waits
        wrong.append((count > k + 1) & (port.data.first | ~port.data.valid.any()))
    return wrong
