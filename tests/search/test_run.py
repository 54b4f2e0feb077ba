"""A search from a question to proved designs; killed or shared out, the same."""

import json
from dataclasses import replace

import pytest
from search_findings import finding
from search_harness import BITS

from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.search import candidates as field
from bitformer.search.candidates import component_candidates
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits
from bitformer.search.plot import plot_search
from bitformer.search.results import conclusion
from bitformer.search.run import run_search
from bitformer.search.selection import COSTS
from bitformer.study import trials
from bitformer.study.sensitivity import read_added
from bitformer.study.workers import WorkerPool, open_pool


@pytest.fixture(scope="module")
def added(config):
    """Sensitivities that nobody measured."""
    names = [name for name in config.components if name != "GAP"]
    return {name: {BITS[0]: 0.01 * n, BITS[1]: 0.0} for n, name in enumerate(names, start=1)}


@pytest.fixture(scope="module")
def done(question, added, predictor, tmp_path_factory):
    """Folder and result."""
    folder = tmp_path_factory.mktemp("search")
    return folder, run_search(question, folder, WorkerPool(), predictor, added=added)


def test_what_comes_out(done, question):
    folder, result = done
    assert result["space"]["combinations"] == 2**9
    assert result["space"]["within"] == 2 * (2**9 - 2)
    assert [one["why"] for one in result["baselines"]] == ["uniform 4", "uniform 4/8"]
    candidates = result["candidates"]
    assert [one["rank"] for one in candidates] == [1, 2]
    assert candidates[0]["val"] <= candidates[1]["val"]
    for one in [*candidates, *result["baselines"]]:
        assert one["fits"]
        assert one["proof"]["bit_exact"]
        assert one["proof"]["cycles_as_predicted"]
        assert one["predicted"].keys() == one["came_out"].keys()
    for one in candidates:
        model = load_model(folder / one["model"])
        widths = {name: str(model.config.bits(name)) for name in model.config.components}
        assert widths == one["widths"]
    assert result["chosen"]["name"] == candidates[0]["name"]
    assert not any("test" in one for one in [*candidates, *result["baselines"]])
    written = json.loads((folder / "search.json").read_text())
    assert written == json.loads(json.dumps({n: v for n, v in result.items() if n != "entries"}))
    assert written["question"] == json.loads(json.dumps(question.to_dict()))


def test_again_nothing_is_done_twice(done, question, added, monkeypatch):
    folder, result = done
    monkeypatch.setattr(trials, "_train", None)
    monkeypatch.setattr("bitformer.search.verification.verify", None)
    assert run_search(question, folder, WorkerPool(), None, added=added) == result


class Killed(BaseException):
    """Stands for the end of a process."""


@pytest.mark.parametrize("stage", ["ranking", "training", "proving"])
def test_killed_anywhere_it_comes_to_the_same(stage, done, question, added, predictor, tmp_path):
    """Trainings are the other search's, so that only what comes after them is done again."""
    folder, result = done

    def kill(done, total, text):
        if text.startswith(stage) and (done or stage == "training"):
            raise Killed

    def run(progress):
        options = {"added": added, "trials": folder, "progress": progress}
        return run_search(question, tmp_path, WorkerPool(), predictor, **options)

    with pytest.raises(Killed):
        run(kill)
    assert not (tmp_path / "search.json").exists()
    assert run(lambda *_: None) == result


def test_another_question_is_another_choice(done, question, added, predictor, tmp_path):
    folder, _ = done
    (tmp_path / "choice.json").write_bytes((folder / "choice.json").read_bytes())
    tight = replace(question, limits=Limits(latency_us=0.1))
    with pytest.raises(UserError, match=r"^No design is within the limits; latency is the tight"):
        run_search(tight, tmp_path, WorkerPool(), predictor, added=added, trials=folder)


def test_every_baseline_beside_a_single_choice_is_its_own(question, added, predictor, config):
    bits = [Precision(weights=one, activations=8) for one in (4, 3, 2)]
    more = {name: dict.fromkeys(bits, 0.0) for name in added}
    found = component_candidates(config, bits[:1], more, predictor, question.limits, baselines=bits)
    configs = [found.config_of(number) for number in found.uniform.values()]
    assert [one.bits("Linput") for one in configs] == bits


