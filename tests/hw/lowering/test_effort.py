"""Other orders of the rows: fewer cycles, the same integers, the same on every machine."""

import itertools
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from reload_harness import SMALL, other_weights

from bitformer.hw import timing
from bitformer.hw.lowering import effort
from bitformer.hw.lowering import lower as lowering
from bitformer.hw.lowering.effort import better_priorities, last_output
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import crowding
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.reload import lower_reloadable, new_images
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Destination
from bitformer.hw.timetable import Schedule
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

TRIES = 60


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("etth1-96-24"), samples=16)


@pytest.fixture(scope="module")
def designs(model):
    """Without effort, and with it."""
    return lower(model), lower(model, effort=TRIES)


@pytest.fixture(scope="module")
def asked(model):
    """The rows, priorities and widths that the scheduler is given."""
    found = {}

    def note(layers, priorities, geometry):
        found.update(layers=layers, priorities=priorities, geometry=geometry)
        return schedule(layers, priorities, geometry)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "schedule", note)
        lower(model)
    return found


def order_of(design):
    return [(e.row.tensor, e.row.row, e.row.first) for e in design.schedule.events]


def test_effort_saves_cycles_and_takes_no_more_memory(designs):
    plain, better = designs
    assert better.latency < plain.latency
    assert better.interval <= plain.interval
    assert crowding(better.stores.values(), PARTS["xc7s15"]) <= (0, 0)
    assert sorted(order_of(better)) == sorted(order_of(plain))


def test_the_search_finds_what_it_found(designs):
    """A change of how it draws and weighs orders shows here."""
    assert [design.latency for design in designs] == [2818, 2707]


#: That of the first plans: weights of 4 bits throughout, and nothing beside the network.
FIRST = named_config("etth1-96-24").replace(
    linear_path=False, precision={}, default=Precision(weights=4, activations=8)
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "plain", "most"),
    [(FIRST, 2443, 2340), (named_config("grid-12-32-4"), 5529, 5480)],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_thousand_orders_save_so_much(config, plain, most):
    model = initialize(config)
    assert lower(model).latency == plain
    assert lower(model, effort=1000).latency <= most


def test_another_order_is_exact_under_back_pressure():
    model = initialize(named_config("tiny"), samples=16)
    design = lower(model, effort=TRIES)
    assert order_of(design) != order_of(lower(model))
    words = np.random.default_rng(0)
    x = words.integers(model.input.low, model.input.high + 1, (3, *model.input.shape))
    for back_pressure in (0.0, 0.4):
        result = simulate(design, x, back_pressure=back_pressure, seed=3)
        assert result.bit_exact, str(result.difference)
        assert back_pressure or result.latency[0] == design.latency


def test_the_same_effort_finds_the_same_order(model, designs):
    assert order_of(lower(model, effort=TRIES)) == order_of(designs[1])


def test_no_effort_is_the_schedulers_own_order(model, designs):
    assert order_of(lower(model, effort=0)) == order_of(designs[0])


def test_progress_comes_after_each_order(asked):
    seen = []
    better_priorities(**asked, tries=3, progress=lambda *step: seen.append(step))
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1][2].endswith(" cycles")


def test_what_takes_more_memory_is_not_taken(model, designs, monkeypatch):
    """Only what crowds the part no more than the first design is better."""
    sizes = iter([(0, 0), (0, 0)])
    monkeypatch.setattr(lowering, "crowding", lambda *_: next(sizes, (1, 0)))
    assert order_of(lower(model, effort=TRIES)) == order_of(designs[0])


def test_the_best_of_all_comes_last(asked):
    found = better_priorities(**asked, tries=TRIES)
    layers, geometry = asked["layers"], asked["geometry"]
    cycles = [schedule(layers, one, geometry).events[-1].write_last for one in found]
    assert len(found) > 1
    assert cycles[-1] == min(cycles)


def test_a_change_is_of_one_run_of_rows(asked):
    start, chance = asked["priorities"], random.Random(5)
    kinds = set()
    for _ in range(200):
        other = start.changed(chance)
        changed = {
            (kind, name, row)
            for kind in ("early", "ranks")
            for name, rows in getattr(start, kind).items()
            for row, value in enumerate(rows)
            if getattr(other, kind)[name][row] != value
        }
        assert len({(kind, name) for kind, name, _ in changed}) == 1
        rows = sorted(row for _, _, row in changed)
        assert rows == [*range(rows[0], rows[-1] + 1)]
        kinds.add((*changed,)[0][0])
    assert kinds == {"early", "ranks"}
    assert start == asked["priorities"]


