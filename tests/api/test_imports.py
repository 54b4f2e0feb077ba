"""Models of other frameworks, from their module or their files to hardware that equals them."""

import numpy as np
import pytest
import torch
from import_harness import (
    Net,
    encoder_folder,
    patchtst_folder,
    random_weights,
    series,
    windows_of,
)

import bitformer
from bitformer.model.export import load_run
from bitformer.model.float_run import float_weights
from bitformer.model.own_data import dataset_of
from bitformer.model.torch_predict import predict
from bitformer.model.training_run import describe

torch.set_num_threads(1)
PTQ = {"method": "ptq", "progress": False, "device": "cpu"}
WINDOWS = {"target": "power", "time": None}


@pytest.fixture
def table(tmp_path):
    return str(series(tmp_path / "my.csv"))


def float_forecasts(run, model):
    """Forecasts of the run's float model for test windows, and what came."""
    from bitformer.model.run_store import RunStore
    from bitformer.model.transformer import Transformer

    net = Transformer(model.config)
    net.load_state_dict(RunStore(run).read_state()["float_best"])
    dataset = dataset_of(model.integer, data=None)
    return predict(net.eval(), dataset.test.x), dataset


def test_a_module_becomes_a_run(tmp_path, table):
    net = random_weights(Net(norm_first=True, activation="gelu", final=True, pooling="last"))
    said = []
    model = bitformer.from_torch(
        net, table, window=24, target="power", to=tmp_path / "run", note=said.append, **PTQ
    )
    ours, dataset = float_forecasts(tmp_path / "run", model)
    x = dataset.test.x
    with torch.no_grad():
        theirs = net(torch.tensor(x, dtype=torch.float32)).numpy()
    assert np.abs(ours - theirs).max() < 1e-5
    integer = model.predict(x)
    assert 0 < np.abs(integer - theirs).mean() < 0.05 * np.abs(theirs).mean()
    assert said[0].startswith("torch.nn.TransformerEncoder: 24 steps of 1 input(s) in 6 tokens,")
    design = bitformer.lower(model, part="xc7s15")
    result = design.simulate(samples=2, engine="python")
    assert result.bit_exact
    assert result.cycles_as_predicted
    assert design.estimate().fits


def test_a_run_is_read_again_and_another_is_refused(tmp_path, table):
    net = random_weights(Net())
    asked = {"window": 24, "target": "power", "to": tmp_path / "run", **PTQ}
    first = bitformer.from_torch(net, table, **asked)
    state = (tmp_path / "run" / "state.pt").stat().st_mtime_ns
    assert bitformer.from_torch(net, table, **asked).integer.meta == first.integer.meta
    assert (tmp_path / "run" / "state.pt").stat().st_mtime_ns == state
    with pytest.raises(bitformer.UserError, match=r"holds another run, with a difference in float"):
        bitformer.from_torch(random_weights(Net(), seed=1), table, **asked)


def test_training_with_rounding_goes_on_from_an_import(tmp_path, table):
    net = random_weights(Net())
    asked = {"window": 24, "target": "power", "to": tmp_path / "run", "progress": False}
    asked |= {"weights": 2, "qat_epochs": 2, "lowering": (4,), "device": "cpu"}
    bitformer.from_torch(net, table, **asked)
    record = load_run(tmp_path / "run")[1]
    stages = list(dict.fromkeys(one["stage"] for one in record["history"]))
    assert stages == ["float", "qat at 4 bits", "qat"]
    assert record["float"]["origin"] == "torch.nn.TransformerEncoder"
    results = record["results"]
    ptq = record["history"][[one["stage"] for one in record["history"]].index("qat at 4 bits")]
    assert results["quantized_val"] < ptq["val"]
    with pytest.raises(bitformer.UserError, match=r"^epochs must not be given: the float model of"):
        bitformer.from_torch(net, table, **asked | {"epochs": 3, "to": tmp_path / "other"})


@pytest.mark.parametrize("scaling", ["none", {"power": (7.0, 2.0), "wind": (25.0, 4.0)}])
@pytest.mark.parametrize("targets", ["power", "power,wind"])
def test_units_are_folded_into_the_ends(tmp_path, table, scaling, targets):
    count = targets.count(",") + 1
    net = random_weights(Net(inputs=2, targets=count))
    with torch.no_grad():  # a model that lives near values of 10 and 30
        net.embed.weight *= 0.1
    asked = {"window": 24, "target": targets, "inputs": "power,wind", "scaling": scaling}
    model = bitformer.from_torch(net, table, to=tmp_path / "run", **asked, **PTQ)
    ours, dataset = float_forecasts(tmp_path / "run", model)
    raw = dataset.test.x * dataset.std + dataset.mean
    theirs = {"none": [(0, 1), (0, 1)]}.get(str(scaling), [(7.0, 2.0), (25.0, 4.0)])
    middle, spread = np.array(theirs).T
    x = torch.tensor((raw - middle) / spread, dtype=torch.float32)
    with torch.no_grad():
        y = net(x).numpy().reshape(len(x), 6, count)
    y = y * spread[:count] + middle[:count]
    scales = dataset.target_scales
    expected = [(y[..., n] - one.mean) / one.std for n, one in enumerate(scales)]
    assert np.abs(ours - np.concatenate(expected, axis=1)).max() < 1e-4


