"""Configurations: what follows from them, the named ones, and every mistake by name."""

import json
from dataclasses import FrozenInstanceError

import pytest

from bitformer.model.config import (
    NAMED_CONFIGS,
    TransformerConfig,
    named_config,
    read_config,
)
from bitformer.model.errors import UserError
from bitformer.model.precision import COMPONENTS, PATH_BITS, Precision

SMALL = {"name": "small", "window": 12, "d_model": 8, "ffn": 16}


def make(**changes):
    return TransformerConfig(**SMALL | changes)


def test_what_follows():
    config = make(patch=3, inputs=2, horizon=5, layers=2, heads=4)
    assert (config.tokens, config.token_inputs, config.head_inputs) == (4, 6, 32)
    assert make(pooling="mean").head_inputs == 8
    # input, per layer q k v o, scores and context, FFN; output
    layer = 4 * 4 * 8 * 8 + 2 * 4 * 4 * 8 + 2 * 4 * 8 * 16
    assert config.macs == 4 * 6 * 8 + 2 * layer + 32 * 5


def test_a_linear_path_beside_the_network():
    config = make(inputs=2, horizon=5, linear_path=True)
    assert config.macs == make(inputs=2, horizon=5).macs + 12 * 2 * 5
    assert config.components == (*COMPONENTS, "Lpath")
    assert config.bits("Lpath") == PATH_BITS == Precision(weights=8, activations=16)
    assert (config.weight_bits("path"), config.tensor_bits("path")) == (8, 16)


def test_an_mlp_has_nothing_over_tokens():
    config = make(patch=3, horizon=5, layers=2, block="mlp")
    assert config.macs == 4 * 3 * 8 + 2 * (2 * 4 * 8 * 16) + 32 * 5
    assert config.components == tuple(c for c in COMPONENTS if "MHA" not in c)
    # one token: the whole window
    assert make(patch=12, horizon=5, block="mlp").macs == 12 * 8 + 2 * 8 * 16 + 8 * 5


@pytest.mark.parametrize(
    "written", [{}, {"block": "mlp"}, {"block": "mixer"}, {"block": "mixer", "mixing": 4}], ids=str
)
def test_a_later_field_is_written_where_it_says_something(written):
    """What is derived of models that are older than the field, digests among it, is the same."""
    config = make(**written)
    data = config.to_dict()
    assert {name: data[name] for name in ("block", "mixing") if name in data} == written
    assert TransformerConfig.from_dict(data) == config


def test_bits_of_everything_leave_the_linear_path_its_own():
    narrow, own = (Precision(weights=bits, activations=bits) for bits in (2, 4))
    config = make(linear_path=True, default=narrow)
    assert config.bits("MHA") == narrow
    assert config.bits("Lpath") == PATH_BITS
    assert config.replace(precision={"Lpath": own}).bits("Lpath") == own
    assert {config.at(own).bits(name) for name in config.components} == {own}


@pytest.mark.parametrize(
    ("given", "path", "bits"),
    [
        ({}, True, (8, 8)),
        ({"subtract_last": True}, True, (16, 16)),
        ({"subtract_last": True, "input_bits": 10, "linear_path": False}, False, (10, 16)),
        ({"decoder_layers": 1, "subtract_last": True}, False, (16, 16)),
    ],
)
def test_what_a_file_leaves_out(tmp_path, given, path, bits):
    """A line to fall back on, and room for levels beyond the training rows'."""
    file = tmp_path / "own.json"
    file.write_text(json.dumps({**SMALL, **given}))
    config = read_config(str(file))
    assert (config.linear_path, (config.input_bits, config.output_bits)) == (path, bits)
    # a saved model's says all; an older one's has no path
    saved = config.to_dict()
    assert TransformerConfig.from_dict(saved) == config
    del saved["linear_path"]
    assert not TransformerConfig.from_dict(saved).linear_path


@pytest.mark.parametrize("data", [3, [], {"linear_path": None, **SMALL}])
def test_a_file_that_is_no_configuration_is_refused_as_such(tmp_path, data):
    file = tmp_path / "own.json"
    file.write_text(json.dumps(data))
    with pytest.raises(UserError, match=rf"^{file}: config"):
        read_config(str(file))


