"""What profile measures, and that it takes up where it was, whoever measures and is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import KnowledgeBase, read_entries
from bitformer.estimate.profile import family, mixed, profile
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.study.workers import WorkerPool, open_pool
from bitformer.synth import place_design, tools
from bitformer.synth import synthesize as yosys
from bitformer.synth.depth import Depth
from bitformer.synth.resources import Resources
from bitformer.synth.router import target_of
from bitformer.synth.routing import Clock, Routed, Routing
from bitformer.synth.yosys import find_tool

BITS = [Precision.parse("4"), Precision.parse("8")]


@pytest.fixture
def synthesizer(monkeypatch):
    """In place of Yosys: a count by the design's shape, and a list of what was asked for."""
    asked = []

    def synthesize(design, **_options):
        asked.append(design.model.config.name)
        return yosys.Synthesis(
            part=None,
            digest=yosys.digest(design),
            tool="yosys 9.9",
            seconds=float(len(asked)),
            cells={},
            resources=Resources(luts_as_logic=design.latency, ffs=7),
            depth=Depth(levels=5, chains=1, paths=()),
            fanouts=(),
        )

    def digest(design):
        return f"{design.model.config.name}/{design.part}/{design.geometry.columns}"

    monkeypatch.setattr(yosys, "synthesize", synthesize)
    monkeypatch.setattr(yosys, "digest", digest)
    return asked


def test_family_begins_with_the_small_ones():
    names = [config.name for config in family([24, 12], [16, 8], BITS)]
    assert names[0] == "grid-12-8-4a4"
    assert names[-1] == "grid-24-16-8a8"
    assert len(names) == 8


def test_mixed_designs_do_not_depend_on_how_many():
    draw = {"seed": 3, "windows": [12, 24], "widths": [8, 16], "bits": BITS}
    few, many = mixed(2, **draw), mixed(5, **draw)
    assert many[:2] == few
    assert len({str(config.precision) for config in many}) == 5
    assert mixed(2, **{**draw, "seed": 4}) != few


def jobs():
    return [Job(config=config) for config in family([6], [8], BITS)]