def test_windows_scaled_in_the_files_units(tmp_path, table):
    """What is added to a variance is in the units that the model was trained on."""
    folder = patchtst_folder(tmp_path / "model", scaling="std")
    run = tmp_path / "run"
    model = bitformer.from_files(folder, table, target="power", scaling="none", to=run, **PTQ)
    dataset = dataset_of(model.integer, data=None)
    std = float(dataset.std[0])
    assert model.config.window_scaling == pytest.approx(1e-5 / std**2)
    ours, _ = float_forecasts(run, model)
    integer = model.predict(dataset.test.x)
    assert np.abs(ours - integer).mean() < 0.05 * ours.std()
    design = bitformer.lower(model)
    assert design.simulate(samples=1, engine="python").bit_exact


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": "power,wind"}, r"^inputs of the data must be 1 as in \S+, not 2: name as many"),
        ({"target": "power,wind"}, r"^inputs of the data must be 1 as in"),
        (
            {"scaling": {"wind": (0.0, 1.0)}},
            r"^scaling must have a mean and a deviation for column",
        ),
        ({"scaling": {"power": (0.0, 0.0)}}, r"^scaling of 'power' must be a finite mean and a po"),
        ({"scaling": "file"}, r"^scaling must be data, none or means and deviations, not 'file'$"),
    ],
)
def test_data_that_do_not_suit(tmp_path, table, changes, message):
    folder = encoder_folder(tmp_path / "model")
    asked = {"target": "power", "to": tmp_path / "run", **PTQ, **changes}
    with pytest.raises(bitformer.UserError, match=message):
        bitformer.from_files(folder, table, **asked)


def test_another_run_starts_from_an_import(tmp_path, table):
    folder, run = encoder_folder(tmp_path / "model"), tmp_path / "run"
    model = bitformer.from_files(folder, table, target="power", to=run, **PTQ)
    dataset = dataset_of(model.integer, data=None)
    weights, _ = float_weights(run, model.config, describe(dataset))
    there = random_weights(Net())
    assert torch.equal(weights["input.bias"], there.embed.bias.data)


SMALL = {
    "context_length": 48,
    "patch_length": 8,
    "patch_stride": 8,
    "d_model": 16,
    "num_attention_heads": 2,
    "ffn_dim": 32,
    "num_hidden_layers": 1,
    "prediction_length": 12,
}
FRAMEWORKS = {
    "patchtst": {"scaling": None},
    "patchtst, scaled": {"scaling": "std", "pooling_type": None},
    "patchtst, layernorm": {"scaling": None, "norm_type": "layernorm", "pre_norm": False},
    "patchtst, overlapping": {"scaling": "std", "patch_stride": 4, "activation_function": "relu"},
    "encoder": Net(window=48, patch=8, width=16, horizon=12),
    "encoder, pre-norm": Net(
        window=48, patch=8, width=16, horizon=12, norm_first=True, final=True, activation="gelu"
    ),
}


@pytest.mark.slow
@pytest.mark.needs("transformers", "compiler")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_kind_is_exact_on_the_smallest_part(tmp_path, table, name, record_property):
    net = FRAMEWORKS[name]
    if isinstance(net, dict):
        import transformers

        net = transformers.PatchTSTForPrediction(transformers.PatchTSTConfig(**{**SMALL, **net}))
    net = random_weights(net)
    run = tmp_path / "run"
    model = bitformer.from_torch(net, table, window=48, target="power", to=run, **PTQ)
    x = windows_of(48)
    with torch.no_grad():
        theirs = net(past_values=x).prediction_outputs[..., 0] if hasattr(net, "config") else net(x)
    integer = model.predict(x.numpy())
    off = float(np.square(integer - theirs.numpy()).mean() ** 0.5 / theirs.std())
    record_property("rounding", off)
    assert 0 < off < 0.1
    design = bitformer.lower(model, part="xc7s15")
    assert design.estimate().fits
    result = design.simulate(samples=20, engine="native")
    assert result.bit_exact
    assert result.cycles_as_predicted
