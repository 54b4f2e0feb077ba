"""A search that chooses among kinds of layers, too."""

import json
from dataclasses import replace

import pytest
from search_harness import BITS

from bitformer.model.checkpoint import load_model
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.search import run as running
from bitformer.search.engine import Engine
from bitformer.search.kinds import best_of_kinds, kinds_of, of_block
from bitformer.search.limits import Limits
from bitformer.search.run import run_search
from bitformer.study.sensitivity import existing
from bitformer.study.workers import WorkerPool

KINDS = ("attention", "mixer", "mlp")
#: Validation errors that nobody measured.
FLOATS = {"attention": 0.5, "mixer": 0.5004, "mlp": 0.6}


@pytest.fixture(scope="module")
def question(question):
    return replace(question, engines=(Engine(),), baselines=(BITS[1],), blocks=KINDS)


@pytest.fixture
def measured(monkeypatch):
    """Sensitivities that nobody measured, by the kind: 4 bits of one component add .001."""

    def sensitivities(request, trials, pool, progress):
        names = existing(request.config)
        own = {name: {BITS[0]: 0.001 * n, BITS[1]: 0.0} for n, name in enumerate(names, start=1)}
        return own, FLOATS[request.config.block]

    monkeypatch.setattr(running, "_measured", sensitivities)


@pytest.mark.parametrize("name", ["etth1-96-24", "tiny", "sense-24-1", "grid-12-32-4"])
def test_kinds_are_of_like_size(name):
    config = named_config(name)
    for block in KINDS:
        other = of_block(config, block)
        assert (other.block, other.window, other.horizon) == (block, config.window, config.horizon)
        assert 0.5 * config.macs < other.macs < 1.5 * config.macs
        assert set(other.precision) <= set(other.components)
    assert of_block(config, "attention") == config
    assert of_block(config, "mlp").tokens == 1
    assert len({of_block(config, block).name for block in KINDS}) == 3


def test_each_kind_is_a_question(question):
    kinds = kinds_of(question)
    assert list(kinds) == list(KINDS)
    assert [one.config.block for one in kinds.values()] == list(KINDS)
    assert not any(one.blocks for one in kinds.values())
    alone = replace(question, blocks=())
    assert kinds_of(alone) == {"attention": alone}
    assert "blocks" not in alone.to_dict()
    assert question.to_dict()["blocks"] == KINDS


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (("mlp", "mlp"), r"^--block must name each kind once, not mlp,mlp$"),
        (("lstm",), r"^--block must be of attention, mixer, mlp, not 'lstm'$"),
    ],
)
def test_mistakes(question, blocks, message):
    with pytest.raises(UserError, match=message):
        kinds_of(replace(question, blocks=blocks))


def choice(*losses):
    designs = [
        {"loss": loss, "why": f"{loss}", "baseline": False, "config": {"n": loss}}
        for loss in losses
    ]
    designs.append({"loss": 0.0, "why": "uniform 8", "baseline": True, "config": {}})
    space = {"kind": "components", "combinations": 4, "seen": 4, "engines": 1, "within": 3}
    return {"space": {**space, "pareto": [[loss, 10, 1.0] for loss in losses]}, "designs": designs}


def test_the_best_of_all_kinds_are_trained():
    choices = {"attention": choice(0.01, 0.05), "mixer": choice(0.0, 0.02), "mlp": choice(0.0)}
    errors = {"attention": 0.5, "mixer": 0.52, "mlp": 0.9}
    found = best_of_kinds(choices, errors, 3)
    losses = [one["loss"] for one in found["designs"]]
    assert losses == pytest.approx([0.01, 0.02, 0.04, 0.0, 0.02])
    whys = [one["why"] for one in found["designs"]]
    assert whys[-2:] == ["uniform 8, attention", "uniform 8, mixer"], "no MLP is trained at all"
    assert (found["space"]["combinations"], found["space"]["within"]) == (12, 9)
    assert found["space"]["pareto"] == [[pytest.approx(0.01), 10, 1.0]]
    assert best_of_kinds({"mlp": choices["mlp"]}, errors, 3) == choices["mlp"]


def test_kinds_are_ranked_together_and_proved(question, measured, predictor, tmp_path):
    result = run_search(question, tmp_path, WorkerPool(), predictor)
    candidates = result["candidates"]
    assert len(candidates) == 2
    vals = [one["val"] for one in candidates]
    assert vals == sorted(vals)
    models = [load_model(tmp_path / one["model"]) for one in candidates]
    blocks = {model.config.block for model in models}
    assert blocks == {"attention", "mixer"}, "what is predicted to be worse is not trained"
    for one in [*candidates, *result["baselines"]]:
        assert one["proof"]["bit_exact"]
        assert one["proof"]["cycles_as_predicted"]
    whys = {one["why"] for one in result["baselines"]}
    assert whys == {"uniform 4/8, attention", "uniform 4/8, mixer"}
    assert set(result["sensitivity"]) == set(KINDS)
    assert result["space"]["blocks"] == list(KINDS)
    assert result["chosen"]["name"] == candidates[0]["name"]
    again = run_search(question, tmp_path, WorkerPool(), predictor)
    assert json.dumps(again) == json.dumps(result)


def test_a_kind_that_keeps_no_limit_is_left_out(question, measured, predictor, tmp_path):
    cycles = {}
    for block in KINDS:
        one = replace(question, blocks=(block,), top=1)
        choice = running._shortlisted(
            one, tmp_path / block, WorkerPool(), predictor, None, tmp_path, lambda *_: None
        )[1]
        cycles[block] = min(one["predicted"]["latency"] for one in choice["designs"])
    least = min(cycles, key=cycles.__getitem__)
    tight = replace(question, limits=Limits(latency_us=(cycles[least] + 2) / 100))
    _, choice = running._shortlisted(
        tight, tmp_path / "tight", WorkerPool(), predictor, None, tmp_path, lambda *_: None
    )
    free = [one for one in choice["designs"] if not one["baseline"]]
    assert {one["config"]["block"] for one in free} == {least}
    none = replace(question, limits=Limits(latency_us=0.01))
    with pytest.raises(UserError, match="No design is within the limits; latency"):
        running._shortlisted(
            none, tmp_path / "none", WorkerPool(), predictor, None, tmp_path, lambda *_: None
        )
