"""Which row goes first, and how a search changes that."""

import random
from types import SimpleNamespace

import pytest

from bitformer.hw.lowering.priorities import Priorities

LAYERS = {"a": [None] * 3, "b": [None] * 40}


def events(*names):
    """A timetable that issues rows of these tensors."""
    return SimpleNamespace(
        events=[SimpleNamespace(row=SimpleNamespace(tensor=name)) for name in names]
    )


def first(priorities, *rows):
    """The one of rows (tensor, row, earliest issue) that goes first."""
    return min(rows, key=lambda row: priorities.key(*row))[:2]


def test_the_earliest_goes_first_and_of_these_the_highest():
    plain = Priorities.of(LAYERS, {"a": 1, "b": 2})
    assert plain.early == {"a": (0,) * 3, "b": (0,) * 40}
    assert plain.ranks == {"a": (1.0,) * 3, "b": (2.0,) * 40}
    assert first(plain, ("a", 0, 6), ("b", 0, 7)) == ("a", 0)
    assert first(plain, ("a", 0, 7), ("b", 0, 7)) == ("b", 0)
    # cycles let a row go before one that could be issued as many cycles earlier
    early = Priorities(early={"a": (0, 5), "b": (0, 0)}, ranks={"a": (0, 0), "b": (1, 1)})
    assert first(early, ("a", 1, 12), ("b", 0, 7)) == ("b", 0)
    assert first(early, ("a", 1, 11), ("b", 0, 7)) == ("a", 1)
    assert first(early, ("a", 0, 8), ("b", 0, 7)) == ("b", 0)


def test_an_order_is_followed_however_late_its_rows_are():
    layers = {"a": [None] * 2, "b": [None] * 2}
    order = Priorities.following(events("b", "a", "a", "b"), layers)
    rows = [("b", 0, 10**9), ("a", 0, 5), ("a", 1, 0), ("b", 1, 3)]
    for place, row in enumerate(rows):
        assert first(order, *reversed(rows[place:])) == row[:2]


@pytest.mark.parametrize("names", ["ab", "aab", "abbb", "aabbc", "aabbb", ""])
def test_an_order_of_other_rows_is_not_followed(names):
    layers = {"a": [None] * 2, "b": [None] * 2}
    assert Priorities.following(events(*names), layers) is None


def test_a_change_is_of_one_run_of_rows():
    """Of cycles in one of ten, or of ranks; of some rows, or all that follow."""
    priorities = Priorities.of(LAYERS, {"a": 1, "b": 2})
    chance, cycles, lengths, ranks, tensors = random.Random(1), set(), {}, [], {}
    count = 3000
    of_cycles = 0
    for _ in range(count):
        found = priorities.changed(chance)
        changes = {
            (name, n): (early, rank - was)
            for name, rows in LAYERS.items()
            for n, (early, rank, was) in enumerate(
                zip(found.early[name], found.ranks[name], priorities.ranks[name], strict=True)
            )
            if (early, rank) != (0, was)
        }
        assert len(set(changes.values())) == 1
        ((name, start), (early, rank)), *_ = changes.items()
        assert [*changes] == [(name, start + n) for n in range(len(changes))]
        if name == "b" and start + len(changes) < len(LAYERS["b"]):
            lengths[len(changes)] = lengths.get(len(changes), 0) + 1
        tensors[name] = tensors.get(name, 0) + 1
        assert bool(early) != bool(rank)
        of_cycles += bool(early)
        cycles |= {early}
        ranks += [rank] if rank else []
    assert of_cycles / count == pytest.approx(0.1, abs=0.02)
    assert cycles - {0} == {-16, -8, -4, -2, 2, 4, 8, 16}
    assert (sum(rank**2 for rank in ranks) / len(ranks)) ** 0.5 == pytest.approx(12, rel=0.1)
    # of forty rows, from any on: the longer the run, the seldomer it ends before the last
    assert {*lengths} == {2, 4, 8, 12}
    assert lengths[2] / lengths[8] == pytest.approx(38 / 32, rel=0.25)
    # any row is as likely as another
    assert tensors["a"] / count == pytest.approx(3 / 43, abs=0.02)


def test_changes_are_of_what_was_changed_before():
    chance = random.Random(3)
    found = Priorities.of(LAYERS, {"a": 0, "b": 0})
    for _ in range(40):
        found = found.changed(chance)
    assert len({*found.early["b"]}) > 2
    assert len({*found.ranks["b"]}) > 2


class Script:
    """Chance that is known: a tensor, a row, a run, and a change of cycles or of ranks."""

    def __init__(self, tensor, row, run, share, cycles=None):
        self._choices, self._row, self._share = [tensor, run, cycles], row, share

    def choice(self, among):
        chosen = self._choices.pop(0)
        assert chosen in among
        return chosen

    def randrange(self, rows):
        assert self._row < rows
        return self._row

    def random(self):
        return self._share

    def gauss(self, mean, spread):
        return mean + 2 * spread


def test_a_change_is_added():
    was = Priorities(early={"a": (1, 2, 3)}, ranks={"a": (5.0, 6.0, 7.0)})
    found = was.changed(Script("a", 1, 2, 0.09, -8))
    assert found == Priorities(early={"a": (1, -6, -5)}, ranks=was.ranks)
    found = was.changed(Script("a", 0, 2, 0.09, 4))
    assert found == Priorities(early={"a": (5, 6, 3)}, ranks=was.ranks)
    found = was.changed(Script("a", 2, 4, 0.1))
    assert found == Priorities(early=was.early, ranks={"a": (5.0, 6.0, 31.0)})
