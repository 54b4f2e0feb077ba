# amaranth: UnusedElaboratable=no
"""What is synthesized is kept, by what it was made of: a Yosys that counts stands in."""

import gzip
import json
import os

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.synth import cache
from bitformer.synth import synthesize as yosys
from bitformer.synth.synthesize import synthesize
from bitformer.synth.yosys import Tool


class Held(wiring.Component):
    """A register."""

    def __init__(self, *, bits=16):
        super().__init__({"i": In(bits), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.i)
        return m


@pytest.fixture
def counting(monkeypatch):
    """A Yosys that answers at once and counts; its netlist has one LUT."""
    calls = []

    def run(tool, script, files, result):
        calls.append(script)
        assert list(files) == ["top.il"]
        cell = {"type": "LUT2", "parameters": {}, "connections": {}, "port_directions": {}}
        top = {"cells": {"x": cell}, "netnames": {}, "ports": {}}
        return json.dumps({"modules": {"top": top}})

    monkeypatch.setattr(cache, "run_yosys", run)
    monkeypatch.setattr(yosys, "find_tool", lambda: Tool(command=("yosys",), version="yosys 9.99"))
    return calls


def test_nothing_is_synthesized_twice(counting, tmp_path):
    told = []
    for _ in range(2):
        result = synthesize(Held(), cache=tmp_path, progress=lambda *said: told.append(said))
        assert (result.resources.luts, result.units, result.part) == (1, {}, None)
    assert len(counting) == 1
    assert told == [(0, None, "synthesizing (a minute or so, once)")]
    assert len(list(tmp_path.iterdir())) == 1
    synthesize(Held(bits=6), cache=tmp_path)
    synthesize(Held(), cache=tmp_path, units=True)
    assert len(counting) == 3
    assert ["-flatten" in script for script in counting] == [True, True, False]


def test_a_new_version_synthesizes_again(counting, tmp_path, monkeypatch):
    synthesize(Held(), cache=tmp_path)
    monkeypatch.setattr(yosys, "find_tool", lambda: Tool(command=("yosys",), version="yosys 10.0"))
    assert synthesize(Held(), cache=tmp_path).tool == "yosys 10.0"
    assert len(counting) == 2


DAMAGES = {
    "empty": lambda data: b"",
    "no gzip": lambda data: b"no gzip",
    "cut": lambda data: data[:-9],
    "a bit": lambda data: data[:60] + bytes([data[60] ^ 4]) + data[61:],
    "no netlist": lambda data: gzip.compress(b'{"netlist": 3, "seconds": 1}'),
    "no module": lambda data: gzip.compress(b'{"netlist": {"modules": {}}, "seconds": 1}'),
    "nested": lambda data: gzip.compress(b"[" * 100_000),
    "another": lambda data: gzip.compress(gzip.decompress(data).replace(b"LUT2", b"LUT3")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again(damage, counting, tmp_path):
    synthesize(Held(), cache=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert synthesize(Held(), cache=tmp_path).resources.luts == 1
    assert len(counting) == 2
    synthesize(Held(), cache=tmp_path)
    assert len(counting) == 2


def test_without_a_place_for_the_cache(counting, tmp_path):
    (tmp_path / "file").write_text("")
    assert synthesize(Held(), cache=tmp_path / "file" / "cache").resources.luts == 1


def test_interrupted_while_keeping_leaves_nothing(counting, tmp_path, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        synthesize(Held(), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["xc7s15", "xc7s50"])
def test_budget_of_a_part(part, counting, tmp_path):
    result = synthesize(Held(), part=part, cache=tmp_path)
    assert result.part.name == part
    assert [use.resource for use in result.uses] == [
        "LUT",
        "LUT as memory",
        "FF",
        "RAMB18",
        "DSP",
    ]
    assert result.over == ()


def test_mistakes(counting, tmp_path):
    with pytest.raises(
        UserError, match=r"^part must be one of xc7s6, .*, not 'xc7s16': did you mean 'xc7s6'\?$"
    ):
        synthesize(Held(), part="xc7s16", cache=tmp_path)
    with pytest.raises(TypeError, match=r"^Design must be a Design or a Component, not 3$"):
        synthesize(3, cache=tmp_path)
    assert counting == []


def test_trace_ports_are_not_synthesized(counting, tmp_path, monkeypatch):
    sources = []
    real = cache.run_yosys

    def run(tool, script, files, result):
        sources.append(files["top.il"])
        return real(tool, script, files, result)

    monkeypatch.setattr(cache, "run_yosys", run)
    synthesize(lower(initialize(named_config("tiny"))), cache=tmp_path)
    (source,) = sources
    top = source[source.index("module \\top\n") :].partition("\nend\n")[0]
    outputs = [line.split()[-1] for line in top.splitlines() if " output " in line]
    assert sorted(outputs) == ["\\i__ready", "\\o__payload", "\\o__valid"]
    assert 'rom_style "distributed"' not in source
