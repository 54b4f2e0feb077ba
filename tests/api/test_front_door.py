"""The package's front door: what it shows, what it loads, and what it refuses."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bitformer
from bitformer.boards.catalog import find_board
from bitformer.model import reference
from bitformer.model.config import named_config
from bitformer.model.errors import NotBitExactError
from bitformer.model.initialize import initialize


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained model, saved and loaded again."""
    made = bitformer.Model(initialize(named_config("tiny")))
    return bitformer.load(made.save(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def design(model):
    return bitformer.lower(model, part="xc7s15")


def fresh(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, bitformer; dir(bitformer); bitformer.__version__;"
        "print([n for n in ('torch', 'numpy', 'amaranth', 'rich') if n in sys.modules])"
    )
    assert fresh(code) == "[]"


def test_loading_and_lowering_need_no_torch(model):
    code = (
        f"import sys, bitformer; m = bitformer.load({str(model.path)!r});"
        "d = bitformer.lower(m); d.estimate(); m.predict([[[0.0]] * m.config.window]);"
        "print('torch' in sys.modules)"
    )
    assert fresh(code) == "False"


def test_every_public_name_is_there():
    for name in bitformer.__all__:
        assert getattr(bitformer, name) is not None
    assert dir(bitformer) == sorted(bitformer.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = bitformer.nothing


def test_no_package_shares_a_name_with_a_function():
    root = Path(bitformer.__file__).resolve().parents[1]
    packages = {path.parent.name for path in root.glob("*/__init__.py")}
    assert {"hw", "model", "search"} <= packages
    assert not packages & set(bitformer.__all__)


def test_forecasts_are_the_references(model):
    windows = np.random.default_rng(1).normal(size=(3, 24, 1))
    assert (model.predict(windows) == reference.predict(model.integer, windows)).all()


def test_simulation_of_windows_and_of_random_samples(model, design):
    windows = np.random.default_rng(2).normal(size=(2, 24, 1))
    result = design.simulate(windows, engine="python")
    assert result.bit_exact
    assert result.cycles_as_predicted
    assert (model.integer.dequantize_output(result.outputs) == model.predict(windows)).all()
    assert result.latency[0] == design.latency == result.to_dict()["latency_cycles"][0]
    # an untrained model has no data: random integers
    assert len(design.simulate(samples=1, engine="python").outputs) == 1
    # cycles are promised for streams that never wait
    waited = design.simulate(samples=1, engine="python", back_pressure=0.5)
    assert waited.bit_exact
    assert waited.cycles_as_predicted is None


def test_a_wrong_cycle_is_noticed(design):
    import dataclasses

    result = design.simulate(samples=2, engine="python")
    assert result.cycles_as_predicted
    for name in ("predicted_latency", "predicted_interval"):
        later = dataclasses.replace(result, **{name: getattr(result, name) + 1})
        assert later.cycles_as_predicted is False


def test_estimate_has_time_energy_and_resources(design):
    slow, fast = design.estimate(clock_hz=50e6), design.estimate(clock_hz=100e6)
    assert slow.latency_us == 2 * fast.latency_us == design.latency / 50
    assert fast.fits
    assert fast.prediction.dsps == design.lowered.geometry.dsps
    assert slow.energy_j > fast.energy_j > 0  # static power lasts longer
    assert fast.to_dict()["latency_us"] == fast.latency_us


def test_verilog_has_the_ports_that_are_asked_for(design):
    plain, wrapped = design.verilog("mine"), design.verilog(wrapper="axi-stream")
    assert re.search(r"^module mine\(", plain, re.M)
    assert re.search(r"^module bitformer_accelerator\(.*s_axis_tdata", wrapped, re.M)
    assert "s_axis" not in plain
    with pytest.raises(bitformer.UserError, match=r"^wrapper must be axi-stream or none, not apb$"):
        design.verilog(wrapper="apb")


def test_build_writes_a_project(design, tmp_path):
    build = design.build("sea", to=tmp_path / "build")
    assert (build.folder / f"build_{build.name}.sh").is_file()
    assert build.to_dict() == {"folder": str(build.folder), "board": "sea", "name": "tiny"}


def test_build_refuses_a_board_with_another_part(design, tmp_path):
    other = next(name for name in ("arty-s7-25", "cmod-s7") if find_board(name).part != "xc7s15")
    with pytest.raises(bitformer.UserError, match=r"must have the design's part, xc7s15, not xc7s"):
        design.build(other, to=tmp_path / "build")
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: bitformer.load("nowhere.safetensors"), "model file must exist"),
        (lambda: bitformer.find("synthetic", power=3), r"limits must be among .*, not power"),
        (lambda: bitformer.train("synthetic", config="unknown"), "config must be one of"),
    ],
)
def test_mistakes_are_one_sentence(call, sentence):
    with pytest.raises(bitformer.UserError, match=sentence):
        call()


