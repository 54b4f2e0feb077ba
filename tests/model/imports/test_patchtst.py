"""PatchTST as transformers computes it: forecasts, classes, scaling of windows, and defaults."""

import pytest
import torch
from import_harness import random_weights, windows_of

from bitformer.model.imports import patchtst
from bitformer.model.imports.files import from_files
from bitformer.model.imports.module import from_module

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("transformers"),
    pytest.mark.filterwarnings("default"),  # transformers' own, of which there are some
]
SMALL = {
    "context_length": 48,
    "patch_length": 6,
    "patch_stride": 6,
    "d_model": 16,
    "num_attention_heads": 2,
    "ffn_dim": 32,
    "num_hidden_layers": 2,
    "prediction_length": 12,
}
FORECASTS = [
    {"scaling": None},
    {"scaling": "std"},
    {"scaling": None, "norm_type": "layernorm", "pre_norm": False, "activation_function": "relu"},
    {"scaling": "std", "patch_length": 8, "patch_stride": 4, "pooling_type": None},
    {"scaling": None, "patch_length": 9, "patch_stride": 9, "norm_eps": 1e-3, "bias": False},
    {"scaling": "std", "num_input_channels": 3, "positional_encoding_type": "random"},
    {"scaling": None, "num_input_channels": 3, "share_embedding": False},
]


def made(kind="Prediction", **changes):
    import transformers

    config = transformers.PatchTSTConfig(**{**SMALL, **changes})
    return random_weights(getattr(transformers, f"PatchTSTFor{kind}")(config))


@pytest.mark.parametrize("changes", FORECASTS, ids=str)
def test_forecasts_are_transformers_own(tmp_path, changes):
    theirs = made(**changes)
    theirs.save_pretrained(tmp_path)
    channels = changes.get("num_input_channels", 1)
    channel = 1 if changes.get("share_embedding") is False else None
    found = from_files(tmp_path, channel=channel)
    x = windows_of(48, channels)
    with torch.no_grad():
        expected = theirs(past_values=x).prediction_outputs
        for number in range(channels) if channel is None else [channel]:
            ours = found.model()(x[..., [number]])
            assert float((ours - expected[..., number]).abs().max()) < 1e-5
    same = from_module(theirs, window=48, channel=channel)
    assert same.config == found.config
    assert all(torch.equal(same.weights[name], one) for name, one in found.weights.items())


@pytest.mark.parametrize("scaling", [None, "std"])
def test_scores_of_classes_are_transformers_own(tmp_path, scaling):
    theirs = made("Classification", scaling=scaling, num_targets=5)
    theirs.save_pretrained(tmp_path)
    found = from_files(tmp_path)
    assert (found.config.task, found.config.horizon) == ("classify", 5)
    x = windows_of(48)
    with torch.no_grad():
        expected = theirs(past_values=x).prediction_logits
        assert float((found.model()(x) - expected).abs().max()) < 1e-5


def test_what_a_file_leaves_out_is_what_transformers_takes():
    import transformers

    theirs = transformers.PatchTSTConfig()
    assert {n: getattr(theirs, n) for n in patchtst._DEFAULTS} == patchtst._DEFAULTS
