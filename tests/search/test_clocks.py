"""The clock of candidates: measured, predicted once, and what it does to limits and the choice."""

import dataclasses
import json

import numpy as np
import pytest
from clock_harness import routed
from search_findings import finding

from bitformer.cli.search_report import clock_cells, clock_lines
from bitformer.estimate.clock import CALIBRATED, MEASURED, PREDICTED, Reached
from bitformer.estimate.knowledge import Entry
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.search import prover
from bitformer.search.clocks import CandidateClocks
from bitformer.search.engine import Engine
from bitformer.search.limits import Limits
from bitformer.search.prover import Prover
from bitformer.search.verification import Bench, verify
from bitformer.study.workers import WorkerPool
from bitformer.synth import place_design, synthesize
from bitformer.synth.depth import Depth, Fanout
from bitformer.synth.resources import Resources
from bitformer.synth.router import target_of
from bitformer.synth.routing import Clock, Routed, Routing

PART = "lfe5u-25f"
OTHERS = [routed("a", 100.0), routed("b", 110.0), routed("c", 120.0)]


def measured(mhz):
    return Reached(mhz=mhz, low=mhz - 5, high=mhz + 5, by=MEASURED, source="here")


def test_what_is_predicted_stays_though_the_base_grows(tmp_path):
    path = tmp_path / "clock.json"
    first = CandidateClocks(path, OTHERS, PART).of({"synthesis": None})
    assert (first.by, first.mhz) == (PREDICTED, 110.0)
    more = [*OTHERS, routed("d", 200.0), routed("e", 210.0)]
    assert CandidateClocks(path, more, PART).of({}) == first
    # of a candidate that was routed itself, by its record or by the base
    for entries, own in ((more, []), (OTHERS, [routed("d", 200.0).to_dict()])):
        record = {"synthesis": {"digest": "d", "loads": 9}, "entries": own}
        found = CandidateClocks(path, entries, PART).of(record)
        assert (found.by, found.mhz) == (MEASURED, 200.0)
    assert CandidateClocks(path, more, "lfe5u-45f").of({}) is None
    spartan = CandidateClocks(path, more, "xc7s15")
    assert spartan.of({}).by == CALIBRATED
    assert spartan.of({"synthesis": {"digest": "z", "loads": 600}}).mhz < spartan.of({}).mhz


def test_limits_hold_at_what_was_measured_where_that_is_less(config):
    one = finding(config, "a", val=1.0, luts=9)  # of 100 cycles
    limits = Limits(latency_us=1.0, clock_hz=100e6)
    assert one.fits(limits)
    for clock, kept in ((measured(90.0), False), (measured(100.0), True), (measured(300.0), True)):
        one.clock = clock
        assert one.fits(limits) is kept
    one.clock = dataclasses.replace(measured(90.0), by=PREDICTED)
    assert one.fits(limits), "what is predicted is told, and no limit"
    one.clock = measured(300.0)
    assert not one.fits(Limits(latency_us=0.9, clock_hz=100e6)), "a faster clock is not asked for"
    one.clock = measured(80.0)
    assert one.to_dict(limits)["clock"]["latency_us"] == 1.25
    one.clock = None
    assert one.to_dict(limits)["clock"] is None


@pytest.fixture
def content(tmp_path):
    save_model(initialize(named_config("tiny")), tmp_path / "m")
    return (tmp_path / "m").read_bytes()


@pytest.fixture
def tools(monkeypatch):
    """In place of Yosys and nextpnr: what nextpnr was asked for, or the mistake it is to make."""
    asked = []

    def synthesized(design):
        return synthesize.Synthesis(
            part=None,
            digest="d",
            tool="yosys 9.9",
            seconds=1.0,
            cells={},
            resources=Resources(luts_as_logic=7, ffs=7),
            depth=Depth(levels=5, chains=1, paths=()),
            fanouts=(Fanout(name="wide", loads=77, enables=0, resets=0, logic=77, data=0),),
        )

    def route_design(design, *, clock_hz):
        asked.append(clock_hz)
        if clock_hz == 1.0:
            raise UserError("no Bels remaining")
        clock = Clock(name="clk", reached_mhz=123.0, asked_mhz=150.0)
        one = Routed(seed=1, clocks=(clock,), path=None, used={}, available={})
        return Routing.of(target_of(design.part), "nextpnr-ecp5 0.99", clock_hz, [one], {})

    monkeypatch.setattr(synthesize, "synthesize", synthesized)
    monkeypatch.setattr(place_design, "route_design", route_design)
    return asked