def test_baselines_beside_the_choices(question, added, predictor, config):
    four, eight = Precision.parse("4"), Precision.parse("8")
    known = {name: {**own, eight: 0.5} for name, own in added.items()}
    options = {"added": known, "predictor": predictor, "limits": Limits()}
    one = component_candidates(config, BITS, baselines=[four, eight], **options)
    assert one.uniform == {"uniform 4": 0, "uniform 8": 2**9}
    assert one.config_of(0) == field._uniform(config, four)
    for number in one.uniform.values():
        said = predictor.predict(lower(initialize(one.config_of(number))))
        one.refine(number)
        assert one.outcomes.luts[number] == said.luts.value
        assert one.outcomes.latency[number] == said.latency
    assert one.loss[2**9] == pytest.approx(4.5)
    assert one.bits[2**9] == 72
    with pytest.raises(UserError, match="sensitivity of Linput must be given for bits 8"):
        component_candidates(config, BITS, baselines=[eight], **{**options, "added": added})


def test_a_picture(done, tmp_path):
    _, result = done
    plot_search(result, tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="cannot be written"):
        plot_search(result, tmp_path / "pareto.doc")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_workers_come_to_the_same(done, question, added, predictor, tmp_path):
    _, result = done
    with open_pool(2) as pool:
        assert run_search(question, tmp_path, pool, predictor, added=added) == result


@pytest.mark.slow
@pytest.mark.needs("optuna")
def test_tensors_of_their_own_bits(question, added, predictor, tmp_path, done):
    bits = (Precision.parse("4"), Precision.parse("8"))
    known = {name: dict(zip(bits, own.values(), strict=True)) for name, own in added.items()}
    asked = replace(question, bits=bits, per_tensor=True, tries=20, top=1)
    result = run_search(asked, tmp_path, WorkerPool(), predictor, added=known)
    assert result["space"]["kind"] == "tensors"
    assert result["space"]["seen"] == 20
    assert set(result["candidates"][0]["tensors"].values()) <= {4, 8}
    assert result["candidates"][0]["proof"]["bit_exact"]
    with pytest.raises(UserError, match="bits of single tensors must be such as 4, not 4/8"):
        run_search(replace(asked, bits=BITS), tmp_path, WorkerPool(), predictor, added=added)


def test_powers_of_two_are_chosen_by_component(question, config, predictor, tmp_path):
    """Where nothing is lost by them; and refused where bits are those of single tensors."""
    bits = (Precision.parse("4p/8"), Precision.parse("4/8"))
    names = [name for name in config.components if name != "GAP"]
    known = {name: {bits[0]: 0.1 * (name == "FFN"), bits[1]: 0.01} for name in names}
    asked = replace(question, bits=bits, baselines=(), top=1, engines=(Engine(),))
    result = run_search(asked, tmp_path, WorkerPool(), predictor, added=known)
    (found,) = result["candidates"]
    assert (found["proof"]["bit_exact"], found["proof"]["cycles_as_predicted"]) == (True, True)
    chosen = load_model(tmp_path / found["model"]).config
    assert chosen.bits("FFN") == bits[1]
    for name in ("Linput", "MHA", "Loutput"):
        assert chosen.bits(name) == bits[0]
    assert result["sensitivity"]["FFN"] == {"4p/8": 0.1, "4/8": 0.01}
    with pytest.raises(UserError, match=r"must be uniform, .* not 4p/8: write 4 for 4p/8$"):
        replace(question, bits=bits, per_tensor=True)
    many = tuple(map(Precision.parse, ("4p/8", "4/7", "3/6", "6/5", "8/4", "2/3")))
    with pytest.raises(UserError, match="name fewer bits, or none with a p"):
        replace(question, bits=many)


def test_engines_of_several_rows_are_chosen_and_proved(question, config, predictor, tmp_path):
    """Where one row is too slow; what is handed over says how it is built."""
    names = [name for name in config.components if name != "GAP"]
    known = {name: dict.fromkeys(BITS, 0.01) for name in names}
    steps = config.replace(patch=1)  # of four times the rows
    asked = replace(question, config=steps, baselines=(), top=1, engines=(Engine(),), rows="both")
    assert asked.tried[0] == Engine()
    assert asked.tried[1:]
    assert not any(one.plain for one in asked.tried[1:])
    one_row = lower(initialize(steps)).latency
    limits = replace(asked.limits, latency_us=0.9 * one_row / asked.limits.clock_hz * 1e6)
    asked = replace(asked, limits=limits)
    result = run_search(asked, tmp_path, WorkerPool(), predictor, added=known)
    (found,) = result["candidates"]
    assert (found["proof"]["bit_exact"], found["proof"]["cycles_as_predicted"]) == (True, True)
    engine = Engine(**found["engine"])
    assert engine in asked.tried[1:]
    assert f"--rows {engine.rows}" in engine.arguments
    assert result["question"]["rows"] == "both"
    assert replace(asked, rows="several").tried == asked.tried[1:]
    with pytest.raises(UserError, match="rows must be one of one, several, both, not 'two'"):
        replace(asked, rows="two")


