# amaranth: UnusedElaboratable=no
"""Each window's time selects the rows of its tables, whenever it comes, and costs no cycle."""

from dataclasses import replace

import pytest
from amaranth.hdl import Signal

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units import table_rows
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.sim.compare import Comparison
from bitformer.sim.python_engine import run_python
from bitformer.sim.run import simulate

BOTH = ("hour", "weekday")
#: Models in which a table is at each of its places, before and after the window is released.
KINDS = {
    "patches": {"inputs": 3, "patch": 2, "window": 6},
    "whole window": {"subtract_last": True, "input_bits": 12},
    "ADC words": {"subtract_last": True, "input_bits": 10, "output_bits": 10, "adc_words": True},
    "decoder": {"decoder_layers": 1},
    "path": {"linear_path": True, "subtract_last": True},
    "mlp": {"block": "mlp", "norm": "batch"},
    "mlp, one token": {"block": "mlp", "patch": 4, "linear_path": True},
    "mixer": {"block": "mixer", "mixing": 5, "activation": "gelu"},
    "pre-norm": {"pre_norm": True, "pooling": "mean"},
}


#: One for each kind; the others are slow tests.
CHOICES = [("hour",), BOTH, ("weekday",)]
CALENDARS = {kind: CHOICES[n % 3] for n, kind in enumerate(KINDS)}
REST = [
    pytest.param(kind, calendar, marks=pytest.mark.slow)
    for kind in KINDS
    for calendar in CHOICES
    if calendar != CALENDARS[kind]
]


@pytest.mark.parametrize(("kind", "calendar"), [*CALENDARS.items(), *REST])
def test_every_tensor_is_exact_in_no_more_cycles(small_model, run, inputs_of, kind, calendar):
    model = small_model(calendar=calendar, **KINDS[kind])
    x = inputs_of(model, samples=3)
    assert len({window.tobytes() for window in x[:, model.input.rows :]}) == 3
    design, _ = run(model, x, lanes=4)
    run(model, x[:2], lanes=4, back_pressure=0.6)
    without = lower(small_model(**KINDS[kind]), lanes=4)
    behind = model.window_size - model.input.size
    if without.model.whole_window:
        assert (design.latency, design.interval) == (without.latency + behind, without.interval)
    else:
        # a row with a table no longer begins before the window's end
        most = without.latency + model.window_size
        assert without.latency <= design.latency <= most
        assert design.interval <= without.interval + model.window_size


