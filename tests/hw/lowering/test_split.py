"""Results placed one by one: where each lies, what shares its words, and what is refused."""

import itertools
from types import SimpleNamespace

import pytest
from design_strategies import designs, row_designs, several, split
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.lowering.allocate import Lifetime, MemoryBlock
from bitformer.hw.lowering.asked_places import asked_places, results_of
from bitformer.hw.lowering.encode import memory_blocks, store_of
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import cost, crowding, taken
from bitformer.hw.lowering.split import Splitter, _keep, readers
from bitformer.hw.memory import PLACEMENTS, StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Destination
from bitformer.hw.timetable import Read
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

L0 = "layers.0."


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("grid-6-16-4"), samples=8)


def placed(design):
    """The memory of each result: its store, the part's number there, and its placement."""
    found = {}
    for store, spec in design.stores.items():
        for number, part in enumerate(spec.parts):
            found |= dict.fromkeys(part.tensors, (store, number, part.spec.placement))
    return found


def written(design):
    """The first word of what instructions write to stores of rows, by (store, tensor, row)."""
    ways, found = design.geometry.ways, {}
    for event, instruction in zip(design.schedule.events, design.program.instructions, strict=True):
        row, to = event.row, event.row.operation.destination
        if to in (Destination.ACTIVATION, Destination.SCORE):
            first = row.first if row.operation.wide_y else row.first // ways
            found[store_of(to), row.tensor, row.row] = instruction.dst - first
    return found


def words_of(design):
    """Where each block of a store of rows lies, and while it lives: (block, its addresses)."""
    blocks = memory_blocks(design.model, design.schedule, design.geometry)
    at = written(design)
    for store in ("activations", "scores"):
        for block in blocks[store]:
            first = at[store, *block.key]
            yield store, block, range(first, first + block.words)


def together(a: MemoryBlock, b: MemoryBlock):
    """Whether two blocks live at once, or may where the accelerator waits."""
    return not any(
        y.write > x.read and y.issued > x.last_reader
        for x, y in ((a.lives, b.lives), (b.lives, a.lives))
    )


def check_places(design, asked):
    """Every row lies in the memory that was asked for, and shares no word with one that lives."""
    where, kept = placed(design), destinations(design.model)
    small = "distributed" if design.family.luts.rams else "registers"
    for name, place in asked.items():
        spec = design.stores[store_of(kept[name])]
        got = where[name][2] if name in where else spec.placement
        wanted = small if place == "distributed" else place
        assert place == "auto" or got == wanted, name
    rows = [*words_of(design)]
    for store, block, words in rows:
        parts = design.stores[store].parts
        if parts:
            part = next(part for part in parts if block.key[0] in part.tensors)
            assert part.base <= words.start
            assert words.stop <= part.end
        assert words.stop <= design.stores[store].depth
    for (one, a, x), (other, b, y) in itertools.combinations(rows, 2):
        if one == other and together(a, b):
            assert x.stop <= y.start or y.stop <= x.start, (a.key, b.key)


def test_any_row_lies_where_it_was_asked_to():
    """Of designs of one row and of several, with every kind of memory."""
    seen = set()

    @several(12)
    @given(case=split(designs(part="xc7s15")))
    def one(case):
        design = case.make()
        check_places(design, case.asked(design.model))
        seen.update(part.spec.placement for s in design.stores.values() for part in s.parts)

    @several(6)
    @given(case=split(row_designs(part="xc7s15")))
    def rows(case):
        design = case.make()
        check_places(design, case.asked(design.model))
        seen.update(f"{part.ports}" for s in design.stores.values() for part in s.parts)

    one()
    rows()
    assert seen >= {"block", "distributed", "registers", "(0,)", "(0, 1)"}


def test_a_result_alone_in_another_memory(model):
    plain = lower(model)
    found = lower(model, placement={"activations": "block", L0 + "hidden": "distributed"})
    spec = found.stores["activations"]
    assert placed(found)[L0 + "hidden"] == ("activations", 1, "distributed")
    assert spec.parts[1].tensors == (L0 + "hidden",)
    # it goes to the engine alone: one copy
    assert (spec.parts[0].ports, spec.parts[1].ports) == ((0, 1), (0,))
    assert (found.latency, found.interval) == (plain.latency, plain.interval)
    assert found.images["weights"] == plain.images["weights"]
    assert [event.issue for event in found.schedule.events] == [
        event.issue for event in plain.schedule.events
    ]


