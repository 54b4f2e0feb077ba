"""What runs beside the main path, and how long it waits for a gap."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import beside as module
from bitformer.hw.lowering.beside import beside, patient
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.program import Destination


def row(destination=Destination.ACTIVATION):
    return SimpleNamespace(operation=SimpleNamespace(destination=destination))


TASKS = {"main": [row()], "aside": [row()] * 2, "other": [row()]}
#: Of which some rows sum for the next step.
SUMS = {"main": [row(), row(Destination.SUMS)], "aside": [row(), row(Destination.SUMS)]}


def op(y, *reads):
    return SimpleNamespace(y=y, reads=reads)


def test_what_the_first_layer_is_not_needed_for_is_beside():
    operations = [op("a", "x"), op("b", "x"), op("c", "b"), op("d", "a"), op("e", "c", "d")]
    model = SimpleNamespace(
        linears=[operations[0]],
        operations=operations,
        writers={own.y: own for own in operations},
    )
    assert beside(model) == {"b", "c"}


@pytest.fixture
def waits(monkeypatch):
    """Choose among gaps by a function of the cycles waited; return what was tried and chosen."""

    def choose(value, tensors=("aside",), tasks=TASKS):
        tried = []

        def timetable(tasks, priorities, geometry):
            tried.append(-priorities.early["aside"][0])
            latency, drained = value(tried[-1])
            return SimpleNamespace(latency=latency, drained=drained)

        monkeypatch.setattr(module, "schedule", timetable)
        monkeypatch.setattr(module, "last_output", lambda timeline: timeline.latency)
        plain = Priorities.of(tasks, dict.fromkeys(tasks, 3))
        return tried, patient(tasks, plain, tensors, None), plain

    return choose


def test_every_gap_up_to_128_cycles_is_tried(waits):
    tried, found, plain = waits(lambda cycles: (5, 5))
    assert tried == [*range(0, 129, 8)]
    # of gaps that are as good the shortest
    assert found == plain


def test_the_last_result_counts_and_then_the_end(waits):
    found = waits(lambda cycles: (abs(cycles - 64), 0))[1]
    assert found.early == {"main": (0,), "aside": (-64, -64), "other": (0,)}
    found = waits(lambda cycles: (cycles < 24, -cycles))[1]
    assert found.early["aside"] == (-128, -128)
    found = waits(lambda cycles: (cycles < 24, cycles), ("aside", "other"))[1]
    assert found.early == {"main": (0,), "aside": (-24, -24), "other": (-24,)}
    assert found.ranks == {"main": (3.0,), "aside": (3.0, 3.0), "other": (3.0,)}


@pytest.mark.parametrize("tensors", [(), ("aside",)])
def test_sums_for_the_next_step_wait_as_well_and_others_as_long_as_is_best(monkeypatch, tensors):
    tried = []

    def timetable(tasks, priorities, geometry):
        assert priorities.early["main"][0] == 0
        assert priorities.early["main"][1] == priorities.early["aside"][1]
        tried.append((-priorities.early["main"][1], -priorities.early["aside"][0]))
        sums, others = tried[-1]
        return SimpleNamespace(latency=abs(sums - 40) + abs(others - 16 * bool(tensors)), drained=0)

    monkeypatch.setattr(module, "schedule", timetable)
    monkeypatch.setattr(module, "last_output", lambda timeline: timeline.latency)
    plain = Priorities.of(SUMS, dict.fromkeys(SUMS, 3))
    found = patient(SUMS, plain, tensors, None)
    # first all wait as long, then the sums stay where that was best
    sums = tried[17][0]
    together = [(n, n * bool(tensors)) for n in range(0, 129, 8)]
    assert tried == together + [(sums, n * bool(tensors)) for n in range(0, 129, 8)]
    assert sums == 40 if not tensors else 16 <= sums <= 40
    others = 16 if tensors else 0
    assert found.early == {"main": (0, -sums), "aside": (-others, -sums)}


def test_without_anything_beside_nothing_is_tried(waits):
    tried, found, plain = waits(lambda cycles: (0, 0), ())
    assert tried == []
    assert found is plain