def test_components_take_the_default_or_their_own():
    own = Precision(weights=2, activations=5)
    config = make(precision={"MHA": own})
    for component in COMPONENTS:
        expected = own if component == "MHA" else Precision(weights=8, activations=8)
        assert config.bits(component) == expected


@pytest.mark.parametrize("name", [*NAMED_CONFIGS, "grid-6-8-4", "grid-24-64-6"])
def test_named_configurations_and_their_copies(name):
    config = named_config(name)
    assert config.name == name
    assert TransformerConfig.from_dict(config.to_dict()) == config
    if config.task != "classify":
        assert config.replace(horizon=config.patch).horizon == config.patch


def test_published_family():
    config = named_config("grid-18-32-6")
    assert (config.window, config.d_model, config.ffn, config.inputs) == (18, 32, 128, 7)
    assert (config.norm, config.pooling, config.heads, config.layers) == ("batch", "mean", 1, 1)
    assert {config.bits(c) for c in COMPONENTS} == {Precision(weights=6, activations=6)}


@pytest.mark.parametrize("name", ["", "big", "grid-6-8", "grid-a-b-c", "grid-6-8-4-2", "TINY"])
def test_unknown_names(name):
    with pytest.raises(
        UserError, match=r"^config must be one of tiny, .* or grid-N-D-B\[-stream\], not "
    ):
        named_config(name)


def test_a_configuration_does_not_change():
    with pytest.raises(FrozenInstanceError):
        make().window = 3


