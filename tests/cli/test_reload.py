"""``reload`` on the command line: what it refuses before a port is opened, and what it reports."""

import json
from dataclasses import replace

import pytest

from bitformer.boards.host import ports
from bitformer.boards.host import reload as host_reload
from bitformer.model import ir
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize


@pytest.fixture
def other(tiny, tmp_path):
    """A model whose weights alone differ."""
    model = load_model(tiny)
    operations = tuple(
        replace(op, weight=-op.weight) if isinstance(op, ir.Linear) else op
        for op in model.operations
    )
    save_model(replace(model, operations=operations), tmp_path / "other.safetensors")
    return tmp_path / "other.safetensors"


class Port:
    name = "port P"

    def close(self):
        pass


def test_report(bitformer, tiny, other, monkeypatch):
    def loads(client, design, model, *, progress, **lowering):
        assert design.banks == 2
        assert lowering == {"lanes": None, "pack": True}
        progress(10, 20, "bytes sent")
        return 10

    monkeypatch.setattr(ports, "open_transport", lambda port, **rates: Port())
    monkeypatch.setattr(host_reload, "load_model", loads)
    said = bitformer("reload", other, "--on", tiny, "--port", "P", "--json")
    assert said.code == 0
    assert said.data["bytes"] == 10
    assert said.data["model_hash"] == model_hash(load_model(other)).hex()
    assert "New weights are live on P: 10 bytes" in said.err


def test_other_hardware_is_refused_first(bitformer, tiny, tmp_path):
    model = initialize(replace(named_config("tiny"), layers=2))
    save_model(model, tmp_path / "deep.safetensors")
    said = bitformer("reload", tmp_path / "deep.safetensors", "--on", tiny, "--port", "nowhere")
    assert said.code == 2
    assert "new weights must be of a model of the same shape" in said.err


def test_elaborate_reloadable(bitformer, tiny, tmp_path):
    said = bitformer("elaborate", tiny, "--reloadable", "-o", tmp_path / "rtl", "--json")
    assert said.code == 0
    assert json.loads((tmp_path / "rtl" / "bitformer.json").read_text())
    verilog = "".join(path.read_text() for path in (tmp_path / "rtl").glob("*.v"))
    assert "i_load_data" in verilog
    assert "i_bank" in verilog
