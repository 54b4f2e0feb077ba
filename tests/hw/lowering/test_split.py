"""Results placed one by one: where each lies, what shares its words, and what is refused."""

import itertools

import pytest
from design_strategies import designs, row_designs, several, split
from hypothesis import given

from bitformer.hw.lowering.allocate import MemoryBlock
from bitformer.hw.lowering.asked_places import asked_places, results_of
from bitformer.hw.lowering.encode import memory_blocks, store_of
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import cost, crowding
from bitformer.hw.memory import PLACEMENTS
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Destination
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
