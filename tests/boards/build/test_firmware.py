"""What firmware needs lies in a build, beside Verilog, and of an untrained model without scales."""

import json

import pytest
from firmware_harness import micro_of, written
from scaling_harness import MODELS

import bitformer
from bitformer.boards.build.design import build_design
from bitformer.boards.build.firmware import HEADER_FILE, SCALING_FILE, header
from bitformer.boards.catalog import BOARDS
from bitformer.hw.lowering.lower import lower
from bitformer.hw.scaling import scaling_data
from bitformer.model.config import NAMED_CONFIGS
from bitformer.model.initialize import initialize


def test_an_untrained_model_has_no_scales(tmp_path):
    model = initialize(NAMED_CONFIGS["tiny"], samples=8)
    written(model, tmp_path)
    data = json.loads((tmp_path / SCALING_FILE).read_text())
    assert "columns" not in data
    assert "target" not in data
    assert data["input"]["bits"] == 16
    assert data["window"] == 24
    text = (tmp_path / HEADER_FILE).read_text()
    assert "untrained" in text
    assert "#define BITFORMER_MODEL_SCALED 0" in text
    assert "bitformer_column" not in text
    micro = micro_of(tmp_path)
    with pytest.raises(micro.ScalesError, match=r"^an untrained model has no scales$"):
        micro.Scales(data)


@pytest.mark.parametrize("link", ["spi", "elastic"])
def test_a_build_holds_what_firmware_needs(tmp_path, link):
    model, board = MODELS["usual"], BOARDS["elastic-node-v5"]
    design = lower(model, part=board.part)
    plan = build_design(design, board, directory=tmp_path / "plan", link=link)
    assert json.loads((plan / SCALING_FILE).read_text()) == scaling_data(model)
    assert (plan / HEADER_FILE).read_text() == header(scaling_data(model))
    there = {path.name for path in plan.iterdir()}
    assert {"bitformer_scale.h", "bitformer_micro.py"} <= there
    assert ("bitformer.h" in there) == (link == "spi")
    assert "scaling.json" in (plan / "README.txt").read_text()


def test_verilog_has_it_beside_it(tmp_path):
    model = MODELS["usual"]
    bitformer.lower(bitformer.Model(model)).elaborate(tmp_path / "verilog")
    assert (tmp_path / "verilog" / HEADER_FILE).read_text() == header(scaling_data(model))
    assert "bitformer.h" not in {path.name for path in (tmp_path / "verilog").iterdir()}


def test_a_stream_says_what_a_patch_is(tmp_path):
    config = NAMED_CONFIGS["etth1-96-24-stream"]
    data = scaling_data(initialize(config, samples=8))
    assert (data["window"], data["warm_up"]) == (config.patch, config.tokens_seen)
    assert "#define BITFORMER_MODEL_WARM_UP 24\n" in header(data)
    assert "WARM_UP" not in header(scaling_data(MODELS["usual"]))
