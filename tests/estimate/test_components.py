"""What each component adds: every word of every store is somebody's, and is measured as such."""

from dataclasses import replace

import numpy as np
import pytest
from measurement_harness import drawn

from bitformer.estimate import component_stores, components, profile
from bitformer.estimate.breakdown import MEMORY, TOTAL, UNITS, breakdown
from bitformer.estimate.component_stores import (
    ComponentStores,
    component_keys,
    measure_components,
    stores_of,
)
from bitformer.estimate.components import added, added_by_formula, block_ram_shares, components_of
from bitformer.estimate.features import quantities
from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.estimate.profile import family, profile_components
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.word_map import own_depths
from bitformer.hw.memory import StoreSpec
from bitformer.model import ir
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.study.workers import WorkerPool
from bitformer.synth import batch, synthesize
from bitformer.synth.batch import Apart, synthesize_apart
from bitformer.synth.resources import Resources

RAMS = ("activations", "scores", "dynamic", "input", "output")
#: A decoder, LayerNorm, two layers and heads: every component there is.
DECODER = TransformerConfig(
    name="decoder",
    window=8,
    horizon=4,
    patch=4,
    d_model=8,
    ffn=8,
    layers=2,
    heads=2,
    decoder_layers=1,
    default=Precision(weights=4, activations=8),
)


@pytest.fixture(scope="module")
def small():
    return initialize(family([6], [8], [Precision.parse("4")])[0])


@pytest.fixture(scope="module")
def several(small):
    tiled = initialize(family([12], [64], [Precision.parse("8")])[0])
    models = [small, initialize(DECODER), initialize(named_config("etth1-96-24")), tiled]
    apart = {"results": "block", "layers.0.q": "distributed", "layers.1.hidden": "registers"}
    split = [lower(models[1], placement=apart), lower(tiled, placement={"results": "auto"})]
    return [lower(model) for model in models] + split + drawn(6, 5)


def check_words(design):
    """Every word of a ROM is one component's, and no component's RAM is deeper than it can be."""
    shares = components_of(design)
    assert [share.name for share in shares] == list(design.model.config.components)
    for store, spec in design.memories.items():
        own = [share for share in shares if store in share.stores]
        if spec.rom:
            numbers = sorted(number for share in own for number in share.words[store])
            assert numbers == list(range(spec.depth))
            assert sum(len(share.images[store]) for share in own) == spec.depth
            for share in own:
                words = [design.images[store][number] for number in share.words[store]]
                assert share.images[store] == words
        else:
            depths = [share.rows[store] for share in own]
            assert max(depths) <= spec.depth <= sum(depths)
        assert {share.stores[store].width for share in own} == {spec.width}
    together = own_depths(design, design.model.tensors)
    assert together == {
        name: spec.depth
        for name, spec in design.memories.items()
        if name in RAMS or name.rpartition("_")[0] in RAMS
    }
    linears = [op for op in design.model.operations if isinstance(op, ir.Linear)]
    bits = sum(op.weight.size * op.weight_bits for op in linears)
    assert sum(share.weight_bits for share in shares) == bits


def test_every_word_is_one_components(several):
    assert any(spec.tiles for design in several for spec in design.stores.values())
    for design in several:
        check_words(design)


def test_a_lost_word_is_noticed(several, monkeypatch):
    found = components.rom_words

    def less(design):
        words = found(design)
        words["weights"] = {name: own[:-1] for name, own in words["weights"].items()}
        return words

    monkeypatch.setattr(components, "rom_words", less)
    with pytest.raises(AssertionError):
        check_words(several[0])


def turned(model, tensor):
    """The same model but for one layer, whose outputs are the other way round."""
    operations = tuple(
        replace(op, weight=op.weight[::-1, ::-1].copy(), bias=op.bias[::-1].copy() + 1)
        if op.y == tensor
        else op
        for op in model.operations
    )
    return replace(model, operations=operations)


def changed(model, other):
    """Which component's words in which store differ."""
    found = set()
    for one, two in zip(components_of(lower(model)), components_of(lower(other)), strict=True):
        found |= {
            (one.name, store) for store in one.images if one.images[store] != two.images[store]
        }
    return found