def test_an_order_is_followed(asked, designs):
    again = Priorities.following(designs[1].schedule, asked["layers"])
    found = schedule(asked["layers"], again, asked["geometry"])
    assert [e.issue for e in found.events] == [e.issue for e in designs[1].schedule.events]


def test_an_order_of_other_rows_is_not_followed(asked, designs):
    name, rows = "embedding", asked["layers"]["embedding"]
    assert Priorities.following(designs[0].schedule, {**asked["layers"], name: rows[1:]}) is None
    fewer = {n: rows for n, rows in asked["layers"].items() if n != name}
    assert Priorities.following(designs[0].schedule, fewer) is None
    more = replace(designs[0].schedule, events=designs[0].schedule.events[:-1])
    assert Priorities.following(more, asked["layers"]) is None


def test_new_weights_come_in_the_order_that_was_found():
    model = initialize(SMALL, samples=16)
    design = lower_reloadable(model, lanes=2, effort=40)
    assert order_of(design) != order_of(lower_reloadable(model, lanes=2))
    other = other_weights(model)
    assert new_images(design, other, lanes=2)["weights"] != design.images["weights"]
    assert new_images(design, model, lanes=2)["weights"] == design.images["weights"]


def test_results_leave_one_a_cycle_behind_their_writes():
    def row(*writes, to=Destination.OUTPUT):
        operation = SimpleNamespace(destination=to)
        return SimpleNamespace(row=SimpleNamespace(operation=operation), writes=np.array(writes))

    def last(*events):
        return last_output(SimpleNamespace(events=events))

    assert last() == -1
    assert last(row(7)) == 7 + timing.OUTPUT
    # those that are written together wait for each other
    assert last(row(7, 7, 7), row(3)) == 7 + timing.OUTPUT + 3
    assert last(row(7, 7, 7), row(20), row(90, to=Destination.SCORE)) == 20 + timing.OUTPUT


@pytest.mark.parametrize("seed", range(4))
def test_the_best_so_far_are_returned_in_order(monkeypatch, seed):
    """Of orders of as many cycles, that whose post-processor is done earlier is the better."""
    values = [(20, 0), (22, 0), (19, 1), (19, 2), (19, 1), (18, 9), (40, 0), (18, 8)]
    orders, seen = iter(range(1, len(values))), []

    class Order:
        def __init__(self, number):
            self.number = number

        def changed(self, chance):
            return Order(next(orders))

    def timetable(layers, order, geometry):
        return SimpleNamespace(cycles=values[order.number][0], drained=values[order.number][1])

    monkeypatch.setattr(effort, "schedule", timetable)
    monkeypatch.setattr(effort, "last_output", lambda timeline: timeline.cycles)
    found = better_priorities(
        {}, Order(0), None, tries=7, seed=seed, progress=lambda *step: seen.append(step)
    )
    assert [one.number for one in found] == [2, 5, 7]
    assert [step[:2] for step in seen] == [(n, 7) for n in range(1, 8)]
    # the cycle of a last result, counted from 0
    assert [step[2] for step in seen[:2]] == ["21 cycles", "20 cycles"]


def test_orders_that_are_as_good_are_taken_though_they_end_later(monkeypatch):
    """From there others may be found that are better."""

    class Later:
        def __init__(self, drained):
            self.drained = drained

        def changed(self, chance):
            bases.append(self.drained)
            return Later(self.drained + 1)

    bases: list[int] = []
    monkeypatch.setattr(
        effort,
        "schedule",
        lambda layers, priorities, geometry: Schedule(drained=priorities.drained),
    )
    monkeypatch.setattr(effort, "last_output", lambda timeline: 7)
    assert better_priorities({}, Later(0), None, tries=9) == []
    assert bases == [*range(9)]


def test_worse_orders_are_taken_at_first_and_none_at_the_end(monkeypatch):
    class Worse:
        """Priorities each change of which costs a cycle more."""

        def __init__(self, cycles):
            self.cycles = cycles

        def changed(self, chance):
            bases.append(self.cycles)
            return Worse(self.cycles + 1)

    bases: list[int] = []
    monkeypatch.setattr(
        effort,
        "schedule",
        lambda layers, priorities, geometry: Schedule(drained=priorities.cycles),
    )
    monkeypatch.setattr(effort, "last_output", lambda timeline: timeline.drained)
    assert better_priorities({}, Worse(0), None, tries=400) == []
    taken = [later - base for base, later in itertools.pairwise(bases)]
    assert 16 < sum(taken[:40]) < 33  # exp(-1/2) of them
    assert sum(taken[-15:]) == 0