@pytest.mark.parametrize("kind", ["block", "distributed", "registers"])
def test_all_results_in_one_kind_are_as_their_stores_there(model, kind):
    stores = dict.fromkeys(("activations", "scores", "dynamic"), kind)
    # what the engine alone reads is no less together with what both read
    asked = {name: kind for name in results_of(model) if name != "none"}
    one, other = lower(model, placement=stores), lower(model, placement={**stores, **asked})
    for name in stores:
        found = other.stores[name]
        assert {part.spec.placement for part in found.parts} <= {kind}
        family = PARTS["xc7s15"].family
        costs = [
            cost(spec, spec.placement, family, granules=True) for spec in (found, one.stores[name])
        ]
        assert costs[0].ramb18 <= costs[1].ramb18
        assert costs[0].lutram <= costs[1].lutram


def test_where_nothing_is_gained_the_hardware_is_the_same():
    model = initialize(named_config("etth1-96-24"), samples=8)
    plain, found = lower(model), lower(model, placement={"results": "auto"})
    assert found.stores == plain.stores
    assert found.images == plain.images
    assert found.program == plain.program


@pytest.mark.parametrize("name", ["grid-24-64-8", "grid-18-64-6", "grid-12-64-8", "grid-18-64-4"])
@pytest.mark.parametrize("part", ["xc7s15", "xc7s6"])
def test_one_by_one_is_never_more_crowded_than_store_by_store(name, part):
    model = initialize(named_config(name), samples=8)
    plain = lower(model, part=part)
    found = lower(model, part=part, placement={"results": "auto"})
    over = [
        crowding(d.stores.values(), PARTS[part], spare=128, granules=True)[0]
        for d in (found, plain)
    ]
    assert over[0] <= over[1]
    assert found.latency <= plain.latency


def test_the_hardest_of_the_grid_takes_fewer_luts_as_memory():
    model = initialize(named_config("grid-24-64-8"), samples=8)

    def memory(**options):
        uses = {use.resource: use.used for use in estimate(lower(model, **options)).uses}
        return uses["LUT as memory"], uses["RAMB18"], uses["LUT (stores only)"]

    stores, results = memory(), memory(placement={"results": "auto"})
    assert results[0] < 0.6 * stores[0]
    assert results[1] <= stores[1]
    assert results[2] < stores[2]


def test_memory_of_parts_is_counted(model):
    asked = {"activations": "block", L0 + "hidden": "distributed", L0 + "k": "registers"}
    found = estimate(lower(model, placement=asked))
    one = next(store for store in found.stores if store.name == "activations")
    assert [part.placement for part in one.parts] == ["block", "distributed"]
    assert one.ramb18 == one.parts[0].ramb18 == 2
    assert one.lutram == one.parts[1].lutram > 0
    # what selects among the parts
    assert one.luts > sum(part.luts for part in one.parts)
    assert one.bits == sum(part.bits for part in one.parts)
    kept = next(store for store in found.stores if store.name == "dynamic")
    assert kept.ffs > 0
    said = found.to_dict()["stores"]
    parts = {store["name"]: [p["tensors"] for p in store.get("parts", ())] for store in said}
    assert (L0 + "hidden",) in parts["activations"]
    assert parts["scores"] == []


def test_a_family_without_memories_in_luts_takes_registers():
    model = initialize(named_config("tiny"), samples=8)
    asked = {"activations": "block", "embedding": "distributed"}
    found = lower(model, part="ice40up5k", placement=asked)
    assert placed(found)["embedding"][2] == "registers"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layers.0.hid": "block"}, r"not '.*hid': did you mean 'layers\.0\.hidden'\?$"),
        (
            {"wieghts": "block"},
            r"^placement must name a store of .*, not 'wieghts': did you mean 'weights'\?$",
        ),
        ({"result": "auto"}, r" or results, not 'result': did you mean 'results'\?$"),
        ({L0 + "q": "lutram"}, rf"^placement of {L0}q must be one of .*, not 'lutram'$"),
        ({"results": "ram"}, r"^placement of results must be one of .*, not 'ram'$"),
        ({"delta": "block"}, r"^placement of delta must be left out, since it is the window"),
    ],
)
def test_what_has_no_place_is_refused(asked, message):
    model = initialize(named_config("tiny"), samples=8)
    with pytest.raises(UserError, match=message):
        lower(model, placement=asked)


