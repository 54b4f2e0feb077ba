"""Seeds: all at once, the best counts, none is lost, and none dies unheard."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from nextpnr_harness import stand_ins

from bitformer.model.errors import UserError
from bitformer.synth.route import pack, place_and_route
from bitformer.synth.router import target_of

pytestmark = pytest.mark.needs("posix")

TARGET = target_of("lfe5u-25f")
SMALL = target_of("ice40up5k")
NETLIST = '{"modules": {}}'
WITH_PORTS = '{"modules": {"top": {"ports": {"rst": 1, "i__valid": 2, "clk": 3}, "cells": {}}}}'


@pytest.fixture
def tools(tmp_path, monkeypatch):
    return stand_ins(tmp_path / "tools", monkeypatch)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder of temporary files of its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def route(tmp_path, temporary):
    def route(target=TARGET, netlist=NETLIST, **options):
        return place_and_route(
            netlist, target, **{"clock_hz": 100e6, "cache": tmp_path / "kept", **options}
        )

    return route


def test_every_seed_is_run_with_what_was_asked_for(tools, route, temporary):
    tools.does(s1=90.0, s2=120.0, s3=100.0)
    placed, failed = route(pins="LOCATE ...")
    assert [one.seed for one in placed] == [1, 2, 3]
    assert [one.report["fmax"]["$glbnet$clk"]["achieved"] for one in placed] == [90, 120, 100]
    assert [one.result for one in placed] == [f"config of seed {n}" for n in (1, 2, 3)]
    assert (failed, {one.tool for one in placed}) == ({}, {"nextpnr-ecp5 0.99"})
    for run in tools.runs:
        assert "--25k --package CABGA381 --speed 6 --json top.json --freq 100.000000" in run
        assert "--lpf top.lpf" in run
        assert "--timing-allow-fail" in run
    assert list(temporary.iterdir()) == []


def test_ports_may_lie_anywhere_without_pins(tools, route):
    tools.does(s1=90.0)
    route(seeds=(1,))
    assert "--lpf-allow-unconstrained" in tools.runs[0]
    assert "--lpf top.lpf" not in tools.runs[0]


def test_where_ports_cannot_lie_anywhere_clock_and_reset_are_left(tools, route):
    tools.does(s1=40.0, s2=41.0)
    (alone,), _ = route(SMALL, WITH_PORTS, seeds=(1,))
    assert (alone.tool, alone.result) == ("nextpnr-ice40 0.99", "config of seed 1 rst clk")
    assert "--up5k --package sg48 --json top.json --freq 100.000000 --report" in tools.runs[0]
    # with pins, and in the other family, every port is there
    (pinned,), _ = route(SMALL, WITH_PORTS, seeds=(1,), pins="set_io clk 35")
    assert pinned.result == "config of seed 1 rst i__valid clk"
    assert any("--pcf top.pcf" in run for run in tools.runs)
    (other,), _ = route(TARGET, WITH_PORTS, seeds=(2,))
    assert other.result == "config of seed 2 rst i__valid clk"


def test_what_is_finished_is_kept(tools, route):
    tools.does(s1=90.0, s2=120.0, s3=100.0)
    first, _ = route(seeds=(1, 3))
    again, _ = route(seeds=(1, 2, 3))
    assert tools.seeds == [1, 2, 3]
    assert [again[0], again[2]] == first
    # for another clock, other pins or another part nothing is
    for n, other in enumerate(({"clock_hz": 101e6}, {"pins": "x"}), 2):
        route(seeds=(1,), **other)
        assert tools.seeds.count(1) == n
    route(seeds=(2,), target=target_of("lfe5u-25f", "BG381", "8"))
    assert tools.seeds.count(2) == 2


def test_a_silent_death_is_tried_once_more_and_said(tools, route, caplog):
    tools.does(s1=["die", 90.0], s2=100.0)
    with caplog.at_level(logging.WARNING, logger="bitformer"):
        placed, failed = route(seeds=(1, 2))
    assert [(one.seed, one.again) for one in placed] == [(1, True), (2, False)]
    assert failed == {}
    assert tools.seeds == [1, 1, 2]
    assert caplog.messages == [
        "nextpnr-ecp5 0.99 ended with exit status 1 and did not say why, with seed 1: once more"
    ]


def test_two_silent_deaths_are_said_with_the_logs_last_lines(tools, route, temporary):
    tools.does(s1="die")
    with pytest.raises(UserError) as refusal:
        route(seeds=(1,))
    assert str(refusal.value) == (
        "nextpnr-ecp5 0.99 failed with exit status 1, with seed 1; its log ends: "
        "Info: Packing constants | Info: Routing.."
    )
    assert tools.seeds == [1, 1]
    assert list(temporary.iterdir()) == []


def test_what_says_why_is_not_tried_again(tools, route):
    tools.does(s1="error", s2=80.0)
    placed, failed = route(seeds=(1, 2))
    assert [one.seed for one in placed] == [2]
    assert failed == {
        1: "nextpnr-ecp5 0.99 failed with exit status 1, with seed 1:"
        " no Bels remaining of type MULT18X18D"
    }
    assert tools.seeds == [1, 2]
    with pytest.raises(UserError, match=r"with seed 1: no Bels remaining"):
        route(seeds=(1,))


@pytest.mark.parametrize("seeds", [(), (0, 1), (1, 1)])
def test_seeds_that_will_not_do(tools, route, seeds):
    with pytest.raises(UserError, match=r"^seeds must be different numbers from 1 on, not \["):
        route(seeds=seeds)


def test_progress_counts_stages(tools, route):
    tools.does(s1=90.0)
    heard = []
    route(seeds=(1,), progress=lambda *step: heard.append(step))
    assert heard[-1] == (5, 5, "placing and routing, seed 1")
    heard.clear()
    route(seeds=(1,), progress=lambda *step: heard.append(step))
    assert heard == []


def test_ctrl_c_ends_all_and_keeps_what_is_finished(tools, tmp_path, temporary):
    """The seeds that hang are gone, and their folders; the one that ended is not run again."""
    tools.does(s1=90.0, s2="hang", s3="hang")
    code = (
        "import os, sys, tempfile\n"
        f"tempfile.tempdir = {str(temporary)!r}\n"
        "from pathlib import Path\n"
        "from bitformer.synth import route\n"
        "from bitformer.synth.router import target_of\n"
        "route._cores = lambda: 3\n"
        f"route.place_and_route({NETLIST!r}, target_of('lfe5u-25f'), clock_hz=100e6,"
        f" cache=Path({str(tmp_path / 'kept')!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    kept = tmp_path / "kept"
    while not (len(tools.pids()) == 2 and all(tools.pids().values()) and any(kept.glob("*.gz"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    for pid in tools.pids().values():
        while _lives(pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert list(temporary.iterdir()) == []
    tools.does(s1=1.0, s2=120.0, s3=100.0)
    placed, _ = place_and_route(NETLIST, TARGET, clock_hz=100e6, cache=kept)
    assert [one.report["fmax"]["$glbnet$clk"]["achieved"] for one in placed] == [90, 120, 100]
    assert tools.seeds == [1, 2, 2, 3, 3]


def _lives(pid):
    """Whether a process runs; one that has ended may still wait for its parent to notice."""
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_bits(tools, monkeypatch, temporary):
    assert pack("text", TARGET, ("--compress", "--freq", "38.8")) == (
        b"bits of text: --compress --freq 38.8 --input top.config --bit top.bit"
    )
    assert pack("text", SMALL, ("-s",)) == b"bits of text: -s top.asc top.bit"
    bad = temporary.parent / "bad"
    bad.write_text("#!/bin/sh\necho 'Version 1'\nexit 3\n")
    bad.chmod(0o755)
    monkeypatch.setenv("ECPPACK", str(bad))
    with pytest.raises(UserError, match=r"^ecppack 1 failed with exit status 3; its log ends: Ver"):
        pack("text", TARGET)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "package", "speed", "sentence"),
    [
        ("xc7s15", None, None, r"^part must be one that can be routed here, lfe5u-25f, .*Vivado"),
        ("lfe5u-25f", "FTG256", None, r"^package must be BG381 or .*, not 'FTG256'$"),
        ("lfe5u-25f", None, "9", r"^speed must be 6 or 7 or 8, not '9'$"),
        ("ice40up5k", "TQ144", None, r"^package must be SG48 or UWG30, not 'TQ144'$"),
        ("ice40up5k", None, "6", r"^speed must be left out, not '6'$"),
    ],
)
def test_targets_that_there_are_not(part, package, speed, sentence):
    with pytest.raises(UserError, match=sentence):
        target_of(part, package, speed)


def test_a_part_of_one_grade_has_none_to_say():
    assert (str(SMALL), SMALL.options) == ("ice40up5k SG48", ("--up5k", "--package", "sg48"))
    assert str(TARGET) == "lfe5u-25f BG381, speed grade 6"
