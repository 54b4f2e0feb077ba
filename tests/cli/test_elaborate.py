"""``bitformer elaborate``: Verilog, bare or behind AXI4-Stream, in a folder of its own."""

import json
import re

from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model


def test_elaborate_replaces_its_own_and_nothing_else(bitformer, tiny, tmp_path):
    for _ in range(2):
        said = bitformer("elaborate", tiny, "-o", tmp_path / "v", "--json")
        assert said.code == 0
    verilog = (tmp_path / "v" / "bitformer_accelerator.v").read_text()
    assert "module bitformer_accelerator(" in verilog
    design = json.loads((tmp_path / "v" / "bitformer.json").read_text())
    assert len(design["instructions"]) == len(lower(load_model(tiny)).program.instructions)
    assert design["operations"][0]["destination"] == "ACTIVATION"
    (tmp_path / "v" / "bitformer.json").unlink()
    assert bitformer("elaborate", tiny, "-o", tmp_path / "v").code == 2
    assert (tmp_path / "v" / "bitformer_accelerator.v").read_text() == verilog


def test_elaborate_with_the_ports_of_axi4_stream(bitformer, tiny, tmp_path):
    said = bitformer("elaborate", tiny, "--wrapper", "axi-stream", "-o", tmp_path / "v", "--json")
    assert said.code == 0
    verilog = (tmp_path / "v" / "bitformer_accelerator.v").read_text()
    (ports,) = re.findall(r"^module bitformer_accelerator\((.*?)\)", verilog, re.M)
    assert {"aclk", "aresetn", "s_axis_tdata", "m_axis_tlast"} <= set(ports.split(", "))
    assert json.loads((tmp_path / "v" / "bitformer.json").read_text())["wrapper"] == "axi-stream"
    assert bitformer("elaborate", tiny, "-o", tmp_path / "v", "--json").code == 0
    assert json.loads((tmp_path / "v" / "bitformer.json").read_text())["wrapper"] is None
    assert bitformer("elaborate", tiny, "--wrapper", "apb", "-o", tmp_path / "w").code == 2
