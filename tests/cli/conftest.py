"""Command lines run in this process, and what they said."""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import partial

import pytest
from click.testing import CliRunner
from nextpnr_harness import stand_ins
from predict_harness import data, model, numbers

from bitformer.cli.main import cli
from bitformer.estimate import knowledge
from bitformer.hw import convert
from bitformer.hw.design import Design
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.synth import route, synthesize

__all__ = ["data", "model", "numbers"]


@dataclass(frozen=True, kw_only=True)
class Said:
    """Exit code and both outputs of a command line."""

    code: int
    out: str
    err: str

    @property
    def data(self):
        """The standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def bitformer():
    """``bitformer("info", path) -> Said``; an exception that is no exit fails the test."""

    def run(*args):
        result = CliRunner(catch_exceptions=False).invoke(cli, [str(arg) for arg in args])
        return Said(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture(scope="session", autouse=True)
def converted_once():
    """A worker converts a design to RTLIL or Verilog once: a second time gives the same text."""
    texts = {}

    def once(make, design, *names):
        parts = (design.part, design.banks, design.geometry, design.stores, design.program)
        key = repr((*names, *parts, design.images))
        if key not in texts:
            texts[key] = make()
        return texts[key]

    def to_verilog(component, *, name):
        if type(component) is not Accelerator:
            return convert_to_verilog(component, name=name)
        make = partial(convert_to_verilog, component, name=name)
        return once(make, component.design, "verilog", name)

    def source_of(design):
        if not isinstance(design, Design):
            return rtlil_of(design)
        return once(partial(rtlil_of, design), design, "rtlil")

    convert_to_verilog, rtlil_of = convert.to_verilog, synthesize.source_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "to_verilog", to_verilog)
        patch.setattr(synthesize, "source_of", source_of)
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """An untrained model file."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_model(initialize(named_config("tiny")), path)
    return path


@pytest.fixture(autouse=True)
def own_knowledge(monkeypatch, tmp_path):
    """A knowledge base of the test's own: nothing is left in the user's data folder."""
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "knowledge" / "kb.sqlite"))


@pytest.fixture
def one_family_measured(monkeypatch):
    """A base that ships with designs of the default part's family alone."""
    usual = PARTS[DEFAULT_PART].family
    own = [one for one in knowledge.shipped_entries() if PARTS[one.part].family is usual]
    monkeypatch.setattr(knowledge, "shipped_entries", lambda: own)


@pytest.fixture
def no_vivado(monkeypatch):
    """A machine without Vivado."""
    monkeypatch.setenv("VIVADO", "vivado-that-is-not-here")
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)


@pytest.fixture
def as_a_shell_reads(tmp_path, monkeypatch):
    """The arguments that a printed command line comes to in ``sh``, where it is run."""
    own = tmp_path / "a bin"
    own.mkdir()
    stand_in = own / "bitformer"
    stand_in.write_text("#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n")
    stand_in.chmod(0o755)

    def read(line):
        monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.defpath}")
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split("\0")[:-1]

    return read


@pytest.fixture
def routed(tmp_path, monkeypatch):
    """Stand-ins for nextpnr and ecppack behind an empty netlist, and caches of their own."""
    monkeypatch.setattr(route, "default_cache", lambda: tmp_path / "routed")

    def netlist(name, *_):
        return json.dumps({"modules": {name: {"ports": {}, "cells": {}, "netnames": {}}}})

    monkeypatch.setattr("bitformer.boards.build.routed._synthesized", netlist)
    return stand_ins(tmp_path / "tools", monkeypatch)