@pytest.mark.parametrize(
    "field",
    [
        *("window", "inputs", "horizon", "patch", "d_model", "layers", "heads", "ffn"),
        *("input_bits", "output_bits"),
    ],
)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "4", None])
def test_counts_are_positive_integers(field, value):
    with pytest.raises(UserError, match=rf"^{field} must be a positive integer, not {value!r}$"):
        make(**{field: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, r"^name must be a string, not 3$"),
        ({"norm": "rms"}, r"^norm must be one of \('batch', 'layer'\), not 'rms'$"),
        ({"pooling": "max"}, r"^pooling must be one of \('mean', 'flatten', 'last'\), not 'max'$"),
        ({"position": "rotary"}, r"^position must be one of .*, not 'rotary'$"),
        ({"subtract_last": "yes"}, r"^subtract_last must be one of \(False, True\), not 'yes'$"),
        ({"linear_path": "yes"}, r"^linear_path must be one of \(False, True\), not 'yes'$"),
        (
            {"linear_path": True, "decoder_layers": 1},
            r"^linear_path must be false with a decoder, not true$",
        ),
        ({"block": "lstm"}, r"^block must be one of \('attention', 'mixer', 'mlp'\), not 'lstm'$"),
        (
            {"block": "mlp", "decoder_layers": 1},
            r"^block must be attention with a decoder, not mlp: try --block attention, or a"
            r" --config without a decoder$",
        ),
        ({"mixing": -1}, r"^mixing must be 0 to 65535, not -1$"),
        ({"mixing": True, "block": "mixer"}, r"^mixing must be 0 to 65535, not True$"),
        ({"mixing": 1 << 16, "block": "mixer"}, r"^mixing must be 0 to 65535, not 65536$"),
        (
            {"mixing": 4},
            r'^mixing must be 0 with block attention, not 4: give "mixing": 0 or "block": "mixer"$',
        ),
        (
            {"block": "mlp", "precision": {"MHA": Precision(weights=4, activations=4)}},
            r"^precision must name components of .*, not 'MHA'$",
        ),
        (
            {"precision": {"Lpath": Precision(weights=4, activations=4)}},
            r"^precision must name components of .*, not 'Lpath'$",
        ),
        ({"patch": 5}, r"^patch must divide window \(12\), not be 5: try --patch 4$"),
        ({"heads": 3}, r"^heads must divide d_model \(8\), not be 3$"),
        (
            {"subtract_last": True, "target_channel": 1},
            r"^target_channel must be a channel below 1, not 1$",
        ),
        ({"window": 257}, r"^window / patch must be at most 256 tokens, not 257$"),
        ({"d_model": 512}, r"^d_model must be at most 256, not 512$"),
        ({"layers": 100_000}, r"^layers must be at most 64, not 100000$"),
        ({"decoder_layers": 65}, r"^decoder_layers must be at most 64, not 65$"),
        ({"window": 10**8}, r"^window must be at most 65535, not 100000000$"),
        ({"inputs": 65536}, r"^inputs must be at most 65535, not 65536$"),
        ({"horizon": 10**8}, r"^horizon must be at most 65535, not 100000000$"),
        ({"patch": 2**64}, r"^patch must be at most 65535, not 18446744073709551616$"),
        ({"ffn": 10**8}, r"^ffn must be at most 65535, not 100000000$"),
        ({"heads": 10**30}, r"^heads must be at most 256, not "),
        ({"decoder_layers": 10**8}, r"^decoder_layers must be at most 64, not 100000000$"),
        ({"inputs": 5462}, r"^numbers of a window must be at most 65535, not 65544: choose sm"),
        (
            {"d_model": 256, "ffn": 4096, "layers": 4},
            r"^weights must be at most 8388608, not 9440512: choose smaller sizes$",
        ),
        (
            {"window": 256, "d_model": 256, "heads": 16},
            r"^numbers that an inference stores must be at most 1048576, not 1446145: choose",
        ),
        (
            {"window": 128, "d_model": 256, "ffn": 1024, "layers": 3},
            r"^MACs of an inference must be at most 268435456, not 32\d{7}: choose",
        ),
        ({"input_bits": 3}, r"^input_bits must be 4 to 16, not 3$"),
        ({"output_bits": 17}, r"^output_bits must be 4 to 16, not 17$"),
        (
            {"precision": {"Attention": Precision(weights=4, activations=4)}},
            r"^precision must name components of .*, not 'Attention'$",
        ),
        (
            {"precision": {"CMHA": Precision(weights=4, activations=4)}},
            r"^precision must name components of .*, not 'CMHA'$",
        ),
        ({"tensors": {"layers.1.q": 4}}, r"^tensors must name a weight .*, not 'layers.1.q'$"),
        ({"tensors": {"output": 4}}, r"^tensors must name a weight .*, not 'output'$"),
        ({"tensors": {"layers.0.q": 1}}, r"^tensors: layers.0.q must be one of \(2, .*, not 1$"),
        (
            {"tensors": {"layers.0.q.weight": 5}},
            r"^tensors: layers.0.q.weight must be one of \(1, .*, not 5$",
        ),
        ({"tensors": {"layers.0.scores": 4}}, r"^tensors must not name softmax logits, which "),
        ({"weight_scales": "row"}, r"^weight_scales must be one of .*, not 'row'$"),
        ({"asymmetric": 1.5}, r"^asymmetric must be one of \(False, True\), not 1.5$"),
        ({"decoder_layers": -1}, r"^decoder_layers must be 0 or a positive integer, not -1$"),
        (
            {"decoder_layers": 1, "horizon": 13},
            r"^horizon must be a multiple of patch \(1\) and at most window \(12\) with a .* 13$",
        ),
        (
            {"decoder_layers": 1, "pooling": "mean"},
            r"^pooling must be flatten with a decoder, not 'mean'$",
        ),
        ({"patch_stride": -1}, r"^patch_stride must be 0 or a positive integer, not -1$"),
        ({"patch_stride": 2, "patch": 13}, r"^patch must be at most window \(12\), not 13$"),
        (
            {"decoder_layers": 1, "patch_stride": 2},
            r"^patch_stride must be 0 with a decoder, not 2$",
        ),
        (
            {"final_norm": True},
            r"^final_norm must be false without pre_norm, and with a decoder, not true: ",
        ),
        ({"norm_eps": 0.0}, r"^norm_eps must be a number above 0 and below 1, not 0.0$"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ({"weights": 5, "activations": 8}, r"^weights must be one of \(1, 2, .*\) bits, not 5$"),
        ({"weights": 8, "activations": 9}, r"^activations must be one of \(2, .*\) bits, not 9$"),
        ({"weights": 8, "activations": 1}, r"^activations must be one of \(2, .*\) bits, not 1$"),
        ({"weights": 4.0, "activations": 8}, r"^weights must be one of \(1, .*\) bits, not 4.0$"),
        ({"weights": [4], "activations": 8}, r"^weights must be one of \(1, .*\) bits, not \[4\]$"),
    ],
)
def test_precisions_are_those_of_the_hardware(bits, message):
    with pytest.raises(UserError, match=message):
        Precision(**bits)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, r"^config must be an object, not 3$"),
        ({**SMALL, "depth": 3}, r"^config has an unknown field 'depth'$"),
        ({"name": "x"}, r"^config must have a field 'window', which is missing$"),
        ({**SMALL, "default": {"weights": 4}}, r"^config: default must have .* 'activations', "),
        ({**SMALL, "default": 8}, r"^config: default must be an object, not 8$"),
        ({**SMALL, "precision": 8}, r"^config: precision must be an object, not 8$"),
        ({**SMALL, "precision": {"MHA": {"bits": 8}}}, r"^config: precision: MHA has .* 'bits'$"),
        ({**SMALL, "window": 4.0}, r"^config: window must be an integer, not 4.0$"),
        ({**SMALL, "subtract_last": 1}, r"^config: subtract_last must be true or false, not 1$"),
        ({**SMALL, "linear_path": None}, r"^config: linear_path must be true or false, not None$"),
        ({**SMALL, "input_bits": None}, r"^config: input_bits must be an integer, not None$"),
        ({**SMALL, "tensors": {"layers.0.q": "4"}}, r"^config: tensors: layers.0.q must be an int"),
        ({**SMALL, "patch": 0}, r"^config: patch must be a positive integer, not 0$"),
    ],
)
def test_data_that_is_no_configuration(data, message):
    with pytest.raises(UserError, match=message):
        TransformerConfig.from_dict(data)