def test_a_table_takes_the_place_of_a_bias(small_model):
    """Rows of tables of one number are side by side, the same words apart."""
    model = small_model(calendar=BOTH, linear_path=True)
    design = lower(model, lanes=4)
    operations = {op.tensor: op for op in design.program.operations}
    clocks = {name: op.clock for name, op in operations.items() if op.clock}
    assert clocks == {"embedding": 1, "output": 1, "layers.0.add1": 2, "path": 2}
    geometry = design.geometry
    assert geometry.ways == 2
    channels = {op.y: op.bias.shape[-1] for op in model.linears if op.clock is not None}
    words = {n: c if n in geometry.wide else -(-c // 2) for n, c in channels.items()}
    pairs = ("embedding", "output"), ("layers.0.add1", "path")
    assert design.strides == tuple(sum(words[name] for name in pair) for pair in pairs)
    plain = len(lower(small_model(linear_path=True), lanes=4).images["parameters"])
    tables = 24 * design.strides[0] + 7 * design.strides[1]
    assert len(design.images["parameters"]) == plain - sum(words.values()) + tables
    assert len(design.program.operations) == len(operations)


@pytest.fixture(scope="module")
def design(small_model):
    """A row with a table waits for the time in hardware, others follow it."""
    return lower(small_model(calendar=BOTH, inputs=3, linear_path=True), lanes=4)


@pytest.fixture(scope="module")
def x(design, inputs_of):
    """Windows whose times all differ, the largest among them."""
    x = inputs_of(design.model, samples=3, seed=3)
    x[:, -1, :2] = [[3, 6], [23, 0], [9, 5]]
    return x


def first_difference(design, x, mutant=None, back_pressure=0.0):
    """The tensor and the window where a mutant is first wrong; None if it is right."""
    result = simulate(
        design,
        x,
        accelerator=Accelerator(design=mutant or design),
        back_pressure=back_pressure,
        seed=1,
    )
    return None if result.bit_exact else (result.difference.tensor, result.difference.sample)


def test_the_design_itself_is_right(design, x):
    assert first_difference(design, x) is None
    assert first_difference(design, x, back_pressure=0.7) is None


def test_the_newest_time_is_not_the_running_inferences(design, x, monkeypatch):
    """The next window's time comes while this one is computed."""

    def newest(self, m, n, width):
        kept = Signal(width)
        with m.If(self.i_en[n]):
            m.d.sync += kept.eq(self.i_number)
        return kept

    monkeypatch.setattr(table_rows.TableRows, "_running", newest)
    assert first_difference(design, x) is not None


def test_no_table_is_read_before_its_time_has_come(design, x, monkeypatch):
    """Without the wait for it, a row takes the time of the window before the last."""
    operations = tuple(replace(op, whole=False) for op in design.program.operations)
    mutant = replace(design, program=replace(design.program, operations=operations))
    assert first_difference(design, x, mutant, back_pressure=0.7) is not None


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_rows_lie_a_stride_apart(design, x, number):
    strides = list(design.strides)
    strides[number] += 1
    tensor, _ = first_difference(design, x, replace(design, strides=tuple(strides)))
    assert tensor in (("embedding", "output"), ("layers.0.add1", "path"))[number]


OTHER = [("embedding", 0), ("layers.0.add1", 1), ("path", 0), ("output", 2)]
SLOW = [("embedding", 2), ("layers.0.add1", 0), ("path", 1), ("output", 0)]


@pytest.mark.parametrize(
    ("tensor", "clock"), [*OTHER, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)]
)
def test_each_layer_has_its_own_number(design, x, tensor, clock):
    operations = tuple(
        replace(op, clock=clock) if op.tensor == tensor else op for op in design.program.operations
    )
    mutant = replace(design, program=replace(design.program, operations=operations))
    assert first_difference(design, x, mutant)[0] == tensor


@pytest.mark.parametrize("bits", [6, pytest.param(16, marks=pytest.mark.slow)])
def test_a_number_that_is_no_row_selects_row_0(small_model, inputs_of, bits):
    model = small_model(calendar=BOTH, inputs=1, subtract_last=True, input_bits=bits)
    design, spec = lower(model, lanes=4), model.input
    wrong = [(24, 7), (31, 8), (-1, spec.low), (spec.high, spec.high), (5, 7), (24, 3)]
    x = inputs_of(model, samples=len(wrong))
    x[:, -2:, 0] = wrong
    # what goes in is x, what must come out is of row 0
    zeros = x.copy()
    zeros[:, -2:, 0] = [(0, 0)] * 4 + [(5, 0), (0, 3)]
    comparison = Comparison(design, zeros, lambda part: reference.run(model, part))
    run_python(Accelerator(design=design), x.reshape(len(x), -1), comparison)
    assert comparison.difference is None


def test_rows_of_the_next_window_are_not_waited_for(small_model):
    """A row that does not read the window comes after one that waited for its time."""
    model = small_model(calendar=("weekday",), block="mlp")
    design = lower(model, lanes=4)
    events = design.schedule.events
    waited = [n for n, e in enumerate(events) if e.row.needed_inputs == model.window_size]
    tables = [n for n, e in enumerate(events) if e.row.operation.clock]
    assert len(tables) == model.config.window
    assert waited
    assert min(tables) > min(waited)
    assert not any(events[n].row.operation.wait_input for n in tables)


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_many_times_natively(small_model, inputs_of, run_design):
    """Every row of every table is in use."""
    model = small_model(calendar=BOTH, inputs=3, decoder_layers=1, subtract_last=True)
    design, x = lower(model), inputs_of(model, samples=600)
    assert len({(hour, day) for hour, day in x[:, -1, :2].tolist()}) > 160
    run_design(design, x, engine="native")
    run_design(design, x[:60], engine="native", back_pressure=0.5)


@pytest.mark.slow
@pytest.mark.needs("yosys")
@pytest.mark.parametrize("subtracts", [False, True])
def test_the_netlist_has_the_tables(small_model, inputs_of, subtracts):
    from bitformer.synth.synthesize import synthesized_netlist

    model = small_model(calendar=BOTH, inputs=3, subtract_last=subtracts, linear_path=True)
    design = lower(model, lanes=4)
    x = inputs_of(model, samples=3)
    x[:, -1, :2] = [[3, 6], [23, 0], [17, 5]]
    netlist = synthesized_netlist(design)
    for back_pressure in (0.0, 0.4):
        result = simulate(design, x, engine="netlist", netlist=netlist, back_pressure=back_pressure)
        assert result.bit_exact
        assert result.cycles_as_predicted in (True, None)
