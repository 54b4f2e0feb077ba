"""The memories that a design writes: words, elements, bits, and what is written by itself."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import written_stores as module
from bitformer.hw.lowering.written_stores import written_stores
from bitformer.hw.memory import StoreSpec

DEPTHS = {"activations": 50, "scores": 24, "dynamic": 30, "sums": 0}


def stores(
    *,
    ways=2,
    rows=1,
    wide=(),
    packed=(True, True),
    results=(3, 5, 7),
    rams=True,
    subtracts=False,
    detector=None,
    parts=1,
    score_pitch=8,
    phases=1,
    sums=0,
):
    """Their specs by name; ``packed``: an operation and the results, ``results``: their shape."""
    count, features, bits = results
    tensors = {
        "input": SimpleNamespace(size=40, features=3, bits=9),
        "y": SimpleNamespace(name="y", rows=count, features=features, bits=bits, size=15),
    }
    plan = SimpleNamespace(
        geometry=SimpleNamespace(
            ways=ways,
            rows=rows,
            wide=frozenset(wide),
            dynamic_slots=6,
            dynamic_parts=parts,
            dynamic_bits=4,
            element_bits=5,
            accumulator_bits=13,
            score_pitch=score_pitch,
            lane_words=lambda size: size // rows,
        ),
        model=SimpleNamespace(
            input=tensors["input"],
            results=tensors["y"],
            detector=detector,
            subtraction=object() if subtracts else None,
            tensors=tensors,
            phases=phases,
        ),
        packing=SimpleNamespace(
            packed={"x": packed[0]} | ({"y": packed[1]} if len(packed) > 1 else {})
        ),
        part=SimpleNamespace(family=SimpleNamespace(luts=SimpleNamespace(rams=rams))),
    )
    return {spec.name: spec for spec in written_stores(plan, DEPTHS | {"sums": sums}) if spec.depth}


def spec(name, depth, width, **fields):
    return StoreSpec(name=name, depth=depth, width=width, **fields)


def test_words_are_written_whole_where_all_is_in_pairs():
    assert stores() == {
        "activations": spec("activations", 50, 10, read_ports=2),
        "scores": spec("scores", 24, 16),
        "dynamic": spec("dynamic", 30, 24, granule=4),
        "input": spec("input", 40, 9),
        "output": spec("output", 9, 14, asynchronous=True),
    }


@pytest.mark.parametrize("case", [{"wide": ("x",)}, {"packed": (False, True)}])
def test_elements_are_written_alone_where_some_come_one_by_one(case):
    found = stores(**case)
    granules = {name: own.granule for name, own in found.items()}
    assert granules == {"activations": 5, "scores": 8, "dynamic": 4, "input": 0, "output": 7}
    # with one result a cycle, all are
    alone = stores(ways=1, **case)
    granules = {name: own.granule for name, own in alone.items()}
    assert granules == {"activations": 0, "scores": 0, "dynamic": 4, "input": 0, "output": 0}
    assert [own.width for own in alone.values()] == [5, 8, 24, 9, 7]


def test_results_that_come_one_by_one_wait_so():
    alone = stores(packed=(True, False))["output"]
    assert alone == spec("output", 15, 7, asynchronous=True)
    # those of no matrix operation come in pairs
    assert stores(packed=(True,))["output"] == stores()["output"]
    assert stores(results=(4, 6, 3))["output"] == spec("output", 12, 6, asynchronous=True)


def test_a_token_row_has_a_lane_of_each_word():
    found = stores(rows=4, parts=2)
    assert found["activations"] == spec("activations", 50, 40, granule=10, read_ports=2)
    assert found["scores"] == spec("scores", 24, 64, granule=16)
    assert found["dynamic"] == spec("dynamic", 30, 48, granule=4)
    assert found["input"] == spec("input", 10, 36, granule=9)
    assert found["output"] == stores()["output"]
    mixed = stores(rows=2, wide=("x",))
    assert (mixed["activations"].granule, mixed["scores"].granule) == (5, 8)


def test_what_needs_no_store_elsewhere_has_one_without_memories_in_luts():
    assert "maxima" not in stores(subtracts=True)
    found = stores(rams=(), subtracts=True, rows=2)
    assert found["maxima"] == spec("maxima", 3, 16, granule=8)
    assert found["last"] == spec("last", 6, 9, read_ports=2)
    alone = stores(rams=(), wide=("x",))
    assert "last" not in alone
    assert alone["maxima"] == spec("maxima", 3, 8)
    # without logits
    assert stores(rams=(), score_pitch=0)["maxima"].depth == 24


def test_a_detector_keeps_levels_and_what_is_judged():
    judge = SimpleNamespace(smoothing=3, residual_bound=lambda tensors: 100)
    found = stores(detector=judge, wide=("x",))
    # 800 and its sign; three windows of 15 numbers
    assert found["levels"] == spec("levels", 15, 11)
    assert found["judged"] == spec("judged", 64, 9)


@pytest.mark.parametrize(
    ("case", "granule"),
    [
        ({}, 0),
        # of pairs, both are kept together, whatever others come one by one
        ({"packed": (True, False)}, 0),
        ({"wide": ("z",)}, 0),
        # alone, in either place
        ({"packed": (False, True)}, 13),
        # alone, of the first way
        ({"packed": (False, True), "wide": ("x",)}, 0),
    ],
)
def test_sums_are_as_wide_as_accumulators(monkeypatch, case, granule):
    monkeypatch.setattr(module, "summed_ahead", lambda model: ["x"])
    assert stores(sums=8, **case)["sums"] == spec("sums", 8, 26, granule=granule)
    assert stores(sums=8, ways=1, **case)["sums"].width == 13
    assert "sums" not in stores(**case)


@pytest.mark.parametrize(("phases", "times"), [(1, 1), (2, 2), (3, 4), (4, 4)])
def test_what_is_kept_from_step_to_step_is_there_for_each_phase(phases, times):
    found, one = stores(rams=(), subtracts=True, phases=phases, sums=8), stores(sums=8)
    for name, own in one.items():
        kept = name in ("activations", "dynamic", "sums")
        assert found[name].depth == own.depth * (times if kept else 1)
    # and the last step of each phase, beside the one that comes
    assert found["last"].depth == (phases + 1) * 3