LAYERS = {
    "embedding": "Linput",
    "layers.0.k": "MHA",
    "layers.0.add1": "MHA",
    "layers.0.hidden": "FFN",
    "layers.0.add2": "FFN",
    "output": "Loutput",
}


@pytest.mark.parametrize(("tensor", "component"), LAYERS.items())
def test_words_are_the_layers_own(small, tensor, component):
    """Of a layer that is another one, its component's words are others, and nobody else's."""
    stores = changed(small, turned(small, tensor))
    assert stores == {(component, "weights"), (component, "parameters")}


def test_a_wrong_owner_is_noticed(small, monkeypatch):
    monkeypatch.setattr(components, "_operation_components", components.tensor_components)
    with pytest.raises(AssertionError):
        test_words_are_the_layers_own(small, "layers.0.add1", "MHA")


def test_positions_are_of_their_own(small):
    tables = {name: np.flip(table).copy() for name, table in small.constants.items()}
    assert changed(small, replace(small, constants=tables)) == {("AddPE", "position")}


def test_a_program_row_is_its_operations(small):
    design = lower(small)
    shares = {share.name: share for share in components_of(design)}
    tensors = {
        design.program.operations[design.program.instructions[number].op].tensor
        for number in shares["MHA"].words["program"]
    }
    names = ("q", "k", "v", "scores", "context", "add1")
    assert tensors == {f"layers.0.{name}" for name in names}
    assert "program" not in shares["AddMHA"].words


def test_block_ram_is_shared_by_bits(several):
    for design in several:
        shares = components_of(design)
        found = block_ram_shares(design, shares)
        assert sum(found.values()) == pytest.approx(quantities(design)["ramb18"])
        assert min(found.values()) >= 0


def test_two_banks_are_refused(small):
    with pytest.raises(ValueError, match="one bank, not 2"):
        components_of(replace(lower(small), banks=2))


@pytest.fixture
def sources(monkeypatch):
    """In place of Yosys: what a component is as its digest, and a list of what each run was of."""
    runs = []

    def said(share):
        return repr([(name, spec, share.images.get(name)) for name, spec in share.stores.items()])

    def together(parts, family):
        assert family is SERIES7
        runs.append(list(parts))
        taken = Resources(luts_as_logic=1, luts_as_memory=2)
        return [Apart(digest=one, tool="yosys 9", resources=taken, levels=1) for one in runs[-1]]

    monkeypatch.setattr(component_stores, "stores_of", said)
    monkeypatch.setattr(component_stores, "digest", lambda source, *, family: str(source))
    monkeypatch.setattr(component_stores, "synthesize_apart", together)
    return runs


def rom(placement, words):
    """The source of a component with a ROM of 8-bit words."""
    spec = StoreSpec(name="weights", depth=len(words), width=8, rom=True, placement=placement)
    stores = ComponentStores(stores={"weights": spec}, images={"weights": words}, family=SERIES7)
    return synthesize.source_of(stores)


def test_keys_are_of_the_hardware_alone():
    """What is in block RAM is of no account, but for bits that are constant; in LUTs it is."""
    assert rom("block", [1, 2, 4]) == rom("block", [16, 64, 1, 0])
    assert rom("block", [1, 2, 4]) != rom("block", [1, 2, 0])
    assert rom("block", [7]) == rom("block", [0, 7])  # a memory has two words
    assert rom("distributed", [1, 2, 4]) == rom("distributed", [1, 2, 4])
    assert rom("distributed", [1, 2, 4]) != rom("distributed", [1, 2, 5])
    assert rom("distributed", [1, 2, 4]) != rom("block", [1, 2, 4])


def test_keys_are_of_the_components_own_words(small, sources):
    """Another layer's weights change no key, where they are in LUTs too."""

    def keys(model):
        design = lower(model, placement={"weights": "distributed"})
        return component_keys(components_of(design))

    ours, others = keys(small), keys(turned(small, "layers.0.hidden"))
    assert {name for name in ours if ours[name] != others[name]} == {"FFN"}


