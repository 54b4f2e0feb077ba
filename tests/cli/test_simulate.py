"""``bitformer simulate``: bit exact and on time, or exit code 1."""

from dataclasses import replace

import pytest

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


def test_simulate_is_bit_exact_and_on_time(bitformer, tiny, tmp_path):
    waves = tmp_path / "new" / "waves.vcd"
    said = bitformer("simulate", tiny, "--samples", "2", "--vcd", waves, "--json")
    assert said.code == 0
    assert said.data["bit_exact"] is True
    assert said.data["difference"] is None
    assert said.data["cycles_as_predicted"] is True
    assert said.data["latency_cycles"][0] == said.data["predicted"]["latency_cycles"]
    tensors = set(load_model(tiny).tensors) - {"input", "position"}
    assert tensors <= set(said.data["tensors"])
    assert waves.stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_simulate_the_netlist(bitformer, tiny):
    said = bitformer("simulate", tiny, "--samples", "3", "--engine", "netlist", "--json")
    assert said.code == 0
    assert said.data["engine"] == "netlist"
    assert said.data["bit_exact"]
    assert said.data["cycles_as_predicted"]
    assert said.data["tensors"] == ["output"]


def test_products_of_luts_take_fewer_cycles(bitformer, tiny):
    options = ("simulate", tiny, "--samples", "1", "--lanes", "4", "--json")
    plain, more = bitformer(*options), bitformer(*options, "--lut-lanes", "4")
    assert more.code == 0
    assert more.data["bit_exact"]
    assert more.data["cycles_as_predicted"]
    assert more.data["latency_cycles"] < plain.data["latency_cycles"]
    auto = bitformer("estimate", tiny, "--lanes", "4", "--lut-lanes", "auto", "--json")
    assert auto.code == 0
    assert auto.data["latency_cycles"] <= more.data["latency_cycles"][0]


@pytest.mark.parametrize("lanes", ["3", "-2", "some", "1000"])
def test_lanes_of_luts_that_are_none(bitformer, tiny, lanes):
    said = bitformer("simulate", tiny, "--lut-lanes", lanes)
    assert said.code == 2
    assert "lut_lanes must be auto or an even number from 0 to 128, not" in said.err


def test_simulate_under_back_pressure(bitformer, tiny):
    said = bitformer("simulate", tiny, "--samples", "1", "--backpressure", "0.4", "--json")
    assert said.code == 0
    assert said.data["bit_exact"] is True
    assert said.data["cycles_as_predicted"] is None


def test_a_wrong_bit_is_exit_code_one(bitformer, tiny, monkeypatch):
    import bitformer.sim.run as run

    right = run.reference.run

    def wrong(model, x):
        values = dict(right(model, x))
        values["layers.0.add1"] = values["layers.0.add1"] ^ 1
        return values

    monkeypatch.setattr(run.reference, "run", wrong)
    said = bitformer("simulate", tiny, "--samples", "1", "--json")
    assert said.code == 1
    assert said.data["bit_exact"] is False
    assert said.data["difference"]["tensor"] == "layers.0.add1"
    assert "Not bit exact: layers.0.add1[" in said.err


def test_simulate_without_the_models_data_takes_random_ones(bitformer, tmp_path):
    model = replace(initialize(named_config("tiny")), meta={"dataset": {"name": "gone.csv"}})
    save_model(model, tmp_path / "m.safetensors")
    said = bitformer("simulate", tmp_path / "m.safetensors", "--samples", "1", "--json")
    assert said.code == 0
    assert said.data["source"] == "random"
    assert "Random samples, as " in said.err