def test_representations_say_what_a_thing_is(model, design):
    assert repr(model).startswith("<Model tiny: 24 steps of 1 in, 6 out, ")
    assert repr(design) == f"<AcceleratorDesign tiny on xc7s15: {design.latency} cycles>"
    assert "fits xc7s15" in repr(design.estimate())
    assert "bit exact in" in repr(design.simulate(samples=1, engine="python"))


def quickest(code: str, of: int = 7) -> float:
    """Seconds of a program, in the best of a few runs."""
    found = []
    for _ in range(of):
        started = time.perf_counter()
        fresh(code)
        found.append(time.perf_counter() - started)
    return min(found)


def test_importing_takes_no_time():
    """Less than a bare interpreter takes to start, which is some hundredths of a second."""
    assert quickest("import bitformer") < 2 * quickest("pass") + 0.05


def test_the_command_is_shown_without_anything_heavy():
    code = (
        "import sys\n"
        "from bitformer.cli.main import cli\n"
        "try:\n    cli(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = ('torch', 'numpy', 'amaranth', 'rich', 'sqlite3')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert fresh(code).splitlines()[-1] == "[]"


def test_hardware_is_evaluated_beside_the_reference(model, monkeypatch):
    notes = []
    by_hardware = model.evaluate("synthetic", engine="python", samples=2, note=notes.append)
    by_reference = model.evaluate("synthetic", samples=2)
    assert by_hardware.models["tiny (python)"] == by_reference.models["tiny (integer)"]
    assert by_hardware.baselines == by_reference.baselines
    assert len(by_hardware.dataset.test) == 2
    assert any("training, " in sentence for sentence in notes)
    monkeypatch.setattr("bitformer.sim.run.reference.run", wrong_reference)
    with pytest.raises(NotBitExactError, match=r"^Not bit exact: "):
        model.evaluate("synthetic", engine="python", samples=1)


def test_forecast_of_the_models_own_data(tmp_path):
    """Where the training left them; by any function that computes as the model does."""
    settings = {"config": "tiny", "epochs": 1, "qat_epochs": 1}
    model = bitformer.train("synthetic", to=tmp_path, **settings)
    notes = []
    found = model.forecast(windows=7, note=notes.append)
    assert re.fullmatch(
        r"<Forecast of synthetic: 7 windows, the newest 6 steps from 2020-09-07 00:00 on: .*, …>",
        repr(found),
    )
    assert found.values.shape == found.times.shape == found.truth.shape == (7, 6)
    assert len(found) == 7
    assert np.isnan(found.truth[-1]).all()
    assert np.isfinite(found.truth[0]).all()
    assert (found.low <= found.high).all()
    assert found.interval.percent == 80
    assert model.forecast(interval=95).interval.percent == 95
    truth = found.truth[np.isfinite(found.truth)]
    off = np.abs(truth - found.values[np.isfinite(found.truth)])
    assert found.error["mae"] == pytest.approx(off.mean())
    said = found.to_dict()
    assert json.loads(json.dumps(said)) == said
    assert said["times"][-1][0] == "2020-09-07T00:00:00"
    assert len(found.to_csv().splitlines()) == 7 * 6 + 1
    asked = []

    def engine(windows):
        asked.append(windows.shape)
        return model.predict(windows)

    assert (model.forecast(windows=7, engine=engine).values == found.values).all()
    assert asked == [(7, 24, 1)]
    # what training said of the intervals is what evaluation counts
    kept = {str(one["percent"]): one["coverage"] for one in model.integer.meta["intervals"]}
    assert model.evaluate().to_dict()["interval_coverage"] == kept


def wrong_reference(integer, x, run=reference.run):
    """The reference's tensors, of which the result is one off."""
    tensors = dict(run(integer, x))
    name = integer.output.name
    return tensors | {name: tensors[name] + 1}


def test_samples_say_where_they_come_from(model, design):
    notes = []
    assert design.samples(2, note=notes.append).source == "random"
    assert notes == []  # an untrained model has no data to miss
    found = design.samples(3, data="synthetic")
    assert (found.source, found.values.shape) == ("synthetic, test windows", (3, 24, 1))
    assert (design.samples(3, seed=1).values == design.samples(3, seed=1).values).all()
    assert (design.samples(3, seed=1).values != design.samples(3, seed=2).values).any()
    with pytest.raises(bitformer.UserError, match="does not exist"):
        design.samples(data="nowhere.csv")


def test_waves_and_switching_activity(design, tmp_path):
    waves, activity = tmp_path / "new" / "a.vcd", tmp_path / "b.saif"
    design.simulate(samples=1, engine="python", vcd=waves, saif=activity)
    assert waves.read_text().lstrip().startswith("$")
    assert "(SAIFILE" in activity.read_text()
    design.simulate(samples=1, engine="python", saif=tmp_path / "c.saif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.saif", "c.saif", "new"]


def test_changes_with_which_a_design_fits(model):
    design = bitformer.lower(model, part="xc7s15", lanes=64)
    assert not design.estimate().fits
    (first, *_) = design.remedies()
    assert not first.figures.over
    found = design.diagnose()
    assert found.now.figures.over
    assert first.change in {fix.change for fix in found.fixes}
    assert bitformer.lower(model).remedies() == []


def test_estimate_without_measured_designs(design, monkeypatch, tmp_path):
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "none.sqlite"))  # the user may have some
    monkeypatch.setattr("bitformer.estimate.knowledge.shipped_entries", list)
    notes = []
    found = design.estimate(note=notes.append)
    assert (found.prediction, found.energy_j) == (None, None)
    assert found.uses == found.exact.uses
    assert "prediction" not in found.to_dict()
    assert notes[0].startswith("LUTs and flip-flops are those of the stores alone.")
    assert "uJ" not in repr(found)


