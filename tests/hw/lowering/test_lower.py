"""What lowering chooses and derives: shifts, bounds, packing, the program, its mistakes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from design_strategies import models, several
from hypothesis import given
from hypothesis import strategies as st

from bitformer.hw import timing
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering import lower as lower_module
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lowering.shifts import common_shifts
from bitformer.hw.program import Destination, Instruction, MachineOperation, Program, Source
from bitformer.hw.timetable import Schedule
from bitformer.model import ir, numerics, reference
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.operations.linear import rows_of
from bitformer.model.precision import Precision

MULTIPLIER = SERIES7.multiplier


@pytest.fixture(scope="module")
def design():
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
    return lower(initialize(config, samples=8), lanes=4)


@several(25)
@given(models())
def test_common_shifts_leave_every_result_as_it_is(case):
    """Requantization with the shift that lowering chooses, on the operands of a real run."""
    model = case.make()
    found = common_shifts(Batch.of(model), MULTIPLIER)[0]
    shifts = dict(zip(model.writers, found, strict=True))
    rng = np.random.default_rng(0)
    scores = [op for op in model.operations if isinstance(op, ir.Scores)]
    for op in model.operations:
        if isinstance(op, ir.SubtractLast):
            assert shifts[op.y] == 0
            continue
        power = shifts[op.y] - op.shift
        u = rng.integers(-(2**20), 2**20, 200)
        multiplier = np.max(getattr(op, "multiplier", 0)) if hasattr(op, "multiplier") else 1
        r = rng.integers(-128, 128, 200)
        shift = getattr(op, "offset_shift", getattr(op, "beta_shift", 0))
        if isinstance(op, ir.Linear) and op.residual:
            shift = op.residual.shift
        addend = r << shift
        if isinstance(op, (ir.Scores, ir.Pool)) or (isinstance(op, ir.Linear) and not op.residual):
            addend = r * 0
        limits = (-(2**30), 2**30)
        if isinstance(op, ir.Attend):
            # the one unit for reciprocals has the headroom of the longest row of keys
            own = model.tensors[op.v].rows
            longest = max(model.tensors[o.y].features for o in scores)
            total = rng.integers(255, 255 * own + 1, 200)
            before = numerics.requantize(
                u, numerics.reciprocal(total, own), 0, op.shift, 0, *limits
            )
            after = numerics.requantize(
                u, numerics.reciprocal(total, longest), 0, shifts[op.y], 0, *limits
            )
            assert np.array_equal(before, after)
            continue
        if isinstance(op, ir.LayerNorm):
            # as many bits as the exponent of the widest normalised row has more
            widths = [
                numerics.norm_width(model.tensors[o.x].features, model.tensors[o.x].bits)
                for o in (op, *(o for o in model.operations if isinstance(o, ir.LayerNorm)))
            ]
            assert power == (max(widths) - widths[0]) // 2
            continue
        scaled = int(multiplier) << power if power >= 0 else int(multiplier) >> -power
        moved = addend << power if power >= 0 else addend >> -power
        before = numerics.requantize(u, int(multiplier), addend, op.shift, 0, *limits)
        after = numerics.requantize(u, scaled, moved, shifts[op.y], 0, *limits)
        assert np.array_equal(before, after)
        assert abs(scaled) < 1 << (numerics.MULTIPLIER_BITS - 1)


@several(40)
@given(models())
def test_bounds_hold_for_the_sums_of_a_run(case):
    model = case.make()
    rng = np.random.default_rng(0)
    spec = model.input
    x = model.random_windows(rng, 16)
    x[0, : spec.rows], x[1, : spec.rows] = spec.low, spec.high
    values = reference.run(model, x)
    for op in model.operations:
        if isinstance(op, ir.Linear):
            read = values[op.x].swapaxes(1, 2) if op.transposed else values[op.x]
            flat = read.reshape(len(x), -1)[:, op.start :]
            inputs, number = op.weight.shape[1], model.tensors[op.y].rows // op.parts
            rows = rows_of(flat, inputs, op.step)[:, :number]
            dot = rows @ op.weight.T
            bound = op.bound(model.tensors)
            assert np.abs(dot).max() <= bound.dot
            tables = op.bias.reshape(-1, 1, 1, op.bias.shape[-1])  # any row, at any time
            assert np.abs(dot + tables).max() <= bound.total


def test_bound_is_reached():
    """A row of weights meets the inputs that make most of it."""
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
    model = initialize(config, samples=8)
    op = model.operations[0]
    x = model.tensors[op.x]
    sums = [np.where(sign * op.weight > 0, x.high, x.low) * op.weight for sign in (1, -1)]
    reached = max(np.abs(s.sum(axis=1)).max() for s in sums)
    assert op.bound(model.tensors).dot == reached


def test_packing_is_refused_where_the_low_sum_does_not_fit():
    config = TransformerConfig(
        name="wide", window=4, d_model=8, ffn=64, norm="batch", pooling="mean"
    )
    model = initialize(config, samples=8)
    packing = choose_packing(Batch.of(model), 16, True, MULTIPLIER)[0]
    for op in model.operations:
        if op.matrix:
            fits = op.bound(model.tensors).dot < 1 << (packing.shift - 1)
            assert not packing.packed[op.y] or fits
    assert not packing.packed["layers.0.add2"]
    narrow = initialize(config.replace(default=Precision(weights=4, activations=8)), samples=8)
    batch = Batch.of(narrow)
    assert choose_packing(batch, 16, True, MULTIPLIER)[0].packed["layers.0.add2"]
    assert not choose_packing(batch, 16, False, MULTIPLIER).packed.any()


@given(
    st.lists(
        st.builds(
            Instruction,
            op=st.integers(0, 4),
            delta=st.integers(1, 1000),
            act=st.integers(0, 5000),
            dst=st.integers(0, 300),
            res=st.integers(0, 1),
        ),
        min_size=1,
        max_size=20,
    )
)
@several(50)
def test_program_words_hold_their_instructions(instructions):
    program = Program(operations=(MachineOperation(),) * 5, instructions=tuple(instructions))
    for instruction, word in zip(instructions, program.words(), strict=True):
        assert word < 1 << program.word_bits
        for field in program.layout():
            width = program.width(field)
            assert word & ((1 << width) - 1) == program.encoded(instruction, field)
            word >>= width


def test_fields_of_operations_are_named():
    program = Program(
        operations=(MachineOperation(shift=3), MachineOperation()),
        instructions=(Instruction(op=0),),
    )
    assert program.values("shift") == [3, 0]
    with pytest.raises(
        ValueError, match=r"^Field must be one of a MachineOperation's, not 'speed'$"
    ):
        program.values("speed")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "xc7z020"}, r"^part must be one of xc7s6, .*, not 'xc7z020'$"),
        ({"lanes": 0}, r"^lanes must be at least 1, not 0$"),
        (
            {"placement": {"wieghts": "block"}},
            r"^placement must name a store of .*, not 'wieghts': did you",
        ),
        (
            {"placement": {"weights": "flash"}},
            r"^placement of weights must be one of .*, not 'flash'$",
        ),
    ],
)
def test_mistakes_are_named(design, options, message):
    with pytest.raises(UserError, match=message):
        lower(design.model, **options)


def test_narrow_weights_take_no_more_room_beside_wide_ones():
    """A tenth of the bits is padding, though one layer is four times as wide as the others."""
    config = TransformerConfig(
        name="mixed",
        window=8,
        patch=4,
        horizon=8,
        d_model=32,
        ffn=64,
        default=Precision(weights=2, activations=6),
        precision={"Loutput": Precision(weights=8, activations=8)},
    )
    design = lower(initialize(config, samples=8))
    layers = [op for op in design.model.operations if isinstance(op, ir.Linear)]
    needed = sum(op.weight.size * op.weight_bits for op in layers)
    assert len(design.images["weights"]) * design.geometry.weights.bits < 1.1 * needed
    narrow = lower(initialize(config.replace(precision={}), samples=8))
    assert design.interval < 1.2 * narrow.interval


@pytest.mark.parametrize("shift", [47, 48])
def test_a_zero_point_beyond_the_accumulator_is_refused(shift):
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
    model = initialize(config, samples=8)
    name = "layers.0.hidden"
    hidden = replace(model.tensors[name], bits=16, zero=-(1 << 15))
    operations = tuple(replace(op, shift=shift) if op.y == name else op for op in model.operations)
    far = replace(model, tensors={**model.tensors, name: hidden}, operations=operations)
    with pytest.raises(UserError, match=r"^post-processor must stay within 48 bits, not need 6\d$"):
        lower(far)


@pytest.mark.parametrize(("rows", "posts"), [(4, 1), (4, 2), (2, 1)])
def test_a_post_processor_takes_its_rows_of_a_group_without_a_gap(rows, posts):
    config = named_config("tiny").replace(d_model=8, ffn=12, linear_path=False)
    design = lower(initialize(config, samples=8), rows=rows, posts=posts, lanes=8 * rows)
    partial = 0
    for event in design.schedule.events:
        op, turns = event.row.operation, -(-event.row.count // posts)
        if op.matrix and turns > 1:
            last = sorted({*event.writes.tolist()})[-turns * op.last_columns :]
            assert last == [*range(last[0], last[0] + turns * op.last_columns)]
            partial += op.groups > 1 and op.last_columns < op.columns
    assert partial


def row_of(*, issue=0, writes=(), last=0, needed=0, **fields):
    operation = MachineOperation(**fields)
    return SimpleNamespace(
        row=SimpleNamespace(operation=operation, needed_inputs=needed),
        issue=issue,
        writes=np.array(writes),
        engine_last=last,
    )


READS = {"source": Source.INPUT, "wait_input": True}
LEAVES = {"destination": Destination.OUTPUT}


@pytest.mark.parametrize(
    ("decides", "later"),
    [({}, 0), ({"decision": True}, timing.CHOICE), ({"detector": True}, timing.JUDGE)],
)
@pytest.mark.parametrize(
    ("cycles", "issue", "engine", "interval"),
    [
        # as long as the program is, as samples wait, or as results are in their queue
        (300, 90, 30, 300),
        (33, 90, 30, 33),
        (31, 90, 30, 30 + 2),
        (20, 72, 30, 30 + 2),
        (20, 71, 30, 104 - 71),
        (20, 40, 30, 104 - 40),
        (20, 90, 88, 88 + 2),
    ],
)
def test_an_inference_follows_the_one_before(decides, later, cycles, issue, engine, interval):
    """Results leave one a cycle, the first one ``OUTPUT`` behind its write."""
    events = [
        row_of(issue=10, last=30, needed=5, **READS),
        row_of(issue=3, last=engine, needed=5, **READS),
        row_of(issue=0, last=20, needed=9, source=Source.INPUT),
        row_of(issue=issue, writes=[98, 99, 99], wait_output=True, **LEAVES),
        row_of(issue=101, writes=[100, 101], **LEAVES),
        row_of(issue=102, writes=[500]),
    ]
    # 99, 100, 101, 102 and 103
    assert timing.OUTPUT == 1
    timeline = Schedule(events=events)
    model = SimpleNamespace(**{"decision": None, "detector": None, **decides})
    found = lower_module._cycles(timeline, SimpleNamespace(cycles=cycles), model)
    assert found == (104 + later, interval)


def test_a_design_that_is_as_fast_is_no_slower():
    def design(latency, interval):
        return SimpleNamespace(latency=latency, interval=interval)

    for found, so in (((5, 7), True), ((4, 7), True), ((6, 7), False), ((5, 8), False)):
        assert lower_module._no_slower(design(*found), design(5, 7)) == so