def test_a_candidate_is_routed_where_that_is_asked_for(content, tools):
    windows = np.random.default_rng(0).normal(size=(1, 24, 1))

    def record(hertz):
        return verify(content, Engine(), windows, None, PART, True, None, hertz)

    plain, placed, failed = record(0.0), record(150e6), record(1.0)
    assert tools == [150e6, 1.0]
    assert [one["kind"] for one in plain["entries"]] == ["design"]
    assert [one["kind"] for one in placed["entries"]] == ["design", "routed"]
    assert Entry.from_dict(placed["entries"][1]).features["median_mhz"] == 123.0
    assert placed["synthesis"]["digest"] == "d"
    assert placed["synthesis"]["loads"] == 77
    assert failed["not_routed"] == "no Bels remaining"
    assert [one["kind"] for one in failed["entries"]] == ["design"]
    assert "not_routed" not in plain


def test_a_routed_proof_is_another_than_a_synthesized_one():
    bench = Bench(windows=np.zeros((1, 2, 1)), part=PART, tool="y", router="n 1", asked_hz=1.5e8)
    keys = [
        bench.key(b"m", Engine(), True),
        bench.key(b"m", Engine(), True, True),
        dataclasses.replace(bench, router="n 2").key(b"m", Engine(), True, True),
        dataclasses.replace(bench, asked_hz=2e8).key(b"m", Engine(), True, True),
    ]
    assert len(set(keys)) == 4
    assert dataclasses.replace(bench, router="n 2").key(b"m", Engine(), True) == keys[0]


@pytest.mark.parametrize(
    ("route", "synthesis", "limit", "placed"),
    [
        ("chosen", "all", None, ["best"]),
        ("chosen", "all", 1.0, ["best", "second"]),  # the best reaches 90 MHz
        ("chosen", "chosen", None, ["best"]),
        ("all", "all", None, ["best", "second", "uniform"]),
        ("none", "all", None, []),
        ("chosen", "none", None, []),
    ],
)
def test_which_are_routed(config, question, monkeypatch, tmp_path, route, synthesis, limit, placed):
    mhz = {"best": 90.0, "second": 110.0, "uniform": 100.0}
    ran = []

    def verify_all(models, bench, folder, pool, *, synthesized, routed, progress):
        found = {}
        for title in models:
            name = next(one for one in mhz if one in title)
            entries, wanted = [], bool(bench.tool) and synthesized
            if wanted and routed and bench.router:
                ran.append(name)
                entries = [routed_of(name).to_dict()]
            counts = {"latency": 100, "interval": 90, "ramb18": 1, "dsps": 2}
            own = {"luts": 9, "lutram": 5, "ffs": 9, "ramb18": 1, "dsps": 2, "digest": name}
            found[title] = {
                "error": None,
                "bit_exact": True,
                "cycles_as_predicted": True,
                "quantities": {},
                "synthesis": own if wanted else None,
                "entries": entries,
                **counts,
            }
        return found

    def routed_of(name):
        return routed(name, mhz[name])

    monkeypatch.setattr(prover, "verify_all", verify_all)
    limits = Limits(part=PART, latency_us=limit, clock_hz=100e6)
    asked = dataclasses.replace(question, limits=limits, route=route, synthesis=synthesis)
    results = [
        finding(config, "best", val=1.0, luts=9),
        finding(config, "second", val=1.1, luts=9),
        finding(config, "uniform", val=1.2, luts=9, baseline=True),
    ]
    for one in results:
        one.outcome = dataclasses.replace(one.outcome, model=tmp_path / "model")
    tool = {"tool": "yosys 9.9", "router": "nextpnr-ecp5 0.99"}
    clocks = CandidateClocks(tmp_path / "clock.json", OTHERS, PART)
    Prover(asked, tmp_path, WorkerPool(), **tool).prove(
        results, lambda quantities: {"luts": 9, "lutram": 5, "ffs": 9}, clocks
    )
    assert ran == placed
    for one in results:
        expected = mhz[one.why] if one.why in placed else 110.0
        assert one.clock.mhz == expected
    assert json.loads((tmp_path / "clock.json").read_text())


def test_what_a_search_says_of_clocks():
    found = {"mhz": 110.0, "low": 90.0, "high": 130.0, "by": PREDICTED, "source": "of three"}
    two = [found | {"latency_us": 20.0}, found | {"latency_us": 21.0}]
    own = found | {"mhz": 95.0, "low": 94.0, "high": 96.0, "by": MEASURED, "source": "nextpnr 1"}
    rows = [
        {"rank": 1, "clock": own | {"latency_us": 22.0}},
        *({"rank": rank, "clock": clock} for rank, clock in enumerate(two, start=2)),
        {"why": "uniform 4", "clock": None},
    ]
    assert [clock_cells(row["clock"]) for row in rows] == [
        ("95", "22.0"),
        ("~110", "~20.0"),
        ("~110", "~21.0"),
        ("-", "-"),
    ]
    assert list(clock_lines(rows, 100e6)) == [
        "Clock of 1, measured: 94 to 96 MHz; nextpnr 1",
        "Clock of 2, 3, predicted: 90 to 130 MHz; of three",
        "1 reaches 95.0 MHz, not the 100 MHz of --clock: its limits are held at what it reaches",
    ]
    assert len(list(clock_lines(rows, 95e6))) == 2