def test_verilog_and_the_design_are_written(design, tmp_path):
    verilog, facts = design.elaborate(tmp_path / "out")
    assert "module bitformer_accelerator" in verilog.read_text()
    data = json.loads(facts.read_text())
    assert data["estimate"]["latency_cycles"] == design.latency
    assert len(data["instructions"]) == len(design.lowered.program.instructions)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(bitformer.UserError):
        design.elaborate(tmp_path / "mine")


def test_a_build_tells_its_command_and_its_problems(design, tmp_path):
    notes = []
    build = design.build("sea", to=tmp_path / "build", clock_hz=50_000_000, note=notes.append)
    assert build.command == "sh build_tiny.sh"
    assert "A clock generator makes 50 MHz of 100 MHz" in notes[0]
    with pytest.raises(bitformer.UserError, match="holds no report"):
        build.problems()


def test_what_is_too_large_for_a_board_is_refused_with_a_change(model, tmp_path):
    design = bitformer.lower(model, part="xc7s15", lanes=64)
    with pytest.raises(bitformer.UserError, match=r"; it does with 32 lanes, in 753 cycles$"):
        design.build("sea", to=tmp_path / "build")


def test_parts_in_floats_are_no_integer_model(tmp_path):
    settings = {"config": "tiny", "epochs": 1, "qat_epochs": 1, "precise": 32}
    training = bitformer.Training.run("synthetic", to=tmp_path, **settings)
    assert (training.model, training.to_dict()["model"]) == (None, None)
    assert list(training.evaluation.models) == ["float Transformer", "quantized (QAT)"]
    assert repr(training).startswith(f"<Training of tiny in {tmp_path}: validation MSE ")
    with pytest.raises(bitformer.UserError, match="bits of tiny must be those of integers"):
        bitformer.train("synthetic", to=tmp_path, **settings)  # which reads the finished run


def test_a_training_is_named_and_drawn(tmp_path):
    options = {"config": "tiny", "to": tmp_path / "run", "epochs": 1, "qat_epochs": 1}
    picture = tmp_path / "curve.png"
    model = bitformer.train("synthetic", name="pump", plot=picture, **options)
    assert model.name == "pump"
    assert picture.read_bytes().startswith(b"\x89PNG")
    training = bitformer.Training.run("synthetic", name="pump", **options)
    assert training.history == training.result.history
    assert [one["stage"] for one in training.history][-1] == "qat"
    assert training.history_file.read_text().splitlines()[0] == "epoch,stage,loss,val,lr"
    verdict = training.evaluation.verdict
    assert verdict.model == "integer"
    assert verdict.error == training.evaluation.models["integer"]
    assert training.to_dict()["verdict"]["outcome"] == verdict.outcome
    more = bitformer.Training.run("synthetic", name="pump", **options | {"qat_epochs": 2})
    assert [one["stage"] for one in more.history][-1] == "qat (2)"
    assert more.result.continued[0]["qat_epochs"] == 1


@pytest.mark.needs("qonnx")
def test_a_model_is_written_as_qonnx_and_checked(model, tmp_path):
    graph = model.to_onnx(tmp_path / "m.onnx", check=2, tensors=tmp_path / "m.npz")
    assert graph.witness.equal
    assert graph.witness.windows == 2
    with np.load(graph.tensors) as file:
        assert file["input"].shape == (2, 24, 1)
    found = json.loads(json.dumps(graph.to_dict()))
    assert found["witness"]["equal"]
    assert found["nodes"] == graph.nodes > 200
    with pytest.raises(bitformer.UserError, match="tensors must be left out without a check"):
        model.to_onnx(tmp_path / "n.onnx", tensors=tmp_path / "n.npz")
    assert not (tmp_path / "n.onnx").exists()
