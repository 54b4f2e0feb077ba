"""Files that are no model that can be imported: one sentence each, which says what would do."""

import json
import pickle
import re

import pytest
import torch
from import_harness import (
    ENCODER,
    PATCHTST,
    Net,
    encoder_folder,
    patchtst_folder,
    patchtst_tensors,
    random_weights,
    written,
)
from safetensors.torch import load_file, save_file

from bitformer.model.errors import UserError
from bitformer.model.imports.files import from_files

POSITION = "model.encoder.positional_encoder.position_enc"
QUERIES = "model.encoder.layers.0.self_attn.q_proj.weight"


def patchtst(**changes):
    return lambda folder: patchtst_folder(folder, **changes)


def tensors(change):
    """Write a PatchTST whose tensors are what ``change`` makes of them."""

    def make(folder):
        return written(folder, PATCHTST, change(patchtst_tensors()))

    return make


def encoder(**changes):
    return lambda folder: encoder_folder(folder, **changes)


def without(name):
    return tensors(lambda found: {n: one for n, one in found.items() if n != name})


def pickled(folder):
    patchtst_folder(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    return folder


def pickle_of_another_name(folder):
    patchtst_folder(folder)
    torch.save({}, folder / "model.safetensors")
    return folder


def sharded(folder):
    patchtst_folder(folder)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    return folder


def without_config(folder):
    patchtst_folder(folder)
    (folder / "config.json").unlink()
    return folder


def with_text(text):
    def make(folder):
        patchtst_folder(folder)
        (folder / "config.json").write_text(text)
        return folder

    return make


def cut(folder):
    file = patchtst_folder(folder) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    return folder


def with_norm(folder):
    return encoder_folder(folder, random_weights(Net(final=True)))


NO_UNIT = "which the hardware has no unit for: change it to gelu and train on for some epochs"
WRONG = {
    "another architecture": (
        patchtst(model_type="informer"),
        "{0}/config.json: model_type must be patchtst or torch.nn.TransformerEncoder, not"
        " 'informer', whose layers the hardware does not have: train one of these two",
    ),
    "no output layer": (
        patchtst(architectures=["PatchTSTForPretraining"]),
        "{0}: architectures must be PatchTSTForPrediction or PatchTSTForClassification, not"
        " 'PatchTSTForPretraining': its output layer is what a forecast or a class comes from;"
        " fine-tune one of these first",
    ),
    "no model type": (
        with_text("{}"),
        "{0}/config.json must say by model_type what the weights are, patchtst or"
        " torch.nn.TransformerEncoder, not None",
    ),
    "no json": (with_text("{"), "{0}/config.json must be JSON, which it is not: "),
    "missing tensor": (without(QUERIES), f"{{0}} must have a tensor {QUERIES}, which is missing"),
    "missing statistics": (
        without("model.encoder.layers.0.norm_sublayer3.batchnorm.running_var"),
        "{0}: model.encoder.layers.0.norm2 must have running_mean and running_var, which are",
    ),
    "one tensor too many": (
        tensors(lambda found: found | {"head.extra": torch.zeros(2)}),
        "{0} must have no tensor that this import does not use, but has head.extra",
    ),
    "wrong shape": (
        tensors(lambda found: found | {POSITION: torch.zeros(6, 9)}),
        f"{{0}}: {POSITION} must have shape (6, 8), not (6, 9)",
    ),
    "pickle": (
        pickled,
        "{0}/pytorch_model.bin must be a safetensors file, not a pickle, which can run any code"
        " when it is opened: write it anew with save_pretrained, or its state_dict with"
        " safetensors.torch.save_file",
    ),
    "pickle of another name": (
        pickle_of_another_name,
        "{0}/model.safetensors must be a safetensors file, not a pickle",
    ),
    "sharded": (
        sharded,
        "{0} must have its weights in one file, model.safetensors, not in shards: write it anew"
        " with save_pretrained(…, max_shard_size='1GB')",
    ),
    "half precision": (
        tensors(lambda found: {n: one.half() for n, one in found.items()}),
        "must be float32, not float16: rounding here starts from whole floats; write it anew after"
        " model.float()",
    ),
    "brain floats": (
        tensors(lambda found: found | {POSITION: found[POSITION].bfloat16()}),
        f"{{0}}/model.safetensors: {POSITION} must be float32, not bfloat16: ",
    ),
    "integers": (
        tensors(lambda found: found | {POSITION: found[POSITION].to(torch.int8)}),
        f"{{0}}/model.safetensors: {POSITION} must be float32, not I8",
    ),
    "unknown activation": (
        patchtst(activation_function="silu"),
        "{0}: activation_function must be relu or gelu (the exact one), not 'silu', " + NO_UNIT,
    ),
    "gelu by tanh": (
        patchtst(activation_function="gelu_new"),
        "{0}: activation_function must be relu or gelu (the exact one), not 'gelu_new', " + NO_UNIT,
    ),
    "rotary positions": (
        patchtst(positional_encoding_type="rotary"),
        "{0}: positional_encoding_type must be a table that is added to the tokens, not rotary: the"
        " hardware has no unit that turns queries and keys; train with a learned or a sinusoidal"
        " table",
    ),
    "rotary positions of an encoder": (
        encoder(position="rotary"),
        "{0}/config.json: position must be a table that is added to the tokens, not rotary: ",
    ),
    "nan": (
        tensors(lambda found: found | {POSITION: torch.full((6, 8), torch.nan)}),
        f"{{0}}/model.safetensors: {POSITION} must be finite numbers, not nan",
    ),
    "infinite": (
        tensors(lambda found: found | {POSITION: torch.full((6, 8), 1e300, dtype=torch.float64)}),
        f"{{0}}/model.safetensors: {POSITION} must be finite numbers, not inf",
    ),
    "class token": (
        patchtst(use_cls_token=True),
        "{0}: use_cls_token must be False, not True: all tokens of the hardware are patches of the"
        " window; train with use_cls_token=False and pooling_type='mean'",
    ),
    "attention over channels": (
        patchtst(channel_attention=True),
        "{0}: channel_attention must be False, not True: the hardware computes one channel at a",
    ),
    "a maximum": (
        patchtst(pooling_type="max"),
        "{0}: pooling_type must be 'mean' or None, not 'max': the hardware has no unit for a"
        " maximum over tokens",
    ),
    "scaled by its mean": (
        patchtst(scaling="mean"),
        "{0}: scaling must be None or False or 'std', not 'mean': the host scales a window by its"
        " mean and its deviation, or not at all",
    ),
    "distribution": (
        patchtst(loss="nll"),
        "{0}: loss must be 'mse', not 'nll': the chip gives one value for a step, not a ",
    ),
    "a head for each channel": (
        patchtst(share_projection=False),
        "{0}: share_projection must be True, not False: ",
    ),
    "text for a number": (
        with_text(json.dumps({**PATCHTST, "d_model": "8"})),
        "{0}: d_model must be an integer, not '8'",
    ),
    "too wide": (patchtst(d_model=512), "{0}: d_model must be at most 256, not 512"),
    "no folder": (
        lambda folder: folder / "none",
        "{0}/none must be a folder with model.safetensors, or a file of weights, but is not there",
    ),
    "no config": (
        without_config,
        "{0} must have a config.json beside its weights, which says what they do not: ",
    ),
    "cut off": (cut, "{0}/model.safetensors must be a safetensors file, which it is not: "),
    "unknown field": (
        encoder(heads=2),
        "{0}/config.json has an unknown field 'heads'",
    ),
    "another encoder": (
        encoder(encoder="decoder"),
        "{0}/model.safetensors must have a tensor decoder.layers.0.self_attn.in_proj_weight, which"
        " is missing",
    ),
    "a last norm behind norms": (
        with_norm,
        "{0}/model.safetensors must have no norm behind its encoder (norm=None) with"
        " norm_first=False, as the hardware has no unit that normalises what was normalised just"
        " before: train without it, or with norm_first=True",
    ),
    "no layer of that size": (
        encoder(patch=6),
        "{0}/model.safetensors must have one linear layer of shape (8, 6) as input layer, which is"
        " missing",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(tmp_path, name):
    make, message = WRONG[name]
    path = make(tmp_path)
    message = message.replace("{0}", str(tmp_path))
    with pytest.raises(UserError, match=re.escape(message)) as refused:
        from_files(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(tmp_path))


def test_a_channel_where_weights_differ_by_channel(tmp_path):
    patchtst_folder(tmp_path, num_input_channels=3, share_embedding=False)
    with pytest.raises(
        UserError, match=r"^channel must be 0 to 2, not None: .* has weights for ea"
    ):
        from_files(tmp_path)
    first, last = (from_files(tmp_path, channel=n).weights["input.weight"] for n in (0, 2))
    there = load_file(tmp_path / "model.safetensors")
    assert torch.equal(last, there["model.encoder.embedder.input_embedding.2.weight"])
    assert not torch.equal(first, last)


def test_channels_with_the_same_weights_are_one_model(tmp_path):
    found = from_files(patchtst_folder(tmp_path, num_input_channels=7))
    assert found.config.inputs == 1
    assert found.notes == (
        "The model has 7 channels, each computed by itself: the chip computes one, and forecasts"
        " another one with the same weights when it is given that",
    )


def test_a_file_by_its_name(tmp_path):
    encoder_folder(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "weights.safetensors")
    assert from_files(tmp_path / "weights.safetensors").config.window == ENCODER["window"]
    with pytest.raises(UserError, match=r"^channel must be left out for a torch.nn.TransformerEnc"):
        from_files(tmp_path / "weights.safetensors", channel=1)


def test_float64_is_rounded_to_float32(tmp_path):
    patchtst_folder(tmp_path)
    file = tmp_path / "model.safetensors"
    before = from_files(tmp_path).weights
    save_file({n: one.double() for n, one in load_file(file).items()}, file)
    after = from_files(tmp_path).weights
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_sizes_are_the_settings_own(tmp_path):
    assert json.loads((encoder_folder(tmp_path) / "config.json").read_text())["patch"] == 4
    config = from_files(tmp_path).config
    assert (config.tokens, config.d_model, config.ffn, config.heads) == (6, 8, 12, 2)
    assert (config.norm, config.position, config.pooling) == ("layer", "learned", "flatten")