def test_a_broken_run_goes_on(tmp_path, synthesizer):
    whole = KnowledgeBase(tmp_path / "whole.sqlite")
    assert profile(jobs(), whole, WorkerPool()) == 2
    synthesizer.clear()
    broken = KnowledgeBase(tmp_path / "broken.sqlite")

    def stop(done, _total, _name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile(jobs(), broken, WorkerPool(), stop)
    assert len(broken) == 1
    said = []
    assert profile(jobs(), broken, WorkerPool(), lambda *told: said.append(told)) == 1
    assert synthesizer == ["grid-6-8-4a4", "grid-6-8-8a8"]
    assert [told[:2] for told in said] == [(1, 2), (2, 2)]
    assert broken.entries() == whole.entries()


class Invented:
    """A pool that measures nothing: an entry by the design's name, slowly."""

    def __init__(self, pool):
        self._pool = pool

    def run(self, _function, tasks):
        def measure(described, _units, known):
            job = Job.of(described)
            key = f"{job.config.name}-{job.part}"
            time.sleep(0.1)
            counts = {"luts": len(key), "lutram": 1, "ffs": 2, "ramb18": 3, "dsps": 4}
            about = {"name": job.config.name, "part": job.part, "lanes": 1}
            entry = {"key": key, **about, **counts}
            return [] if key in known else [{**entry, "tool": "invented", "version": "1"}]

        return self._pool.run(measure, tasks)


# Dask looks for a free port with a socket that it leaves to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_workers_find_what_one_does(tmp_path):
    many = [Job(config=config) for config in family([6, 12], [8, 16], BITS)]
    found = []
    for workers in (1, 2):
        base = KnowledgeBase(tmp_path / f"{workers}.sqlite")
        with open_pool(workers) as pool:
            assert profile(many, base, Invented(pool)) == 8
        found.append(base.entries())
    assert found[0] == found[1]


MEASURER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_profile import BITS, Invented
from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.estimate.jobs import Job
from bitformer.estimate.profile import family, profile
from bitformer.study.workers import WorkerPool
many = [Job(config=config) for config in family([6, 12], [8, 16], BITS)]
base = KnowledgeBase(Path(sys.argv[1]))
profile(many, base, Invented(WorkerPool()), lambda *_: print("one", flush=True))
"""


def test_a_killed_run_goes_on(tmp_path):
    """By signal 9, between two designs: none is lost, none is there twice."""
    here = os.path.dirname(os.path.abspath(__file__))
    killed, whole = tmp_path / "killed.sqlite", tmp_path / "whole.sqlite"

    def start(path):
        command = [sys.executable, "-c", MEASURER, str(path), here]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with start(killed) as process:
        assert [process.stdout.readline() for _ in range(3)] == ["one\n"] * 3
        process.send_signal(signal.SIGKILL)
    assert 3 <= len(read_entries(killed)) < 8
    for path in (killed, whole):
        with start(path) as process:
            assert process.stdout.read() == "one\n" * 8
        assert process.returncode == 0
    assert read_entries(killed) == read_entries(whole)
    assert len(read_entries(whole)) == 8


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_synthesis_goes_on(tmp_path):
    """The command itself, with Yosys and two workers; killed when the first design is there."""
    find_tool()
    paths = [tmp_path / f"{name}.sqlite" for name in ("killed", "whole")]

    def start(path):
        options = ["--windows", "6", "--widths", "8", "--bits", "4,6,8", "--workers", "2"]
        command = [sys.executable, "-m", "bitformer.cli.main", "profile", *options]
        return subprocess.Popen([*command, "--kb", str(path)], stdout=subprocess.DEVNULL)

    with start(paths[0]) as process:
        while process.poll() is None and not (paths[0].exists() and read_entries(paths[0])):
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    assert read_entries(paths[0])
    for path in paths:
        with start(path) as process:
            assert process.wait() == 0
    assert read_entries(paths[0]) == read_entries(paths[1])
    assert len(read_entries(paths[1])) == 3


def test_units_are_measured_of_a_design_that_is_known(synthesizer, tmp_path):
    base = KnowledgeBase(tmp_path / "kb.sqlite")
    assert profile(jobs(), base, WorkerPool()) == 2
    units = [Job(config=job.config, units=True) for job in jobs()]
    assert profile(units, base, WorkerPool()) == 0  # the stand-in finds no units
    assert synthesizer == ["grid-6-8-4a4", "grid-6-8-8a8"] * 2


@pytest.fixture
def router(monkeypatch):
    """In place of nextpnr, and of its version: a list of what was asked for."""
    asked = []

    def route_design(design, *, clock_hz, seeds):
        asked.append((design.model.config.name, clock_hz, seeds))
        each = tuple(
            Routed(
                seed=seed,
                clocks=(Clock(name="clk", reached_mhz=100.0 + seed, asked_mhz=150.0),),
                path=None,
                used={},
                available={},
            )
            for seed in range(1, seeds + 1)
        )
        return Routing.of(target_of("lfe5u-25f"), "nextpnr-ecp5 0.99", clock_hz, each, {})

    monkeypatch.setattr(place_design, "route_design", route_design)
    monkeypatch.setattr(
        tools, "find_program", lambda name: tools.Tool(command=(), version=f"{name} 0.99")
    )
    return asked


def test_routed_designs_are_kept_and_not_routed_again(synthesizer, router, tmp_path):
    base = KnowledgeBase(tmp_path / "kb.sqlite")

    def routed(seeds, clock_hz=None):
        configs = family([6], [8], BITS)
        common = {"part": "lfe5u-25f", "seeds": seeds, "clock_hz": clock_hz}
        return profile([Job(config=one, **common) for one in configs], base, WorkerPool())

    assert routed(1) == 4
    assert routed(1) == 0
    assert router == [("grid-6-8-4a4", 150e6, 1), ("grid-6-8-8a8", 150e6, 1)]
    assert routed(3) == 2
    assert routed(3, 120e6) == 2
    assert router[2:] == [
        (name, clock_hz, 3)
        for clock_hz in (150e6, 120e6)
        for name in ("grid-6-8-4a4", "grid-6-8-8a8")
    ]
    found = base.entries(kind="routed")
    assert sorted(one.features["median_mhz"] for one in found) == [101, 101, 102, 102, 102, 102]
    assert {one.features.get("seed_3_mhz") for one in found} == {None, 103}


def test_unpacked_designs_are_others(synthesizer, tmp_path):
    base = KnowledgeBase(tmp_path / "kb.sqlite")
    config = family([12], [8], BITS)[0]
    for pack in (True, False):
        job = Job(config=config, pack=pack, lanes=8)
        assert job.name == "grid-12-8-4a4-xc7s15-8" + ("" if pack else "-unpacked")
        profile([job], base, WorkerPool())
    assert sorted(one.lanes for one in base.entries()) == [8, 8]
    assert {one.features["half_bits"] > 0 for one in base.entries()} == {True, False}


def test_a_part_that_nothing_here_routes_is_refused():
    with pytest.raises(UserError, match="one that can be routed here, lfe5u-25f"):
        Job(config=family([6], [8], BITS)[0], seeds=1)


def test_layers(synthesizer):
    names = [config.name for config in family([6], [8], BITS[:1], layers=[2, 1])]
    assert names == ["grid-6-8-4a4", "grid-6-8-2l-4a4"]
    drawn = mixed(6, seed=1, windows=[6], widths=[8], bits=BITS, layers=[1, 2])
    assert {config.layers for config in drawn} == {1, 2}


def test_an_unknown_part_is_refused():
    with pytest.raises(UserError, match="part must be one of"):
        Job(config=family([6], [8], BITS)[0], part="xc7s16")