@pytest.fixture
def jobs():
    """Two small designs."""
    return [Job(config=c) for c in family([6], [8], [Precision.parse(b) for b in "48"])]


def test_equal_components_are_measured_once(tmp_path, sources, jobs):
    base = KnowledgeBase(tmp_path / "kb.sqlite")
    told = []
    new = profile_components(
        jobs, base, WorkerPool(), lambda done, _total, _name: told.append(done)
    )
    (run,) = sources
    assert len(run) == len(set(run)) == new == len(base.entries(kind="component"))
    assert told == [1, 2, 4]
    assert profile_components(jobs, base, WorkerPool()) == 0
    assert len(sources) == 1
    entry = base.get(run[0])
    assert (entry.name, entry.widths, entry.lutram) == ("Linput", {"Linput": "4/4"}, 2)
    assert entry.features["input"] == 6 * 7


def test_a_broken_run_goes_on(tmp_path, sources, jobs, monkeypatch):
    whole = KnowledgeBase(tmp_path / "whole.sqlite")
    profile_components(jobs, whole, WorkerPool())
    monkeypatch.setattr(profile, "_TOGETHER", 1)
    broken = KnowledgeBase(tmp_path / "broken.sqlite")

    def stop(done, _total, _name):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile_components(jobs, broken, WorkerPool(), stop)
    kept = len(broken)
    assert 0 < kept < len(whole)
    assert profile_components(jobs, broken, WorkerPool()) == len(whole) - kept
    assert broken.entries() == whole.entries()


def test_a_breakdown_adds_up(small, predictor, sources):
    design = lower(small)
    shares, prediction = components_of(design), predictor.predict(design)
    mha = next(share for share in shares if share.name == "MHA")
    (entry,) = measure_components([(design, mha)])
    for entries in ([], [entry], [replace(entry, kind="unit")]):
        parts = breakdown(design, prediction=prediction, entries=entries)
        *rest, total = parts
        assert [part.name for part in parts[-3:]] == [MEMORY, UNITS, TOTAL]
        assert total.luts == prediction.luts.value == sum(part.luts for part in rest)
        assert total.lutram == prediction.lutram.value == sum(part.lutram for part in rest)
        assert total.ramb18 == prediction.ramb18 == pytest.approx(sum(p.ramb18 for p in rest))
        measured = [part for part in parts if part.measured]
        assert [part.name for part in measured] == (["MHA"] if entries == [entry] else [])
        assert all((part.luts, part.lutram) == (3, 2) for part in measured)


def test_without_a_prediction_there_are_stores(several):
    design = several[0]
    parts = breakdown(design, prediction=None, entries=[])
    assert [part.name for part in parts[-2:]] == [MEMORY, TOTAL]
    assert parts[-1].luts == added(design).luts == sum(part.luts for part in parts[:-1])


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_yosys_keeps_every_memory_apart(small, tmp_path):
    """LUTs as memory and block RAM are those of the formulas, for each component; alone, too."""
    shares = components_of(lower(small, placement={"weights": "block", "program": "distributed"}))
    parts = [stores_of(share) for share in shares]
    found = synthesize_apart(parts, SERIES7, cache=tmp_path)
    for share, one in zip(shares, found, strict=True):
        said = added_by_formula(share.stores, share.images, share.family)
        taken = one.resources
        assert (said.lutram, said.ramb18) == (taken.luts_as_memory, taken.ramb18)
        assert (taken.dsps, taken.srls) == (0, 0)
    number = [share.name for share in shares].index("MHA")
    alone = synthesize.synthesize(parts[number], cache=tmp_path)
    again = found[number]
    assert (again.digest, again.levels) == (alone.digest, alone.depth.levels)
    assert again.resources == alone.resources


def test_modules_of_parts_have_names_of_their_own():
    texts = [rom("distributed", [1, 2]), rom("block", [1, 2])]
    both = batch._together(texts)
    assert both.count("attribute \\keep_hierarchy 1\n") == 2
    assert both.count("\nmodule \\top\n") == 1
    assert both.count("attribute \\top 1\n") == 1
    modules = [line for line in both.splitlines() if line.startswith("module ")]
    assert len(modules) == len(set(modules)) == 5
