"""Queues are as deep as a schedule fills them: shallower ones lose what waits."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.hw import queues, timing
from bitformer.hw.lowering.lower import lower
from bitformer.hw.queues import Queues, queues_of
from bitformer.hw.units import assembly, writes
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate


@pytest.fixture(scope="module")
def tiny():
    return lower(initialize(named_config("tiny")))


def test_what_waits(tiny):
    assert queues_of(tiny) == Queues(rows=3, keys=2, statistics=5, apart=16)
    # a key's words of one result are written as they come
    single = lower(tiny.model, pack=False)
    assert queues_of(single).keys == 0
    # long dot products: the row before is drained when the next is issued
    slow = lower(initialize(named_config("grid-12-32-4")), lanes=4)
    assert queues_of(slow) == Queues(rows=1, keys=1, statistics=1, apart=1)


@pytest.mark.parametrize(
    ("name", "depth"), [(None, 0), ("rows", 2), ("keys", 1), ("statistics", 1)]
)
def test_a_queue_that_is_too_short_loses_rows(tiny, monkeypatch, name, depth):
    found = queues_of(tiny) if name is None else replace(queues_of(tiny), **{name: depth})
    for module in (assembly, writes):
        monkeypatch.setattr(module, "queues_of", lambda design: found)
    x = np.random.default_rng(0).integers(-128, 128, (2, *tiny.model.input.shape))
    assert simulate(tiny, x).bit_exact == (name is None)


def test_a_row_waits_until_its_first_column_is_taken():
    length = 6
    taken = timing.ADDRESS + length + timing.PRODUCT - 2
    op = SimpleNamespace(matrix=True, length=length)
    for issue, rows in ((taken, 2), (taken + 1, 1)):
        events = [SimpleNamespace(issue=n, row=SimpleNamespace(operation=op)) for n in (0, issue)]
        design = SimpleNamespace(schedule=SimpleNamespace(events=events))
        assert queues._rows(design) == rows


def test_words_wait_for_those_before_them():
    """Two results a word: of six words in a row, three wait at last; of one result, none does."""
    pairs = dict.fromkeys(range(10, 16), 2)
    assert queues._keys(pairs) == 3
    assert queues._keys(dict.fromkeys(pairs, 1)) == 0
    assert queues._keys({10: 2, 12: 2, 14: 2}) == 0
    assert queues._keys({}) == 0
