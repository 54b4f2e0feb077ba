"""The time of token rows and post-processors, for a picture."""

import itertools

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.timeline import lane_spans, layer_use, spans
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.sim.timeline_plot import plot_timeline


@pytest.fixture(scope="module")
def design():
    return lower(initialize(named_config("etth1-96-24")), rows=4, posts=2, soft=4)


def test_no_unit_does_two_things_at_once(design):
    lines: dict[str, list] = {}
    for line, span in lane_spans(design):
        lines.setdefault(line, []).append(span)
    assert sorted(lines) == [
        *(f"post-processor {n}" for n in range(2)),
        *(f"token row {n}" for n in range(4)),
    ]
    for line, own in lines.items():
        if line.startswith("token row"):
            own.sort(key=lambda span: span.start)
            assert all(one.end <= after.start for one, after in itertools.pairwise(own))
        assert min(span.start for span in own) >= 0
        assert max(span.end for span in own) <= design.latency


def test_split_rows_take_all_token_rows_and_single_ones_their_own(design):
    split = {op.tensor for op in design.program.operations if op.split}
    assert split
    found = lane_spans(design)
    for layer in split:
        count = sum(event.row.tensor == layer for event in design.schedule.events)
        own = [line for line, span in found if (span.layer, span.unit) == (layer, "engine")]
        assert sorted(own) == sorted(f"token row {n}" for n in range(4) for _ in range(count))
        assert {line for line, span in found if span.layer == layer} > set(own)


def test_of_one_token_row_it_is_the_same_as_by_layer():
    one = lower(initialize(named_config("tiny")))
    own = [(span.layer, span.unit, span.start, span.end) for _, span in lane_spans(one)]
    assert own == [(span.layer, span.unit, span.start, span.end) for span in spans(one)]


def test_a_layers_use_is_of_all_its_rows(design):
    uses = {use.layer: use for use in layer_use(design)}
    layers = {event.row.tensor for event in design.schedule.events}
    assert uses.keys() == layers | {"(end)"}
    for layer in layers:
        own = [event for event in design.schedule.events if event.row.tensor == layer]
        assert uses[layer].rows == len(own)
        assert uses[layer].first == own[0].issue
        assert uses[layer].last == max(event.write_last for event in own)
        assert uses[layer].engine == sum(
            event.row.operation.groups * event.row.operation.length
            for event in own
            if event.row.operation.matrix
        )
        assert uses[layer].post == sum(len({*event.writes.tolist()}) for event in own)


def test_the_engine_waits_between_what_it_does():
    design = lower(initialize(named_config("tiny")))
    own = [span for span in spans(design) if span.unit == "engine"]
    assert own[0].waited == 0
    for one, after in itertools.pairwise(own):
        assert after.waited == after.start - one.end
        assert bool(after.reason) == (after.waited > 0)
    results = [span for span in spans(design) if span.unit == "post-processor"]
    for event, span in zip(design.schedule.events, results, strict=True):
        slots = {int(cycle) - design.geometry.post for cycle in event.writes}
        assert (span.start, span.end, span.waited) == (min(slots), max(slots) + 1, 0)


def test_a_picture_names_token_rows_and_layers(design, tmp_path):
    plot_timeline(design, path := tmp_path / "rows.svg")
    drawn = path.read_text()
    for name in ("token row 3", "post-processor 1", "layers.0.scores"):
        assert f"<!-- {name} -->" in drawn
