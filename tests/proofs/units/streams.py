"""Stream blocks and the sequencer: none overruns, drops or waits for ever, and payload holds."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from proofs.question import Induction, Question, Reach, inside, past
from proofs.units.designs import design_of

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.timing import FETCH
from bitformer.hw.units.axi_stream import AxiStream
from bitformer.hw.units.ports import InputPort, OutputPort
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.hw.units.sequencer import Sequencer

__all__ = ["axi_stream", "input_port", "output_port", "row_queue", "sequencer"]


def input_port(steps: int, channels: int, **options) -> Question:
    """Each sample is written once, in order; none is taken beyond a window; none waits for ever.

    A window is released when it is complete, as the accelerator does.
    """
    m = Module()
    unit = InputPort(steps=steps, channels=channels, bits=4, **options)
    m.submodules.unit, named = inside(unit)
    samples, total = steps * channels, steps * channels + unit.behind
    mine, half, awake = Signal(range(total + 2)), Signal(), Signal(range(FETCH + 1))
    taken = unit.i.valid & unit.i.ready
    with m.If(awake != FETCH):
        m.d.sync += awake.eq(awake + 1)
    with m.If(taken):
        m.d.sync += mine.eq(mine + 1)
        with m.If(mine == total - 1):
            m.d.sync += half.eq(~half)
    with m.If(unit.i_release):
        m.d.sync += mine.eq(0)
    channel = Array(Const(n % channels, 8) for n in range(total + 2))[mine]
    inner, asleep = named("channel"), named("asleep")
    bad = [
        mine > total,
        unit.o_count != mine,
        inner != channel,
        named("half") != half,
        asleep != FETCH - awake,
        # ready as soon as it may be: nothing else is waited for
        unit.i.ready != ((mine < total) & (awake == FETCH)),
        unit.o_en != Mux(taken & (mine < samples), 1 << _lane(unit, mine), 0),
        (unit.o_en != 0) & (unit.o_addr != _address(unit, mine)),
        unit.o_data != unit.i.payload - (8 if unit.unsigned else 0),
        unit.o_last_en != (taken & (mine >= samples - channels) & (mine < samples)),
        unit.o_last_en & (unit.o_last_addr != Mux(half, channels, 0) + channel),
    ]
    if unit.lanes > 1:
        # the invariant of the lanes' counters
        here = Mux(mine < samples, mine, 0)
        lane, place, base = (named(name) for name in ("lane", "place", "base"))
        counted = (lane == _lane(unit, here)) & (base + place == _address(unit, here))
        counted &= place == Array(Const(n % unit.patch, 8) for n in range(samples))[here]
        bad.append((mine < samples) & ~counted)
    if unit.numbers:
        bad += [unit.o_time_en[n] != (taken & (mine == samples + n)) for n in range(unit.numbers)]
    given = ~unit.i_release | (unit.o_count == total)
    inputs = [unit.i.payload, unit.i.valid, unit.i_release, unit.i_start]
    return Question(m, Cat(bad).any(), inputs, Induction(2), given, resets=True)


def _lane(unit: InputPort, number: Value) -> Value:
    lanes = [unit.place(n)[0] for n in range(unit.steps * unit.channels)]
    return Array(Const(n, 4) for n in [*lanes, 0])[number]


def _address(unit: InputPort, number: Value) -> Value:
    places = [unit.place(n)[1] for n in range(unit.steps * unit.channels)]
    return Array(Const(n, 10) for n in [*places, 0])[number]


def output_port(
    features: int, rows: int, ways: int, placement: str, *, cycles: int = 0
) -> Question:
    """Any one element comes out once, behind those before it, and stands until it is taken.

    The queue never has more than a whole result, and words are those of rows, as the accelerator
    gives them. ``cycles``: from power-up for so many, where a row's last word is not full.
    """
    m = Module()
    bits = 2
    unit = OutputPort(features=features, rows=rows, bits=bits, ways=ways, placement=placement)
    m.submodules.unit, named = inside(unit)
    capacity = rows * features
    place, stored = Signal(range(features)), Signal(range(capacity + 3))
    valid = unit.i_valid
    count = sum((valid[way] for way in range(ways)), Const(0))
    taken = unit.o.valid & unit.o.ready
    m.d.sync += stored.eq(stored + count - taken)
    following = Signal(range(features + 3))
    m.d.comb += following.eq(place + count)
    m.d.sync += place.eq(Mux(following == features, 0, following))
    given: Value = stored + count <= capacity
    if ways == 2:
        given &= (valid == 0) | Mux(place[0], valid == 2, (valid == 1) | (valid == 3))
        given &= (valid != 3) | (place + 1 < features)
    # one element is watched, whichever: how many are before it, and what it is
    watch, upper = Signal(), Signal()
    watching, ahead, what = Signal(), Signal(range(capacity + 3)), Signal(bits)
    marks = watch & ~watching & Mux(upper, valid[ways - 1], valid[0])
    before = stored - taken + (upper & valid[0] if ways == 2 else 0)
    word = unit.i_word[bits:] if ways == 2 else unit.i_word
    element = Mux(upper & (ways == 2), word, unit.i_word[:bits])
    with m.If(marks):
        m.d.sync += [watching.eq(1), ahead.eq(before), what.eq(element)]
    with m.If(watching & taken):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += watching.eq(0)
    bad = [
        unit.o.valid != (stored != 0),
        unit.o_empty != (stored == 0),
        stored > capacity,
        watching & (ahead >= stored),
        watching & (ahead == 0) & (unit.o.payload.as_unsigned() != what),
    ]
    method: Reach | Induction = Reach(cycles, from_reset=True)
    if not cycles:
        bad += _queue_invariant(m, unit, named, stored, watching, ahead, what)
        if ways == 2:
            bad += [place >= features, named("arrived") != features - place]
        method = Induction(3)
    inputs = [unit.i_word, unit.i_valid, unit.o.ready, watch, upper]
    return Question(m, Cat(bad).any(), inputs, method, given)


def _queue_invariant(m, unit, named, stored, watching, ahead, what) -> list[Value]:
    """Return the invariant of a ring of whole words: where each element lies, and what is there."""
    bits, ways = unit.bits, unit.ways
    memory, head, tail = named("mem"), named("head"), named("tail")
    depth = memory.depth
    port = memory.read_port(domain="comb")
    ring = depth * ways
    upper, written = (named("upper"), named("arrived")) if ways == 2 else (Const(0), Const(0))
    first = Signal(range(2 * ring + 4))
    end = Signal(range(4 * ring + 4))
    odd = (unit.features - written)[0] if ways == 2 else Const(0)
    own = Signal(range(4 * ring + 4))
    place = Signal(range(ring))
    m.d.comb += [
        first.eq(head * ways + upper),
        end.eq(tail * ways + odd),
        own.eq(first + ahead),
        place.eq(Mux(own >= ring, own - ring, own)),
        port.addr.eq(place // ways if ways == 1 else place[1:]),
    ]
    kept = port.data if ways == 1 else Mux(place[0], port.data[bits:], port.data[:bits])
    distance = Mux(end >= first, end - first, end + ring - first)
    bad = [
        named("stored") != stored,
        (head >= depth) | (tail >= depth),
        Mux(stored == ring, distance != 0, distance != stored),
        watching & (kept != what),
    ]
    if ways == 2:
        left = named("left")
        bad += [left == 0, written == 0, left > unit.features, written > unit.features]
        # features are even here: a row's elements fill its words
        bad += [left[0] != upper, (unit.features - left)[0] != upper]
    return bad


def row_queue(queue: int) -> Question:
    """Statistics wait in order: any one is the queue's end when those before it are taken."""
    m = Module()
    bits = 2
    unit = RowStatistics(features=2, bits=bits, ways=1, multiplier=SERIES7.multiplier, queue=queue)
    m.submodules.unit, named = inside(unit)
    store, head, tail = named("store"), named("head"), named("tail")
    finished, result = named("finished"), named("result")
    port = store.read_port(domain="comb")
    stored = Signal(range(queue + 1))
    m.d.sync += stored.eq(stored + finished - unit.i_take)
    given = ((stored != 0) | ~unit.i_take) & ((stored + finished) <= queue)
    watch, watching, ahead = Signal(), Signal(), Signal(range(queue + 2))
    what = Signal(len(result.as_value()))
    with m.If(watch & ~watching & finished):
        m.d.sync += [watching.eq(1), ahead.eq(stored - unit.i_take), what.eq(result.as_value())]
    with m.If(watching & unit.i_take):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += watching.eq(0)
    own, distance = Signal(range(4 * queue)), Signal(range(4 * queue))
    m.d.comb += [
        own.eq(head + ahead),
        port.addr.eq(Mux(own >= queue, own - queue, own)),
        distance.eq(Mux(tail >= head, tail - head, tail + queue - head)),
    ]
    bad = [
        watching & (ahead == 0) & (unit.o_statistics.as_value() != what),
        (head >= queue) | (tail >= queue),
        Mux(stored == queue, distance != 0, distance != stored),
        watching & (ahead >= stored),
        watching & (port.data.as_value() != what),
    ]
    inputs = [unit.i_x.as_value(), unit.i_valid, unit.i_first, unit.i_last, unit.i_take, watch]
    return Question(m, Cat(bad).any(), inputs, Induction(2), given)


