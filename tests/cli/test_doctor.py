"""``bitformer tools``, and ``doctor`` without a model: which tools are here."""

import importlib.util

import bitformer as api


def test_tools_that_are_here_and_not_here(bitformer, monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/nextpnr")
    monkeypatch.setenv("OPENFPGALOADER", "/no/loader")
    monkeypatch.setenv("VIVADO", "/no/vivado")
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "torch" else real(name)
    )
    said = bitformer("tools")
    assert said.code == 0
    assert said == bitformer("doctor")
    assert "PyTorch: pip install 'bitformer[train]' --extra-index-url" in said.out
    for name, variable in (("nextpnr", "NEXTPNR_ECP5"), ("loader", "OPENFPGALOADER")):
        assert f"{variable} must name a program, and '/no/{name}' was not found" in said.out
    tools = {tool["name"]: tool for tool in bitformer("tools", "--json").data["tools"]}
    assert set(tools) == {
        *("Yosys", "nextpnr-ecp5", "ecppack", "nextpnr-ice40", "icepack"),
        *("Vivado", "openFPGALoader", "C++ compiler", "PyTorch", "Matplotlib", "ONNX, QONNX"),
        *("pyserial", "spidev", "Optuna", "Dask", "LightGBM", "Transformers"),
    }
    assert tools["Vivado"]["found"] is tools["nextpnr-ecp5"]["found"] is None
    assert all((tool["found"] is None) == bool(tool["remedy"]) for tool in tools.values())
    assert [tool.to_dict() for tool in api.tools()] == list(tools.values())


def test_a_tool_that_is_here(bitformer, tmp_path, monkeypatch):
    tool = tmp_path / "nextpnr"
    tool.write_text("#!/bin/sh\necho 'nextpnr-ecp5 -- (Version nextpnr-0.8)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("NEXTPNR_ECP5", str(tool))
    said = bitformer("doctor")
    assert "nextpnr-ecp5 0.8" in said.out