def test_all_names_are_those_of_the_models_results(model):
    stores, asked = asked_places({"results": "auto", L0 + "q": "block"}, ["weights"], model)
    assert stores == {}
    assert asked == {**dict.fromkeys(results_of(model), "auto"), L0 + "q": "block"}
    assert "output" not in asked
    assert {"embedding", L0 + "k", L0 + "scores", L0 + "hidden"} <= asked.keys()
    assert asked_places({"weights": "block"}, ["weights"], model) == ({"weights": "block"}, {})
    assert set(PLACEMENTS) == {"block", "distributed", "registers", "auto"}


def less(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=12))
def test_what_takes_more_of_all_is_not_kept(costs):
    """Of equal ones the first; every other takes less in something than each that is kept."""
    kept = {}
    for number, cost_of in enumerate(costs):
        better = not any(less(one, cost_of) for one in costs[:number])
        assert _keep(kept, number, cost_of) == better
    assert kept == {
        n: own
        for n, own in enumerate(costs)
        if not any(
            less(one, own) and (one != own or k < n) for k, one in enumerate(costs) if k != n
        )
    }


def test_readers_are_told_by_their_ports():
    def event(*reads):
        return SimpleNamespace(row=SimpleNamespace(reads=reads))

    events = [event(Read(tensor="a"), Read(tensor="b", post=True)), event(Read(tensor="b"))]
    assert readers(events) == {"a": {0}, "b": {0, 1}}


def splitter(ports=2, **asked):
    """A store of three tensors of one row each, of 30, 5 and 16 words."""
    lives = {"a": (0, 10), "b": (5, 20), "c": (11, 30)}
    blocks = [
        MemoryBlock(
            key=(name, 0),
            words=words,
            lives=Lifetime(write=first, issued=first, read=last, last_reader=last),
        )
        for (name, (first, last)), words in zip(lives.items(), (30, 5, 16), strict=True)
    ]
    return Splitter(
        free=StoreSpec(name="s", depth=40, width=8, read_ports=ports),
        blocks=blocks,
        asked=asked,
        store="distributed",
        ports={"a": {0}, "b": {1}, "c": {0, 1}},
        family=PARTS["xc7s15"].family,
    )


def test_memories_lie_one_behind_the_other_at_multiples_of_their_spans():
    """The deepest first; each has a read port for each unit that reads its tensors."""
    one = splitter()
    found = one.lie([("distributed", ("b",)), ("block", ("a",)), ("registers", ("c",))])
    parts = found.spec.parts
    # 30 words have 32 addresses, 16 have 16, and 5 have 8
    assert [(own.base, own.spec.depth, own.span) for own in parts] == [
        (0, 30, 32),
        (32, 16, 16),
        (48, 5, 8),
    ]
    assert [own.tensors for own in parts] == [("a",), ("c",), ("b",)]
    assert [own.ports for own in parts] == [(0,), (0, 1), (1,)]
    assert [own.spec.read_ports for own in parts] == [1, 2, 1]
    assert [own.spec.placement for own in parts] == ["block", "registers", "distributed"]
    assert (found.spec.depth, found.spec.placement) == (53, "split")
    assert found.addresses == {("a", 0): 0, ("c", 0): 32, ("b", 0): 48}
    # together, a and b live at once, and c when a is read for the last time
    whole = one.lie([("block", ("a", "b", "c"))])
    assert (whole.spec.depth, whole.spec.parts) == (35, ())
    assert whole.addresses == {("a", 0): 0, ("b", 0): 30, ("c", 0): 0}
    # a store of one port has that, whoever reads
    single = splitter(ports=1).lie([("block", ("a", "b")), ("registers", ("c",))])
    assert [own.ports for own in single.spec.parts] == [(0,), (0,)]


def test_words_that_live_at_once_are_counted():
    one = splitter(a="auto", b="auto", c="auto")
    assert [one._about(units) for units in ((0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2))] == [
        30,
        5,
        35,
        30,
        21,
        35,
    ]


def test_units_are_what_is_asked_for_and_the_rest():
    one = splitter(b="block")
    assert [(own.tensors, own.kinds, own.ports) for own in one._units] == [
        (("b",), ("block",), (1,)),
        (("a", "c"), ("distributed",), (0, 1)),
    ]
    # nothing lies in one memory: what is asked for differs
    assert all(len(lie.spec.parts) == 2 for lie in one.ways())
    both = splitter(b="auto")
    assert [lie.spec.placement for lie in both.ways() if not lie.spec.parts] == ["distributed"]
    costs = [taken(lie.spec, both.family, granules=True) for lie in both.ways()]
    for n, m in itertools.permutations(range(1, len(costs)), 2):
        assert not less(costs[n], costs[m])