def test_single_tensors_go_before_components():
    own = Precision(weights=2, activations=5)
    config = make(precision={"MHA": own}, tensors={"layers.0.q": 16, "layers.0.k.weight": 1})
    assert [config.weight_bits(f"layers.0.{name}") for name in "qkvo"] == [2, 1, 2, 2]
    assert [config.tensor_bits(f"layers.0.{name}") for name in "qkv"] == [16, 5, 5]
    assert (config.tensor_bits("input"), config.tensor_bits("output")) == (8, 8)
    assert not config.has_floats
    assert make(tensors={"layers.0.k.weight": 32}).has_floats
    assert TransformerConfig.from_dict(config.to_dict()) == config


def test_a_decoder():
    config = make(decoder_layers=2, horizon=6, patch=3, inputs=2)
    assert (config.decoder_tokens, config.head_inputs) == (2, 8)
    assert config.components[-1] == "DBNFFN"
    d, f, n, m = 8, 16, 4, 2
    encoder = n * 6 * d + 4 * n * d * d + 2 * n * n * d + 2 * n * d * f
    own = 4 * m * d * d + (1 + 2) * 2 * d
    context = 2 * m * d * d + 2 * n * d * d + 2 * m * n * d
    decoder = m * 6 * d + 2 * (own + context + 2 * m * d * f)
    assert config.macs == encoder + decoder + m * 3 * d


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 65535, "patch": 65535},
        {"inputs": 5461},
        {"layers": 64, "decoder_layers": 64},
        {"window": 256, "d_model": 256, "heads": 8},
        {"ffn": 65535},
        {"horizon": 65535},
    ],
    ids=str,
)
def test_sizes_up_to_the_bounds_are_taken(changes):
    config = make(**changes)
    assert TransformerConfig.from_dict(config.to_dict()) == config


def test_a_grid_of_any_digits_is_refused():
    for name in ("grid-" + "9" * 5000 + "-8-4", "grid-99999999-8-4", "grid-12-99999999-4"):
        with pytest.raises(UserError, match=r"at most|must be one of tiny"):
            named_config(name)
