"""Where results lie by themselves: which of their ways is taken, and when none is."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import place_results
from bitformer.hw.lowering.place_results import ResultPlaces


def lie(name, parts):
    return SimpleNamespace(spec=SimpleNamespace(name=name, parts=parts))


WHOLE, SPLIT, OTHER = lie("whole", ()), lie("split", ("a", "b")), lie("other", ("a", "b"))


@pytest.fixture
def places(monkeypatch):
    """Places of a design whose one store has these ways; ``over`` what is too much of each."""

    def of(ways, over=None, spare=None):
        asked = []

        def place(specs, part, wanted, options, left):
            asked.append((options, left))
            # the last of the ways, or the store itself where it has none
            return {"store": options["store"][-1] if options else specs[0]}

        def crowding(stores, part, *, spare, granules):
            assert granules
            asked.append(spare)
            ((_, name),) = [(0, spec.name) for spec in stores]
            return over[name], 10**6

        monkeypatch.setattr(place_results, "place", place)
        monkeypatch.setattr(place_results, "crowding", crowding)
        geometry = SimpleNamespace(rows=2, hard=5, column_bits=7)
        plan = SimpleNamespace(geometry=geometry, part=None)
        found = ResultPlaces(
            plan=plan, blocks={}, timeline=None, specs=["plain"], placement={}, like={}
        )
        found.__dict__["_ways"] = {"store": ways} if ways else {}
        found.__dict__["_asked"] = {}, {}
        return found, asked

    return of


def test_delays_of_weights_and_queues_take_luts_as_memory(places):
    found, asked = places([WHOLE, SPLIT])
    stores, split = found.chosen()
    # a bit of each column of a token row, and 64 for queues
    assert asked == [({"store": [WHOLE.spec, SPLIT.spec]}, 2 * 5 * 7 + 64)]
    assert stores == {"store": SPLIT.spec}
    assert split == {"store": SPLIT}
    # where no result is placed by itself all are for stores
    found, asked = places([])
    assert found.chosen() == ({"store": "plain"}, {})
    assert asked == [({}, 0)]


def test_a_store_that_is_whole_is_not_split(places):
    assert places([SPLIT, WHOLE])[0].chosen() == ({"store": WHOLE.spec}, {})


@pytest.mark.parametrize(("more", "so"), [(0, True), (-1, True), (1, False)])
def test_results_are_split_unless_that_exceeds_the_part_by_more(places, more, so):
    found, asked = places([WHOLE, SPLIT, OTHER], {"whole": 5, "split": 5 + more})
    chosen = SPLIT if so else WHOLE
    assert found.placed(["plain"], {"store": SPLIT}) == ({"store": chosen.spec}, so)
    assert 2 * 5 * 7 + 64 in asked


def test_what_must_be_split_is_split(places):
    found, _ = places([SPLIT, OTHER], {"split": 99})
    assert found.placed(["plain"], {"store": SPLIT}) == ({"store": SPLIT.spec}, True)
