"""``bitformer init``: untrained models, by a seed and of a file."""

import json

from bitformer.model.checkpoint import load_model


def test_init_is_seeded(bitformer, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        said = bitformer("init", "tiny", "-o", tmp_path / "new" / name, "--seed", seed)
        assert said.code == 0
    a, b, c = ((tmp_path / "new" / name).read_bytes() for name in "abc")
    assert a == b != c


def test_init_of_a_file(bitformer, tmp_path):
    config = {"name": "mine", "window": 12, "patch": 4, "d_model": 8, "heads": 2, "ffn": 16}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    said = bitformer("init", tmp_path / "mine.json", "-o", tmp_path / "m.safetensors", "--json")
    assert said.code == 0
    assert load_model(tmp_path / "m.safetensors").config.d_model == 8
