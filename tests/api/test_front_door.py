"""The package's front door: what it shows, what it loads, and what it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bitformer
from bitformer.boards.catalog import find_board
from bitformer.model import reference
from bitformer.model.config import named_config
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