class _Inner(wiring.Component):
    """Stands for an accelerator: its streams do anything."""

    i: In(stream.Signature(signed(6)))
    o: Out(stream.Signature(signed(5)))

    def __init__(self):
        super().__init__()
        self.ready, self.valid, self.payload = Signal(), Signal(), Signal(signed(5))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.i.ready.eq(self.ready),
            self.o.valid.eq(self.valid),
            self.o.payload.eq(self.payload),
        ]
        return m


def axi_stream(inputs: int, results: int) -> Question:
    """Transfers pass as they are, none in a reset; TLAST ends each forecast; events, each window.

    Resets may come at any time.
    """
    m = Module()
    inner = _Inner()
    unit = AxiStream(accelerator=inner, inputs=inputs, results=results)
    m.submodules.unit, named = inside(unit)
    restart = named("restart")
    taken = unit.s_axis_tvalid & unit.s_axis_tready
    given = unit.m_axis_tvalid & unit.m_axis_tready
    counted = []
    for count, moved, name in ((inputs, taken, "ins"), (results, given, "outs")):
        mine = Signal(range(count + 1), name=name)
        with m.If(moved):
            m.d.sync += mine.eq(Mux(mine == count - 1, 0, mine + 1))
        counted.append(mine)
    here, there = counted
    ends = here == inputs - 1
    missing, unexpected = Signal(), Signal()
    m.d.sync += [
        missing.eq(taken & ends & ~unit.s_axis_tlast),
        unexpected.eq(taken & ~ends & unit.s_axis_tlast),
    ]
    was_down = Signal(init=1, reset_less=True)
    m.d.sync += was_down.eq(~unit.aresetn)
    bad = [
        restart != was_down,
        taken & restart,
        given & restart,
        unit.s_axis_tready != (inner.ready & ~restart),
        taken & ~inner.i.valid,
        inner.i.payload != unit.s_axis_tdata[:6].as_signed(),
        unit.m_axis_tvalid != (inner.valid & ~restart),
        unit.m_axis_tdata.as_signed() != inner.payload,
        unit.m_axis_tlast != (there == results - 1),
        unit.event_tlast_missing != missing,
        unit.event_tlast_unexpected != unexpected,
        (here >= inputs) | (there >= results),
    ]
    for number, mine in enumerate(counted):
        bad.append(named("number", number) != mine)
    free = [
        getattr(unit, name) for name, member in unit.signature.members.items() if member.flow is In
    ]
    free += [inner.ready, inner.valid, inner.payload]
    return Question(m, Cat(bad).any(), free, Induction(2))


