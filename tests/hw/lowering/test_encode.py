"""What rows need of each store, and the instructions that events become."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from bitformer.hw import timing
from bitformer.hw.lowering import encode
from bitformer.hw.lowering.allocate import FOREVER, Lifetime
from bitformer.hw.lowering.encode import Encoder, memory_blocks, store_of
from bitformer.hw.program import Addend, Destination, MachineOperation, Source
from bitformer.hw.timetable import Event, Read, RowTask, Schedule
from bitformer.model.errors import UserError
from bitformer.model.tensor import Tensor

ACTIVATION, SCORE, KEY, VALUE, OUTPUT, SUMS = Destination


@dataclass(kw_only=True)
class Units:
    """As much of a geometry as addresses depend on."""

    ways: int = 2
    rows: int = 1
    dynamic_slots: int = 4
    dynamic_parts: int = 1
    score_pitch: int = 8
    value_pitch: int = 16
    pair_bits: int = 3
    post: int = 5
    wide_rows: frozenset = frozenset()

    def words(self, spec):
        return spec.features if spec.name in self.wide_rows else -(-spec.features // self.ways)


def life(number):
    return Lifetime(write=number, issued=number, read=100 + number, last_reader=200 + number)


def blocks_of(monkeypatch, spec, destination, *, flat=False, column=False, heads=None, **units):
    """The blocks of one tensor, by its store; row n lives as ``life(n)``."""
    rows, features = spec
    tensor = Tensor(name="t", rows=rows, features=features, bits=8, exponent=0)
    lives = {("t", n): life(n) for n in range(rows)}
    monkeypatch.setattr(encode, "lifetimes", lambda events: lives)
    reader = SimpleNamespace(x="t", transposed=column, is_flat=lambda tensors: flat)
    writer = SimpleNamespace(**({"heads": heads} if heads else {}))
    model = SimpleNamespace(tensors={"t": tensor}, linears=[reader], writers={"t": writer})
    operation = SimpleNamespace(destination=destination)
    event = SimpleNamespace(row=SimpleNamespace(tensor="t", operation=operation))
    # sums that are kept for it lie elsewhere
    kept = SimpleNamespace(
        row=SimpleNamespace(tensor="t", operation=SimpleNamespace(destination=SUMS))
    )
    found = memory_blocks(model, SimpleNamespace(events=[kept, event, kept]), Units(**units))
    assert [*found] == ["activations", "scores", "dynamic"]
    named = {name: own for name, own in found.items() if own}
    assert len(named) <= 1
    for own in (block for blocks in named.values() for block in blocks):
        first, last = own.numbers[0], own.numbers[-1]
        whole = own.lives.write, own.lives.issued, own.lives.read, own.lives.last_reader
        if own.rows == 1 and own.key == ("t", 0) and destination is KEY:
            last = rows - 1
        assert whole == (first, first, 100 + last, 200 + last)
    return {
        name: [(b.key[1], b.words, b.align, b.rows, b.pitch, b.lanes, b.step) for b in own]
        for name, own in named.items()
    }


@pytest.mark.parametrize(
    ("spec", "destination", "options", "found"),
    [
        # a row by itself: half as many words as features
        ((3, 5), ACTIVATION, {}, ("activations", [(n, 3, 1, 1, 0, 1, 1) for n in range(3)])),
        (
            (2, 5),
            ACTIVATION,
            {"wide_rows": frozenset("t")},
            ("activations", [(n, 5, 1, 1, 0, 1, 1) for n in range(2)]),
        ),
        # rows that are read in line, or by columns, lie in line
        ((3, 6), ACTIVATION, {"flat": True}, ("activations", [(0, 9, 1, 3, 3, 1, 1)])),
        ((3, 5), ACTIVATION, {"column": True}, ("activations", [(0, 9, 1, 3, 3, 1, 1)])),
        # logits are as far apart as the longest of them, and begin at a multiple of that
        ((2, 5), SCORE, {}, ("scores", [(n, 8, 8, 1, 0, 1, 1) for n in range(2)])),
        # of keys a word has a feature of several; of values several features of one
        ((9, 5), KEY, {}, ("dynamic", [(0, 15, 1, 1, 0, 1, 1)])),
        ((8, 5), KEY, {}, ("dynamic", [(0, 10, 1, 1, 0, 1, 1)])),
        ((3, 5), VALUE, {}, ("dynamic", [(0, 6, 1, 3, 2, 1, 1)])),
        ((3, 4), VALUE, {}, ("dynamic", [(0, 3, 1, 3, 1, 1, 1)])),
    ],
)
def test_what_a_tensor_needs(monkeypatch, spec, destination, options, found):
    name, blocks = found
    assert blocks_of(monkeypatch, spec, destination, **options) == {name: blocks}


@pytest.mark.parametrize(
    ("spec", "destination", "options", "found"),
    [
        # token rows side by side, four in a block
        (
            (6, 5),
            ACTIVATION,
            {},
            ("activations", [(0, 3, 1, 4, 0, 4, 1), (4, 3, 1, 2, 0, 4, 1)]),
        ),
        ((6, 6), ACTIVATION, {"flat": True}, ("activations", [(0, 6, 1, 6, 3, 4, 1)])),
        # of logits of two heads, those of each
        (
            (12, 5),
            SCORE,
            {"heads": 2},
            (
                "scores",
                [
                    (0, 8, 8, 4, 0, 4, 2),
                    (1, 8, 8, 4, 0, 4, 2),
                    (8, 8, 8, 2, 0, 4, 2),
                    (9, 8, 8, 2, 0, 4, 2),
                ],
            ),
        ),
        ((6, 5), SCORE, {}, ("scores", [(0, 8, 8, 4, 0, 4, 1), (4, 8, 8, 2, 0, 4, 1)])),
        ((6, 5), KEY, {"dynamic_parts": 2}, ("dynamic", [(0, 6, 1, 6, 0, 6, 1)])),
        ((3, 6), KEY, {"dynamic_parts": 4}, ("dynamic", [(0, 2, 1, 3, 0, 3, 1)])),
        # of values the last tile takes what it has
        ((6, 9), VALUE, {"dynamic_parts": 2}, ("dynamic", [(0, 35, 1, 6, 0, 6, 1)])),
        ((5, 4), VALUE, {"dynamic_parts": 2}, ("dynamic", [(0, 3, 1, 5, 0, 5, 1)])),
    ],
)
def test_what_a_tensor_needs_in_lanes(monkeypatch, spec, destination, options, found):
    name, blocks = found
    assert blocks_of(monkeypatch, spec, destination, rows=4, **options) == {name: blocks}


def test_two_token_rows_have_lanes(monkeypatch):
    found = blocks_of(monkeypatch, (3, 5), ACTIVATION, rows=2)
    assert found == {"activations": [(0, 3, 1, 2, 0, 2, 1), (2, 3, 1, 1, 0, 2, 1)]}


@pytest.mark.parametrize("rows", [1, 4])
def test_results_that_leave_take_no_memory(monkeypatch, rows):
    assert blocks_of(monkeypatch, (3, 5), OUTPUT, rows=rows) == {}


@pytest.mark.parametrize("rows", [1, 4])
def test_odd_rows_would_leave_gaps_in_a_line(monkeypatch, rows):
    for wrong in ({}, {"ways": 3}):
        with pytest.raises(UserError, match=r"^tensor t must have an even number of features to"):
            blocks_of(monkeypatch, (3, 5), ACTIVATION, flat=True, rows=rows, **wrong)
    for right in ({"wide_rows": frozenset("t")}, {"ways": 1}):
        blocks_of(monkeypatch, (3, 5), ACTIVATION, flat=True, rows=rows, **right)
    blocks_of(monkeypatch, (3, 5), SCORE, flat=True, rows=rows)


def test_stores_of_destinations():
    assert [store_of(one) for one in (ACTIVATION, SCORE, KEY, VALUE)] == [
        "activations",
        "scores",
        "dynamic",
        "dynamic",
    ]
    assert FOREVER.read > 1 << 60


ADDRESSES = {("t", n): 20 + 5 * n for n in range(8)} | {("x", n): 50 + 3 * n for n in range(8)}


def encoder(addresses=ADDRESSES, *, features=6, adds=None, weights_from=None, **units):
    spec = Tensor(name="t", rows=8, features=features, bits=8, exponent=0)
    writer = SimpleNamespace(weights_from=weights_from, adds_tensor=adds)
    model = SimpleNamespace(tensors={"t": spec}, writers={"t": writer})
    return Encoder(
        plan=SimpleNamespace(model=model, geometry=Units(**units)),
        addresses=addresses,
        weights={"t": 100},
        parameters={"t": 30},
    )


def task(row=0, reads=(), start=0, first=0, **fields):
    op = MachineOperation(tensor="t", **fields)
    return RowTask(
        tensor="t", row=row, operation=op, features=6, reads=tuple(reads), start=start, first=first
    )


def event(issue, **fields):
    return Event(row=task(**fields), issue=issue, reason="", writes=None)


def test_deltas_lead_from_row_to_row_and_to_the_next_inference():
    own = encoder()
    events = [event(0, source=Source.INPUT), event(7, source=Source.INPUT), event(19)]
    timeline = Schedule(events=events, drained=40)
    assert own.end(timeline) == 45 + timing.TAIL
    program = own.program(timeline)
    assert [one.delta for one in program.instructions] == [7, 12, 26 + timing.TAIL]
    # the last row that reads the window gives its place to the next one
    released = [program.operations[one.op].release_input for one in program.instructions]
    assert released == [False, True, False]


def test_equal_operations_have_one_number():
    own = encoder()
    events = [
        event(0, source=Source.INPUT, matrix=True, weight_base=5, parameters=2),
        event(3, row=1, first=4, shift=2),
        event(6, row=2, shift=2),
    ]
    found = own.instructions(events, 10)
    assert [(one.op, one.row, one.first) for one in found] == [(0, 0, 0), (1, 1, 4), (1, 2, 0)]
    first, second = own.operations
    assert (first.weight_base, first.parameters) == (105, 32)
    # what multiplies nothing has no weights
    assert (second.weight_base, second.parameters) == (0, 30)


def test_an_operation_without_parameters_has_none():
    own = encoder()
    own.parameters.clear()
    own.instructions([event(0, source=Source.INPUT)], 9)
    assert own.operations[0].parameters == 0


def test_keys_in_the_place_of_weights_begin_at_their_address():
    for parts in (1, 2):
        own = encoder({**ADDRESSES, ("k", 0): 12}, weights_from="k", dynamic_parts=parts)
        events = [event(0, source=Source.INPUT, matrix=True, weight_base=3)]
        own.instructions(events, 9)
        assert own.operations[0].weight_base == 12 * parts + 3


def only(row, **options):
    """The instruction of a row, beside one that reads the window."""
    own = encoder(ADDRESSES, **options)
    events = [event(0, source=Source.INPUT), Event(row=row, issue=4, reason="", writes=None)]
    return own.instructions(events, 9)[1]


@pytest.mark.parametrize(
    ("fields", "options", "address"),
    [
        ({"row": 3, "destination": OUTPUT}, {}, 0),
        ({"row": 3, "destination": SUMS}, {}, 0),
        ({"row": 3}, {}, 35),
        ({"row": 3, "first": 4}, {}, 37),
        ({"row": 3, "first": 4, "wide_y": True}, {}, 39),
        ({"row": 3, "first": 4, "destination": SCORE}, {"ways": 1}, 39),
        ({"row": 3, "destination": VALUE}, {}, 35),
        # of keys the word, and below it the place in it: of four, of five, of one
        ({"row": 6, "destination": KEY}, {}, (20 + 6) << 2 | 2),
        ({"row": 6, "destination": KEY}, {"dynamic_slots": 5}, (20 + 6) << 3 | 1),
        ({"row": 2, "destination": KEY}, {"dynamic_slots": 1}, (20 + 12) << 1),
        # in lanes: below it the words of results of a row
        ({"row": 4, "destination": VALUE}, {"rows": 2, "dynamic_parts": 4}, (40 + 1) << 3),
        (
            {"row": 6, "destination": KEY},
            {"rows": 2, "dynamic_parts": 4},
            ((50 + 1 * 2) * 2 + 1) << 3,
        ),
        ({"row": 4}, {"rows": 2}, 40),
    ],
)
def test_where_results_go(fields, options, address):
    assert only(task(**fields), **options).dst == address


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"matrix": False, "start": 4}, 0),
        ({"source": Source.ONE, "start": 4}, 0),
        ({"source": Source.INPUT, "start": 4}, 4),
        ({"start": 4}, 2 * 56 + 4),
        ({"start": 4, "wide_x": True}, 2 * 56 + 8),
        ({"source": Source.SCORE}, 2 * 56),
    ],
)
def test_what_the_engine_reads_first(fields, address):
    fields = {"matrix": True, "reads": [Read(tensor="x", row=2)], **fields}
    assert only(task(**fields)).act == address


def test_what_the_post_processor_reads_first():
    reads = [Read(tensor="x", row=2), Read(tensor="x", row=4, post=True)]
    assert only(task(reads=reads)).res == 62
    assert only(task(reads=reads[:1])).res == 0
    assert only(task(row=3, addend=Addend.POSITION), adds="x").res == 59