def test_who_beats_whom(config):
    uniform = finding(config, "uniform 4", val=2.0, luts=100, baseline=True, synthesized=110)
    better = finding(config, "a", val=1.9, luts=100, synthesized=111)
    unmeasured = finding(config, "b", val=1.8, luts=99)
    worse = finding(config, "c", val=2.1, luts=50, synthesized=50)
    result = conclusion([better, unmeasured, worse, uniform], Limits())
    beats = {one["name"]: one["beats"] for one in result["candidates"]}
    assert beats == {"a": [], "b": ["uniform 4"], "c": []}
    assert [one["name"] for one in result["candidates"]] == ["b", "a", "c"]


def test_a_trained_designs_own_counts_decide(config):
    """Predictions were of untrained ones, whose widths are a little other."""
    uniform = finding(config, "uniform 4", val=2.0, luts=100, baseline=True)
    one = finding(config, "a", val=1.9, luts=100)
    assert one.beats(uniform, Limits(), COSTS)
    one.counts = {"luts": 101, "lutram": 5, "ffs": 9}
    assert not one.beats(uniform, Limits(), COSTS)
    uniform.counts = {"luts": 102, "lutram": 5, "ffs": 9}
    assert one.beats(uniform, Limits(), COSTS)
    assert one.taken(Limits())["luts"] == 101
    uniform.proof["latency"] = 99
    assert not one.beats(uniform, Limits(), COSTS)


def test_one_model_on_two_engines(config):
    fast = finding(config, "a", val=1.0, luts=100)
    small = finding(config, "a", val=1.0, luts=80, engine=Engine(lanes=4, pack=False))
    names = [one["model"] for one in conclusion([small, fast], Limits())["candidates"]]
    assert names == ["1-a.safetensors", "2-a-4lanes-unpacked.safetensors"]
    assert small.engine.arguments == "--lanes 4 --no-pack"
    with pytest.raises(UserError, match="lanes must be at least 1, not 0"):
        Engine(lanes=0)


def test_only_what_is_sound_is_chosen(config):
    wrong = finding(config, "wrong", val=1.0, luts=9, exact=False)
    late = finding(config, "late", val=1.1, luts=9, cycles_as_predicted=False)
    large = finding(config, "large", val=1.2, luts=9, synthesized=8001)
    good = finding(config, "good", val=1.3, luts=9)
    uniform = finding(config, "uniform 8", val=1.3, luts=9, baseline=True)
    result = conclusion([good, large, late, wrong, uniform], Limits())
    chosen = result["chosen"]
    assert (chosen["name"], chosen["rank"], chosen["test"]) == ("good", 4, 1.4000000000000001)
    assert chosen["no_better_than"] == ["uniform 8"]
    assert conclusion([large, late, wrong], Limits())["chosen"] is None


def test_sensitivities_from_files(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"MHA": {"4": 0.5, "2/8": 0.25}}))
    four, apart = Precision(weights=4, activations=4), Precision(weights=2, activations=8)
    assert read_added(path) == {"MHA": {four: 0.5, apart: 0.25}}
    path.write_text(json.dumps({"float_val": 1.0, "alone": {"MHA": {"4": 1.5}}, "low": 3}))
    assert read_added(path) == {"MHA": {four: 0.5}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"MHA": 3}, ": MHA must be an object, not 3: such as "),
        ({"MHA": {"4": "x"}}, ": MHA: 4 must be a number, not 'x': such as"),
        ({"MHA": {"4": 1e300}}, ": MHA: 4 must be an error, not 1e.300"),
        (
            {"MHA": {"four": 1}},
            ": MHA: bits must be numbers such as 4 or 2/8, or 4p/8 for powers of two, not 'four'",
        ),
        ({"MHA": {"5": 1}}, ": MHA: bits must be widths that a model can have, .*, not 5"),
        ({"alone": {"MHA": {"4": 1.5}}}, "must have a field 'float_val'"),
        ({"alone": 3, "float_val": 1}, ": alone must be an object, not 3"),
        ([], r" must be an object, not \[\]: such as"),
    ],
)
def test_no_sensitivities(tmp_path, data, message):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=f"^Sensitivity file .*{message}|^{message}"):
        read_added(path)
