"""From a finished run to an integer model and its file."""

import numpy as np
import pytest
import torch

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.export import export, export_run, load_run
from bitformer.model.reference import predict, run
from bitformer.model.run_store import RunStore
from bitformer.model.train import train

SHORT = {"epochs": 1, "qat_epochs": 1, "progress": False, "device": "cpu"}
CONFIGS = {
    "tiny": named_config("tiny"),
    "grid": named_config("grid-12-32-4").replace(inputs=2),
    "learned": named_config("tiny").replace(position="learned", norm="batch", layers=2),
}


@pytest.fixture(params=CONFIGS)
def finished(request, small_dataset, tmp_path):
    config = CONFIGS[request.param]
    dataset = small_dataset(window=config.window, horizon=config.horizon, inputs=config.inputs)
    return tmp_path, dataset, train(config, dataset, run_dir=tmp_path, **SHORT)


def test_reference_error_is_the_trained_one(finished):
    run_dir, dataset, result = finished
    integer = export_run(run_dir)
    for windows, error in (
        (dataset.val, result.quantized_val),
        (dataset.test, result.quantized_test),
    ):
        assert np.square(predict(integer, windows.x) - windows.y).mean() == error


def test_the_file_holds_the_same_model(finished):
    run_dir, dataset, _ = finished
    integer = export_run(run_dir)
    save_model(integer, run_dir / "model.safetensors")
    loaded = load_model(run_dir / "model.safetensors")
    q = integer.quantize_input(dataset.test.x)
    expected, found = run(integer, q), run(loaded, q)
    assert expected.keys() == found.keys()
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    assert loaded.meta == integer.meta
    assert loaded.config == integer.config


def test_meta_says_where_it_comes_from(finished):
    run_dir, dataset, result = finished
    meta = export_run(run_dir).meta
    assert meta["dataset"]["name"] == "small"
    assert meta["dataset"]["inputs"] == list(dataset.inputs)
    assert meta["dataset"]["target"] == "x0"
    assert meta["dataset"]["mean"] == dataset.mean.tolist()
    assert meta["dataset"]["target_std"] == 2.0
    assert meta["dataset"]["target_channel"] == 0
    assert meta["settings"]["seed"] == 0
    assert meta["results"]["quantized_test"] == result.quantized_test


def test_export_reads_the_trained_parameters(finished):
    run_dir, dataset, result = finished
    model, _ = load_run(run_dir)
    with torch.no_grad():
        model.output.bias += 0.5
    changed = predict(export(model), dataset.val.x)
    assert np.square(changed - dataset.val.y).mean() != result.quantized_val


def test_an_unfinished_run_is_refused(small_dataset, tmp_path):
    with pytest.raises(UserError, match=r"Run folder must hold a run, but .* has no run\.json"):
        export_run(tmp_path)
    train(CONFIGS["tiny"], small_dataset(), run_dir=tmp_path, **SHORT)
    store = RunStore(tmp_path)
    record = store.read_record()
    del record["results"]
    store.write_record(record)
    with pytest.raises(UserError, match="must be finished first: train again to resume it"):
        export_run(tmp_path)


def test_a_state_of_another_model_is_refused(small_dataset, tmp_path):
    train(CONFIGS["tiny"], small_dataset(), run_dir=tmp_path, **SHORT)
    store = RunStore(tmp_path)
    record = store.read_record()
    record["config"]["ffn"] = 24
    store.write_record(record)
    with pytest.raises(UserError, match=r"state\.pt must belong to run\.json"):
        export_run(tmp_path)
