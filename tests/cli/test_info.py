"""``bitformer info``: what a model holds, what identifies it, what kinds its layers are."""

from dataclasses import replace

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize


def test_info_adds_up(bitformer, tiny):
    data, model = bitformer("info", tiny, "--json").data, load_model(tiny)
    assert data["macs"] == model.config.macs
    assert [tensor["name"] for tensor in data["tensors"]] == list(model.tensors)
    sizes = {f"layers.0.{name}": 8 * 8 + 8 for name in ("q", "k", "v", "add1")}
    sizes |= {"embedding": 4 * 8 + 8, "output": 48 * 6 + 6, "path": 24 * 6 + 6}
    sizes |= {"layers.0.hidden": 8 * 16 + 16, "layers.0.add2": 16 * 8 + 8}
    sizes |= {"layers.0.norm1": 16, "layers.0.norm2": 16}
    found = {row["output"]: row["parameters"] for row in data["operations"] if row["parameters"]}
    assert found == sizes
    assert data["parameters"] == sum(sizes.values())
    bits = {"output": 8, "path": 8}
    linears = [op for op in model.operations if hasattr(op, "weight")]
    weights = sum(op.weight.size * bits.get(op.y, 4) for op in linears)
    assert data["stored_bits"]["weights"] == weights
    assert data["size_bits"] == sum(data["stored_bits"].values())
    wide, narrow = 48 * 6 + 6 + 24 * 6 + 6, 4 * 8 + 8 + 4 * (8 * 8 + 8) + 2 * 8 * 16 + 16 + 8
    assert data["compression_published"] == 32 * (wide + narrow) / (8 * wide + 4 * narrow)


def test_info_says_what_identifies_a_model(bitformer, tiny, tmp_path):
    data = bitformer("info", tiny, "--json").data
    model = load_model(tiny)
    other = tmp_path / "other.safetensors"
    digest = save_model(replace(model, meta={"mine": 1}), other)
    said = bitformer("info", other)
    assert said.out.count(digest) == 1
    assert data["model_hash"] == model_hash(model).hex() in said.out
    assert len(digest) == len(data["digest"]) == 64 != len(data["model_hash"])
    assert data["digest"] != digest


def test_kinds_of_layers_are_said(bitformer, tmp_path):
    config = named_config("tiny").replace(heads=1, fused=True, pre_norm=True, activation="gelu")
    path = tmp_path / "kinds.safetensors"
    save_model(initialize(config, samples=8), path)
    line = bitformer("info", path).out.splitlines()[1]
    assert line.endswith(
        "1 head with a fused weight, FFN 16 with GELU, layer norm before each sublayer"
    )
    assert bitformer("info", path, "--json").data["config"]["activation"] == "gelu"


def test_what_a_model_remembers_is_said_in_words(bitformer, tiny, tmp_path):
    """No mapping or list as Python writes it, however deep."""
    path = tmp_path / "m.safetensors"
    kept = {
        "made": {"of": "pump", "rows": {"train": 12, "val": 3}, "none": None},
        "spans": [{"percent": 50, "low": [-1.23456789, 2.0]}, {"percent": 80, "low": [3]}],
        "word": "x",
    }
    save_model(replace(load_model(tiny), meta=kept), path)
    assert bitformer("info", path).out.splitlines()[-3:] == [
        "made: of pump, rows (train 12, val 3)",
        "spans: percent 50, low -1.2346 2; percent 80, low 3",
        "word: x",
    ]