def sequencer(name: str, *, resets: bool = True) -> Question:
    """A design's program: each instruction in order, in the first cycle in which it may be issued.

    That is as many cycles behind the one before as that says, with its input there and room at the
    output: it never waits for anything else.
    """
    design = design_of(name)
    program, model = design.program, design.model
    behind = model.window_size - model.input.size
    unit = Sequencer(
        program=program,
        inputs=model.input.size,
        whole_window=model.whole_window,
        behind=behind,
        rows=design.geometry.rows,
    )
    m = Module()
    m.submodules.unit, named = inside(unit)
    last = len(program.instructions) - 1
    words = Array(Const(word, program.word_bits) for word in program.words())
    m.d.comb += unit.i_word.eq(past(m, words[unit.o_addr], READ_LATENCY))
    fetch = READ_LATENCY + 2
    longest = max(i.delta for i in program.instructions)
    # cycles that are still to pass before the next
    left, index, issued = Signal(range(longest + 2), init=fetch), Signal(range(last + 2)), Signal()
    number = Signal(range(last + 2))

    def of(values) -> Value:
        return Array(Const(int(v), 16) for v in values)[index]

    ops = [program.operations[i.op] for i in program.instructions]
    needs = [
        model.input.size + behind
        if model.whole_window or ((behind or unit.rows > 1) and o.whole)
        else (i.act + o.length) * unit.rows
        for i, o in zip(program.instructions, ops, strict=True)
    ]
    waits = of([o.wait_input for o in ops]) & (unit.i_count < of(needs))
    waits |= of([o.wait_output for o in ops]) & ~unit.i_output
    issue = Signal()
    m.d.comb += issue.eq((left == 0) & ~waits)
    m.d.sync += issued.eq(issue)
    with m.If(left != 0):
        m.d.sync += left.eq(left - 1)
    with m.If(issue):
        deltas = of([i.delta for i in program.instructions])
        m.d.sync += [
            left.eq(deltas - 1),
            number.eq(index),
            index.eq(Mux(index == last, program.loop, index + 1)),
        ]
    expected = words[number]
    timer, due, waiting = named("timer"), named("due"), named("waiting")
    bad = [
        unit.o_issue != issued,
        issued & (past(m, unit.o_next.as_value(), 1) != expected),
        unit.o_matrix != (issued & Array(Const(int(o.matrix), 1) for o in ops)[number]),
        unit.o_vector != (issued & Array(Const(int(o.slots > 0), 1) for o in ops)[number]),
        # the invariant: both counters run down with the cycles that are left
        unit.o_addr != index,
        index > last,
        ~due & (timer != left),
        due & (left > waiting),
        waiting > fetch,
        ~due & (waiting > left),
        due & (waiting != left),
    ]
    # the fetch is over before the time is
    bad[-4:] = [waiting > fetch, due & (waiting < left), ~due & (timer > longest)]
    return Question(m, Cat(bad).any(), [unit.i_count, unit.i_output], Induction(8), resets=False)
